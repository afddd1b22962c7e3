//! What `plimsoll scan --format json` prints. Stable: others build on it.

use plimsoll_model::{Assessment, Change, Growth, SharedOnset, Timestamp, Unit};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::assessment::{EvidenceShape, ExhaustionShape};
use crate::shape::{finite, format_time, format_time_opt, text_opt, texts};
use crate::words::{CauseWord, ChangeWord, UnitWord, VerdictWord};

/// Decimals of a confidence: more would claim a precision that no calibration has.
const CONFIDENCE_STEPS: f64 = 10_000.0;

/// Every service of the input, assessed at one moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ScanReport {
    pub assessed_at: String,
    pub services: Vec<ScanService>,
    /// Null where services began to grow at moments of their own.
    #[serde(default)]
    pub shared_onset: Option<ScanSharedOnset>,
    pub inputs: ScanInputs,
}

/// Services that began to grow too close together to have done so by themselves.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ScanSharedOnset {
    pub services: Vec<String>,
    pub from: String,
    pub to: String,
    /// At most so probable by chance alone.
    pub chance: f64,
    pub reason: String,
}

/// The assessment of one service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ScanService {
    pub service: String,
    pub verdict: VerdictWord,
    pub cause: CauseWord,
    /// 0 to 1, with 4 decimals.
    pub confidence: f64,
    /// The metric that spoke.
    pub metric: Option<String>,
    pub onset: Option<String>,
    /// Null where the metric that spoke does not count bytes.
    pub growth_bytes_per_hour: Option<f64>,
    /// The growth in its own unit, whatever that is.
    pub growth_per_hour: Option<ScanGrowth>,
    pub exhaustion: Option<ExhaustionShape>,
    pub instances: Vec<String>,
    pub suspected_change: Option<ScanChange>,
    pub reason: String,
    pub evidence: Vec<EvidenceShape>,
}

/// Growth per hour in its own unit.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ScanGrowth {
    pub value: f64,
    pub unit: UnitWord,
}

/// The change that fits onset and dose.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ScanChange {
    pub kind: ChangeWord,
    pub version: Option<String>,
    pub ts: String,
}

/// What was read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ScanInputs {
    pub series: u64,
    pub samples: u64,
    pub rejected: u64,
    pub from: Option<String>,
    pub to: Option<String>,
}

impl ScanReport {
    pub fn new(
        at: Timestamp,
        assessments: &[Assessment],
        shared: Option<&SharedOnset>,
        inputs: ScanInputs,
    ) -> Self {
        let services = assessments.iter().map(Into::into).collect();
        let shared_onset = shared.map(Into::into);
        Self { assessed_at: format_time(at), services, shared_onset, inputs }
    }
}

impl ScanInputs {
    /// `span` is the oldest and the newest sample, none without samples.
    pub fn new(
        series: u64,
        samples: u64,
        rejected: u64,
        span: Option<(Timestamp, Timestamp)>,
    ) -> Self {
        let (from, to) = (span.map(|(from, _)| from), span.map(|(_, to)| to));
        Self { series, samples, rejected, from: format_time_opt(from), to: format_time_opt(to) }
    }
}

impl From<&Assessment> for ScanService {
    fn from(assessment: &Assessment) -> Self {
        // A growth that is not a number is no growth: better null than a bound that reads as fact.
        let growth = assessment.growth.filter(|growth| growth.per_hour.is_finite());
        Self {
            service: assessment.service.to_string(),
            verdict: assessment.verdict.into(),
            cause: assessment.cause.into(),
            confidence: rounded(assessment.confidence),
            metric: text_opt(assessment.metric.as_ref()),
            onset: format_time_opt(assessment.onset),
            growth_bytes_per_hour: growth.and_then(in_bytes),
            growth_per_hour: growth
                .map(|Growth { per_hour, unit }| ScanGrowth { value: per_hour, unit: unit.into() }),
            exhaustion: assessment.exhaustion.as_ref().map(Into::into),
            instances: texts(&assessment.instances),
            suspected_change: assessment.suspected_change.as_ref().map(Into::into),
            reason: assessment.reason.clone(),
            evidence: assessment.evidence.iter().map(Into::into).collect(),
        }
    }
}

impl From<&SharedOnset> for ScanSharedOnset {
    fn from(found: &SharedOnset) -> Self {
        let SharedOnset { services, from, to, chance, reason } = found;
        Self {
            services: texts(services),
            from: format_time(*from),
            to: format_time(*to),
            chance: *chance,
            reason: reason.clone(),
        }
    }
}

impl From<&Change> for ScanChange {
    fn from(change: &Change) -> Self {
        Self {
            kind: change.kind.into(),
            version: text_opt(change.version.as_ref()),
            ts: format_time(change.at),
        }
    }
}

fn in_bytes(growth: Growth) -> Option<f64> {
    match growth.unit {
        Unit::Bytes => Some(growth.per_hour),
        Unit::Count | Unit::Seconds | Unit::PerSecond => None,
    }
}

fn rounded(confidence: f64) -> f64 {
    (finite(confidence).clamp(0.0, 1.0) * CONFIDENCE_STEPS).round() / CONFIDENCE_STEPS
}

#[cfg(test)]
mod tests {
    use super::*;
    use plimsoll_model::{Cause, Metric, ServiceName, Verdict};

    fn assessment(confidence: f64, growth: Option<Growth>) -> Assessment {
        Assessment {
            at: Timestamp::from_secs(0),
            service: ServiceName::new("ledger").unwrap(),
            verdict: Verdict::Leaking,
            cause: Cause::Handles,
            confidence,
            metric: Some(Metric::ProcessFds),
            onset: None,
            growth,
            exhaustion: None,
            instances: Vec::new(),
            suspected_change: None,
            reason: "opens one handle a request".into(),
            evidence: Vec::new(),
        }
    }

    #[test]
    fn growth_of_handles_is_not_growth_of_bytes() {
        let growth = Growth { per_hour: 1200.5, unit: Unit::Count };
        let entry =
            serde_json::to_value(ScanService::from(&assessment(0.9, Some(growth)))).unwrap();
        assert_eq!(entry["growth_bytes_per_hour"], serde_json::Value::Null);
        assert_eq!(entry["growth_per_hour"]["value"], 1200.5);
        assert_eq!(entry["growth_per_hour"]["unit"], "count");
    }

    #[test]
    fn a_confidence_has_four_decimals_and_is_always_a_probability() {
        let check = |confidence: f64, want: &str| {
            let service = ScanService::from(&assessment(confidence, None));
            assert_eq!(service.confidence.to_string(), want);
        };
        check(0.973_456_7, "0.9735");
        check(f64::NAN, "0");
        check(1.000_000_1, "1");
    }

    #[test]
    fn growth_that_is_not_a_number_is_null() {
        let growth = Growth { per_hour: f64::NAN, unit: Unit::Bytes };
        let service = ScanService::from(&assessment(0.5, Some(growth)));
        assert_eq!((service.growth_bytes_per_hour, service.growth_per_hour), (None, None));
    }

    #[test]
    fn a_report_holds_exactly_the_documented_fields() {
        let inputs = ScanInputs::new(1, 2, 3, None);
        let report =
            ScanReport::new(Timestamp::from_secs(0), &[assessment(1.0, None)], None, inputs);
        let text = serde_json::to_string(&report).unwrap();
        let want = concat!(
            r#"{"assessed_at":"1970-01-01T00:00:00.000Z","services":[{"service":"ledger","#,
            r#""verdict":"leaking","cause":"handles","confidence":1.0,"metric":"process.fds","#,
            r#""onset":null,"growth_bytes_per_hour":null,"growth_per_hour":null,"#,
            r#""exhaustion":null,"instances":[],"suspected_change":null,"#,
            r#""reason":"opens one handle a request","evidence":[]}],"#,
            r#""shared_onset":null,"inputs":{"series":1,"samples":2,"rejected":3,"from":null,"to":null}}"#,
        );
        assert_eq!(text, want);
    }
}
