//! The strings of a snapshot: one arena, and where each ends in it.
//!
//! Names and values alike; which is which is said by who refers to it. Used by the reader of
//! snapshots.

use std::borrow::Cow;

use super::SnapshotError;
use super::scan::Scanner;

#[derive(Clone, Debug, Default)]
pub(super) struct Strings {
    bytes: Vec<u8>,
    ends: Vec<u64>,
}

impl Strings {
    /// Reads an array of strings into place, as far as it is whole.
    pub(super) fn read(&mut self, scanner: &mut Scanner<'_>) -> Result<(), SnapshotError> {
        scanner.take(b'[', "an array of strings")?;
        if scanner.takes(b']')? {
            return Ok(());
        }
        loop {
            let read = scanner.string(&mut self.bytes);
            if read.is_err() {
                let whole = self.ends.last().map_or(0, |end| *end as usize);
                self.bytes.truncate(whole);
            }
            read?;
            self.ends.push(self.bytes.len() as u64);
            if !scanner.goes_on(b']')? {
                return Ok(());
            }
        }
    }

    pub(super) fn count(&self) -> usize {
        self.ends.len()
    }

    pub(super) fn of(&self, index: u32) -> Option<&[u8]> {
        let end = *self.ends.get(index as usize)? as usize;
        let begin = match index.checked_sub(1) {
            Some(before) => *self.ends.get(before as usize)? as usize,
            None => 0,
        };
        self.bytes.get(begin..end)
    }

    pub(super) fn text(&self, index: u32) -> Option<Cow<'_, str>> {
        self.of(index).map(String::from_utf8_lossy)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.ends.len() as u32).filter_map(|index| self.of(index))
    }
}
