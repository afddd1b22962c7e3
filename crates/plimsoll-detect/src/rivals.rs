//! The other stories that a rising level may have: more load, a longer queue, a filling cache, the
//! time of day.
//!
//! A story is believed when the level follows what it tells of, and what is left does not rise.
//! Not here: the shape of the rise itself (`trend`), or other instances (`cohort`).

use plimsoll_model::Metric;

use crate::curves::RESTING;
use crate::envelope::{Block, span};
use crate::fit::{Fit, least_squares};
use crate::scene::Run;
use crate::thresholds as limits;

/// What another series would explain, if the level follows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Story {
    Load,
    Backlog,
    Cache,
}

/// Series that can carry a story, the most telling first.
pub(crate) const DRIVERS: [(Metric, Story); 7] = [
    (Metric::ServiceRequestsRate, Story::Load),
    (Metric::EdgeRequestsRate, Story::Load),
    (Metric::QueueDepth, Story::Backlog),
    (Metric::PoolConnectionsPending, Story::Backlog),
    (Metric::ServiceRequestsInFlight, Story::Backlog),
    (Metric::CacheBytes, Story::Cache),
    (Metric::CacheEntries, Story::Cache),
];

pub(crate) fn drivers_of(story: Story) -> impl Iterator<Item = Metric> {
    DRIVERS.into_iter().filter(move |(_, of)| *of == story).map(|(metric, _)| metric)
}

pub(crate) fn is_measured(run: &Run<'_>, story: Story) -> bool {
    drivers_of(story).any(|metric| run.samples(metric) > 0)
}

/// How a level relates to a driver.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Relation {
    /// It does not follow.
    Apart,
    /// It follows, and rises besides: `per_unit` of the level belongs to each unit of the driver.
    Beside { per_unit: f64 },
    /// It follows, and does nothing else.
    Follows { per_unit: f64 },
    /// Both rise, and so far nothing tells which story is true.
    CannotTell,
}

/// A relation, and the measures that it hangs on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Compared {
    pub(crate) relation: Relation,
    /// How much better the driver tells the level than a line does, as a difference of
    /// log-likelihood.
    pub(crate) margin: f64,
    /// What is left of the trend beside the driver, as a share of it.
    pub(crate) trend_left: f64,
}

/// Compares the level with a driver of the same blocks. None where a fit has no solution.
pub(crate) fn compared(blocks: &[Block], driver: &[f64]) -> Option<Compared> {
    let fits = Fits::of(blocks, driver)?;
    let exact = (0.01 * fits.span).powi(2);
    let [_, alone] = fits.line.coefficients;
    let [_, left, _] = fits.joint.coefficients;
    Some(Compared {
        relation: relation(blocks, driver, &fits),
        margin: fits.driver.margin_over(fits.line.errors, exact),
        trend_left: left.abs() / alone.abs().max(f64::MIN_POSITIVE),
    })
}

fn relation(blocks: &[Block], driver: &[f64], fits: &Fits) -> Relation {
    let exact = (0.01 * fits.span).powi(2);
    let [_, trend_alone] = fits.line.coefficients;
    let [_, trend_left, _] = fits.joint.coefficients;
    let [base, per_unit] = fits.driver.coefficients;
    // Proportional things start at zero or above: a level that multiplied while load grew by a
    // tenth cannot be load.
    let possible = per_unit > 0.0 && base > -0.1 * fits.lowest.abs();
    let driver_wins = fits.driver.margin_over(fits.line.errors, exact);
    let gone = trend_left.abs() <= limits::TREND_LEFT.default * trend_alone.abs()
        || trend_left.abs() <= limits::TREND_LEFT.default * fits.span * 0.5;
    if possible && driver_wins >= limits::MARGIN.default && gone {
        return Relation::Follows { per_unit };
    }
    let (shape_errors, beside) = shape_and_driver(blocks, driver, fits);
    let [_, _, joint_per_unit] = beside.coefficients;
    if beside.margin_over(shape_errors, exact) >= limits::MARGIN.default && joint_per_unit > 0.0 {
        return Relation::Beside { per_unit: joint_per_unit };
    }
    // The driver rises as evenly as the level does.
    let as_good = fits.driver.errors <= 3.0 * fits.line.errors + exact * blocks.len() as f64;
    let telling = fits.driver.errors <= UNTOLD_MAX * fits.level.errors;
    if !(possible && as_good && telling) {
        return Relation::Apart;
    }
    if driver_wins >= 0.0 && gone { Relation::Follows { per_unit } } else { Relation::CannotTell }
}

/// A driver that leaves more than this share of the movement untold tells nothing.
const UNTOLD_MAX: f64 = 0.3;

struct Fits {
    level: Fit<1>,
    line: Fit<2>,
    driver: Fit<2>,
    joint: Fit<3>,
    span: f64,
    lowest: f64,
    first: f64,
    hours: f64,
}

impl Fits {
    fn of(blocks: &[Block], driver: &[f64]) -> Option<Self> {
        let (first, last) = (blocks.first()?.at, blocks.last()?.at);
        let hours = (last - first).max(f64::MIN_POSITIVE);
        let rows = || blocks.iter().zip(driver);
        let place = |block: &Block| (block.at - first) / hours;
        let line: Vec<_> = rows().map(|(b, _)| ([1.0, place(b)], b.value)).collect();
        let by: Vec<_> = rows().map(|(b, d)| ([1.0, *d], b.value)).collect();
        let joint: Vec<_> = rows().map(|(b, d)| ([1.0, place(b), *d], b.value)).collect();
        let level: Vec<_> = rows().map(|(b, _)| ([1.0], b.value)).collect();
        Some(Self {
            level: least_squares(&level)?,
            line: least_squares(&line)?,
            driver: least_squares(&by)?,
            joint: least_squares(&joint)?,
            span: span(blocks),
            lowest: blocks.iter().map(|block| block.value).fold(f64::INFINITY, f64::min),
            first,
            hours,
        })
    }

    fn place(&self, block: &Block) -> f64 {
        (block.at - self.first) / self.hours
    }
}

/// The best shape with the driver beside it, and the errors of the best shape without. A hump of
/// load next to a line looks like a curve that comes to rest, so every shape gets its chance.
fn shape_and_driver(blocks: &[Block], driver: &[f64], fits: &Fits) -> (f64, Fit<3>) {
    let mut alone = fits.line.errors;
    let mut best = fits.joint;
    let work = work_places(blocks, driver);
    for resting in RESTING {
        let shape = |block: &Block| resting.at(fits.place(block));
        let rows: Vec<_> = blocks.iter().map(|b| ([1.0, shape(b)], b.value)).collect();
        alone = least_squares(&rows).map_or(alone, |fit| alone.min(fit.errors));
        // A cache fills by requests: its curve is only smooth on the axis of work done.
        let rows = blocks.iter().zip(&work);
        let rows: Vec<_> = rows.map(|(b, w)| ([1.0, resting.at(*w)], b.value)).collect();
        alone = least_squares(&rows).map_or(alone, |fit| alone.min(fit.errors));
        let rows = blocks.iter().zip(driver);
        let rows: Vec<_> = rows.map(|(b, d)| ([1.0, shape(b), *d], b.value)).collect();
        match least_squares(&rows) {
            Some(fit) if fit.errors < best.errors => best = fit,
            Some(_) | None => {}
        }
    }
    (alone, best)
}

/// The share of the driver's whole sum that was done by each block.
fn work_places(blocks: &[Block], driver: &[f64]) -> Vec<f64> {
    let (mut done, mut before) = (0.0, blocks.first().map_or(0.0, |block| block.at));
    let steps = blocks.iter().zip(driver).map(|(block, driver)| {
        done += driver.max(0.0) * (block.at - before);
        before = block.at;
        done
    });
    let sums: Vec<f64> = steps.collect();
    let whole = sums.last().copied().unwrap_or(0.0).max(f64::MIN_POSITIVE);
    sums.into_iter().map(|sum| sum / whole).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blocks(value: impl Fn(f64) -> f64) -> Vec<Block> {
        let block = |i: i32| {
            let at = f64::from(i) / 95.0;
            let ripple = f64::from(i * i * 79 % 101 - 50) * 0.02;
            let value = value(at) + ripple;
            Block { at, value, mean: value, from: at, to: at, samples: 4 }
        };
        (0..96).map(block).collect()
    }

    fn wave(at: f64) -> f64 {
        10.0 + 5.0 * (at * 18.0).sin()
    }

    fn check(level: impl Fn(f64) -> f64, driver: impl Fn(f64) -> f64) -> Relation {
        let blocks = blocks(level);
        let driver: Vec<f64> = blocks.iter().map(|block| driver(block.at)).collect();
        compared(&blocks, &driver).map_or(Relation::Apart, |compared| compared.relation)
    }

    #[test]
    fn a_level_that_moves_with_load_follows_it() {
        let found = check(|at| 50.0 + 4.0 * wave(at), wave);
        assert!(matches!(found, Relation::Follows { per_unit } if (per_unit - 4.0).abs() < 0.2));
    }

    #[test]
    fn a_leak_under_a_day_curve_rises_beside_it() {
        let found = check(|at| 50.0 + 4.0 * wave(at) + 80.0 * at, wave);
        assert!(matches!(found, Relation::Beside { .. }), "{found:?}");
    }

    #[test]
    fn a_level_that_multiplies_is_not_explained_by_a_tenth_more_load() {
        let found = check(|at| 50.0 + 200.0 * at, |at| 10.0 + at);
        assert_eq!(found, Relation::Apart);
    }
}
