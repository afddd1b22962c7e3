//! One series of one run: which course it takes, after load, season and garbage are taken out.
//!
//! Not here: other instances and versions (`cohort`), or what to call it (`judge`).

use plimsoll_model::{Metric, Outline, Unit};

use crate::envelope::{Block, coarser, falls_back, floor, span};
use crate::fit::least_squares;
use crate::ladder::{Rung, limit_of};
use crate::remainder::{COMPARED, Remainder, points};
use crate::rivals::{Compared, Story};
use crate::scene::{Run, Scene};
use crate::season::{Period, repeats};
use crate::thresholds as limits;
use crate::trend::{Point, Shape, Trend, hinge, pace_of, trend};

/// What a series does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Course {
    TooFew,
    /// Nothing material moved.
    Flat,
    /// It rose and came to rest.
    Levelled,
    /// It rises, and ever less.
    Slowing,
    /// It rises and falls again by itself.
    GivesBack,
    /// It follows another series and does nothing else.
    Follows(Story),
    /// It may follow another series, or rise by itself.
    CannotTell(Story),
    /// It rises, not clearly enough to tell from a wander.
    Wanders,
    /// It rises as a leak does.
    Growing,
}

/// What stands at the beginning of the stretch that decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Began {
    /// The run, or the measuring.
    WithRun,
    /// Nothing that we know of.
    Within,
    /// A change during the run, by its place in the history's changes.
    AtChange(usize),
}

/// A series studied.
#[derive(Clone, Debug)]
pub(crate) struct Study {
    pub(crate) rung: Rung,
    pub(crate) samples: usize,
    /// The newest value.
    pub(crate) level: f64,
    pub(crate) limit: Option<f64>,
    /// A rise below this does not matter.
    pub(crate) material: f64,
    pub(crate) course: Course,
    pub(crate) trend: Option<Trend>,
    pub(crate) began: Began,
    /// What moves with it besides its own rise.
    pub(crate) moved_by: Option<(Metric, Story)>,
    /// The time of day, or another period, moves it.
    pub(crate) seasonal: bool,
    /// The same rise and fall comes again and again.
    pub(crate) repeats: bool,
    /// Where a few jumps make most of its rise: the place of the first, as a share of the time.
    pub(crate) stepped: Option<f64>,
    /// The share of its span that jumps make.
    pub(crate) jumped: f64,
    /// The other series that were asked whether they tell it, and the period that does so best.
    pub(crate) heard: Vec<(Metric, Story, Compared)>,
    pub(crate) period: Option<Period>,
    /// More than half of the time it stands near its lowest value.
    pub(crate) mostly_low: bool,
    /// The largest fall at the finest scale.
    pub(crate) swing: f64,
    /// Its floor, free of load and season.
    pub(crate) points: Vec<Point>,
}

/// A swing of this many material rises is worth a name of its own.
const BATCH: f64 = 5.0;

pub(crate) fn study(scene: &Scene<'_>, run: &Run<'_>, rung: &Rung, blocks: &[Block]) -> Study {
    let limit = limit_of(run.life, rung);
    let samples = blocks.iter().map(|block| block.samples).sum();
    let mut study = Study {
        rung: *rung,
        samples,
        level: run.outline(rung.metric).and_then(Outline::last).map_or(0.0, |sample| sample.value),
        limit,
        material: material(rung.metric.unit(), limit, blocks),
        course: Course::TooFew,
        trend: None,
        began: Began::WithRun,
        moved_by: None,
        seasonal: false,
        repeats: false,
        stepped: None,
        jumped: 0.0,
        heard: Vec::new(),
        period: None,
        mostly_low: false,
        swing: falls_back(blocks),
        points: Vec::new(),
    };
    if (samples as f64) < limits::SAMPLES_MIN.default * 0.5 || blocks.len() < 8 {
        return study;
    }
    let rest = Remainder::of(scene, run, blocks, study.material);
    study.moved_by = rest.moved_by;
    let named = study.swing > BATCH * study.material;
    study.seasonal = rest.seasonal && named;
    study.repeats = named && repeats(&coarser(blocks, 2 * COMPARED));
    study.mostly_low = mostly_low(blocks);
    (study.jumped, study.stepped) = stepped(&floor(blocks)).unwrap_or_default();
    (study.heard, study.period) = (rest.heard, rest.period);
    study.points = points(&floor(&rest.free), rest.load.as_deref(), blocks);
    if let Some(course) = rest.course {
        study.course = course;
        study.trend = trend(&study.points);
        let rises = study.trend.is_some_and(|trend| trend.rise >= study.material);
        if rises || matches!(course, Course::Follows(_)) {
            return study;
        }
    }
    decide(scene, run, &mut study);
    study
}

/// A jump between neighbours that makes this share of the whole span is a step.
const STEP_SHARE: f64 = 0.25;
/// And steps that together make this share are the whole story.
pub(crate) const STEPS_SHARE: f64 = 0.6;

/// The share that jumps make, and where the first one is if they are the whole story.
fn stepped(floor: &[Block]) -> Option<(f64, Option<f64>)> {
    let (first, last) = (floor.first()?.at, floor.last()?.at);
    let span = span(floor);
    let (mut jumped, mut begin, mut next) = (0.0, None, 0);
    let mut jumps = Vec::new();
    for (index, three) in floor.windows(3).enumerate() {
        let jump = three[2].value - three[0].value;
        if index >= next && jump >= STEP_SHARE * span {
            jumped += jump;
            begin = begin.or(Some((three[1].at - first) / (last - first)));
            next = index + 2;
            // The larger half of the jump is where the new level begins.
            let first_half = three[1].value - three[0].value > three[2].value - three[1].value;
            jumps.push(if first_half { index + 1 } else { index + 2 });
        }
    }
    // A line of twelve points rises by a sixth of its span between neighbours of neighbours.
    let steps = jumped >= STEPS_SHARE * span && floor.len() >= 12;
    let levels = steps && left_by_levels(floor, &jumps) <= LEVELS_LEFT * left_by_line(floor);
    let share = jumped / span.max(f64::MIN_POSITIVE);
    Some((share, begin.filter(|_| levels)))
}

/// Levels between steps must leave so little of what a line leaves, or noise has drawn the steps.
const LEVELS_LEFT: f64 = 0.4;

/// Squared deviations from the mean of each level between jumps.
fn left_by_levels(floor: &[Block], jumps: &[usize]) -> f64 {
    let ends = jumps.iter().copied().chain([floor.len()]);
    let begins = [0].into_iter().chain(jumps.iter().copied());
    let level = |(begin, end): (usize, usize)| {
        let values = || floor.get(begin..end).unwrap_or(&[]).iter().map(|block| block.value);
        let mean = values().sum::<f64>() / (end - begin).max(1) as f64;
        values().map(|value| (value - mean).powi(2)).sum::<f64>()
    };
    begins.zip(ends).map(level).sum()
}

fn left_by_line(floor: &[Block]) -> f64 {
    let first = floor.first().map_or(0.0, |block| block.at);
    let rows: Vec<_> = floor.iter().map(|b| ([1.0, b.at - first], b.value)).collect();
    least_squares(&rows).map_or(f64::INFINITY, |fit| fit.errors)
}

fn mostly_low(blocks: &[Block]) -> bool {
    let lowest = blocks.iter().map(|block| block.value).fold(f64::INFINITY, f64::min);
    let low = lowest + 0.25 * span(blocks);
    blocks.iter().filter(|block| block.value <= low).count() * 2 > blocks.len()
}

fn material(unit: Unit, limit: Option<f64>, blocks: &[Block]) -> f64 {
    let base = blocks.first().map_or(0.0, |block| block.value);
    match (unit, limit) {
        (Unit::Bytes, Some(limit)) => limits::SHARE_MATERIAL.default * limit,
        (Unit::Bytes, None) => {
            (limits::SHARE_MATERIAL_UNLIMITED.default * base).max(limits::BYTES_MATERIAL.default)
        }
        (Unit::Count | Unit::Seconds | Unit::PerSecond, limit) => {
            let share = limits::SHARE_MATERIAL_HELD.default * base;
            let Some(limit) = limit else {
                return share.max(limits::HELD_MATERIAL_UNLIMITED.default);
            };
            share.min(limits::SHARE_MATERIAL.default * limit).max(limits::HELD_MATERIAL.default)
        }
    }
}

/// A stretch that may be the one that decides.
struct Stretch {
    trend: Trend,
    course: Course,
    began: Began,
}

impl Study {
    /// Decides by the rise alone, once a rival that could not be told from it is out.
    pub(crate) fn decide_alone(&mut self, scene: &Scene<'_>, run: &Run<'_>) {
        decide(scene, run, self);
    }
}

fn decide(scene: &Scene<'_>, run: &Run<'_>, study: &mut Study) {
    let stretches = stretches(scene, run, study);
    let growing = |began: fn(Began) -> bool| {
        stretches.iter().find(|s| s.course == Course::Growing && began(s.began))
    };
    let after = |stretch: &&Stretch| {
        matches!(stretch.course, Course::Slowing | Course::Wanders)
            && stretch.began != Began::WithRun
    };
    let chosen = growing(|began| matches!(began, Began::AtChange(_)))
        .or_else(|| growing(|began| began == Began::Within))
        .or_else(|| growing(|began| began == Began::WithRun))
        .or_else(|| stretches.iter().find(after))
        .or_else(|| stretches.first());
    match chosen {
        Some(stretch) => {
            study.course = stretch.course;
            study.trend = Some(stretch.trend);
            study.began = stretch.began;
        }
        None => study.course = Course::TooFew,
    }
}

fn stretches(scene: &Scene<'_>, run: &Run<'_>, study: &Study) -> Vec<Stretch> {
    let points = &study.points;
    let whole = trend(points).map(|trend| Stretch {
        course: classify(&trend, study.material),
        trend,
        began: Began::WithRun,
    });
    let changed = scene.changes().iter().enumerate().filter_map(|(index, change)| {
        let about = change.instance.as_ref().is_none_or(|name| *name == run.life.instance);
        let inside = change.at > run.from && change.at < run.to;
        (change.kind.is_deliberate() && about && inside).then_some(())?;
        let at = scene.hours(change.at);
        let begin = points.partition_point(|point| point.at < at);
        // Later changes cannot have begun what an earlier onset explains better.
        let later = points.get(begin..).and_then(hinge);
        let fits = later.is_none_or(|later| later * 4 < points.len() - begin);
        fits.then(|| part(study, begin, Began::AtChange(index)))?
    });
    let bent = hinge(points).and_then(|begin| part(study, begin, Began::Within));
    whole.into_iter().chain(changed).chain(bent).collect()
}

/// The stretch from `begin` on, where what came before it was flat next to it.
fn part(study: &Study, begin: usize, began: Began) -> Option<Stretch> {
    let (before, after) = study.points.split_at_checked(begin)?;
    let trend = trend(after)?;
    if before.len() < 4 {
        return None;
    }
    let quiet = pace_of(before) <= limits::CONTROL_SHARE.default * trend.per_hour;
    // A level that was reached before is not new.
    let peak = before.iter().map(|point| point.value).fold(f64::NEG_INFINITY, f64::max);
    let new = trend.level - peak >= 0.5 * trend.rise;
    let low = before.iter().map(|point| point.value).fold(f64::INFINITY, f64::min);
    let larger = trend.rise >= 2.0 * (peak - low) || matches!(began, Began::AtChange(_));
    let course = classify(&trend, study.material);
    (quiet && new && larger).then_some(Stretch { trend, course, began })
}

/// What a trend is called, from the strongest objection to the weakest.
fn classify(trend: &Trend, material: f64) -> Course {
    if trend.rise < material {
        return Course::Flat;
    }
    if trend.given_back > limits::GIVEN_BACK_MAX.default {
        return Course::GivesBack;
    }
    if trend.late < 0.5 * limits::LATE_MIN.default {
        return Course::Levelled;
    }
    let evenly = trend.pace >= limits::PACE_MIN.default && trend.late >= limits::LATE_MIN.default;
    if trend.shape == Shape::Slowing || !evenly {
        return Course::Slowing;
    }
    if trend.surprise < limits::SURPRISE_CONTROLLED.default {
        return Course::Wanders;
    }
    Course::Growing
}
