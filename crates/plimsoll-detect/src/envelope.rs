//! The lower envelope: what a series never fell below, in blocks that count samples.
//!
//! Blocks count samples, not seconds, so ten minutes measured every second and ten days measured
//! every five minutes are the same picture. Not here: what the picture means.

use plimsoll_model::{Outline, Stretch, Timestamp};

/// Envelopes from fine to coarse, in blocks. Twelve is the fewest that can show a course.
const PYRAMID: [usize; 4] = [96, 48, 24, 12];

/// An envelope that falls back by more than this share of its span still shows teeth.
const TEETH: f64 = 0.2;

/// The lowest and the mean value of a block, and what time it covers. Hours since the origin of the
/// assessment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Block {
    pub(crate) at: f64,
    pub(crate) value: f64,
    pub(crate) mean: f64,
    pub(crate) from: f64,
    pub(crate) to: f64,
    pub(crate) samples: usize,
}

pub(crate) fn hours(at: Timestamp, origin: Timestamp) -> f64 {
    at.since(origin).as_hours_f64()
}

/// An outline as blocks.
pub(crate) fn blocks(outline: &Outline, origin: Timestamp) -> Vec<Block> {
    let block = |stretch: Stretch| {
        let (from, to) = (hours(stretch.from, origin), hours(stretch.to, origin));
        let at = if stretch.samples > 1 { 0.5 * (from + to) } else { from };
        let samples = stretch.samples as usize;
        Block { at, value: stretch.lowest, mean: stretch.mean, from, to, samples }
    };
    outline.stretches().map(block).collect()
}

/// The same picture with about `count` blocks.
pub(crate) fn coarser(blocks: &[Block], count: usize) -> Vec<Block> {
    let size = blocks.len().div_ceil(count).max(1);
    let merge = |chunk: &[Block]| {
        let lowest = chunk.iter().min_by(|a, b| a.value.total_cmp(&b.value))?;
        let samples: usize = chunk.iter().map(|block| block.samples).sum();
        let sum: f64 = chunk.iter().map(|block| block.mean * block.samples as f64).sum();
        Some(Block {
            from: chunk.first()?.from,
            to: chunk.last()?.to,
            mean: sum / samples.max(1) as f64,
            samples,
            ..*lowest
        })
    };
    // A last block with a fraction of the samples would have a higher floor than the others.
    let whole = blocks.len() / size * size;
    let kept = if blocks.len() - whole > size / 2 { blocks.len() } else { whole };
    blocks.get(..kept).unwrap_or(blocks).chunks(size).filter_map(merge).collect()
}

/// The finest envelope without teeth: garbage that collections give back is gone, and as much of
/// the course as possible is left.
pub(crate) fn floor(blocks: &[Block]) -> Vec<Block> {
    let mut finest = coarser(blocks, PYRAMID[0]);
    if without_teeth(&finest) {
        return finest;
    }
    for pair in PYRAMID[1..].windows(2) {
        // Blocks as long as a tooth still beat against the teeth, so one step further is taken.
        finest = coarser(blocks, pair[1]);
        if without_teeth(&coarser(blocks, pair[0])) {
            break;
        }
    }
    finest
}

pub(crate) fn without_teeth(envelope: &[Block]) -> bool {
    falls_back(envelope) <= TEETH * span(envelope)
}

/// The most that the level fell below what it had reached before.
pub(crate) fn falls_back(blocks: &[Block]) -> f64 {
    let fall = |(highest, worst): (f64, f64), block: &Block| {
        let highest = highest.max(block.value);
        (highest, worst.max(highest - block.value))
    };
    blocks.iter().fold((f64::NEG_INFINITY, 0.0), fall).1
}

/// Highest minus lowest.
pub(crate) fn span(blocks: &[Block]) -> f64 {
    let values = || blocks.iter().map(|block| block.value);
    let low = values().fold(f64::INFINITY, f64::min);
    let high = values().fold(f64::NEG_INFINITY, f64::max);
    if high >= low { high - low } else { 0.0 }
}

/// Another series' mean within each block; the last known one where it has no sample.
pub(crate) fn along(blocks: &[Block], outline: &Outline, origin: Timestamp) -> Vec<f64> {
    let others = self::blocks(outline, origin);
    let mut next = 0;
    let mean = |block: &Block| {
        while others.get(next + 1).is_some_and(|other| other.from <= block.from) {
            next += 1;
        }
        let meanwhile = others.get(next..).unwrap_or(&[]);
        let meanwhile = meanwhile.iter().take_while(|other| other.from <= block.to);
        let (sum, weight) = meanwhile.fold((0.0, 0.0), |(sum, weight), other| {
            let shared = (other.to.min(block.to) - other.from.max(block.from)).max(0.0);
            (sum + shared * other.mean, weight + shared)
        });
        let known = others.get(next).map_or(0.0, |other| other.mean);
        if weight > 0.0 { sum / weight } else { known }
    };
    blocks.iter().map(mean).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use plimsoll_model::Sample;

    fn outline(count: i64, value: impl Fn(i64) -> f64) -> Outline {
        let mut outline = Outline::default();
        let sample = |i| Sample { at: Timestamp::from_secs(i), value: value(i) };
        (0..count).map(sample).for_each(|sample| outline.trace(sample));
        outline
    }

    fn series(count: i64, value: impl Fn(i64) -> f64) -> Vec<Block> {
        blocks(&outline(count, value), Timestamp::default())
    }

    #[test]
    fn the_floor_of_a_sawtooth_is_flat_and_that_of_a_ramp_is_the_ramp() {
        let teeth = floor(&series(600, |i| 100.0 + (i % 40) as f64));
        assert!(span(&teeth) < 8.0, "{}", span(&teeth));
        let ramp = floor(&series(600, |i| i as f64));
        assert!(span(&ramp) > 580.0);
        assert_eq!(ramp.len(), 75, "300 blocks of two samples, four to a block");
    }

    #[test]
    fn a_companion_series_is_averaged_within_the_blocks() {
        let ramp = outline(768, |i| i as f64);
        let blocks = blocks(&ramp, Timestamp::default());
        let means = along(&blocks, &ramp, Timestamp::default());
        assert!(blocks.iter().zip(means).all(|(block, mean)| (mean - block.mean).abs() < 1e-3));
        let sparse = outline(8, |i| 100.0 * i as f64);
        let last = along(&blocks, &sparse, Timestamp::default());
        assert_eq!(last.last(), Some(&700.0), "the last known value where it has no sample");
    }
}
