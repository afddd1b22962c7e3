//! What came of a plan: its expectation compared with what was seen.

use crate::ids::InstanceName;
use crate::time::Timestamp;
use crate::units::Growth;
use crate::verdict::Exhaustion;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OutcomeKind {
    /// The growth is gone, and its cause is no longer there.
    Fixed,
    /// The growth is gone; its cause may still be there.
    Stabilised,
    /// The growth goes on, and something holds it in bounds for now.
    Contained,
    /// The level fell and the growth is unchanged: it will be back.
    Masked,
    /// The plan stopped half way, and what it had done was undone.
    Unwound,
    /// The plan stopped, and a person must look.
    Parked,
}

/// One instance's growth over the watch, beside what it was before.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    pub instance: InstanceName,
    pub treated: bool,
    pub growth: Growth,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    pub kind: OutcomeKind,
    pub at: Timestamp,
    /// Growth while it leaked, before anything was done.
    pub growth_before: Option<Growth>,
    pub compared: Vec<Comparison>,
    /// When the limit is reached again; only for what is masked or contained.
    pub recurrence: Option<Exhaustion>,
    pub reason: String,
}

impl OutcomeKind {
    pub const ALL: [Self; 6] =
        [Self::Fixed, Self::Stabilised, Self::Contained, Self::Masked, Self::Unwound, Self::Parked];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Fixed => "fixed",
            Self::Stabilised => "stabilised",
            Self::Contained => "contained",
            Self::Masked => "masked",
            Self::Unwound => "unwound",
            Self::Parked => "parked",
        }
    }
}
