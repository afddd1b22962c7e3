//! The journal file: `audit.jsonl`, one entry a line, and `audit.head`, which names the newest one.
//!
//! Blocking on purpose: an entry is rare and must be on the disk before what it announces is done.
//! Call it from `tokio::task::spawn_blocking`, or accept the milliseconds. What a chain of entries
//! is, and what a check can find, is in `plimsoll_wire::journal`.

mod head;
mod read;
mod tail;

use std::fs::{File, TryLockError};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use plimsoll_model::{IncidentId, JournalDraft, Timestamp};
use plimsoll_wire::journal::{EntryDraft, Head, JournalEntry, chain};

use crate::files;

pub use read::{ENTRIES_MAX, verify};

pub(crate) const JOURNAL_FILE: &str = "audit.jsonl";

/// Longest line of the file in bytes. Evidence holds digests and measured effects, not captures: a
/// longer entry is a mistake, and a reader must be able to bound its memory.
pub(crate) const LINE_BYTES_MAX: usize = 1 << 20;

/// The journal of one server, open for writing.
#[derive(Debug)]
pub struct Journal {
    dir: PathBuf,
    file: File,
    head: Head,
    /// Where the next line begins. Everything behind it is left over from a write that failed.
    len: u64,
}

/// A journal, and what was found when it was opened.
#[derive(Debug)]
pub struct Opened {
    pub journal: Journal,
    /// Where the torn last line of a crash was moved to; it was never acknowledged. Write down that
    /// it was found.
    pub torn: Option<PathBuf>,
}

/// Why the journal could not be opened, written or read.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    #[error("could not {attempt} `{}`", path.display())]
    Files { attempt: &'static str, path: PathBuf, source: io::Error },
    #[error("the journal `{}` is open for writing already", path.display())]
    Locked { path: PathBuf },
    #[error("the disk is full; the entry was not written, make space and go on")]
    DiskFull(#[source] io::Error),
    #[error("the entry was not written")]
    Write(#[source] io::Error),
    #[error("the entry has {bytes} bytes, at most {LINE_BYTES_MAX} are taken")]
    TooLong { bytes: usize },
    #[error(
        "the journal `{}` is not as it was written: {what}; look with `plimsoll audit verify`, and \
         keep the files as evidence: move them away to begin a new journal", path.display()
    )]
    Damaged { path: PathBuf, what: String },
}

/// A journal up to one moment. Lines are only ever added, so it stays true.
#[derive(Clone, Debug)]
pub struct Written {
    dir: PathBuf,
    len: u64,
}

impl Written {
    /// The newest `limit` entries (at most [`ENTRIES_MAX`]), of one incident or of all, oldest
    /// first. Reads the whole file once.
    pub fn entries(
        &self,
        incident: Option<&IncidentId>,
        limit: usize,
    ) -> Result<Vec<JournalEntry>, JournalError> {
        read::entries(&self.dir, self.len, incident, limit)
    }
}

impl Journal {
    pub(crate) fn open(dir: &Path) -> Result<Opened, JournalError> {
        let path = dir.join(JOURNAL_FILE);
        let failed = |source| JournalError::Files {
            attempt: "open the journal",
            path: path.clone(),
            source,
        };
        let file = files::open_file(&path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(JournalError::Locked { path }),
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        files::sync_dir(dir).map_err(failed)?;
        let tail = tail::read(dir, &file)?;
        let torn = match tail.torn {
            Some(torn) => Some(tail::put_aside(dir, &file, tail.len, tail.head.seq + 1, &torn)?),
            None => None,
        };
        if tail.head_is_behind {
            head::write(dir, tail.head).map_err(write_error)?;
        }
        let journal = Self { dir: dir.to_owned(), file, head: tail.head, len: tail.len };
        Ok(Opened { journal, torn })
    }

    /// Writes what the loop says. It is durable when this returns; after an error it is not there,
    /// and the next entry takes its place.
    pub fn append(
        &mut self,
        draft: JournalDraft,
        at: Timestamp,
    ) -> Result<JournalEntry, JournalError> {
        self.append_entry(EntryDraft::new(draft, at))
    }

    /// The same with evidence of any shape.
    pub fn append_entry(&mut self, draft: EntryDraft) -> Result<JournalEntry, JournalError> {
        let entry = chain(self.head, draft);
        let mut line = entry.to_line();
        line.push('\n');
        if line.len() > LINE_BYTES_MAX {
            return Err(JournalError::TooLong { bytes: line.len() });
        }
        let head = entry.head().expect("an entry that was just chained has a digest");
        if let Err(source) = self.write_line(&line, head) {
            // What cannot be taken back now is overwritten by the next line, and put aside as torn
            // by the next opening.
            drop(self.file.set_len(self.len));
            return Err(write_error(source));
        }
        self.head = head;
        self.len += line.len() as u64;
        Ok(entry)
    }

    /// What is written by now, to be read without holding up who writes.
    pub fn written(&self) -> Written {
        Written { dir: self.dir.clone(), len: self.len }
    }

    /// As [`Written::entries`], of what is written by now.
    pub fn entries(
        &self,
        incident: Option<&IncidentId>,
        limit: usize,
    ) -> Result<Vec<JournalEntry>, JournalError> {
        self.written().entries(incident, limit)
    }

    /// The newest entry. Keep a copy of it where nobody who can write the files can reach it.
    pub const fn head(&self) -> Head {
        self.head
    }

    fn write_line(&self, line: &str, head: Head) -> io::Result<()> {
        // A shorter line over the rest of a longer one that failed would leave the rest behind it.
        if self.file.metadata()?.len() != self.len {
            self.file.set_len(self.len)?;
        }
        self.file.write_all_at(line.as_bytes(), self.len)?;
        self.file.sync_data()?;
        head::write(&self.dir, head)
    }
}

pub(crate) fn write_error(source: io::Error) -> JournalError {
    match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => JournalError::DiskFull(source),
        _other => JournalError::Write(source),
    }
}
