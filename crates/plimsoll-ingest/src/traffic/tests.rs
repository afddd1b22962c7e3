//! Tests of the traffic: what spans say about load, when it is said, and what bounds it.

use proptest::prelude::*;

use super::*;

const NOW: Timestamp = Timestamp::from_secs(1_780_000_000);

/// A server span from `start` to `end`, in seconds relative to `NOW`.
fn span(instance: &str, start: f64, end: f64) -> SpanSeen {
    let at = |secs: f64| (1_780_000_000_i64 * 1_000_000_000 + (secs * 1e9) as i64) as u64;
    SpanSeen {
        service: ServiceName::new("orders").unwrap(),
        version: None,
        instance: InstanceName::new(instance).unwrap(),
        kind: SpanKind::Server,
        start_nanos: at(start),
        end_nanos: at(end),
        error: false,
        peer: None,
    }
}

fn record(traffic: &mut Traffic, span: &SpanSeen, secs: i64) -> Option<Reason> {
    traffic.record(span, NOW + Span::from_secs(secs)).err().map(|rejection| rejection.reason)
}

fn values(readings: &[Reading], metric: Metric) -> Vec<(i64, f64)> {
    let of_metric = readings.iter().filter(|reading| reading.metric == metric);
    of_metric.map(|reading| (reading.at.since(NOW).as_millis() / 1000, reading.value)).collect()
}

#[test]
fn an_interval_tells_rate_errors_latency_and_work_in_flight() {
    let mut traffic = Traffic::new(TrafficLimits::default());
    for index in 0..100 {
        let start = f64::from(index) * 0.04;
        let mut one = span("orders-0", start, start + 0.1);
        one.error = index < 10;
        assert_eq!(record(&mut traffic, &one, 5), None);
    }
    assert_eq!(traffic.settle(NOW + Span::from_secs(14)), [], "spans may still come");
    let readings = traffic.settle(NOW + Span::from_secs(15));
    assert_eq!(values(&readings, Metric::ServiceRequestsRate), [(5, 20.0)]);
    assert_eq!(values(&readings, Metric::ServiceRequestsErrors), [(5, 2.0)]);
    let [(5, in_flight)] = values(&readings, Metric::ServiceRequestsInFlight)[..] else {
        panic!("{readings:?}")
    };
    assert!((in_flight - 100.0 * 0.1 / 5.0).abs() < 1e-6, "Little's law: {in_flight}");
    for metric in [Metric::ServiceLatencyP50, Metric::ServiceLatencyP99] {
        let [(5, latency)] = values(&readings, metric)[..] else { panic!("{readings:?}") };
        assert!((latency - 0.1).abs() < 0.1 * 0.021, "{metric}: {latency}");
    }
    assert!(readings.iter().all(|reading| reading.version.is_none()));
}

#[test]
fn a_long_request_is_in_flight_in_every_interval_and_counts_once() {
    let mut traffic = Traffic::new(TrafficLimits::default());
    let _ = traffic.settle(NOW);
    assert_eq!(record(&mut traffic, &span("a", 0.0, 1.0), 1), None);
    assert_eq!(record(&mut traffic, &span("a", 2.5, 12.5), 13), None);
    let readings = traffic.settle(NOW + Span::from_secs(25));
    let in_flight = values(&readings, Metric::ServiceRequestsInFlight);
    assert_eq!(in_flight, [(5, 0.7), (10, 1.0), (15, 0.5)]);
    let rate = values(&readings, Metric::ServiceRequestsRate);
    assert_eq!(rate, [(5, 0.2), (10, 0.0), (15, 0.2)]);
    assert_eq!(values(&readings, Metric::ServiceLatencyP50).len(), 2, "no latency of nothing");
}

#[test]
fn a_late_span_counts_until_its_interval_is_settled() {
    let mut traffic = Traffic::new(TrafficLimits::default());
    assert_eq!(record(&mut traffic, &span("a", 1.0, 2.0), 14), None);
    assert_eq!(
        values(&traffic.settle(NOW + Span::from_secs(15)), Metric::ServiceRequestsRate).len(),
        1
    );
    let late = record(&mut traffic, &span("a", 1.0, 2.0), 15);
    assert_eq!(late, Some(Reason::SpanTooLate));
    assert_eq!(traffic.settle(NOW + Span::from_secs(15)), [], "an interval is settled once");
}

#[test]
fn client_spans_are_not_traffic_of_a_server() {
    let mut traffic = Traffic::new(TrafficLimits::default());
    let mut client = span("a", 1.0, 2.0);
    client.kind = SpanKind::Client;
    assert_eq!(record(&mut traffic, &client, 2), None);
    assert_eq!((traffic.client_spans(), traffic.instances()), (1, 0));
    assert_eq!(traffic.settle(NOW + Span::from_secs(60)), []);
}

#[test]
fn a_quiet_instance_reports_zeros_and_is_then_forgotten() {
    let mut traffic = Traffic::new(TrafficLimits::default());
    assert_eq!(record(&mut traffic, &span("a", 1.0, 2.0), 2), None);
    let readings = traffic.settle(NOW + Span::from_secs(60));
    let rate = values(&readings, Metric::ServiceRequestsRate);
    assert_eq!((rate.len(), rate.last()), (10, Some(&(50, 0.0))));
    let _ = traffic.settle(NOW + Span::from_secs(200));
    assert_eq!(traffic.instances(), 0);
    assert_eq!(traffic.settle(NOW + Span::from_secs(260)), []);
}

#[test]
fn instances_over_the_bound_are_refused_and_known_ones_are_not() {
    let instances = NonZeroUsize::new(1).unwrap();
    let mut traffic = Traffic::new(TrafficLimits { instances, ..TrafficLimits::default() });
    assert_eq!(record(&mut traffic, &span("a", 1.0, 2.0), 2), None);
    let other = record(&mut traffic, &span("b", 1.0, 2.0), 2);
    assert_eq!(other, Some(Reason::TooManyInstances));
    assert_eq!(record(&mut traffic, &span("a", 1.0, 2.0), 2), None);
}

#[test]
fn spans_with_impossible_times_are_refused() {
    let mut traffic = Traffic::new(TrafficLimits::default());
    let backwards = record(&mut traffic, &span("a", 2.0, 1.0), 2);
    assert_eq!(backwards, Some(Reason::ImpossibleSpan));
    let ahead = record(&mut traffic, &span("a", 1.0, 1000.0), 2);
    assert_eq!(ahead, Some(Reason::TimeInFuture));
    let ancient = SpanSeen { start_nanos: 0, end_nanos: 1_000_000, ..span("a", 0.0, 0.0) };
    assert_eq!(record(&mut traffic, &ancient, 2), Some(Reason::SpanTooLate));
}

#[test]
fn a_month_without_settling_and_a_jump_of_the_clock_stay_bounded() {
    let mut traffic = Traffic::new(TrafficLimits::default());
    for hour in 0..720 {
        let start = f64::from(hour) * 3600.0;
        let _ =
            record(&mut traffic, &span("a", start, start + 3000.0), i64::from(hour) * 3600 + 3000);
    }
    let open: usize = traffic.flows.values().map(|flow| flow.open.len()).sum();
    let readings = traffic.settle(NOW + Span::from_hours(721));
    assert!(readings.len() <= 5 * CATCH_UP_MAX as usize, "{}", readings.len());
    assert!(open <= 200, "{open}");
    assert_eq!(traffic.settle(NOW), [], "a clock that is set back settles nothing twice");
}

#[test]
fn a_clock_that_jumped_ahead_and_back_does_not_refuse_what_comes_now() {
    let mut traffic = Traffic::new(TrafficLimits::default());
    traffic.settle(NOW + Span::from_hours(3));
    assert_eq!(record(&mut traffic, &span("orders-0", 1.0, 1.1), 5), None);
    let readings = traffic.settle(NOW + Span::from_secs(15));
    assert_eq!(values(&readings, Metric::ServiceRequestsRate), [(5, 0.2)]);
}

#[test]
fn a_day_of_traffic_runs_in_flat_memory() {
    let mut traffic = Traffic::new(TrafficLimits::default());
    for secs in 0..86_400_i32 {
        let start = f64::from(secs);
        let instance = format!("pod-{}", secs / 60);
        let _ = record(&mut traffic, &span(&instance, start, start + 0.2), i64::from(secs) + 1);
        let _ = traffic.settle(NOW + Span::from_secs(i64::from(secs) + 1));
        assert!(traffic.instances() <= 5, "{}", traffic.instances());
        let open = traffic.flows.values().map(|flow| flow.open.len()).max();
        assert!(open.unwrap_or(0) <= 13, "{open:?}");
    }
}

proptest! {
    #[test]
    fn no_span_and_no_clock_makes_it_panic(
        spans in proptest::collection::vec((any::<u64>(), any::<u64>(), any::<i64>()), 0..20),
    ) {
        let mut traffic = Traffic::new(TrafficLimits::default());
        for (start_nanos, end_nanos, now) in spans {
            let one = SpanSeen { start_nanos, end_nanos, ..span("a", 0.0, 0.0) };
            let now = Timestamp::from_millis(now);
            let taken = traffic.record(&one, now).is_ok();
            prop_assert!(!taken || start_nanos <= end_nanos);
            let readings = traffic.settle(now);
            prop_assert!(readings.iter().all(|reading| reading.value.is_finite()));
        }
    }

    #[test]
    fn quantiles_are_right_within_two_percent(
        mut durations in proptest::collection::vec(1_000_u64..100_000_000_000, 1..200),
    ) {
        let mut sketch = Durations::default();
        durations.iter().for_each(|nanos| sketch.add(*nanos));
        durations.sort_unstable();
        for quantile in [0.5, 0.99] {
            let rank = (quantile * durations.len() as f64).ceil() as usize;
            let exact = durations[rank - 1] as f64 / 1e9;
            let got = sketch.quantile_secs(quantile).unwrap();
            prop_assert!((got - exact).abs() <= exact * 0.0201, "{got} {exact}");
        }
    }
}
