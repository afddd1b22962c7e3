//! Where a leak comes from: captures of an instance, compared, and what they say.

use crate::evidence::Evidence;
use crate::ids::InstanceName;
use crate::time::{Span, Timestamp};
use crate::units::Bytes;

/// Live objects of one type. Names only: values never leave the node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypeCount {
    pub name: String,
    pub instances: u64,
    pub bytes: Bytes,
}

/// Live objects by type at one moment of one instance.
#[derive(Clone, Debug, PartialEq)]
pub struct Capture {
    pub instance: InstanceName,
    pub at: Timestamp,
    pub pause: Span,
    pub types: Vec<TypeCount>,
}

/// A type that grew between two captures.
#[derive(Clone, Debug, PartialEq)]
pub struct TypeGrowth {
    pub name: String,
    pub instances: i64,
    pub bytes: i64,
    /// Share of all growth between the captures, counting only types that grew: 0 to 1.
    pub share: f64,
    /// Share of the growth of everything that grows in step with this type and is held by it,
    /// itself included.
    pub group_share: f64,
    /// Growth per request served between the captures; None when requests are not seen.
    pub bytes_per_request: Option<f64>,
}

/// What kind of fault an explanation names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultClass {
    /// Objects of one type accumulate in something that nothing empties.
    UnboundedCollection,
    /// Handles are opened and never closed.
    UnclosedHandles,
    /// It grows, and the captures do not say what.
    Unexplained,
}

/// One explanation of an incident, with what speaks for it.
#[derive(Clone, Debug, PartialEq)]
pub struct Explanation {
    pub fault: FaultClass,
    /// In words, for a person.
    pub summary: String,
    /// Probability among the explanations considered, 0 to 1.
    pub probability: f64,
    pub evidence: Vec<Evidence>,
}

/// Ranked explanations, best first; never empty: "unexplained" is one.
#[derive(Clone, Debug, PartialEq)]
pub struct Diagnosis {
    pub at: Timestamp,
    pub instance: InstanceName,
    /// Why this replica was looked at.
    pub chosen_because: String,
    pub growing: Vec<TypeGrowth>,
    pub explanations: Vec<Explanation>,
}

impl FaultClass {
    pub const fn name(self) -> &'static str {
        match self {
            Self::UnboundedCollection => "unbounded_collection",
            Self::UnclosedHandles => "unclosed_handles",
            Self::Unexplained => "unexplained",
        }
    }
}

impl Diagnosis {
    /// The type that explains most of the growth.
    pub fn top(&self) -> Option<&TypeGrowth> {
        self.growing.first()
    }
}
