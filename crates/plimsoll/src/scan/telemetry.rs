//! The samples of a scan, gathered in any order and handed out as one history for each service.
//!
//! Compact on purpose: a file of a million rows is gathered before it can be ordered. Knows
//! nothing of files or formats. Used by `scan`.

use std::collections::{BTreeMap, BTreeSet};

use plimsoll_model::{
    Change, InstanceName, Life, Metric, Reading, Series, SeriesLimit, ServiceHistory, ServiceName,
    Timestamp, Version,
};

/// Samples that are gathered at most: about 1 GiB. More is cut by service or by time first.
pub(crate) const SAMPLES_MAX: u64 = 20_000_000;

/// All samples by service and instance.
#[derive(Debug, Default)]
pub(crate) struct Telemetry {
    services: BTreeMap<ServiceName, BTreeMap<InstanceName, Vec<Row>>>,
    gathered: u64,
}

/// One sample without the names that its place in the maps says.
#[derive(Debug)]
struct Row {
    at: Timestamp,
    value: f64,
    version: Option<Version>,
    metric: Metric,
}

/// One service, ready to be assessed.
#[derive(Debug)]
pub(crate) struct Gathered {
    pub(crate) history: ServiceHistory,
    /// Metrics of instances, whichever version ran.
    pub(crate) series: u64,
    pub(crate) samples: u64,
}

impl Telemetry {
    /// Takes one sample; beyond [`SAMPLES_MAX`] it is counted only.
    pub(crate) fn add(&mut self, reading: Reading) {
        self.gathered += 1;
        if self.gathered > SAMPLES_MAX {
            return;
        }
        let Reading { at, service, version, instance, metric, value } = reading;
        let instances = self.services.entry(service).or_default();
        instances.entry(instance).or_default().push(Row { at, value, version, metric });
    }

    /// Samples that were offered.
    pub(crate) const fn gathered(&self) -> u64 {
        self.gathered
    }

    pub(crate) fn services(&self) -> usize {
        self.services.len()
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &ServiceName> {
        self.services.keys()
    }

    pub(crate) fn contains(&self, service: &ServiceName) -> bool {
        self.services.contains_key(service)
    }

    pub(crate) fn oldest(&self) -> Option<Timestamp> {
        self.moments().min()
    }

    pub(crate) fn newest(&self) -> Option<Timestamp> {
        self.moments().max()
    }

    pub(crate) fn count_after(&self, at: Timestamp) -> u64 {
        self.moments().filter(|moment| *moment > at).count() as u64
    }

    pub(crate) fn drop_after(&mut self, at: Timestamp) {
        for instances in self.services.values_mut() {
            instances.values_mut().for_each(|rows| rows.retain(|row| row.at <= at));
            instances.retain(|_, rows| !rows.is_empty());
        }
        self.services.retain(|_, instances| !instances.is_empty());
    }

    /// The history of each service, in order of name. Takes the samples apart service by service,
    /// so that a large file is not held twice.
    pub(crate) fn histories(
        self,
        mut changes: Vec<Change>,
        limit: SeriesLimit,
    ) -> impl Iterator<Item = Gathered> {
        changes.sort_by_key(|change| change.at);
        let mut by_service: BTreeMap<ServiceName, Vec<Change>> = BTreeMap::new();
        for change in changes {
            by_service.entry(change.service.clone()).or_default().push(change);
        }
        self.services.into_iter().map(move |(service, instances)| {
            let changes = by_service.remove(&service).unwrap_or_default();
            gather(service, instances, changes, limit)
        })
    }

    fn moments(&self) -> impl Iterator<Item = Timestamp> {
        let rows = self.services.values().flat_map(BTreeMap::values).flatten();
        rows.map(|row| row.at)
    }
}

fn gather(
    service: ServiceName,
    instances: BTreeMap<InstanceName, Vec<Row>>,
    changes: Vec<Change>,
    limit: SeriesLimit,
) -> Gathered {
    let mut history = ServiceHistory::new(service.clone());
    // Before the samples: a restart tells the life before it from the one after it.
    changes.into_iter().for_each(|change| history.change(change));
    let mut series = 0;
    // One instance at a time, so that its life is always the last one and found at once.
    for (instance, mut rows) in instances {
        rows.sort_by_key(|row| (row.at, row.metric.rank()));
        series += rows.iter().map(|row| row.metric).collect::<BTreeSet<_>>().len() as u64;
        for Row { at, value, version, metric } in rows {
            let (service, instance) = (service.clone(), instance.clone());
            let reading = Reading { at, service, version, instance, metric, value };
            history.record(&reading, limit);
        }
    }
    history.lives.sort_by_key(first_seen);
    let all = history.lives.iter().flat_map(|life| life.series.values());
    let samples = all.map(|series| series.outline().samples()).sum();
    Gathered { history, series, samples }
}

fn first_seen(life: &Life) -> Option<Timestamp> {
    let first = |series: &Series| series.outline().first().map(|sample| sample.at);
    life.series.values().filter_map(first).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(at: i64, instance: &str, version: &str, value: f64) -> Reading {
        Reading {
            at: Timestamp::from_secs(at),
            service: ServiceName::new("orders").unwrap(),
            version: Version::new(version).ok(),
            instance: InstanceName::new(instance).unwrap(),
            metric: Metric::ProcessMemoryRss,
            value,
        }
    }

    #[test]
    fn rows_in_any_order_become_the_lives_that_they_are_of() {
        let mut telemetry = Telemetry::default();
        for at in [4, 1, 3, 2, 3] {
            let version = if at < 3 { "1" } else { "2" };
            telemetry.add(reading(at, "b", version, at as f64));
            telemetry.add(reading(at + 10, "a", "2", 1.0));
        }
        let mut histories = telemetry.histories(Vec::new(), SeriesLimit::OUTLINES);
        let Gathered { history, series, samples } = histories.next().unwrap();
        assert!(histories.next().is_none());
        assert_eq!((series, samples), (2, 8), "a repeated row is one sample");
        let lives: Vec<_> = history.lives.iter().map(|life| life.instance.as_str()).collect();
        assert_eq!(lives, ["b", "b", "a"], "oldest first");
    }

    #[test]
    fn what_lies_behind_a_moment_can_be_dropped() {
        let mut telemetry = Telemetry::default();
        for at in [1, 2, 900] {
            telemetry.add(reading(at, "a", "1", 0.0));
        }
        assert_eq!(telemetry.count_after(Timestamp::from_secs(2)), 1);
        telemetry.drop_after(Timestamp::from_secs(2));
        assert_eq!(telemetry.newest(), Some(Timestamp::from_secs(2)));
        telemetry.drop_after(Timestamp::from_secs(0));
        assert_eq!(telemetry.services(), 0);
    }
}
