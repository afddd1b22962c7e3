//! The folder in which a JVM leaves its dump for us: inside of what the JVM sees, its own, closed to
//! everyone else, and gone with this value, whatever is in it by then.
//!
//! Not here: the dump (`jvm`). The process may be hostile and root in its container: paths inside
//! of it are resolved as it would, so that its links lead nowhere else.

use std::fs::File;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use rustix::fs::{AtFlags, Gid, Mode, OFlags, ResolveFlags, Uid};
use rustix::io::Errno;
use thiserror::Error;

use crate::process::{ProcessFiles, Status};
use crate::room::DiskRoom;

/// What the JVM calls its dump.
const FILE: &str = "heap.hprof";

/// Most files that are removed with the folder. A JVM that dumps with many threads has one for each.
const ENTRIES_MAX: usize = 4096;

/// Why a JVM has no place for a dump.
#[derive(Debug, Error)]
pub enum HandoverError {
    #[error(
        "process {pid} has no folder for a dump: {path} is not writable; name one of its folders \
         with --target-dir, for example a mounted volume"
    )]
    Folder { pid: u32, path: PathBuf, source: io::Error },
    #[error("`{folder}` cannot be told to a JVM: it is no absolute path, or has blanks or quotes")]
    Name { folder: String },
    #[error("the dump of process {pid} could not be taken over from {path}")]
    TakeOver { pid: u32, path: PathBuf, source: io::Error },
    #[error(
        "the dump of process {pid} in {path} was not taken: it is not a plain file of the \
         process's user"
    )]
    Foreign { pid: u32, path: PathBuf },
}

/// The folder, for as long as this lives.
#[derive(Debug)]
pub(super) struct Handover {
    pid: u32,
    owner: u32,
    parent: OwnedFd,
    name: String,
    /// Held open: the way through `/proc` is gone once the process is dead.
    folder: OwnedFd,
    /// As the process sees it.
    seen_as: String,
}

impl Drop for Handover {
    fn drop(&mut self) {
        // A file that is still being written goes when its writer is done.
        let entries = rustix::fs::Dir::read_from(&self.folder).into_iter().flatten().flatten();
        for entry in entries.take(ENTRIES_MAX) {
            let name = entry.file_name();
            if name != c"." && name != c".." {
                rustix::fs::unlinkat(&self.folder, name, AtFlags::empty()).unwrap_or(());
            }
        }
        // It may have gone with its container.
        rustix::fs::unlinkat(&self.parent, &self.name, AtFlags::REMOVEDIR).unwrap_or(());
    }
}

impl Handover {
    /// In the folder that was asked for, else in the `/tmp` of the process, else in its working
    /// directory.
    pub(super) fn create(
        process: &ProcessFiles,
        status: &Status,
        asked: Option<&str>,
    ) -> Result<Self, HandoverError> {
        let pid = process.pid();
        let places = match asked {
            Some(folder) => vec![told(folder)?],
            None => vec!["/tmp", "."],
        };
        let mut first_failure = None;
        for place in places {
            match Self::create_in(process, status, place) {
                Ok(handover) => return Ok(handover),
                Err(source) => {
                    let path = PathBuf::from(place);
                    first_failure.get_or_insert(HandoverError::Folder { pid, path, source });
                }
            }
        }
        Err(first_failure.expect("each place was tried and failed"))
    }

    fn create_in(process: &ProcessFiles, status: &Status, place: &str) -> io::Result<Self> {
        let parent = open_as_process(process, place)?;
        let name = format!("plimsoll-{:016x}", RandomState::new().build_hasher().finish());
        rustix::fs::mkdirat(&parent, name.as_str(), Mode::RWXU)?;
        let folder = match open_owned(&parent, &name, status) {
            Ok(folder) => folder,
            Err(error) => {
                rustix::fs::unlinkat(&parent, name.as_str(), AtFlags::REMOVEDIR).unwrap_or(());
                return Err(error);
            }
        };
        let seen_as = format!("{place}/{name}");
        let (pid, owner) = (process.pid(), status.effective_uid);
        Ok(Self { pid, owner, parent, name, folder, seen_as })
    }

    /// Where the process is to write, as it sees it.
    pub(super) fn path(&self) -> String {
        format!("{}/{FILE}", self.seen_as)
    }

    pub(super) fn room(&self) -> io::Result<DiskRoom> {
        DiskRoom::at(&self.folder)
    }

    /// The file that the process writes, once it has begun to, open and without its name: from then
    /// on it goes with its last user, however that one ends.
    pub(super) fn adopt(&self) -> Result<Option<File>, HandoverError> {
        let failed =
            |source| HandoverError::TakeOver { pid: self.pid, path: self.path().into(), source };
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = match rustix::fs::openat(&self.folder, FILE, flags, Mode::empty()) {
            Ok(file) => File::from(file),
            Err(Errno::NOENT) => return Ok(None),
            Err(error) => return Err(failed(error.into())),
        };
        let metadata = file.metadata().map_err(failed)?;
        if !metadata.is_file() || metadata.uid() != self.owner || metadata.nlink() != 1 {
            return Err(HandoverError::Foreign { pid: self.pid, path: self.path().into() });
        }
        rustix::fs::unlinkat(&self.folder, FILE, AtFlags::empty())
            .map_err(|error| failed(error.into()))?;
        Ok(Some(file))
    }
}

/// A JVM splits its commands at blanks.
fn told(folder: &str) -> Result<&str, HandoverError> {
    let is_plain = |c: char| c.is_ascii_graphic() && !"'\"\\,=".contains(c);
    if folder.starts_with('/') && folder.len() < 512 && folder.chars().all(is_plain) {
        Ok(folder.trim_end_matches('/'))
    } else {
        Err(HandoverError::Name { folder: folder.chars().take(200).collect() })
    }
}

/// `.` is the working directory, which the kernel knows without a path.
fn open_as_process(process: &ProcessFiles, place: &str) -> io::Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    if place == "." {
        return Ok(rustix::fs::open(process.path("cwd"), flags, Mode::empty())?);
    }
    let root = rustix::fs::open(process.path("root"), flags, Mode::empty())?;
    let below = place.trim_start_matches('/');
    match rustix::fs::openat2(&root, below, flags, Mode::empty(), ResolveFlags::IN_ROOT) {
        // Linux before 5.6: one name, and no link.
        Err(Errno::NOSYS) if !below.contains('/') => {
            Ok(rustix::fs::openat(&root, below, flags | OFlags::NOFOLLOW, Mode::empty())?)
        }
        opened => Ok(opened?),
    }
}

/// Gives the folder, which is ours and empty, to the user of the process.
fn open_owned(parent: &OwnedFd, name: &str, status: &Status) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let folder = rustix::fs::openat(parent, name, flags, Mode::empty())?;
    let ours = rustix::process::geteuid().as_raw();
    if rustix::fs::fstat(&folder)?.st_uid != ours {
        return Err(io::Error::other("it was replaced by another user in the same moment"));
    }
    if status.effective_uid != ours {
        let (uid, gid) = (status.effective_uid, status.effective_gid);
        rustix::fs::fchown(&folder, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)))?;
    }
    Ok(folder)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn fixture() -> (tempfile::TempDir, ProcessFiles, Status) {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(root.path().join("77/cwd")).unwrap();
        std::fs::create_dir_all(root.path().join("77/root/tmp")).unwrap();
        let status = ProcessFiles::new(Path::new("/proc"), std::process::id()).status().unwrap();
        let process = ProcessFiles::new(root.path(), 77);
        (root, process, status)
    }

    fn is_empty(folder: &Path) -> bool {
        std::fs::read_dir(folder).unwrap().next().is_none()
    }

    #[test]
    fn the_folder_goes_with_all_that_the_process_left_in_it() {
        let (root, process, status) = fixture();
        let tmp = root.path().join("77/root/tmp");
        let handover = Handover::create(&process, &status, None).unwrap();
        let inside = root.path().join("77/root").join(handover.path().trim_start_matches('/'));
        assert!(handover.adopt().unwrap().is_none());
        std::fs::write(&inside, "dump").unwrap();
        std::fs::write(inside.with_extension("p0"), "segment").unwrap();
        let adopted = handover.adopt().unwrap().unwrap();
        assert_eq!(adopted.metadata().unwrap().len(), 4);
        assert!(!inside.exists(), "it has no name from then on");
        std::fs::rename(root.path().join("77"), root.path().join("dead")).unwrap();
        drop(handover);
        assert!(is_empty(&root.path().join("dead/root/tmp")));
        assert!(!tmp.exists());
    }

    #[test]
    fn a_link_of_the_process_leads_nowhere_else() {
        let (root, process, status) = fixture();
        let outside = tempfile::tempdir().unwrap();
        let tmp = root.path().join("77/root/tmp");
        std::fs::remove_dir(&tmp).unwrap();
        std::os::unix::fs::symlink(outside.path(), &tmp).unwrap();
        let handover = Handover::create(&process, &status, None).unwrap();
        assert!(handover.path().starts_with("./"), "{}", handover.path());
        assert!(is_empty(outside.path()));
        let error = Handover::create(&process, &status, Some("/tmp")).unwrap_err();
        assert!(matches!(error, HandoverError::Folder { .. }), "{error}");
    }

    #[test]
    fn a_link_in_the_place_of_the_dump_is_not_followed() {
        let (root, process, status) = fixture();
        let handover = Handover::create(&process, &status, None).unwrap();
        let inside = root.path().join("77/root").join(handover.path().trim_start_matches('/'));
        std::os::unix::fs::symlink("/etc/hostname", &inside).unwrap();
        assert!(matches!(handover.adopt().unwrap_err(), HandoverError::TakeOver { .. }));
        std::fs::remove_file(&inside).unwrap();
        let other = tempfile::NamedTempFile::new().unwrap();
        std::fs::hard_link(other.path(), &inside).unwrap();
        assert!(matches!(handover.adopt().unwrap_err(), HandoverError::Foreign { .. }));
    }

    #[test]
    fn a_folder_that_a_jvm_cannot_be_told_is_refused() {
        for folder in ["tmp", "/a b", "/a'b", "/a\nb", "", "/a,b"] {
            assert!(matches!(told(folder).unwrap_err(), HandoverError::Name { .. }), "{folder}");
        }
        assert_eq!(told("/data/dumps/").unwrap(), "/data/dumps");
    }
}
