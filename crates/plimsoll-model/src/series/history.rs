//! The history of a service: the lives of its instances, and the changes made to it.
//!
//! A series belongs to one *life*: one run of one version in one instance. Lives are told apart by
//! version, start time and restart events, never by a drop of the value, because a cache that was
//! emptied and a process that was replaced look the same from their values alone.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use super::{Reading, Sample, Series, SeriesLimit, place};
use crate::change::Change;
use crate::ids::{InstanceName, ServiceName, Version};
use crate::metric::{Metric, Role, Unit};
use crate::signature::Observed;
use crate::time::Timestamp;

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

/// A process that runs holds memory: zero is how some collectors say that it is gone. Page cache and
/// what the kernel keeps for a container may be nothing while it runs.
fn is_gone(reading: &Reading) -> bool {
    let Reading { metric, value, .. } = reading;
    let memory = matches!(metric.role(), Role::Footprint | Role::LiveSet)
        && metric.unit() == Unit::Bytes
        && !matches!(metric, Metric::ContainerMemoryFile | Metric::ContainerMemoryKernel);
    memory && *value <= 0.0
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
}
