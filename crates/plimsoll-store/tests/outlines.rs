//! Outlines are kept whole or not at all, together with what arrived after them.
#![expect(clippy::unwrap_used, reason = "a store that cannot be used fails its test")]

use std::collections::BTreeMap;

use plimsoll_model::*;
use plimsoll_store::{Arrival, Arrived, PackedOutlines, Store};

fn reading(service: &str, at: i64, value: f64) -> Reading {
    Reading {
        at: Timestamp::from_millis(at),
        service: ServiceName::new(service).unwrap(),
        version: None,
        instance: InstanceName::new("one").unwrap(),
        metric: Metric::ProcessMemoryRss,
        value,
    }
}

fn deploy(at: i64) -> Change {
    Change {
        at: Timestamp::from_millis(at),
        kind: ChangeKind::Deploy,
        service: ServiceName::new("orders").unwrap(),
        instance: None,
        version: Version::new("1.1").ok(),
        attributes: BTreeMap::new(),
    }
}

async fn arrivals(store: &Store) -> Vec<(Arrival, Arrived)> {
    let mut found = Vec::new();
    store.arrivals(|arrival, arrived| found.push((arrival, arrived.unwrap()))).await.unwrap();
    found
}

async fn reopened(store: Store) -> Store {
    let dir = store.dir().to_owned();
    store.close().await;
    Store::open(&dir).await.unwrap()
}

fn packed(service: &str, readings: &[Reading]) -> (ServiceHistory, PackedOutlines) {
    let service = ServiceName::new(service).unwrap();
    let limit = SeriesLimit::OUTLINES;
    let history = ServiceHistory::at_rest(service, readings.to_vec(), vec![], limit);
    let packed = PackedOutlines::of(&history);
    (history, packed)
}

#[tokio::test]
async fn what_arrived_comes_back_in_the_order_in_which_it_arrived() {
    let home = tempfile::tempdir().unwrap();
    let store = Store::open(home.path()).await.unwrap();
    let late = vec![reading("orders", 9000, 1.0), reading("orders", 2000, 2.0)];
    let again = vec![reading("orders", 9000, 1.0), reading("carts", 9000, -1.5)];
    let first = store.append(&late).await.unwrap();
    let second = store.append_changes(&[deploy(5000)]).await.unwrap();
    let third = store.append(&again).await.unwrap();
    assert!(Arrival::default() < first && first < second && second < third);
    let store = reopened(store).await;
    let want = [
        (first, Arrived::Readings(late)),
        (second, Arrived::Changes(vec![deploy(5000)])),
        (third, Arrived::Readings(again)),
    ];
    assert_eq!(arrivals(&store).await, want);
    assert_eq!(store.newest_arrival().await.unwrap(), third);
}

#[tokio::test]
async fn kept_outlines_replace_those_before_and_what_they_hold_is_forgotten_as_an_arrival() {
    let home = tempfile::tempdir().unwrap();
    let store = Store::open(home.path()).await.unwrap();
    let one = store.append(&[reading("orders", 1000, 1.0)]).await.unwrap();
    let two = store.append(&[reading("orders", 2000, 2.0)]).await.unwrap();
    let (_, before) = packed("orders", &[reading("orders", 1000, 1.0)]);
    store.keep_outlines(&[before], one, one).await.unwrap();
    assert_eq!(arrivals(&store).await.len(), 1);
    let (history, after) =
        packed("orders", &[reading("orders", 1000, 1.0), reading("orders", 2000, 2.0)]);
    let (other, carts) = packed("carts", &[reading("carts", 500, 2.0)]);
    store.keep_outlines(&[carts, after], two, two).await.unwrap();
    let store = reopened(store).await;
    assert!(arrivals(&store).await.is_empty());
    let kept = store.outlines(usize::MAX).await.unwrap();
    let found: Vec<_> = kept.iter().map(|kept| (&kept.service, kept.covered)).collect();
    assert_eq!(found, [(&history.service, two), (&other.service, two)]);
    assert_eq!(kept[0].history.as_ref().unwrap(), &history);
    // A number is never used again: the outlines would seem to hold what they do not.
    let three = store.append(&[reading("orders", 3000, 3.0)]).await.unwrap();
    assert!(three > two);
}

#[tokio::test]
async fn outlines_of_a_service_that_is_long_gone_are_forgotten() {
    let home = tempfile::tempdir().unwrap();
    let store = Store::open(home.path()).await.unwrap();
    let (_, old) = packed("orders", &[reading("orders", 1000, 1.0)]);
    let (_, new) = packed("carts", &[reading("carts", 9000, 1.0)]);
    store.keep_outlines(&[old, new], Arrival::default(), Arrival::default()).await.unwrap();
    store.forget_before(Timestamp::from_millis(5000)).await.unwrap();
    let kept = store.outlines(usize::MAX).await.unwrap();
    assert_eq!(kept.iter().map(|kept| kept.service.as_str()).collect::<Vec<_>>(), ["carts"]);
}

#[tokio::test]
async fn damaged_outlines_name_no_other_service() {
    let home = tempfile::tempdir().unwrap();
    let store = Store::open(home.path()).await.unwrap();
    let (history, good) = packed("carts", &[reading("carts", 9000, 1.0)]);
    let (_, mut bad) = packed("orders", &[reading("orders", 9500, 1.0)]);
    bad.record.pop();
    store.keep_outlines(&[good, bad], Arrival::default(), Arrival::default()).await.unwrap();
    let kept = store.outlines(usize::MAX).await.unwrap();
    let error = kept[0].history.as_ref().unwrap_err().to_string();
    assert!(error.starts_with("it is damaged at byte"), "{error}");
    assert_eq!(kept[1].history.as_ref().unwrap(), &history);
}

#[tokio::test]
async fn of_too_many_services_those_heard_of_last_come_back_and_the_others_stay() {
    let home = tempfile::tempdir().unwrap();
    let store = Store::open(home.path()).await.unwrap();
    let named = [("early", 1000), ("latest", 9000), ("later", 5000)];
    let kept = named.map(|(name, at)| packed(name, &[reading(name, at, 1.0)]).1);
    let one = store.append(&[reading("early", 1000, 1.0)]).await.unwrap();
    store.keep_outlines(&kept, one, one).await.unwrap();
    let found = store.outlines(2).await.unwrap();
    let found: Vec<_> = found.iter().map(|kept| kept.service.as_str()).collect();
    assert_eq!(found, ["latest", "later"]);
    let early = ServiceName::new("early").unwrap();
    assert_eq!(store.outlines_beyond(2).await.unwrap(), [(early, one)]);
    assert_eq!(store.outlines(3).await.unwrap().len(), 3);
}
