//! What came of a plan.

use plimsoll_model::{Comparison, Outcome};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::assessment::{ExhaustionShape, GrowthShape};
use crate::shape::{self, ShapeError, format_time};
use crate::words::OutcomeWord;

/// One instance's growth over the watch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ComparisonShape {
    pub instance: String,
    pub treated: bool,
    pub growth: GrowthShape,
}

/// The expectation compared with what was seen. `kind` is a word, not a tag: all kinds carry the
/// same fields.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct OutcomeShape {
    pub kind: OutcomeWord,
    pub at: String,
    pub growth_before: Option<GrowthShape>,
    pub compared: Vec<ComparisonShape>,
    pub recurrence: Option<ExhaustionShape>,
    pub reason: String,
}

impl From<&Comparison> for ComparisonShape {
    fn from(comparison: &Comparison) -> Self {
        let Comparison { instance, treated, growth } = comparison;
        Self { instance: instance.to_string(), treated: *treated, growth: growth.into() }
    }
}

impl TryFrom<ComparisonShape> for Comparison {
    type Error = ShapeError;
    fn try_from(shape: ComparisonShape) -> Result<Self, ShapeError> {
        Ok(Self {
            instance: shape::name("outcome.compared.instance", &shape.instance)?,
            treated: shape.treated,
            growth: shape.growth.try_into()?,
        })
    }
}

impl From<&Outcome> for OutcomeShape {
    fn from(outcome: &Outcome) -> Self {
        let Outcome { kind, at, growth_before, compared, recurrence, reason } = outcome;
        Self {
            kind: (*kind).into(),
            at: format_time(*at),
            growth_before: growth_before.as_ref().map(Into::into),
            compared: compared.iter().map(Into::into).collect(),
            recurrence: recurrence.as_ref().map(Into::into),
            reason: reason.clone(),
        }
    }
}

impl TryFrom<OutcomeShape> for Outcome {
    type Error = ShapeError;
    fn try_from(shape: OutcomeShape) -> Result<Self, ShapeError> {
        Ok(Self {
            kind: shape.kind.into(),
            at: shape::time("outcome.at", &shape.at)?,
            growth_before: shape::maybe(shape.growth_before)?,
            compared: shape::all(shape.compared)?,
            recurrence: shape::maybe(shape.recurrence)?,
            reason: shape.reason,
        })
    }
}
