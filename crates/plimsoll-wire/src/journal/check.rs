//! The check of a journal: it finds an entry that was edited, removed, inserted or reordered, and a
//! file that was cut off. Used by the journal of the store, and by `plimsoll audit verify`.

use plimsoll_model::Digest;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::canonical::canonical;
use crate::digest::digest_of_text;
use crate::journal::Head;

/// What a check of a journal found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Verification {
    /// Entries that are as they were written, up to the first fault.
    pub entries: u64,
    pub verified: bool,
    pub fault: Option<Fault>,
}

/// The first place where a journal is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Fault {
    /// Counted from 1.
    pub line: u64,
    /// The entry that is expected there.
    pub seq: u64,
    pub what: String,
}

/// Checks a journal line by line, in the memory of one line.
#[derive(Clone, Debug)]
pub struct Verifier {
    line: u64,
    head: Head,
    checkpoint: Option<Head>,
    fault: Option<Fault>,
}

/// Checks whole lines (without line feeds) against each other and against the checkpoint, where
/// there is one.
pub fn verify<L: AsRef<[u8]>>(
    lines: impl IntoIterator<Item = L>,
    checkpoint: Option<Head>,
) -> Verification {
    let mut verifier = Verifier::new(checkpoint);
    lines.into_iter().for_each(|line| verifier.line(line.as_ref()));
    verifier.finish()
}

impl Verifier {
    pub const fn new(checkpoint: Option<Head>) -> Self {
        Self { line: 0, head: Head::EMPTY, checkpoint, fault: None }
    }

    /// The newest entry that is as it was written.
    pub const fn head(&self) -> Head {
        self.head
    }

    /// Takes the next line, without its line feed. Nothing behind a fault is looked at.
    pub fn line(&mut self, line: &[u8]) {
        self.line += 1;
        if self.fault.is_some() {
            return;
        }
        match self.check(line) {
            Ok(head) => self.head = head,
            Err(what) => self.report(what),
        }
    }

    /// Says that the line in hand cannot be an entry, for a reason that its bytes do not show.
    pub fn refuse(&mut self, what: &str) {
        self.line += 1;
        if self.fault.is_none() {
            self.report(what.to_owned());
        }
    }

    pub fn finish(mut self) -> Verification {
        if self.fault.is_none()
            && let Some(checkpoint) = self.checkpoint
            && checkpoint.seq > self.head.seq
        {
            self.line += 1;
            let missing = checkpoint.seq - self.head.seq;
            self.report(format!(
                "the journal ends here, but the checkpoint says that entry {} is the newest: \
                 {missing} removed at the end",
                checkpoint.seq
            ));
        }
        let verified = self.fault.is_none();
        Verification { entries: self.head.seq, verified, fault: self.fault }
    }

    fn report(&mut self, what: String) {
        self.fault = Some(Fault { line: self.line, seq: self.head.seq + 1, what });
    }

    fn check(&self, line: &[u8]) -> Result<Head, String> {
        let (head, previous, _) = checked(line)?;
        self.check_place(head.seq, previous)?;
        match self.checkpoint {
            Some(newest) if newest.seq == head.seq && newest.digest != head.digest => {
                Err("the entry is not the one that the checkpoint names: it was replaced".into())
            }
            Some(_) | None => Ok(head),
        }
    }

    fn check_place(&self, seq: u64, previous: Digest) -> Result<(), String> {
        let want = self.head.seq + 1;
        if seq != want {
            return Err(format!(
                "entry {seq} stands where entry {want} belongs: something was removed, inserted or \
                 reordered"
            ));
        }
        if previous != self.head.digest {
            return Err(
                "the entry does not follow the one before it: one of them was replaced".into()
            );
        }
        Ok(())
    }
}

/// The place of an entry, the digest before it, and the entry, if its line is as it was written.
pub(super) fn checked(line: &[u8]) -> Result<(Head, Digest, Value), String> {
    let text = std::str::from_utf8(line).map_err(|_| "the line is not text".to_owned())?;
    let Ok(entry @ Value::Object(_)) = serde_json::from_str::<Value>(text) else {
        return Err("the line is cut off, or is not an entry".into());
    };
    // Byte for byte: a doubled key or another spelling of a number must not slip through.
    if canonical(&entry) != text {
        return Err("the line was edited: it is not written as the journal writes".into());
    }
    let (head, previous) = place_of(&entry).ok_or("the line is not an entry")?;
    let mut content = entry.clone();
    if let Some(fields) = content.as_object_mut() {
        fields.remove("digest");
    }
    if digest_of_text(&canonical(&content)) != head.digest {
        return Err("the entry was edited: its digest does not match its content".into());
    }
    Ok((head, previous, entry))
}

fn place_of(entry: &Value) -> Option<(Head, Digest)> {
    let digest_in = |field: &str| entry.get(field)?.as_str()?.parse().ok();
    let seq = entry.get("seq")?.as_u64()?;
    Some((Head { seq, digest: digest_in("digest")? }, digest_in("previous")?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::{EntryDraft, chain};
    use plimsoll_model::{IncidentId, JournalDraft, JournalKind, Timestamp};

    fn draft(seq: u64) -> EntryDraft {
        let draft = JournalDraft {
            kind: JournalKind::StepEnded,
            who: "plan runner".into(),
            incident: IncidentId::new("inc-orders-1").ok(),
            plan: None,
            what: format!("step {seq} ended"),
            why: "its receipt came".into(),
            facts: vec![("freed".into(), "12 MiB".into()), ("pause".into(), "31 ms".into())],
        };
        EntryDraft::new(draft, Timestamp::from_secs(seq as i64))
    }

    fn journal(entries: u64) -> (Vec<String>, Head) {
        let mut head = Head::EMPTY;
        let mut lines = Vec::new();
        for seq in 1..=entries {
            let entry = chain(head, draft(seq));
            lines.push(entry.to_line());
            head = entry.head().unwrap();
        }
        (lines, head)
    }

    fn check(change: impl Fn(&mut Vec<String>), line: u64, what: &str) {
        let (mut lines, head) = journal(5);
        change(&mut lines);
        let found = verify(&lines, Some(head));
        let fault = found.fault.unwrap();
        assert!(!found.verified);
        assert_eq!((fault.line, found.entries), (line, line - 1), "{}", fault.what);
        assert!(fault.what.contains(what), "{}", fault.what);
    }

    #[test]
    fn an_untouched_journal_is_verified_with_and_without_its_head() {
        let (lines, head) = journal(5);
        let whole = Verification { entries: 5, verified: true, fault: None };
        assert_eq!(verify(&lines, Some(head)), whole);
        assert_eq!(verify(&lines, None), whole);
        let empty = Verification { entries: 0, verified: true, fault: None };
        assert_eq!(verify(Vec::<String>::new(), Some(Head::EMPTY)), empty);
    }

    #[test]
    fn entries_behind_the_head_are_those_that_a_crash_kept_from_it() {
        let (lines, _) = journal(5);
        let (_, older) = journal(4);
        assert!(verify(&lines, Some(older)).verified);
    }

    #[test]
    fn an_edited_entry_is_found() {
        check(|lines| lines[2] = lines[2].replace("step 3", "step 9"), 3, "edited");
        check(|lines| lines[0] = lines[0].replace("12 MiB", "90 MiB"), 1, "edited");
        check(|lines| lines[4] = lines[4].replacen(':', ": ", 1), 5, "edited");
        let doubled = |lines: &mut Vec<String>| {
            lines[1] = lines[1].replacen('{', "{\"what\":\"nothing happened\",", 1);
        };
        check(doubled, 2, "edited");
    }

    #[test]
    fn an_edited_entry_with_a_new_digest_breaks_the_chain_behind_it() {
        let forged = |lines: &mut Vec<String>| {
            let (_, head) = journal(2);
            let mut forged = draft(3);
            forged.what = "nothing was done".into();
            lines[2] = chain(head, forged).to_line();
        };
        check(forged, 4, "does not follow");
        let at_the_end = |lines: &mut Vec<String>| {
            let (_, head) = journal(4);
            let mut forged = draft(5);
            forged.what = "nothing was done".into();
            lines[4] = chain(head, forged).to_line();
        };
        check(at_the_end, 5, "not the one that the checkpoint names");
    }

    #[test]
    fn a_removed_entry_is_found_wherever_it_stood() {
        check(|lines| drop(lines.remove(0)), 1, "removed");
        check(|lines| drop(lines.remove(2)), 3, "removed");
        check(|lines| drop(lines.remove(4)), 5, "1 removed at the end");
        check(|lines| lines.clear(), 1, "5 removed at the end");
    }

    #[test]
    fn an_inserted_or_reordered_entry_is_found() {
        check(|lines| lines.insert(2, lines[1].clone()), 3, "inserted");
        check(|lines| lines.swap(1, 2), 2, "reordered");
        check(|lines| lines.insert(0, String::new()), 1, "not an entry");
    }

    #[test]
    fn a_torn_last_line_is_found() {
        check(|lines| lines[4].truncate(40), 5, "cut off");
        check(|lines| lines[4].truncate(0), 5, "cut off");
    }
}
