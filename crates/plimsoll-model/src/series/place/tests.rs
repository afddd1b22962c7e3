//! Late readings and late restarts: which lives they leave.

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

/// All that a verdict reads of the lives.
fn pictures(history: &ServiceHistory) -> Vec<String> {
    let picture = |life: &Life| {
        let Life { instance, version, started_at, start_known, series } = life;
        let drawn = |(metric, series): (&Metric, &Series)| {
            let stretches: Vec<_> = series.outline().stretches().collect();
            format!("{metric} {stretches:?} {}", series.outline().deepest_fall())
        };
        let series: Vec<_> = series.iter().map(drawn).collect();
        format!("{instance} {version:?} {started_at:?} {start_known} {series:?}")
    };
    history.lives.iter().map(picture).collect()
}

#[test]
fn a_restart_that_is_told_late_splits_the_life_as_if_it_had_been_told_in_time() {
    let rss = Metric::ProcessMemoryRss;
    let readings: Vec<_> = (0..100).map(|at| reading(at, "1", rss, at as f64)).collect();
    let service = || ServiceName::new("orders").unwrap();
    for (told, all) in [(95, false), (92, false), (95, true)] {
        let mut change = restart(told);
        change.instance = change.instance.filter(|_| !all);
        let in_time = ServiceHistory::at_rest(
            service(),
            readings.clone(),
            vec![change.clone()],
            SeriesLimit::NONE,
        );
        let mut late = ServiceHistory::new(service());
        readings.iter().for_each(|reading| late.record(reading, SeriesLimit::NONE));
        late.change(change.clone());
        late.change(change);
        assert_eq!(late.lives.len(), 2);
        assert!(pictures(&late) == pictures(&in_time), "{told}");
        assert_eq!(late.changes, in_time.changes);
    }
}

#[test]
fn a_restart_before_or_after_all_that_was_measured_splits_nothing() {
    for told in [0, 5, 100] {
        let mut history = ServiceHistory::new(ServiceName::new("orders").unwrap());
        let rss = Metric::ProcessMemoryRss;
        (5..100).for_each(|at| history.record(&reading(at, "1", rss, 1.0), SeriesLimit::NONE));
        history.change(restart(told));
        assert_eq!(history.lives.len(), 1, "{told}");
    }
}

#[test]
fn a_start_time_that_comes_late_takes_over_what_was_measured_since() {
    let (rss, start) = (Metric::ProcessMemoryRss, Metric::ProcessStartTime);
    let mut readings = vec![reading(0, "1", start, 0.0), reading(100, "1", start, 95.0)];
    readings.extend((0..104).map(|at| reading(at, "1", rss, at as f64)));
    let service = ServiceName::new("orders").unwrap();
    let limit = SeriesLimit::NONE;
    let at_rest = ServiceHistory::at_rest(service.clone(), readings.clone(), vec![], limit);
    let mut late = ServiceHistory::new(service);
    let in_time = readings.iter().filter(|reading| reading.at < Timestamp::from_secs(100));
    let too_early = readings.iter().filter(|reading| reading.at >= Timestamp::from_secs(100));
    in_time.chain(too_early.filter(|reading| reading.metric == rss)).for_each(|reading| {
        late.record(reading, limit);
    });
    late.record(&reading(100, "1", start, 95.0), limit);
    assert_eq!(late.lives.len(), 2);
    assert!(pictures(&late) == pictures(&at_rest));
}

#[test]
fn a_new_life_has_what_was_measured_since_its_process_started() {
    let (rss, start) = (Metric::ProcessMemoryRss, Metric::ProcessStartTime);
    let mut history = ServiceHistory::new(ServiceName::new("orders").unwrap());
    let limit = SeriesLimit::NONE;
    history.record(&reading(0, "1", start, 0.0), limit);
    (0..100).for_each(|at| history.record(&reading(at, "1", rss, at as f64), limit));
    history.record(&reading(100, "1", start, 95.0), limit);
    history.change(restart(95));
    let firsts: Vec<_> = history.lives.iter().map(|life| first_seen(life).unwrap()).collect();
    assert_eq!(firsts, [Timestamp::from_secs(0), Timestamp::from_secs(95)]);

    // A start before that of the process which it replaces is a clock that was wrong.
    history.record(&reading(101, "1", rss, 1.0), limit);
    history.record(&reading(102, "1", start, 5.0), limit);
    assert_eq!(first_seen(&history.lives[1]), Some(Timestamp::from_secs(95)));
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
