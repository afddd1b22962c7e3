//! What a performed, refused or undone command did, as the agent reports it.

use plimsoll_model::{Bytes, Measured, Receipt, ReceiptResult, Restored, Span};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::capture::TypeCountShape;
use crate::command::ActionShape;
use crate::reach::PredictedPauseShape;
use crate::shape::{self, ShapeError, format_time, text_opt};

/// The measured effect of an act.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum MeasuredShape {
    Collected { used_before_bytes: u64, used_after_bytes: u64, pause_ms: i64 },
    Counted { predicted: PredictedPauseShape, pause_ms: i64, types: Vec<TypeCountShape> },
    Limited { what: String, before: String, after: String, until: String },
    Replaced { version: Option<String>, ready_after_ms: i64 },
}

/// How the act ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ReceiptResultShape {
    Done { measured: MeasuredShape },
    Refused { reason: String },
    Failed { reason: String },
    Undone { what: String, now: String, verified: bool },
}

/// What became of one command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReceiptShape {
    pub command: String,
    pub service: String,
    pub instance: String,
    pub action: ActionShape,
    pub started_at: String,
    pub ended_at: String,
    pub result: ReceiptResultShape,
}

impl From<&Measured> for MeasuredShape {
    fn from(measured: &Measured) -> Self {
        match measured {
            Measured::Collected { used_before, used_after, pause } => Self::Collected {
                used_before_bytes: used_before.0,
                used_after_bytes: used_after.0,
                pause_ms: pause.as_millis(),
            },
            Measured::Counted { predicted, pause, types } => Self::Counted {
                predicted: predicted.into(),
                pause_ms: pause.as_millis(),
                types: types.iter().map(Into::into).collect(),
            },
            Measured::Limited { what, before, after, until } => Self::Limited {
                what: what.clone(),
                before: before.clone(),
                after: after.clone(),
                until: format_time(*until),
            },
            Measured::Replaced { version, ready_after } => Self::Replaced {
                version: text_opt(version.as_ref()),
                ready_after_ms: ready_after.as_millis(),
            },
        }
    }
}

impl TryFrom<MeasuredShape> for Measured {
    type Error = ShapeError;
    fn try_from(shape: MeasuredShape) -> Result<Self, ShapeError> {
        Ok(match shape {
            MeasuredShape::Collected { used_before_bytes, used_after_bytes, pause_ms } => {
                Self::Collected {
                    used_before: Bytes(used_before_bytes),
                    used_after: Bytes(used_after_bytes),
                    pause: Span::from_millis(pause_ms),
                }
            }
            MeasuredShape::Counted { predicted, pause_ms, types } => Self::Counted {
                predicted: predicted.try_into()?,
                pause: Span::from_millis(pause_ms),
                types: shape::all(types)?,
            },
            MeasuredShape::Limited { what, before, after, until } => {
                let until = shape::time("receipt.result.measured.until", &until)?;
                Self::Limited { what, before, after, until }
            }
            MeasuredShape::Replaced { version, ready_after_ms } => Self::Replaced {
                version: shape::name_opt("receipt.result.measured.version", version.as_deref())?,
                ready_after: Span::from_millis(ready_after_ms),
            },
        })
    }
}

impl From<&ReceiptResult> for ReceiptResultShape {
    fn from(result: &ReceiptResult) -> Self {
        match result {
            ReceiptResult::Done(measured) => Self::Done { measured: measured.into() },
            ReceiptResult::Refused(reason) => Self::Refused { reason: reason.clone() },
            ReceiptResult::Failed(reason) => Self::Failed { reason: reason.clone() },
            ReceiptResult::Undone(Restored { what, now, verified }) => {
                Self::Undone { what: what.clone(), now: now.clone(), verified: *verified }
            }
        }
    }
}

impl TryFrom<ReceiptResultShape> for ReceiptResult {
    type Error = ShapeError;
    fn try_from(shape: ReceiptResultShape) -> Result<Self, ShapeError> {
        Ok(match shape {
            ReceiptResultShape::Done { measured } => Self::Done(measured.try_into()?),
            ReceiptResultShape::Refused { reason } => Self::Refused(reason),
            ReceiptResultShape::Failed { reason } => Self::Failed(reason),
            ReceiptResultShape::Undone { what, now, verified } => {
                Self::Undone(Restored { what, now, verified })
            }
        })
    }
}

impl From<&Receipt> for ReceiptShape {
    fn from(receipt: &Receipt) -> Self {
        let Receipt { command, service, instance, action, started_at, ended_at, result } = receipt;
        Self {
            command: command.to_string(),
            service: service.to_string(),
            instance: instance.to_string(),
            action: action.into(),
            started_at: format_time(*started_at),
            ended_at: format_time(*ended_at),
            result: result.into(),
        }
    }
}

impl TryFrom<ReceiptShape> for Receipt {
    type Error = ShapeError;
    fn try_from(shape: ReceiptShape) -> Result<Self, ShapeError> {
        Ok(Self {
            command: shape::name("receipt.command", &shape.command)?,
            service: shape::name("receipt.service", &shape.service)?,
            instance: shape::name("receipt.instance", &shape.instance)?,
            action: shape.action.try_into()?,
            started_at: shape::time("receipt.started_at", &shape.started_at)?,
            ended_at: shape::time("receipt.ended_at", &shape.ended_at)?,
            result: shape.result.try_into()?,
        })
    }
}
