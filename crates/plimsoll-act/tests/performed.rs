//! The record of commands over restarts, as the agent's order loop uses it.

#![expect(clippy::unwrap_used, reason = "a test ends where its stage cannot be set up")]

use std::path::{Path, PathBuf};

use plimsoll_act::performed::{Begin, Performed, PerformedError};
use plimsoll_model::{
    Action, Command, CommandId, Digest, InstanceName, Measured, Receipt, ReceiptResult, Restored,
    ServiceName, Span, Timestamp,
};
use plimsoll_wire::receipt::ReceiptResultShape;

const NOW: Timestamp = Timestamp::from_secs(1_780_000_000);

fn command(id: &str) -> Command {
    Command {
        id: CommandId::new(id).unwrap(),
        plan: None,
        authority: Digest::ZERO,
        service: ServiceName::new("orders").unwrap(),
        instance: InstanceName::new("orders-0").unwrap(),
        version: None,
        action: Action::Restart,
        lease: None,
        not_after: NOW + Span::from_mins(5),
        reason: "to see".to_owned(),
    }
}

fn receipt(id: &str, result: ReceiptResult) -> Receipt {
    let Command { id: command, service, instance, action, .. } = command(id);
    Receipt { command, service, instance, action, started_at: NOW, ended_at: NOW, result }
}

fn done(id: &str) -> Receipt {
    let measured = Measured::Replaced { version: None, ready_after: Span::from_secs(1) };
    receipt(id, ReceiptResult::Done(measured))
}

fn undone(id: &str) -> Receipt {
    let (what, now) = ("memory.high".to_owned(), "max".to_owned());
    receipt(id, ReceiptResult::Undone(Restored { what, now, verified: true }))
}

#[test]
fn the_same_command_twice_is_performed_once_over_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let performed = Performed::open(folder.path(), NOW).unwrap();
    assert_eq!(performed.begin(&command("a"), NOW).unwrap(), Begin::Now);
    assert_eq!(performed.begin(&command("a"), NOW).unwrap(), Begin::Running);
    performed.add(&done("a")).unwrap();
    let reported = performed.unacknowledged(10).unwrap();
    assert_eq!(reported.receipts, [(&done("a")).into()]);
    performed.acknowledge(&["a".to_owned()], &reported).unwrap();
    assert_eq!(performed.unacknowledged(10).unwrap().receipts, []);

    let performed = Performed::open(folder.path(), NOW).unwrap();
    assert_eq!(performed.unacknowledged(10).unwrap().receipts, []);
    assert_eq!(performed.begin(&command("a"), NOW).unwrap(), Begin::Ended);
    assert_eq!(performed.unacknowledged(10).unwrap().receipts, [(&done("a")).into()]);
}

#[test]
fn a_command_in_whose_middle_the_agent_died_is_reported_and_not_repeated() {
    let folder = tempfile::tempdir().unwrap();
    let performed = Performed::open(folder.path(), NOW).unwrap();
    performed.begin(&command("a"), NOW).unwrap();
    drop(performed);
    let performed = Performed::open(folder.path(), NOW + Span::from_mins(1)).unwrap();
    let reported = performed.unacknowledged(10).unwrap().receipts;
    let [receipt] = reported.as_slice() else { panic!("{reported:?}") };
    let ReceiptResultShape::Failed { reason } = &receipt.result else { panic!("{receipt:?}") };
    assert!(reason.contains("the agent died in the middle"), "{reason}");
    assert_eq!(performed.begin(&command("a"), NOW).unwrap(), Begin::Ended);
}

#[test]
fn a_receipt_that_came_up_after_the_report_is_not_taken_for_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let performed = Performed::open(folder.path(), NOW).unwrap();
    performed.begin(&command("a"), NOW).unwrap();
    performed.add(&done("a")).unwrap();
    let reported = performed.unacknowledged(10).unwrap();
    performed.add(&undone("a")).unwrap();
    performed.acknowledge(&["a".to_owned(), "other".to_owned()], &reported).unwrap();
    assert_eq!(performed.unacknowledged(10).unwrap().receipts, [(&undone("a")).into()]);
}

#[test]
fn the_newest_thousand_commands_are_remembered() {
    let folder = tempfile::tempdir().unwrap();
    let performed = Performed::open(folder.path(), NOW).unwrap();
    performed.begin(&command("runs"), NOW).unwrap();
    for number in 0..1005 {
        let id = format!("cmd-{number}");
        performed.begin(&command(&id), NOW).unwrap();
        performed.add(&done(&id)).unwrap();
    }
    let files = std::fs::read_dir(folder.path().join("commands")).unwrap().count();
    assert_eq!(files, 1000);
    assert_eq!(performed.begin(&command("runs"), NOW).unwrap(), Begin::Running);
    assert_eq!(performed.begin(&command("cmd-1004"), NOW).unwrap(), Begin::Ended);
    assert_eq!(performed.begin(&command("cmd-0"), NOW).unwrap(), Begin::Now);
}

/// While it lives, the file of the command is on a full disk.
struct NoRoom(PathBuf);

impl NoRoom {
    fn for_command(state: &Path, number: usize) -> Self {
        let beside = state.join(format!("commands/{number}.json.new"));
        std::os::unix::fs::symlink("/dev/full", &beside).unwrap();
        Self(beside)
    }
}

impl Drop for NoRoom {
    fn drop(&mut self) {
        std::fs::remove_file(&self.0).unwrap();
    }
}

#[test]
fn a_receipt_that_finds_no_room_is_offered_and_written_once_there_is_room() {
    let folder = tempfile::tempdir().unwrap();
    let performed = Performed::open(folder.path(), NOW).unwrap();
    performed.begin(&command("a"), NOW).unwrap();
    let no_room = NoRoom::for_command(folder.path(), 1);
    let error = performed.add(&done("a")).unwrap_err();
    assert!(matches!(error, PerformedError::Io { what: "write", .. }), "{error}");
    assert_eq!(performed.begin(&command("a"), NOW).unwrap(), Begin::Ended);
    assert_eq!(performed.unacknowledged(10).unwrap().receipts, [(&done("a")).into()]);
    assert_eq!(performed.save_unsaved(), 1);
    performed.add(&undone("a")).unwrap_err();
    drop(no_room);
    assert_eq!(performed.save_unsaved(), 0);
    let both = [(&done("a")).into(), (&undone("a")).into()];
    assert_eq!(performed.unacknowledged(10).unwrap().receipts, both);

    let performed = Performed::open(folder.path(), NOW).unwrap();
    assert_eq!(performed.unacknowledged(10).unwrap().receipts, both);
}

#[test]
fn a_receipt_that_was_acknowledged_from_memory_is_written_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let performed = Performed::open(folder.path(), NOW).unwrap();
    performed.begin(&command("a"), NOW).unwrap();
    let no_room = NoRoom::for_command(folder.path(), 1);
    performed.add(&done("a")).unwrap_err();
    let reported = performed.unacknowledged(10).unwrap();
    performed.acknowledge(&["a".to_owned()], &reported).unwrap();
    assert_eq!(performed.unacknowledged(10).unwrap().receipts, []);
    assert_eq!(performed.save_unsaved(), 1);
    drop(no_room);
    assert_eq!(performed.save_unsaved(), 0);

    let performed = Performed::open(folder.path(), NOW).unwrap();
    assert_eq!(performed.unacknowledged(10).unwrap().receipts, []);
}

#[test]
fn a_record_that_cannot_be_read_for_a_while_delays_the_receipt_and_does_not_lose_it() {
    let folder = tempfile::tempdir().unwrap();
    let performed = Performed::open(folder.path(), NOW).unwrap();
    performed.begin(&command("a"), NOW).unwrap();
    let (record, away) = (folder.path().join("commands/1.json"), folder.path().join("away"));
    std::fs::rename(&record, &away).unwrap();
    let error = performed.add(&done("a")).unwrap_err();
    assert!(matches!(error, PerformedError::Io { what: "read", .. }), "{error}");
    assert_eq!(performed.save_unsaved(), 1);
    std::fs::rename(&away, &record).unwrap();
    assert_eq!(performed.save_unsaved(), 0);
    assert_eq!(performed.begin(&command("a"), NOW).unwrap(), Begin::Ended);
    assert_eq!(performed.unacknowledged(10).unwrap().receipts, [(&done("a")).into()]);
}

#[test]
fn an_agent_that_was_killed_starts_again_on_a_full_disk() {
    let folder = tempfile::tempdir().unwrap();
    let performed = Performed::open(folder.path(), NOW).unwrap();
    performed.begin(&command("a"), NOW).unwrap();
    drop(performed);
    let _no_room = NoRoom::for_command(folder.path(), 1);
    let performed = Performed::open(folder.path(), NOW).unwrap();
    let reported = performed.unacknowledged(10).unwrap().receipts;
    assert!(matches!(reported[0].result, ReceiptResultShape::Failed { .. }), "{reported:?}");
    assert_eq!(performed.begin(&command("a"), NOW).unwrap(), Begin::Ended);
}

#[test]
fn while_too_many_receipts_wait_for_the_disk_nothing_new_is_begun() {
    let folder = tempfile::tempdir().unwrap();
    let performed = Performed::open(folder.path(), NOW).unwrap();
    let mut no_room = Vec::new();
    for number in 1..=64 {
        let id = format!("cmd-{number}");
        assert_eq!(performed.begin(&command(&id), NOW).unwrap(), Begin::Now);
        no_room.push(NoRoom::for_command(folder.path(), number));
        performed.add(&done(&id)).unwrap_err();
    }
    let error = performed.begin(&command("one-more"), NOW).unwrap_err();
    assert!(matches!(error, PerformedError::Unsaved(64)), "{error}");
    no_room.clear();
    assert_eq!(performed.save_unsaved(), 0);
    assert_eq!(performed.begin(&command("one-more"), NOW).unwrap(), Begin::Now);
}
