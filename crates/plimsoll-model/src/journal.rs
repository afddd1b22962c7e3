//! What the loop says about itself: one draft for every decision, act and effect.
//!
//! Pure text and names. The sequence number, the time and the chain of digests are added by
//! whoever writes it down (`plimsoll-store`, through `plimsoll-wire`).

use std::fmt;
use std::str::FromStr;

use crate::ids::{IncidentId, PlanId};

/// Everything that can stand in the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum JournalKind {
    VerdictChanged,
    /// Services began to grow at one moment.
    SharedOnset,
    AlertChanged,
    IncidentOpened,
    CaptureOrdered,
    DiagnosisMade,
    PlanMade,
    PlanRefused,
    ApprovalGiven,
    ApprovalRefused,
    PlanVoid,
    PlanExpired,
    StepStarted,
    StepEnded,
    Receipt,
    LeaseUndone,
    Outcome,
    ServerStarted,
    AgentSeen,
    AgentLost,
    IncidentClosed,
}

/// One thing to be written down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JournalDraft {
    pub kind: JournalKind,
    /// A person, or the part of Plimsoll that did it.
    pub who: String,
    pub incident: Option<IncidentId>,
    pub plan: Option<PlanId>,
    pub what: String,
    pub why: String,
    /// Names and values that a reader can check: digests, measured effects. A repeated name keeps
    /// all its values.
    pub facts: Vec<(String, String)>,
}

impl JournalKind {
    pub const ALL: [Self; 21] = [
        Self::VerdictChanged,
        Self::SharedOnset,
        Self::AlertChanged,
        Self::IncidentOpened,
        Self::CaptureOrdered,
        Self::DiagnosisMade,
        Self::PlanMade,
        Self::PlanRefused,
        Self::ApprovalGiven,
        Self::ApprovalRefused,
        Self::PlanVoid,
        Self::PlanExpired,
        Self::StepStarted,
        Self::StepEnded,
        Self::Receipt,
        Self::LeaseUndone,
        Self::Outcome,
        Self::ServerStarted,
        Self::AgentSeen,
        Self::AgentLost,
        Self::IncidentClosed,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::VerdictChanged => "verdict_changed",
            Self::SharedOnset => "shared_onset",
            Self::AlertChanged => "alert_changed",
            Self::IncidentOpened => "incident_opened",
            Self::CaptureOrdered => "capture_ordered",
            Self::DiagnosisMade => "diagnosis_made",
            Self::PlanMade => "plan_made",
            Self::PlanRefused => "plan_refused",
            Self::ApprovalGiven => "approval_given",
            Self::ApprovalRefused => "approval_refused",
            Self::PlanVoid => "plan_void",
            Self::PlanExpired => "plan_expired",
            Self::StepStarted => "step_started",
            Self::StepEnded => "step_ended",
            Self::Receipt => "receipt",
            Self::LeaseUndone => "lease_undone",
            Self::Outcome => "outcome",
            Self::ServerStarted => "server_started",
            Self::AgentSeen => "agent_seen",
            Self::AgentLost => "agent_lost",
            Self::IncidentClosed => "incident_closed",
        }
    }
}

impl fmt::Display for JournalKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for JournalKind {
    type Err = String;
    fn from_str(name: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|kind| kind.name() == name);
        found.ok_or_else(|| format!("`{name}` is not a kind of journal entry"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_found_by_its_name() {
        for kind in JournalKind::ALL {
            assert_eq!(kind.name().parse(), Ok(kind));
        }
        assert!("rumour".parse::<JournalKind>().is_err());
    }
}
