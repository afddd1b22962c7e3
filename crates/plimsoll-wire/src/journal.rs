//! The journal: an append-only chain of entries, and the check that finds any change to it.
//!
//! An entry is one line of canonical JSON. Its `digest` is the SHA-256 of the canonical JSON of the
//! entry without that field; `previous` is the digest of the entry before, zero for the first. A
//! [`Head`] beside the file says which entry is the newest, so that a shortened file is found too.
//! What this cannot find: somebody who rewrites the file from some entry on *and* the head. Against
//! that, keep a copy of the head where the operator cannot reach it.

mod check;

use plimsoll_model::{Digest, IncidentId, JournalDraft, JournalKind, PlanId, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::canonical::{text_of, value_of};
use crate::digest::digest_of;
use crate::shape::{format_time, text_opt};
use crate::words::JournalWord;

pub use check::{Fault, Verification, Verifier, verify};

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
    /// What the loop says, at its time. A fact with a repeated name becomes a list of its values.
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
        let (_, _, entry) = check::checked(line)?;
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
