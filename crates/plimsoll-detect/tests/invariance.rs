//! What must not change a verdict: where the clock starts, the unit of memory, the pace of time,
//! the order of the rows, and one more replica of the same.

use std::num::NonZeroUsize;

use plimsoll_detect::assess;
use plimsoll_model::{
    Cause, InstanceName, Metric, Reading, SeriesLimit, ServiceHistory, ServiceName, Span,
    Timestamp, Unit, Verdict,
};
use plimsoll_sim::families::{Case, Scale, benign, leaking};
use proptest::prelude::*;

fn any_case() -> impl Strategy<Value = Case> {
    (0_u64..1000, any::<bool>(), 0_usize..64).prop_map(|(seed, leaks, pick)| {
        let draw = if leaks { leaking } else { benign };
        let mut cases = draw(seed, Scale::TEN_MINUTES);
        cases.swap_remove(pick % cases.len())
    })
}

fn judge(case: &Case) -> (Verdict, Cause) {
    let found = assess(&case.history().expect("a case has readings"), case.assessed_at);
    (found.verdict, found.cause)
}

/// The same case with every moment moved by a rule.
fn in_time(mut case: Case, rule: impl Fn(Timestamp) -> Timestamp) -> Case {
    for reading in &mut case.readings {
        reading.at = rule(reading.at);
        if reading.metric == Metric::ProcessStartTime {
            let start = Timestamp::from_millis((reading.value * 1000.0) as i64);
            reading.value = rule(start).as_secs_f64();
        }
    }
    case.changes.iter_mut().for_each(|change| change.at = rule(change.at));
    case.assessed_at = rule(case.assessed_at);
    case
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn moving_the_clock_changes_nothing(case in any_case(), days in 1_i64..4000) {
        let moved = in_time(case.clone(), |at| at + Span::from_hours(24 * days));
        prop_assert_eq!(judge(&moved), judge(&case));
    }

    #[test]
    fn slower_time_changes_nothing(case in any_case(), factor in 2_i64..20) {
        let begin = case.readings[0].at;
        let slower = in_time(case.clone(), |at| {
            begin + Span::from_millis(at.since(begin).as_millis() * factor)
        });
        prop_assert_eq!(judge(&slower), judge(&case));
    }

    #[test]
    fn larger_memory_under_a_larger_limit_changes_nothing(case in any_case(), power in 1_i32..4) {
        let limited = |r: &Reading| r.metric == Metric::ContainerMemoryLimit;
        prop_assume!(case.readings.iter().any(limited));
        let mut larger = case.clone();
        for reading in larger.readings.iter_mut().filter(|r| r.metric.unit() == Unit::Bytes) {
            reading.value *= f64::powi(2.0, power);
        }
        prop_assert_eq!(judge(&larger), judge(&case));
    }

    #[test]
    fn repeated_rows_change_nothing(case in any_case(), every in 2_usize..9) {
        let mut doubled = case.clone();
        let again: Vec<_> = doubled.readings.iter().step_by(every).cloned().collect();
        doubled.readings.extend(again);
        doubled.readings.sort_by_key(|r| r.at);
        prop_assert_eq!(judge(&doubled), judge(&case));
    }

    #[test]
    fn rows_in_any_order_change_nothing(case in any_case(), seed in 0_u64..1000) {
        let mut shuffled = case.clone();
        fastrand::Rng::with_seed(seed).shuffle(&mut shuffled.readings);
        prop_assert_eq!(judge(&shuffled), judge(&case));
    }

    #[test]
    fn one_more_replica_of_the_same_changes_nothing(case in any_case()) {
        let name = InstanceName::new("another").expect("a short name is a name");
        let first = case.readings[0].instance.clone();
        let mut more = case.clone();
        let twin = |mut r: Reading| { r.instance = name.clone(); r };
        let twins: Vec<_> =
            case.readings.iter().filter(|r| r.instance == first).cloned().map(twin).collect();
        // A twin of one of several would change who is in the majority.
        prop_assume!(twins.len() == case.readings.len());
        prop_assume!(case.changes.iter().all(|change| change.instance.is_none()));
        more.readings.extend(twins);
        more.readings.sort_by_key(|r| r.at);
        prop_assert_eq!(judge(&more), judge(&case));
    }

    #[test]
    fn any_numbers_at_any_times_are_survived(
        rows in prop::collection::vec((0_i64..2000, 0_usize..70, -1e18_f64..1e18), 0..300),
        now in -10_i64..3000,
    ) {
        let service = ServiceName::new("any").expect("a short name is a name");
        let mut history = ServiceHistory::new(service.clone());
        let limit = SeriesLimit { samples: NonZeroUsize::MAX, lives: NonZeroUsize::MAX };
        for (secs, metric, value) in rows {
            let metric = Metric::ALL[metric % Metric::ALL.len()];
            let instance = InstanceName::new(&format!("i{}", secs % 3)).expect("short");
            let (at, service) = (Timestamp::from_secs(secs), service.clone());
            history.record(&Reading { at, service, version: None, instance, metric, value }, limit);
        }
        let found = assess(&history, Timestamp::from_secs(now));
        prop_assert!((0.0..=1.0).contains(&found.confidence));
        prop_assert!(!found.reason.is_empty());
        prop_assert!(found.growth.is_none_or(|growth| growth.per_hour.is_finite()));
    }
}
