//! What the HTTP API takes and gives. The OpenAPI document is put together in `plimsoll-server`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::alert::AlertRecord;
use crate::event::ChangeShape;
use crate::incident::IncidentRecord;
use crate::journal::JournalEntry;
use crate::scan::{ScanInputs, ScanService};

/// One service: its entry as in a scan, and what its instances report now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ServiceView {
    #[serde(flatten)]
    pub assessment: ScanService,
    /// What somebody is told about it; null while nobody is.
    pub alert: Option<AlertRecord>,
    /// All instances that report, also those that the verdict is not about.
    pub replicas: Vec<InstanceView>,
}

/// What one instance reports now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct InstanceView {
    pub instance: String,
    pub version: Option<String>,
    pub last_seen: Option<String>,
    /// The metric that `level` and `limit` are about.
    pub metric: Option<String>,
    pub level: Option<f64>,
    pub limit: Option<f64>,
    /// The newest value of every metric.
    pub latest: BTreeMap<String, f64>,
}

/// The curve of one metric of one version of one instance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SeriesView {
    pub service: String,
    pub instance: String,
    pub version: Option<String>,
    pub metric: String,
    pub unit: crate::words::UnitWord,
    /// Pairs of Unix seconds and value, in order of time.
    #[schema(value_type = Vec<Vec<f64>>)]
    pub points: Vec<(f64, f64)>,
}

/// Every service that is followed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ServicesAnswer {
    pub assessed_at: String,
    pub services: Vec<ServiceView>,
    pub inputs: ScanInputs,
}

/// The curves of one metric of one service, one for each life.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SeriesAnswer {
    pub series: Vec<SeriesView>,
}

/// Incidents, newest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct IncidentsAnswer {
    pub incidents: Vec<IncidentRecord>,
}

/// Events, oldest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct EventsAnswer {
    pub events: Vec<ChangeShape>,
}

/// One incident with all that was written down about it, oldest entry first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct IncidentView {
    #[serde(flatten)]
    pub incident: IncidentRecord,
    pub timeline: Vec<JournalEntry>,
}

/// Consent to exactly one plan on exactly its evidence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ApproveRequest {
    pub digest: String,
    pub evidence: String,
    pub approver: String,
}

/// Every answer that is not a success.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ErrorBody {
    pub error: ErrorDetail,
}

/// What went wrong, in words that a program (`code`) and a person (the others) can use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ErrorDetail {
    pub code: String,
    pub message: String,
    pub what_now: String,
}

impl ErrorBody {
    pub fn new(code: &str, message: impl Into<String>, what_now: impl Into<String>) -> Self {
        let (message, what_now) = (message.into(), what_now.into());
        Self { error: ErrorDetail { code: code.to_owned(), message, what_now } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_approval_with_an_unknown_field_is_refused() {
        let body = r#"{"digest": "d", "evidence": "e", "approver": "ana", "force": true}"#;
        assert!(serde_json::from_str::<ApproveRequest>(body).is_err());
        let body = body.replace(r#", "force": true"#, "");
        assert_eq!(serde_json::from_str::<ApproveRequest>(&body).unwrap().approver, "ana");
    }

    #[test]
    fn an_error_says_what_happened_and_what_to_do() {
        let body = ErrorBody::new("plan_expired", "the plan expired", "ask for a new plan");
        let want = concat!(
            r#"{"error":{"code":"plan_expired","message":"the plan expired","#,
            r#""what_now":"ask for a new plan"}}"#,
        );
        assert_eq!(serde_json::to_string(&body).unwrap(), want);
    }
}
