//! Whether what a plan was made for is still so.

use plimsoll_model::{Exhaustion, Incident, Plan, Reach, Span, Timestamp, Verdict};

use crate::state::State;
use crate::trial::treated;

/// How urgent a runway is. A plan made for one class answers another question in the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RunwayClass {
    Minutes,
    Hours,
    Day,
    Longer,
}

/// Where one class ends, as people plan: within the hour somebody must act now, within the shift
/// soon, within the day by tomorrow.
const MINUTES_END: Span = Span::from_hours(1);
const HOURS_END: Span = Span::from_hours(4);
const DAY_END: Span = Span::from_hours(24);

/// How much a forecast may move without being another one: at the edge of a class it would
/// otherwise void every plan that is made.
const FORECAST_PLAY: f64 = 1.25;

/// What has changed since the plan was made, if that makes it void. Only replicas that are still
/// to be treated count: those that were treated run another version because of the plan.
///
/// A replica that no agent reaches at the moment is no drift: after a restart of the server none
/// is reached until the first poll, and no command is handed out before.
pub(crate) fn voided_by(
    state: &State,
    incident: &Incident,
    plan: &Plan,
    step: usize,
) -> Option<String> {
    let done = treated(incident, plan);
    let to_treat = |reach: &&Reach| {
        plan.draft.instances.contains(&reach.instance) && !done.contains(&reach.instance)
    };
    let other = |reach: &&Reach| reach.version != plan.draft.version;
    let reach = state.reach_of(&incident.service);
    if let Some(reach) = reach.into_iter().filter(to_treat).find(other) {
        let runs = reach.version.as_ref().map_or("another version", |version| version.as_str());
        return Some(format!("{} runs {runs} by now", reach.instance));
    }
    if step > 0 && !done.is_empty() {
        return None;
    }
    assessed_otherwise(state, incident, plan)
}

fn assessed_otherwise(state: &State, incident: &Incident, plan: &Plan) -> Option<String> {
    let latest = state.verdicts.of(&incident.service)?;
    if latest.at < plan.draft.made_at || latest.verdict == Verdict::Undecided {
        return None;
    }
    if latest.verdict == Verdict::Steady {
        return Some(format!("{} is steady by now: {}", incident.service, latest.reason));
    }
    another_urgency(plan, latest.exhaustion?, latest.at)
}

fn another_urgency(plan: &Plan, is: Exhaustion, at: Timestamp) -> Option<String> {
    let was = plan.draft.exhaustion?;
    let (before, after) = (was.p50.since(plan.draft.made_at), is.p50.since(at));
    let ratio = after.as_secs_f64() / before.as_secs_f64().max(1.0);
    let same = (1.0 / FORECAST_PLAY..=FORECAST_PLAY).contains(&ratio);
    let other = !same && runway_class(was, plan.draft.made_at) != runway_class(is, at);
    other.then(|| format!("the limit is {after} away by now: another urgency"))
}

fn runway_class(exhaustion: Exhaustion, now: Timestamp) -> RunwayClass {
    let runway = exhaustion.p50.since(now);
    if runway < MINUTES_END {
        RunwayClass::Minutes
    } else if runway < HOURS_END {
        RunwayClass::Hours
    } else if runway < DAY_END {
        RunwayClass::Day
    } else {
        RunwayClass::Longer
    }
}
