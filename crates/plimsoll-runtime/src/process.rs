//! What `/proc` says of one process: state, user, namespaced id, caught signals, files.
//!
//! Not here: memory figures (`plimsoll-agent` reads those). Everything is read with a bound,
//! because what `/proc` shows of a process is in part written by that process.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal};
use thiserror::Error;

/// Most bytes that are read of one file in `/proc`. A process with 30 000 mappings has a `maps`
/// of 3 MB.
const PROC_FILE_BYTES_MAX: u64 = 8 << 20;

/// Most descriptors of one process that are looked at; more than the usual limit of 65 536 is
/// itself a leak, and the sockets looked for here are opened early.
const DESCRIPTORS_MAX: usize = 65_536;

/// The folder of one process under a `/proc`, which may be another than this machine's.
#[derive(Clone, Debug)]
pub struct ProcessFiles {
    root: PathBuf,
    pid: u32,
}

/// The part of `/proc/<pid>/status` that decides whether a process may be asked something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    /// `R`, `S`, `D`, `T` stopped, `t` traced, `Z` dead and not reaped, `X` dead.
    pub state: char,
    pub effective_uid: u32,
    pub effective_gid: u32,
    /// The id that the process has in its own PID namespace.
    pub namespaced_pid: u32,
    /// Bit `n - 1` is set when the process has a handler for signal `n`.
    pub caught: u64,
}

/// Why the state of a process is not known.
#[derive(Debug, Error)]
pub enum StatusError {
    #[error("could not read the status of process {pid}; it may have ended")]
    Read { pid: u32, source: io::Error },
    #[error("the status of process {pid} has no readable line `{line}`")]
    Line { pid: u32, line: &'static str },
}

impl Status {
    pub fn is_dead(&self) -> bool {
        matches!(self.state, 'Z' | 'X')
    }

    pub fn is_stopped(&self) -> bool {
        matches!(self.state, 'T' | 't')
    }

    pub(crate) fn catches(&self, signal: Signal) -> bool {
        let bit = signal.as_raw() - 1;
        self.caught >> bit & 1 == 1
    }
}

impl ProcessFiles {
    pub fn new(proc_root: &Path, pid: u32) -> Self {
        Self { root: proc_root.to_owned(), pid }
    }

    pub fn pid(&self) -> u32 {
        self.pid
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn path(&self, relative: &str) -> PathBuf {
        self.root.join(self.pid.to_string()).join(relative)
    }

    /// # Errors
    /// When the process is gone, or its status has not the lines of Linux 4.1 and later.
    pub fn status(&self) -> Result<Status, StatusError> {
        let text =
            self.text("status").map_err(|source| StatusError::Read { pid: self.pid, source })?;
        parse_status(&text).map_err(|line| StatusError::Line { pid: self.pid, line })
    }

    /// Whether the process can still do something. An unreadable status counts as gone.
    pub(crate) fn is_alive(&self) -> bool {
        self.status().is_ok_and(|status| !status.is_dead())
    }

    /// At most [`PROC_FILE_BYTES_MAX`] of a file, as text.
    pub(crate) fn text(&self, relative: &str) -> io::Result<String> {
        let bytes = self.head(relative, PROC_FILE_BYTES_MAX)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    pub(crate) fn head(&self, relative: &str, limit: u64) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        File::open(self.path(relative))?.take(limit).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// File name of the program, without the mark that Linux puts behind one that was replaced.
    pub(crate) fn program(&self) -> io::Result<String> {
        let link = std::fs::read_link(self.path("exe"))?;
        let name = link.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Ok(name.strip_suffix(" (deleted)").map(str::to_owned).unwrap_or(name))
    }

    /// The command line, one argument each.
    pub(crate) fn arguments(&self) -> io::Result<Vec<String>> {
        let text = self.text("cmdline")?;
        Ok(text.split_terminator('\0').map(str::to_owned).collect())
    }

    /// Inodes of the sockets that the process holds.
    pub(crate) fn socket_inodes(&self) -> io::Result<HashSet<u64>> {
        let links = std::fs::read_dir(self.path("fd"))?.take(DESCRIPTORS_MAX).flatten();
        Ok(links
            .filter_map(|entry| std::fs::read_link(entry.path()).ok())
            .filter_map(|link| {
                let inode = link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?;
                inode.parse().ok()
            })
            .collect())
    }

    /// Whether the process sees the same network as we do, loopback included.
    pub(crate) fn shares_our_network(&self) -> io::Result<bool> {
        let theirs = std::fs::read_link(self.path("ns/net"))?;
        Ok(theirs == std::fs::read_link(self.root.join("self/ns/net"))?)
    }
}

fn parse_status(text: &str) -> Result<Status, &'static str> {
    let value = |key: &'static str| {
        let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
        line.map(str::trim).ok_or(key)
    };
    let nth = |key: &'static str, index: usize| {
        let word = value(key)?.split_whitespace().nth(index).ok_or(key)?;
        word.parse::<u32>().map_err(|_| key)
    };
    let ids = value("NSpid").or_else(|_| value("Tgid"))?;
    let namespaced = ids.split_whitespace().next_back().and_then(|id| id.parse().ok());
    Ok(Status {
        state: value("State")?.chars().next().ok_or("State")?,
        effective_uid: nth("Uid", 1)?,
        effective_gid: nth("Gid", 1)?,
        namespaced_pid: namespaced.ok_or("NSpid")?,
        caught: u64::from_str_radix(value("SigCgt")?, 16).map_err(|_| "SigCgt")?,
    })
}

/// A process that is held on to: its id cannot be given to another one unnoticed between the
/// checks and the signal.
#[derive(Debug)]
pub(crate) struct Held {
    pid: Pid,
    /// Absent on kernels before 5.3, where only the plain signal is left.
    handle: Option<std::os::fd::OwnedFd>,
}

impl Held {
    pub(crate) fn new(pid: u32) -> io::Result<Self> {
        let raw = i32::try_from(pid).ok().and_then(Pid::from_raw).ok_or(Errno::SRCH)?;
        let handle = match rustix::process::pidfd_open(raw, PidfdFlags::empty()) {
            Ok(handle) => Some(handle),
            Err(Errno::NOSYS) => None,
            Err(error) => return Err(error.into()),
        };
        Ok(Self { pid: raw, handle })
    }

    pub(crate) fn signal(&self, signal: Signal) -> io::Result<()> {
        match &self.handle {
            Some(handle) => rustix::process::pidfd_send_signal(handle, signal)?,
            None => rustix::process::kill_process(self.pid, signal)?,
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATUS: &str = "Name:\tjava\nState:\tS (sleeping)\nTgid:\t6636\nUid:\t0\t1000\t0\t0\n\
                          Gid:\t0\t1001\t0\t0\nNSpid:\t6636\t17\t1\nSigCgt:\t2000000181005ccd\n";

    #[test]
    fn a_status_gives_the_id_in_the_innermost_namespace_and_the_effective_user() {
        let status = parse_status(STATUS).unwrap();
        assert_eq!((status.namespaced_pid, status.effective_uid, status.state), (1, 1000, 'S'));
        assert_eq!(status.effective_gid, 1001);
        assert!(status.catches(Signal::QUIT));
        assert!(!status.is_stopped());
    }

    #[test]
    fn the_mask_of_a_jvm_with_xrs_does_not_catch_sigquit() {
        let status = parse_status(&STATUS.replace("5ccd", "5cc8")).unwrap();
        assert!(!status.catches(Signal::QUIT));
    }

    #[test]
    fn a_status_with_a_line_missing_names_the_line() {
        assert_eq!(parse_status(&STATUS.replace("SigCgt", "x")), Err("SigCgt"));
        assert_eq!(parse_status(&STATUS.replace("5ccd", "xyz")), Err("SigCgt"));
        assert_eq!(parse_status(""), Err("Tgid"));
    }

    #[test]
    fn the_own_process_is_alive_and_one_that_cannot_be_is_not() {
        let own = ProcessFiles::new(Path::new("/proc"), std::process::id());
        assert!(own.is_alive() && own.shares_our_network().unwrap());
        let none = ProcessFiles::new(Path::new("/proc"), u32::MAX);
        assert!(!none.is_alive());
        assert!(Held::new(u32::MAX).is_err());
    }
}
