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
    let (was, is) = (incident.opened_on.exhaustion, latest.exhaustion);
    let (was, is) = (was?, is?);
    let before = runway_class(was, plan.draft.made_at);
    let after = runway_class(is, latest.at);
    (before != after)
        .then(|| format!("the limit is {} away by now: another urgency", is.p50.since(latest.at)))
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
