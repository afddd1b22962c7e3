//! Removes what dead runs left: ends the processes that still sit in their groups, then removes
//! the groups. Only folders whose name says that a process of this pid namespace made them, and
//! whose process is gone.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::parse_run;
use super::place::places;
use crate::process::pid_namespace;

/// A killed process leaves its group within milliseconds, unless the kernel is writing out its
/// memory; after `TRIES * PAUSE` the group is left to the next sweep.
const TRIES: u32 = 100;
const PAUSE: Duration = Duration::from_millis(20);

/// What a sweep removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    pub runs: usize,
    pub processes: usize,
}

/// Removes the groups of runs whose process is gone. Blocking. What cannot be removed now is
/// left, with a line in the log: the next sweep meets it again.
pub fn sweep() -> Swept {
    let mut swept = Swept::default();
    let (Ok(places), Ok(namespace)) = (places(), pid_namespace()) else { return swept };
    for run in places.iter().flat_map(|place| dead_runs(&place.folder, namespace)) {
        match remove_run(&run) {
            Ok(processes) => {
                swept.runs += 1;
                swept.processes += processes;
            }
            Err(error) => {
                tracing::warn!(run = %run.display(), %error, "a dead run's cgroup stays");
            }
        }
    }
    swept
}

fn dead_runs(place: &Path, namespace: u64) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(place) else { return Vec::new() };
    let is_dead = |name: &str| {
        parse_run(name).is_some_and(|(made_in, by)| made_in == namespace && !by.is_alive())
    };
    entries
        .filter_map(Result::ok)
        .filter(|entry| entry.file_name().to_str().is_some_and(is_dead))
        .map(|entry| entry.path())
        .collect()
}

/// Removes the run's groups and itself; the number of processes that had to be ended.
pub(super) fn remove_run(run: &Path) -> io::Result<usize> {
    let mut ended = 0;
    for entry in fs::read_dir(run)? {
        let group = entry?.path();
        if group.is_dir() {
            ended += remove_group(&group)?;
        }
    }
    Ok(ended + remove_group(run)?)
}

fn remove_group(group: &Path) -> io::Result<usize> {
    let mut ended = 0;
    for _ in 0..TRIES {
        ended = ended.max(kill_all(group)?);
        match fs::remove_dir(group) {
            Ok(()) => return Ok(ended),
            Err(error) if error.raw_os_error() == Some(Errno::EBUSY as i32) => thread::sleep(PAUSE),
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::other(format!("processes are still in it after {TRIES} tries")))
}

fn kill_all(group: &Path) -> io::Result<usize> {
    let procs = fs::read_to_string(group.join("cgroup.procs"))?;
    // 0 stands for a process of another pid namespace, which is none of ours.
    let pids = procs.lines().filter_map(|line| line.parse().ok()).filter(|pid| *pid > 0);
    let own = nix::unistd::getpid();
    Ok(pids.map(Pid::from_raw).filter(|pid| *pid != own && kill_one(*pid)).count())
}

fn kill_one(pid: Pid) -> bool {
    kill(pid, Signal::SIGKILL).is_ok()
}
