//! Targets of `plimsoll-wire`: what crosses a process or survives a restart.

use std::fmt::Debug;

use plimsoll_model::{
    Alert, Approval, Capture, Change, Command, Draft, Incident, Plan, Reach, Receipt, ServiceName,
};
use plimsoll_wire::agent::{self, Orders, Poll, SignedCommand};
use plimsoll_wire::alert::AlertRecord;
use plimsoll_wire::api::ApproveRequest;
use plimsoll_wire::canonical::canonical;
use plimsoll_wire::capture::CaptureShape;
use plimsoll_wire::command::CommandShape;
use plimsoll_wire::corpus::{CorpusManifest, TruthShape};
use plimsoll_wire::digest::seal;
use plimsoll_wire::event::{ChangeRequest, ChangeShape};
use plimsoll_wire::fleet::FleetSpec;
use plimsoll_wire::incident::IncidentRecord;
use plimsoll_wire::journal::{Head, HeadShape, JournalEntry, verify};
use plimsoll_wire::local::{BegunCommand, Leases, LocalReply, LocalRequest, ReplicaVersions};
use plimsoll_wire::plan::{ApprovalShape, DraftShape, PlanShape};
use plimsoll_wire::reach::ReachShape;
use plimsoll_wire::receipt::ReceiptShape;
use plimsoll_wire::{ShapeError, arrivals, format_time, outlines};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// A shape that is read is the same after its own JSON.
fn shape<S: Serialize + DeserializeOwned + PartialEq + Debug>(bytes: &[u8]) -> Option<S> {
    let read: S = serde_json::from_slice(bytes).ok()?;
    let text = serde_json::to_vec(&read).expect("shapes are JSON");
    let again: S = serde_json::from_slice(&text).expect("what was written can be read");
    assert_eq!(again, read);
    Some(read)
}

/// A noun that is read is the same after its shape and its JSON.
fn noun<S, T>(bytes: &[u8]) -> Option<T>
where
    S: for<'a> From<&'a T> + Serialize + DeserializeOwned,
    T: TryFrom<S, Error = ShapeError> + PartialEq + Debug,
{
    let read: T = serde_json::from_slice::<S>(bytes).ok()?.try_into().ok()?;
    let text = serde_json::to_vec(&S::from(&read)).expect("shapes are JSON");
    let again: S = serde_json::from_slice(&text).expect("what was written can be read");
    assert_eq!(T::try_from(again).expect("what was written is the noun"), read);
    Some(read)
}

pub(crate) fn agent_messages(bytes: &[u8]) {
    const KEY: &[u8] = b"a key of thirty-two bytes, or so";
    shape::<Poll>(bytes);
    shape::<Orders>(bytes);
    if let Some(order) = shape::<SignedCommand>(bytes) {
        assert!(agent::verify(order, KEY).is_err(), "nobody can sign without the key");
    }
    if let Some(command) = noun::<CommandShape, Command>(bytes) {
        let signed = agent::sign(&command, KEY);
        assert_eq!(agent::verify(signed, KEY).ok(), Some(command));
    }
    noun::<ReceiptShape, Receipt>(bytes);
    noun::<ReachShape, Reach>(bytes);
    noun::<CaptureShape, Capture>(bytes);
}

pub(crate) fn canonical_json(bytes: &[u8]) {
    let Ok(value) = serde_json::from_slice::<Value>(bytes) else { return };
    let once = canonical(&value);
    let read: Value = serde_json::from_str(&once).expect("canonical text is JSON");
    assert_eq!(canonical(&read), once);
}

pub(crate) fn corpus(bytes: &[u8]) {
    shape::<CorpusManifest>(bytes);
    shape::<TruthShape>(bytes);
}

pub(crate) fn fleet(bytes: &[u8]) {
    shape::<FleetSpec>(bytes);
}

pub(crate) fn incident(bytes: &[u8]) {
    noun::<IncidentRecord, Incident>(bytes);
}

/// The first line may be a checkpoint.
pub(crate) fn journal(bytes: &[u8]) {
    let lines: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').collect();
    for line in &lines {
        if let Ok(entry) = JournalEntry::from_line(line) {
            assert_eq!(entry.to_line().as_bytes(), *line);
        }
    }
    let head = lines.first().and_then(|line| serde_json::from_slice::<HeadShape>(line).ok());
    let head = head.and_then(|shape| Head::try_from(shape).ok());
    let checked = verify(&lines, None);
    assert_eq!(checked, verify(&lines, None));
    drop(verify(lines.iter().skip(1), head));
}

pub(crate) fn local_files(bytes: &[u8]) {
    if let Ok(read) = ReplicaVersions::from_json(bytes) {
        assert_eq!(ReplicaVersions::from_json(&read.to_json()).ok(), Some(read));
    }
    if let Ok(read) = Leases::from_json(bytes) {
        for lease in &read.leases {
            for at in [lease.taken_at(), lease.until()].into_iter().flatten() {
                assert!(!format_time(at).is_empty());
            }
            drop(Command::try_from(lease.command.clone()));
        }
        assert_eq!(Leases::from_json(&read.to_json()).ok(), Some(read));
    }
    if let Ok(read) = BegunCommand::from_json(bytes) {
        drop(read.begun_at());
        assert_eq!(BegunCommand::from_json(&read.to_json()).ok(), Some(read));
    }
}

pub(crate) fn plan(bytes: &[u8]) {
    if let Some(draft) = noun::<DraftShape, Draft>(bytes) {
        let plan = seal(draft);
        let text = serde_json::to_vec(&PlanShape::from(&plan)).expect("shapes are JSON");
        assert_eq!(noun::<PlanShape, Plan>(&text), Some(plan), "a sealed plan is taken");
    }
    noun::<PlanShape, Plan>(bytes);
    noun::<ApprovalShape, Approval>(bytes);
}

pub(crate) fn requests(bytes: &[u8]) {
    shape::<ApproveRequest>(bytes);
    shape::<LocalRequest>(bytes);
    shape::<LocalReply>(bytes);
    noun::<ChangeShape, Change>(bytes);
    if let Some(request) = shape::<ChangeRequest>(bytes) {
        let arrived_at = plimsoll_model::Timestamp::from_secs(1_780_000_000);
        drop(Change::try_from(request.into_shape(arrived_at)));
    }
}

/// What a server keeps for its next start: outlines, what arrived since, and alerts.
pub(crate) fn stored(bytes: &[u8]) {
    let service = ServiceName::new("orders").expect("a name");
    if let Ok(read) = outlines::unpack(service.clone(), bytes) {
        let again = outlines::unpack(service, &outlines::pack(&read));
        assert_eq!(again.expect("what was written can be read"), read);
    }
    if let Ok(read) = arrivals::unpack(bytes) {
        let again = arrivals::unpack(&arrivals::pack(&read));
        assert_eq!(again.expect("what was written can be read"), read);
    }
    noun::<AlertRecord, Alert>(bytes);
}
