//! Everything that is written down can be read back, and what an older version wrote still can.

#![expect(clippy::unwrap_used, reason = "a record that cannot be made fails its test")]

#[path = "records/examples.rs"]
mod examples;

use std::fmt::Debug;

use plimsoll_model::*;
use plimsoll_wire::assessment::AssessmentShape;
use plimsoll_wire::capture::CaptureShape;
use plimsoll_wire::command::{ActionShape, CommandShape};
use plimsoll_wire::diagnosis::DiagnosisShape;
use plimsoll_wire::digest::{digest_of, evidence_digest, seal};
use plimsoll_wire::event::ChangeShape;
use plimsoll_wire::incident::IncidentRecord;
use plimsoll_wire::outcome::OutcomeShape;
use plimsoll_wire::plan::PlanShape;
use plimsoll_wire::reach::ReachShape;
use plimsoll_wire::receipt::ReceiptShape;
use plimsoll_wire::{ShapeError, format_time};
use proptest::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Noun to shape to text and back again, to the last bit.
fn round<S, T>(noun: &T) -> T
where
    S: for<'a> From<&'a T> + Serialize + DeserializeOwned,
    T: TryFrom<S, Error = ShapeError>,
{
    let text = serde_json::to_string(&S::from(noun)).unwrap();
    let shape: S = serde_json::from_str(&text).unwrap();
    assert_eq!(digest_of(&shape), digest_of(&S::from(noun)), "{text}");
    T::try_from(shape).unwrap()
}

fn check<S, T>(nouns: &[T])
where
    S: for<'a> From<&'a T> + Serialize + DeserializeOwned,
    T: TryFrom<S, Error = ShapeError> + PartialEq + Debug,
{
    assert!(!nouns.is_empty());
    for noun in nouns {
        assert_eq!(&round::<S, T>(noun), noun);
    }
}

#[test]
fn every_noun_survives_its_json() {
    check::<ChangeShape, _>(&[examples::change()]);
    check::<AssessmentShape, _>(&examples::assessments());
    check::<ActionShape, _>(&examples::actions());
    check::<CommandShape, _>(&examples::commands());
    check::<ReachShape, _>(&examples::reaches());
    check::<CaptureShape, _>(&[examples::capture()]);
    check::<ReceiptShape, _>(&examples::receipts());
    check::<DiagnosisShape, _>(&[examples::diagnosis()]);
    check::<OutcomeShape, _>(&examples::outcomes());
    check::<PlanShape, _>(&[examples::plan()]);
    check::<IncidentRecord, _>(&examples::incidents());
}

#[test]
fn the_record_of_format_1_is_still_read() {
    let text = include_str!("fixtures/incident-format-1.json");
    let record: IncidentRecord = serde_json::from_str(text).unwrap();
    let incident = Incident::try_from(record).unwrap();
    assert_eq!(incident, examples::incidents()[2]);
}

#[test]
fn a_field_of_a_newer_writer_is_ignored_and_a_newer_format_is_refused() {
    let record = IncidentRecord::from(&examples::incidents()[0]);
    let mut fields = serde_json::to_value(&record).unwrap();
    fields["mood"] = "calm".into();
    let read: IncidentRecord = serde_json::from_value(fields).unwrap();
    assert_eq!(read, record);
    let error = Incident::try_from(IncidentRecord { format: 2, ..read }).unwrap_err();
    assert!(error.to_string().contains("`incident.format`"), "{error}");
}

#[test]
fn an_altered_plan_is_not_read() {
    let mut shape = PlanShape::from(&examples::plan());
    shape.draft.steps.remove(0);
    let error = Plan::try_from(shape).unwrap_err();
    assert!(matches!(error, ShapeError::Altered { field: "plan.digest" }), "{error}");
}

#[test]
fn a_plan_is_named_by_its_digest() {
    let plan = examples::plan();
    assert_eq!(plan.id.as_str(), format!("plan-{}", &plan.digest.to_string()[..12]));
    let mut other = plan.draft.clone();
    assert_eq!(seal(other.clone()), plan);
    other.reason.push('!');
    assert_ne!(seal(other).digest, plan.digest);
}

#[test]
fn evidence_is_another_when_the_diagnosis_is() {
    let assessment = &examples::assessments()[0];
    let diagnosis = examples::diagnosis();
    let with = evidence_digest(assessment, Some(&diagnosis));
    assert_eq!(with, evidence_digest(assessment, Some(&diagnosis)));
    assert_ne!(with, evidence_digest(assessment, None));
    assert_ne!(with, evidence_digest(&examples::assessments()[1], Some(&diagnosis)));
}

#[test]
fn an_error_names_the_field_that_is_wrong() {
    let wrong = |change: fn(&mut IncidentRecord), field: &str| {
        let mut record = IncidentRecord::from(&examples::incidents()[0]);
        change(&mut record);
        let error = Incident::try_from(record).unwrap_err().to_string();
        assert!(error.contains(&format!("`{field}`")), "{error}");
    };
    wrong(|record| record.service.clear(), "incident.service");
    wrong(|record| record.opened_at = "yesterday".into(), "incident.opened_at");
    wrong(|record| record.receipts[0].ended_at.clear(), "receipt.ended_at");
    wrong(|record| record.opened_on.metric = Some("rss".into()), "assessment.metric");
    wrong(|record| record.capturing.as_mut().unwrap().authority.push('0'), "command.authority");
    wrong(|record| record.capturing.as_mut().unwrap().not_after.clear(), "command.not_after");
}

proptest! {
    #[test]
    fn any_assessment_survives_its_json(
        millis in -377_705_023_201_000_i64..=253_402_207_200_999,
        confidence in any::<f64>().prop_filter("finite", |x| x.is_finite()),
        per_hour in any::<f64>().prop_filter("finite", |x| x.is_finite()),
        reason in ".*",
        name in "[^\\p{Cc}]{1,60}",
    ) {
        let at = Timestamp::from_millis(millis);
        let noun = Assessment {
            at,
            service: ServiceName::new(&name).unwrap(),
            confidence,
            growth: Some(Growth { per_hour, unit: Unit::PerSecond }),
            onset: Some(at),
            reason,
            ..examples::assessments().remove(0)
        };
        prop_assert_eq!(round::<AssessmentShape, _>(&noun), noun);
        prop_assert!(format_time(at).ends_with('Z'));
    }

    #[test]
    fn any_command_survives_its_json(
        bytes in any::<u64>(),
        lease in any::<i64>(),
        not_after in -377_705_023_201_000_i64..=253_402_207_200_999,
        digest in any::<[u8; 32]>(),
    ) {
        let noun = Command {
            action: Action::SetSoftLimit(Bytes(bytes)),
            lease: Some(Span::from_millis(lease)),
            not_after: Timestamp::from_millis(not_after),
            authority: Digest(digest),
            ..examples::commands().remove(0)
        };
        prop_assert_eq!(round::<CommandShape, _>(&noun), noun);
    }

    #[test]
    fn any_event_keeps_its_milliseconds(millis in -253_402_207_200_000_i64..=253_402_207_200_000) {
        let noun = Change { at: Timestamp::from_millis(millis), ..examples::change() };
        prop_assert_eq!(round::<ChangeShape, _>(&noun), noun);
    }

    #[test]
    fn no_text_makes_a_record_panic(text in ".*") {
        drop(serde_json::from_str::<IncidentRecord>(&text));
        let mut record = IncidentRecord::from(&examples::incidents().remove(0));
        record.opened_at = text;
        drop(Incident::try_from(record));
    }
}
