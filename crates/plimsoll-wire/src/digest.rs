//! Digests: SHA-256 over canonical JSON, and the identifiers that follow from one.

use plimsoll_model::{Assessment, CommandId, Diagnosis, Digest, Draft, InstanceName, Plan, PlanId};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::assessment::AssessmentShape;
use crate::canonical::text_of;
use crate::diagnosis::DiagnosisShape;
use crate::plan::DraftShape;

/// Hexadecimal digits of a plan's digest in its identifier: enough to be unique, few enough to say.
const PLAN_ID_DIGITS: usize = 12;
/// Hexadecimal digits of a command's identifier: an idempotency key must not meet another one.
const COMMAND_ID_DIGITS: usize = 32;

/// SHA-256 over the canonical JSON of a shape.
pub fn digest_of(shape: &impl Serialize) -> Digest {
    digest_of_text(&text_of(shape))
}

/// Gives a draft its identity: from here on it cannot change without becoming another plan.
pub fn seal(draft: Draft) -> Plan {
    let digest = draft_digest(&draft);
    let id = PlanId::new(&format!("plan-{}", leading(digest, PLAN_ID_DIGITS)));
    Plan { id: id.expect("hexadecimal digits are a name"), digest, draft }
}

/// The digest that [`seal`] gives to a draft.
pub fn draft_digest(draft: &Draft) -> Digest {
    digest_of(&DraftShape::from(draft))
}

/// What a plan and its approval are bound to: the assessment and the diagnosis that they answer.
pub fn evidence_digest(assessment: &Assessment, diagnosis: Option<&Diagnosis>) -> Digest {
    #[derive(Serialize)]
    struct EvidenceOf {
        assessment: AssessmentShape,
        diagnosis: Option<DiagnosisShape>,
    }
    digest_of(&EvidenceOf { assessment: assessment.into(), diagnosis: diagnosis.map(Into::into) })
}

/// The idempotency key of one act: the same authority, step, instance and attempt give the same
/// key, so an act that was ordered twice is performed once.
pub fn command_id(
    authority: Digest,
    step: usize,
    instance: &InstanceName,
    attempt: u32,
) -> CommandId {
    #[derive(Serialize)]
    struct KeyOf<'a> {
        authority: String,
        step: usize,
        instance: &'a str,
        attempt: u32,
    }
    let authority = authority.to_string();
    let digest = digest_of(&KeyOf { authority, step, instance: instance.as_str(), attempt });
    let id = CommandId::new(&format!("cmd-{}", leading(digest, COMMAND_ID_DIGITS)));
    id.expect("hexadecimal digits are a name")
}

pub(crate) fn digest_of_text(text: &str) -> Digest {
    Digest(Sha256::digest(text.as_bytes()).into())
}

fn leading(digest: Digest, digits: usize) -> String {
    digest.to_string().chars().take(digits).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_that_of_the_canonical_text() {
        // printf '{"a":1,"b":[]}' | sha256sum
        let want = "f87e4099e9be5e75094e0a4f46d3dc18";
        let value = serde_json::json!({"b": [], "a": 1.0});
        assert_eq!(leading(digest_of(&value), 32), want);
    }

    #[test]
    fn every_part_of_an_act_changes_its_key() {
        let name = |text| InstanceName::new(text).unwrap();
        let key = command_id(Digest::ZERO, 1, &name("orders-0"), 0);
        assert_eq!(key, command_id(Digest::ZERO, 1, &name("orders-0"), 0));
        assert_ne!(key, command_id(Digest([1; 32]), 1, &name("orders-0"), 0));
        assert_ne!(key, command_id(Digest::ZERO, 2, &name("orders-0"), 0));
        assert_ne!(key, command_id(Digest::ZERO, 1, &name("orders-1"), 0));
        assert_ne!(key, command_id(Digest::ZERO, 1, &name("orders-0"), 1));
    }
}
