//! Which change began it: by onset and dose, never by recency.
//!
//! A change is convicted when the growth begins with it and what ran before did not grow. A later
//! change that the growth passed through unmoved is innocent, and "none" is an answer.

use plimsoll_model::{Change, ChangeKind, Metric, Span, Timestamp};

use crate::cohort::later;
use crate::course::{Began, Study};
use crate::ladder::Rung;
use crate::scene::{Run, Scene};
use crate::trend::pace_of;

/// When a growth began, and by what.
#[derive(Clone, Debug)]
pub(crate) struct Onset {
    pub(crate) at: Timestamp,
    pub(crate) change: Option<Change>,
}

/// `same` says that what ran right before grew alike at equal uptime.
pub(crate) fn onset(scene: &Scene<'_>, run: &Run<'_>, found: &Study, same: bool) -> Onset {
    let from = found.trend.map_or_else(|| scene.hours(run.from), |trend| trend.from);
    match found.began {
        Began::AtChange(index) => {
            let change = scene.changes().get(index).cloned();
            let at = change.as_ref().map_or(run.from, |change| change.at);
            Onset { at, change }
        }
        Began::Within => Onset { at: scene.moment(from), change: None },
        Began::WithRun => with_run(scene, run, found, same),
    }
}

/// A growth as old as its run: follow it back through the runs that grew as much, to the first.
fn with_run(scene: &Scene<'_>, run: &Run<'_>, found: &Study, same: bool) -> Onset {
    let mut per_hour = found.trend.map_or(0.0, |trend| trend.per_hour);
    let mut first = *run;
    let mut flat_before = None;
    for (index, before) in chain(scene, run).into_iter().enumerate() {
        let Some(pace) = pace_after_start(scene, &before, &found.rung) else { continue };
        if same && index == 0 {
            // A young run still warms up; the one before tells the pace of the growth alone.
            per_hour = per_hour.min(pace);
        }
        if pace < ALIKE * per_hour || pace <= 0.0 {
            flat_before = Some(before);
            break;
        }
        first = before;
    }
    let began = if first.life.start_known { first.life.started_at } else { first.from };
    let change =
        flat_before.and_then(|before| beginning(scene, &before, &first, found.rung.metric));
    Onset { at: change.as_ref().map_or(began, |change| change.at), change: change.cloned() }
}

/// What ran before, newest first: the same instance where its name was kept, else other versions.
fn chain<'a>(scene: &Scene<'a>, run: &Run<'a>) -> Vec<Run<'a>> {
    let own: Vec<Run<'a>> = scene.earlier(run).copied().collect();
    if !own.is_empty() {
        return own;
    }
    let other =
        |before: &&Run<'a>| before.from < run.from && before.life.version != run.life.version;
    scene.runs.iter().rev().filter(other).copied().collect()
}

/// Growth that is less than this share of another's is not the same growth.
const ALIKE: f64 = 0.4;

/// None when too little was seen of it.
fn pace_after_start(scene: &Scene<'_>, run: &Run<'_>, rung: &Rung) -> Option<f64> {
    let points = later(&scene.blocks(run, rung), 0.25);
    (points.len() >= 6).then(|| pace_of(&points))
}

/// The deliberate change between the last run that was as before and the first that was not.
pub(crate) fn beginning<'a>(
    scene: &Scene<'a>,
    before: &Run<'a>,
    first: &Run<'a>,
    metric: Metric,
) -> Option<&'a Change> {
    let step = first.step_of(metric).max(before.step_of(metric));
    let slack = Span::from_secs_f64(3.0 * step * 3600.0);
    let began = first.life.started_at.max(before.from);
    // A rolling deploy reaches its last replica some time after it was announced.
    let from = before.to.min(began) - rollout(before);
    let fits = |change: &&Change| {
        let about = change.instance.as_ref().is_none_or(|name| *name == first.life.instance);
        change.kind.is_deliberate() && about && change.at >= from && change.at <= first.from + slack
    };
    let candidates = || scene.changes().iter().filter(fits);
    let other_version = before.life.version != first.life.version;
    let names_it = |change: &&Change| {
        change.kind == ChangeKind::Deploy && change.version == first.life.version && other_version
    };
    let unnamed = |change: &&Change| {
        change.kind != ChangeKind::Deploy || change.version.is_none() || !other_version
    };
    candidates().rfind(names_it).or_else(|| candidates().rfind(unnamed))
}

/// How long before the old run ended the deploy that ended it may have begun.
fn rollout(before: &Run<'_>) -> Span {
    let seen = before.to.since(before.from).as_secs_f64();
    Span::from_secs_f64((0.5 * seen).max(60.0))
}
