//! What comes again: the time of day, a nightly batch, or any other period seen at least twice.
//!
//! Not here: load that is measured (`rivals`), which needs no period to be told.

use crate::envelope::{Block, falls_back, span};
use crate::fit::least_squares;

/// The period that tells a level best: the time of day, or any other that was seen at least twice.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Period {
    pub(crate) hours: f64,
    /// What it leaves of what a line leaves, and how little that must be.
    pub(crate) left: f64,
    pub(crate) left_max: f64,
    comes_again: bool,
    first: f64,
    whole: f64,
    cycles: f64,
    coefficients: [f64; 6],
}

/// The best period. None where a shape cannot be seen.
///
/// Two harmonics are enough for the shape of a day; more would start to follow noise.
pub(crate) fn period(coarse: &[Block]) -> Option<Period> {
    let (first, last) = (coarse.first()?.at, coarse.last()?.at);
    let hours = last - first;
    let place = |block: &Block| (block.at - first) / hours;
    let line: Vec<_> = coarse.iter().map(|b| ([1.0, place(b)], b.value)).collect();
    let line = least_squares(&line)?;
    let mut waves: Vec<Wave> = coarse.iter().map(|block| Wave::of(place(block))).collect();
    let fits = (HALVES_MIN..HALVES_MAX).filter_map(|halves| {
        let cycles = f64::from(halves) / 2.0;
        let rows = waves.iter_mut().zip(coarse).map(|(wave, block)| (wave.next(), block.value));
        let rows: Vec<_> = rows.collect();
        // More than a quarter of the blocks in one cycle, or the shape is not seen.
        (cycles * 4.0 <= coarse.len() as f64).then(|| Some((cycles, least_squares(&rows)?)))?
    });
    let (cycles, best) = fits.min_by(|a, b| a.1.errors.total_cmp(&b.1.errors))?;
    // A step, or a rise in the second half, also leaves less to a wave than to a line; but it does
    // not come again.
    let [base, slope] = line.coefficients;
    let level: Vec<_> =
        coarse.iter().map(|b| Block { value: b.value - base - slope * place(b), ..*b }).collect();
    let falls = falls_back(coarse) > 0.2 * span(coarse);
    let again = if falls { AGAIN_LEFT } else { AGAIN_LEFT_RISING };
    let comes_again = folded(&level, cycles) <= again * line.errors;
    Some(Period {
        hours: hours / cycles,
        left: best.errors / line.errors.max(f64::MIN_POSITIVE),
        left_max: SEASON_LEFT,
        comes_again,
        first,
        whole: hours,
        cycles,
        coefficients: best.coefficients,
    })
}

impl Period {
    pub(crate) fn is_seen(&self) -> bool {
        self.left <= self.left_max && self.comes_again
    }

    /// The part of every block that comes and goes with it. None when nothing does.
    pub(crate) fn part(&self, fine: &[Block]) -> Option<Vec<f64>> {
        if !self.is_seen() {
            return None;
        }
        let [_, _, a, b, c, d] = self.coefficients;
        let part = |block: &Block| {
            let place = (block.at - self.first) / self.whole;
            let turned = (std::f64::consts::TAU * self.cycles * place).sin_cos();
            let [_, _, sin, cos, sin2, cos2] = harmonics(place, turned);
            a * sin + b * cos + c * sin2 + d * cos2
        };
        Some(fine.iter().map(part).collect())
    }
}

/// Periods that are tried: from two to two dozen cycles, in halves of a cycle.
const HALVES_MIN: u32 = 4;
const HALVES_MAX: u32 = 48;

/// The wave at one place, for one number of cycles after the other: turning it on by half a cycle
/// costs four multiplications, where its sine would cost fifty.
struct Wave {
    place: f64,
    turned: (f64, f64),
    half: (f64, f64),
}

impl Wave {
    fn of(place: f64) -> Self {
        let half = std::f64::consts::PI * place;
        let turned = (half * f64::from(HALVES_MIN)).sin_cos();
        Self { place, turned, half: half.sin_cos() }
    }

    fn next(&mut self) -> [f64; 6] {
        let row = harmonics(self.place, self.turned);
        let ((sin, cos), (by_sin, by_cos)) = (self.turned, self.half);
        self.turned = (sin * by_cos + cos * by_sin, cos * by_cos - sin * by_sin);
        row
    }
}

/// Level, trend, and two harmonics of an angle whose sine and cosine are given.
fn harmonics(place: f64, (sin, cos): (f64, f64)) -> [f64; 6] {
    [1.0, place, sin, cos, 2.0 * sin * cos, 1.0 - 2.0 * sin * sin]
}

/// Whether the same thing happens again and again: the level folded at some period is almost the
/// same in every cycle. Unlike a season it may have corners.
pub(crate) fn repeats(blocks: &[Block]) -> bool {
    let mean = blocks.iter().map(|block| block.value).sum::<f64>() / blocks.len().max(1) as f64;
    let total: f64 = blocks.iter().map(|block| (block.value - mean).powi(2)).sum();
    (25..240).any(|tenth| folded(blocks, f64::from(tenth) / 10.0) <= REPEATS_LEFT * total)
}

/// What folding must explain. Noise that remembers reaches two thirds by chance.
const REPEATS_LEFT: f64 = 0.32;

/// Squared deviations from the mean cycle, each bin paying for its own mean.
fn folded(blocks: &[Block], cycles: f64) -> f64 {
    const BINS: usize = 10;
    let mut bins = [(0.0, 0.0, 0.0); BINS];
    for (index, block) in blocks.iter().enumerate() {
        let phase = (index as f64 * cycles / blocks.len() as f64).fract();
        let (count, sum, squares) = &mut bins[((phase * BINS as f64) as usize).min(BINS - 1)];
        *count += 1.0;
        *sum += block.value;
        *squares += block.value * block.value;
    }
    let within =
        |(count, sum, squares): &(f64, f64, f64)| squares - sum * sum / f64::max(*count, 1.0);
    let left: f64 = bins.iter().map(within).sum();
    left * blocks.len() as f64 / (blocks.len() as f64 - BINS as f64).max(1.0)
}

/// What folding may leave of a season in a level that is seen to fall again.
const AGAIN_LEFT: f64 = 0.5;

/// And in one that only rises: two steps up, held against a line, come again almost as well.
const AGAIN_LEFT_RISING: f64 = 0.12;

/// A season must take away this much of what a line leaves, or it is only noise that was followed.
const SEASON_LEFT: f64 = 0.35;

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

    #[test]
    fn a_period_seen_several_times_is_taken_out() {
        let level = blocks(|at| 50.0 + 4.0 * wave(at) + 30.0 * at);
        let season = period(&level).and_then(|period| period.part(&level)).unwrap();
        let rest: Vec<_> =
            level.iter().zip(&season).map(|(b, s)| Block { value: b.value - s, ..*b }).collect();
        let before = falls_back(&level);
        assert!(falls_back(&rest) < 0.4 * before);
        let ramp = blocks(|at| 80.0 * at);
        assert!(period(&ramp).and_then(|period| period.part(&level)).is_none());
    }
}
