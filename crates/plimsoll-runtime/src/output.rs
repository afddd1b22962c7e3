//! The file that a capture ends in: whole, on the disk and readable by its owner only, or not there
//! at all.
//!
//! It has no name until it is whole, where the file system can do that, so that not even SIGKILL
//! leaves a piece of it. Not here: what is written (`capture`).

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use plimsoll_model::Bytes;
use rustix::fs::{AtFlags, Mode, OFlags};
use thiserror::Error;

use crate::room::DiskRoom;

/// How many bytes are written between two looks at what is still free.
const LOOK_AT_DISK_EVERY: u64 = 16 << 20;

const WRITE_BYTES: usize = 256 << 10;

/// Where a capture goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    pub path: PathBuf,
    /// Whether a file that is there already may be replaced.
    pub overwrite: bool,
}

/// Why the file of a capture was not made. Nothing is left of it.
#[derive(Debug, Error)]
pub enum OutputError {
    #[error("could not open the folder {path}; choose another with --output")]
    Folder { path: PathBuf, source: io::Error },
    #[error("{path} is there already; choose another name, or let it be replaced with --overwrite")]
    Exists { path: PathBuf },
    #[error("{path} is no name of a file; choose another with --output")]
    Name { path: PathBuf },
    #[error("could not write {path}; nothing was left of it, make room or choose another disk")]
    Write { path: PathBuf, source: io::Error },
    #[error("the capture of {path} was given up before it was whole; nothing was left of it")]
    GivenUp { path: PathBuf },
}

/// Writes to the file, and never the last of its disk. Handed to a [`Sieve`].
#[derive(Debug)]
pub struct OutputFile {
    file: BufWriter<File>,
    written: Arc<AtomicU64>,
    looked_at: u64,
}

/// What stands between the words of a runtime and the file: redaction, or nothing.
pub trait Finish: Write + Send {
    /// Writes what it held back, and gives the file back.
    ///
    /// # Errors
    /// When that cannot be written, or what came before was cut off.
    fn finish(self: Box<Self>) -> io::Result<OutputFile>;
}

/// Puts something in between, once the file is open.
pub type Sieve = Box<dyn FnOnce(OutputFile) -> io::Result<Box<dyn Finish>> + Send>;

/// Nothing in between.
pub fn unchanged() -> Sieve {
    Box::new(|file| Ok(Box::new(file)))
}

impl Finish for OutputFile {
    fn finish(self: Box<Self>) -> io::Result<OutputFile> {
        Ok(*self)
    }
}

impl Write for OutputFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.written.load(Ordering::Relaxed);
        if written.saturating_sub(self.looked_at) >= LOOK_AT_DISK_EVERY {
            self.looked_at = written;
            let room = DiskRoom::at(self.file.get_ref())?;
            if room.usable().0 < LOOK_AT_DISK_EVERY {
                let left =
                    format!("only {} are free on the disk, the reserve of others", room.free);
                return Err(io::Error::new(io::ErrorKind::StorageFull, left));
            }
        }
        let count = self.file.write(bytes)?;
        self.written.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// The file before it is whole.
#[derive(Debug)]
pub(crate) struct PartFile {
    destination: Destination,
    folder: OwnedFd,
    name: String,
    file: File,
    /// Its temporary name, where the file system cannot do without one.
    part: Option<PartName>,
    written: Arc<AtomicU64>,
}

/// A temporary name, for as long as this lives.
#[derive(Debug)]
struct PartName {
    folder: OwnedFd,
    name: String,
}

impl Drop for PartName {
    fn drop(&mut self) {
        // Already renamed, most often.
        rustix::fs::unlinkat(&self.folder, &self.name, AtFlags::empty()).unwrap_or(());
    }
}

impl PartFile {
    pub(crate) fn create(
        destination: &Destination,
        written: Arc<AtomicU64>,
    ) -> Result<Self, OutputError> {
        let path = &destination.path;
        let folder_path = folder_of(path);
        let failed = |source| OutputError::Folder { path: folder_path.to_owned(), source };
        let folder = open_folder(folder_path).map_err(failed)?;
        let name = path.file_name().and_then(|name| name.to_str()).map(str::to_owned);
        let name = name.ok_or_else(|| OutputError::Name { path: path.clone() })?;
        // Said before the service is stopped for it; decided when the file is whole.
        if !destination.overwrite && path.symlink_metadata().is_ok() {
            return Err(OutputError::Exists { path: path.clone() });
        }
        let (file, part) = create_in(&folder, &name)
            .map_err(|source| OutputError::Write { path: path.clone(), source })?;
        Ok(Self { destination: destination.clone(), folder, name, file, part, written })
    }

    pub(crate) fn writer(&self) -> io::Result<OutputFile> {
        let file = BufWriter::with_capacity(WRITE_BYTES, self.file.try_clone()?);
        Ok(OutputFile { file, written: Arc::clone(&self.written), looked_at: 0 })
    }

    pub(crate) fn failed(&self, source: io::Error) -> OutputError {
        OutputError::Write { path: self.destination.path.clone(), source }
    }

    pub(crate) fn given_up(&self) -> OutputError {
        OutputError::GivenUp { path: self.destination.path.clone() }
    }

    /// Gives the file its name, once its last byte is on the disk.
    pub(crate) fn commit(mut self, written: OutputFile) -> Result<Bytes, OutputError> {
        let path = self.destination.path.clone();
        let size =
            written.file.into_inner().map_err(io::IntoInnerError::into_error).and_then(|file| {
                file.sync_all()?;
                Ok(file.metadata()?.len())
            });
        let size = size.map_err(|source| OutputError::Write { path: path.clone(), source })?;
        let named = self
            .give_name()
            .and_then(|()| rustix::fs::fsync(&self.folder).map_err(io::Error::from));
        match named {
            Ok(()) => Ok(Bytes(size)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                Err(OutputError::Exists { path })
            }
            Err(source) => Err(OutputError::Write { path, source }),
        }
    }

    fn give_name(&mut self) -> io::Result<()> {
        let part = match self.part.take() {
            Some(part) => part,
            None if !self.destination.overwrite => return Ok(self.link_as(&self.name)?),
            None => {
                let name = part_name(&self.name);
                self.link_as(&name)?;
                PartName { folder: self.folder.try_clone()?, name }
            }
        };
        if self.destination.overwrite {
            rustix::fs::renameat(&self.folder, &part.name, &self.folder, &self.name)?;
        } else {
            // A link, because it refuses to replace; the temporary name goes with its value.
            let (from, to) = (part.name.as_str(), self.name.as_str());
            rustix::fs::linkat(&self.folder, from, &self.folder, to, AtFlags::empty())?;
        }
        Ok(())
    }

    fn link_as(&self, name: &str) -> rustix::io::Result<()> {
        let nameless = format!("/proc/self/fd/{}", self.file.as_raw_fd());
        let follow = AtFlags::SYMLINK_FOLLOW;
        rustix::fs::linkat(rustix::fs::CWD, nameless, &self.folder, name, follow)
    }
}

/// The folder that a file is or will be in.
pub fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."))
}

fn open_folder(path: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(rustix::fs::open(path, flags, Mode::empty())?)
}

fn create_in(folder: &OwnedFd, name: &str) -> io::Result<(File, Option<PartName>)> {
    let mode = Mode::RUSR | Mode::WUSR;
    let nameless = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
    if let Ok(file) = rustix::fs::openat(folder.as_fd(), ".", nameless, mode) {
        return Ok((File::from(file), None));
    }
    // NFS and some overlays have no nameless files.
    let name = part_name(name);
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = rustix::fs::openat(folder.as_fd(), name.as_str(), flags, mode)?;
    Ok((File::from(file), Some(PartName { folder: folder.try_clone()?, name })))
}

fn part_name(name: &str) -> String {
    format!(".{name}.{}.part", std::process::id())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn write(destination: &Destination, text: &str, named: bool) -> Result<Bytes, OutputError> {
        let mut part = PartFile::create(destination, Arc::default())?;
        if named {
            let name = part_name(&part.name);
            part.link_as(&name).unwrap();
            part.part = Some(PartName { folder: part.folder.try_clone().unwrap(), name });
        }
        let mut file = part.writer().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        part.commit(Box::new(file).finish().unwrap())
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(folder).unwrap().flatten();
        entries.map(|entry| entry.file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn the_file_is_whole_and_its_owners_or_not_there() {
        for named in [false, true] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("a.hprof");
            let once = Destination { path: path.clone(), overwrite: false };
            assert_eq!(write(&once, "abc", named).unwrap(), Bytes(3));
            assert_eq!(std::fs::read(&path).unwrap(), b"abc");
            assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
            assert!(matches!(write(&once, "d", named).unwrap_err(), OutputError::Exists { .. }));
            let again = Destination { path: path.clone(), overwrite: true };
            assert_eq!(write(&again, "de", named).unwrap(), Bytes(2));
            assert_eq!(std::fs::read(&path).unwrap(), b"de");
            assert_eq!(names(folder.path()), ["a.hprof"]);
        }
    }

    #[test]
    fn a_file_that_came_meanwhile_is_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.hprof");
        let destination = Destination { path: path.clone(), overwrite: false };
        let part = PartFile::create(&destination, Arc::default()).unwrap();
        std::fs::write(&path, "theirs").unwrap();
        let file = part.writer().unwrap();
        assert!(matches!(part.commit(file).unwrap_err(), OutputError::Exists { .. }));
        assert_eq!(std::fs::read(&path).unwrap(), b"theirs");
    }

    #[test]
    fn what_is_given_up_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let destination = Destination { path: folder.path().join("a"), overwrite: false };
        let part = PartFile::create(&destination, Arc::default()).unwrap();
        part.writer().unwrap().write_all(&[1; 1 << 20]).unwrap();
        drop(part);
        assert!(names(folder.path()).is_empty());
        let nowhere = Destination { path: folder.path().join("no/a"), overwrite: false };
        let error = PartFile::create(&nowhere, Arc::default()).unwrap_err();
        assert!(matches!(error, OutputError::Folder { .. }));
    }
}
