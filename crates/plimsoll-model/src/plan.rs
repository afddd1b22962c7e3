//! A plan: an immutable, complete answer to one incident. Nothing is decided while it runs.

use crate::action::Action;
use crate::ids::{Digest, IncidentId, InstanceName, PlanId, ServiceName, Version};
use crate::metric::Metric;
use crate::time::{Span, Timestamp};
use crate::units::Growth;
use crate::verdict::Exhaustion;

/// The phases keep this order in every plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    Guard,
    Contain,
    Diagnose,
    Remediate,
    Validate,
}

/// What an act can break.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RiskClass {
    /// Read-only, no stall.
    R0,
    /// Bounded stall, or reverts by itself.
    R1,
    /// Reversible state change: needs a lease and a tested undo.
    R2,
    /// Disruptive to one replica.
    R3,
    /// Irreversible or visible fleet-wide: needs an approval, always.
    R4,
}

/// A condition that must hold, or the plan stops before it did anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Guard {
    /// At least so many replicas of the service report, so that one may be missing for a while.
    ReplicasAtLeast(usize),
    /// There is time to act: the limit is further away than this.
    RunwayAtLeast(Span),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StepAction {
    Check(Guard),
    /// Something to do to one instance, undone by itself when the lease ends.
    Act {
        instance: InstanceName,
        action: Action,
        lease: Option<Span>,
    },
    /// Watch treated against untreated replicas for this long, and stop the plan unless the
    /// expectation is on its way to being met.
    Compare {
        watch: Span,
    },
    /// Watch all treated replicas for this long, then judge.
    Judge {
        watch: Span,
    },
}

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    pub phase: Phase,
    pub action: StepAction,
    pub risk: RiskClass,
    /// The plan is safe without this step: a refusal of it is recorded, not fatal.
    pub optional: bool,
    pub reason: String,
}

/// What the plan promises will be seen.
#[derive(Clone, Debug, PartialEq)]
pub struct Expectation {
    pub metric: Metric,
    /// Growth of one replica before anything was done: what the outcome is measured against.
    pub leak: Growth,
    /// What the leak runs out against, in the metric's unit.
    pub limit: Option<f64>,
    /// In words, for a person.
    pub promise: String,
}

/// What is known before a plan is sealed with its digest.
#[derive(Clone, Debug, PartialEq)]
pub struct Draft {
    pub incident: IncidentId,
    pub service: ServiceName,
    /// The version that the plan treats; another one running makes the plan void.
    pub version: Option<Version>,
    pub instances: Vec<InstanceName>,
    pub made_at: Timestamp,
    /// An approval after this moment is refused.
    pub expires_at: Timestamp,
    pub playbook: String,
    pub parent: Option<PlanId>,
    pub steps: Vec<Step>,
    pub expectation: Expectation,
    /// When the limit was expected to be reached when the plan was made; another urgency makes it
    /// void.
    pub exhaustion: Option<Exhaustion>,
    /// Digest of the assessment and diagnosis that the plan answers.
    pub evidence: Digest,
    pub reason: String,
}

/// A sealed draft.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    pub id: PlanId,
    pub digest: Digest,
    pub draft: Draft,
}

/// Somebody's consent to exactly this plan on exactly this evidence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approval {
    pub plan: PlanId,
    pub digest: Digest,
    pub evidence: Digest,
    pub approver: String,
    pub at: Timestamp,
}

impl RiskClass {
    pub const fn needs_approval(self) -> bool {
        matches!(self, Self::R4)
    }

    pub const fn name(self) -> &'static str {
        match self {
            Self::R0 => "R0",
            Self::R1 => "R1",
            Self::R2 => "R2",
            Self::R3 => "R3",
            Self::R4 => "R4",
        }
    }
}

impl Phase {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Guard => "guard",
            Self::Contain => "contain",
            Self::Diagnose => "diagnose",
            Self::Remediate => "remediate",
            Self::Validate => "validate",
        }
    }
}
