//! What was measured: single readings, and series of them.
//!
//! Not here: whose they are (`history`), or what of them verdicts read (`outline`).

mod history;
mod outline;
mod place;

use std::num::NonZeroUsize;

use crate::ids::{InstanceName, ServiceName, Version};
use crate::metric::Metric;
use crate::time::Timestamp;

pub use history::{Life, ServiceHistory};
pub use outline::{Drawn, Outline, OutlineCell, OutlineParts, Stretch};

/// One measured value with everything needed to place it.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    pub at: Timestamp,
    pub service: ServiceName,
    pub version: Option<Version>,
    pub instance: InstanceName,
    pub metric: Metric,
    /// Finite: whoever takes readings from outside refuses the rest, and counts it.
    pub value: f64,
}

/// One value of a series.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sample {
    pub at: Timestamp,
    pub value: f64,
}

/// How many samples a series, and how many lives a service, may hold.
#[derive(Clone, Copy, Debug)]
pub struct SeriesLimit {
    /// Beyond it the older half is thinned, keeping the lower of each pair; at 1 only the newest is
    /// kept.
    pub samples: NonZeroUsize,
    /// Oldest lives are forgotten first.
    pub lives: NonZeroUsize,
}

impl SeriesLimit {
    /// For data at rest: nothing is thinned or forgotten.
    pub const NONE: Self = Self { samples: NonZeroUsize::MAX, lives: NonZeroUsize::MAX };
    /// Outlines alone, of any number of lives: all that an assessment needs.
    pub const OUTLINES: Self = Self { samples: NonZeroUsize::MIN, lives: NonZeroUsize::MAX };
}

/// Samples in strictly increasing order of time, and the outline of all that there ever were.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Series {
    samples: Vec<Sample>,
    outline: Outline,
}

impl Series {
    /// Sorts, and keeps the last of several samples with the same time.
    pub fn from_unsorted(mut samples: Vec<Sample>) -> Self {
        samples.sort_by_key(|sample| sample.at);
        samples.reverse();
        samples.dedup_by_key(|sample| sample.at);
        samples.reverse();
        let mut outline = Outline::default();
        samples.iter().for_each(|sample| outline.trace(*sample));
        Self { samples, outline }
    }

    /// As it was written down: its outline, and its newest sample, which need not be part of it.
    pub fn restored(outline: Outline, newest: Option<Sample>) -> Self {
        Self { samples: newest.into_iter().collect(), outline }
    }

    pub const fn outline(&self) -> &Outline {
        &self.outline
    }

    pub fn samples(&self) -> &[Sample] {
        &self.samples
    }

    pub fn last(&self) -> Option<Sample> {
        self.samples.last().copied()
    }

    /// The samples with `from <= at < to`.
    pub fn between(&self, from: Timestamp, to: Timestamp) -> &[Sample] {
        let start = self.samples.partition_point(|sample| sample.at < from);
        let end = self.samples.partition_point(|sample| sample.at < to);
        self.samples.get(start..end).unwrap_or(&[])
    }

    /// Puts a sample at its place in time; one with the same time is replaced. Late samples cost
    /// a move of everything after them, so they should be rare.
    pub fn insert(&mut self, sample: Sample, samples_max: NonZeroUsize) {
        self.outline.trace(sample);
        self.keep(sample, samples_max);
    }

    /// Keeps a sample that is not part of the outline.
    fn keep(&mut self, sample: Sample, samples_max: NonZeroUsize) {
        if samples_max == NonZeroUsize::MIN {
            self.keep_newest(sample);
            return;
        }
        if self.samples.last().is_none_or(|last| last.at < sample.at) {
            self.samples.push(sample);
        } else {
            self.insert_late(sample);
        }
        if self.samples.len() > samples_max.get().max(2) {
            self.thin();
        }
    }

    /// Gives back a sample that was taken in before.
    fn remember(&mut self, sample: Sample, samples_max: NonZeroUsize) {
        if self.last().is_some_and(|newest| sample.at < newest.at) {
            self.keep(sample, samples_max);
        }
    }

    /// Cuts off what was measured from a moment on.
    fn split_off(&mut self, at: Timestamp) -> Self {
        let place = self.samples.partition_point(|sample| sample.at < at);
        let (samples, outline) = (self.samples.split_off(place), self.outline.split_off(at));
        let mut later = Self { samples, outline };
        for series in [self, &mut later] {
            // Thinned, or restored without them: the newest one is always there.
            if series.samples.is_empty() {
                series.samples.extend(series.outline.last());
            }
        }
        later
    }

    fn keep_newest(&mut self, sample: Sample) {
        match self.samples.first_mut() {
            Some(newest) if newest.at <= sample.at => *newest = sample,
            Some(_) => {}
            None => self.samples = vec![sample],
        }
    }

    fn insert_late(&mut self, sample: Sample) {
        let place = self.samples.partition_point(|other| other.at < sample.at);
        match self.samples.get_mut(place) {
            Some(same) if same.at == sample.at => *same = sample,
            Some(_) | None => self.samples.insert(place, sample),
        }
    }

    /// Halves the older half, keeping the lower sample of each pair: the lower envelope is what
    /// tells a leak from its garbage, so it is what must survive.
    fn thin(&mut self) {
        let half = self.samples.len() / 2;
        let kept = self.samples.split_off(half);
        let lower = |pair: &[Sample]| {
            pair.iter().copied().min_by(|a, b| a.value.total_cmp(&b.value)).into_iter()
        };
        self.samples = self.samples.chunks(2).flat_map(lower).collect();
        self.samples.extend(kept);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_series_thins_its_past_and_keeps_the_envelope() {
        let mut series = Series::default();
        let samples_max = NonZeroUsize::new(64).unwrap();
        for secs in 0..10_000 {
            let value = if secs % 2 == 0 { 10.0 } else { 90.0 };
            series.insert(Sample { at: Timestamp::from_secs(secs), value }, samples_max);
        }
        assert!(series.samples().len() <= 64);
        let oldest = series.samples()[0];
        assert!(oldest.value < 11.0, "the lower of each pair is kept");
        assert_eq!(series.last().unwrap().at, Timestamp::from_secs(9999));
    }

    #[test]
    fn unsorted_and_repeated_samples_become_one_ordered_series() {
        let sample = |at, value| Sample { at: Timestamp::from_secs(at), value };
        let series = Series::from_unsorted(vec![sample(3, 1.0), sample(1, 1.0), sample(3, 2.0)]);
        assert_eq!(series.samples(), [sample(1, 1.0), sample(3, 2.0)]);
        assert_eq!(series.between(Timestamp::from_secs(1), Timestamp::from_secs(3)).len(), 1);
    }
}
