//! What detection concludes about one service.

use std::fmt;

use crate::change::Change;
use crate::evidence::Evidence;
use crate::ids::{InstanceName, ServiceName};
use crate::metric::Metric;
use crate::time::Timestamp;
use crate::units::Growth;

/// The answer to "is this service leaking?".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// Something is not coming back, it matters, and it is still going on.
    Leaking,
    /// It looks like a leak, and a rival explanation is not yet excluded.
    Suspect,
    /// Whatever moves has a better explanation than a leak.
    Steady,
    /// The data cannot answer the question; the reason says why and until when.
    Undecided,
}

/// What kind of thing explains the curve.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cause {
    Heap,
    Native,
    Handles,
    Threads,
    Fragmentation,
    Cache,
    PageCache,
    WarmUp,
    Load,
    Backlog,
    Batch,
    Capacity,
    None,
}

/// When the limit is reached if nothing changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exhaustion {
    pub p10: Timestamp,
    pub p50: Timestamp,
    pub p90: Timestamp,
}

/// The assessment of one service at one moment. Immutable: a later one replaces it.
#[derive(Clone, Debug, PartialEq)]
pub struct Assessment {
    pub at: Timestamp,
    pub service: ServiceName,
    pub verdict: Verdict,
    pub cause: Cause,
    /// Probability that the verdict is right, 0 to 1.
    pub confidence: f64,
    /// The metric that spoke.
    pub metric: Option<Metric>,
    pub onset: Option<Timestamp>,
    pub growth: Option<Growth>,
    pub exhaustion: Option<Exhaustion>,
    /// The instances that the verdict is about.
    pub instances: Vec<InstanceName>,
    /// The change that fits onset and dose; none where no change fits.
    pub suspected_change: Option<Change>,
    /// One sentence a person can act on.
    pub reason: String,
    pub evidence: Vec<Evidence>,
}

impl Verdict {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Leaking => "leaking",
            Self::Suspect => "suspect",
            Self::Steady => "steady",
            Self::Undecided => "undecided",
        }
    }
}

impl Cause {
    pub const ALL: [Self; 13] = [
        Self::Heap,
        Self::Native,
        Self::Handles,
        Self::Threads,
        Self::Fragmentation,
        Self::Cache,
        Self::PageCache,
        Self::WarmUp,
        Self::Load,
        Self::Backlog,
        Self::Batch,
        Self::Capacity,
        Self::None,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Heap => "heap",
            Self::Native => "native",
            Self::Handles => "handles",
            Self::Threads => "threads",
            Self::Fragmentation => "fragmentation",
            Self::Cache => "cache",
            Self::PageCache => "page_cache",
            Self::WarmUp => "warm_up",
            Self::Load => "load",
            Self::Backlog => "backlog",
            Self::Batch => "batch",
            Self::Capacity => "capacity",
            Self::None => "none",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
