//! The four services of the demo at one sample a second, looked at every ten seconds: what must be
//! said by when, and what must never be said.
//!
//! Not here: the demo itself, which runs real processes.

use std::collections::BTreeMap;

use plimsoll_detect::assess;
use plimsoll_model::{
    Assessment, Cause, Change, ChangeKind, InstanceName, Metric, Reading, SeriesLimit,
    ServiceHistory, ServiceName, Timestamp, Verdict, Version,
};

const MIB: f64 = 1_048_576.0;
const BEGIN: i64 = 1_780_000_000;
const DEPLOYED: i64 = 80;

/// A service's telemetry as it arrives.
struct Feed {
    service: ServiceName,
    readings: Vec<Reading>,
    changes: Vec<Change>,
}

impl Feed {
    fn new(name: &str) -> Self {
        let service = ServiceName::new(name).expect("a short name is a name");
        Self { service, readings: Vec::new(), changes: Vec::new() }
    }

    fn put(&mut self, secs: i64, who: (usize, &str), metric: Metric, value: f64) {
        self.readings.push(Reading {
            at: Timestamp::from_secs(BEGIN + secs),
            service: self.service.clone(),
            version: Version::new(who.1).ok(),
            instance: InstanceName::new(&format!("{}-{}", self.service, who.0))
                .expect("a short name is a name"),
            metric,
            value,
        });
    }

    fn change(&mut self, secs: i64, kind: ChangeKind, version: &str) -> Change {
        let change = Change {
            at: Timestamp::from_secs(BEGIN + secs),
            kind,
            service: self.service.clone(),
            instance: None,
            version: Version::new(version).ok(),
            attributes: BTreeMap::new(),
        };
        self.changes.push(change.clone());
        change
    }

    /// The assessment by what had arrived at this second.
    fn at(&self, secs: i64) -> Assessment {
        let now = Timestamp::from_secs(BEGIN + secs);
        let mut history = ServiceHistory::new(self.service.clone());
        let changes = self.changes.iter().filter(|change| change.at <= now);
        changes.for_each(|change| history.change(change.clone()));
        let readings = self.readings.iter().filter(|reading| reading.at <= now);
        readings.for_each(|reading| history.record(reading, SeriesLimit::NONE));
        assess(&history, now)
    }
}

/// A day of four minutes.
fn load(secs: i64) -> f64 {
    1.0 + 0.4 * (secs as f64 / 240.0 * std::f64::consts::TAU).sin()
}

/// Three replicas; each second names the version and the pace of its leak in MiB a second.
fn orders(seed: u64, with_load: bool, plan: impl Fn(i64) -> (&'static str, i64, f64)) -> Feed {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut feed = Feed::new("orders");
    for replica in 0..3 {
        let (mut running, mut kept, mut shown, mut next) = (0, 0.0, 0.0, 0);
        for secs in 0..330 {
            let (version, born, pace) = plan(secs - 4 * replica as i64);
            let born = if born == 0 { 0 } else { born + 4 * replica as i64 };
            if born != running {
                (running, kept, next) = (born, 0.0, secs);
            }
            kept += pace * load(secs);
            let age = (secs - born) as f64;
            if secs >= next {
                shown = 20.0 + kept + 12.0 * (1.0 - (-age / 4.0).exp()) + rng.f64() * 0.5;
                next = secs + rng.i64(2..10);
            }
            let who = (replica, version);
            feed.put(secs, who, Metric::ProcessStartTime, (BEGIN + born) as f64);
            feed.put(secs, who, Metric::RuntimeHeapLive, shown * MIB);
            let garbage = 30.0 * rng.f64();
            feed.put(secs, who, Metric::RuntimeHeapUsed, (shown + garbage) * MIB);
            feed.put(secs, who, Metric::RuntimeHeapLimit, 384.0 * MIB);
            let rss = 120.0 + kept + rng.f64() * 2.0;
            feed.put(secs, who, Metric::ProcessMemoryRss, rss * MIB);
            if with_load {
                let rate = 20.0 * load(secs) + 3.0 * rng.f64();
                feed.put(secs, who, Metric::ServiceRequestsRate, rate);
            }
        }
    }
    feed.readings.sort_by_key(|reading| reading.at);
    feed
}

fn check_leak(found: &Assessment, cause: Cause, change: &Change) {
    assert_eq!(found.verdict, Verdict::Leaking, "{}", found.reason);
    assert_eq!(found.cause, cause, "{}", found.reason);
    assert_eq!(found.suspected_change.as_ref(), Some(change), "{}", found.reason);
    assert_eq!(found.onset, Some(change.at));
    assert!(found.exhaustion.is_some_and(|end| end.p10 <= end.p50 && end.p50 <= end.p90));
}

#[test]
fn a_bad_deploy_of_a_jvm_service_is_convicted_within_ninety_seconds() {
    for (seed, pace, with_load) in [(1, 0.3, true), (2, 0.6, true), (3, 1.0, true), (4, 0.6, false)]
    {
        let plan =
            |secs| if secs < DEPLOYED { ("1.0.0", 0, 0.0) } else { ("1.1.0", DEPLOYED, pace) };
        let mut feed = orders(seed, with_load, plan);
        let change = feed.change(DEPLOYED, ChangeKind::Deploy, "1.1.0");
        for secs in (10..DEPLOYED).step_by(10) {
            let found = feed.at(secs);
            assert_ne!(found.verdict, Verdict::Leaking, "at {secs}: {}", found.reason);
        }
        let told =
            (DEPLOYED..=DEPLOYED + 90).find(|secs| feed.at(*secs).verdict == Verdict::Leaking);
        check_leak(&feed.at(told.expect("told in time")), Cause::Heap, &change);
    }
}

#[test]
fn a_restart_of_the_leaking_version_masks_nothing() {
    let plan = |secs| match secs {
        ..DEPLOYED => ("1.0.0", 0, 0.0),
        DEPLOYED..200 => ("1.1.0", DEPLOYED, 0.6),
        _ => ("1.1.0", 200, 0.6),
    };
    let mut feed = orders(9, true, plan);
    let change = feed.change(DEPLOYED, ChangeKind::Deploy, "1.1.0");
    check_leak(&feed.at(290), Cause::Heap, &change);
}

#[test]
fn a_rollback_is_steady_within_a_minute_and_never_leaking_again() {
    let plan = |secs| match secs {
        ..DEPLOYED => ("1.0.0", 0, 0.0),
        DEPLOYED..200 => ("1.1.0", DEPLOYED, 0.6),
        _ => ("1.0.0", 200, 0.0),
    };
    let mut feed = orders(9, true, plan);
    feed.change(DEPLOYED, ChangeKind::Deploy, "1.1.0");
    feed.change(200, ChangeKind::Deploy, "1.0.0");
    for secs in (220..330).step_by(5) {
        let found = feed.at(secs);
        assert_ne!(found.verdict, Verdict::Leaking, "at {secs}: {}", found.reason);
        if secs >= 270 {
            assert_eq!(found.verdict, Verdict::Steady, "at {secs}: {}", found.reason);
        }
    }
}

/// A Python service of which only the resident set is known: a bounded cache that fills.
fn recommend(fill: impl Fn(f64) -> f64) -> Feed {
    let mut rng = fastrand::Rng::with_seed(5);
    let mut feed = Feed::new("recommend");
    for secs in 0..360 {
        let who = (0, "1.0.0");
        let rss = 30.0 + 80.0 * fill(secs as f64) + rng.f64() * 0.5;
        feed.put(secs, who, Metric::ProcessStartTime, BEGIN as f64);
        feed.put(secs, who, Metric::ProcessMemoryRss, rss * MIB);
        feed.put(secs, who, Metric::ProcessFds, 12.0 + (rng.f64() * 4.0).floor());
        feed.put(secs, who, Metric::ServiceRequestsRate, 20.0 * load(secs) + rng.f64());
    }
    feed
}

#[test]
fn a_filling_cache_is_never_called_leaking_and_steady_when_it_is_full() {
    let exponential = |pace: f64| recommend(move |secs| 1.0 - (-secs / pace).exp());
    let linear = recommend(|secs| (secs / 120.0).min(1.0));
    for feed in [exponential(30.0), exponential(45.0), exponential(60.0), linear] {
        for secs in (5..360).step_by(5) {
            let found = feed.at(secs);
            assert_ne!(found.verdict, Verdict::Leaking, "at {secs}: {}", found.reason);
            let filling = (40..90).contains(&secs);
            assert!(!filling || found.verdict != Verdict::Steady, "at {secs}: {}", found.reason);
        }
        let found = feed.at(359);
        assert_eq!((found.verdict, found.cause), (Verdict::Steady, Cause::WarmUp));
    }
}

#[test]
fn a_service_that_warms_up_after_every_deploy_is_steady_with_that_reason() {
    let mut rng = fastrand::Rng::with_seed(6);
    let mut feed = Feed::new("catalog");
    feed.change(140, ChangeKind::Deploy, "1.0.1");
    for secs in 0..360 {
        let (version, born) = if secs < 142 { ("1.0.0", 0) } else { ("1.0.1", 142) };
        let warm = 1.0 - (-((secs - born) as f64) / 10.0).exp();
        let who = (0, version);
        feed.put(secs, who, Metric::ProcessStartTime, (BEGIN + born) as f64);
        let garbage = (secs % 7) as f64 * 2.0;
        feed.put(secs, who, Metric::RuntimeHeapUsed, (8.0 + 20.0 * warm + garbage) * MIB);
        let rss = 45.0 + 60.0 * warm + rng.f64();
        feed.put(secs, who, Metric::ProcessMemoryRss, rss * MIB);
        feed.put(secs, who, Metric::ServiceRequestsRate, 20.0 * load(secs) + rng.f64());
    }
    for secs in (5..360).step_by(5) {
        let found = feed.at(secs);
        assert_ne!(found.verdict, Verdict::Leaking, "at {secs}: {}", found.reason);
    }
    let found = feed.at(359);
    assert_eq!((found.verdict, found.cause), (Verdict::Steady, Cause::WarmUp), "{}", found.reason);
}

#[test]
fn one_handle_a_request_after_a_config_change_is_told_within_ninety_seconds() {
    let mut rng = fastrand::Rng::with_seed(7);
    let mut feed = Feed::new("ledger");
    let change = feed.change(120, ChangeKind::ConfigChange, "");
    let mut held = 0.0;
    for secs in 0..300 {
        let rate = 8.0 * load(secs);
        held += if secs > 120 { rate } else { 0.0 };
        let who = (0, "1.0.0");
        let open = 14.0 + 6.0 * rng.f64() + held;
        feed.put(secs, who, Metric::ProcessStartTime, BEGIN as f64);
        feed.put(secs, who, Metric::ProcessFds, open.floor());
        feed.put(secs, who, Metric::ProcessFdsLimit, 4096.0);
        let rss = 9.0 + 0.0005 * held + rng.f64() * 0.2;
        feed.put(secs, who, Metric::ProcessMemoryRss, rss * MIB);
        feed.put(secs, who, Metric::ServiceRequestsRate, rate + rng.f64());
    }
    let told = (10..=210).find(|secs| feed.at(*secs).verdict == Verdict::Leaking);
    let told = told.expect("told in time");
    assert!(told > 120);
    check_leak(&feed.at(told), Cause::Handles, &change);
    check_leak(&feed.at(299), Cause::Handles, &change);
}
