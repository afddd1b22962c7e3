//! The plan runner: one step after the other, each with its reason and its measured effect.
//!
//! It runs on what is saved in the incident alone, so a server that was killed goes on where it
//! was. A step that cannot be done stops the plan: what is leased undoes itself, and a person is
//! told what state was left.

use plimsoll_model::{
    Command, Comparison, Guard, Incident, IncidentState, JournalDraft, JournalKind, Measured,
    Outcome, OutcomeKind, Plan, Receipt, ReceiptResult, Span, Step, StepAction, StepEnd, StepWait,
    Timestamp,
};
use plimsoll_validate::{Judgement, judge};
use plimsoll_wire::digest;

use crate::state::State;
use crate::step::Effect;
use crate::{capture, drift, trial};

/// How long an act may take before the plan stops: the slowest replica start in the recorded
/// fleets is under two minutes.
const ACT_PATIENCE: Span = Span::from_mins(5);

/// How many times a watch is prolonged while the judge cannot tell.
const WATCHES_MAX: i64 = 3;

/// Moves a running plan as far as it can go now.
pub(crate) fn advance(
    state: &State,
    incident: &mut Incident,
    now: Timestamp,
    effects: &mut Vec<Effect>,
) {
    // Every turn ends a step, changes what is waited for, or stops; the bound only says so.
    for _ in 0..=2 * steps_of(incident) {
        let IncidentState::Running { step, since, wait } = incident.state.clone() else { return };
        let Some(plan) = incident.plan.clone() else { return };
        let mut turn = Turn { state, incident, plan: &plan, step, now, effects };
        let Some(in_hand) = plan.draft.steps.get(step) else {
            turn.park(&format!("all that can be done from here is done: {}", plan.draft.reason));
            return;
        };
        let moved = match wait {
            StepWait::Nothing => turn.start(in_hand),
            StepWait::Approval => turn.await_approval(),
            StepWait::Receipt(_) if state.waited(since, now) > ACT_PATIENCE => {
                turn.park(&format!("no receipt came within {ACT_PATIENCE}"))
            }
            StepWait::Receipt(_) => false,
            StepWait::Watch { until } if now >= until => turn.end_watch(in_hand, since),
            StepWait::Watch { .. } => false,
        };
        if !moved {
            return;
        }
    }
}

pub(crate) fn waits_for(incident: &Incident, receipt: &Receipt) -> bool {
    matches!(
        &incident.state,
        IncidentState::Running { wait: StepWait::Receipt(command), .. }
            if command.id == receipt.command
    )
}

/// Takes in the receipt of the step in hand.
pub(crate) fn received(
    incident: &mut Incident,
    receipt: &Receipt,
    now: Timestamp,
    effects: &mut Vec<Effect>,
) {
    let IncidentState::Running { step, .. } = incident.state else { return };
    if !waits_for(incident, receipt) {
        return;
    }
    let Some(plan) = incident.plan.clone() else { return };
    let optional = plan.draft.steps.get(step).is_some_and(|step| step.optional);
    let done = matches!(receipt.result, ReceiptResult::Done(_));
    let words = measured_in_words(receipt);
    if done || optional {
        end_step(incident, &plan, step, now, words, effects);
    } else {
        let reason = format!("{} on {}: {words}", receipt.action.name(), receipt.instance);
        park(incident, &plan, &reason, now, effects);
    }
}

/// One line of what an act did, for journals, pages and tables.
pub(crate) fn measured_in_words(receipt: &Receipt) -> String {
    match &receipt.result {
        ReceiptResult::Done(Measured::Collected { used_before, used_after, pause }) => format!(
            "heap {used_before} before, {used_after} after, stood still {} ms",
            pause.as_millis()
        ),
        ReceiptResult::Done(Measured::Counted { predicted, pause, types }) => format!(
            "{} classes, stood still {} ms, {} ms were predicted",
            types.len(),
            pause.as_millis(),
            predicted.pause.as_millis()
        ),
        ReceiptResult::Done(Measured::Limited { what, before, after, .. }) => {
            format!("{what}: {before} before, {after} now")
        }
        ReceiptResult::Done(Measured::Replaced { version, ready_after }) => {
            let version = version.as_ref().map_or("the same version", |v| v.as_str());
            format!("runs {version}, ready after {:.1} s", ready_after.as_secs_f64())
        }
        ReceiptResult::Refused(why) => format!("refused: {why}"),
        ReceiptResult::Failed(why) => format!("failed: {why}"),
        ReceiptResult::Undone(restored) => {
            let proof = if restored.verified { "as it was" } else { "not as it was" };
            format!("{} is {} again, {proof}", restored.what, restored.now)
        }
    }
}

fn steps_of(incident: &Incident) -> usize {
    incident.plan.as_ref().map_or(0, |plan| plan.draft.steps.len())
}

/// One turn of the runner, with what every part of it needs. Each method says whether the plan
/// moved, so that it may move further at once.
struct Turn<'a> {
    state: &'a State,
    incident: &'a mut Incident,
    plan: &'a Plan,
    step: usize,
    now: Timestamp,
    effects: &'a mut Vec<Effect>,
}

impl Turn<'_> {
    fn start(&mut self, step: &Step) -> bool {
        match &step.action {
            StepAction::Check(guard) => match self.holds(guard) {
                Ok(seen) => self.end(seen),
                Err(why) => self.park(&why),
            },
            StepAction::Act { .. } if step.risk.needs_approval() && !self.is_approved() => {
                self.wait(StepWait::Approval)
            }
            StepAction::Act { .. } => self.order(step),
            StepAction::Compare { watch } | StepAction::Judge { watch } => {
                self.record_start(step);
                self.wait(StepWait::Watch { until: self.now + *watch })
            }
        }
    }

    fn is_approved(&self) -> bool {
        let digest = self.plan.digest;
        self.incident.approval.as_ref().is_some_and(|approval| approval.digest == digest)
    }

    fn await_approval(&mut self) -> bool {
        if self.is_approved() {
            return self.wait(StepWait::Nothing);
        }
        if let Some(why) = drift::voided_by(self.state, self.incident, self.plan, self.step) {
            return self.replace(JournalKind::PlanVoid, &why);
        }
        if self.now > self.plan.draft.expires_at {
            return self.expire();
        }
        false
    }

    fn holds(&self, guard: &Guard) -> Result<String, String> {
        match guard {
            Guard::ReplicasAtLeast(least) => {
                let replicas = self.state.reach_of(&self.incident.service).len();
                if replicas < *least {
                    return Err(format!("{replicas} replicas are in reach, {least} are needed"));
                }
                Ok(format!("{replicas} replicas are in reach"))
            }
            Guard::RunwayAtLeast(least) => {
                let latest = self.state.verdicts.of(&self.incident.service);
                let assessment = latest.unwrap_or(&self.incident.opened_on);
                let Some(exhaustion) = assessment.exhaustion else {
                    return Ok("no limit is known, so none is near".into());
                };
                let runway = exhaustion.p10.since(self.now);
                if runway < *least {
                    return Err(format!("the limit may be reached in {runway}, under {least}"));
                }
                Ok(format!("{runway} at least to the limit"))
            }
        }
    }

    fn order(&mut self, step: &Step) -> bool {
        let StepAction::Act { instance, action, lease } = &step.action else { return false };
        if let Some(why) = drift::voided_by(self.state, self.incident, self.plan, self.step) {
            return self.replace(JournalKind::PlanVoid, &why);
        }
        self.record_start(step);
        let command = Command {
            id: digest::command_id(self.plan.digest, self.step, instance, 0),
            plan: Some(self.plan.id.clone()),
            authority: self.plan.digest,
            service: self.incident.service.clone(),
            instance: instance.clone(),
            version: self.plan.draft.version.clone(),
            action: action.clone(),
            lease: *lease,
            not_after: self.now + ACT_PATIENCE,
            reason: step.reason.clone(),
        };
        self.wait(StepWait::Receipt(command))
    }

    /// Judges what the watch has shown, or prolongs it while nobody can tell.
    fn end_watch(&mut self, step: &Step, since: Timestamp) -> bool {
        let watch = match step.action {
            StepAction::Compare { watch } | StepAction::Judge { watch } => watch,
            StepAction::Check(_) | StepAction::Act { .. } => return false,
        };
        let Some(history) = self.state.history(&self.incident.service) else {
            return self.prolong(watch, since, "no readings of the service since the restart");
        };
        let trial = trial::trial(history, self.incident, self.plan, watch, self.now);
        match (judge(&trial), &step.action) {
            (Judgement::Unclear { reason }, _) => self.prolong(watch, since, &reason),
            (Judgement::Settled(outcome), StepAction::Compare { .. }) => self.compared(outcome),
            (Judgement::Settled(outcome), _) => self.close(outcome),
        }
    }

    fn prolong(&mut self, watch: Span, since: Timestamp, reason: &str) -> bool {
        let waited = self.state.waited(since, self.now);
        if waited.as_millis() >= watch.as_millis().saturating_mul(WATCHES_MAX) {
            return self.park(&format!("no judgement after {waited}: {reason}"));
        }
        let until = self.now + Span::from_millis(watch.as_millis() / 4);
        let wait = StepWait::Watch { until };
        self.incident.state = IncidentState::Running { step: self.step, since, wait };
        false
    }

    /// Halfway: go on only when what was treated is flat beside what was not.
    fn compared(&mut self, outcome: Outcome) -> bool {
        match outcome.kind {
            OutcomeKind::Fixed | OutcomeKind::Stabilised => self.end(outcome.reason),
            OutcomeKind::Contained
            | OutcomeKind::Masked
            | OutcomeKind::Unwound
            | OutcomeKind::Parked => self.close(outcome),
        }
    }

    fn close(&mut self, outcome: Outcome) -> bool {
        let reason = outcome.reason.clone();
        end_step(self.incident, self.plan, self.step, self.now, reason, self.effects);
        self.effects.push(Effect::Record(JournalDraft {
            kind: JournalKind::Outcome,
            who: "plimsoll/validate".into(),
            incident: Some(self.incident.id.clone()),
            plan: Some(self.plan.id.clone()),
            what: outcome.kind.name().into(),
            why: outcome.reason.clone(),
            facts: outcome.compared.iter().map(compared_fact).collect(),
        }));
        self.incident.state = IncidentState::Closed(outcome);
        false
    }

    fn end(&mut self, effect: String) -> bool {
        end_step(self.incident, self.plan, self.step, self.now, effect, self.effects);
        true
    }

    fn park(&mut self, reason: &str) -> bool {
        park(self.incident, self.plan, reason, self.now, self.effects);
        false
    }

    /// The plan no longer answers the incident: a new one is made from what is known now.
    fn replace(&mut self, kind: JournalKind, why: &str) -> bool {
        self.effects.push(Effect::Record(plan_entry(self.incident, self.plan, kind, why)));
        capture::plan(self.state, self.incident, self.now, self.effects);
        // The new plan starts with the next event: two drifts in one moment would be a loop.
        false
    }

    fn expire(&mut self) -> bool {
        let why = "nobody approved it in time";
        let entry = plan_entry(self.incident, self.plan, JournalKind::PlanExpired, why);
        self.effects.push(Effect::Record(entry));
        let reason = format!("{} expired: {why}; it still has to be decided", self.plan.id);
        self.incident.state = IncidentState::Parked { reason };
        false
    }

    fn wait(&mut self, wait: StepWait) -> bool {
        let again = wait == StepWait::Nothing;
        let since = self.now;
        self.incident.state = IncidentState::Running { step: self.step, since, wait };
        again
    }

    fn record_start(&mut self, step: &Step) {
        let what = in_words(step);
        self.effects.push(Effect::Record(JournalDraft {
            kind: JournalKind::StepStarted,
            who: "plimsoll/control".into(),
            incident: Some(self.incident.id.clone()),
            plan: Some(self.plan.id.clone()),
            what: format!("step {} ({}): {what}", self.step + 1, step.phase.name()),
            why: step.reason.clone(),
            facts: vec![("risk".into(), step.risk.name().into())],
        }));
    }
}

fn end_step(
    incident: &mut Incident,
    plan: &Plan,
    step: usize,
    now: Timestamp,
    effect: String,
    effects: &mut Vec<Effect>,
) {
    let Some(ended) = plan.draft.steps.get(step) else { return };
    effects.push(Effect::Record(JournalDraft {
        kind: JournalKind::StepEnded,
        who: "plimsoll/control".into(),
        incident: Some(incident.id.clone()),
        plan: Some(plan.id.clone()),
        what: format!("step {} ({}): {effect}", step + 1, ended.phase.name()),
        why: ended.reason.clone(),
        facts: Vec::new(),
    }));
    incident.ended_steps.push(StepEnd { step, at: now, effect });
    let wait = StepWait::Nothing;
    incident.state = IncidentState::Running { step: step + 1, since: now, wait };
}

fn park(
    incident: &mut Incident,
    plan: &Plan,
    reason: &str,
    now: Timestamp,
    effects: &mut Vec<Effect>,
) {
    let outcome = Outcome {
        kind: OutcomeKind::Parked,
        at: now,
        growth_before: Some(plan.draft.expectation.leak),
        compared: Vec::new(),
        recurrence: None,
        reason: reason.to_owned(),
    };
    effects.push(Effect::Record(plan_entry(incident, plan, JournalKind::Outcome, &outcome.reason)));
    let reason = format!("{} stopped: {reason}; leases end by themselves", plan.id);
    incident.state = IncidentState::Parked { reason };
}

fn plan_entry(incident: &Incident, plan: &Plan, kind: JournalKind, why: &str) -> JournalDraft {
    JournalDraft {
        kind,
        who: "plimsoll/control".into(),
        incident: Some(incident.id.clone()),
        plan: Some(plan.id.clone()),
        what: format!("{} goes no further", plan.id),
        why: why.to_owned(),
        facts: Vec::new(),
    }
}

fn in_words(step: &Step) -> String {
    match &step.action {
        StepAction::Check(Guard::ReplicasAtLeast(least)) => format!("at least {least} replicas"),
        StepAction::Check(Guard::RunwayAtLeast(least)) => format!("at least {least} of runway"),
        StepAction::Act { instance, action, lease: None } => {
            format!("{} on {instance}", action.name())
        }
        StepAction::Act { instance, action, lease: Some(lease) } => {
            format!("{} on {instance}, for {lease}", action.name())
        }
        StepAction::Compare { watch } => format!("compare with the untreated for {watch}"),
        StepAction::Judge { watch } => format!("watch for {watch}, then judge"),
    }
}

fn compared_fact(comparison: &Comparison) -> (String, String) {
    let side = if comparison.treated { "treated" } else { "untreated" };
    (side.to_owned(), format!("{} grows {}", comparison.instance, comparison.growth))
}
