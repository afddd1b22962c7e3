//! The cells of a series over the lives of a service that followed each other, as one line of time.
//!
//! Not here: what is usual in them, or whether it moved (`baseline`, `drift`).

use plimsoll_model::{Metric, Stretch};

use crate::scene::{Run, Scene};
use crate::thresholds as limits;

/// Neighbouring samples, in hours since the origin of the scene.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Cell {
    pub(super) from: f64,
    /// Where it ends; before the next one begins where samples are missing in between.
    pub(super) to: f64,
    pub(super) samples: f64,
    pub(super) low: f64,
    pub(super) mean: f64,
}

impl Cell {
    pub(super) fn length(&self) -> f64 {
        self.to - self.from
    }

    pub(super) fn middle(&self) -> f64 {
        0.5 * (self.from + self.to)
    }

    /// Fine enough to tell one hour from another.
    pub(super) fn is_fine(&self) -> bool {
        self.length() <= limits::BASELINE_BLUR.default
    }
}

pub(super) fn end_of(cells: &[Cell]) -> f64 {
    cells.last().map_or(0.0, |cell| cell.to)
}

/// Oldest first; what two lives saw at once is the later one's.
pub(super) fn joined(scene: &Scene<'_>, run: &Run<'_>, metric: Metric) -> Vec<Cell> {
    let mut cells: Vec<Cell> = Vec::new();
    for life in lives(scene, run, metric).iter().rev() {
        let of_life = of_life(scene, life, metric);
        let begin = of_life.first().map_or(f64::INFINITY, |cell| cell.from);
        cells.truncate(cells.partition_point(|cell| cell.from < begin));
        if let Some(last) = cells.last_mut() {
            last.to = last.to.min(begin);
        }
        cells.extend(of_life);
    }
    // Two samples of one moment make a cell without a length, which tells nothing of any hour.
    cells.retain(|cell| cell.length() > 0.0 && cell.samples > 0.0);
    cells
}

/// This run and those that it followed, newest first.
pub(super) fn lives<'a>(scene: &Scene<'a>, run: &Run<'a>, metric: Metric) -> Vec<Run<'a>> {
    let mut lives = vec![*run];
    while let Some(before) = lives.last().and_then(|life| followed(scene, life, metric)) {
        lives.push(before);
    }
    lives
}

/// An old replica may end this share of its time after its successor began.
const OVERLAP: f64 = 0.05;

/// What this run followed: the run before it of the same instance, or, where every run has a name of
/// its own, the last that ended about when it began. Always an older one.
fn followed<'a>(scene: &Scene<'a>, run: &Run<'a>, metric: Metric) -> Option<Run<'a>> {
    let measured = |other: &&Run<'a>| other.samples(metric) > 0 && other.from < run.from;
    let same = scene.earlier(run).find(measured);
    let ended = |other: &&Run<'a>| {
        let over = other.to.since(run.from).as_secs_f64();
        over <= OVERLAP * other.to.since(other.from).as_secs_f64()
    };
    let other = || {
        let ended = scene.runs.iter().filter(measured).filter(ended);
        ended.max_by_key(|other| (other.to, other.from, &other.life.instance))
    };
    same.or_else(other).copied()
}

fn of_life(scene: &Scene<'_>, run: &Run<'_>, metric: Metric) -> Vec<Cell> {
    let Some(outline) = run.outline(metric) else { return Vec::new() };
    // The step of the median cell: a gap makes the cell before it long, and tells nothing.
    let step = run.step_of(metric);
    let cell = |stretch: Stretch| {
        let samples = f64::from(stretch.samples);
        let (from, to) = (scene.hours(stretch.from), scene.hours(stretch.to));
        let usual = step * samples;
        let length = if to > from { (to - from).min(2.0 * usual) } else { usual };
        Cell { from, to: from + length, samples, low: stretch.lowest, mean: stretch.mean }
    };
    outline.stretches().map(cell).collect()
}
