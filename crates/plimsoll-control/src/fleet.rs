//! The histories of all services, within their bounds.

use std::collections::BTreeMap;

use plimsoll_model::{
    Change, ChangeKind, InstanceName, Level, Life, Metric, Reading, Sample, SeriesLimit,
    ServiceHistory, ServiceName, Span, Timestamp, Version,
};

/// Changes kept of one service: a year of daily deploys.
const CHANGES_MAX: usize = 400;

/// A service that was not heard of for so long may be forgotten when there are too many: longer than
/// any restart, shorter than a day of churning names.
const SILENT: Span = Span::from_hours(1);

#[derive(Debug)]
pub(crate) struct Fleet {
    histories: BTreeMap<ServiceName, ServiceHistory>,
    limit: SeriesLimit,
    services_max: usize,
    pub(crate) refused: u64,
    /// When a full fleet may have room again, at the earliest.
    room_from: Timestamp,
}

impl Fleet {
    pub(crate) const fn new(limit: SeriesLimit, services_max: usize) -> Self {
        Self {
            histories: BTreeMap::new(),
            limit,
            services_max,
            refused: 0,
            room_from: Timestamp::from_millis(i64::MIN),
        }
    }

    /// Adds a reading to its service. What is measured of a whole machine makes no service, but
    /// where an instance tells it of the machine that it runs on, it says what that can give.
    pub(crate) fn record(&mut self, reading: &Reading) {
        if reading.metric.level() == Level::Node && !self.runs(&reading.service, &reading.instance)
        {
            return;
        }
        let limit = self.limit;
        match self.open(&reading.service, reading.at) {
            Some(history) => history.record(reading, limit),
            None => self.refused += 1,
        }
    }

    /// Takes up a history as an earlier run left it. Whoever calls it has no more of them than there
    /// are places.
    pub(crate) fn restore(&mut self, mut history: ServiceHistory) {
        if self.histories.len() >= self.services_max {
            return;
        }
        forget_changes(&mut history.changes);
        history.forget_lives(self.limit);
        self.histories.insert(history.service.clone(), history);
    }

    pub(crate) fn remember(&mut self, reading: &Reading) {
        if let Some(history) = self.histories.get_mut(&reading.service) {
            history.remember(reading, self.limit);
        }
    }

    pub(crate) fn change(&mut self, change: Change) {
        let limit = self.limit;
        match self.open(&change.service, change.at) {
            Some(history) => {
                history.change(change);
                history.forget_lives(limit);
                forget_changes(&mut history.changes);
            }
            None => self.refused += 1,
        }
    }

    pub(crate) fn history(&self, service: &ServiceName) -> Option<&ServiceHistory> {
        self.histories.get(service)
    }

    pub(crate) fn histories(&self) -> impl Iterator<Item = &ServiceHistory> {
        self.histories.values()
    }

    fn runs(&self, service: &ServiceName, instance: &InstanceName) -> bool {
        let history = self.histories.get(service);
        history.is_some_and(|history| current_life(history, instance).is_some())
    }

    fn open(&mut self, service: &ServiceName, at: Timestamp) -> Option<&mut ServiceHistory> {
        if !self.histories.contains_key(service) {
            if self.histories.len() >= self.services_max && !self.make_room(at) {
                return None;
            }
            self.histories.insert(service.clone(), ServiceHistory::new(service.clone()));
        }
        self.histories.get_mut(service)
    }

    /// Forgets the service that has been silent for longest, if that is long enough: names that come
    /// and go, as those of build jobs do, must not keep out the ones that stay.
    fn make_room(&mut self, now: Timestamp) -> bool {
        if now < self.room_from {
            return false;
        }
        let heard = |history: &ServiceHistory| {
            let told = history.changes.last().map(|change| change.at);
            history.last_seen().max(told).unwrap_or_default()
        };
        let longest = self.histories.values().min_by_key(|history| heard(history));
        // Nobody can have been silent for long enough before that, so nobody is asked.
        self.room_from = longest.map_or(now, |history| heard(history) + SILENT);
        let silent = longest.filter(|history| now.since(heard(history)) > SILENT);
        let Some(service) = silent.map(|history| history.service.clone()) else { return false };
        self.histories.remove(&service).is_some()
    }
}

/// The present life of an instance.
pub(crate) fn current_life<'a>(
    history: &'a ServiceHistory,
    instance: &InstanceName,
) -> Option<&'a Life> {
    history.lives.iter().rev().find(|life| life.instance == *instance)
}

/// Forgets what a full history can do without: the oldest lines of logs, of which there may be many,
/// then the oldest of all. One by one or all at once, the same ones stay.
fn forget_changes(changes: &mut Vec<Change>) {
    let mut excess = changes.len().saturating_sub(CHANGES_MAX);
    if excess == 0 {
        return;
    }
    changes.retain(|change| {
        let goes = excess > 0 && change.kind == ChangeKind::Log;
        excess -= usize::from(goes);
        !goes
    });
    changes.drain(..excess);
}

/// The samples of one metric of a life from a moment on.
pub(crate) fn samples_from(life: &Life, metric: Metric, from: Timestamp) -> &[Sample] {
    let series = life.series(metric);
    series.map_or(&[], |series| series.between(from, Timestamp::from_millis(i64::MAX)))
}

/// What the instances ran before `version` came: the newest other version among lives that began
/// before the first life of it.
pub(crate) fn version_before<'a>(
    history: &'a ServiceHistory,
    version: &Version,
) -> Option<&'a Version> {
    let ran = |life: &Life| life.version.as_ref() == Some(version);
    let first = history.lives.iter().filter(|life| ran(life)).map(|life| life.started_at).min()?;
    let earlier = history.lives.iter().filter(|life| !ran(life) && life.started_at < first);
    earlier.max_by_key(|life| life.last_seen()).and_then(|life| life.version.as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_restored_history_keeps_the_changes_that_one_which_was_told_of_them_keeps() {
        let service = ServiceName::new("orders").unwrap();
        let change = |(at, kind)| Change {
            at: Timestamp::from_secs(at),
            kind,
            service: service.clone(),
            instance: None,
            version: None,
            attributes: BTreeMap::new(),
        };
        let deploys = (0..300).map(|at| (at * 10, ChangeKind::Deploy));
        let lines = (0..300).map(|at| (at * 10 + 5, ChangeKind::Log));
        let mut changes: Vec<_> = deploys.chain(lines).map(change).collect();
        changes.sort_by_key(|change| change.at);
        let mut told = Fleet::new(SeriesLimit::NONE, 1);
        changes.iter().for_each(|one| told.change(one.clone()));
        let mut restored = Fleet::new(SeriesLimit::NONE, 1);
        restored.restore(ServiceHistory { service: service.clone(), lives: vec![], changes });
        let (told, restored) = (told.history(&service), restored.history(&service));
        assert_eq!(told, restored);
        let deploys = |change: &&Change| change.kind == ChangeKind::Deploy;
        assert_eq!(told.unwrap().changes.iter().filter(deploys).count(), 300);
    }
}
