//! A plan and the consent to it. Reading a plan back recomputes its digest: a plan whose text does
//! not match is refused, wherever it comes from.

use plimsoll_model::{Approval, Draft, Expectation, Guard, Plan, Span, Step, StepAction};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::assessment::{ExhaustionShape, GrowthShape};
use crate::command::ActionShape;
use crate::digest::draft_digest;
use crate::shape::{self, ShapeError, finite, format_time, text_opt, texts};
use crate::words::{PhaseWord, RiskWord};

/// A condition that must hold, or the plan stops before it did anything.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum GuardShape {
    ReplicasAtLeast { replicas: u64 },
    RunwayAtLeast { runway_ms: i64 },
}

/// What a step does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum StepActionShape {
    Check { guard: GuardShape },
    Act { instance: String, action: ActionShape, lease_ms: Option<i64> },
    Compare { watch_ms: i64 },
    Judge { watch_ms: i64 },
}

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StepShape {
    pub phase: PhaseWord,
    pub action: StepActionShape,
    pub risk: RiskWord,
    pub optional: bool,
    pub reason: String,
}

/// What the plan promises will be seen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ExpectationShape {
    pub metric: String,
    pub leak: GrowthShape,
    pub limit: Option<f64>,
    pub promise: String,
}

/// Everything of a plan that its digest covers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DraftShape {
    pub incident: String,
    pub service: String,
    pub version: Option<String>,
    pub instances: Vec<String>,
    pub made_at: String,
    pub expires_at: String,
    pub playbook: String,
    pub parent: Option<String>,
    pub steps: Vec<StepShape>,
    pub expectation: ExpectationShape,
    /// Left out where there is none, so that a draft without it keeps its digest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exhaustion: Option<ExhaustionShape>,
    pub evidence: String,
    pub reason: String,
}

/// A sealed draft.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PlanShape {
    pub id: String,
    pub digest: String,
    pub draft: DraftShape,
}

/// Somebody's consent to exactly this plan on exactly this evidence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ApprovalShape {
    pub plan: String,
    pub digest: String,
    pub evidence: String,
    pub approver: String,
    pub at: String,
}

impl From<&Guard> for GuardShape {
    fn from(guard: &Guard) -> Self {
        match guard {
            Guard::ReplicasAtLeast(replicas) => {
                Self::ReplicasAtLeast { replicas: *replicas as u64 }
            }
            Guard::RunwayAtLeast(runway) => Self::RunwayAtLeast { runway_ms: runway.as_millis() },
        }
    }
}

impl TryFrom<GuardShape> for Guard {
    type Error = ShapeError;
    fn try_from(shape: GuardShape) -> Result<Self, ShapeError> {
        Ok(match shape {
            GuardShape::ReplicasAtLeast { replicas } => {
                Self::ReplicasAtLeast(usize::try_from(replicas).unwrap_or(usize::MAX))
            }
            GuardShape::RunwayAtLeast { runway_ms } => {
                Self::RunwayAtLeast(Span::from_millis(runway_ms))
            }
        })
    }
}

impl From<&StepAction> for StepActionShape {
    fn from(action: &StepAction) -> Self {
        match action {
            StepAction::Check(guard) => Self::Check { guard: guard.into() },
            StepAction::Act { instance, action, lease } => Self::Act {
                instance: instance.to_string(),
                action: action.into(),
                lease_ms: lease.map(Span::as_millis),
            },
            StepAction::Compare { watch } => Self::Compare { watch_ms: watch.as_millis() },
            StepAction::Judge { watch } => Self::Judge { watch_ms: watch.as_millis() },
        }
    }
}

impl TryFrom<StepActionShape> for StepAction {
    type Error = ShapeError;
    fn try_from(shape: StepActionShape) -> Result<Self, ShapeError> {
        Ok(match shape {
            StepActionShape::Check { guard } => Self::Check(guard.try_into()?),
            StepActionShape::Act { instance, action, lease_ms } => Self::Act {
                instance: shape::name("plan.draft.steps.action.instance", &instance)?,
                action: action.try_into()?,
                lease: lease_ms.map(Span::from_millis),
            },
            StepActionShape::Compare { watch_ms } => {
                Self::Compare { watch: Span::from_millis(watch_ms) }
            }
            StepActionShape::Judge { watch_ms } => {
                Self::Judge { watch: Span::from_millis(watch_ms) }
            }
        })
    }
}

impl From<&Step> for StepShape {
    fn from(step: &Step) -> Self {
        let Step { phase, action, risk, optional, reason } = step;
        Self {
            phase: (*phase).into(),
            action: action.into(),
            risk: (*risk).into(),
            optional: *optional,
            reason: reason.clone(),
        }
    }
}

impl TryFrom<StepShape> for Step {
    type Error = ShapeError;
    fn try_from(shape: StepShape) -> Result<Self, ShapeError> {
        Ok(Self {
            phase: shape.phase.into(),
            action: shape.action.try_into()?,
            risk: shape.risk.into(),
            optional: shape.optional,
            reason: shape.reason,
        })
    }
}

impl From<&Expectation> for ExpectationShape {
    fn from(expectation: &Expectation) -> Self {
        let Expectation { metric, leak, limit, promise } = expectation;
        Self {
            metric: metric.to_string(),
            leak: leak.into(),
            limit: limit.map(finite),
            promise: promise.clone(),
        }
    }
}

impl TryFrom<ExpectationShape> for Expectation {
    type Error = ShapeError;
    fn try_from(shape: ExpectationShape) -> Result<Self, ShapeError> {
        let metric = shape::metric("plan.draft.expectation.metric", &shape.metric)?;
        let leak = shape.leak.try_into()?;
        Ok(Self { metric, leak, limit: shape.limit, promise: shape.promise })
    }
}

impl From<&Draft> for DraftShape {
    fn from(draft: &Draft) -> Self {
        let Draft {
            incident,
            service,
            version,
            instances,
            made_at,
            expires_at,
            playbook,
            parent,
            steps,
            expectation,
            exhaustion,
            evidence,
            reason,
        } = draft;
        Self {
            incident: incident.to_string(),
            service: service.to_string(),
            version: text_opt(version.as_ref()),
            instances: texts(instances),
            made_at: format_time(*made_at),
            expires_at: format_time(*expires_at),
            playbook: playbook.clone(),
            parent: text_opt(parent.as_ref()),
            steps: steps.iter().map(Into::into).collect(),
            expectation: expectation.into(),
            exhaustion: exhaustion.as_ref().map(Into::into),
            evidence: evidence.to_string(),
            reason: reason.clone(),
        }
    }
}

impl TryFrom<DraftShape> for Draft {
    type Error = ShapeError;
    fn try_from(shape: DraftShape) -> Result<Self, ShapeError> {
        Ok(Self {
            incident: shape::name("plan.draft.incident", &shape.incident)?,
            service: shape::name("plan.draft.service", &shape.service)?,
            version: shape::name_opt("plan.draft.version", shape.version.as_deref())?,
            instances: shape::names("plan.draft.instances", &shape.instances)?,
            made_at: shape::time("plan.draft.made_at", &shape.made_at)?,
            expires_at: shape::time("plan.draft.expires_at", &shape.expires_at)?,
            playbook: shape.playbook,
            parent: shape::name_opt("plan.draft.parent", shape.parent.as_deref())?,
            steps: shape::all(shape.steps)?,
            expectation: shape.expectation.try_into()?,
            exhaustion: shape.exhaustion.map(TryInto::try_into).transpose()?,
            evidence: shape::digest("plan.draft.evidence", &shape.evidence)?,
            reason: shape.reason,
        })
    }
}

impl From<&Plan> for PlanShape {
    fn from(plan: &Plan) -> Self {
        let Plan { id, digest, draft } = plan;
        Self { id: id.to_string(), digest: digest.to_string(), draft: draft.into() }
    }
}

impl TryFrom<PlanShape> for Plan {
    type Error = ShapeError;
    fn try_from(shape: PlanShape) -> Result<Self, ShapeError> {
        let id = shape::name("plan.id", &shape.id)?;
        let digest = shape::digest("plan.digest", &shape.digest)?;
        let draft = Draft::try_from(shape.draft)?;
        if draft_digest(&draft) != digest {
            return Err(ShapeError::Altered { field: "plan.digest" });
        }
        Ok(Self { id, digest, draft })
    }
}

impl From<&Approval> for ApprovalShape {
    fn from(approval: &Approval) -> Self {
        let Approval { plan, digest, evidence, approver, at } = approval;
        Self {
            plan: plan.to_string(),
            digest: digest.to_string(),
            evidence: evidence.to_string(),
            approver: approver.clone(),
            at: format_time(*at),
        }
    }
}

impl TryFrom<ApprovalShape> for Approval {
    type Error = ShapeError;
    fn try_from(shape: ApprovalShape) -> Result<Self, ShapeError> {
        Ok(Self {
            plan: shape::name("approval.plan", &shape.plan)?,
            digest: shape::digest("approval.digest", &shape.digest)?,
            evidence: shape::digest("approval.evidence", &shape.evidence)?,
            approver: shape.approver,
            at: shape::time("approval.at", &shape.at)?,
        })
    }
}
