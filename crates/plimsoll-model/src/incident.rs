//! An incident: one suspected memory problem of one service, followed from its opening to its
//! outcome. This is what survives a restart of the server.

use crate::action::{Command, Receipt};
use crate::diagnosis::{Capture, Diagnosis};
use crate::ids::{IncidentId, InstanceName, ServiceName};
use crate::outcome::Outcome;
use crate::plan::{Approval, Plan};
use crate::time::Timestamp;
use crate::verdict::Assessment;

/// Where an incident stands. Each state holds what only it needs.
#[derive(Clone, Debug, PartialEq)]
pub enum IncidentState {
    /// Captures are being taken, `taken` of them so far; the next one not before `next_at`.
    Diagnosing {
        next_at: Timestamp,
    },
    /// A plan runs; `step` is the index of the one in hand.
    Running {
        step: usize,
        since: Timestamp,
        wait: StepWait,
    },
    /// No plan was made, or it cannot go on; the reason says what a person should do.
    Parked {
        reason: String,
    },
    Closed(Outcome),
}

/// What the step in hand waits for.
#[derive(Clone, Debug, PartialEq)]
pub enum StepWait {
    /// Not started.
    Nothing,
    Approval,
    Receipt(Command),
    Watch {
        until: Timestamp,
    },
}

#[derive(Clone, Debug, PartialEq)]
pub struct Incident {
    pub id: IncidentId,
    pub service: ServiceName,
    pub opened_at: Timestamp,
    /// The assessment that opened it: never replaced.
    pub opened_on: Assessment,
    pub state: IncidentState,
    /// The replica that is looked at, and why this one.
    pub subject: Option<(InstanceName, String)>,
    /// The capture that was ordered and has not answered.
    pub capturing: Option<Command>,
    pub captures: Vec<Capture>,
    pub diagnosis: Option<Diagnosis>,
    pub plan: Option<Plan>,
    pub approval: Option<Approval>,
    pub receipts: Vec<Receipt>,
    /// Index into the plan's steps, and what is to be said of each that has ended.
    pub ended_steps: Vec<StepEnd>,
}

/// How one step of a plan ended.
#[derive(Clone, Debug, PartialEq)]
pub struct StepEnd {
    pub step: usize,
    pub at: Timestamp,
    pub effect: String,
}

impl IncidentState {
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Diagnosing { .. } => "diagnosing",
            Self::Running { wait: StepWait::Approval, .. } => "awaiting_approval",
            Self::Running { .. } => "running",
            Self::Parked { .. } => "parked",
            Self::Closed(_) => "closed",
        }
    }
}

impl Incident {
    pub const fn is_open(&self) -> bool {
        match self.state {
            IncidentState::Diagnosing { .. } | IncidentState::Running { .. } => true,
            IncidentState::Parked { .. } | IncidentState::Closed(_) => false,
        }
    }
}
