//! Preparing a trial: the leak as it was, the replicas as they are, for the judge to compare.

use plimsoll_model::{
    Action, Assessment, Growth, Incident, InstanceName, Measured, Metric, Plan, Receipt,
    ReceiptResult, ServiceHistory, Span, StepAction, Timestamp,
};
use plimsoll_validate::{Trial, TrialSeries, floor_growth_per_hour, watch_for};

use plimsoll_wire::digest::command_id;

use crate::fleet::{current_life, samples_from};

/// A process that has just started fills its first collections, classes and caches. What it does
/// in this share of the watch, bounded, is not held against the plan.
const SETTLING_SHARE: f64 = 1.0 / 3.0;
const SETTLING_MAX: Span = Span::from_mins(10);

/// The leak of one replica before anything is done about it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Leak {
    pub(crate) growth: Growth,
    pub(crate) limit: Option<f64>,
}

impl Leak {
    /// Measured per affected replica, the median of them; what the assessment says of the whole
    /// service stands in when no replica has enough samples.
    pub(crate) fn of(history: Option<&ServiceHistory>, assessment: &Assessment) -> Self {
        let metric = assessment.metric.unwrap_or(Metric::ProcessMemoryRss);
        let said = assessment.growth.map_or(0.0, |growth| growth.per_hour);
        let (slopes, limit) = match history {
            Some(history) => (leak_slopes(history, assessment, metric), limit(history, assessment)),
            None => (Vec::new(), None),
        };
        let per_hour = slopes.get(slopes.len() / 2).copied().unwrap_or(said);
        Self { growth: Growth { per_hour, unit: metric.unit() }, limit }
    }

    pub(crate) fn watch(self) -> Span {
        watch_for(self.growth.per_hour, self.limit)
    }
}

fn leak_slopes(history: &ServiceHistory, assessment: &Assessment, metric: Metric) -> Vec<f64> {
    let onset = assessment.onset.unwrap_or(Timestamp::from_millis(i64::MIN));
    let slope = |name: &InstanceName| {
        let life = current_life(history, name)?;
        floor_growth_per_hour(samples_from(life, metric, onset))
    };
    let mut slopes: Vec<_> = assessment.instances.iter().filter_map(slope).collect();
    slopes.retain(|slope| *slope > 0.0);
    slopes.sort_by(f64::total_cmp);
    slopes
}

/// The tightest limit among the affected replicas.
fn limit(history: &ServiceHistory, assessment: &Assessment) -> Option<f64> {
    let by = assessment.metric?.limited_by()?;
    let lives = assessment.instances.iter().filter_map(|name| current_life(history, name));
    lives.filter_map(|life| life.latest(by)).min_by(f64::total_cmp)
}

/// The replicas that the plan has treated so far: those with a receipt of a replacement.
pub(crate) fn treated(incident: &Incident, plan: &Plan) -> Vec<InstanceName> {
    let commands: Vec<_> = plan_commands(incident, plan).collect();
    plan.draft.instances.iter().filter(|name| commands.contains(name)).cloned().collect()
}

fn plan_commands<'a>(
    incident: &'a Incident,
    plan: &'a Plan,
) -> impl Iterator<Item = &'a InstanceName> {
    // By the identity of the command, never by the agent's clock.
    let ordered = |receipt: &Receipt| {
        (0..plan.draft.steps.len())
            .any(|step| command_id(plan.digest, step, &receipt.instance, 0) == receipt.command)
    };
    let replaced = move |receipt: &&Receipt| {
        matches!(receipt.result, ReceiptResult::Done(Measured::Replaced { .. })) && ordered(receipt)
    };
    incident.receipts.iter().filter(replaced).map(|receipt| &receipt.instance)
}

/// Treated and untreated replicas since the watch can have begun for all of them.
pub(crate) fn trial<'a>(
    history: &'a ServiceHistory,
    incident: &Incident,
    plan: &Plan,
    watch: Span,
    now: Timestamp,
) -> Trial<'a> {
    let expectation = &plan.draft.expectation;
    let treated_names = treated(incident, plan);
    let settling = Span::from_secs_f64(watch.as_secs_f64() * SETTLING_SHARE).min(SETTLING_MAX);
    let from =
        |name: &InstanceName| current_life(history, name).map(|life| life.started_at + settling);
    let since = treated_names.iter().filter_map(from).max().unwrap_or(now);
    let series = |name: &InstanceName, from: Timestamp| {
        let life = current_life(history, name)?;
        let samples = samples_from(life, expectation.metric, from);
        Some(TrialSeries { instance: name.clone(), samples })
    };
    let untreated = plan.draft.instances.iter().filter(|name| !treated_names.contains(name));
    Trial {
        now,
        metric: expectation.metric,
        leak_per_hour: expectation.leak.per_hour,
        limit: expectation.limit,
        treated: treated_names.iter().filter_map(|n| series(n, from(n).unwrap_or(since))).collect(),
        untreated: untreated.filter_map(|name| series(name, since)).collect(),
        cause_removed: removes_cause(plan),
        covers: Span::from_millis((watch.as_millis() - settling.as_millis()) / 2),
    }
}

fn removes_cause(plan: &Plan) -> bool {
    plan.draft
        .steps
        .iter()
        .any(|step| matches!(&step.action, StepAction::Act { action: Action::RunVersion(_), .. }))
}
