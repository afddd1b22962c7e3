//! The events format of `--events` and `POST /api/v1/events`: one JSON object a line, times in Unix
//! seconds. This is what Plimsoll writes itself; `plimsoll-ingest` reads what others write.

use std::collections::BTreeMap;

use plimsoll_model::{Change, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::shape::{self, ShapeError, text_opt};
use crate::words::ChangeWord;

/// Latest and earliest time of an event in Unix seconds (the years -9999 and 9999), so that
/// milliseconds survive the trip through a double.
const SECONDS_MAX: f64 = 253_402_207_200.0;

/// One event of a service, or of one of its instances.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ChangeShape {
    /// Unix seconds, with the milliseconds as fraction.
    pub ts: f64,
    pub kind: ChangeWord,
    pub service: String,
    #[serde(default)]
    pub instance: Option<String>,
    #[serde(default)]
    pub version: Option<String>,
    #[serde(default)]
    pub attributes: BTreeMap<String, String>,
}

/// The same from a person or a pipeline: a misspelt field is refused instead of ignored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeRequest {
    /// Unix seconds; the time of arrival when it is missing.
    #[serde(default)]
    pub ts: Option<f64>,
    pub kind: ChangeWord,
    pub service: String,
    #[serde(default)]
    pub instance: Option<String>,
    #[serde(default)]
    pub version: Option<String>,
    #[serde(default)]
    pub attributes: BTreeMap<String, String>,
}

impl ChangeRequest {
    pub fn into_shape(self, arrived_at: Timestamp) -> ChangeShape {
        let Self { ts, kind, service, instance, version, attributes } = self;
        let ts = ts.unwrap_or_else(|| arrived_at.as_secs_f64());
        ChangeShape { ts, kind, service, instance, version, attributes }
    }
}

impl From<&Change> for ChangeShape {
    fn from(change: &Change) -> Self {
        let Change { at, kind, service, instance, version, attributes } = change;
        Self {
            ts: at.as_secs_f64().clamp(-SECONDS_MAX, SECONDS_MAX),
            kind: (*kind).into(),
            service: service.to_string(),
            instance: text_opt(instance.as_ref()),
            version: text_opt(version.as_ref()),
            attributes: attributes.clone(),
        }
    }
}

impl TryFrom<ChangeShape> for Change {
    type Error = ShapeError;
    fn try_from(shape: ChangeShape) -> Result<Self, ShapeError> {
        if !shape.ts.is_finite() || shape.ts.abs() > SECONDS_MAX {
            return Err(ShapeError::Number { field: "event.ts", number: shape.ts });
        }
        Ok(Self {
            at: Timestamp::from_millis((shape.ts * 1000.0).round() as i64),
            kind: shape.kind.into(),
            service: shape::name("event.service", &shape.service)?,
            instance: shape::name_opt("event.instance", shape.instance.as_deref())?,
            version: shape::name_opt("event.version", shape.version.as_deref())?,
            attributes: shape.attributes,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_of_the_documented_format_is_read() {
        let line = r#"{"ts": 1780000000, "kind": "deploy", "service": "orders",
                       "version": "1.1.0", "attributes": {}}"#;
        let change = Change::try_from(serde_json::from_str::<ChangeShape>(line).unwrap()).unwrap();
        assert_eq!(change.at, Timestamp::from_secs(1_780_000_000));
        assert_eq!(change.instance, None);
    }

    #[test]
    fn a_time_that_no_calendar_holds_is_refused() {
        let line = r#"{"ts": 1e300, "kind": "deploy", "service": "orders"}"#;
        let shape = serde_json::from_str::<ChangeShape>(line).unwrap();
        let error = Change::try_from(shape).unwrap_err().to_string();
        assert!(error.contains("`event.ts`"), "{error}");
    }

    #[test]
    fn a_misspelt_field_of_a_request_is_refused() {
        let body = r#"{"kind": "deploy", "service": "orders", "verison": "1.1.0"}"#;
        assert!(serde_json::from_str::<ChangeRequest>(body).is_err());
        let body = body.replace("verison", "version");
        let request = serde_json::from_str::<ChangeRequest>(&body).unwrap();
        assert_eq!(request.into_shape(Timestamp::from_secs(5)).ts.to_string(), "5");
    }
}
