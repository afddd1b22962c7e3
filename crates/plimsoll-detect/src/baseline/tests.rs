//! What is usual, and whether it moved, of series whose truth is known.

use plimsoll_model::{
    ChangeKind, InstanceName, Metric, Reading, SeriesLimit, ServiceHistory, ServiceName, Span,
    Version,
};

use super::*;
use crate::explain;

const MIB: f64 = 1_048_576.0;
const BEGIN: Timestamp = Timestamp::from_secs(1_780_000_000);
const STEP: f64 = 1.0 / 6.0;

/// One replica, a sample in ten minutes, under a limit of 1 GiB.
#[derive(Clone)]
struct Story {
    from: Timestamp,
    hours: f64,
    level: fn(f64) -> f64,
    /// Hours, and what they bring.
    deploys: Vec<(f64, &'static str)>,
    /// How long before it reaches the replica a deploy is told.
    told_before: f64,
    /// Whether a deploy gives the replica another name.
    renamed: bool,
    /// Whether the telemetry tells versions; without, nothing cuts a life.
    versions: bool,
    scale: f64,
    shift: f64,
}

fn story(hours: f64, level: fn(f64) -> f64) -> Story {
    let (deploys, renamed, versions) = (Vec::new(), false, true);
    Story {
        from: BEGIN,
        hours,
        level,
        deploys,
        told_before: 0.0,
        renamed,
        versions,
        scale: 1.0,
        shift: 0.0,
    }
}

/// Noise of the same kind everywhere, between -1 and 1.
fn noise(hours: f64) -> f64 {
    let step = (hours / STEP).round() as u64;
    let mixed = (step + 7).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let mixed = (mixed ^ (mixed >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    (mixed >> 40) as f64 / f64::from(1 << 23) - 1.0
}

fn flat(hours: f64) -> f64 {
    200.0 + 2.0 * noise(hours)
}

/// Lowest at the begin of a day, highest at its middle.
fn by_day(hours: f64) -> f64 {
    flat(hours) + 50.0 * (1.0 - (std::f64::consts::TAU * hours / 24.0).cos())
}

impl Story {
    fn at(&self, hours: f64) -> Timestamp {
        self.from + Span::from_secs_f64(hours * 3600.0)
    }

    fn history(&self) -> ServiceHistory {
        let service = ServiceName::new("orders").unwrap();
        let mut readings = Vec::new();
        for step in 0..=(self.hours / STEP).round() as u32 {
            let hours = f64::from(step) * STEP;
            let brought = self.deploys.iter().rfind(|(at, _)| *at <= hours);
            let version = brought.map_or("1", |(_, version)| version);
            let name = if self.renamed { format!("orders-{version}") } else { "orders".into() };
            let level = self.scale * MIB * (self.shift + (self.level)(hours));
            for (metric, value) in [
                (Metric::ContainerMemoryAnon, level),
                (Metric::ContainerMemoryLimit, self.scale * 1024.0 * MIB),
                (Metric::ServiceRequestsRate, 100.0 + 5.0 * noise(hours + 1e5)),
            ] {
                readings.push(Reading {
                    at: self.at(hours),
                    service: service.clone(),
                    version: self.versions.then(|| Version::new(version).unwrap()),
                    instance: InstanceName::new(&name).unwrap(),
                    metric,
                    value,
                });
            }
        }
        let change = |(at, version): &(f64, &str)| Change {
            at: self.at(*at - self.told_before),
            kind: ChangeKind::Deploy,
            service: service.clone(),
            instance: None,
            version: Some(Version::new(version).unwrap()),
            attributes: std::collections::BTreeMap::new(),
        };
        let changes = self.deploys.iter().map(change).collect();
        ServiceHistory::at_rest(service, readings, changes, SeriesLimit::OUTLINES)
    }

    fn explained(&self) -> crate::Explanation {
        explain(&self.history(), self.at(self.hours))
    }

    fn baseline(&self) -> Baseline {
        let usual = self.explained().speaker.expect("memory is measured").usual;
        let metrics: Vec<Metric> = usual.iter().map(|baseline| baseline.metric).collect();
        assert_eq!(metrics, [Metric::ContainerMemoryAnon, Metric::ServiceRequestsRate]);
        usual.into_iter().next().unwrap()
    }

    fn usual(&self) -> Usual {
        self.baseline().usual.unwrap_or_else(|missing| panic!("{missing:?}"))
    }

    fn moved(&self) -> Option<(f64, f64, f64, Option<String>)> {
        let moved = self.baseline().moved?;
        let hours = moved.since.since(self.from).as_hours_f64();
        let version = moved.change.map(|change| change.version.unwrap().to_string());
        Some((hours, moved.from / MIB, moved.to / MIB, version))
    }
}

fn near(found: f64, want: f64, tolerance: f64) {
    assert!((found - want).abs() <= tolerance, "{found} is not {want}");
}

#[test]
fn the_peak_of_a_day_is_usual_at_its_hour_and_unusual_in_the_night() {
    let peak = story(10.0 * 24.0 + 12.5, by_day).usual();
    assert_eq!((peak.hours, peak.of), (Hours::OfTheDay, 10));
    near(peak.p50 / MIB, 300.0, 4.0);
    near(peak.now / MIB, 300.0, 4.0);
    assert!(peak.now < 1.01 * peak.p95 && peak.percentile > 0.0, "{peak:?}");

    // The same level at the hour of the trough.
    let night = |hours| if hours > 238.0 { by_day(12.0) } else { by_day(hours) };
    let night = story(10.0 * 24.0 + 0.5, night).usual();
    assert_eq!((night.hours, night.of, night.lower_in), (Hours::OfTheDay, 9, 9));
    near(night.p95 / MIB, 201.0, 5.0);
    near(night.percentile, 100.0, 1e-9);
    assert!(night.now > night.p95 + 50.0 * MIB, "{night:?}");
}

#[test]
fn the_quantiles_of_an_hour_are_those_of_its_days() {
    // Every day is 10 MiB above the one before, and turns at midnight of the story.
    let days = |hours: f64| 200.0 + 10.0 * ((hours / 24.0).floor() * 3.0 % 7.0);
    let usual = story(7.0 * 24.0 + 23.0, days).usual();
    assert_eq!((usual.hours, usual.of), (Hours::OfTheDay, 7));
    near(usual.p50 / MIB, 230.0, 0.01);
    near(usual.p95 / MIB, 260.0, 0.01);
    near(usual.now / MIB, 200.0, 0.01);
    assert_eq!(usual.lower_in, 0);
    near(usual.percentile, 100.0 / 14.0, 0.1);
}

#[test]
fn three_weeks_are_compared_by_the_hour_of_the_week() {
    let sundays = |hours: f64| {
        let day = (hours / 24.0) as u32 % 7;
        flat(hours) - if day == 0 { 100.0 } else { 0.0 }
    };
    let young = story(20.0 * 24.0 + 12.0, sundays).usual();
    assert_eq!(young.hours, Hours::OfTheDay);
    let old = story(21.0 * 24.0 + 14.0, sundays).usual();
    assert_eq!((old.hours, old.of), (Hours::OfTheWeek, 3));
    near(old.p50 / MIB, 100.0, 2.0);
    near(old.now / MIB, 100.0, 2.0);
}

#[test]
fn hours_are_told_apart_for_as_long_as_cells_are_short_enough() {
    let peak = story(45.0 * 24.0 + 12.0, by_day).usual();
    assert_eq!((peak.hours, peak.of), (Hours::OfTheWeek, 6));
    assert!(peak.p50 > 270.0 * MIB, "{peak:?}");
    let old = story(90.0 * 24.0 + 12.0, by_day).usual();
    assert_eq!((old.hours, old.next), (Hours::All, None));
    near(old.p50 / MIB, 250.0, 25.0);
}

fn steps(hours: f64) -> f64 {
    by_day(hours) + if hours >= 200.0 { 80.0 } else { 0.0 }
}

#[test]
fn a_step_at_a_deploy_moves_normal_and_names_the_deploy() {
    for (renamed, versions, told_before) in
        [(false, true, 0.0), (true, true, 0.0), (true, true, 12.0), (false, false, 0.0)]
    {
        let mut story = story(200.0 + 90.0, steps);
        story.deploys = vec![(60.0, "2"), (200.0, "3"), (250.0, "4")];
        (story.renamed, story.versions) = (renamed, versions);
        story.told_before = told_before;
        let (since, from, to, version) = story.moved().expect("it moved");
        near(since, 200.0, 2.0);
        near(to - from, 80.0, 8.0);
        assert_eq!(version.as_deref(), Some("3"), "{renamed} {versions}");
        let usual = story.usual();
        assert!(usual.seen.0 >= story.at(199.0), "made of what came after: {usual:?}");
        assert_eq!((usual.hours, usual.of), (Hours::OfTheDay, 3));
        near(usual.now / usual.p50, 1.0, 0.05);
    }
}

#[test]
fn a_step_that_no_change_fits_has_none_and_must_last_longer() {
    let mut story = story(200.0 + 130.0, steps);
    for decoys in [vec![], vec![(60.0, "2")], vec![(60.0, "2"), (230.0, "3")]] {
        (story.deploys, story.versions) = (decoys, false);
        let (since, _, _, version) = story.moved().expect("it moved");
        near(since, 200.0, 2.0);
        assert_eq!(version, None, "{:?}", story.deploys);
    }
    story.hours = 200.0 + 90.0;
    assert_eq!(story.moved(), None, "a long weekend is no new normal");
}

#[test]
fn of_two_steps_the_newest_counts_from_the_level_between_them() {
    let twice = |hours| steps(hours) + if hours >= 400.0 { 100.0 } else { 0.0 };
    let (since, from, to, _) = story(560.0, twice).moved().expect("it moved");
    near(since, 400.0, 4.0);
    near(to - from, 100.0, 10.0);
}

#[test]
fn what_comes_again_or_creeps_is_no_new_normal() {
    let week = |hours: f64| {
        let weekend = (hours / 24.0) as u32 % 7 >= 5;
        by_day(hours) * if weekend { 0.6 } else { 1.0 }
    };
    let batch = |hours: f64| flat(hours) + if hours % 24.0 < 3.0 { 300.0 } else { 0.0 };
    let creep = |hours: f64| flat(hours) + 0.15 * hours;
    let warms = |hours: f64| flat(hours) + 200.0 * (1.0 - (-hours / 40.0).exp());
    let slides = |hours: f64| flat(hours) + (1.4 * (hours - 170.0)).clamp(0.0, 84.0);
    for (name, level) in [
        ("slides", slides as fn(f64) -> f64),
        ("week", week),
        ("batch", batch),
        ("creep", creep),
        ("warms", warms),
        ("day", by_day),
        ("flat", flat),
    ] {
        for days in 1..24 {
            let moved = story(f64::from(days) * 24.0 + 7.0, level).moved();
            assert_eq!(moved, None, "{name} after {days} days");
        }
    }
}

#[test]
fn a_leak_is_no_new_normal_and_keeps_the_time_before_it() {
    let leaks = |hours| flat(hours) + 4.0 * (hours - 170.0_f64).max(0.0);
    let mut story = story(240.0, leaks);
    story.deploys = vec![(170.0, "2")];
    assert_eq!(story.explained().assessment.verdict, Verdict::Leaking);
    let Baseline { usual, moved, leaks_since, .. } = story.baseline();
    assert_eq!((moved, leaks_since), (None, Some(story.at(170.0))));
    let usual = usual.expect("a week was seen before it");
    assert_eq!((usual.hours, usual.next), (Hours::OfTheDay, None));
    assert!(usual.seen.1 <= story.at(170.0), "{usual:?}");
    near(usual.p95 / MIB, 200.0, 3.0);
    near(usual.now / MIB, 478.0, 6.0);
    assert_eq!(usual.lower_in, usual.of);
}

#[test]
fn too_little_says_when_and_is_there_then() {
    let mut young = story(5.0, flat);
    let missing = young.baseline().usual.expect_err("five hours are too little");
    assert!(missing.says.contains("of 80 cells"), "{missing:?}");
    let ready = missing.ready_at.expect("time brings it").since(BEGIN).as_hours_f64();
    near(ready, 80.0 * STEP + 1.0, 0.5);
    young.hours = ready - 1.0;
    assert!(young.baseline().usual.is_err());
    young.hours = ready + STEP;
    assert_eq!(young.usual().hours, Hours::All);

    for hours in [50.0, 70.0] {
        young.hours = hours;
        let Some((Hours::OfTheDay, at)) = young.usual().next else { panic!("{hours}") };
        let at = at.since(BEGIN).as_hours_f64();
        young.hours = at;
        assert_eq!(young.usual().hours, Hours::OfTheDay);
        young.hours = at - 24.0;
        assert_eq!(young.usual().hours, Hours::All);
    }
}

#[test]
fn shift_and_scale_change_nothing_but_the_numbers() {
    let mut plain = story(290.0, steps);
    plain.deploys = vec![(60.0, "2"), (200.0, "3")];
    let (usual, moved) = (plain.usual(), plain.baseline().moved.unwrap());
    for (scale, shift, days) in [(4.0, 0.0, 0), (1.0, 512.0, 0), (1.0, 0.0, 100), (2.0, 256.0, 3)] {
        let later = Span::from_hours(24 * days) + Span::from_mins(400 * days);
        let other = Story { from: BEGIN + later, scale, shift, ..plain.clone() };
        let (found, then) = (other.usual(), other.baseline().moved.unwrap());
        let same = |value: f64, found: f64| near(found, scale * (value + shift * MIB), 1024.0);
        same(usual.p50, found.p50);
        same(usual.p95, found.p95);
        same(usual.now, found.now);
        same(moved.from, then.from);
        same(moved.to, then.to);
        assert_eq!(moved.since + later, then.since);
        assert_eq!(moved.change.as_ref().unwrap().version, then.change.as_ref().unwrap().version);
        near(found.percentile, usual.percentile, 1e-6);
        assert_eq!((found.hours, found.of), (usual.hours, usual.of));
        assert_eq!(found.window.0, usual.window.0 + later);
    }
}
