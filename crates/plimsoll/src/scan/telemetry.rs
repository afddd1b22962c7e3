//! The samples of a scan, gathered in any order and handed out as one history for each service.
//!
//! Compact on purpose: millions of rows are gathered before they can be ordered. Knows nothing of
//! files or formats. Used by `scan` and by `backtest`.

mod part;

use std::collections::{BTreeMap, HashMap};

use plimsoll_ingest::{Batch, Teller};
use plimsoll_model::{Change, InstanceName, Metric, Reading, ServiceName, Timestamp, Version};

pub(crate) use self::part::{Gathered, Part};

/// Samples that are gathered at most unless their number is known before: half a gigabyte, and
/// as much again while it grows.
pub(crate) const SAMPLES_MAX: u64 = 20_000_000;

/// All samples by service.
#[derive(Debug)]
pub(crate) struct Telemetry {
    places: HashMap<ServiceName, usize>,
    services: Vec<ServiceRows>,
    /// Rows of one service often come together.
    last: usize,
    gathered: u64,
    samples_max: u64,
}

/// The samples of one service, and the names that they share.
#[derive(Debug)]
struct ServiceRows {
    service: ServiceName,
    speakers: Vec<Speaker>,
    places: HashMap<Speaker, u32>,
    /// Who spoke last, and who spoke after each speaker the last time: replicas take turns.
    last: u32,
    after: Vec<u32>,
    rows: Vec<Row>,
}

/// Who told a sample: one version in one instance.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Speaker {
    instance: InstanceName,
    version: Option<Version>,
}

/// One sample without its names.
#[derive(Clone, Copy, Debug)]
struct Row {
    at: Timestamp,
    value: f64,
    speaker: u32,
    metric: Metric,
}

impl Default for Telemetry {
    fn default() -> Self {
        Self {
            places: HashMap::new(),
            services: Vec::new(),
            last: 0,
            gathered: 0,
            samples_max: SAMPLES_MAX,
        }
    }
}

impl Telemetry {
    /// Room for as many samples of each service, and for no other service.
    pub(crate) fn expecting<'a>(
        services: impl Iterator<Item = (&'a ServiceName, usize)>,
        samples_max: u64,
    ) -> Self {
        let mut telemetry = Self { samples_max, ..Self::default() };
        for (service, samples) in services {
            let place = telemetry.open(service.clone());
            if let Some(rows) = telemetry.services.get_mut(place) {
                rows.rows.reserve_exact(samples);
            }
        }
        telemetry
    }

    /// Takes one sample; beyond [`SAMPLES_MAX`] it is counted only.
    pub(crate) fn add(&mut self, reading: Reading) {
        self.gathered += 1;
        if self.gathered > self.samples_max {
            return;
        }
        let found = self.find(&reading.service);
        let place = found.unwrap_or_else(|| self.open(reading.service.clone()));
        self.put(place, reading);
    }

    /// Takes what some tellers told.
    pub(crate) fn take(&mut self, batch: &Batch, wanted: &mut dyn FnMut(&Teller) -> bool) {
        let places = batch.tellers().iter().map(|teller| {
            wanted(teller).then(|| {
                let found = self.find(&teller.service);
                let place = found.unwrap_or_else(|| self.open(teller.service.clone()));
                self.introduce(place, teller)
            })
        });
        let places: Vec<_> = places.collect();
        self.put_all(batch, &places, None);
    }

    /// Takes what tellers of services that are there already told up to a moment, and leaves others.
    pub(crate) fn take_expected(
        &mut self,
        batch: &Batch,
        until: Option<Timestamp>,
        wanted: &dyn Fn(&Teller) -> bool,
    ) {
        let places = batch.tellers().iter().map(|teller| {
            let place = self.find(&teller.service).filter(|_| wanted(teller))?;
            Some(self.introduce(place, teller))
        });
        let places: Vec<_> = places.collect();
        self.put_all(batch, &places, until);
    }

    /// Samples that were offered.
    pub(crate) const fn gathered(&self) -> u64 {
        self.gathered
    }

    pub(crate) fn services(&self) -> usize {
        self.services.len()
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &ServiceName> {
        self.services.iter().map(|rows| &rows.service)
    }

    /// Every service with who told its samples, and when.
    pub(crate) fn told_by_service(
        &self,
    ) -> impl Iterator<Item = (&ServiceName, impl Iterator<Item = (&InstanceName, Timestamp)>)>
    {
        self.services.iter().map(|rows| (&rows.service, rows.told()))
    }

    pub(crate) fn has_one_instance(&self, service: &ServiceName) -> bool {
        let rows = self.find(service).and_then(|place| self.services.get(place));
        let mut speakers = rows.map(|rows| rows.speakers.as_slice()).unwrap_or_default().iter();
        let first = speakers.next();
        first.is_some_and(|first| speakers.all(|other| other.instance == first.instance))
    }

    pub(crate) fn contains(&self, service: &ServiceName) -> bool {
        self.places.contains_key(service)
    }

    pub(crate) fn newest(&self) -> Option<Timestamp> {
        self.moments().max()
    }

    pub(crate) fn count_after(&self, at: Timestamp) -> u64 {
        self.moments().filter(|moment| *moment > at).count() as u64
    }

    /// Drops later samples, and services that have no other.
    pub(crate) fn drop_after(&mut self, at: Timestamp) {
        for service in &mut self.services {
            service.rows.retain(|row| row.at <= at);
        }
        self.services.retain(|service| !service.rows.is_empty());
        let names = self.services.iter().enumerate();
        self.places = names.map(|(place, rows)| (rows.service.clone(), place)).collect();
    }

    /// Each service in order of name, as raw as it was gathered, so that a large file is never held
    /// twice.
    pub(crate) fn parts(mut self, changes: &BTreeMap<ServiceName, Vec<Change>>) -> Vec<Part> {
        self.services.sort_by(|one, other| one.service.cmp(&other.service));
        let part = |rows: ServiceRows| {
            let changes = changes.get(&rows.service).cloned().unwrap_or_default();
            Part { rows, changes }
        };
        self.services.into_iter().map(part).collect()
    }

    fn find(&self, service: &ServiceName) -> Option<usize> {
        let is_last = |rows: &ServiceRows| rows.service == *service;
        if self.services.get(self.last).is_some_and(is_last) {
            return Some(self.last);
        }
        self.places.get(service).copied()
    }

    fn put(&mut self, place: usize, reading: Reading) {
        self.last = place;
        if let Some(rows) = self.services.get_mut(place) {
            rows.add(reading);
        }
    }

    /// Where a teller's samples go: to a speaker of a service.
    fn introduce(&mut self, place: usize, teller: &Teller) -> (usize, u32) {
        self.last = place;
        let Teller { version, instance, .. } = teller;
        let speaker = Speaker { instance: instance.clone(), version: version.clone() };
        let speaker = self.services.get_mut(place).map(|rows| rows.speaker(speaker));
        (place, speaker.unwrap_or_default())
    }

    /// Puts each sample where its teller's go, if they go anywhere.
    fn put_all(
        &mut self,
        batch: &Batch,
        places: &[Option<(usize, u32)>],
        until: Option<Timestamp>,
    ) {
        for (teller, run) in batch.runs() {
            let Some((place, speaker)) = places.get(teller).copied().flatten() else { continue };
            let Some(rows) = self.services.get_mut(place) else { continue };
            for told in run.iter().filter(|told| until.is_none_or(|until| told.at <= until)) {
                self.gathered += 1;
                if self.gathered <= self.samples_max {
                    let (at, value, metric) = (told.at, told.value, told.metric);
                    rows.rows.push(Row { at, value, speaker, metric });
                }
            }
        }
    }

    fn open(&mut self, service: ServiceName) -> usize {
        let place = self.services.len();
        self.places.insert(service.clone(), place);
        self.services.push(ServiceRows::new(service));
        place
    }

    fn moments(&self) -> impl Iterator<Item = Timestamp> {
        self.services.iter().flat_map(|service| &service.rows).map(|row| row.at)
    }
}

/// Changes by the service that they are of, in order of time.
pub(crate) fn by_service(mut changes: Vec<Change>) -> BTreeMap<ServiceName, Vec<Change>> {
    changes.sort_by_key(|change| change.at);
    let mut by_service: BTreeMap<ServiceName, Vec<Change>> = BTreeMap::new();
    for change in changes {
        by_service.entry(change.service.clone()).or_default().push(change);
    }
    by_service
}

impl ServiceRows {
    fn new(service: ServiceName) -> Self {
        Self {
            service,
            speakers: Vec::new(),
            places: HashMap::new(),
            last: 0,
            after: Vec::new(),
            rows: Vec::new(),
        }
    }

    fn add(&mut self, reading: Reading) {
        let Reading { at, service: _, version, instance, metric, value } = reading;
        let speaker = self.speaker(Speaker { instance, version });
        self.rows.push(Row { at, value, speaker, metric });
    }

    fn told(&self) -> impl Iterator<Item = (&InstanceName, Timestamp)> {
        self.rows.iter().filter_map(|row| {
            let speaker = self.speakers.get(row.speaker as usize)?;
            Some((&speaker.instance, row.at))
        })
    }

    fn speaker(&mut self, speaker: Speaker) -> u32 {
        let is = |place: u32| self.speakers.get(place as usize) == Some(&speaker);
        if is(self.last) {
            return self.last;
        }
        let next = self.after.get(self.last as usize).copied().unwrap_or_default();
        let found = if is(next) { Some(next) } else { self.places.get(&speaker).copied() };
        let place = found.unwrap_or_else(|| self.introduce(speaker));
        if let Some(after) = self.after.get_mut(self.last as usize) {
            *after = place;
        }
        self.last = place;
        place
    }

    /// There are no more speakers than rows, and those fit.
    fn introduce(&mut self, speaker: Speaker) -> u32 {
        let place = u32::try_from(self.speakers.len()).unwrap_or(u32::MAX);
        self.places.insert(speaker.clone(), place);
        self.speakers.push(speaker);
        self.after.push(0);
        place
    }

    /// Numbers speakers by their names, so that nothing depends on who spoke first, and returns
    /// how many rows each instance has, in order of name.
    fn sort_speakers(&mut self) -> Vec<usize> {
        let mut order: Vec<u32> = (0..).take(self.speakers.len()).collect();
        order.sort_unstable_by_key(|place| self.speakers.get(*place as usize));
        let mut now_at = vec![0; order.len()];
        for (place, was) in (0..).zip(&order) {
            if let Some(now) = now_at.get_mut(*was as usize) {
                *now = place;
            }
        }
        self.speakers.sort_unstable();
        let mut counts = vec![0; self.speakers.len()];
        for row in &mut self.rows {
            row.speaker = now_at.get(row.speaker as usize).copied().unwrap_or_default();
            if let Some(count) = counts.get_mut(row.speaker as usize) {
                *count += 1;
            }
        }
        let same = self.speakers.chunk_by(|one, other| one.instance == other.instance);
        let mut counts = counts.iter();
        same.map(|speakers| counts.by_ref().take(speakers.len()).sum()).collect()
    }
}

#[cfg(test)]
mod tests;
