//! An ordered act, as it travels to the agent that performs it. Signed in [`crate::agent`].

use plimsoll_model::{Action, Bytes, Command, Span};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::shape::{self, ShapeError, text_opt};

/// One thing to do to one instance; `kind` is the name that the model gives it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind")]
pub enum ActionShape {
    #[serde(rename = "runtime.collect_garbage")]
    CollectGarbage,
    #[serde(rename = "heap.histogram")]
    CaptureHistogram,
    #[serde(rename = "cgroup.memory_high")]
    SetMemoryHigh { bytes: u64 },
    #[serde(rename = "cgroup.soft_limit")]
    SetSoftLimit { bytes: u64 },
    #[serde(rename = "process.restart")]
    Restart,
    #[serde(rename = "process.rollback")]
    RunVersion { version: String },
}

/// One act, ordered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CommandShape {
    pub id: String,
    pub plan: Option<String>,
    pub authority: String,
    pub service: String,
    pub instance: String,
    pub version: Option<String>,
    pub action: ActionShape,
    pub lease_ms: Option<i64>,
    pub not_after: String,
    pub reason: String,
}

impl From<&Action> for ActionShape {
    fn from(action: &Action) -> Self {
        match action {
            Action::CollectGarbage => Self::CollectGarbage,
            Action::CaptureHistogram => Self::CaptureHistogram,
            Action::SetMemoryHigh(bytes) => Self::SetMemoryHigh { bytes: bytes.0 },
            Action::SetSoftLimit(bytes) => Self::SetSoftLimit { bytes: bytes.0 },
            Action::Restart => Self::Restart,
            Action::RunVersion(version) => Self::RunVersion { version: version.to_string() },
        }
    }
}

impl TryFrom<ActionShape> for Action {
    type Error = ShapeError;
    fn try_from(shape: ActionShape) -> Result<Self, ShapeError> {
        Ok(match shape {
            ActionShape::CollectGarbage => Self::CollectGarbage,
            ActionShape::CaptureHistogram => Self::CaptureHistogram,
            ActionShape::SetMemoryHigh { bytes } => Self::SetMemoryHigh(Bytes(bytes)),
            ActionShape::SetSoftLimit { bytes } => Self::SetSoftLimit(Bytes(bytes)),
            ActionShape::Restart => Self::Restart,
            ActionShape::RunVersion { version } => {
                Self::RunVersion(shape::name("action.version", &version)?)
            }
        })
    }
}

impl From<&Command> for CommandShape {
    fn from(command: &Command) -> Self {
        let Command {
            id,
            plan,
            authority,
            service,
            instance,
            version,
            action,
            lease,
            not_after,
            reason,
        } = command;
        Self {
            id: id.to_string(),
            plan: text_opt(plan.as_ref()),
            authority: authority.to_string(),
            service: service.to_string(),
            instance: instance.to_string(),
            version: text_opt(version.as_ref()),
            action: action.into(),
            lease_ms: lease.map(Span::as_millis),
            not_after: shape::format_time(*not_after),
            reason: reason.clone(),
        }
    }
}

impl TryFrom<CommandShape> for Command {
    type Error = ShapeError;
    fn try_from(shape: CommandShape) -> Result<Self, ShapeError> {
        Ok(Self {
            id: shape::name("command.id", &shape.id)?,
            plan: shape::name_opt("command.plan", shape.plan.as_deref())?,
            authority: shape::digest("command.authority", &shape.authority)?,
            service: shape::name("command.service", &shape.service)?,
            instance: shape::name("command.instance", &shape.instance)?,
            version: shape::name_opt("command.version", shape.version.as_deref())?,
            action: shape.action.try_into()?,
            lease: shape.lease_ms.map(Span::from_millis),
            not_after: shape::time("command.not_after", &shape.not_after)?,
            reason: shape.reason,
        })
    }
}
