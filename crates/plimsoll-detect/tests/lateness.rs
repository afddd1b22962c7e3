//! What comes a little late changes no verdict: samples, starts of processes, and restarts that are
//! told after the first samples of the new life. A scan sorts, so it is what is right.

use std::num::NonZeroUsize;

use plimsoll_detect::assess;
use plimsoll_model::{
    Cause, Change, ChangeKind, InstanceName, Metric, Reading, SeriesLimit, ServiceHistory,
    ServiceName, Span, Timestamp, Verdict,
};
use plimsoll_sim::families::{Case, Scale, benign, leaking};
use proptest::prelude::*;

/// As a server has it.
const LIMIT: SeriesLimit = SeriesLimit {
    samples: NonZeroUsize::new(2048).unwrap(),
    lives: NonZeroUsize::new(256).unwrap(),
};

/// Samples are a second apart, and eight wait for earlier ones.
const LATE_MILLIS_MAX: i64 = 8000;

fn any_case() -> impl Strategy<Value = Case> {
    (0_u64..1000, any::<bool>(), 0_usize..64).prop_map(|(seed, leaks, pick)| {
        let draw = if leaks { leaking } else { benign };
        let mut cases = draw(seed, Scale::TEN_MINUTES);
        cases.swap_remove(pick % cases.len())
    })
}

enum Told {
    Reading(Reading),
    Change(Change),
}

/// Everything in the order in which it arrives: one in so many is late.
fn streamed(case: &Case, seed: u64, one_in: u32) -> ServiceHistory {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut late = |at: Timestamp| match random.u32(0..one_in) {
        0 => at + Span::from_millis(random.i64(0..LATE_MILLIS_MAX)),
        _ => at,
    };
    let mut told = Vec::new();
    for change in &case.changes {
        told.push(((late(change.at), change.at, 0), Told::Change(change.clone())));
    }
    for reading in &case.readings {
        let rank = 1 + reading.metric.rank();
        told.push(((late(reading.at), reading.at, rank), Told::Reading(reading.clone())));
    }
    told.sort_by_key(|(place, _)| *place);
    let mut history = ServiceHistory::new(case.readings[0].service.clone());
    for (_, told) in told {
        match told {
            Told::Reading(reading) => history.record(&reading, LIMIT),
            Told::Change(change) => history.change(change),
        }
    }
    history
}

fn brief(history: &ServiceHistory, at: Timestamp) -> (Verdict, Cause, Option<Change>) {
    let found = assess(history, at);
    (found.verdict, found.cause, found.suspected_change)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_comes_a_little_late_changes_no_verdict(
        case in any_case(), seed in any::<u64>(), one_in in 1_u32..40,
    ) {
        let at_rest = case.history().expect("a case has readings");
        let streamed = streamed(&case, seed, one_in);
        prop_assert_eq!(brief(&streamed, case.assessed_at), brief(&at_rest, case.assessed_at));
    }

    #[test]
    fn a_restart_that_is_told_late_is_still_a_restart(
        begins in 100_i64..900, late in 0_i64..400, seed in any::<u64>(),
    ) {
        let (service, name) = (ServiceName::new("any"), InstanceName::new("any-0"));
        let (service, name) = (service.expect("a name"), name.expect("a name"));
        let mut random = fastrand::Rng::with_seed(seed);
        let mut value = 1e8;
        let readings: Vec<_> = (0..1000).map(|secs| {
            value = if secs == begins { 1e8 } else { value + 1e5 * random.f64() };
            let at = Timestamp::from_secs(secs);
            let (service, instance) = (service.clone(), name.clone());
            let metric = Metric::ProcessMemoryRss;
            Reading { at, service, version: None, instance, metric, value }
        }).collect();
        let change = Change {
            at: Timestamp::from_secs(begins),
            kind: ChangeKind::Restart,
            service: service.clone(),
            instance: Some(name),
            version: None,
            attributes: std::collections::BTreeMap::new(),
        };
        let told_at = (begins + late).min(1000) as usize;
        let mut streamed = ServiceHistory::new(service.clone());
        readings[..told_at].iter().for_each(|reading| streamed.record(reading, LIMIT));
        streamed.change(change.clone());
        readings[told_at..].iter().for_each(|reading| streamed.record(reading, LIMIT));
        let at_rest = ServiceHistory::at_rest(service, readings, vec![change], LIMIT);
        prop_assert_eq!(streamed.lives.len(), 2);
        for (one, other) in streamed.lives.iter().zip(&at_rest.lives) {
            let samples = |life: &plimsoll_model::Life| {
                life.series(Metric::ProcessMemoryRss).map_or(0, |series| series.outline().samples())
            };
            // What is beyond the samples that wait is cut between cells.
            prop_assert!(samples(one).abs_diff(samples(other)) <= 8);
            prop_assert!((one.started_at.since(other.started_at)).as_secs_f64().abs() <= 8.0);
        }
        let at = Timestamp::from_secs(1000);
        // Beyond that a verdict that stands on an edge may fall to the other side.
        if late <= 8 {
            prop_assert_eq!(brief(&streamed, at), brief(&at_rest, at));
        }
    }
}
