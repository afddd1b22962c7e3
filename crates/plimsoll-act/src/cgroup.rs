//! Memory cgroups of our own: one for each supervised replica, under one folder for each run of
//! a supervisor. Version 2 where its memory controller can be used, else version 1.
//!
//! The folder's name holds the process that made it (`plimsoll-<pid namespace>-<pid>-<start>-<n>`),
//! so that a later run, or `plimsoll demo` at its end, can tell what a killed agent left behind
//! and remove it without any other record. Groups of other programs are never touched.

mod place;
mod sweep;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use plimsoll_model::Bytes;

pub use place::{GroupVersion, MemoryGroup, memory_group_of, v2_found};
pub use sweep::{Swept, sweep};

use crate::process::{ProcessIdentity, pid_namespace};
use place::Place;

/// What every folder of ours begins with.
const PREFIX: &str = "plimsoll-";

/// Supervisors of one process that may have groups at once; more than one occurs in tests only.
const RUNS_MAX: u32 = 64;

/// The groups of one run.
#[derive(Debug)]
pub struct Groups {
    run: PathBuf,
    version: GroupVersion,
}

/// Why replicas run without groups of their own. The texts say what was tried, one a place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no memory cgroup can be made here: {}", tried.join("; "))]
pub struct NoGroups {
    pub tried: Vec<String>,
}

/// A group that could not be made, limited or removed.
#[derive(Debug, thiserror::Error)]
#[error("cannot {what} the cgroup {}", path.display())]
pub struct GroupError {
    what: &'static str,
    path: PathBuf,
    source: io::Error,
}

impl Groups {
    /// Makes the folder of this run at the first place that can hold one. Blocking.
    pub fn create() -> Result<Self, NoGroups> {
        let places =
            place::places().map_err(|error| NoGroups { tried: vec![error.to_string()] })?;
        let mut tried = Vec::new();
        for place in &places {
            match Self::create_at(place) {
                Ok(groups) => return Ok(groups),
                Err(error) => tried.push(format!("{}: {error}", place.folder.display())),
            }
        }
        if tried.is_empty() {
            tried.push("no cgroup hierarchy with a memory controller is mounted".to_owned());
        }
        Err(NoGroups { tried })
    }

    fn create_at(place: &Place) -> io::Result<Self> {
        place.offer_memory_to_children()?;
        let run = make_run_folder(&place.folder)?;
        let groups = Self { run, version: place.version };
        match groups.offer() {
            Ok(()) => Ok(groups),
            Err(error) => {
                drop(fs::remove_dir(&groups.run));
                Err(error)
            }
        }
    }

    /// Proves that the memory controller is there, and hands it on to the replicas' groups.
    fn offer(&self) -> io::Result<()> {
        let limit = self.run.join(self.version.hard_limit_file());
        if !limit.exists() {
            return Err(io::Error::other("a group made there has no memory controller"));
        }
        Place { folder: self.run.clone(), version: self.version }.offer_memory_to_children()
    }

    pub fn version(&self) -> GroupVersion {
        self.version
    }

    /// Makes the group of one replica, with its hard limit. Blocking.
    pub fn add(&self, instance: &str, limit: Option<Bytes>) -> Result<MemoryGroup, GroupError> {
        let folder = self.run.join(instance);
        match fs::create_dir(&folder) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(GroupError { what: "make", path: folder, source: error });
            }
            Ok(()) | Err(_) => {}
        }
        if let Some(Bytes(bytes)) = limit {
            let file = folder.join(self.version.hard_limit_file());
            fs::write(&file, bytes.to_string()).map_err(|source| GroupError {
                what: "limit",
                path: file,
                source,
            })?;
        }
        Ok(MemoryGroup { version: self.version, folder })
    }

    /// Ends whatever still runs in the groups, and removes them. Blocking, for at most a few
    /// seconds.
    pub fn remove(&self) -> Result<(), GroupError> {
        match sweep::remove_run(&self.run) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(source) => Err(GroupError { what: "remove", path: self.run.clone(), source }),
            Ok(_ended) => Ok(()),
        }
    }
}

fn make_run_folder(place: &Path) -> io::Result<PathBuf> {
    let stem = run_stem(pid_namespace()?, ProcessIdentity::own()?);
    for number in 0..RUNS_MAX {
        let folder = place.join(format!("{stem}-{number}"));
        match fs::create_dir(&folder) {
            Ok(()) => return Ok(folder),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::other(format!("this process has {RUNS_MAX} runs with groups already")))
}

fn run_stem(namespace: u64, process: ProcessIdentity) -> String {
    format!("{PREFIX}{namespace}-{}-{}", process.pid, process.started)
}

/// The pid namespace and the process in a folder's name; None for a folder that is not ours.
fn parse_run(name: &str) -> Option<(u64, ProcessIdentity)> {
    let mut parts = name.strip_prefix(PREFIX)?.split('-');
    let namespace = parts.next()?.parse().ok()?;
    let pid = parts.next()?.parse().ok()?;
    let started = parts.next()?.parse().ok()?;
    let _number: u32 = parts.next()?.parse().ok()?;
    parts.next().is_none().then_some((namespace, ProcessIdentity { pid, started }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_s_name_says_which_process_made_it() {
        let process = ProcessIdentity { pid: 4711, started: 99 };
        let name = format!("{}-3", run_stem(4_026_531_836, process));
        assert_eq!(parse_run(&name), Some((4_026_531_836, process)));
        let foreign = |name| assert_eq!(parse_run(name), None, "{name}");
        foreign("plimsoll-probe");
        foreign("plimsoll-1-2-3");
        foreign("plimsoll-1-2-3-4-5");
        foreign("system.slice");
    }
}
