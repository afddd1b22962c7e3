//! What the world can be asked to do to one instance, and what came of it.

use crate::diagnosis::TypeCount;
use crate::ids::{CommandId, Digest, InstanceName, PlanId, ServiceName, Version};
use crate::time::{Span, Timestamp};
use crate::units::Bytes;

/// One thing to do to one instance. A command leaves nothing to choose to whoever performs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Ask the runtime for a full collection, and measure what it gave back.
    CollectGarbage,
    /// Count live objects by class.
    CaptureHistogram,
    /// cgroup v2 `memory.high`: the kernel reclaims and throttles above it.
    SetMemoryHigh(Bytes),
    /// cgroup v1 `memory.soft_limit_in_bytes`: reclaimed first when the node runs short.
    SetSoftLimit(Bytes),
    /// Stop the process and start the same version again.
    Restart,
    /// Stop the process and start another version in its place.
    RunVersion(Version),
}

/// An ability of an instance's agent: which kinds of action it can perform there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Ability {
    CollectGarbage,
    CaptureHistogram,
    SetMemoryHigh,
    SetSoftLimit,
    Restart,
    RunVersion,
}

/// What an agent says of one instance in its reach.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reach {
    pub service: ServiceName,
    pub instance: InstanceName,
    pub version: Option<Version>,
    pub abilities: Vec<Ability>,
    /// Why an ability is missing, for the ones a person would expect.
    pub missing: Vec<(Ability, String)>,
    /// Versions that can be started here.
    pub versions: Vec<Version>,
    /// Stall that a histogram would cost now, with its basis in words.
    pub predicted_pause: Option<PredictedPause>,
}

/// How long an instance is expected to stand still, and from what that follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PredictedPause {
    pub pause: Span,
    pub basis: String,
}

/// One act, ordered. Idempotent: the same id is performed at most once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    pub id: CommandId,
    /// None for captures, which belong to an incident before there is a plan.
    pub plan: Option<PlanId>,
    /// Digest of the plan, or of the incident's assessment for a capture.
    pub authority: Digest,
    pub service: ServiceName,
    pub instance: InstanceName,
    /// Drift guard: the act is refused when the instance no longer runs this version.
    pub version: Option<Version>,
    pub action: Action,
    /// The act is undone by whoever performed it when this has passed.
    pub lease: Option<Span>,
    /// When it was not begun by then it is refused: who ordered it has given it up, and what it
    /// was to answer may be another thing by now.
    pub not_after: Timestamp,
    pub reason: String,
}

/// What a performed, refused or undone command did, exactly.
#[derive(Clone, Debug, PartialEq)]
pub struct Receipt {
    pub command: CommandId,
    pub service: ServiceName,
    pub instance: InstanceName,
    pub action: Action,
    pub started_at: Timestamp,
    pub ended_at: Timestamp,
    pub result: ReceiptResult,
}

#[derive(Clone, Debug, PartialEq)]
pub enum ReceiptResult {
    Done(Measured),
    /// Nothing was done, for the reason given.
    Refused(String),
    /// It was attempted and did not succeed; the text says what state was left.
    Failed(String),
    /// A lease ended and the before-image was put back.
    Undone(Restored),
}

/// The measured effect of an act.
#[derive(Clone, Debug, PartialEq)]
pub enum Measured {
    Collected { used_before: Bytes, used_after: Bytes, pause: Span },
    Counted { predicted: PredictedPause, pause: Span, types: Vec<TypeCount> },
    Limited { what: String, before: String, after: String, until: Timestamp },
    Replaced { version: Option<Version>, ready_after: Span },
}

/// What was put back when a lease ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    pub what: String,
    /// What stands there now, read back after the write.
    pub now: String,
    /// Whether that equals the before-image, byte for byte.
    pub verified: bool,
}

impl Action {
    pub const fn name(&self) -> &'static str {
        match self {
            Self::CollectGarbage => "runtime.collect_garbage",
            Self::CaptureHistogram => "heap.histogram",
            Self::SetMemoryHigh(_) => "cgroup.memory_high",
            Self::SetSoftLimit(_) => "cgroup.soft_limit",
            Self::Restart => "process.restart",
            Self::RunVersion(_) => "process.rollback",
        }
    }

    pub const fn needs(&self) -> Ability {
        match self {
            Self::CollectGarbage => Ability::CollectGarbage,
            Self::CaptureHistogram => Ability::CaptureHistogram,
            Self::SetMemoryHigh(_) => Ability::SetMemoryHigh,
            Self::SetSoftLimit(_) => Ability::SetSoftLimit,
            Self::Restart => Ability::Restart,
            Self::RunVersion(_) => Ability::RunVersion,
        }
    }
}

impl Ability {
    pub const ALL: [Self; 6] = [
        Self::CollectGarbage,
        Self::CaptureHistogram,
        Self::SetMemoryHigh,
        Self::SetSoftLimit,
        Self::Restart,
        Self::RunVersion,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::CollectGarbage => "runtime.collect_garbage",
            Self::CaptureHistogram => "heap.histogram",
            Self::SetMemoryHigh => "cgroup.memory_high",
            Self::SetSoftLimit => "cgroup.soft_limit",
            Self::Restart => "process.restart",
            Self::RunVersion => "process.rollback",
        }
    }
}

impl Reach {
    pub fn can(&self, ability: Ability) -> bool {
        self.abilities.contains(&ability)
    }
}
