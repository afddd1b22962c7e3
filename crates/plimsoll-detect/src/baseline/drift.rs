//! Whether normal has moved: the point where the sum of deviations from the mean turns (CUSUM), over
//! the lows of the cells with the usual shape of a day taken out.
//!
//! A level that creeps is not told here: it is the verdict's. Not here: what is usual (`baseline`).

use plimsoll_model::{Change, Metric, Timestamp};

use super::cells::{Cell, lives};
use super::{DAY, Moved};
use crate::attribution::beginning;
use crate::scene::{Run, Scene};
use crate::thresholds as limits;

/// A cell that the usual shape of a day was taken out of.
#[derive(Clone, Copy)]
struct Level {
    from: f64,
    to: f64,
    value: f64,
}

/// The last time that normal moved, and the first cell after it.
pub(super) fn last(
    scene: &Scene<'_>,
    run: &Run<'_>,
    metric: Metric,
    cells: &[Cell],
    material: f64,
) -> Option<(usize, Moved)> {
    let levels = without_shape(cells);
    let since = newest(&levels, material);
    let (earlier, after) = levels.split_at(since);
    let before = earlier.split_at(newest(earlier, material)).1;
    let (first, old) = (after.first()?, before.last()?);
    let (from, to) = (middle(before), middle(after));
    let change = change(scene, run, metric, (old.from, first.from, first.to - first.from));
    let asked = if change.is_some() { &limits::DAY_SEEN } else { &limits::DRIFT_LASTS };
    let lasts = |part: &[Level]| lasts(part) >= asked.default;
    let apart = (to - from).abs() >= limits::DRIFT_SPREADS.default * spread(before, after);
    let moved = Moved { since: scene.moment(first.from), from, to, change };
    (apart && lasts(before) && lasts(after)).then_some((since, moved))
}

fn lasts(part: &[Level]) -> f64 {
    part.last().zip(part.first()).map_or(0.0, |(last, first)| last.to - first.from)
}

/// Where the newest level begins; 0 where it never moved. Every turn leaves fewer cells.
fn newest(levels: &[Level], material: f64) -> usize {
    let mut begin = 0;
    while let Some(split) = levels.get(begin..).and_then(|rest| split(rest, material)) {
        begin += split;
    }
    begin
}

/// The first cell of another level: where the sum of deviations from the mean is furthest from zero,
/// if both sides are long enough, far enough apart, and the way from one to the other is short.
fn split(levels: &[Level], material: f64) -> Option<usize> {
    let mean = levels.iter().map(|level| level.value).sum::<f64>() / levels.len().max(1) as f64;
    let sums = levels.iter().scan(0.0, |sum, level| {
        *sum += level.value - mean;
        Some(f64::abs(*sum))
    });
    let (turn, _) = sums.enumerate().max_by(|a, b| a.1.total_cmp(&b.1))?;
    let (before, after) = levels.split_at_checked(turn + 1)?;
    let cells = limits::DRIFT_CELLS.default as usize;
    if before.len() < cells || after.len() < cells {
        return None;
    }
    let shift = (middle(after) - middle(before)).abs();
    let near = (levels.len() / NEAR_SHARE).clamp(NEAR_MIN, cells);
    let nearest = before.split_at(before.len() - near).1;
    let at_once = (middle(after.split_at(near).0) - middle(nearest)).abs();
    let moved = shift > 0.0 && shift >= material && shift >= noise(levels);
    let stands = at_once >= limits::DRIFT_AT_ONCE.default * shift;
    (moved && stands).then_some(turn + 1)
}

/// What lies next to a turn: a twentieth of the cells, and enough to have a middle.
const NEAR_SHARE: usize = 20;
const NEAR_MIN: usize = 6;

/// How far a level must move to be told from its noise: neighbours are compared, so that a level
/// that moved does not count as noise.
fn noise(levels: &[Level]) -> f64 {
    let steps = levels.windows(2).map(|two| (two[1].value - two[0].value).abs());
    limits::DRIFT_SPREADS.default * NORMAL * median(steps.collect()) / std::f64::consts::SQRT_2
}

/// The median of absolute deviations, times this, is the standard deviation of normal noise.
const NORMAL: f64 = 1.4826;

fn spread(before: &[Level], after: &[Level]) -> f64 {
    let of = |part: &[Level]| {
        let middle = middle(part);
        NORMAL * median(part.iter().map(|level| (level.value - middle).abs()).collect())
    };
    of(before).max(of(after))
}

fn middle(levels: &[Level]) -> f64 {
    median(levels.iter().map(|level| level.value).collect())
}

fn median(mut values: Vec<f64>) -> f64 {
    let place = values.len() / 2;
    if values.is_empty() {
        return 0.0;
    }
    *values.select_nth_unstable_by(place, f64::total_cmp).1
}

/// The lows without what a day usually does: the median deviation at each hour from the middle of its
/// day. Medians, so that the day of a step counts as one of many.
fn without_shape(cells: &[Cell]) -> Vec<Level> {
    let level =
        |cell: &Cell, shape: f64| Level { from: cell.from, to: cell.to, value: cell.low - shape };
    let first = cells.first().map_or(0.0, |cell| cell.from);
    let place = |cell: &Cell| ((cell.middle() - first) / DAY).max(0.0);
    let days = cells.last().map_or(0, |cell| place(cell) as usize + 1);
    // A few long cells are those before a gap.
    let fine = cells.iter().filter(|cell| cell.is_fine());
    if (days as f64) < limits::BASELINE_DAYS.default || fine.clone().count() * 2 < cells.len() {
        return cells.iter().map(|cell| level(cell, 0.0)).collect();
    }
    // No slot is narrower than a cell, or some would stay empty on most days.
    let widest = fine.map(Cell::length).fold(1.0, f64::max);
    let slots = (DAY / widest).floor() as usize;
    let slot = |cell: &Cell| ((place(cell).fract() * slots as f64) as usize).min(slots - 1);
    let mut apart: Vec<Vec<f64>> = vec![Vec::new(); slots];
    for day in cells.chunk_by(|a, b| place(a) as usize == place(b) as usize) {
        let middle = median(day.iter().map(|cell| cell.low).collect());
        day.iter().for_each(|cell| apart[slot(cell)].push(cell.low - middle));
    }
    let shape: Vec<f64> = apart.into_iter().map(median).collect();
    cells.iter().map(|cell| level(cell, shape[slot(cell)])).collect()
}

/// A change fits that lies this many cells before the onset at most, and one after it: the onset is
/// not known better, and a rollout takes its time.
const CELLS_BEFORE: f64 = 3.0;

/// The change that normal moved with: where a new run began there, the one that a growth from that
/// beginning is put down to, else one that lies at the onset. Never merely the newest.
fn change(
    scene: &Scene<'_>,
    run: &Run<'_>,
    metric: Metric,
    (old, new, width): (f64, f64, f64),
) -> Option<Change> {
    let window = old - CELLS_BEFORE * width..=new + width;
    let lives = lives(scene, run, metric);
    let began = lives.windows(2).find(|two| window.contains(&scene.hours(two[0].from)));
    if let Some([first, before, ..]) = began {
        let brought = |change: &&Change| {
            let other = first.life.version != before.life.version;
            other && change.version.is_some() && change.version == first.life.version
        };
        let near = |change: &&Change| window.contains(&scene.hours(change.at));
        let found = beginning(scene, before, first, metric);
        return found.filter(|change| brought(change) || near(change)).cloned();
    }
    let fits = |change: &&Change| {
        let about = change.instance.as_ref().is_none_or(|name| *name == run.life.instance);
        about && change.kind.is_deliberate() && window.contains(&scene.hours(change.at))
    };
    let far = |at: Timestamp| (scene.hours(at) - new).abs();
    let fitting = scene.changes().iter().filter(fits);
    fitting.min_by(|a, b| far(a.at).total_cmp(&far(b.at))).cloned()
}
