//! Ranked explanations of an incident.

use plimsoll_model::{Diagnosis, Explanation, TypeGrowth};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::assessment::EvidenceShape;
use crate::shape::{self, ShapeError, finite, format_time};
use crate::words::FaultWord;

/// A type that grew between two captures.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TypeGrowthShape {
    pub name: String,
    pub instances: i64,
    pub bytes: i64,
    pub share: f64,
    pub group_share: f64,
    pub bytes_per_request: Option<f64>,
}

/// One explanation, with what speaks for it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ExplanationShape {
    pub fault: FaultWord,
    pub summary: String,
    pub probability: f64,
    pub evidence: Vec<EvidenceShape>,
}

/// Ranked explanations, best first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DiagnosisShape {
    pub at: String,
    pub instance: String,
    pub chosen_because: String,
    pub growing: Vec<TypeGrowthShape>,
    pub explanations: Vec<ExplanationShape>,
}

impl From<&TypeGrowth> for TypeGrowthShape {
    fn from(growth: &TypeGrowth) -> Self {
        let TypeGrowth { name, instances, bytes, share, group_share, bytes_per_request } = growth;
        Self {
            name: name.clone(),
            instances: *instances,
            bytes: *bytes,
            share: finite(*share),
            group_share: finite(*group_share),
            bytes_per_request: bytes_per_request.map(finite),
        }
    }
}

impl TryFrom<TypeGrowthShape> for TypeGrowth {
    type Error = ShapeError;
    fn try_from(shape: TypeGrowthShape) -> Result<Self, ShapeError> {
        let TypeGrowthShape { name, instances, bytes, share, group_share, bytes_per_request } =
            shape;
        Ok(Self { name, instances, bytes, share, group_share, bytes_per_request })
    }
}

impl From<&Explanation> for ExplanationShape {
    fn from(explanation: &Explanation) -> Self {
        let Explanation { fault, summary, probability, evidence } = explanation;
        Self {
            fault: (*fault).into(),
            summary: summary.clone(),
            probability: finite(*probability),
            evidence: evidence.iter().map(Into::into).collect(),
        }
    }
}

impl TryFrom<ExplanationShape> for Explanation {
    type Error = ShapeError;
    fn try_from(shape: ExplanationShape) -> Result<Self, ShapeError> {
        Ok(Self {
            fault: shape.fault.into(),
            summary: shape.summary,
            probability: shape.probability,
            evidence: shape::all(shape.evidence)?,
        })
    }
}

impl From<&Diagnosis> for DiagnosisShape {
    fn from(diagnosis: &Diagnosis) -> Self {
        let Diagnosis { at, instance, chosen_because, growing, explanations } = diagnosis;
        Self {
            at: format_time(*at),
            instance: instance.to_string(),
            chosen_because: chosen_because.clone(),
            growing: growing.iter().map(Into::into).collect(),
            explanations: explanations.iter().map(Into::into).collect(),
        }
    }
}

impl TryFrom<DiagnosisShape> for Diagnosis {
    type Error = ShapeError;
    fn try_from(shape: DiagnosisShape) -> Result<Self, ShapeError> {
        Ok(Self {
            at: shape::time("diagnosis.at", &shape.at)?,
            instance: shape::name("diagnosis.instance", &shape.instance)?,
            chosen_because: shape.chosen_because,
            growing: shape::all(shape.growing)?,
            explanations: shape::all(shape.explanations)?,
        })
    }
}
