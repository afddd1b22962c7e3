//! The gates between a course and a verdict, in order: each may only lower what the one before
//! allowed.
//!
//! Not here: how sure the verdict is (`evidence`), or what the cause is called (`cause`).

use plimsoll_model::{ChangeKind, Metric, Span, Timestamp, Verdict};

use crate::cohort::Control;
use crate::course::{Began, Course, Study};
use crate::forecast::is_in_sight;
use crate::judge::Why;
use crate::rivals::Story;
use crate::scene::{Run, Scene, median_step};
use crate::thresholds::{self as limits, Threshold};

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
        Course::Wanders => wandering(study),
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
    scene.history.changes.iter().any(|change| {
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

fn wandering(study: &Study) -> (Verdict, Why) {
    let surprise = study.trend.map_or(0.0, |trend| trend.surprise);
    let verdict = if surprise < 2.0 { Verdict::Steady } else { Verdict::Suspect };
    (verdict, Why::Wanders)
}

fn growing(scene: &Scene<'_>, run: &Run<'_>, study: &Study, beside: &Control) -> (Verdict, Why) {
    let Some(trend) = study.trend else { return (Verdict::Steady, Why::NothingMoved) };
    if !is_in_sight(&trend, study.level, study.limit) {
        return (Verdict::Steady, Why::OutOfSight);
    }
    let (need, surprise) = match beside {
        Control::SameAndRested(claim) => {
            return (Verdict::Steady, Why::AsItsControl(claim.clone()));
        }
        Control::Equal(_, _) => (limits::SAMPLES_CONTROLLED, limits::SURPRISE_CONTROLLED),
        Control::Beside(_) => (limits::SAMPLES_BESIDE, limits::SURPRISE_MIN),
        // Two runs that climb alike are one growth, interrupted.
        Control::SameEverSince(_) => (limits::SAMPLES_CONTROLLED, limits::SURPRISE_MIN),
        Control::Nothing => (limits::SAMPLES_ALONE, limits::SURPRISE_MIN),
    };
    if (trend.samples as f64) < need.default {
        return (
            Verdict::Undecided,
            Why::TooShort { ready_at: ready_at(scene, run, study, &need) },
        );
    }
    if trend.surprise < surprise.default {
        return (Verdict::Suspect, Why::Wanders);
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

/// Whether used heap shows what lives: the old part of it was collected at least once, or it has
/// grown beyond what a lazy collector leaves lying.
///
/// Counting collections does not do. Young ones run every second and leave the old part alone,
/// where garbage piles up until the heap is a multiple of what lived after the last full one: that
/// looks like a slow leak for minutes, and the next full collection takes it back.
fn collected(run: &Run<'_>, study: &Study) -> bool {
    let samples = run.samples(study.rung.metric);
    let deep = limits::FALL_COLLECTED.default;
    let fell = samples.windows(2).any(|pair| pair[0].value - pair[1].value >= deep * pair[0].value);
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
    let step = median_step(run.samples(study.rung.metric));
    let have = match study.began {
        Began::WithRun => study.samples,
        Began::Within | Began::AtChange(_) => study.trend.map_or(0, |trend| trend.samples),
    };
    let missing = (need.default - have as f64).max(1.0);
    (step > 0.0).then(|| scene.now + Span::from_secs_f64(missing * step * 3600.0))
}
