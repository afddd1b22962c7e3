//! One series of one run: which course it takes, after load, season and garbage are taken out.
//!
//! Not here: other instances and versions (`cohort`), or what to call it (`judge`).

use plimsoll_model::{Metric, Unit};

use crate::envelope::{Block, along, coarser, falls_back, floor, span, without_teeth};
use crate::ladder::{Rung, limit_of};
use crate::rivals::{DRIVERS, Relation, Story, relation, repeats, season};
use crate::scene::{Run, Scene};
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
    /// More than half of the time it stands near its lowest value.
    pub(crate) mostly_low: bool,
    /// The largest fall at the finest scale.
    pub(crate) swing: f64,
    /// Its floor, free of load and season.
    pub(crate) points: Vec<Point>,
}

/// Blocks on which another series is compared with this one.
const COMPARED: usize = 96;

/// Fewer blocks follow any shape that six numbers can take.
const SEASON_BLOCKS: usize = 40;

/// A swing of this many material rises is worth a name of its own.
const BATCH: f64 = 5.0;

pub(crate) fn study(scene: &Scene<'_>, run: &Run<'_>, rung: &Rung, blocks: &[Block]) -> Study {
    let limit = limit_of(run.life, rung);
    let samples = blocks.iter().map(|block| block.samples).sum();
    let mut study = Study {
        rung: *rung,
        samples,
        level: run.samples(rung.metric).last().map_or(0.0, |sample| sample.value),
        limit,
        material: material(rung.metric.unit(), limit, blocks),
        course: Course::TooFew,
        trend: None,
        began: Began::WithRun,
        moved_by: None,
        seasonal: false,
        repeats: false,
        mostly_low: false,
        swing: falls_back(blocks),
        points: Vec::new(),
    };
    if (samples as f64) < limits::SAMPLES_MIN.default * 0.5 || blocks.len() < 8 {
        return study;
    }
    let rivals = Rivals::of(scene, run, blocks, study.material);
    study.moved_by = rivals.moved_by;
    let named = study.swing > BATCH * study.material;
    study.seasonal = rivals.seasonal && named;
    study.repeats = named && repeats(&coarser(blocks, 2 * COMPARED));
    study.mostly_low = mostly_low(blocks);
    study.points = points(&floor(&rivals.free), rivals.load.as_deref(), blocks);
    if let Some(course) = rivals.course {
        study.course = course;
        study.trend = trend(&study.points);
        return study;
    }
    decide(scene, run, &mut study);
    study
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
            let of_limit = limit.map_or(f64::INFINITY, |l| limits::SHARE_MATERIAL.default * l);
            share.min(of_limit).max(limits::HELD_MATERIAL.default)
        }
    }
}

/// What is left of a series when its rivals have taken their part.
struct Rivals {
    free: Vec<Block>,
    load: Option<Vec<f64>>,
    moved_by: Option<(Metric, Story)>,
    seasonal: bool,
    course: Option<Course>,
}

impl Rivals {
    fn of(scene: &Scene<'_>, run: &Run<'_>, blocks: &[Block], material: f64) -> Self {
        let mut found = Self {
            free: blocks.to_vec(),
            load: None,
            moved_by: None,
            seasonal: false,
            course: None,
        };
        if span(blocks) < material {
            return found;
        }
        let coarse = coarser(blocks, COMPARED);
        for (metric, story) in DRIVERS {
            let samples = run.samples(metric);
            if samples.len() < 8 {
                continue;
            }
            let driver = along(blocks, samples, scene.origin);
            if story == Story::Load && found.load.is_none() {
                found.load = Some(driver.clone());
            }
            let beside = along(&coarse, samples, scene.origin);
            found.weigh((metric, story), relation(&coarse, &beside), (&driver, material));
            if matches!(found.course, Some(Course::Follows(_))) {
                return found;
            }
        }
        // Garbage folds into false seasons, so a season is sought in the floor wherever there is one.
        let envelope = floor(blocks);
        let sought = if without_teeth(&envelope) { &envelope } else { &coarse };
        if found.moved_by.is_none()
            && sought.len() >= SEASON_BLOCKS
            && let Some(part) = season(sought, blocks)
        {
            found.take(&part);
            found.seasonal = true;
        }
        found
    }

    fn weigh(
        &mut self,
        (metric, story): (Metric, Story),
        found: Relation,
        (driver, material): (&[f64], f64),
    ) {
        match found {
            Relation::Apart => {}
            Relation::Follows { .. } => {
                self.moved_by = Some((metric, story));
                self.course = Some(Course::Follows(story));
            }
            Relation::CannotTell => self.course = Some(Course::CannotTell(story)),
            Relation::Beside { per_unit } => {
                let low = driver.iter().copied().fold(f64::INFINITY, f64::min);
                let high = driver.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                if per_unit * (high - low) < material {
                    return;
                }
                let mean = driver.iter().sum::<f64>() / driver.len().max(1) as f64;
                let part: Vec<f64> = driver.iter().map(|d| per_unit * (d - mean)).collect();
                self.take(&part);
                self.moved_by = self.moved_by.or(Some((metric, story)));
            }
        }
    }

    fn take(&mut self, part: &[f64]) {
        for (block, part) in self.free.iter_mut().zip(part) {
            block.value -= part;
        }
    }
}

/// Puts the floor on the axis of work: the load so far, where load is known.
fn points(floor: &[Block], load: Option<&[f64]>, fine: &[Block]) -> Vec<Point> {
    let mut done = 0.0;
    let mut before = fine.first().map_or(0.0, |block| block.at);
    let work: Vec<(f64, f64)> = load
        .map(|load| {
            let steps = fine.iter().zip(load).map(|(block, load)| {
                done += load.max(0.0) * (block.at - before);
                before = block.at;
                (block.at, done)
            });
            steps.collect()
        })
        .unwrap_or_default();
    let work_at = |at: f64| {
        let index = work.partition_point(|(when, _)| *when < at);
        work.get(index).or(work.last()).map_or(at, |(_, done)| *done)
    };
    let point = |block: &Block| Point {
        at: block.at,
        work: work_at(block.at),
        value: block.value,
        samples: block.samples,
    };
    floor.iter().map(point).collect()
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
        .or(stretches.first());
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
    let changed = scene.history.changes.iter().enumerate().filter_map(|(index, change)| {
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
