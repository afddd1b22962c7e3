//! What an agent says of one instance that it can act on.

use plimsoll_model::{PredictedPause, Reach, Span};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::shape::{self, ShapeError, text_opt, texts};
use crate::words::AbilityWord;

/// How long an instance is expected to stand still, and from what that follows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PredictedPauseShape {
    pub pause_ms: i64,
    pub basis: String,
}

/// An ability that a person would expect here, and why it is missing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MissingShape {
    pub ability: AbilityWord,
    pub why: String,
}

/// One instance in an agent's reach.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReachShape {
    pub service: String,
    pub instance: String,
    pub version: Option<String>,
    pub abilities: Vec<AbilityWord>,
    pub missing: Vec<MissingShape>,
    pub versions: Vec<String>,
    pub predicted_pause: Option<PredictedPauseShape>,
}

impl From<&PredictedPause> for PredictedPauseShape {
    fn from(predicted: &PredictedPause) -> Self {
        let PredictedPause { pause, basis } = predicted;
        Self { pause_ms: pause.as_millis(), basis: basis.clone() }
    }
}

impl TryFrom<PredictedPauseShape> for PredictedPause {
    type Error = ShapeError;
    fn try_from(shape: PredictedPauseShape) -> Result<Self, ShapeError> {
        Ok(Self { pause: Span::from_millis(shape.pause_ms), basis: shape.basis })
    }
}

impl From<&Reach> for ReachShape {
    fn from(reach: &Reach) -> Self {
        let Reach { service, instance, version, abilities, missing, versions, predicted_pause } =
            reach;
        let missing = missing.iter();
        Self {
            service: service.to_string(),
            instance: instance.to_string(),
            version: text_opt(version.as_ref()),
            abilities: abilities.iter().map(|ability| (*ability).into()).collect(),
            missing: missing
                .map(|(ability, why)| MissingShape { ability: (*ability).into(), why: why.clone() })
                .collect(),
            versions: texts(versions),
            predicted_pause: predicted_pause.as_ref().map(Into::into),
        }
    }
}

impl TryFrom<ReachShape> for Reach {
    type Error = ShapeError;
    fn try_from(shape: ReachShape) -> Result<Self, ShapeError> {
        let missing = shape.missing.into_iter();
        Ok(Self {
            service: shape::name("reach.service", &shape.service)?,
            instance: shape::name("reach.instance", &shape.instance)?,
            version: shape::name_opt("reach.version", shape.version.as_deref())?,
            abilities: shape.abilities.into_iter().map(Into::into).collect(),
            missing: missing.map(|missing| (missing.ability.into(), missing.why)).collect(),
            versions: shape::names("reach.versions", &shape.versions)?,
            predicted_pause: shape::maybe(shape.predicted_pause)?,
        })
    }
}
