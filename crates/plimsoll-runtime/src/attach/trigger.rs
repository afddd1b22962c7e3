//! The trigger file that makes a HotSpot JVM open its attach socket at the next SIGQUIT.
//!
//! Not here: whether the signal may be sent (`attach`). The file is removed when its value goes
//! away, on every path out of a request, a cancelled one included.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use rustix::fs::{AtFlags, Gid, Mode, OFlags, Uid};

use super::error::AttachError;
use crate::clock;
use crate::process::ProcessFiles;

/// A trigger older than this was left by a tool that died: an attach takes milliseconds, and
/// every tool gives up after some 10 seconds.
const TRIGGER_STALE_AFTER: Duration = Duration::from_secs(60);

/// A trigger file on the disk, for as long as this lives.
#[derive(Debug)]
pub(super) struct Trigger {
    /// Held open, because `/proc/<pid>/cwd` leads nowhere once the process is dead, and the file
    /// has to go then too.
    folder: OwnedFd,
    name: String,
}

impl Drop for Trigger {
    fn drop(&mut self) {
        // Nothing can be done about a failure: the file may have gone with its container.
        rustix::fs::unlinkat(&self.folder, &self.name, AtFlags::empty()).unwrap_or(());
    }
}

impl Trigger {
    /// Places the trigger where the JVM looks: in its working directory, else in its `/tmp`.
    pub(super) fn place(process: &ProcessFiles, id: u32, owner: u32) -> Result<Self, AttachError> {
        let pid = process.pid();
        let name = format!(".attach_pid{id}");
        let mut first_failure = None;
        for folder in ["cwd", "root/tmp"] {
            let path = process.path(folder);
            match create(&path, &name, owner) {
                Ok(trigger) => return Ok(trigger),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    return Err(AttachError::Busy { pid, path: path.join(name) });
                }
                Err(source) => {
                    let path = path.join(&name);
                    first_failure.get_or_insert(AttachError::Trigger { pid, path, source });
                }
            }
        }
        Err(first_failure.expect("both folders were tried and failed"))
    }
}

fn create(folder: &Path, name: &str, owner: u32) -> io::Result<Trigger> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let folder = rustix::fs::open(folder, flags, Mode::empty())?;
    let file = match create_new(&folder, name) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            if !is_stale(&folder, name, owner) {
                return Err(error);
            }
            rustix::fs::unlinkat(&folder, name, AtFlags::empty())?;
            create_new(&folder, name)?
        }
        created => created?,
    };
    let trigger = Trigger { folder, name: name.to_owned() };
    if file.metadata()?.uid() != owner {
        // The JVM ignores a trigger that is not its own user's.
        rustix::fs::fchown(file.as_fd(), Some(Uid::from_raw(owner)), None::<Gid>)?;
    }
    Ok(trigger)
}

/// Never through a link, and never an existing file: the folder may be anyone's to write to.
fn create_new(folder: &OwnedFd, name: &str) -> io::Result<File> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(File::from(rustix::fs::openat(folder, name, flags, Mode::RUSR | Mode::WUSR)?))
}

/// An empty plain file of the JVM's user, left long ago.
fn is_stale(folder: &OwnedFd, name: &str, owner: u32) -> bool {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = rustix::fs::openat(folder, name, flags, Mode::empty()).map(File::from);
    let Some(metadata) = file.ok().and_then(|file| file.metadata().ok()) else { return false };
    let is_trigger = metadata.is_file() && metadata.len() == 0 && metadata.uid() == owner;
    is_trigger && metadata.modified().is_ok_and(|at| clock::age(at) > TRIGGER_STALE_AFTER)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::SystemTime;

    fn fixture() -> (tempfile::TempDir, ProcessFiles, u32) {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(root.path().join("77/cwd")).unwrap();
        std::fs::create_dir_all(root.path().join("77/root/tmp")).unwrap();
        let process = ProcessFiles::new(root.path(), 77);
        (root, process, rustix::process::geteuid().as_raw())
    }

    #[test]
    fn the_trigger_goes_away_with_its_value() {
        let (root, process, uid) = fixture();
        let path = root.path().join("77/cwd/.attach_pid5");
        let trigger = Trigger::place(&process, 5, uid).unwrap();
        assert!(path.is_file());
        drop(trigger);
        assert!(!path.exists());
    }

    /// As when the process dies: the way through `/proc` is gone, the folder is not.
    #[test]
    fn the_trigger_goes_away_though_the_process_has_gone() {
        let (root, process, uid) = fixture();
        let trigger = Trigger::place(&process, 5, uid).unwrap();
        std::fs::rename(root.path().join("77"), root.path().join("gone")).unwrap();
        drop(trigger);
        assert!(!root.path().join("gone/cwd/.attach_pid5").exists());
    }

    #[test]
    fn without_a_working_directory_the_trigger_is_in_tmp() {
        let (root, process, uid) = fixture();
        std::fs::remove_dir(root.path().join("77/cwd")).unwrap();
        let trigger = Trigger::place(&process, 5, uid).unwrap();
        let path = root.path().join("77/root/tmp/.attach_pid5");
        assert!(path.is_file());
        drop(trigger);
        assert!(!path.exists());
    }

    #[test]
    fn the_trigger_of_another_tool_is_left_alone_unless_it_is_old() {
        let (root, process, uid) = fixture();
        let path = root.path().join("77/cwd/.attach_pid5");
        let file = File::create(&path).unwrap();
        let error = Trigger::place(&process, 5, uid).unwrap_err();
        assert!(matches!(error, AttachError::Busy { .. }) && path.exists(), "{error}");
        file.set_modified(SystemTime::UNIX_EPOCH).unwrap();
        drop(Trigger::place(&process, 5, uid).unwrap());
        assert!(!path.exists());
    }

    #[test]
    fn a_link_in_the_place_of_the_trigger_is_not_followed() {
        let (root, process, uid) = fixture();
        let target = root.path().join("target");
        std::os::unix::fs::symlink(&target, root.path().join("77/cwd/.attach_pid5")).unwrap();
        assert!(Trigger::place(&process, 5, uid).is_err());
        assert!(!target.exists());
    }
}
