//! Reads `hsperfdata`, the counters that every HotSpot JVM keeps in a mapped file: heap, old
//! generation, collections, threads, classes. The JVM does not notice.
//!
//! Not here: anything that the JVM would have to answer (`attach`). Reads block for microseconds:
//! the file is in memory, because the JVM has it mapped. Used by `plimsoll-agent`.

mod format;
mod live;
mod reading;

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use thiserror::Error;

pub use format::{Counters, FormatError};
pub use live::{CollectionKind, LiveSet, LiveUpdate};
pub use reading::{AttachCapability, Collections, CollectorFamily, JvmReading, Space};

use crate::process::{ProcessFiles, StatusError};

/// Largest counter file that is read. The default is 32 KiB; `-XX:PerfDataMemorySize` and `-XX`
/// options for large agents take it to a few times that.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Most entries of the target's `/tmp` that are looked at. It is a folder that anyone may fill.
const FOLDER_ENTRIES_MAX: usize = 4096;

/// Why the counters of a process cannot be read.
#[derive(Debug, Error)]
pub enum PerfError {
    #[error("could not find the counters of process {pid}, because its status is not readable")]
    Status { pid: u32, source: StatusError },
    #[error(
        "process {pid} has no hsperfdata file in its /tmp: it is not a HotSpot JVM, or it was \
         started with -XX:-UsePerfData; without counters it is not known whether it can be asked"
    )]
    NotFound { pid: u32 },
    #[error(
        "could not look for the counters of process {pid} in {path}; run as root or as its user"
    )]
    Folder { pid: u32, path: PathBuf, source: io::Error },
    #[error("could not read the counters of process {pid} from {path}")]
    Read { pid: u32, path: PathBuf, source: io::Error },
    #[error("process {pid} has ended: its counters were removed")]
    Ended { pid: u32 },
    #[error("the counters of process {pid} in {path} are not readable as such")]
    Format { pid: u32, path: PathBuf, source: FormatError },
}

/// The counter file of one running JVM, held open.
///
/// A JVM that is killed leaves its file behind, and this keeps reading it: who holds this also
/// watches whether the process lives.
#[derive(Debug)]
pub struct PerfFile {
    pid: u32,
    path: PathBuf,
    file: File,
}

impl PerfFile {
    /// Finds `/tmp/hsperfdata_<user>/<pid>` as the process itself sees it, in its own mount and
    /// PID namespaces. A file of another user, a link, and the remains of an earlier JVM with the
    /// same id are not taken.
    ///
    /// # Errors
    /// When the process is gone, has no such file, or may not be looked at.
    pub fn open(proc_root: &Path, pid: u32) -> Result<Self, PerfError> {
        let process = ProcessFiles::new(proc_root, pid);
        let status = process.status().map_err(|source| PerfError::Status { pid, source })?;
        let mut unreadable = None;
        for path in candidates(&process, status.namespaced_pid)? {
            match open_owned(&path, status.effective_uid) {
                Ok(Some(file)) if is_mapped(&process, &path) => {
                    return Ok(Self { pid, path, file });
                }
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(source) => unreadable = Some(PerfError::Read { pid, path, source }),
            }
        }
        Err(unreadable.unwrap_or(PerfError::NotFound { pid }))
    }

    /// # Errors
    /// When the JVM has ended, or the file does not hold counters.
    pub fn read(&self) -> Result<JvmReading, PerfError> {
        let bytes = self.bytes()?;
        JvmReading::parse(&bytes).map_err(|source| PerfError::Format {
            pid: self.pid,
            path: self.path.clone(),
            source,
        })
    }

    fn bytes(&self) -> Result<Vec<u8>, PerfError> {
        let failed = |source| PerfError::Read { pid: self.pid, path: self.path.clone(), source };
        let metadata = self.file.metadata().map_err(failed)?;
        if metadata.nlink() == 0 {
            return Err(PerfError::Ended { pid: self.pid });
        }
        let size = metadata.len().min(FILE_BYTES_MAX);
        let mut bytes = vec![0; usize::try_from(size).expect("at most FILE_BYTES_MAX")];
        self.file.read_exact_at(&mut bytes, 0).map_err(failed)?;
        Ok(bytes)
    }
}

fn candidates(process: &ProcessFiles, namespaced_pid: u32) -> Result<Vec<PathBuf>, PerfError> {
    let folder = process.path("root/tmp");
    let entries = std::fs::read_dir(&folder).map_err(|source| PerfError::Folder {
        pid: process.pid(),
        path: folder,
        source,
    })?;
    Ok(entries
        .take(FOLDER_ENTRIES_MAX)
        .flatten()
        .filter(|entry| entry.file_name().as_encoded_bytes().starts_with(b"hsperfdata_"))
        .map(|entry| entry.path().join(namespaced_pid.to_string()))
        .collect())
}

/// `None` when the file is not a plain file of this user.
fn open_owned(path: &Path, uid: u32) -> io::Result<Option<File>> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = File::from(rustix::fs::open(path, flags, Mode::empty())?);
    let metadata = file.metadata()?;
    Ok((metadata.is_file() && metadata.uid() == uid).then_some(file))
}

/// Whether the process has this very file mapped. In containers each JVM is process 1, so a file
/// that the last one left behind would look like this one's. Where `maps` may not be read, the
/// owner of the file has to do.
fn is_mapped(process: &ProcessFiles, path: &Path) -> bool {
    let Ok(maps) = process.text("maps") else { return true };
    let tail: PathBuf = path.components().rev().take(2).collect::<Vec<_>>().iter().rev().collect();
    let tail = format!("/{}", tail.display());
    maps.lines().any(|line| line.ends_with(&tail))
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATUS: &str = "State:\tS (sleeping)\nTgid:\t77\nUid:\t0\t{uid}\t0\t0\nGid:\t0\t0\t0\t0\n\
                          NSpid:\t77\t1\nSigCgt:\t0000000000005ccd\n";

    /// A `/proc` with process 77, which is process 1 in its namespace, and its `/tmp`.
    fn proc_with(maps: &str, uid_shift: u32) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("77/root/tmp/hsperfdata_app");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("1"), include_bytes!("../tests/fixtures/g1-java17.hsperfdata"))
            .unwrap();
        let uid = rustix::process::geteuid().as_raw() + uid_shift;
        let status = STATUS.replace("{uid}", &uid.to_string());
        std::fs::write(root.path().join("77/status"), status).unwrap();
        std::fs::write(root.path().join("77/maps"), maps).unwrap();
        root
    }

    #[test]
    fn the_file_is_found_under_the_id_of_the_inner_namespace() {
        let root = proc_with("7f00-7f08 rw-s 0 fe:00 1  /tmp/hsperfdata_app/1\n", 0);
        let reading = PerfFile::open(root.path(), 77).unwrap().read().unwrap();
        assert_eq!(reading.collector, CollectorFamily::G1);
        assert_eq!(reading.heap_max, Some(plimsoll_model::Bytes::from_mib(256)));
        assert_eq!(reading.heap_committed, reading.heap_max);
        assert_eq!(reading.old_used, Some(plimsoll_model::Bytes(25_334_272)));
        assert_eq!(reading.classes_loaded, Some(404));
        assert_eq!(reading.collection_count(), 41);
        assert_eq!(reading.attach, AttachCapability::Allowed);
    }

    #[test]
    fn the_remains_of_an_earlier_jvm_are_not_taken() {
        let root = proc_with("7f00-7f08 rw-s 0 fe:00 1  /usr/bin/nginx\n", 0);
        let error = PerfFile::open(root.path(), 77).unwrap_err();
        assert!(matches!(error, PerfError::NotFound { pid: 77 }), "{error}");
    }

    #[test]
    fn the_file_of_another_user_is_not_taken() {
        let root = proc_with("7f00-7f08 rw-s 0 fe:00 1  /tmp/hsperfdata_app/1\n", 1);
        let error = PerfFile::open(root.path(), 77).unwrap_err();
        assert!(matches!(error, PerfError::NotFound { pid: 77 }), "{error}");
    }

    #[test]
    fn the_counters_of_a_jvm_that_ended_are_not_read_on() {
        let root = proc_with("7f00-7f08 rw-s 0 fe:00 1  /tmp/hsperfdata_app/1\n", 0);
        let open = PerfFile::open(root.path(), 77).unwrap();
        std::fs::remove_file(&open.path).unwrap();
        assert!(matches!(open.read().unwrap_err(), PerfError::Ended { pid: 77 }));
    }
}
