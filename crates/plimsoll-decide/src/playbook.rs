//! The built-in playbooks, and the choice between a plan and doing nothing.

use plimsoll_model::{
    Ability, Action, Cause, ChangeKind, Draft, Expectation, Guard, InstanceName, Metric, Phase,
    Reach, RiskClass, Step, StepAction, Verdict, Version,
};

use crate::contain::contain;
use crate::policy::{Playbook, Policy};
use crate::situation::Situation;

#[derive(Clone, Debug, PartialEq)]
pub enum Decision {
    Plan(Box<Draft>),
    /// Nothing is done yet: the reason may pass by itself. Ask again.
    Wait {
        reason: String,
    },
    /// Nothing is done, and the reason says what a person can do instead.
    Nothing {
        reason: String,
    },
}

/// The smallest safe answer to the incident as it stands.
pub fn decide(situation: &Situation<'_>, policy: &Policy) -> Decision {
    if let Some(reason) = passing_objection(situation, policy) {
        return Decision::Wait { reason };
    }
    match lasting_objection(situation, policy) {
        Some(reason) => Decision::Nothing { reason },
        None => match policy.playbook {
            Playbook::RollBack => roll_back(situation, policy),
            Playbook::RestartOnly => restart_only(situation, policy),
        },
    }
}

/// Why no playbook applies for now: more samples, an agent, or somebody's rollout may change it.
fn passing_objection(situation: &Situation<'_>, policy: &Policy) -> Option<String> {
    let assessment = situation.assessment;
    if matches!(assessment.verdict, Verdict::Suspect | Verdict::Undecided) {
        return Some(format!("the verdict is {} by now: watch on", assessment.verdict));
    }
    if assessment.verdict == Verdict::Leaking && assessment.confidence < policy.confidence_min {
        return Some(format!(
            "confidence {:.2} is below {:.2}: watch on, or decide by hand",
            assessment.confidence, policy.confidence_min
        ));
    }
    if let Some(beyond) = situation.out_of_reach() {
        return Some(format!("no agent reaches {beyond}: start one on its node"));
    }
    mixed_versions(situation)
}

/// Why no playbook applies, whatever comes.
fn lasting_objection(situation: &Situation<'_>, policy: &Policy) -> Option<String> {
    let assessment = situation.assessment;
    if assessment.verdict != Verdict::Leaking {
        return Some(format!("the verdict is {} by now: nothing to remedy", assessment.verdict));
    }
    match assessment.cause {
        Cause::Heap => unexplained(situation, policy),
        _ => None,
    }
}

/// A plan answers one version. Replicas of several are somebody's work in progress.
fn mixed_versions(situation: &Situation<'_>) -> Option<String> {
    let leaking = situation.leaking_version();
    let other = situation.affected().find(|reach| reach.version.as_ref() != leaking)?;
    let name =
        |version: Option<&Version>| version.map_or_else(|| "none".into(), Version::to_string);
    Some(format!(
        "the affected replicas run {} and {}: wait until that is done, or decide by hand",
        name(leaking),
        name(other.version.as_ref())
    ))
}

fn unexplained(situation: &Situation<'_>, policy: &Policy) -> Option<String> {
    let top = situation.diagnosis?.top()?;
    (top.group_share < policy.explained_share_min).then(|| {
        format!(
            "the growing class {} explains {:.0} % of the growth, {:.0} % are needed: capture a \
             heap dump and look",
            top.name,
            top.group_share * 100.0,
            policy.explained_share_min * 100.0
        )
    })
}

fn roll_back(situation: &Situation<'_>, policy: &Policy) -> Decision {
    let Some(previous) = rollback_version(situation) else {
        return contain_only(situation, policy, no_rollback(situation));
    };
    let action = Action::RunVersion(previous.clone());
    let treated = match all_of(situation.on_leaking_version(), action.needs()) {
        Ok(treated) => affected_last(situation, treated),
        Err(reason) => return contain_only(situation, policy, reason),
    };
    let why = match &situation.assessment.suspected_change {
        Some(change) => format!("it leaks since the {} of {}", change.kind, what(change)),
        None => "it leaks".into(),
    };
    let (contain, missing) = contain(situation, policy);
    let mut steps = guards(policy);
    steps.extend(contain);
    steps.extend(replace_one_by_one(&treated, &action, RiskClass::R4, &why));
    // The last replica stays untreated until the others are seen flat beside it: a comparison at
    // the same load and time says more than one with the past.
    if treated.len() > 1 {
        let watch = situation.watch;
        let compare = Step {
            phase: Phase::Remediate,
            action: StepAction::Compare { watch },
            risk: RiskClass::R0,
            optional: false,
            reason: format!(
                "{} replicas treated, one still leaking beside them",
                treated.len() - 1
            ),
        };
        steps.insert(steps.len() - 1, compare);
    }
    steps.push(judge(situation));
    let promise = format!("the floor of every replica on {previous} is flat");
    let reason = sentence(&format!("put back {previous}, {why}"), &missing);
    Decision::Plan(draft(situation, policy, Drafted { treated, steps, promise, reason }).into())
}

fn restart_only(situation: &Situation<'_>, policy: &Policy) -> Decision {
    let treated = match all_of(situation.affected(), Ability::Restart) {
        Ok(treated) => treated,
        Err(reason) => return contain_only(situation, policy, reason),
    };
    let why = "a restart gives back what is held, and cures nothing";
    let (contain, missing) = contain(situation, policy);
    let mut steps = guards(policy);
    steps.extend(contain);
    steps.extend(replace_one_by_one(&treated, &Action::Restart, RiskClass::R3, why));
    steps.push(judge(situation));
    let promise = "the floor of every restarted replica is flat".into();
    let reason = sentence("restart the leaking replicas one at a time", &missing);
    Decision::Plan(draft(situation, policy, Drafted { treated, steps, promise, reason }).into())
}

/// The last one is the control, so it must be one that was seen leaking.
fn affected_last(situation: &Situation<'_>, mut treated: Vec<InstanceName>) -> Vec<InstanceName> {
    treated.sort_by_key(|name| situation.assessment.instances.contains(name));
    treated
}

/// Wins time where nothing can be put right from here; what is left to do is in the reason.
fn contain_only(situation: &Situation<'_>, policy: &Policy, by_hand: String) -> Decision {
    let memory = matches!(situation.assessment.cause, Cause::Heap | Cause::Native);
    let (steps, _) = contain(situation, policy);
    if !memory || steps.is_empty() {
        return Decision::Nothing { reason: by_hand };
    }
    let treated = situation.affected().map(|reach| reach.instance.clone()).collect();
    let promise = "time is won, and nothing is cured".into();
    let drafted = Drafted { treated, steps, promise, reason: by_hand };
    let mut draft = draft(situation, policy, drafted);
    draft.playbook = CONTAIN_ONLY.into();
    Decision::Plan(draft.into())
}

/// The playbook of plans that only win time.
const CONTAIN_ONLY: &str = "contain-only";

/// What ran before the deploy that is to blame, as long as what it brought still runs.
fn rollback_version<'a>(situation: &Situation<'a>) -> Option<&'a Version> {
    let change = situation.assessment.suspected_change.as_ref()?;
    let blamed = change.version.as_ref().filter(|_| change.kind == ChangeKind::Deploy)?;
    let previous = situation.previous_version.filter(|previous| *previous != blamed)?;
    (situation.leaking_version() == Some(blamed)).then_some(previous)
}

fn no_rollback(situation: &Situation<'_>) -> String {
    let assessment = situation.assessment;
    match &assessment.suspected_change {
        None => format!(
            "no change fits the onset of the leak in {}: nothing to undo; restart by hand before \
             the limit is reached",
            assessment.service
        ),
        Some(change) => format!(
            "the {} of {} fits the onset, and no actuator can undo it here: undo it by hand",
            change.kind,
            what(change)
        ),
    }
}

fn what(change: &plimsoll_model::Change) -> String {
    match &change.version {
        Some(version) => version.to_string(),
        None => change.attributes.get("key").cloned().unwrap_or_else(|| change.service.to_string()),
    }
}

/// The instances, if each of them can be treated: half a rollback leaves two versions and no owner
/// of the rest.
fn all_of<'a>(
    wanted: impl Iterator<Item = &'a Reach>,
    ability: Ability,
) -> Result<Vec<InstanceName>, String> {
    let able = |reach: &Reach| match reach.can(ability) {
        true => Ok(reach.instance.clone()),
        false => Err(format!(
            "{} is not possible on {}: act there by hand",
            ability.name(),
            reach.instance
        )),
    };
    wanted.map(able).collect()
}

fn guards(policy: &Policy) -> Vec<Step> {
    let guard = |guard, reason: &str| Step {
        phase: Phase::Guard,
        action: StepAction::Check(guard),
        risk: RiskClass::R0,
        optional: false,
        reason: reason.into(),
    };
    vec![
        guard(Guard::ReplicasAtLeast(policy.replicas_min), "one may go while another serves"),
        guard(Guard::RunwayAtLeast(policy.runway_min), "there is time to replace one at a time"),
    ]
}

fn replace_one_by_one(
    treated: &[InstanceName],
    action: &Action,
    risk: RiskClass,
    why: &str,
) -> Vec<Step> {
    let step = |instance: &InstanceName| Step {
        phase: Phase::Remediate,
        action: StepAction::Act { instance: instance.clone(), action: action.clone(), lease: None },
        risk,
        optional: false,
        reason: why.to_owned(),
    };
    treated.iter().map(step).collect()
}

fn judge(situation: &Situation<'_>) -> Step {
    Step {
        phase: Phase::Validate,
        action: StepAction::Judge { watch: situation.watch },
        risk: RiskClass::R0,
        optional: false,
        reason: "only the growth of the floor tells what became of it, never the level".into(),
    }
}

fn sentence(what: &str, missing: &[String]) -> String {
    match missing {
        [] => what.to_owned(),
        _ => format!("{what}; {}", missing.join("; ")),
    }
}

struct Drafted {
    treated: Vec<InstanceName>,
    steps: Vec<Step>,
    promise: String,
    reason: String,
}

fn draft(situation: &Situation<'_>, policy: &Policy, drafted: Drafted) -> Draft {
    let metric = situation.assessment.metric.unwrap_or(Metric::ProcessMemoryRss);
    Draft {
        incident: situation.incident.clone(),
        service: situation.assessment.service.clone(),
        version: situation.leaking_version().cloned(),
        instances: drafted.treated,
        made_at: situation.now,
        expires_at: situation.now + policy.approval_within,
        playbook: policy.playbook.name().into(),
        parent: situation.parent.cloned(),
        steps: drafted.steps,
        exhaustion: situation.assessment.exhaustion,
        expectation: Expectation {
            metric,
            leak: situation.leak,
            limit: situation.limit,
            promise: drafted.promise,
        },
        evidence: situation.evidence,
        reason: drafted.reason,
    }
}
