//! `plimsoll audit verify`, as its users have it: the real binary over a data directory.
//!
//! What the check can find is tested in `plimsoll-wire`; here stand the words and the exit codes.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop here")]

use std::fs;
use std::path::Path;
use std::process::Command;

use plimsoll_model::{JournalDraft, JournalKind, Timestamp};
use plimsoll_wire::journal::{EntryDraft, Head, HeadShape, chain};
use serde_json::Value;
use tempfile::TempDir;

const JOURNAL: &str = "audit.jsonl";
const HEAD: &str = "audit.head";

/// A data directory with a journal of three entries.
fn data_dir() -> TempDir {
    let dir = TempDir::new().unwrap();
    let mut head = Head::EMPTY;
    let mut text = String::new();
    for at in 1..=3 {
        let draft = JournalDraft {
            kind: JournalKind::StepEnded,
            who: "plan runner".into(),
            incident: None,
            plan: None,
            what: format!("step {at} ended"),
            why: "its receipt came".into(),
            facts: Vec::new(),
        };
        let entry = chain(head, EntryDraft::new(draft, Timestamp::from_secs(at)));
        head = entry.head().unwrap();
        text += &entry.to_line();
        text += "\n";
    }
    fs::write(dir.path().join(JOURNAL), text).unwrap();
    let shape = serde_json::to_string(&HeadShape::from(&head)).unwrap();
    fs::write(dir.path().join(HEAD), shape).unwrap();
    dir
}

fn verify(dir: &Path, format: &str) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_plimsoll"));
    let output = command.args(["audit", "verify", "--format", format]).arg(dir).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

fn check_fault(change: impl Fn(&Path), line: u64, said: &str) {
    let dir = data_dir();
    change(dir.path());
    let (code, out, _) = verify(dir.path(), "table");
    assert!(code == 1 && out.contains(&format!("line {line}")) && out.contains(said), "{out}");
    let (code, out, _) = verify(dir.path(), "json");
    let found: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(
        (code, &found["verified"], &found["fault"]["line"]),
        (1, &false.into(), &line.into())
    );
}

#[test]
fn an_untouched_journal_is_verified() {
    let dir = data_dir();
    let (code, out, err) = verify(dir.path(), "table");
    assert_eq!(
        (code, out.as_str()),
        (0, "verified: 3 entries are as they were written\n"),
        "{err}"
    );
    let (code, out, _) = verify(dir.path(), "json");
    let found: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(code, 0);
    assert_eq!(found, serde_json::json!({"entries": 3, "verified": true, "fault": null}));
}

#[test]
fn an_edited_removed_or_reordered_entry_is_found_and_named() {
    let rewrite = |dir: &Path, change: &dyn Fn(&mut Vec<String>)| {
        let text = fs::read_to_string(dir.join(JOURNAL)).unwrap();
        let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
        change(&mut lines);
        fs::write(dir.join(JOURNAL), lines.join("\n") + "\n").unwrap();
    };
    let edit = |lines: &mut Vec<String>| lines[1] = lines[1].replace("step 2", "step 9");
    check_fault(|dir| rewrite(dir, &edit), 2, "edited");
    check_fault(|dir| rewrite(dir, &|lines| drop(lines.remove(1))), 2, "removed");
    check_fault(|dir| rewrite(dir, &|lines| drop(lines.pop())), 3, "1 removed at the end");
    check_fault(|dir| rewrite(dir, &|lines| lines.swap(0, 1)), 1, "reordered");
}

#[test]
fn a_journal_that_was_taken_away_is_a_fault_and_not_an_absence() {
    check_fault(|dir| fs::remove_file(dir.join(JOURNAL)).unwrap(), 1, "gone");
}

#[test]
fn where_no_journal_is_there_is_nothing_to_verify() {
    let dir = TempDir::new().unwrap();
    let (code, out, err) = verify(dir.path(), "table");
    assert!(code == 2 && out.is_empty() && err.contains("there is no journal"), "{err}");
}
