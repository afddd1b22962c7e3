//! The one place where redaction plugs into a capture: what stands between the words of a runtime
//! and the disk, by the format of the file.
//!
//! Not here: how a format is redacted (`plimsoll-heap`).

use std::io::{self, Write};

use plimsoll_heap::{Level, Redactor};
use plimsoll_runtime::capture::Contents;
use plimsoll_runtime::output::{Finish, OutputFile, Sieve, unchanged};

/// Whether values may reach the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Redaction {
    /// A person asked for the file as it is.
    Never,
    /// What holds values goes through a redactor, or is not made.
    Always,
}

/// Redacts what is written to it on its way into the file.
#[derive(Debug)]
struct Redacting {
    redactor: Redactor,
    file: OutputFile,
}

impl Write for Redacting {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let ready = self.redactor.push(bytes).map_err(io::Error::other)?;
        self.file.write_all(ready)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Finish for Redacting {
    fn finish(mut self: Box<Self>) -> io::Result<OutputFile> {
        let ready = self.redactor.finish().map_err(io::Error::other)?;
        self.file.write_all(ready)?;
        Ok(self.file)
    }
}

/// Whether values that a file of a format holds are taken out by the redactor.
const fn is_redacted(contents: Contents) -> bool {
    match contents {
        Contents::Hprof | Contents::V8Snapshot => true,
        Contents::V8Profile
        | Contents::ClassHistogram
        | Contents::GoHeap
        | Contents::Goroutines
        | Contents::Counters => false,
    }
}

fn redacting() -> Sieve {
    let redactor = Redactor::new(Level::Values);
    Box::new(|file| Ok(Box::new(Redacting { redactor, file })))
}

impl Redaction {
    pub(crate) fn sieve(self, contents: Contents) -> Sieve {
        match self {
            Self::Always if is_redacted(contents) => redacting(),
            Self::Always | Self::Never => unchanged(),
        }
    }

    /// What must not be captured, because values could not be taken out.
    pub(crate) fn withheld(self) -> fn(Contents) -> bool {
        match self {
            Self::Never => |_| false,
            Self::Always => |contents| contents.holds_values() && !is_redacted(contents),
        }
    }

    pub(crate) fn leaves_out_values(self, contents: Contents) -> bool {
        self == Self::Always || !contents.holds_values()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_holds_values_is_redacted_or_not_captured() {
        let withheld = Redaction::Always.withheld();
        for contents in [Contents::Hprof, Contents::V8Snapshot, Contents::ClassHistogram] {
            assert!(!withheld(contents));
            assert!(Redaction::Always.leaves_out_values(contents));
            assert_eq!(Redaction::Never.leaves_out_values(contents), !is_redacted(contents));
        }
        assert!(withheld(Contents::Goroutines), "their labels are values");
    }
}
