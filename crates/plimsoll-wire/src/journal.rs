//! The journal: an append-only chain of entries, and the check that finds any change to it.
//!
//! An entry is one line of canonical JSON. Its `digest` is the SHA-256 of the canonical JSON of the
//! entry without that field; `previous` is the digest of the entry before, zero for the first. A
//! [`Head`] beside the file says which entry is the newest, so that a shortened file is found too.
//! What this cannot find: somebody who rewrites the file from some entry on *and* the head. Against
//! that, keep a copy of the head where the operator cannot reach it.

use plimsoll_model::{Digest, IncidentId, JournalDraft, JournalKind, PlanId, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::canonical::{canonical, text_of, value_of};
use crate::digest::{digest_of, digest_of_text};
use crate::shape::{format_time, text_opt};
use crate::words::JournalWord;

/// The format that is written.
pub const JOURNAL_FORMAT: u32 = 1;

/// One entry, as it stands in a line of the file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct JournalEntry {
    pub format: u32,
    /// 1 for the first entry.
    pub seq: u64,
    pub at: String,
    pub kind: JournalWord,
    pub who: String,
    pub incident: Option<String>,
    pub plan: Option<String>,
    pub what: String,
    pub why: String,
    /// Typed details: digests, receipts, assessments.
    #[schema(value_type = Object)]
    pub evidence: Value,
    pub previous: String,
    pub digest: String,
}

/// An entry before it has its place in the chain.
#[derive(Clone, Debug, PartialEq)]
pub struct EntryDraft {
    pub at: Timestamp,
    pub kind: JournalKind,
    pub who: String,
    pub incident: Option<IncidentId>,
    pub plan: Option<PlanId>,
    pub what: String,
    pub why: String,
    pub evidence: Value,
}

/// The newest entry of a journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    pub seq: u64,
    pub digest: Digest,
}

/// A head as the checkpoint file holds it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeadShape {
    pub format: u32,
    pub seq: u64,
    pub digest: String,
}

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

impl Head {
    /// Of a journal without entries.
    pub const EMPTY: Self = Self { seq: 0, digest: Digest::ZERO };
}

impl From<&Head> for HeadShape {
    fn from(head: &Head) -> Self {
        Self { format: JOURNAL_FORMAT, seq: head.seq, digest: head.digest.to_string() }
    }
}

impl TryFrom<HeadShape> for Head {
    type Error = crate::ShapeError;
    fn try_from(shape: HeadShape) -> Result<Self, crate::ShapeError> {
        let digest = crate::shape::digest("head.digest", &shape.digest)?;
        Ok(Self { seq: shape.seq, digest })
    }
}

impl EntryDraft {
    /// What the loop says, at its time. A fact with a repeated name becomes a list; a value is text.
    pub fn new(draft: JournalDraft, at: Timestamp) -> Self {
        let JournalDraft { kind, who, incident, plan, what, why, facts } = draft;
        Self { at, kind, who, incident, plan, what, why, evidence: evidence_of(facts) }
    }
}

impl JournalEntry {
    /// The line that stands in the file, without its line feed.
    pub fn to_line(&self) -> String {
        text_of(self)
    }

    /// Reads one line, and checks it alone: that it is written as the journal writes and that its
    /// digest is that of its content. The reason of a refusal is for a person.
    pub fn from_line(line: &[u8]) -> Result<Self, String> {
        let (_, _, entry) = checked(line)?;
        serde_json::from_value(entry)
            .map_err(|source| format!("the line is not an entry: {source}"))
    }

    /// The head of a journal that ends with this entry; none when its digest is not one.
    pub fn head(&self) -> Option<Head> {
        self.digest.parse().ok().map(|digest| Head { seq: self.seq, digest })
    }
}

/// Gives a draft its place behind `head`.
pub fn chain(head: Head, draft: EntryDraft) -> JournalEntry {
    let EntryDraft { at, kind, who, incident, plan, what, why, evidence } = draft;
    let mut entry = JournalEntry {
        format: JOURNAL_FORMAT,
        seq: head.seq + 1,
        at: format_time(at),
        kind: kind.into(),
        who,
        incident: text_opt(incident.as_ref()),
        plan: text_opt(plan.as_ref()),
        what,
        why,
        evidence,
        previous: head.digest.to_string(),
        digest: String::new(),
    };
    let mut fields = value_of(&entry);
    if let Some(fields) = fields.as_object_mut() {
        fields.remove("digest");
    }
    entry.digest = digest_of(&fields).to_string();
    entry
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
fn checked(line: &[u8]) -> Result<(Head, Digest, Value), String> {
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

fn evidence_of(facts: Vec<(String, String)>) -> Value {
    let mut fields = Map::new();
    for (name, text) in facts {
        let text = Value::String(text);
        match fields.get_mut(&name) {
            None => drop(fields.insert(name, text)),
            Some(Value::Array(texts)) => texts.push(text),
            Some(first) => *first = Value::Array(vec![first.take(), text]),
        }
    }
    Value::Object(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn an_entry_survives_its_line() {
        let entry = chain(Head::EMPTY, draft(1));
        let read = JournalEntry::from_line(entry.to_line().as_bytes()).unwrap();
        assert_eq!(read, entry);
        assert_eq!(read.evidence["freed"], "12 MiB");
        let head = HeadShape::from(&entry.head().unwrap());
        assert_eq!(Head::try_from(head).unwrap(), entry.head().unwrap());
    }

    #[test]
    fn a_fact_that_is_named_twice_keeps_both_values() {
        let fact = |text: &str| ("pause".to_owned(), text.to_owned());
        let evidence = evidence_of(vec![fact("1 ms"), fact("2 ms"), fact("3 ms")]);
        assert_eq!(evidence, serde_json::json!({"pause": ["1 ms", "2 ms", "3 ms"]}));
    }
}
