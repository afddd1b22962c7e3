//! What an agent keeps on its own disk, and what is said over its local socket. Nothing here
//! crosses a network. Written and read by `plimsoll-act` and `plimsoll-agent`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use plimsoll_model::{Command, Timestamp};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::command::CommandShape;
use crate::receipt::ReceiptShape;
use crate::shape::{self, ShapeError, format_time};

/// Version of every file below; each carries it. A change of meaning raises it, and keeps reading
/// the older ones.
const FILE_VERSION: u32 = 1;

/// Why the content of a file of an agent is not understood.
#[derive(Debug, thiserror::Error)]
pub enum LocalFileError {
    #[error("not the JSON that this program writes")]
    Json(#[from] serde_json::Error),
    #[error("a field of it does not hold what it should")]
    Shape(#[from] ShapeError),
    #[error("version {found} of the file is newer than this program, which reads {FILE_VERSION}")]
    Newer { found: u32 },
}

/// `replicas.json`: the version that each replica runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplicaVersions {
    file_version: u32,
    pub versions: BTreeMap<String, String>,
}

/// `leases.json`: every change that has to be undone, with what stood there before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leases {
    file_version: u32,
    pub leases: Vec<Lease>,
}

/// One limit that is set for a time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    pub command: CommandShape,
    /// The file that was written.
    pub file: PathBuf,
    /// Content before, byte for byte.
    pub before: String,
    /// Content that we wrote, as the kernel gives it back.
    pub set: String,
    pub taken_at: String,
    pub until: String,
}

/// `commands/<number>.json`: one command that was begun here, and what came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BegunCommand {
    file_version: u32,
    pub command: CommandShape,
    pub begun_at: String,
    /// Empty while it is being performed; more than one when a lease ended later.
    pub receipts: Vec<ReceiptShape>,
    /// How many of the receipts, from the first, the server has written down.
    pub acknowledged: usize,
}

/// One line to the agent's local socket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case", deny_unknown_fields)]
pub enum LocalRequest {
    /// Rolls the replicas one by one to the version, ready before the next.
    Deploy {
        service: String,
        version: String,
    },
    /// Writes a file of the service's configuration, whole or not at all.
    Configure {
        service: String,
        file: String,
        content: String,
    },
    Status,
    Stop,
}

/// The line that answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum LocalReply {
    Done,
    /// What was not done, why, and what state was left.
    Failed {
        why: String,
    },
    Status {
        replicas: Vec<LocalReplica>,
    },
}

/// One supervised replica, for people and scripts on this machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LocalReplica {
    pub service: String,
    pub instance: String,
    pub version: String,
    pub port: u16,
    /// `stopped`, `starting`, `ready`, `waiting` or `given_up`.
    pub state: String,
    pub pid: Option<u32>,
    pub crash_restarts: u32,
    pub last_exit: Option<String>,
    /// Folder of its memory cgroup.
    pub cgroup: Option<PathBuf>,
}

impl ReplicaVersions {
    pub fn new(versions: BTreeMap<String, String>) -> Self {
        Self { file_version: FILE_VERSION, versions }
    }

    pub fn from_json(content: &[u8]) -> Result<Self, LocalFileError> {
        read(content)
    }

    pub fn to_json(&self) -> Vec<u8> {
        write(self)
    }
}

impl Leases {
    pub fn new(leases: Vec<Lease>) -> Self {
        Self { file_version: FILE_VERSION, leases }
    }

    pub fn from_json(content: &[u8]) -> Result<Self, LocalFileError> {
        read(content)
    }

    pub fn to_json(&self) -> Vec<u8> {
        write(self)
    }
}

impl Lease {
    pub fn taken_at(&self) -> Result<Timestamp, ShapeError> {
        shape::time("lease.taken_at", &self.taken_at)
    }

    pub fn until(&self) -> Result<Timestamp, ShapeError> {
        shape::time("lease.until", &self.until)
    }
}

impl BegunCommand {
    pub fn new(command: &Command, begun_at: Timestamp) -> Self {
        Self {
            file_version: FILE_VERSION,
            command: command.into(),
            begun_at: format_time(begun_at),
            receipts: Vec::new(),
            acknowledged: 0,
        }
    }

    pub fn begun_at(&self) -> Result<Timestamp, ShapeError> {
        shape::time("begun_at", &self.begun_at)
    }

    pub fn from_json(content: &[u8]) -> Result<Self, LocalFileError> {
        read(content)
    }

    pub fn to_json(&self) -> Vec<u8> {
        write(self)
    }
}

/// Only what a newer version has to keep as well, so that it is told apart from a broken file.
#[derive(Deserialize)]
struct Versioned {
    file_version: u32,
}

fn read<T: DeserializeOwned>(content: &[u8]) -> Result<T, LocalFileError> {
    let Versioned { file_version: found } = serde_json::from_slice(content)?;
    if found > FILE_VERSION {
        return Err(LocalFileError::Newer { found });
    }
    Ok(serde_json::from_slice(content)?)
}

fn write<T: Serialize>(shape: &T) -> Vec<u8> {
    serde_json::to_vec_pretty(shape).expect("these shapes have text keys and no failing field")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_version_of_each_file_is_read_for_ever() {
        let command = r#"{"id": "cmd-1", "plan": null, "authority": "00", "service": "orders",
            "instance": "orders-0", "version": "1.1.0", "lease_ms": 60000,
            "not_after": "2026-05-28T20:31:40.123Z", "reason": "gain time",
            "action": {"kind": "cgroup.soft_limit", "bytes": 4096}}"#;
        let leases = format!(
            r#"{{"file_version": 1, "leases": [{{"command": {command}, "file": "/cg/soft",
            "before": "max\n", "set": "4096\n", "taken_at": "2026-05-28T20:26:40.123Z",
            "until": "2026-05-28T20:27:40.123Z"}}]}}"#
        );
        let read = Leases::from_json(leases.as_bytes()).unwrap();
        assert_eq!(read.leases[0].until().unwrap(), Timestamp::from_millis(1_780_000_060_123));
        assert_eq!(Leases::from_json(&read.to_json()).unwrap(), read);
        let begun = format!(
            r#"{{"file_version": 1, "command": {command}, "receipts": [], "acknowledged": 0,
            "begun_at": "2026-05-28T20:26:40.123Z"}}"#
        );
        let read = BegunCommand::from_json(begun.as_bytes()).unwrap();
        assert_eq!(BegunCommand::from_json(&read.to_json()).unwrap(), read);
        let versions = br#"{"file_version": 1, "versions": {"orders-0": "1.0.0"}}"#;
        let read = ReplicaVersions::from_json(versions).unwrap();
        assert_eq!(read.versions["orders-0"], "1.0.0");
    }

    #[test]
    fn a_file_of_a_newer_program_is_told_from_a_broken_one() {
        let newer = br#"{"file_version": 2, "something": "else"}"#;
        let found = Leases::from_json(newer).unwrap_err();
        assert!(matches!(found, LocalFileError::Newer { found: 2 }));
        let broken = Leases::from_json(b"{\"file_version\": 1, \"leases\": [{").unwrap_err();
        assert!(matches!(broken, LocalFileError::Json(_)));
    }

    #[test]
    fn requests_are_lines_that_a_person_can_type() {
        let check = |line: &str, want| {
            assert_eq!(serde_json::from_str::<LocalRequest>(line).ok(), want, "{line}");
        };
        let (service, version) = ("orders".to_owned(), "1.1.0".to_owned());
        let deploy = LocalRequest::Deploy { service, version };
        check(r#"{"op":"deploy","service":"orders","version":"1.1.0"}"#, Some(deploy));
        check(r#"{"op":"status"}"#, Some(LocalRequest::Status));
        check(r#"{"op":"deploy","service":"orders"}"#, None);
        check(r#"{"op":"format_disk"}"#, None);
    }
}
