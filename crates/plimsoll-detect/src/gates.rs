//! The gates between a course and a verdict, in order: each may only lower what the one before
//! allowed.
//!
//! Not here: how sure the verdict is (`evidence`), or what the cause is called (`cause`).

use plimsoll_model::{ChangeKind, Metric, Outline, Span, Timestamp, Verdict};

use crate::cohort::Control;
use crate::course::{Began, Course, Study};
use crate::forecast::{is_in_sight, is_seen_for_long, is_urgent};
use crate::judge::Why;
use crate::rivals::{Story, is_measured};
use crate::scene::{Run, Scene};
use crate::thresholds::{self as limits, Threshold};
use crate::trend::{Point, Trend};

pub(crate) fn weigh(
    scene: &Scene<'_>,
    run: &Run<'_>,
    study: &Study,
    beside: &Control,
) -> (Verdict, Why) {
    let ready = |need: &Threshold| ready_at(scene, run, study, need);
    let rises = matches!(study.course, Course::Growing | Course::Slowing | Course::Wanders);
    if rises && began_with_a_batch(scene, run, study) {
        return (Verdict::Steady, Why::BatchRuns);
    }
    match study.course {
        Course::TooFew => {
            let ready_at = ready(&limits::SAMPLES_MIN);
            (Verdict::Undecided, Why::TooFewSamples { ready_at })
        }
        Course::Flat if (study.samples as f64) < limits::SAMPLES_MIN.default => {
            let ready_at = ready(&limits::SAMPLES_MIN);
            (Verdict::Undecided, Why::TooFewSamples { ready_at })
        }
        Course::Flat => (Verdict::Steady, Why::NothingMoved),
        Course::Levelled => (Verdict::Steady, Why::CameToRest),
        Course::GivesBack => (Verdict::Steady, Why::GivesBack),
        Course::Follows(Story::Cache) if still_rising(study) => {
            (Verdict::Suspect, Why::StillFilling)
        }
        Course::Follows(story) => (Verdict::Steady, Why::Follows(story)),
        Course::Slowing => slowing(scene, run, study, beside),
        Course::Wanders => (Verdict::Steady, Why::Wanders),
        Course::CannotTell(story) => {
            let short = (study.samples as f64) < limits::SAMPLES_ALONE.default;
            let verdict = if short { Verdict::Undecided } else { Verdict::Suspect };
            (verdict, Why::CannotTell(story))
        }
        Course::Growing => growing(scene, run, study, beside),
    }
}

/// A batch was announced when the rise began: it has the right to hold memory until it ends.
fn began_with_a_batch(scene: &Scene<'_>, run: &Run<'_>, study: &Study) -> bool {
    let Some(trend) = study.trend else { return false };
    let near = ONSET_SHARE * (trend.to - trend.from);
    scene.changes().iter().any(|change| {
        change.kind == ChangeKind::Batch
            && change.instance.as_ref().is_none_or(|name| *name == run.life.instance)
            && (scene.hours(change.at) - trend.from).abs() <= near
    })
}

/// An onset is known to about this share of the rise.
const ONSET_SHARE: f64 = 0.2;

fn still_rising(study: &Study) -> bool {
    study.trend.is_some_and(|trend| trend.late > limits::LATE_MIN.default)
}

fn slowing(scene: &Scene<'_>, run: &Run<'_>, study: &Study, beside: &Control) -> (Verdict, Why) {
    if let Control::SameAndRested(claim) = beside {
        return (Verdict::Steady, Why::AsItsControl(claim.clone()));
    }
    if (study.samples as f64) < limits::SAMPLES_ALONE.default {
        let ready_at = ready_at(scene, run, study, &limits::SAMPLES_ALONE);
        return (Verdict::Undecided, Why::TooShort { ready_at });
    }
    let Some(trend) = study.trend else { return (Verdict::Steady, Why::CameToRest) };
    // If it went on as it does now for as long again, would it use up half of what is left?
    let ahead = trend.late * trend.rise;
    let room = study.limit.map_or(trend.rise, |limit| 0.5 * (limit - study.level));
    let rests = ahead < room && trend.pace < limits::PACE_MIN.default;
    if rests { (Verdict::Steady, Why::StillSlowing) } else { (Verdict::Suspect, Why::StillSlowing) }
}

fn growing(scene: &Scene<'_>, run: &Run<'_>, study: &Study, beside: &Control) -> (Verdict, Why) {
    let Some(trend) = study.trend else { return (Verdict::Steady, Why::NothingMoved) };
    if !is_in_sight(&trend, study) {
        return (Verdict::Steady, Why::OutOfSight);
    }
    if let Control::SameAndRested(claim) = beside {
        return (Verdict::Steady, Why::AsItsControl(claim.clone()));
    }
    let (need, surprise) = needs(beside);
    if (trend.samples as f64) < need.default {
        return (
            Verdict::Undecided,
            Why::TooShort { ready_at: ready_at(scene, run, study, &need) },
        );
    }
    if trend.surprise < surprise.default {
        return (Verdict::Suspect, Why::Wanders);
    }
    if !matches!(beside, Control::Equal(_, _)) && load_may_explain(study, &trend) {
        return (Verdict::Suspect, Why::CannotTell(Story::Load));
    }
    if !matches!(beside, Control::Equal(_, _)) && !is_seen_for_long(&trend, study) {
        return (Verdict::Suspect, Why::TimeToWait);
    }
    if matches!(beside, Control::Nothing) && may_be_the_day(run, study, &trend) {
        return (Verdict::Suspect, Why::DayNotSeen);
    }
    if study.stepped.is_some() && study.moved_by.is_none() {
        return (Verdict::Suspect, Why::Steps);
    }
    if let Some(what) = study.rung.blind_to {
        return (Verdict::Suspect, Why::Blind(what));
    }
    if study.rung.metric == Metric::RuntimeHeapUsed && !collected(run, study) {
        return (Verdict::Suspect, Why::NoCollectionSeen);
    }
    (Verdict::Leaking, Why::Grows)
}

/// How long a growth must have been seen, and how far from a wander, by what stands beside it.
pub(crate) const fn needs(beside: &Control) -> (Threshold, Threshold) {
    match beside {
        Control::Equal(_, _) => (limits::SAMPLES_CONTROLLED, limits::SURPRISE_CONTROLLED),
        Control::Beside(_) => (limits::SAMPLES_BESIDE, limits::SURPRISE_MIN),
        // Two runs that climb alike are one growth, interrupted.
        Control::SameEverSince(_) => (limits::SAMPLES_CONTROLLED, limits::SURPRISE_MIN),
        Control::Nothing | Control::SameAndRested(_) => {
            (limits::SAMPLES_ALONE, limits::SURPRISE_MIN)
        }
    }
}

/// Whether load reached so much more meanwhile that a level which only follows it would have risen
/// as far. Proportional things start at zero or above, so they grow by no larger a share than load
/// does. Peaks are compared, because a day has its trough in one half and not in the other.
fn load_may_explain(study: &Study, trend: &Trend) -> bool {
    let begin = study.points.partition_point(|point| point.at < trend.from);
    let points = study.points.get(begin..).unwrap_or(&[]);
    let (early, late) = points.split_at(points.len() / 2);
    let more = peak_load(late) / peak_load(early) - 1.0;
    more.is_finite() && trend.rise <= (trend.level - trend.rise).max(0.0) * more
}

/// The most work per hour of any sixth: shorter ones would be noise.
fn peak_load(points: &[Point]) -> f64 {
    let rate = |part: &[Point]| match (part.first(), part.last()) {
        (Some(first), Some(last)) if last.at > first.at => {
            (last.work - first.work) / (last.at - first.at)
        }
        (_, _) => 0.0,
    };
    points.chunks((points.len() / 6).max(3)).map(rate).fold(0.0, f64::max)
}

/// Whether the rise may be the morning of a day of which too little was seen.
fn may_be_the_day(run: &Run<'_>, study: &Study, trend: &Trend) -> bool {
    let measured = is_measured(run, Story::Load);
    let seen = run.to.since(run.from).as_hours_f64() >= limits::DAY_SEEN.default;
    // A day curve is as straight as that for its steepest hours only.
    let even = limits::STRAIGHT.default;
    let straight = trend.late >= even && (even..1.0 / even).contains(&trend.pace);
    let long = trend.to - trend.from >= limits::MORNING.default;
    let told_apart = measured || seen || (straight && long);
    !told_apart && !is_urgent(trend, study)
}

/// Whether used heap shows what lives: the old part of it was collected at least once, or it has
/// grown beyond what a lazy collector leaves lying.
///
/// Counting collections does not do. Young ones run every second and leave the old part alone,
/// where garbage piles up until the heap is a multiple of what lived after the last full one: that
/// looks like a slow leak for minutes, and the next full collection takes it back.
fn collected(run: &Run<'_>, study: &Study) -> bool {
    let deepest = run.outline(study.rung.metric).map_or(0.0, Outline::deepest_fall);
    let fell = deepest >= limits::FALL_COLLECTED.default;
    let rise = study.trend.map_or(0.0, |trend| trend.rise);
    let before = (study.level - rise).max(0.0);
    fell || study.level >= limits::GROWN_LAZILY.default * before
}

/// When a need for samples will be met at the present rate.
fn ready_at(
    scene: &Scene<'_>,
    run: &Run<'_>,
    study: &Study,
    need: &Threshold,
) -> Option<Timestamp> {
    let step = run.step_of(study.rung.metric);
    let missing = (need.default - counted(study) as f64).max(1.0);
    (step > 0.0).then(|| scene.now + Span::from_secs_f64(missing * step * 3600.0))
}

/// Samples that count towards a need: a growth counts from where it begins.
pub(crate) fn counted(study: &Study) -> usize {
    match (study.course, study.began) {
        (Course::Growing, _) | (_, Began::Within | Began::AtChange(_)) => {
            study.trend.map_or(0, |trend| trend.samples)
        }
        (_, Began::WithRun) => study.samples,
    }
}
