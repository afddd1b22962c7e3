//! Reading the journal in bounded memory: the entries of an incident, and the check of all of it.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use plimsoll_model::IncidentId;
use plimsoll_wire::journal::{JournalEntry, Verification, Verifier};

use crate::journal::{JOURNAL_FILE, JournalError, LINE_BYTES_MAX, head};

/// Entries that are given at most: an incident has dozens.
pub const ENTRIES_MAX: usize = 10_000;

/// Checks the journal of a data directory, from its files alone; no server needs to run, and one
/// that runs is not disturbed. An error means that the files could not be read, not that they were
/// changed: that is in the answer.
pub fn verify(dir: &Path) -> Result<Verification, JournalError> {
    // The checkpoint first: an entry that is written meanwhile is then behind it, which is fine.
    let (checkpoint, bad_checkpoint) = match head::read(dir) {
        Ok(checkpoint) => (checkpoint, false),
        Err(JournalError::Damaged { .. }) => (None, true),
        Err(error) => return Err(error),
    };
    let mut verifier = Verifier::new(checkpoint);
    let mut lines = Lines::open(dir, u64::MAX)?;
    while let Some(line) = lines.next()? {
        match line {
            Line::Whole(line) => verifier.line(line),
            Line::Torn => verifier.refuse("the last line is cut off"),
            Line::TooLong => verifier.refuse("the line is longer than any entry"),
        }
    }
    // One entry without a checkpoint is what a crash can leave; more were written with one.
    if bad_checkpoint {
        verifier.refuse("the checkpoint is not one: it was edited");
    } else if checkpoint.is_none() && verifier.head().seq > 1 {
        verifier.refuse("the checkpoint is missing, so entries may be missing here");
    }
    Ok(verifier.finish())
}

pub(crate) fn entries(
    dir: &Path,
    len: u64,
    incident: Option<&IncidentId>,
    limit: usize,
) -> Result<Vec<JournalEntry>, JournalError> {
    let limit = limit.min(ENTRIES_MAX);
    let mut newest = VecDeque::new();
    let mut lines = Lines::open(dir, len)?;
    while let Some(line) = lines.next()? {
        // A fault is the business of the check; here the entries around it are still worth reading.
        let Line::Whole(line) = line else { continue };
        if incident.is_some_and(|incident| !mentions(line, incident.as_str())) {
            continue;
        }
        let Ok(entry) = serde_json::from_slice::<JournalEntry>(line) else { continue };
        if incident.is_some_and(|incident| entry.incident.as_deref() != Some(incident.as_str())) {
            continue;
        }
        newest.push_back(entry);
        if newest.len() > limit {
            newest.pop_front();
        }
    }
    Ok(newest.into())
}

/// Whether a line may be about an incident; cheaper than understanding it.
fn mentions(line: &[u8], incident: &str) -> bool {
    // A name that JSON writes otherwise than it is cannot be looked for in the line.
    let plain =
        incident.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\');
    !plain || std::str::from_utf8(line).is_ok_and(|line| line.contains(incident))
}

/// The lines of the journal, each in the same buffer.
struct Lines<'a> {
    dir: &'a Path,
    file: BufReader<io::Take<File>>,
    line: Vec<u8>,
}

enum Line<'a> {
    Whole(&'a [u8]),
    Torn,
    TooLong,
}

impl<'a> Lines<'a> {
    fn open(dir: &'a Path, len: u64) -> Result<Self, JournalError> {
        let path = dir.join(JOURNAL_FILE);
        match File::open(&path) {
            Ok(file) => Ok(Self { dir, file: BufReader::new(file.take(len)), line: Vec::new() }),
            Err(source) => Err(JournalError::Files { attempt: "open the journal", path, source }),
        }
    }

    fn next(&mut self) -> Result<Option<Line<'_>>, JournalError> {
        self.line.clear();
        let mut bounded = (&mut self.file).take(LINE_BYTES_MAX as u64);
        match bounded.read_until(b'\n', &mut self.line) {
            Ok(0) => return Ok(None),
            Ok(_) => {}
            Err(source) => return Err(self.failed(source)),
        }
        match self.line.strip_suffix(b"\n") {
            Some(line) => return Ok(Some(Line::Whole(line))),
            None if self.line.len() < LINE_BYTES_MAX => return Ok(Some(Line::Torn)),
            None => {}
        }
        self.file.skip_until(b'\n').map_err(|source| self.failed(source))?;
        Ok(Some(Line::TooLong))
    }

    fn failed(&self, source: io::Error) -> JournalError {
        let path = self.dir.join(JOURNAL_FILE);
        JournalError::Files { attempt: "read the journal", path, source }
    }
}
