//! Consent to a plan: bound to its digest and to the evidence that it answers.

use std::fmt;

use plimsoll_model::{
    Approval, Incident, IncidentState, JournalDraft, JournalKind, Plan, PlanId, StepWait, Timestamp,
};

use crate::state::State;
use crate::step::Effect;
use crate::{drift, run};

/// Who makes plans here. The author of a plan cannot approve it.
const AUTHOR: &str = "plimsoll";

/// Why an approval was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ApprovalRefusal {
    NoSuchPlan(PlanId),
    /// The plan or its evidence is not what was approved.
    AnotherPlan,
    AnotherEvidence,
    AuthorIsApprover,
    Expired,
    /// What the plan was made for is no longer so; the reason says what has changed.
    Void(String),
    NotWaiting,
}

impl fmt::Display for ApprovalRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSuchPlan(id) => {
                write!(f, "{id} is not the current plan of any incident; read the incident again")
            }
            Self::AnotherPlan => {
                f.write_str("the digest is not that of the plan; read it again before approving")
            }
            Self::AnotherEvidence => {
                f.write_str("the evidence is not what the plan answers; read it again")
            }
            Self::AuthorIsApprover => f.write_str("the author of a plan cannot approve it"),
            Self::Expired => {
                f.write_str("the plan has expired, and its incident is parked: decide by hand")
            }
            Self::Void(why) => write!(f, "the plan is void: {why}; a new one is being made"),
            Self::NotWaiting => f.write_str("the plan does not wait for an approval"),
        }
    }
}

/// Takes an approval, or refuses it with a reason. Giving the same one twice is no error.
pub(crate) fn approve(state: &mut State, now: Timestamp, approval: Approval) -> Vec<Effect> {
    let plan_of =
        |incident: &&Incident| incident.plan.as_ref().is_some_and(|plan| plan.id == approval.plan);
    let Some(id) = state.book.incidents().find(plan_of).map(|incident| incident.id.clone()) else {
        return vec![Effect::Refuse(ApprovalRefusal::NoSuchPlan(approval.plan))];
    };
    let Some(mut incident) = state.book.take(&id) else { return Vec::new() };
    let mut effects = Vec::new();
    match refusal(state, &incident, now, &approval) {
        Ok(()) if incident.approval.is_some() => {}
        Ok(()) => {
            effects.push(Effect::Record(given(&incident, &approval)));
            incident.approval = Some(approval);
            run::advance(state, &mut incident, now, &mut effects);
        }
        Err(refusal) => {
            effects.push(Effect::Record(refused(&incident, &approval, &refusal)));
            effects.push(Effect::Refuse(refusal));
            run::advance(state, &mut incident, now, &mut effects);
        }
    }
    effects.push(Effect::Save(incident.clone().into()));
    state.book.put(incident);
    effects
}

fn refusal(
    state: &State,
    incident: &Incident,
    now: Timestamp,
    approval: &Approval,
) -> Result<(), ApprovalRefusal> {
    let plan = incident.plan.as_ref().expect("the incident was found by its plan");
    bound_to(plan, approval)?;
    if approval.approver == AUTHOR || approval.approver.starts_with("plimsoll/") {
        return Err(ApprovalRefusal::AuthorIsApprover);
    }
    if let Some(given) = &incident.approval {
        let again = given.approver == approval.approver && incident.is_open();
        return if again { Ok(()) } else { Err(ApprovalRefusal::NotWaiting) };
    }
    let IncidentState::Running { wait: StepWait::Approval, step, .. } = incident.state else {
        return Err(ApprovalRefusal::NotWaiting);
    };
    if now > plan.draft.expires_at {
        return Err(ApprovalRefusal::Expired);
    }
    match drift::voided_by(state, incident, plan, step) {
        Some(why) => Err(ApprovalRefusal::Void(why)),
        None => Ok(()),
    }
}

fn bound_to(plan: &Plan, approval: &Approval) -> Result<(), ApprovalRefusal> {
    if approval.digest != plan.digest {
        return Err(ApprovalRefusal::AnotherPlan);
    }
    if approval.evidence != plan.draft.evidence {
        return Err(ApprovalRefusal::AnotherEvidence);
    }
    Ok(())
}

fn given(incident: &Incident, approval: &Approval) -> JournalDraft {
    entry(incident, approval, JournalKind::ApprovalGiven, "bound to this plan and its evidence")
}

fn refused(incident: &Incident, approval: &Approval, refusal: &ApprovalRefusal) -> JournalDraft {
    entry(incident, approval, JournalKind::ApprovalRefused, &refusal.to_string())
}

fn entry(incident: &Incident, approval: &Approval, kind: JournalKind, why: &str) -> JournalDraft {
    JournalDraft {
        kind,
        who: approval.approver.clone(),
        incident: Some(incident.id.clone()),
        plan: Some(approval.plan.clone()),
        what: format!("approval of {}", approval.plan),
        why: why.to_owned(),
        facts: vec![
            ("digest".into(), approval.digest.to_string()),
            ("evidence".into(), approval.evidence.to_string()),
        ],
    }
}
