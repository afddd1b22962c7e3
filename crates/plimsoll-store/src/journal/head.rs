//! The checkpoint: which entry is the newest. Replaced as a whole, so it is always the old one or
//! the new one.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use plimsoll_wire::canonical;
use plimsoll_wire::journal::{Head, HeadShape};

use crate::files;
use crate::journal::JournalError;

const HEAD_FILE: &str = "audit.head";
const NEW_HEAD_FILE: &str = "audit.head.new";

/// A checkpoint is one short line; more is not read.
const HEAD_BYTES_MAX: u64 = 4096;

/// None when there is no checkpoint yet.
pub(crate) fn read(dir: &Path) -> Result<Option<Head>, JournalError> {
    let path = dir.join(HEAD_FILE);
    let mut text = String::new();
    let opened =
        File::open(&path).and_then(|file| file.take(HEAD_BYTES_MAX).read_to_string(&mut text));
    match opened {
        Ok(_) => {}
        Err(source) if source.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => {
            return Err(JournalError::Files { attempt: "read the checkpoint", path, source });
        }
    }
    let shape = serde_json::from_str::<HeadShape>(&text).ok();
    match shape.and_then(|shape| Head::try_from(shape).ok()) {
        Some(head) => Ok(Some(head)),
        None => Err(JournalError::Damaged { path, what: "the checkpoint is not one".into() }),
    }
}

pub(crate) fn write(dir: &Path, head: Head) -> io::Result<()> {
    let new = dir.join(NEW_HEAD_FILE);
    let mut file = files::open_file(&new)?;
    file.set_len(0)?;
    file.write_all(canonical::text_of(&HeadShape::from(&head)).as_bytes())?;
    file.write_all(b"\n")?;
    file.sync_data()?;
    std::fs::rename(&new, dir.join(HEAD_FILE))?;
    // The entry is durable without this. Should the name not be after a power cut, the checkpoint
    // is one entry behind, which the next opening repairs; to fail now would take back an entry
    // that the checkpoint names already.
    drop(files::sync_dir(dir));
    Ok(())
}
