//! An incident as it is kept: everything that a restarted server needs to go on.

use plimsoll_model::{Incident, IncidentState, StepEnd, StepWait};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::assessment::AssessmentShape;
use crate::capture::CaptureShape;
use crate::command::CommandShape;
use crate::diagnosis::DiagnosisShape;
use crate::outcome::OutcomeShape;
use crate::plan::{ApprovalShape, PlanShape};
use crate::receipt::ReceiptShape;
use crate::shape::{self, ShapeError, format_time};

/// The format that is written. Raise it when an older reader would misunderstand a record, and
/// keep a fixture of every older one in `tests/fixtures`.
pub const INCIDENT_FORMAT: u32 = 1;

/// Where an incident stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum IncidentStateShape {
    Diagnosing { next_at: String },
    Running { step: u64, since: String, wait: StepWaitShape },
    Parked { reason: String },
    Closed { outcome: OutcomeShape },
}

/// What the step in hand waits for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum StepWaitShape {
    Nothing,
    Approval,
    Receipt { command: Box<CommandShape> },
    Watch { until: String },
}

/// The replica that is looked at, and why this one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SubjectShape {
    pub instance: String,
    pub why: String,
}

/// How one step of a plan ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StepEndShape {
    pub step: u64,
    pub at: String,
    pub effect: String,
}

/// One incident, complete.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct IncidentRecord {
    pub format: u32,
    pub id: String,
    pub service: String,
    pub opened_at: String,
    pub opened_on: AssessmentShape,
    pub state: IncidentStateShape,
    pub subject: Option<SubjectShape>,
    pub capturing: Option<CommandShape>,
    pub captures: Vec<CaptureShape>,
    pub diagnosis: Option<DiagnosisShape>,
    pub plan: Option<PlanShape>,
    pub approval: Option<ApprovalShape>,
    pub receipts: Vec<ReceiptShape>,
    pub ended_steps: Vec<StepEndShape>,
}

impl From<&StepWait> for StepWaitShape {
    fn from(wait: &StepWait) -> Self {
        match wait {
            StepWait::Nothing => Self::Nothing,
            StepWait::Approval => Self::Approval,
            StepWait::Receipt(command) => Self::Receipt { command: Box::new(command.into()) },
            StepWait::Watch { until } => Self::Watch { until: format_time(*until) },
        }
    }
}

impl TryFrom<StepWaitShape> for StepWait {
    type Error = ShapeError;
    fn try_from(shape: StepWaitShape) -> Result<Self, ShapeError> {
        Ok(match shape {
            StepWaitShape::Nothing => Self::Nothing,
            StepWaitShape::Approval => Self::Approval,
            StepWaitShape::Receipt { command } => Self::Receipt((*command).try_into()?),
            StepWaitShape::Watch { until } => {
                Self::Watch { until: shape::time("incident.state.wait.until", &until)? }
            }
        })
    }
}

impl From<&IncidentState> for IncidentStateShape {
    fn from(state: &IncidentState) -> Self {
        match state {
            IncidentState::Diagnosing { next_at } => {
                Self::Diagnosing { next_at: format_time(*next_at) }
            }
            IncidentState::Running { step, since, wait } => {
                Self::Running { step: *step as u64, since: format_time(*since), wait: wait.into() }
            }
            IncidentState::Parked { reason } => Self::Parked { reason: reason.clone() },
            IncidentState::Closed(outcome) => Self::Closed { outcome: outcome.into() },
        }
    }
}

impl TryFrom<IncidentStateShape> for IncidentState {
    type Error = ShapeError;
    fn try_from(shape: IncidentStateShape) -> Result<Self, ShapeError> {
        Ok(match shape {
            IncidentStateShape::Diagnosing { next_at } => {
                Self::Diagnosing { next_at: shape::time("incident.state.next_at", &next_at)? }
            }
            IncidentStateShape::Running { step, since, wait } => Self::Running {
                step: index("incident.state.step", step)?,
                since: shape::time("incident.state.since", &since)?,
                wait: wait.try_into()?,
            },
            IncidentStateShape::Parked { reason } => Self::Parked { reason },
            IncidentStateShape::Closed { outcome } => Self::Closed(outcome.try_into()?),
        })
    }
}

impl From<&StepEnd> for StepEndShape {
    fn from(end: &StepEnd) -> Self {
        let StepEnd { step, at, effect } = end;
        Self { step: *step as u64, at: format_time(*at), effect: effect.clone() }
    }
}

impl TryFrom<StepEndShape> for StepEnd {
    type Error = ShapeError;
    fn try_from(shape: StepEndShape) -> Result<Self, ShapeError> {
        Ok(Self {
            step: index("incident.ended_steps.step", shape.step)?,
            at: shape::time("incident.ended_steps.at", &shape.at)?,
            effect: shape.effect,
        })
    }
}

impl From<&Incident> for IncidentRecord {
    fn from(incident: &Incident) -> Self {
        let Incident {
            id,
            service,
            opened_at,
            opened_on,
            state,
            subject,
            capturing,
            captures,
            diagnosis,
            plan,
            approval,
            receipts,
            ended_steps,
        } = incident;
        let subject_of = |instance: &dyn ToString, why: &str| SubjectShape {
            instance: instance.to_string(),
            why: why.to_owned(),
        };
        Self {
            format: INCIDENT_FORMAT,
            id: id.to_string(),
            service: service.to_string(),
            opened_at: format_time(*opened_at),
            opened_on: opened_on.into(),
            state: state.into(),
            subject: subject.as_ref().map(|(instance, why)| subject_of(instance, why)),
            capturing: capturing.as_ref().map(Into::into),
            captures: captures.iter().map(Into::into).collect(),
            diagnosis: diagnosis.as_ref().map(Into::into),
            plan: plan.as_ref().map(Into::into),
            approval: approval.as_ref().map(Into::into),
            receipts: receipts.iter().map(Into::into).collect(),
            ended_steps: ended_steps.iter().map(Into::into).collect(),
        }
    }
}

impl TryFrom<IncidentRecord> for Incident {
    type Error = ShapeError;
    fn try_from(record: IncidentRecord) -> Result<Self, ShapeError> {
        if record.format > INCIDENT_FORMAT {
            return Err(ShapeError::Format {
                field: "incident.format",
                found: record.format,
                newest: INCIDENT_FORMAT,
            });
        }
        let subject = match record.subject {
            Some(subject) => {
                let instance = shape::name("incident.subject.instance", &subject.instance)?;
                Some((instance, subject.why))
            }
            None => None,
        };
        Ok(Self {
            id: shape::name("incident.id", &record.id)?,
            service: shape::name("incident.service", &record.service)?,
            opened_at: shape::time("incident.opened_at", &record.opened_at)?,
            opened_on: record.opened_on.try_into()?,
            state: record.state.try_into()?,
            subject,
            capturing: shape::maybe(record.capturing)?,
            captures: shape::all(record.captures)?,
            diagnosis: shape::maybe(record.diagnosis)?,
            plan: shape::maybe(record.plan)?,
            approval: shape::maybe(record.approval)?,
            receipts: shape::all(record.receipts)?,
            ended_steps: shape::all(record.ended_steps)?,
        })
    }
}

fn index(field: &'static str, number: u64) -> Result<usize, ShapeError> {
    usize::try_from(number).map_err(|_| ShapeError::Number { field, number: number as f64 })
}
