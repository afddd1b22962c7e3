//! The lower envelope: what a series never fell below, in blocks that count samples.
//!
//! Blocks count samples, not seconds, so ten minutes measured every second and ten days measured
//! every five minutes are the same picture. Not here: what the picture means.

use plimsoll_model::{Sample, Timestamp};

/// Finest blocks of one series. More would not change a verdict, and the work per series is
/// bounded by it.
const FINEST: usize = 384;

/// Envelopes from fine to coarse, in blocks. Twelve is the fewest that can show a course.
const PYRAMID: [usize; 4] = [96, 48, 24, 12];

/// An envelope that falls back by more than this share of its span still shows teeth.
const TEETH: f64 = 0.2;

/// The lowest value of a block, when it was, and what time the block covers. Hours since the
/// origin of the assessment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Block {
    pub(crate) at: f64,
    pub(crate) value: f64,
    pub(crate) from: f64,
    pub(crate) to: f64,
    pub(crate) samples: usize,
}

pub(crate) fn hours(at: Timestamp, origin: Timestamp) -> f64 {
    at.since(origin).as_hours_f64()
}

/// A series as at most [`FINEST`] blocks.
pub(crate) fn blocks(samples: &[Sample], origin: Timestamp) -> Vec<Block> {
    let size = samples.len().div_ceil(FINEST).max(1);
    let block = |chunk: &[Sample]| {
        let lowest = chunk.iter().min_by(|a, b| a.value.total_cmp(&b.value))?;
        Some(Block {
            at: hours(lowest.at, origin),
            value: lowest.value,
            from: hours(chunk.first()?.at, origin),
            to: hours(chunk.last()?.at, origin),
            samples: chunk.len(),
        })
    };
    samples.chunks(size).filter_map(block).collect()
}

/// The same picture with about `count` blocks.
pub(crate) fn coarser(blocks: &[Block], count: usize) -> Vec<Block> {
    let size = blocks.len().div_ceil(count).max(1);
    let merge = |chunk: &[Block]| {
        let lowest = chunk.iter().min_by(|a, b| a.value.total_cmp(&b.value))?;
        Some(Block {
            from: chunk.first()?.from,
            to: chunk.last()?.to,
            samples: chunk.iter().map(|block| block.samples).sum(),
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
pub(crate) fn along(blocks: &[Block], samples: &[Sample], origin: Timestamp) -> Vec<f64> {
    let mut rest = samples;
    let mut last = samples.first().map_or(0.0, |sample| sample.value);
    let mean = |block: &Block| {
        let end = rest.partition_point(|sample| hours(sample.at, origin) <= block.to);
        let (inside, after) = rest.split_at(end);
        let start = inside.partition_point(|sample| hours(sample.at, origin) < block.from);
        let inside = inside.get(start..).unwrap_or(&[]);
        if !inside.is_empty() {
            last = inside.iter().map(|sample| sample.value).sum::<f64>() / inside.len() as f64;
        }
        rest = after;
        last
    };
    blocks.iter().map(mean).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(count: i64, value: impl Fn(i64) -> f64) -> Vec<Block> {
        let sample = |i| Sample { at: Timestamp::from_secs(i), value: value(i) };
        let samples: Vec<_> = (0..count).map(sample).collect();
        blocks(&samples, Timestamp::default())
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
    fn work_is_bounded_however_long_the_series() {
        assert!(series(1_000_000, |i| i as f64).len() <= FINEST);
    }

    #[test]
    fn a_companion_series_is_averaged_within_the_blocks() {
        let samples: Vec<_> =
            (0..768).map(|i| Sample { at: Timestamp::from_secs(i), value: i as f64 }).collect();
        let blocks = blocks(&samples, Timestamp::default());
        let means = along(&blocks, &samples, Timestamp::default());
        assert!((means[0] - 0.5).abs() < 1e-9 && (means[383] - 766.5).abs() < 1e-9);
    }
}
