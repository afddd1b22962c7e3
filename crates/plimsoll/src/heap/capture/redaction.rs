//! The one place where redaction plugs into a capture: what stands between the words of a runtime
//! and the disk, by the format of the file.
//!
//! Not here: how a format is redacted (`plimsoll-heap`).

use plimsoll_runtime::capture::Contents;
use plimsoll_runtime::output::{Sieve, unchanged};

use crate::exit::Failure;

/// Whether values may reach the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Redaction {
    /// A person asked for the file as it is.
    Never,
    /// What holds values goes through a redactor, or is not made.
    Always,
}

#[derive(Debug, thiserror::Error)]
#[error("there is no redactor for {extension} files; take another rung, or leave out --redact")]
struct NoRedactor {
    extension: &'static str,
}

/// The redactor of a format that holds values; `None` where there is none. A redactor is a
/// `Write` that takes an `OutputFile` and gives it back in the end: it implements
/// `plimsoll_runtime::output::Finish`, and is returned here in a box.
fn redactor(contents: Contents) -> Option<Sieve> {
    match contents {
        Contents::Hprof | Contents::V8Snapshot => None,
        Contents::V8Profile
        | Contents::ClassHistogram
        | Contents::GoHeap
        | Contents::Goroutines
        | Contents::Counters => Some(unchanged()),
    }
}

impl Redaction {
    /// What must not be captured, because values could not be taken out.
    pub(crate) fn withheld(self) -> fn(Contents) -> bool {
        match self {
            Self::Never => |_| false,
            Self::Always => |contents| redactor(contents).is_none(),
        }
    }

    pub(crate) fn sieve(self, contents: Contents) -> Result<Sieve, Failure> {
        let none = || Failure::failed(NoRedactor { extension: contents.extension() });
        match self {
            Self::Never => Ok(unchanged()),
            Self::Always => redactor(contents).ok_or_else(none),
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
    fn what_holds_values_is_not_captured_redacted_without_a_redactor() {
        let withheld = Redaction::Always.withheld();
        assert!(!withheld(Contents::ClassHistogram));
        for contents in [Contents::Hprof, Contents::V8Snapshot] {
            assert_eq!(withheld(contents), Redaction::Always.sieve(contents).is_err());
            assert!(!Redaction::Never.withheld()(contents));
            assert!(!Redaction::Never.leaves_out_values(contents));
        }
    }
}
