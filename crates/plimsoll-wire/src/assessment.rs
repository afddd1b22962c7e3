//! An assessment in full, as it is kept with an incident and shown by the API. The shorter form
//! that `plimsoll scan` prints is in [`crate::scan`].

use plimsoll_model::{Assessment, Evidence, Exhaustion, Growth};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::event::ChangeShape;
use crate::shape::{self, ShapeError, finite, format_time, text_opt, texts};
use crate::words::{CauseWord, UnitWord, VerdictWord};

/// One fact that speaks for (positive weight, log-odds) or against an assessment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct EvidenceShape {
    pub claim: String,
    pub weight: f64,
    pub source: String,
}

/// Growth in its own unit per hour.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct GrowthShape {
    pub per_hour: f64,
    pub unit: UnitWord,
}

/// When the limit is reached, with 10, 50 and 90 % probability before that moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ExhaustionShape {
    pub p10: String,
    pub p50: String,
    pub p90: String,
}

/// The assessment of one service at one moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AssessmentShape {
    pub at: String,
    pub service: String,
    pub verdict: VerdictWord,
    pub cause: CauseWord,
    pub confidence: f64,
    pub metric: Option<String>,
    pub onset: Option<String>,
    pub growth: Option<GrowthShape>,
    pub exhaustion: Option<ExhaustionShape>,
    pub instances: Vec<String>,
    pub suspected_change: Option<ChangeShape>,
    pub reason: String,
    pub evidence: Vec<EvidenceShape>,
}

impl From<&Evidence> for EvidenceShape {
    fn from(evidence: &Evidence) -> Self {
        let Evidence { claim, weight, source } = evidence;
        Self { claim: claim.clone(), weight: finite(*weight), source: source.clone() }
    }
}

impl TryFrom<EvidenceShape> for Evidence {
    type Error = ShapeError;
    fn try_from(shape: EvidenceShape) -> Result<Self, ShapeError> {
        Ok(Self { claim: shape.claim, weight: shape.weight, source: shape.source })
    }
}

impl From<&Growth> for GrowthShape {
    fn from(growth: &Growth) -> Self {
        let Growth { per_hour, unit } = *growth;
        Self { per_hour: finite(per_hour), unit: unit.into() }
    }
}

impl TryFrom<GrowthShape> for Growth {
    type Error = ShapeError;
    fn try_from(shape: GrowthShape) -> Result<Self, ShapeError> {
        Ok(Self { per_hour: shape.per_hour, unit: shape.unit.into() })
    }
}

impl From<&Exhaustion> for ExhaustionShape {
    fn from(exhaustion: &Exhaustion) -> Self {
        let Exhaustion { p10, p50, p90 } = *exhaustion;
        Self { p10: format_time(p10), p50: format_time(p50), p90: format_time(p90) }
    }
}

impl TryFrom<ExhaustionShape> for Exhaustion {
    type Error = ShapeError;
    fn try_from(shape: ExhaustionShape) -> Result<Self, ShapeError> {
        Ok(Self {
            p10: shape::time("exhaustion.p10", &shape.p10)?,
            p50: shape::time("exhaustion.p50", &shape.p50)?,
            p90: shape::time("exhaustion.p90", &shape.p90)?,
        })
    }
}

impl From<&Assessment> for AssessmentShape {
    fn from(assessment: &Assessment) -> Self {
        let Assessment {
            at,
            service,
            verdict,
            cause,
            confidence,
            metric,
            onset,
            growth,
            exhaustion,
            instances,
            suspected_change,
            reason,
            evidence,
        } = assessment;
        Self {
            at: format_time(*at),
            service: service.to_string(),
            verdict: (*verdict).into(),
            cause: (*cause).into(),
            confidence: finite(*confidence),
            metric: text_opt(metric.as_ref()),
            onset: shape::format_time_opt(*onset),
            growth: growth.as_ref().map(Into::into),
            exhaustion: exhaustion.as_ref().map(Into::into),
            instances: texts(instances),
            suspected_change: suspected_change.as_ref().map(Into::into),
            reason: reason.clone(),
            evidence: evidence.iter().map(Into::into).collect(),
        }
    }
}

impl TryFrom<AssessmentShape> for Assessment {
    type Error = ShapeError;
    fn try_from(shape: AssessmentShape) -> Result<Self, ShapeError> {
        let metric = shape.metric.as_deref();
        Ok(Self {
            at: shape::time("assessment.at", &shape.at)?,
            service: shape::name("assessment.service", &shape.service)?,
            verdict: shape.verdict.into(),
            cause: shape.cause.into(),
            confidence: shape.confidence,
            metric: metric.map(|name| shape::metric("assessment.metric", name)).transpose()?,
            onset: shape::time_opt("assessment.onset", shape.onset.as_deref())?,
            growth: shape::maybe(shape.growth)?,
            exhaustion: shape::maybe(shape.exhaustion)?,
            instances: shape::names("assessment.instances", &shape.instances)?,
            suspected_change: shape::maybe(shape.suspected_change)?,
            reason: shape.reason,
            evidence: shape::all(shape.evidence)?,
        })
    }
}
