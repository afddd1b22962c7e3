//! Containment steps: they win time, and each goes away by itself.

use plimsoll_model::{Ability, Action, Bytes, Phase, Reach, RiskClass, Step, StepAction};

use crate::policy::Policy;
use crate::situation::Situation;

/// The steps, and a sentence for each containment that this machine does not offer.
pub(crate) fn contain(situation: &Situation<'_>, policy: &Policy) -> (Vec<Step>, Vec<String>) {
    let mut steps = Vec::new();
    let mut missing = Vec::new();
    let Some(subject) = subject(situation) else {
        return (steps, vec!["no agent reaches an affected replica".into()]);
    };
    match collect_garbage(subject) {
        Ok(step) => steps.push(step),
        Err(why) => missing.push(why),
    }
    match soft_limit(situation, policy, subject) {
        Ok(step) => steps.push(step),
        Err(why) => missing.push(why),
    }
    (steps, missing)
}

/// The replica that was looked at, else the first affected one: containing the one whose evidence
/// is at hand lets its effect be measured against the capture.
fn subject<'a>(situation: &'a Situation<'_>) -> Option<&'a Reach> {
    let looked_at = situation.diagnosis.map(|diagnosis| &diagnosis.instance);
    situation
        .affected()
        .find(|reach| Some(&reach.instance) == looked_at)
        .or_else(|| situation.affected().next())
}

fn collect_garbage(subject: &Reach) -> Result<Step, String> {
    if !subject.can(Ability::CollectGarbage) {
        return Err(missing(subject, Ability::CollectGarbage));
    }
    Ok(Step {
        phase: Phase::Contain,
        action: StepAction::Act {
            instance: subject.instance.clone(),
            action: Action::CollectGarbage,
            lease: None,
        },
        risk: RiskClass::R1,
        optional: true,
        reason: "what a full collection leaves is held by the program, and is no garbage".into(),
    })
}

fn soft_limit(situation: &Situation<'_>, policy: &Policy, subject: &Reach) -> Result<Step, String> {
    let footprint = situation.footprint.iter().find(|(name, _)| **name == subject.instance);
    let Some((_, footprint)) = footprint else {
        return Err(format!(
            "no soft limit: the footprint of {} is not measured",
            subject.instance
        ));
    };
    let limit = Bytes((footprint.as_f64() * (1.0 + policy.soft_limit_headroom)) as u64);
    let action = if subject.can(Ability::SetMemoryHigh) {
        Action::SetMemoryHigh(limit)
    } else if subject.can(Ability::SetSoftLimit) {
        Action::SetSoftLimit(limit)
    } else {
        return Err(missing(subject, Ability::SetMemoryHigh));
    };
    let why_not_high = match action {
        Action::SetSoftLimit(_) => format!(" ({})", missing(subject, Ability::SetMemoryHigh)),
        _ => String::new(),
    };
    Ok(Step {
        phase: Phase::Contain,
        action: StepAction::Act {
            instance: subject.instance.clone(),
            action,
            lease: Some(policy.lease),
        },
        risk: RiskClass::R2,
        optional: true,
        reason: format!(
            "keeps its neighbours safe for {} at most, then undoes itself{why_not_high}",
            policy.lease
        ),
    })
}

fn missing(subject: &Reach, ability: Ability) -> String {
    let reason = subject.missing.iter().find(|(missing, _)| *missing == ability);
    let why = reason.map_or("its agent does not offer it", |(_, why)| why);
    format!("no {} on {}: {why}", ability.name(), subject.instance)
}
