//! Reads the small text files of procfs and cgroupfs with one reused path and one reused buffer.
//!
//! Not a parser: the modules that know a file's form parse what this returns. Used by `proc`,
//! `cgroup`, `pressure` and `identity`.

use std::ffi::OsString;
use std::fmt::{self, Write as _};
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use nix::errno::Errno;

/// The most that is taken of any file unless its reader says otherwise. `/proc/meminfo`,
/// `memory.stat` and `/proc/<pid>/limits` stay below 8 KiB on every kernel known.
pub(crate) const SMALL_FILE_BYTES_MAX: usize = 64 * 1024;

/// Why a file of a process or a group gave nothing. All four are ordinary: processes end while
/// they are read, and an agent without privilege may not look into other users' processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ReadFailure {
    #[error("the process or group is gone")]
    Gone,
    #[error("the agent may not read it: run it as the same user, or as root")]
    Denied,
    #[error("the text has a form that the agent does not know")]
    Malformed,
    #[error("the kernel refused the read")]
    Refused,
}

impl From<io::Error> for ReadFailure {
    fn from(error: io::Error) -> Self {
        if error.raw_os_error() == Some(Errno::ESRCH as i32) {
            return Self::Gone;
        }
        match error.kind() {
            io::ErrorKind::NotFound => Self::Gone,
            io::ErrorKind::PermissionDenied => Self::Denied,
            _ => Self::Refused,
        }
    }
}

/// A folder whose files are read again and again.
#[derive(Debug)]
pub(crate) struct FileReader {
    root: PathBuf,
    path: OsString,
    buffer: Vec<u8>,
}

impl FileReader {
    pub(crate) fn new(root: &Path) -> Self {
        Self { root: root.to_owned(), path: OsString::new(), buffer: Vec::new() }
    }

    /// The path of something below the root, valid until the next call.
    pub(crate) fn path(&mut self, relative: fmt::Arguments<'_>) -> &Path {
        self.path.clear();
        self.path.push(&self.root);
        self.path.push("/");
        self.path.write_fmt(relative).expect("writing to memory cannot fail");
        Path::new(&self.path)
    }

    /// The text of a file below the root, cut at [`SMALL_FILE_BYTES_MAX`].
    pub(crate) fn read(&mut self, relative: fmt::Arguments<'_>) -> Result<&[u8], ReadFailure> {
        self.read_up_to(SMALL_FILE_BYTES_MAX, relative)
    }

    pub(crate) fn read_up_to(
        &mut self,
        bytes_max: usize,
        relative: fmt::Arguments<'_>,
    ) -> Result<&[u8], ReadFailure> {
        let mut file = File::open(self.path(relative))?;
        let used = fill(&mut file, &mut self.buffer, bytes_max)?;
        Ok(self.buffer.get(..used).unwrap_or_default())
    }

    /// Overwrites what was read last, and gives back a buffer that an odd file has blown up.
    /// Call it after files that may hold secrets.
    pub(crate) fn forget(&mut self) {
        self.buffer.fill(0);
        if self.buffer.len() > SMALL_FILE_BYTES_MAX {
            self.buffer = Vec::new();
        }
    }
}

/// First size of the buffer: one page holds every per-process file that is read each round.
const FIRST_BUFFER_BYTES: usize = 4096;

/// Reads to the end or to the bound. The buffer never shrinks here, so that a round allocates
/// nothing once it has met its largest file.
fn fill(file: &mut File, buffer: &mut Vec<u8>, bytes_max: usize) -> io::Result<usize> {
    if buffer.is_empty() {
        buffer.resize(FIRST_BUFFER_BYTES, 0);
    }
    let mut used = 0;
    loop {
        if used == buffer.len() {
            buffer.resize(buffer.len() * 2, 0);
        }
        let end = buffer.len().min(bytes_max);
        if used >= end {
            return Ok(used);
        }
        let Some(free) = buffer.get_mut(used..end) else { return Ok(used) };
        match file.read(free) {
            Ok(0) => return Ok(used),
            Ok(count) => used += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// The unsigned number that a text begins with, behind blanks.
pub(crate) fn leading_number(text: &[u8]) -> Option<u64> {
    let digits = text.trim_ascii_start();
    let end = digits.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(digits.len());
    let digits = std::str::from_utf8(digits.get(..end)?).ok()?;
    digits.parse().ok()
}

/// The value of `key value` lines, as in `memory.stat`, `memory.events` and `/proc/meminfo`.
pub(crate) fn keyed_number(text: &[u8], key: &str) -> Option<u64> {
    text.split(|byte| *byte == b'\n')
        .find_map(|line| line.strip_prefix(key.as_bytes())?.strip_prefix(b" "))
        .and_then(leading_number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_whole_up_to_the_bound() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("big"), vec![b'x'; 20_000]).unwrap();
        let mut reader = FileReader::new(folder.path());
        assert_eq!(reader.read(format_args!("big")).unwrap().len(), 20_000);
        assert_eq!(reader.read_up_to(100, format_args!("big")).unwrap().len(), 100);
        reader.forget();
        assert!(reader.buffer.iter().all(|byte| *byte == 0));
    }

    #[test]
    fn a_missing_file_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let mut reader = FileReader::new(folder.path());
        assert_eq!(reader.read(format_args!("none")), Err(ReadFailure::Gone));
    }

    #[test]
    fn a_key_is_not_found_inside_a_longer_one() {
        let text = b"anon_thp 5\nanon 7\nfile x\n";
        assert_eq!(keyed_number(text, "anon"), Some(7));
        assert_eq!(keyed_number(text, "file"), None);
        assert_eq!(keyed_number(text, "thp"), None);
    }
}
