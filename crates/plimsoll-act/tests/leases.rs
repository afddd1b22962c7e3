//! Leases on real memory cgroups where this machine lets us make some, and on plain files, which
//! a limit file is to the code, where a foreign writer or a dead agent has to be staged.

#![expect(clippy::unwrap_used, reason = "a test ends where its stage cannot be set up")]

use std::fs;
use std::path::Path;
use std::time::Duration;

use plimsoll_act::cgroup::{GroupVersion, Groups, MemoryGroup};
use plimsoll_act::clock;
use plimsoll_act::lease::{LeaseBook, LimitError};
use plimsoll_model::{
    Action, Bytes, Command, CommandId, Digest, InstanceName, Measured, Receipt, ReceiptResult,
    Restored, ServiceName, Span, Timestamp,
};

fn command(action: Action, lease: Option<Span>) -> Command {
    Command {
        id: CommandId::new("cmd-1").unwrap(),
        plan: None,
        authority: Digest::ZERO,
        service: ServiceName::new("orders").unwrap(),
        instance: InstanceName::new("orders-0").unwrap(),
        version: None,
        action,
        lease,
        not_after: Timestamp::from_secs(4_000_000_000),
        reason: "to gain time".to_owned(),
    }
}

fn soft_limit(lease: Option<Span>) -> Command {
    command(Action::SetSoftLimit(Bytes(100_000_000)), lease)
}

/// A folder that holds what a version 1 group's limit file would.
fn staged(folder: &Path) -> MemoryGroup {
    let group = MemoryGroup { version: GroupVersion::V1, folder: folder.to_owned() };
    fs::write(group.soft_limit_file(), "9223372036854771712\n").unwrap();
    group
}

fn content(group: &MemoryGroup) -> String {
    fs::read_to_string(group.soft_limit_file()).unwrap()
}

fn restored(mut receipts: Vec<Receipt>) -> Restored {
    assert_eq!(receipts.len(), 1, "{receipts:?}");
    match receipts.remove(0).result {
        ReceiptResult::Undone(restored) => restored,
        other => panic!("{other:?}"),
    }
}

async fn all_undone(book: &LeaseBook) -> Vec<Receipt> {
    let mut receipts = Vec::new();
    book.undo_all(|receipt| receipts.push(receipt.clone())).await;
    receipts
}

async fn undone(book: &LeaseBook) -> Vec<Receipt> {
    let poll = async {
        loop {
            let mut receipts = Vec::new();
            book.undo_ended(|receipt| receipts.push(receipt.clone())).await;
            if !receipts.is_empty() {
                break receipts;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), poll).await.unwrap()
}

#[tokio::test]
async fn a_lease_on_a_real_cgroup_ends_and_leaves_it_byte_for_byte_as_it_was() {
    let groups = match Groups::create() {
        Ok(groups) => groups,
        Err(reason) => return eprintln!("skipped: {reason}"),
    };
    let group = groups.add("orders-0", Some(Bytes::from_mib(256))).unwrap();
    let before = content(&group);
    let folder = tempfile::tempdir().unwrap();
    let book = LeaseBook::open(folder.path(), clock::now()).unwrap();
    let limit = Bytes(100_000_000);
    let action = match group.version {
        GroupVersion::V1 => Action::SetSoftLimit(limit),
        GroupVersion::V2 => Action::SetMemoryHigh(limit),
    };
    let ordered = command(action, Some(Span::from_millis(300)));
    let measured = book.limit(&ordered, &group).await.unwrap();
    let Measured::Limited { before: stood, after, .. } = measured else { panic!("{measured:?}") };
    assert_eq!((stood.as_str(), after.as_str()), (before.trim_end(), "99999744"));
    assert_eq!(content(&group), "99999744\n");
    let receipts = undone(&book).await;
    assert_eq!(receipts[0].command, ordered.id);
    let restored = restored(receipts);
    assert!(restored.verified, "{restored:?}");
    assert_eq!(content(&group), before);
    assert_eq!(book.latest_end().await, None);
    groups.remove().unwrap();
    assert!(!group.folder.exists());
}

#[tokio::test]
async fn memory_high_goes_back_to_max() {
    let folder = tempfile::tempdir().unwrap();
    let group = MemoryGroup { version: GroupVersion::V2, folder: folder.path().to_owned() };
    let file = folder.path().join("memory.high");
    fs::write(&file, "max\n").unwrap();
    let book = LeaseBook::open(folder.path(), clock::now()).unwrap();
    let action = Action::SetMemoryHigh(Bytes::from_mib(300));
    book.limit(&command(action, Some(Span::from_mins(1))), &group).await.unwrap();
    assert_eq!(fs::read_to_string(&file).unwrap(), "314572800\n");
    assert_eq!(restored(all_undone(&book).await).now, "max");
    assert_eq!(fs::read_to_string(&file).unwrap(), "max\n");

    let action = Action::SetMemoryHigh(Bytes::from_mib(300));
    let late = book.limit(&command(action, Some(Span::from_mins(1))), &group).await;
    assert!(matches!(late, Err(LimitError::Closed)), "nobody would undo it");
}

#[tokio::test]
async fn a_group_that_is_gone_ends_its_lease() {
    let (folder, state) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let group = staged(folder.path());
    let book = LeaseBook::open(state.path(), clock::now()).unwrap();
    book.limit(&soft_limit(Some(Span::from_mins(1))), &group).await.unwrap();
    fs::remove_file(group.soft_limit_file()).unwrap();
    let restored = restored(all_undone(&book).await);
    assert!(restored.now.contains("gone") && !restored.verified, "{restored:?}");
    assert_eq!(book.latest_end().await, None);
}

#[tokio::test]
async fn an_agent_that_starts_again_undoes_what_its_predecessor_set() {
    let folder = tempfile::tempdir().unwrap();
    let group = staged(folder.path());
    let before = content(&group);
    let first = LeaseBook::open(folder.path(), clock::now()).unwrap();
    first.limit(&soft_limit(Some(Span::from_millis(400))), &group).await.unwrap();
    assert_ne!(content(&group), before);
    drop(first);
    let second = LeaseBook::open(folder.path(), clock::now()).unwrap();
    assert!(second.latest_end().await.is_some());
    assert!(restored(undone(&second).await).verified);
    assert_eq!(content(&group), before);
    let third = LeaseBook::open(folder.path(), clock::now()).unwrap();
    assert_eq!(third.latest_end().await, None);
}

#[tokio::test]
async fn a_lease_that_was_written_down_by_an_agent_that_died_before_the_change_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let group = staged(folder.path());
    let before = content(&group);
    let book = LeaseBook::open(folder.path(), clock::now()).unwrap();
    book.limit(&soft_limit(Some(Span::from_secs(60))), &group).await.unwrap();
    fs::write(group.soft_limit_file(), &before).unwrap();
    let book = LeaseBook::open(folder.path(), clock::now()).unwrap();
    assert!(restored(all_undone(&book).await).verified);
    assert_eq!(content(&group), before);
}

#[tokio::test]
async fn what_somebody_else_wrote_meanwhile_is_left_alone_and_reported() {
    let folder = tempfile::tempdir().unwrap();
    let group = staged(folder.path());
    let book = LeaseBook::open(folder.path(), clock::now()).unwrap();
    book.limit(&soft_limit(Some(Span::from_secs(60))), &group).await.unwrap();
    fs::write(group.soft_limit_file(), "4096\n").unwrap();
    let restored = restored(all_undone(&book).await);
    assert_eq!(content(&group), "4096\n");
    assert!(!restored.verified);
    assert_eq!(restored.now, "4096 (set by somebody else, and left alone)");
}

#[tokio::test]
async fn a_clock_that_is_set_back_does_not_lengthen_a_lease() {
    let folder = tempfile::tempdir().unwrap();
    let group = staged(folder.path());
    let book = LeaseBook::open(folder.path(), clock::now()).unwrap();
    book.limit(&soft_limit(Some(Span::from_millis(300))), &group).await.unwrap();
    let a_day_ago = clock::now() - Span::from_hours(24);
    let book = LeaseBook::open(folder.path(), a_day_ago).unwrap();
    assert!(restored(undone(&book).await).verified);
}

#[tokio::test]
async fn a_limit_that_cannot_be_undone_or_meant_is_refused_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let group = staged(folder.path());
    let before = content(&group);
    let book = LeaseBook::open(folder.path(), clock::now()).unwrap();
    let check = async |command: Command, want: &str| {
        let error = book.limit(&command, &group).await.unwrap_err();
        assert!(error.changed_nothing() && error.to_string().contains(want), "{error}");
        assert_eq!(content(&group), before);
    };
    let minute = Some(Span::from_mins(1));
    check(soft_limit(None), "for a time only").await;
    check(soft_limit(Some(Span::ZERO)), "for a time only").await;
    check(soft_limit(Some(Span::from_hours(25))), "at most").await;
    check(command(Action::SetSoftLimit(Bytes(1)), minute), "less than one page").await;
    check(command(Action::SetMemoryHigh(Bytes(1 << 30)), minute), "memory.high is not").await;
    check(command(Action::Restart, minute), "sets no limit").await;

    book.limit(&soft_limit(minute), &group).await.unwrap();
    let twice = book.limit(&soft_limit(minute), &group).await.unwrap_err();
    assert!(matches!(twice, LimitError::Leased { .. }), "{twice}");
}

#[tokio::test]
async fn leases_that_cannot_be_read_stop_the_agent_rather_than_be_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("leases.json"), "{\"file_version\": 1, \"lea").unwrap();
    let error = LeaseBook::open(folder.path(), clock::now()).unwrap_err();
    assert!(error.to_string().contains("put back by hand"), "{error}");
}

#[tokio::test]
async fn a_full_disk_leaves_the_limit_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let group = staged(folder.path());
    let before = content(&group);
    // A state folder that has gone refuses the write as a full disk does, also to root.
    let state = folder.path().join("state");
    fs::create_dir(&state).unwrap();
    let book = LeaseBook::open(&state, clock::now()).unwrap();
    fs::remove_dir(&state).unwrap();
    let error = book.limit(&soft_limit(Some(Span::from_mins(1))), &group).await.unwrap_err();
    assert!(matches!(error, LimitError::Persist(_)), "{error}");
    assert_eq!(content(&group), before);
    assert_eq!(book.latest_end().await, None);
}
