//! What was measured: single readings, series, and the history of a service's instances.
//!
//! A series belongs to one *life*: one run of one version in one instance. Lives are told apart by
//! version, start time and restart events, never by a drop of the value, because a cache that was
//! emptied and a process that was replaced look the same from their values alone.

mod outline;
mod place;

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;

use crate::change::Change;
use crate::ids::{InstanceName, ServiceName, Version};
use crate::metric::{Metric, Role, Unit};
use crate::signature::Observed;
use crate::time::Timestamp;

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

/// A process that runs holds memory: zero is how some collectors say that it is gone. Page cache and
/// what the kernel keeps for a container may be nothing while it runs.
fn is_gone(reading: &Reading) -> bool {
    let Reading { metric, value, .. } = reading;
    let memory = matches!(metric.role(), Role::Footprint | Role::LiveSet)
        && metric.unit() == Unit::Bytes
        && !matches!(metric, Metric::ContainerMemoryFile | Metric::ContainerMemoryKernel);
    memory && *value <= 0.0
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

/// One run of one version in one instance.
#[derive(Clone, Debug, PartialEq)]
pub struct Life {
    pub instance: InstanceName,
    pub version: Option<Version>,
    /// The start of the process where it is known, else the first reading.
    pub started_at: Timestamp,
    /// True when the beginning was seen: a start time, a restart, or a change of version. Uptime
    /// is only meaningful then.
    pub start_known: bool,
    pub series: BTreeMap<Metric, Series>,
}

impl Life {
    pub fn series(&self, metric: Metric) -> Option<&Series> {
        self.series.get(&metric)
    }

    /// The newest value of a metric; what limits and other slow gauges are asked for.
    pub fn latest(&self, metric: Metric) -> Option<f64> {
        self.series(metric).and_then(Series::last).map(|sample| sample.value)
    }

    pub fn last_seen(&self) -> Timestamp {
        let ends = self.series.values().filter_map(Series::last).map(|sample| sample.at);
        ends.max().unwrap_or(self.started_at)
    }
}

/// All that is known of one service: its lives, oldest first, and the changes made to it.
#[derive(Clone, Debug, PartialEq)]
pub struct ServiceHistory {
    pub service: ServiceName,
    pub lives: Vec<Life>,
    /// In order of time.
    pub changes: Vec<Change>,
}

impl ServiceHistory {
    pub fn new(service: ServiceName) -> Self {
        Self { service, lives: Vec::new(), changes: Vec::new() }
    }

    /// The history of readings at rest, in whatever order they come.
    pub fn at_rest(
        service: ServiceName,
        mut readings: Vec<Reading>,
        changes: Vec<Change>,
        limit: SeriesLimit,
    ) -> Self {
        let mut history = Self::new(service);
        // Before the readings: a restart tells the life before it from the one after it.
        changes.into_iter().for_each(|change| history.change(change));
        // Of repeats the lowest comes last: it is what stays.
        readings.sort_by(|a, b| {
            let place = |reading: &Reading| (reading.at, reading.metric.rank());
            place(a).cmp(&place(b)).then(b.value.total_cmp(&a.value))
        });
        readings.iter().for_each(|reading| history.record(reading, limit));
        history
    }

    /// Adds a reading to the life that it belongs to, opening a new one where the version or the
    /// start time says that the instance began again. One that arrives late, from before the
    /// newest life, goes to its place in the past and never ends what runs now. Readings of one
    /// moment should come in the order of [`Metric::rank`].
    pub fn record(&mut self, reading: &Reading, limit: SeriesLimit) {
        let Some(index) = place::life_for(self, reading, limit) else { return };
        let Some(life) = self.lives.get_mut(index) else { return };
        let sample = Sample { at: reading.at, value: reading.value };
        let series = life.series.entry(reading.metric).or_default();
        if is_gone(reading) {
            series.keep(sample, limit.samples);
        } else {
            series.insert(sample, limit.samples);
        }
    }

    /// Puts a reading that was recorded before among the samples of its life, and nowhere else: its
    /// outline has it already. For a history that was restored from its outlines.
    pub fn remember(&mut self, reading: &Reading, limit: SeriesLimit) {
        let Reading { at, version, instance, metric, value, .. } = reading;
        let same_version = |life: &Life| version.is_none() || life.version == *version;
        let ran_then = |life: &&mut Life| {
            life.instance == *instance && life.started_at <= *at && same_version(life)
        };
        if let Some(life) = self.lives.iter_mut().rev().find(ran_then)
            && let Some(series) = life.series.get_mut(metric)
        {
            series.remember(Sample { at: *at, value: *value }, limit.samples);
        }
    }

    /// Adds a change; the same change twice is one. A restart of an instance ends its current life:
    /// the next reading opens a new one, and where readings of the new one came first, they move
    /// to it.
    pub fn change(&mut self, change: Change) {
        place::split(self, &change);
        self.know(change);
    }

    /// Adds a change whose effect the lives show already.
    pub fn know(&mut self, change: Change) {
        if let Err(place) = self.changes.binary_search_by(|other| in_order(other, &change)) {
            self.changes.insert(place, change);
        }
    }

    /// Forgets the lives that are too many.
    pub fn forget_lives(&mut self, limit: SeriesLimit) {
        while self.lives.len() > limit.lives.get() {
            self.lives.remove(place::least_missed(&self.lives));
        }
    }

    /// The current life of every instance: the newest one of each name.
    pub fn current(&self) -> impl Iterator<Item = &Life> {
        let mut seen = BTreeSet::new();
        let newest = self.lives.iter().rev().filter(|life| seen.insert(&life.instance));
        let mut current: Vec<_> = newest.collect();
        current.reverse();
        current.into_iter()
    }

    /// The signatures that were seen, oldest first. They stand among the changes, under whose bound
    /// they are.
    pub fn observed(&self) -> impl Iterator<Item = Observed<'_>> {
        self.changes.iter().filter_map(Observed::of)
    }

    pub fn last_seen(&self) -> Option<Timestamp> {
        self.lives.iter().map(Life::last_seen).max()
    }
}

/// Changes of one moment have an order too, so that it does not matter in which they came.
fn in_order(one: &Change, other: &Change) -> Ordering {
    let place = |change: &Change| (change.at, change.kind);
    let names = (&one.instance, &one.version, &one.attributes);
    let others = (&other.instance, &other.version, &other.attributes);
    place(one).cmp(&place(other)).then(names.cmp(&others))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::change::ChangeKind;

    fn reading(at: i64, version: &str, metric: Metric, value: f64) -> Reading {
        Reading {
            at: Timestamp::from_secs(at),
            service: ServiceName::new("orders").unwrap(),
            version: Version::new(version).ok(),
            instance: InstanceName::new("orders-0").unwrap(),
            metric,
            value,
        }
    }

    fn history(readings: &[Reading], changes: &[Change]) -> ServiceHistory {
        let mut history = ServiceHistory::new(ServiceName::new("orders").unwrap());
        changes.iter().for_each(|change| history.change(change.clone()));
        readings.iter().for_each(|reading| history.record(reading, SeriesLimit::NONE));
        history
    }

    #[test]
    fn another_version_is_another_life() {
        let rss = Metric::ProcessMemoryRss;
        let history = history(&[reading(0, "1.0", rss, 5.0), reading(1, "1.1", rss, 2.0)], &[]);
        assert_eq!(history.lives.len(), 2);
        assert!(history.lives[1].start_known);
        assert_eq!(history.current().count(), 1);
    }

    #[test]
    fn another_start_time_is_another_life_and_rounding_is_not() {
        let start = Metric::ProcessStartTime;
        let same = [reading(10, "1", start, 9.0), reading(20, "1", start, 8.99)];
        assert_eq!(history(&same, &[]).lives.len(), 1);
        let other = [reading(10, "1", start, 9.0), reading(20, "1", start, 15.0)];
        let history = history(&other, &[]);
        assert_eq!(history.lives[1].started_at, Timestamp::from_secs(15));
    }

    #[test]
    fn a_restart_event_ends_a_life_and_a_drop_of_the_value_does_not() {
        let rss = Metric::ProcessMemoryRss;
        let rows = [reading(0, "1", rss, 900.0), reading(10, "1", rss, 1.0)];
        assert_eq!(history(&rows, &[]).lives.len(), 1);
        let restart = Change {
            at: Timestamp::from_secs(5),
            kind: ChangeKind::Restart,
            service: ServiceName::new("orders").unwrap(),
            instance: InstanceName::new("orders-0").ok(),
            version: None,
            attributes: BTreeMap::new(),
        };
        assert_eq!(history(&rows, &[restart]).lives.len(), 2);
    }

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
