//! A fleet of independent leaks is a fleet of leaks; a collector that begins to count something
//! else is told as one.

use std::collections::BTreeMap;

use fastrand::Rng;
use plimsoll_detect::{Beginning, assess, beginning, shared_onset};
use plimsoll_model::{
    Assessment, Change, ChangeKind, InstanceName, Metric, Reading, SeriesLimit, ServiceHistory,
    ServiceName, SharedOnset, Span, Timestamp, Verdict,
};

const BEGIN: Timestamp = Timestamp::from_secs(1_780_000_000);
const STEP: Span = Span::from_mins(5);
const STEPS: i64 = 10 * 24 * 12;
const SERVICES: usize = 24;
const MIB: f64 = 1_048_576.0;

/// What is shown of a service: its number, the step, and what it really holds.
type Shown<'a> = dyn Fn(usize, i64, f64) -> f64 + 'a;

/// Services of different sizes, each with its own noise and a day curve of its own height.
fn fleet(seed: u64, shown: &Shown<'_>) -> Vec<ServiceHistory> {
    (0..SERVICES).map(|number| service(seed, number, shown)).collect()
}

fn service(seed: u64, number: usize, shown: &Shown<'_>) -> ServiceHistory {
    let mut rng = Rng::with_seed(seed * 1000 + number as u64);
    let service = ServiceName::new(&format!("service-{number}")).expect("short");
    let instance = InstanceName::new(&format!("service-{number}-0")).expect("short");
    let size = MIB * (100.0 + 900.0 * rng.f64());
    let day = 0.08 * rng.f64();
    let reading = |at, metric, value| Reading {
        at,
        service: service.clone(),
        version: None,
        instance: instance.clone(),
        metric,
        value,
    };
    let mut readings = Vec::new();
    for step in 0..STEPS {
        let at = moment(step);
        let of_day = (step as f64 / 288.0 * std::f64::consts::TAU).sin();
        let real = size * (1.0 + day * of_day + 0.01 * (rng.f64() - 0.5));
        readings.push(reading(at, Metric::ContainerMemoryLimit, 2.0 * size));
        readings.push(reading(at, Metric::ContainerMemoryAnon, shown(number, step, real)));
    }
    ServiceHistory::at_rest(service.clone(), readings, Vec::new(), SeriesLimit::OUTLINES)
}

struct Looked {
    assessments: Vec<Assessment>,
    beginnings: Vec<Beginning>,
    found: Option<SharedOnset>,
}

fn look(fleet: &[ServiceHistory]) -> Looked {
    let now = moment(STEPS);
    let assessments: Vec<_> = fleet.iter().map(|history| assess(history, now)).collect();
    let both = fleet.iter().zip(&assessments);
    let beginnings: Vec<_> = both.filter_map(|(history, said)| beginning(history, said)).collect();
    let found = shared_onset(&beginnings, now);
    Looked { assessments, beginnings, found }
}

fn leaking(looked: &Looked) -> usize {
    looked.assessments.iter().filter(|said| said.verdict == Verdict::Leaking).count()
}

/// Half of what a service holds, in ten days.
fn grown(real: f64, steps: i64) -> f64 {
    real * 0.5 * steps.max(0) as f64 / STEPS as f64
}

fn moment(step: i64) -> Timestamp {
    BEGIN + Span::from_millis(STEP.as_millis() * step)
}

#[test]
fn a_collector_that_begins_to_count_something_that_grows_is_told_with_its_moment() {
    for seed in 0..6 {
        let from = STEPS * (3 + seed as i64 % 4) / 10;
        let looked = look(&fleet(seed, &|_, step, real| real + grown(real, step - from)));
        let found = looked.found.unwrap_or_else(|| panic!("{seed}: {:?}", looked.beginnings));
        assert!(found.services.len() >= 8 && found.chance < 1e-6, "{seed}: {found:?}");
        let off = found.from.since(moment(from)).as_hours_f64();
        assert!(off.abs() < 7.2, "{seed}: {off} hours off of ten days");
        assert!(found.from <= found.to && found.reason.contains("collector"), "{found:?}");
    }
}

/// What is no growth needs no excuse: the detector knows a step by itself.
#[test]
fn a_collector_that_counts_more_from_one_moment_on_makes_nobody_leak() {
    for (seed, share) in [(0, 2), (1, 5), (2, 8), (3, 9)] {
        let from = STEPS * share / 10;
        let shown = |_, step, real: f64| if step >= from { real * 1.3 } else { real };
        let looked = look(&fleet(seed, &shown));
        assert_eq!((leaking(&looked), looked.found), (0, None), "{seed}");
    }
}

#[test]
fn leaks_that_began_at_moments_of_their_own_are_not_told_as_one() {
    for seed in 0..20 {
        let mut rng = Rng::with_seed(seed);
        let from: Vec<_> = (0..SERVICES).map(|_| rng.i64(0..STEPS)).collect();
        let looked =
            look(&fleet(seed, &|number, step, real| real + grown(real, step - from[number])));
        assert!(leaking(&looked) >= 5, "{seed}: {}", leaking(&looked));
        assert_eq!(looked.found, None, "{seed}");
    }
}

/// They all began together, and that says only that somebody began to look.
#[test]
fn leaks_as_old_as_what_is_known_of_them_are_not_told_as_one() {
    let looked = look(&fleet(7, &|_, step, real| real + grown(real, step)));
    assert!(leaking(&looked) >= 5, "{}", leaking(&looked));
    assert_eq!(looked.found, None, "{:?}", looked.beginnings);
}

#[test]
fn a_growth_with_a_change_of_its_own_begins_nothing() {
    let fleet = fleet(3, &|_, step, real| real + grown(real, step - STEPS / 2));
    let said = |history| (history, assess(history, moment(STEPS)));
    let mut begun = fleet.iter().map(said).filter(|(history, said)| {
        said.verdict == Verdict::Leaking && beginning(history, said).is_some()
    });
    let (history, found) = begun.next().expect("one of them leaks");
    let change = Change {
        at: moment(STEPS / 2),
        kind: ChangeKind::Deploy,
        service: found.service.clone(),
        instance: None,
        version: None,
        attributes: BTreeMap::new(),
    };
    let blamed = Assessment { suspected_change: Some(change), ..found };
    assert_eq!(beginning(history, &blamed), None);
}

fn beginnings(moments: impl Iterator<Item = (i64, i64)>) -> Vec<Beginning> {
    let begun = |(number, (at, watched)): (usize, (i64, i64))| Beginning {
        service: ServiceName::new(&format!("service-{number}")).expect("short"),
        at: moment(at),
        watched: Span::from_millis(STEP.as_millis() * watched),
    };
    moments.enumerate().map(begun).collect()
}

#[test]
fn chance_alone_is_told_as_rarely_as_it_is_declared() {
    let mut rng = Rng::with_seed(11);
    const DRAWS: usize = 20_000;
    let mut told = 0;
    for _ in 0..DRAWS {
        let count = rng.usize(5..60);
        // In every other fleet, half were watched for a part of the time only.
        let equal = rng.bool();
        let draw = (0..count).map(|_| {
            let watched = if equal || rng.bool() { STEPS } else { rng.i64(STEPS / 4..STEPS) };
            (STEPS - rng.i64(0..watched), watched)
        });
        let drawn = beginnings(draw.collect::<Vec<_>>().into_iter());
        told += usize::from(shared_onset(&drawn, moment(STEPS)).is_some());
    }
    assert!(told <= DRAWS / 1000, "{told} of {DRAWS}");
}

#[test]
fn five_of_a_moment_are_told_among_few_and_not_among_many() {
    let check = |together: i64, apart: i64, want: Option<usize>| {
        let at_once = (0..together).map(|_| (STEPS / 2, STEPS));
        let alone = (0..apart).map(|number| (STEPS * number / apart.max(1), STEPS));
        let found = shared_onset(&beginnings(at_once.chain(alone)), moment(STEPS));
        assert_eq!(found.map(|found| found.services.len()), want, "{together} and {apart}");
    };
    check(4, 0, None);
    check(5, 0, Some(5));
    check(5, 100, None);
    check(0, 0, None);
    check(3000, 0, Some(3000));
    // A window as long as the time watched holds everybody.
    let now = moment(STEPS);
    let brief = beginnings((0..50).map(|_| (STEPS - 1, 1)).chain([(STEPS - 30, STEPS)]));
    let found = shared_onset(&brief, now);
    assert!(found.is_none_or(|found| found.services.len() == 50));
    assert_eq!(shared_onset(&beginnings([(0, 0); 6].into_iter()), now), None);
}

#[test]
fn a_moment_is_found_among_any_number_of_services() {
    const MANY: i64 = 30_000;
    const TOGETHER: i64 = 3000;
    let check = |moments: Vec<(i64, i64)>, want: Option<std::ops::RangeInclusive<usize>>| {
        let found = shared_onset(&beginnings(moments.into_iter()), moment(STEPS));
        let count = found.as_ref().map(|found| found.services.len());
        let as_wanted = match (&want, count) {
            (Some(want), Some(count)) => want.contains(&count),
            (want, count) => want.is_none() && count.is_none(),
        };
        assert!(as_wanted, "{count:?}, not {want:?}");
        assert!(found.is_none_or(|found| found.chance < 1e-6));
    };
    let spread = |number: i64| (number * STEPS / MANY, STEPS);
    check((0..MANY).map(spread).collect(), None);
    // A tenth of them together, and whoever else falls into three in a hundred.
    let at_once = |number| if number % 10 == 0 { (STEPS / 2, STEPS) } else { spread(number) };
    let most = (TOGETHER + MANY * 4 / 100) as usize;
    check((0..MANY).map(at_once).collect(), Some(TOGETHER as usize..=most));
    check((0..MANY).map(|_| (STEPS / 2, STEPS)).collect(), Some(MANY as usize..=MANY as usize));
}

/// It can have begun nowhere else, so it says nothing, and it takes nothing from what the others say.
#[test]
fn a_service_watched_for_hours_hides_no_moment_of_those_watched_for_weeks() {
    let check = |young: i64, want: Option<usize>| {
        let old = (0..30).map(|number| (STEPS - 100 + 2 * number, STEPS));
        let brief = (0..young).map(|number| (STEPS - 70 - number, 80));
        let found = shared_onset(&beginnings(old.chain(brief)), moment(STEPS));
        assert_eq!(found.map(|found| found.services.len()), want, "{young} young ones");
    };
    check(0, Some(30));
    check(1, Some(30));
    check(3, Some(30));
}
