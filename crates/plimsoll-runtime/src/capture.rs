//! Makes a file of what a process holds in memory, without harm to it: looks first (`survey`), says
//! what each way would cost and what speaks against it (`offer`), then takes one (`take`).
//!
//! The ways form a ladder. A dump says most and stops the service longest; counters cost nothing
//! and say least. Not here: what the file says (`plimsoll-heap`), where captures are remembered,
//! and words for a person (the command line). Nothing that is begun here is left behind: no file
//! in the target's folders, no open inspector, no piece of a file.

mod counters;
mod error;
mod guard;
mod handover;
mod jvm;
mod jvm_words;
mod node;
mod offer;
mod survey;
mod take;
mod writing;

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use counters::Counters;
pub use error::CaptureError;
pub use handover::HandoverError;
pub use jvm_words::{DumpAnswer, heap_in_use};
pub use offer::{Chosen, Cost, Objection, Offer, choose};
pub use survey::{Survey, survey};
pub use take::{Progress, Taken, Taking, take};

use crate::attach::Population;
use crate::identify::RuntimeKind;

/// A process is not stopped for longer than this to look at it, unless a person says so: half of
/// the ten seconds that liveness probes commonly wait.
pub const PAUSE_MAX_DEFAULT: Duration = Duration::from_secs(5);

/// How long a sampling profile watches: long enough for some thousand samples of a service that
/// allocates 1 MB a second.
pub const PROFILE_SPAN_DEFAULT: Duration = Duration::from_secs(30);

/// One way to look into a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rung {
    /// Every object and every reference.
    Dump,
    /// Where what lives was allocated, by sampling.
    Profile,
    /// Objects by class.
    Histogram,
    /// Stacks of goroutines. Beside the ladder: it tells of another leak than the others.
    Goroutines,
    /// Figures only.
    Counters,
}

impl Rung {
    /// What processes of a runtime can be asked for, best first.
    pub const fn of(kind: RuntimeKind) -> &'static [Self] {
        match kind {
            RuntimeKind::Jvm => &[Self::Dump, Self::Histogram, Self::Counters],
            RuntimeKind::Node => &[Self::Dump, Self::Profile, Self::Counters],
            RuntimeKind::Go => &[Self::Profile, Self::Goroutines, Self::Counters],
            RuntimeKind::CPython | RuntimeKind::Native | RuntimeKind::Unknown => &[Self::Counters],
        }
    }

    pub const fn word(self) -> &'static str {
        match self {
            Self::Dump => "dump",
            Self::Profile => "profile",
            Self::Histogram => "histogram",
            Self::Goroutines => "goroutines",
            Self::Counters => "counters",
        }
    }
}

impl fmt::Display for Rung {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// What is in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contents {
    Hprof,
    V8Snapshot,
    V8Profile,
    ClassHistogram,
    GoHeap,
    Goroutines,
    Counters,
}

impl Contents {
    /// What its files are called after the last name, so that other tools know them.
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Hprof => "hprof",
            Self::V8Snapshot => "heapsnapshot",
            Self::V8Profile => "heapprofile",
            Self::ClassHistogram => "histogram.txt",
            Self::GoHeap => "heap.pb.gz",
            Self::Goroutines => "goroutines.pb.gz",
            Self::Counters => "counters.json",
        }
    }

    /// Whether it holds what users wrote: texts, numbers, tokens. Goroutines have labels, which a
    /// program sets to what it works on. The others hold names of code.
    pub const fn holds_values(self) -> bool {
        match self {
            Self::Hprof | Self::V8Snapshot | Self::Goroutines => true,
            Self::V8Profile | Self::ClassHistogram | Self::GoHeap | Self::Counters => false,
        }
    }

    /// Why these are not the first bytes and the last one of such a file.
    fn flaw(self, start: &[u8], last: Option<u8>) -> Option<&'static str> {
        let begins = |with: &[u8]| start.starts_with(with);
        match self {
            Self::Hprof if !begins(b"JAVA PROFILE 1.0.") => Some("it does not begin as HPROF does"),
            Self::V8Snapshot if !begins(b"{\"snapshot\":") => {
                Some("it does not begin as a V8 heap snapshot does")
            }
            Self::V8Snapshot if last != Some(b'}') => Some("its end is missing"),
            Self::GoHeap | Self::Goroutines if !begins(&[0x1f, 0x8b]) => {
                Some("it is not gzip, as profiles of Go are")
            }
            Self::Hprof
            | Self::V8Snapshot
            | Self::V8Profile
            | Self::ClassHistogram
            | Self::GoHeap
            | Self::Goroutines
            | Self::Counters => None,
        }
    }
}

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Order {
    pub proc_root: PathBuf,
    pub pid: u32,
    /// `None` for the best that nothing speaks against.
    pub rung: Option<Rung>,
    /// Of a JVM: what a dump or a histogram holds.
    pub objects: Population,
    pub pause_max: Duration,
    /// Take a capture although its pause may be longer.
    pub accept_pause: bool,
    /// Take a capture although its memory may not fit.
    pub accept_memory: bool,
    /// Where a Go service serves its profiles; looked for when absent.
    pub go_address: Option<SocketAddr>,
    /// A folder as the process sees it, for a dump that the process writes itself.
    pub target_folder: Option<String>,
    /// Where the file will be.
    pub output_folder: PathBuf,
    pub profile_span: Duration,
    /// What must not reach the disk: contents for which this says so are objected to.
    pub withheld: fn(Contents) -> bool,
    /// A process that stands still for so long while it is asked is given up.
    pub stopped_patience: Duration,
}

impl Order {
    /// With all defaults.
    pub fn new(proc_root: &Path, pid: u32, output_folder: &Path) -> Self {
        Self {
            proc_root: proc_root.to_owned(),
            pid,
            rung: None,
            objects: Population::All,
            pause_max: PAUSE_MAX_DEFAULT,
            accept_pause: false,
            accept_memory: false,
            go_address: None,
            target_folder: None,
            output_folder: output_folder.to_owned(),
            profile_span: PROFILE_SPAN_DEFAULT,
            withheld: |_| false,
            stopped_patience: Duration::from_secs(10),
        }
    }

    /// Whether this rung may be the one that is taken.
    fn considers(&self, rung: Rung) -> bool {
        self.rung.is_none_or(|asked| asked == rung)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_something_else_or_cut_off_is_told() {
        let check = |contents: Contents, bytes: &[u8], is_fine: bool| {
            let flaw = contents.flaw(bytes, bytes.last().copied());
            assert_eq!(flaw.is_none(), is_fine, "{contents:?} {flaw:?}");
        };
        check(Contents::Hprof, b"JAVA PROFILE 1.0.2\0", true);
        check(Contents::Hprof, b"", false);
        check(Contents::V8Snapshot, b"{\"snapshot\":{}}", true);
        check(Contents::V8Snapshot, b"{\"snapshot\":{", false);
        check(Contents::V8Snapshot, b"{}", false);
        check(Contents::GoHeap, &[0x1f, 0x8b, 8], true);
        check(Contents::Goroutines, b"<html>", false);
        check(Contents::Counters, b"", true);
    }
}
