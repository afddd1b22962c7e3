//! What must be true of every case of every family, whatever was drawn.

use std::collections::BTreeSet;

use plimsoll_model::{ChangeKind, Half, Label, Metric, Span};

use super::body::Runtime;
use super::draw::Draw;
use super::part::Place;
use super::plan::Plan;
use super::{CorpusCase, Family, draw, families};

/// Seeds that no corpus of the first million is drawn from.
const SEEDS: std::ops::Range<u64> = 1_000_000..1_000_003;

fn all() -> impl Iterator<Item = (&'static Family, CorpusCase)> {
    let cases = |family| SEEDS.map(move |seed| (family, draw(family, seed)));
    families().iter().flat_map(cases)
}

fn plan(family: &Family, case: &CorpusCase) -> Plan {
    let seed = case.service.as_str().rsplit('-').next().unwrap().parse().unwrap();
    (family.plan)(Draw::new(family.name, seed))
}

fn hours(case: &CorpusCase) -> f64 {
    let times = || case.readings.iter().map(|reading| reading.at);
    times().max().unwrap().since(times().min().unwrap()).as_hours_f64()
}

#[test]
fn every_family_is_in_one_half_and_both_halves_hold_enough_of_each_label() {
    let names: BTreeSet<&str> = families().iter().map(|family| family.name).collect();
    assert_eq!(names.len(), families().len(), "a name is used twice");
    for half in [Half::Tune, Half::Report] {
        let count = |label| {
            families().iter().filter(|family| (family.half, family.label) == (half, label)).count()
        };
        let (leaking, benign) = (count(Label::Leaking), count(Label::Benign));
        assert!(leaking >= 9 && benign >= 11, "{half:?}: {leaking} leaking, {benign} benign");
    }
}

#[test]
fn the_same_seed_draws_the_same_case_and_another_seed_another() {
    for family in families() {
        let (one, same, other) = (draw(family, 5), draw(family, 5), draw(family, 6));
        assert_eq!(one.readings, same.readings, "{}", family.name);
        assert_eq!((&one.changes, &one.truth), (&same.changes, &same.truth), "{}", family.name);
        assert_ne!(one.readings, other.readings, "{}", family.name);
    }
}

#[test]
fn values_are_finite_of_one_service_and_of_a_length_that_shows_something() {
    for (_, case) in all() {
        let name = &case.service;
        assert!(case.readings.iter().all(|r| r.value.is_finite() && r.value >= 0.0), "{name}");
        assert!(case.readings.iter().all(|r| r.service == *name), "{name}");
        assert!(case.changes.is_sorted_by_key(|change| change.at), "{name}");
        assert!((0.2..340.0).contains(&hours(&case)), "{name} {}", hours(&case));
        assert!((400..120_000).contains(&case.readings.len()), "{name} {}", case.readings.len());
    }
}

#[test]
fn rows_arrive_in_order_but_for_a_few_that_are_late() {
    for (_, case) in all().filter(|(family, _)| family.name != "bad-collector") {
        let mut newest = case.readings[0].at;
        let mut late = 0;
        for reading in &case.readings {
            late += usize::from(reading.at < newest);
            newest = newest.max(reading.at);
        }
        // Replicas whose scrapes are a few milliseconds apart may swap; late scrapes are 0.5 %.
        let most = case.readings.len() / 40;
        assert!(late <= most, "{}: {late} of {}", case.service, case.readings.len());
    }
}

#[test]
fn a_start_time_comes_before_everything_else_of_its_scrape() {
    for (_, case) in all() {
        let of = |at: usize| (&case.readings[at].instance, case.readings[at].at);
        for (at, reading) in case.readings.iter().enumerate().skip(1) {
            if reading.metric == Metric::ProcessStartTime && of(at - 1) == of(at) {
                let before = case.readings[at - 1].metric;
                assert_eq!(before, Metric::ProcessStartTime, "{}", case.service);
            }
        }
    }
}

#[test]
fn what_leaks_matters_and_lasts() {
    for (family, case) in all().filter(|(_, case)| case.label == Label::Leaking) {
        let (plan, truth) = (plan(family, &case), &case.truth);
        let onset = truth.onset.expect("a leak begins");
        let begin = plan.begin;
        let whole = Span::from_secs_f64(plan.hours * 3600.0);
        let ends = truth.ends.unwrap_or_else(|| begin + whole);
        let lasts = ends.since(onset).as_hours_f64();
        assert!(lasts > 0.1 * plan.hours, "{}: lasts {lasts} of {}", case.service, plan.hours);
        let grown = truth.growth_per_hour.unwrap() * lasts;
        let (place, least) = least_growth(&plan);
        assert!(grown >= least, "{} {place:?}: {grown} of {least}", case.service);
        assert!(!truth.instances.is_empty(), "{}", case.service);
        assert!(truth.exhausted_at.is_none_or(|at| at > onset), "{}", case.service);
    }
}

/// The place that leaks, and what has to be gone from there at the end.
fn least_growth(plan: &Plan) -> (Place, f64) {
    let part = plan.parts.iter().find(|part| part.leaks()).expect("it leaks");
    let place = part.places[0].0;
    let own = plan.body.heap.and_then(|heap| heap.max).filter(|_| place == Place::Heap);
    let memory = match (own, plan.limit()) {
        (Some(max), _) => 0.08 * max,
        (None, Some(limit)) => 0.08 * limit,
        (None, None) if place == Place::Heap => 0.25 * plan.body.live,
        (None, None) => 0.25 * plan.body.footprint(),
    };
    if place == Place::Connections {
        (place, 0.4 * plan.bounds.connections)
    } else if place.unit() > 1.0 {
        (place, memory * place.unit())
    } else {
        (place, 100.0)
    }
}

#[test]
fn what_does_not_leak_has_no_onset_and_never_meets_its_limit() {
    for (_, case) in all().filter(|(_, case)| case.label == Label::Benign) {
        let truth = &case.truth;
        assert_eq!((truth.onset, truth.exhausted_at, truth.growth_per_hour), (None, None, None));
        assert!(truth.instances.is_empty() && truth.change.is_none());
        let killed = case.changes.iter().any(|change| {
            change.kind == ChangeKind::OomKill || change.attributes.contains_key("signature")
        });
        assert!(!killed, "{} runs out of memory", case.service);
    }
}

#[test]
fn handles_that_leak_are_seen_to_grow_as_the_truth_says() {
    let check = |name: &str, metric: Metric| {
        let family = families().iter().find(|family| family.name == name).unwrap();
        for seed in SEEDS {
            let case = draw(family, seed);
            let values: Vec<f64> = case
                .readings
                .iter()
                .filter(|r| r.metric == metric && r.instance == case.truth.instances[0])
                .map(|r| r.value)
                .collect();
            let tenth = values.len() / 10;
            let least = |part: &[f64]| part.iter().copied().fold(f64::INFINITY, f64::min);
            let seen = least(&values[values.len() - tenth..]) - least(&values[..tenth]);
            let told = case.truth.growth_per_hour.unwrap() * hours(&case);
            assert!((0.6 * told..1.3 * told).contains(&seen), "{name}-{seed}: {seen} of {told}");
        }
    };
    check("leak-threads", Metric::ProcessThreads);
    check("leak-goroutines", Metric::RuntimeGoroutines);
    check("leak-sockets", Metric::ProcessSockets);
}

#[test]
fn memory_that_leaks_is_seen_to_grow_as_the_truth_says() {
    let names = ["leak-slow-week", "leak-slow-fortnight", "leak-native-flat-heap"];
    for family in families().iter().filter(|family| names.contains(&family.name)) {
        for seed in SEEDS {
            let case = draw(family, seed);
            let Some(metric) = footprint(&case) else { continue };
            let first = case.readings.iter().find(|r| r.metric == metric).unwrap().value;
            let last = case.readings.iter().rfind(|r| r.metric == metric).unwrap().value;
            let told = case.truth.growth_per_hour.unwrap() * hours(&case);
            let seen = last - first;
            assert!((0.5 * told..2.5 * told).contains(&seen), "{}: {seen} {told}", case.service);
        }
    }
}

#[test]
fn files_leave_room_for_a_leak_to_be_seen_in_the_working_set() {
    let families = families().iter().filter(|family| family.label == Label::Leaking);
    for family in families.filter(|family| family.name != "leak-beside-files") {
        for seed in SEEDS {
            let case = draw(family, seed);
            let of = |metric| case.readings.iter().filter(move |r| r.metric == metric);
            let (Some(limit), Some(first)) = (
                of(Metric::ContainerMemoryLimit).next(),
                of(Metric::ContainerMemoryWorkingSet).next(),
            ) else {
                continue;
            };
            assert!(first.value < 0.9 * limit.value, "{}: full from the start", case.service);
        }
    }
}

/// A metric that follows what leaks; none where a heap hides it.
fn footprint(case: &CorpusCase) -> Option<Metric> {
    let measured = |metric: &Metric| case.readings.iter().any(|r| r.metric == *metric);
    let choices = [Metric::ContainerMemoryAnon, Metric::ProcessMemoryRss];
    let hidden = case.runtime.fills_its_heap() && case.family != "leak-native-flat-heap";
    choices.into_iter().find(measured).filter(|_| !hidden)
}

#[test]
fn a_leak_that_kills_is_told_of_and_its_lives_are_alike() {
    let family = families().iter().find(|family| family.name == "leak-oom-kills").unwrap();
    for seed in SEEDS {
        let case = draw(family, seed);
        let ends = |change: &&plimsoll_model::Change| {
            change.kind == ChangeKind::OomKill || change.attributes.contains_key("signature")
        };
        let name = case.truth.instances[0].clone();
        let of_one = case.changes.iter().filter(|change| change.instance.as_ref() == Some(&name));
        let at: Vec<_> = of_one.filter(ends).map(|change| change.at).collect();
        assert!(at.len() >= 2, "{}: {} lives", case.service, at.len());
        assert!(case.truth.exhausted_at.is_some_and(|first| first <= at[0]));
    }
}

#[test]
fn the_blamed_change_is_among_the_events_and_begins_the_leak() {
    let blamed = all().filter(|(_, case)| case.truth.change.is_some());
    let mut count = 0;
    for (_, case) in blamed {
        let change = case.truth.change.clone().unwrap();
        assert!(case.changes.contains(&change), "{}", case.service);
        let delay = case.truth.onset.unwrap().since(change.at).as_hours_f64();
        assert!((-0.01..0.05 * hours(&case) + 0.4).contains(&delay), "{}: {delay}", case.service);
        count += 1;
    }
    assert!(count >= 15, "few families are about changes: {count}");
}

#[test]
fn every_runtime_takes_part_on_both_sides() {
    for label in [Label::Leaking, Label::Benign] {
        let cases = all().filter(|(_, case)| case.label == label);
        let runtimes: BTreeSet<Runtime> = cases.map(|(_, case)| case.runtime).collect();
        assert_eq!(runtimes.len(), Runtime::ALL.len(), "{label:?}");
    }
}
