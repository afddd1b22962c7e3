//! Diagnosing: which replica is looked at, when, and what two looks at it say.

use plimsoll_decide::{Decision, Situation, decide};
use plimsoll_model::{
    Ability, Action, Assessment, Bytes, Capture, Cause, Command, Diagnosis, Incident,
    IncidentState, InstanceName, JournalDraft, JournalKind, Measured, Metric, Plan, Reach, Receipt,
    ReceiptResult, ServiceHistory, Span, StepWait, Timestamp, TypeGrowth, Version,
};
use plimsoll_wire::digest;

use crate::fleet::{current_life, version_before};
use crate::state::State;
use crate::step::Effect;
use crate::trial::Leak;

/// Looks at the same replica; two are enough for a difference.
const CAPTURES: usize = 2;

/// Captures that may fail before the diagnosis does without.
const FAILURES_MAX: usize = 3;

/// How long a capture may take before it counts as failed: the longest stall measured on a heap
/// of 1 GB is 5 s, and an agent asks for commands every 10 s.
const PATIENCE: Span = Span::from_secs(90);

/// A replica is not stopped for longer than this to look at it: half of the ten seconds that
/// liveness probes commonly wait.
const PAUSE_MAX: Span = Span::from_secs(5);

/// How long an objection that may pass by itself is waited for (a verdict that is not sure yet, a
/// rollout that is under way, an agent that is away) before a person is asked.
const OBJECTION_PATIENCE: Span = Span::from_mins(30);

/// Growth between two captures that is certain to stand out of what is in flight.
const GAP_GROWTH: Bytes = Bytes::from_mib(8);

/// Bounds of the time between two captures.
const GAP_MIN: Span = Span::from_secs(15);
const GAP_MAX: Span = Span::from_mins(10);

/// Moves the diagnosis on: orders the next capture when its time has come, or gives up on one
/// that does not come back.
pub(crate) fn advance(
    state: &State,
    incident: &mut Incident,
    now: Timestamp,
    effects: &mut Vec<Effect>,
) {
    let IncidentState::Diagnosing { next_at } = incident.state else { return };
    if incident.capturing.is_some() {
        if state.waited(next_at, now) > PATIENCE {
            incident.capturing = None;
            conclude(state, incident, now, effects);
        }
        return;
    }
    if now < next_at {
        return;
    }
    if incident.diagnosis.is_some() {
        return plan(state, incident, now, effects);
    }
    match choose(state, incident) {
        Ok((reach, why)) if wants_more(incident) => order(incident, reach, why, now, effects),
        Ok(_) | Err(_) => conclude(state, incident, now, effects),
    }
}

pub(crate) fn waits_for(incident: &Incident, receipt: &Receipt) -> bool {
    incident.capturing.as_ref().is_some_and(|command| command.id == receipt.command)
}

/// Takes in the receipt of a capture; what follows from it comes with the next advance.
pub(crate) fn received(incident: &mut Incident, receipt: &Receipt, now: Timestamp) {
    if !waits_for(incident, receipt) {
        return;
    }
    incident.capturing = None;
    if let ReceiptResult::Done(Measured::Counted { pause, types, .. }) = &receipt.result {
        incident.captures.push(Capture {
            instance: receipt.instance.clone(),
            at: receipt.ended_at,
            pause: *pause,
            types: types.clone(),
        });
    }
    let wait = if wants_more(incident) { gap(&incident.opened_on) } else { Span::ZERO };
    incident.state = IncidentState::Diagnosing { next_at: now + wait };
}

fn wants_more(incident: &Incident) -> bool {
    let failed = |receipt: &&Receipt| {
        receipt.action == Action::CaptureHistogram
            && !matches!(receipt.result, ReceiptResult::Done(_))
    };
    incident.captures.len() < CAPTURES
        && incident.receipts.iter().filter(failed).count() < FAILURES_MAX
}

/// Long enough for the leak to have added what stands out.
fn gap(assessment: &Assessment) -> Span {
    let Some(growth) = assessment.growth else { return GAP_MIN };
    let secs = GAP_GROWTH.as_f64() / (growth.per_hour / 3600.0);
    Span::from_secs_f64(secs).clamp(GAP_MIN, GAP_MAX)
}

/// The affected replica with the shortest predicted pause; the same one again for the second
/// look. Or why none is looked at.
fn choose<'a>(state: &'a State, incident: &Incident) -> Result<(&'a Reach, String), String> {
    let assessment = &incident.opened_on;
    if assessment.cause != Cause::Heap {
        return Err(format!("class histograms say nothing of {}", assessment.cause));
    }
    let able = |reach: &&Reach| {
        assessment.instances.contains(&reach.instance) && reach.can(Ability::CaptureHistogram)
    };
    let mut able: Vec<_> = state.reach_of(&incident.service).into_iter().filter(able).collect();
    able.sort_by_key(|reach| reach.predicted_pause.as_ref().map_or(Span::ZERO, |p| p.pause));
    if let Some((subject, why)) = &incident.subject {
        let same = able.iter().find(|reach| reach.instance == *subject);
        return match same {
            Some(reach) => Ok((reach, why.clone())),
            None => Err(format!("{subject} is out of reach")),
        };
    }
    let Some(first) = able.first() else {
        return Err("no agent can count the objects of an affected replica".into());
    };
    explain_choice(first, able.len())
}

fn explain_choice(first: &Reach, able: usize) -> Result<(&Reach, String), String> {
    let Some(predicted) = &first.predicted_pause else {
        return Ok((first, format!("{} leaks like the others", first.instance)));
    };
    let secs = predicted.pause.as_secs_f64();
    if predicted.pause > PAUSE_MAX {
        return Err(format!(
            "a look would stop {} for {secs:.1} s ({}), more than {PAUSE_MAX}",
            first.instance, predicted.basis
        ));
    }
    Ok((
        first,
        format!(
            "of {able} leaking replicas {} has the shortest predicted pause: {secs:.2} s ({})",
            first.instance, predicted.basis
        ),
    ))
}

fn order(
    incident: &mut Incident,
    reach: &Reach,
    why: String,
    now: Timestamp,
    effects: &mut Vec<Effect>,
) {
    let authority = digest::evidence_digest(&incident.opened_on, None);
    let attempt = incident.receipts.len() as u32;
    let command = Command {
        id: digest::command_id(authority, incident.captures.len(), &reach.instance, attempt),
        plan: None,
        authority,
        service: incident.service.clone(),
        instance: reach.instance.clone(),
        version: reach.version.clone(),
        action: Action::CaptureHistogram,
        lease: None,
        not_after: now + PATIENCE,
        reason: why.clone(),
    };
    effects.push(Effect::Record(JournalDraft {
        kind: JournalKind::CaptureOrdered,
        who: "plimsoll/control".into(),
        incident: Some(incident.id.clone()),
        plan: None,
        what: format!("count the live objects of {} by class", reach.instance),
        why: why.clone(),
        facts: vec![("command".into(), command.id.to_string())],
    }));
    incident.subject = Some((reach.instance.clone(), why));
    incident.capturing = Some(command);
    incident.state = IncidentState::Diagnosing { next_at: now };
}

/// Says what was found, and what follows from it.
fn conclude(state: &State, incident: &mut Incident, now: Timestamp, effects: &mut Vec<Effect>) {
    let diagnosis = diagnose(state, incident, now);
    effects.push(Effect::Record(diagnosed(incident, &diagnosis)));
    incident.diagnosis = Some(diagnosis);
    plan(state, incident, now, effects);
}

fn diagnose(state: &State, incident: &Incident, now: Timestamp) -> Diagnosis {
    let (subject, why) = incident.subject.clone().unwrap_or_else(|| {
        let why = choose(state, incident).err().unwrap_or_default();
        let first = incident.opened_on.instances.first().cloned();
        (first.unwrap_or_else(|| nameless(incident)), why)
    });
    plimsoll_diagnose::diagnose(&plimsoll_diagnose::Case {
        now,
        assessment: &incident.opened_on,
        captures: &incident.captures,
        requests: requests_between(state, incident, &subject),
        subject,
        chosen_because: why,
    })
}

/// A leak that names no instance is told of the service itself.
fn nameless(incident: &Incident) -> InstanceName {
    InstanceName::new(incident.service.as_str()).expect("a service name is a valid instance name")
}

/// Requests that the subject served between the two captures, from its rate.
fn requests_between(state: &State, incident: &Incident, subject: &InstanceName) -> Option<f64> {
    let [first, .., last] = incident.captures.as_slice() else { return None };
    let life = current_life(state.history(&incident.service)?, subject)?;
    let rates = life.series(Metric::ServiceRequestsRate)?.between(first.at, last.at);
    let mean = rates.iter().map(|sample| sample.value).sum::<f64>() / rates.len() as f64;
    let requests = mean * last.at.since(first.at).as_secs_f64();
    (requests.is_finite() && requests > 0.0).then_some(requests)
}

fn diagnosed(incident: &Incident, diagnosis: &Diagnosis) -> JournalDraft {
    let best = diagnosis.explanations.first();
    let grew = |growth: &TypeGrowth| {
        let per_request = match growth.bytes_per_request {
            Some(bytes) => format!(", {bytes:.0} bytes a request"),
            None => String::new(),
        };
        let text = format!(
            "{}: {:+} objects, {:+} bytes, {:.1} % of the growth, {:.1} % with what it holds\
             {per_request}",
            growth.name,
            growth.instances,
            growth.bytes,
            growth.share * 100.0,
            growth.group_share * 100.0
        );
        ("growing".to_owned(), text)
    };
    JournalDraft {
        kind: JournalKind::DiagnosisMade,
        who: "plimsoll/diagnose".into(),
        incident: Some(incident.id.clone()),
        plan: None,
        what: best.map_or_else(String::new, |explanation| explanation.summary.clone()),
        why: diagnosis.chosen_because.clone(),
        facts: diagnosis.growing.iter().take(5).map(grew).collect(),
    }
}

/// Asks for a plan on the newest evidence; what is not planned is parked with its reason.
pub(crate) fn plan(
    state: &State,
    incident: &mut Incident,
    now: Timestamp,
    effects: &mut Vec<Effect>,
) {
    let latest = state.verdicts.of(&incident.service).unwrap_or(&incident.opened_on);
    let parent = incident.plan.as_ref().map(|plan| plan.id.clone());
    let history = state.history(&incident.service);
    let reach = state.reach_of(&incident.service);
    let leak = Leak::of(history, latest);
    let situation = Situation {
        now,
        incident: &incident.id,
        assessment: latest,
        diagnosis: incident.diagnosis.as_ref(),
        previous_version: history.and_then(|history| previous_version(history, latest)),
        footprint: history.map_or_else(Vec::new, |history| footprints(history, &reach)),
        reach,
        leak: leak.growth,
        limit: leak.limit,
        watch: leak.watch(),
        parent: parent.as_ref(),
        evidence: digest::evidence_digest(latest, incident.diagnosis.as_ref()),
    };
    // What may be the measurement's is nobody's to remedy; it may pass, as any other objection.
    let decision = match state.verdicts.doubt(&incident.service) {
        Some(found) => Decision::Wait { reason: found.reason.clone() },
        None => decide(&situation, &state.settings.policy),
    };
    match decision {
        Decision::Plan(draft) => {
            let plan = digest::seal(*draft);
            effects.push(Effect::Record(planned(&plan)));
            incident.plan = Some(plan);
            incident.approval = None;
            incident.ended_steps.clear();
            incident.state =
                IncidentState::Running { step: 0, since: now, wait: StepWait::Nothing };
        }
        Decision::Wait { .. } if may_wait(incident, now) => {
            incident.state = IncidentState::Diagnosing { next_at: now + GAP_MIN };
        }
        Decision::Wait { reason } | Decision::Nothing { reason } => {
            effects.push(Effect::Record(refused(incident, &reason)));
            incident.state = IncidentState::Parked { reason };
        }
    }
}

/// Whether an objection may still pass by itself.
fn may_wait(incident: &Incident, now: Timestamp) -> bool {
    let diagnosed = incident.diagnosis.as_ref().map_or(now, |diagnosis| diagnosis.at);
    let planned = incident.plan.as_ref().map_or(diagnosed, |plan| plan.draft.made_at);
    now.since(planned.max(diagnosed)) < OBJECTION_PATIENCE
}

/// What ran before the version that a suspected deploy brought.
fn previous_version<'a>(
    history: &'a ServiceHistory,
    assessment: &Assessment,
) -> Option<&'a Version> {
    version_before(history, assessment.suspected_change.as_ref()?.version.as_ref()?)
}

fn footprints<'a>(history: &ServiceHistory, reach: &[&'a Reach]) -> Vec<(&'a InstanceName, Bytes)> {
    let of = |reach: &&'a Reach| {
        let life = current_life(history, &reach.instance)?;
        let container = life.latest(Metric::ContainerMemoryUsage);
        let bytes = container.or_else(|| life.latest(Metric::ProcessMemoryRss))?;
        Some((&reach.instance, Bytes(bytes as u64)))
    };
    reach.iter().filter_map(of).collect()
}

fn planned(plan: &Plan) -> JournalDraft {
    JournalDraft {
        kind: JournalKind::PlanMade,
        who: "plimsoll/decide".into(),
        incident: Some(plan.draft.incident.clone()),
        plan: Some(plan.id.clone()),
        what: format!("{} in {} steps", plan.draft.playbook, plan.draft.steps.len()),
        why: plan.draft.reason.clone(),
        facts: vec![
            ("digest".into(), plan.digest.to_string()),
            ("evidence".into(), plan.draft.evidence.to_string()),
            ("promise".into(), plan.draft.expectation.promise.clone()),
        ],
    }
}

fn refused(incident: &Incident, reason: &str) -> JournalDraft {
    JournalDraft {
        kind: JournalKind::PlanRefused,
        who: "plimsoll/decide".into(),
        incident: Some(incident.id.clone()),
        plan: None,
        what: "nothing is done".into(),
        why: reason.to_owned(),
        facts: Vec::new(),
    }
}
