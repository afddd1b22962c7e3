//! Tests of how samples are gathered and become histories.

use plimsoll_model::{InstanceName, Metric, SeriesLimit, Version};

use super::*;

fn reading(at: i64, instance: &str, version: &str, value: f64) -> Reading {
    Reading {
        at: Timestamp::from_secs(at),
        service: ServiceName::new("orders").unwrap(),
        version: Version::new(version).ok(),
        instance: InstanceName::new(instance).unwrap(),
        metric: Metric::ProcessMemoryRss,
        value,
    }
}

fn gathered(readings: Vec<Reading>, until: Option<i64>) -> Gathered {
    let mut telemetry = Telemetry::default();
    readings.into_iter().for_each(|reading| telemetry.add(reading));
    let part = telemetry.parts(&BTreeMap::new()).remove(0);
    part.gather(SeriesLimit::OUTLINES, until.map(Timestamp::from_secs))
}

#[test]
fn a_row_is_small() {
    assert_eq!(size_of::<Row>(), 24);
}

#[test]
fn rows_in_any_order_become_the_lives_that_they_are_of() {
    let mut readings = Vec::new();
    for at in [4, 1, 3, 2, 3] {
        let version = if at < 3 { "1" } else { "2" };
        readings.push(reading(at, "b", version, at as f64));
        readings.push(reading(at + 10, "a", "2", 1.0));
    }
    let Gathered { history, series, samples, span } = gathered(readings, None);
    assert_eq!((series, samples), (2, 8), "a repeated row is one sample");
    let lives: Vec<_> = history.lives.iter().map(|life| life.instance.as_str()).collect();
    assert_eq!(lives, ["b", "b", "a"], "oldest first");
    assert_eq!(span, Some((Timestamp::from_secs(1), Timestamp::from_secs(14))));
}

#[test]
fn repeats_count_where_they_are_lowest_in_any_order() {
    let told = |values: [f64; 3]| {
        gathered(values.map(|value| reading(5, "a", "1", value)).into(), None).history
    };
    assert_eq!(told([1.0, 3.0, 2.0]), told([3.0, 2.0, 1.0]));
    let life = &told([1.0, 3.0, 2.0]).lives[0];
    assert_eq!(life.latest(Metric::ProcessMemoryRss), Some(1.0));
}

#[test]
fn what_lies_behind_a_moment_is_not_in_the_history() {
    let readings = [1, 2, 900].map(|at| reading(at, "a", "1", at as f64));
    let Gathered { history, samples, span, .. } = gathered(readings.to_vec(), Some(2));
    assert_eq!(samples, 2);
    assert_eq!(history.last_seen(), Some(Timestamp::from_secs(2)));
    assert_eq!(span, Some((Timestamp::from_secs(1), Timestamp::from_secs(2))));
    let before = gathered(readings.to_vec(), Some(0));
    assert_eq!((before.history.lives.len(), before.series, before.span), (0, 0, None));
}

#[test]
fn what_comes_from_the_future_can_be_dropped() {
    let mut telemetry = Telemetry::default();
    for at in [1, 2, 900] {
        telemetry.add(reading(at, "a", "1", 0.0));
    }
    assert_eq!(telemetry.count_after(Timestamp::from_secs(2)), 1);
    telemetry.drop_after(Timestamp::from_secs(2));
    assert_eq!(telemetry.newest(), Some(Timestamp::from_secs(2)));
    telemetry.drop_after(Timestamp::from_secs(0));
    assert_eq!(telemetry.services(), 0);
}

#[test]
fn only_what_is_expected_is_taken() {
    let named = |name: &str, at| {
        let service = ServiceName::new(name).unwrap();
        Reading { service, ..reading(at, "a", "1", 0.0) }
    };
    let mut batch = Batch::default();
    for (name, at) in [("cart", 1), ("orders", 1), ("orders", 2), ("stock", 1), ("orders", 1)] {
        batch.add(named(name, at));
    }
    let expected = ["orders", "stock"].map(|name| ServiceName::new(name).unwrap());
    let mut telemetry = Telemetry::expecting(expected.iter().map(|name| (name, 1)), 10);
    let until = Some(Timestamp::from_secs(1));
    let wanted = |teller: &Teller| teller.service.as_str() != "stock";
    telemetry.take_expected(&batch, until, &wanted);
    assert_eq!((telemetry.gathered(), telemetry.services()), (2, 2));
    let rows: Vec<_> = telemetry.services.iter().map(|service| service.rows.len()).collect();
    assert_eq!(rows, [2, 0]);
}

#[test]
fn many_samples_at_once_are_what_one_by_one_are() {
    let mut batch = Batch::default();
    let mut one_by_one = Telemetry::default();
    for at in 0..200 {
        let instance = ["a", "b", "c"][at as usize * 7 % 3];
        let mut reading = reading(at, instance, ["1", "2"][at as usize / 150], at as f64);
        reading.service = ServiceName::new(["cart", "orders"][at as usize / 9 % 2]).unwrap();
        batch.add(reading.clone());
        one_by_one.add(reading);
    }
    let mut at_once = Telemetry::default();
    at_once.take(&batch, &mut |_| true);
    assert_eq!(at_once.gathered(), one_by_one.gathered());
    let histories = |telemetry: Telemetry| {
        let parts = telemetry.parts(&BTreeMap::new()).into_iter();
        let histories = parts.map(|part| part.gather(SeriesLimit::OUTLINES, None).history);
        histories.collect::<Vec<_>>()
    };
    assert_eq!(histories(at_once), histories(one_by_one));
}
