//! Whether an incident is as a scenario says. Both runners ask it: the one that plays against the
//! loop alone, and the one that plays through the sockets of a server.

use plimsoll_model::{Incident, IncidentState, Receipt, ReceiptResult, ServiceName, StepWait};

use super::Expect;

impl Expect {
    /// The service whose newest incident the expectation is about, where it is about one.
    pub fn incident_of(&self) -> Option<&ServiceName> {
        match self {
            Self::Plan { service, .. }
            | Self::NoPlan { service, .. }
            | Self::Waiting { service }
            | Self::Outcome { service, .. }
            | Self::Recurrence { service }
            | Self::Parked { service, .. }
            | Self::LeaseUndone { service }
            | Self::Growing { service, .. } => Some(service),
            Self::Verdict { .. }
            | Self::Never { .. }
            | Self::Alert { .. }
            | Self::NoAlert { .. }
            | Self::NoIncident { .. }
            | Self::Runs { .. }
            | Self::PlanVoid { .. }
            | Self::ApprovalRefused { .. } => None,
        }
    }

    /// Checks an incident, or says what it is instead.
    ///
    /// # Errors
    /// What was found, where that is not what was expected.
    pub fn check_incident(&self, incident: &Incident) -> Result<(), String> {
        let state = &incident.state;
        let is = |holds: bool| if holds { Ok(()) } else { Err(format!("it is {state:?}")) };
        match self {
            Self::Plan { playbook, .. } => {
                let found = incident.plan.as_ref().map(|plan| plan.draft.playbook.as_str());
                if found == Some(playbook) { Ok(()) } else { Err(format!("the plan is {found:?}")) }
            }
            Self::NoPlan { .. } if incident.plan.is_some() => Err("there is a plan".into()),
            Self::NoPlan { because, .. } | Self::Parked { because, .. } => is(matches!(
                state, IncidentState::Parked { reason } if reason.contains(because)
            )),
            Self::Waiting { .. } => {
                is(matches!(state, IncidentState::Running { wait: StepWait::Approval, .. }))
            }
            Self::Outcome { kind, .. } => {
                is(matches!(state, IncidentState::Closed(outcome) if outcome.kind == *kind))
            }
            Self::Recurrence { .. } => {
                is(matches!(state, IncidentState::Closed(o) if o.recurrence.is_some()))
            }
            Self::LeaseUndone { .. } => {
                let undone = |receipt: &Receipt| matches!(receipt.result, ReceiptResult::Undone(_));
                let found = incident.receipts.iter().any(undone);
                if found { Ok(()) } else { Err("no lease was undone".into()) }
            }
            Self::Growing { class, .. } => {
                let top = incident.diagnosis.as_ref().and_then(|diagnosis| diagnosis.top());
                let named = top.map(|top| &top.name);
                if named == Some(class) { Ok(()) } else { Err(format!("growing is {named:?}")) }
            }
            Self::Verdict { .. }
            | Self::Never { .. }
            | Self::Alert { .. }
            | Self::NoAlert { .. }
            | Self::NoIncident { .. }
            | Self::Runs { .. }
            | Self::PlanVoid { .. }
            | Self::ApprovalRefused { .. } => Ok(()),
        }
    }
}
