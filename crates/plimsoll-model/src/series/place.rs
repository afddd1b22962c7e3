//! Where a reading belongs: which life of its instance, an old one or a new one.
//!
//! Not here: what a life holds. Used by [`ServiceHistory::record`] for every reading, so the common
//! case, one that belongs to the newest life of its instance, costs one look at that life.

use std::collections::BTreeMap;

use super::{Life, Reading, SeriesLimit, ServiceHistory};
use crate::change::{Change, ChangeKind};
use crate::metric::Metric;
use crate::time::{Span, Timestamp};

/// Two start times closer than this are one: the kernel counts in ticks of 10 ms, and exporters
/// round to seconds.
const START_TOLERANCE_SECS: f64 = 1.5;

/// The life that takes the reading, made where there was none. None for a late reading that would
/// become the oldest life of a history that is full: it is what would be forgotten first.
pub(super) fn life_for(
    history: &mut ServiceHistory,
    reading: &Reading,
    limit: SeriesLimit,
) -> Option<usize> {
    let newest = history.lives.iter().rposition(|life| life.instance == reading.instance);
    let Some(newest) = newest else { return open(history, None, reading, limit) };
    let life = history.lives.get_mut(newest)?;
    if reading.at < life.started_at {
        return late(history, newest, reading, limit);
    }
    if !begins_again(life, &history.changes, reading) {
        adopt(life, reading);
        return Some(newest);
    }
    open(history, None, reading, limit)
}

/// A reading from before the newest life: of the life that ran then, of the beginning of the one
/// that came next, or of one that nobody has told of yet.
fn late(
    history: &mut ServiceHistory,
    newest: usize,
    reading: &Reading,
    limit: SeriesLimit,
) -> Option<usize> {
    let same = |life: &Life| life.instance == reading.instance;
    let before = |life: &Life| same(life) && life.started_at <= reading.at;
    let ran_then = history.lives.iter().rposition(before);
    if let Some(index) = ran_then
        && let Some(life) = history.lives.get_mut(index)
        && !begins_again(life, &history.changes, reading)
    {
        adopt(life, reading);
        return Some(index);
    }
    let after = |life: &Life| same(life) && life.started_at > reading.at;
    let next = history.lives.iter().position(after).unwrap_or(newest);
    if let Some(life) = history.lives.get_mut(next)
        && may_have_begun_earlier(life, reading)
    {
        life.started_at = life.started_at.min(reading.at);
        adopt(life, reading);
        return Some(next);
    }
    open(history, Some(next), reading, limit)
}

/// Makes a life for the reading: at the end, or in the past before the life at an index.
fn open(
    history: &mut ServiceHistory,
    before: Option<usize>,
    reading: &Reading,
    limit: SeriesLimit,
) -> Option<usize> {
    let mut index = before.unwrap_or(history.lives.len());
    if history.lives.len() >= limit.lives.get() {
        let victim = forgettable(&history.lives, reading.at)?;
        if before == Some(victim) && victim == 0 {
            return None;
        }
        history.lives.remove(victim);
        index -= usize::from(victim < index);
    }
    let earlier = history.lives.get(..index).unwrap_or_default();
    let replaces_another = earlier.iter().any(|life| life.instance == reading.instance);
    history.lives.insert(index, first_life(reading, replaces_another));
    Some(index)
}

/// The life that a full history can do without: the oldest one that another has replaced, else the
/// one that was silent for longest, if that is long. Replicas that report are never pushed out by
/// names that keep coming; those are turned away.
fn forgettable(lives: &[Life], now: Timestamp) -> Option<usize> {
    let replaced = |index: usize, life: &Life| {
        lives.iter().skip(index + 1).any(|later| later.instance == life.instance)
    };
    let oldest_replaced = lives.iter().enumerate().position(|(i, life)| replaced(i, life));
    oldest_replaced.or_else(|| {
        let (index, longest) = lives.iter().enumerate().min_by_key(|(_, life)| life.last_seen())?;
        (now.since(longest.last_seen()) > SILENT).then_some(index)
    })
}

/// A replica that was not heard of for so long has gone: longer than any restart.
const SILENT: Span = Span::from_mins(10);

/// Whether the life, which was first seen after the reading, may be the one it was taken of: the
/// same version, and no start time that says otherwise.
fn may_have_begun_earlier(life: &Life, reading: &Reading) -> bool {
    if other_version(life, reading) {
        return false;
    }
    let start_told = life.series(Metric::ProcessStartTime).is_some();
    !start_told || life.started_at.since(reading.at).as_secs_f64() <= START_TOLERANCE_SECS
}

fn begins_again(life: &Life, changes: &[Change], reading: &Reading) -> bool {
    let other_start = reading.metric == Metric::ProcessStartTime
        && life
            .latest(Metric::ProcessStartTime)
            .is_some_and(|was| (was - reading.value).abs() > START_TOLERANCE_SECS);
    let restarted = reading.metric == Metric::ContainerRestarts
        && life.latest(Metric::ContainerRestarts).is_some_and(|was| reading.value > was);
    other_version(life, reading)
        || other_start
        || restarted
        || restarted_between(life, changes, reading)
}

fn other_version(life: &Life, reading: &Reading) -> bool {
    match (&life.version, &reading.version) {
        (Some(was), Some(is)) => was != is,
        (None, _) | (_, None) => false,
    }
}

/// Cost: a search among the changes; those before the life was last seen are not looked at, because
/// every reading asks this.
fn restarted_between(life: &Life, changes: &[Change], reading: &Reading) -> bool {
    let until = changes.partition_point(|change| change.at <= reading.at);
    let earlier = changes.get(..until).unwrap_or_default();
    if earlier.is_empty() {
        return false;
    }
    let last_seen = life.last_seen();
    earlier.iter().rev().take_while(|change| change.at > last_seen).any(|change| {
        matches!(change.kind, ChangeKind::Restart | ChangeKind::OomKill)
            // One that names no instance means every instance.
            && change.instance.as_ref().is_none_or(|name| *name == life.instance)
    })
}

fn adopt(life: &mut Life, reading: &Reading) {
    if life.version.is_none() {
        life.version.clone_from(&reading.version);
    }
    if reading.metric == Metric::ProcessStartTime {
        life.started_at = start_of(reading);
        life.start_known = true;
    }
}

fn first_life(reading: &Reading, replaces_another: bool) -> Life {
    let start_known = reading.metric == Metric::ProcessStartTime;
    Life {
        instance: reading.instance.clone(),
        version: reading.version.clone(),
        started_at: if start_known { start_of(reading) } else { reading.at },
        start_known: start_known || replaces_another,
        series: BTreeMap::new(),
    }
}

fn start_of(reading: &Reading) -> Timestamp {
    Timestamp::from_millis((reading.value * 1000.0) as i64).min(reading.at)
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use super::*;
    use crate::ids::{InstanceName, ServiceName, Version};

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

    fn restart(at: i64) -> Change {
        Change {
            at: Timestamp::from_secs(at),
            kind: ChangeKind::Restart,
            service: ServiceName::new("orders").unwrap(),
            instance: InstanceName::new("orders-0").ok(),
            version: None,
            attributes: BTreeMap::new(),
        }
    }

    /// The lives that readings `(second, version)` leave, in order, as `version: seconds`.
    fn check(changes: &[Change], readings: &[(i64, &str)], want: &[&str]) {
        let mut history = ServiceHistory::new(ServiceName::new("orders").unwrap());
        changes.iter().for_each(|change| history.change(change.clone()));
        for (at, version) in readings {
            let reading = reading(*at, version, Metric::ProcessMemoryRss, 1.0);
            history.record(&reading, SeriesLimit::NONE);
        }
        let told: Vec<_> = history.lives.iter().map(told).collect();
        assert_eq!(told, want);
        for life in &history.lives {
            let first = life.series.values().filter_map(|s| s.samples().first()).map(|s| s.at);
            assert_eq!(Some(life.started_at), first.min(), "started with its first reading");
        }
    }

    fn told(life: &Life) -> String {
        let version = life.version.as_ref().map_or("?", |version| version.as_str());
        let seconds: Vec<_> = life
            .series
            .values()
            .flat_map(|series| series.samples())
            .map(|sample| (sample.at.as_millis() / 1000).to_string())
            .collect();
        format!("{version}: {}", seconds.join(" "))
    }

    #[test]
    fn a_late_reading_of_the_version_before_goes_to_the_life_before() {
        check(&[], &[(1, "1.0"), (9, "1.1"), (5, "1.0"), (10, "1.1")], &["1.0: 1 5", "1.1: 9 10"]);
    }

    #[test]
    fn a_late_reading_without_a_version_goes_to_the_life_that_covers_its_time() {
        check(&[], &[(1, "1.0"), (9, "1.1"), (5, ""), (10, "")], &["1.0: 1 5", "1.1: 9 10"]);
    }

    #[test]
    fn a_late_reading_of_a_version_that_nobody_told_of_opens_a_life_in_the_past() {
        let readings = [(1, "1.0"), (9, "1.2"), (5, "1.1"), (6, "1.1"), (4, "1.1"), (10, "1.2")];
        check(&[], &readings, &["1.0: 1", "1.1: 4 5 6", "1.2: 9 10"]);
        check(&[], &[(9, "1.1"), (5, "1.0"), (10, "1.1")], &["1.0: 5", "1.1: 9 10"]);
    }

    #[test]
    fn a_late_reading_of_the_same_version_moves_the_beginning_of_its_life() {
        check(&[], &[(9, "1.0"), (5, "1.0"), (7, "1.0")], &["1.0: 5 7 9"]);
    }

    #[test]
    fn a_late_reading_from_after_a_restart_belongs_to_the_life_that_the_restart_began() {
        let readings = [(1, "1.0"), (9, "1.0"), (7, "1.0"), (2, "1.0")];
        check(&[restart(5)], &readings, &["1.0: 1 2", "1.0: 7 9"]);
    }

    #[test]
    fn a_late_reading_from_before_the_start_of_the_process_is_of_another_process() {
        let mut history = ServiceHistory::new(ServiceName::new("orders").unwrap());
        let rss = Metric::ProcessMemoryRss;
        for reading in [
            reading(20, "1.0", Metric::ProcessStartTime, 15.0),
            reading(14, "1.0", rss, 1.0),
            reading(10, "1.0", rss, 1.0),
        ] {
            history.record(&reading, SeriesLimit::NONE);
        }
        let told: Vec<_> = history.lives.iter().map(told).collect();
        assert_eq!(told, ["1.0: 10", "1.0: 14 20"], "within the tolerance it is the same process");
    }

    #[test]
    fn late_readings_never_push_out_what_runs_now() {
        let limit = SeriesLimit { samples: NonZeroUsize::MAX, lives: NonZeroUsize::MIN };
        let mut history = ServiceHistory::new(ServiceName::new("orders").unwrap());
        let rss = Metric::ProcessMemoryRss;
        history.record(&reading(100, "now", rss, 1.0), limit);
        for at in 0..50 {
            history.record(&reading(at, &format!("old-{at}"), rss, 1.0), limit);
        }
        assert_eq!(history.lives.iter().map(told).collect::<Vec<_>>(), ["now: 100"]);
    }

    #[test]
    fn replicas_that_report_are_not_pushed_out_by_new_names_and_silent_ones_are() {
        let two = NonZeroUsize::new(2).unwrap();
        let limit = SeriesLimit { samples: NonZeroUsize::MAX, lives: two };
        let mut history = ServiceHistory::new(ServiceName::new("orders").unwrap());
        let mut hear = |name: &str, at: i64| {
            let instance = InstanceName::new(name).unwrap();
            let heard = Reading { instance, ..reading(at, "1", Metric::ProcessMemoryRss, 1.0) };
            history.record(&heard, limit);
            let names = history.lives.iter().map(|life| life.instance.to_string());
            names.collect::<Vec<_>>().join(" ")
        };
        hear("a", 1);
        hear("b", 2);
        assert_eq!(hear("c", 3), "a b");
        assert_eq!(hear("b", 700), "a b");
        assert_eq!(hear("c", 701), "b c");
    }
}
