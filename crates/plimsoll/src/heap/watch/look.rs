//! One look at a process: the cheapest capture that tells types apart, read back.
//!
//! Not here: what grew between looks.

use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use plimsoll_heap::ClassHistogram;
use plimsoll_runtime::attach::Population;
use plimsoll_runtime::capture::{
    CaptureError, Contents, Order, Progress, Rung, Taking, choose, survey, take,
};
use plimsoll_runtime::output::{Destination, unchanged};
use plimsoll_runtime::{RuntimeKind, identify};
use tempfile::TempDir;
use tokio::sync::watch;

use super::super::capture::{Memory, shapes, words};
use super::Args;
use crate::clock;
use crate::daemon::data_dir;

/// Why there is no look.
#[derive(Debug, thiserror::Error)]
pub(super) enum LookError {
    #[error("process {pid} has ended")]
    Ended { pid: u32 },
    #[error(
        "process {pid} ({kind}) gives no cheap look at its types; take captures with `plimsoll heap \
         capture` and compare them with `plimsoll heap diff`"
    )]
    NoLooks { pid: u32, kind: RuntimeKind },
    #[error("looks cannot be kept in `{}`; check that it is a folder and may be written", path.display())]
    Keep { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Capture(#[from] CaptureError),
    #[error("what process {pid} gave cannot be read")]
    Unreadable { pid: u32, source: Box<dyn std::error::Error + Send + Sync> },
}

impl LookError {
    /// Whether no later look can be better.
    pub(super) fn is_final(&self) -> bool {
        match self {
            Self::Ended { .. } | Self::NoLooks { .. } | Self::Keep { .. } => true,
            Self::Capture(error) => matches!(
                error,
                CaptureError::NoProcess { .. }
                    | CaptureError::Ended { .. }
                    | CaptureError::Gone { .. }
                    | CaptureError::GivenUp { .. }
            ),
            Self::Unreadable { .. } => false,
        }
    }
}

/// Looks at one process.
pub(super) struct Looker<'a> {
    args: &'a Args,
    pid: u32,
    rung: Rung,
    /// Holds on to this very process: another one that gets its number is not it.
    process: File,
    memory: Memory,
    folder: Folder,
    stop: watch::Receiver<bool>,
}

/// Where looks are written.
enum Folder {
    /// One file, which is gone in the end.
    Passing(TempDir),
    Kept(PathBuf),
}

impl Folder {
    fn path(&self) -> &Path {
        match self {
            Self::Passing(folder) => folder.path(),
            Self::Kept(path) => path,
        }
    }
}

impl<'a> Looker<'a> {
    pub(super) fn new(
        args: &'a Args,
        pid: u32,
        stop: watch::Receiver<bool>,
    ) -> Result<Self, LookError> {
        let process = File::open(format!("/proc/{pid}")).map_err(|_| LookError::Ended { pid })?;
        let rung = rung(pid, identify(Path::new("/proc"), pid).kind)?;
        let folder = match &args.keep {
            Some(path) => {
                let keeping = |source| LookError::Keep { path: path.clone(), source };
                fs::create_dir_all(path).map_err(keeping)?;
                Folder::Kept(path.clone())
            }
            None => {
                let path = std::env::temp_dir();
                let making = |source| LookError::Keep { path, source };
                Folder::Passing(TempDir::with_prefix("plimsoll-watch-").map_err(making)?)
            }
        };
        let data = data_dir(args.dir.clone());
        let memory = Memory::load(&data.unwrap_or_else(|_| folder.path().to_owned()));
        Ok(Self { args, pid, rung, process, memory, folder, stop })
    }

    /// Takes the look of that number, from 0.
    pub(super) async fn look(&mut self, number: u32) -> Result<ClassHistogram, LookError> {
        if !self.is_same_process() {
            return Err(LookError::Ended { pid: self.pid });
        }
        let looked = survey(self.order(), self.memory.experience()).await?;
        let chosen = match choose(&looked.order, looked.identity.kind, &looked.offers) {
            Ok(chosen) => chosen,
            Err(error) => {
                looked.close().await;
                return Err(error.into());
            }
        };
        let contents = looked.offers[chosen.0].contents;
        let name = match &self.folder {
            Folder::Kept(_) => {
                format!("{number:05}-{}", words::file_name(&looked, contents, clock::now()))
            }
            Folder::Passing(_) => "look".to_owned(),
        };
        let path = self.folder.path().join(name);
        let destination = Destination { path: path.clone(), overwrite: true };
        let (progress, form) = (Progress::default(), shapes::counters_file);
        let (sieve, stop) = (unchanged(), self.stop.clone());
        let taken =
            take(looked, chosen, Taking { destination, sieve, stop, progress, form }).await?;
        if let Some(measured) = taken.measured {
            self.memory.remember(measured);
        }
        read(&path, contents).map_err(|source| LookError::Unreadable { pid: self.pid, source })
    }

    /// A directory of `/proc` that was opened stays that of its process, and empties with it.
    fn is_same_process(&self) -> bool {
        fs::read(format!("/proc/self/fd/{}/stat", self.process.as_raw_fd())).is_ok()
    }

    fn order(&self) -> Order {
        let mut order = Order::new(Path::new("/proc"), self.pid, self.folder.path());
        order.rung = Some(self.rung);
        order.objects = if self.args.garbage { Population::All } else { Population::Live };
        order.pause_max = Duration::from_secs_f64(self.args.max_pause);
        order.go_address = self.args.address;
        order
    }
}

fn rung(pid: u32, kind: RuntimeKind) -> Result<Rung, LookError> {
    match kind {
        RuntimeKind::Jvm => Ok(Rung::Histogram),
        RuntimeKind::Go => Ok(Rung::Profile),
        RuntimeKind::Node | RuntimeKind::CPython | RuntimeKind::Native | RuntimeKind::Unknown => {
            Err(LookError::NoLooks { pid, kind })
        }
    }
}

fn read(
    path: &Path,
    contents: Contents,
) -> Result<ClassHistogram, Box<dyn std::error::Error + Send + Sync>> {
    let bytes = fs::read(path)?;
    if contents == Contents::GoHeap {
        return Ok(plimsoll_heap::profile::held_by_place(&bytes)?);
    }
    Ok(ClassHistogram::parse(&String::from_utf8_lossy(&bytes))?)
}
