//! The journal on the disk: what it survives, and what it finds.
#![expect(clippy::unwrap_used, reason = "a journal that cannot be used fails its test")]

use std::path::Path;

use plimsoll_model::{IncidentId, JournalDraft, JournalKind, Timestamp};
use plimsoll_store::{Journal, JournalError, Store, verify};
use plimsoll_wire::journal::Verification;

fn draft(number: usize) -> JournalDraft {
    let incident = if number.is_multiple_of(2) { "inc-even" } else { "inc-odd" };
    JournalDraft {
        kind: JournalKind::StepEnded,
        who: "plan runner".into(),
        incident: IncidentId::new(incident).ok(),
        plan: None,
        what: format!("step {number} ended"),
        why: "its receipt came".into(),
        facts: vec![("freed".into(), "12 MiB".into())],
    }
}

fn append(journal: &mut Journal, number: usize) {
    journal.append(draft(number), Timestamp::from_secs(number as i64)).unwrap();
}

/// A directory with a journal of five entries, closed.
async fn written() -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    let store = Store::open(home.path()).await.unwrap();
    let mut journal = store.open_journal().unwrap().journal;
    (1..=5).for_each(|number| append(&mut journal, number));
    store.close().await;
    home
}

fn lines(home: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(home.join("audit.jsonl")).unwrap();
    text.lines().map(str::to_owned).collect()
}

fn rewrite(home: &Path, lines: &[String]) {
    std::fs::write(home.join("audit.jsonl"), lines.join("\n") + "\n").unwrap();
}

fn whole(entries: u64) -> Verification {
    Verification { entries, verified: true, fault: None }
}

#[tokio::test]
async fn a_journal_goes_on_where_it_stopped() {
    let home = written().await;
    assert_eq!(verify(home.path()).unwrap(), whole(5));
    let store = Store::open(home.path()).await.unwrap();
    let opened = store.open_journal().unwrap();
    assert_eq!(opened.torn, None);
    let mut journal = opened.journal;
    append(&mut journal, 6);
    assert_eq!(journal.head().seq, 6);
    assert_eq!(verify(home.path()).unwrap(), whole(6));
}

#[tokio::test]
async fn the_newest_entries_of_an_incident_are_given_oldest_first() {
    let home = written().await;
    let store = Store::open(home.path()).await.unwrap();
    let journal = store.open_journal().unwrap().journal;
    let check = |incident: Option<&str>, limit: usize, want: &[u64]| {
        let incident = incident.map(|incident| IncidentId::new(incident).unwrap());
        let entries = journal.entries(incident.as_ref(), limit).unwrap();
        let seqs: Vec<_> = entries.iter().map(|entry| entry.seq).collect();
        assert_eq!(seqs, want);
    };
    check(Some("inc-odd"), 10, &[1, 3, 5]);
    check(Some("inc-odd"), 2, &[3, 5]);
    check(Some("inc-none"), 2, &[]);
    check(None, 10, &[1, 2, 3, 4, 5]);
    check(None, 0, &[]);
}

#[tokio::test]
async fn every_change_to_the_files_is_found_at_its_line() {
    let home = written().await;
    let good = lines(home.path());
    let check = |change: &dyn Fn(&mut Vec<String>), line: u64, what: &str| {
        let mut lines = good.clone();
        change(&mut lines);
        rewrite(home.path(), &lines);
        let fault = verify(home.path()).unwrap().fault.unwrap();
        assert_eq!(fault.line, line, "{}", fault.what);
        assert!(fault.what.contains(what), "{}", fault.what);
    };
    check(&|lines| lines[1] = lines[1].replace("12 MiB", "99 MiB"), 2, "edited");
    check(&|lines| drop(lines.remove(2)), 3, "removed");
    check(&|lines| drop(lines.pop()), 5, "removed at the end");
    check(&|lines| lines.swap(0, 1), 1, "reordered");
    check(&|lines| lines.insert(3, lines[0].clone()), 4, "inserted");
    check(&|lines| lines[2] = "x".repeat(2 << 20), 3, "longer than any entry");
    rewrite(home.path(), &good);
    assert_eq!(verify(home.path()).unwrap(), whole(5));
    std::fs::remove_file(home.path().join("audit.head")).unwrap();
    let fault = verify(home.path()).unwrap().fault.unwrap();
    assert!(fault.what.contains("checkpoint is missing"), "{}", fault.what);
}

#[tokio::test]
async fn a_torn_last_line_is_found_put_aside_and_its_number_used_again() {
    let home = written().await;
    let mut text = std::fs::read_to_string(home.path().join("audit.jsonl")).unwrap();
    text.push_str("{\"at\":\"2026-05-28T20:2");
    std::fs::write(home.path().join("audit.jsonl"), &text).unwrap();
    let fault = verify(home.path()).unwrap().fault.unwrap();
    assert_eq!((fault.line, fault.what.as_str()), (6, "the last line is cut off"));

    let store = Store::open(home.path()).await.unwrap();
    let opened = store.open_journal().unwrap();
    let torn = opened.torn.unwrap();
    assert_eq!(torn, home.path().join("audit.torn-6"));
    assert_eq!(std::fs::read_to_string(torn).unwrap(), "{\"at\":\"2026-05-28T20:2");
    let mut journal = opened.journal;
    append(&mut journal, 6);
    assert_eq!(verify(home.path()).unwrap(), whole(6));
}

#[tokio::test]
async fn a_checkpoint_that_a_crash_left_one_behind_is_brought_up() {
    let home = written().await;
    let head = std::fs::read(home.path().join("audit.head")).unwrap();
    let store = Store::open(home.path()).await.unwrap();
    append(&mut store.open_journal().unwrap().journal, 6);
    std::fs::write(home.path().join("audit.head"), head).unwrap();
    assert_eq!(verify(home.path()).unwrap(), whole(6));
    assert_eq!(store.open_journal().unwrap().journal.head().seq, 6);
    let mut cut = lines(home.path());
    cut.pop();
    rewrite(home.path(), &cut);
    assert!(!verify(home.path()).unwrap().verified, "the checkpoint names entry 6 again");
}

#[tokio::test]
async fn a_journal_that_was_shortened_is_not_opened() {
    let home = written().await;
    let store = Store::open(home.path()).await.unwrap();
    let good = lines(home.path());
    let refused = |lines: &[String]| {
        std::fs::write(home.path().join("audit.jsonl"), lines.concat()).unwrap();
        let error = store.open_journal().unwrap_err();
        assert!(matches!(error, JournalError::Damaged { .. }), "{error}");
    };
    let with_ends: Vec<_> = good.iter().map(|line| format!("{line}\n")).collect();
    refused(&with_ends[..4]);
    refused(&[]);
    // An acknowledged line that lost its end was not torn by a crash.
    let cut = with_ends[4][..50].to_owned();
    refused(&[with_ends[..4].concat(), cut]);
    assert!(!home.path().join("audit.torn-5").exists());
    std::fs::write(home.path().join("audit.jsonl"), with_ends.concat()).unwrap();
    store.open_journal().unwrap();
}

#[tokio::test]
async fn a_journal_has_one_writer() {
    let home = written().await;
    let store = Store::open(home.path()).await.unwrap();
    let first = store.open_journal().unwrap();
    assert!(matches!(store.open_journal(), Err(JournalError::Locked { .. })));
    drop(first);
    store.open_journal().unwrap();
}

#[tokio::test]
async fn an_entry_that_is_too_long_is_refused_and_the_next_one_is_taken() {
    let home = written().await;
    let store = Store::open(home.path()).await.unwrap();
    let mut journal = store.open_journal().unwrap().journal;
    let long = JournalDraft { why: "x".repeat(2 << 20), ..draft(6) };
    let refused = journal.append(long, Timestamp::from_secs(6));
    assert!(matches!(refused, Err(JournalError::TooLong { .. })));
    append(&mut journal, 6);
    assert_eq!(verify(home.path()).unwrap(), whole(6));
}

#[test]
fn a_directory_without_a_journal_says_so() {
    let home = tempfile::tempdir().unwrap();
    let error = verify(home.path()).unwrap_err().to_string();
    assert!(error.starts_with("could not open the journal"), "{error}");
}
