//! Redaction of dumps: the shape of a heap without what is in it.
//!
//! Ids, counts, sizes, references and the names of classes, functions, fields and properties stay, so
//! that the graph and every retained size are the same; values of strings, arrays of primitives and
//! primitive fields go. Works on bytes as they arrive, in bounded memory, so that a dump can be redacted
//! before it touches a disk. A property of a JavaScript object is called by a key that may come from
//! outside, such as an e-mail address: [`Level::ValuesAndNames`] hides those, too.

mod be;
mod class;
mod hprof;
mod indices;
mod names;
mod v8;
mod v8_names;

use std::io::{self, Read, Write};

use thiserror::Error;

use self::hprof::Hprof;
use self::v8::V8;
use crate::source::Progress;
use crate::v8::SnapshotError;

/// What is hidden.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Values. Names of classes, fields, methods, files, functions and properties stay.
    Values,
    /// Names as well, but for those of the platform (the JDK, Android, V8), which readers need and
    /// which tell nothing.
    ValuesAndNames,
}

/// Why a dump was not redacted. What was written until then must not be kept.
#[derive(Debug, Error)]
pub enum RedactError {
    #[error("the dump is neither HPROF nor a V8 snapshot; unpack it first if it is compressed")]
    Format,
    #[error("the dump is damaged at offset {at}: {what}; nothing of it can be told from a value")]
    Damaged { at: u64, what: &'static str },
    #[error("the header of the snapshot cannot be read, so that names cannot be told from values")]
    Header { source: SnapshotError },
    #[error("the dump cannot be read at offset {at}")]
    Read { at: u64, source: io::Error },
    #[error("the redacted dump cannot be written; is the disk full?")]
    Write { source: io::Error },
}

/// What was done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Redacted {
    /// Bytes that were set to zero, of an HPROF dump, besides those of instances.
    pub erased: u64,
    /// Strings that were values, and were replaced.
    pub strings: u64,
    /// Names that were replaced.
    pub names: u64,
    pub classes: u64,
    pub instances: u64,
    pub arrays: u64,
    /// Instances whose references went with their values, because their class did not come in time.
    pub blanked: u64,
    /// Records that the format does not have: their content was erased.
    pub unknown_records: u64,
    /// Where the dump ends before its end. What was redacted ends there, too.
    pub cut_at: Option<u64>,
}

/// Redacts a dump whose bytes arrive in pieces.
#[derive(Debug)]
pub struct Redactor {
    level: Level,
    format: Format,
}

#[derive(Debug)]
enum Format {
    /// The first bytes, which do not tell yet.
    Unknown(Vec<u8>),
    Hprof(Box<Hprof>),
    V8(Box<V8>),
}

const HPROF: &[u8] = b"JAVA PROFILE 1.0";

impl Redactor {
    pub fn new(level: Level) -> Self {
        Self { level, format: Format::Unknown(Vec::new()) }
    }

    /// Takes bytes of the dump; gives those that are redacted so far, which may be more or fewer.
    ///
    /// # Errors
    /// When the bytes are of no dump that is known, or damaged.
    pub fn push(&mut self, bytes: &[u8]) -> Result<&[u8], RedactError> {
        let mut first = Vec::new();
        if let Format::Unknown(begun) = &mut self.format {
            begun.extend_from_slice(bytes);
            if begun.len() < HPROF.len() && HPROF.starts_with(begun) {
                return Ok(&[]);
            }
            first = std::mem::take(begun);
            self.format = if first.starts_with(HPROF) {
                Format::Hprof(Box::new(Hprof::new(self.level)))
            } else if first.starts_with(b"{") {
                Format::V8(Box::new(V8::new(self.level)))
            } else {
                return Err(RedactError::Format);
            };
        }
        let bytes = if first.is_empty() { bytes } else { &first };
        match &mut self.format {
            Format::Hprof(hprof) => hprof.push(bytes),
            Format::V8(v8) => v8.push(bytes),
            Format::Unknown(_) => Ok(&[]),
        }
    }

    /// The dump has ended; gives what was held back.
    ///
    /// # Errors
    /// When there was too little to tell what it is, or what was held back is damaged.
    pub fn finish(&mut self) -> Result<&[u8], RedactError> {
        match &mut self.format {
            Format::Hprof(hprof) => hprof.finish(),
            Format::V8(v8) => Ok(v8.finish()),
            Format::Unknown(_) => Err(RedactError::Format),
        }
    }

    /// What was done so far.
    pub fn done(&self) -> Redacted {
        match &self.format {
            Format::Hprof(hprof) => hprof.done(),
            Format::V8(v8) => v8.done(),
            Format::Unknown(_) => Redacted::default(),
        }
    }
}

/// Bytes that are read at a time.
const PIECE: usize = 256 << 10;

/// Redacts a whole dump from one place to another. `size` is told along with progress only.
///
/// # Errors
/// As [`Redactor::push`], and when the dump cannot be read or written.
pub fn redact(
    from: &mut dyn Read,
    to: &mut dyn Write,
    level: Level,
    (size, progress): (u64, &dyn Progress),
) -> Result<Redacted, RedactError> {
    let mut redactor = Redactor::new(level);
    let mut piece = vec![0; PIECE];
    let mut at = 0;
    loop {
        let read = match from.read(&mut piece) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(source) => return Err(RedactError::Read { at, source }),
        };
        let ready = redactor.push(&piece[..read])?;
        to.write_all(ready).map_err(|source| RedactError::Write { source })?;
        at += read as u64;
        progress.tell("redacting", at, size.max(at));
    }
    to.write_all(redactor.finish()?).map_err(|source| RedactError::Write { source })?;
    Ok(redactor.done())
}

#[cfg(test)]
mod tests;
