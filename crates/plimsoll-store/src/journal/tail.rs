//! The end of the journal, as it is found when it is opened: what a crash can leave there is
//! repaired, anything else is refused.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use plimsoll_wire::journal::{Head, JournalEntry};

use crate::files;
use crate::journal::{JOURNAL_FILE, JournalError, LINE_BYTES_MAX, head, write_error};

/// How a journal ends.
#[derive(Debug)]
pub(crate) struct Tail {
    pub(crate) head: Head,
    /// Length of the whole lines.
    pub(crate) len: u64,
    /// What stands behind them.
    pub(crate) torn: Option<Vec<u8>>,
    /// A crash came between the last entry and its checkpoint.
    pub(crate) head_is_behind: bool,
}

/// Reads the last entry, and compares it with the checkpoint. The entries before it are not looked
/// at: that is what `plimsoll audit verify` is for, and it takes as long as the file is.
pub(crate) fn read(dir: &Path, file: &File) -> Result<Tail, JournalError> {
    let path = dir.join(JOURNAL_FILE);
    let failed =
        |source| JournalError::Files { attempt: "read the journal", path: path.clone(), source };
    let damaged = |what: String| JournalError::Damaged { path: path.clone(), what };
    let checkpoint = head::read(dir)?;
    let size = file.metadata().map_err(failed)?.len();
    // The last whole line and what is torn behind it are each one line long at most.
    let start = size.saturating_sub(2 * LINE_BYTES_MAX as u64);
    let mut end = vec![0; (size - start) as usize];
    file.read_exact_at(&mut end, start).map_err(failed)?;
    let whole = end.iter().rposition(|byte| *byte == b'\n').map_or(0, |place| place + 1);
    let (lines, torn) = end.split_at(whole);
    if torn.len() > LINE_BYTES_MAX {
        return Err(damaged("its last line is longer than any entry".into()));
    }
    let last = last_entry(lines).map_err(&damaged)?;
    let head_is_behind = compare(last.as_ref(), checkpoint).map_err(&damaged)?;
    Ok(Tail {
        head: last.and_then(|entry| entry.head()).unwrap_or(Head::EMPTY),
        len: start + whole as u64,
        torn: (!torn.is_empty()).then(|| torn.to_vec()),
        head_is_behind,
    })
}

/// Moves a torn line out of the journal, into a file that is named after the entry that it would
/// have been.
pub(crate) fn put_aside(
    dir: &Path,
    file: &File,
    len: u64,
    seq: u64,
    torn: &[u8],
) -> Result<PathBuf, JournalError> {
    let path = dir.join(format!("audit.torn-{seq}"));
    let copy = files::open_file(&path).map_err(write_error)?;
    copy.set_len(0).map_err(write_error)?;
    copy.write_all_at(torn, 0).map_err(write_error)?;
    copy.sync_all().map_err(write_error)?;
    files::sync_dir(dir).map_err(write_error)?;
    file.set_len(len).map_err(write_error)?;
    file.sync_all().map_err(write_error)?;
    Ok(path)
}

fn last_entry(lines: &[u8]) -> Result<Option<JournalEntry>, String> {
    let Some(lines) = lines.strip_suffix(b"\n") else { return Ok(None) };
    let line = lines.rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
    JournalEntry::from_line(line).map(Some)
}

/// Whether the checkpoint is the one entry behind that a crash explains. Anything else between them
/// is not a crash.
fn compare(last: Option<&JournalEntry>, checkpoint: Option<Head>) -> Result<bool, String> {
    let checkpoint = checkpoint.unwrap_or(Head::EMPTY);
    let Some(last) = last else {
        return match checkpoint.seq {
            0 => Ok(false),
            seq => Err(format!("it is empty, but its checkpoint names entry {seq}")),
        };
    };
    if last.head() == Some(checkpoint) {
        return Ok(false);
    }
    if last.seq == checkpoint.seq + 1 && last.previous == checkpoint.digest.to_string() {
        return Ok(true);
    }
    Err(format!(
        "it ends with entry {}, which is not the entry {} that its checkpoint names",
        last.seq, checkpoint.seq
    ))
}
