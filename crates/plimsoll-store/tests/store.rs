//! What was written into a data directory is there when it is opened again, and what cannot be
//! opened says why.
#![expect(clippy::unwrap_used, reason = "a store that cannot be used fails its test")]

use std::collections::BTreeMap;
use std::path::Path;

use plimsoll_model::*;
use plimsoll_store::{OpenError, ReadError, Store, WriteError};
use plimsoll_wire::incident::IncidentRecord;

fn reading(at: i64, instance: &str, version: Option<&str>, metric: Metric, value: f64) -> Reading {
    Reading {
        at: Timestamp::from_millis(at),
        service: ServiceName::new("orders").unwrap(),
        version: version.map(|version| Version::new(version).unwrap()),
        instance: InstanceName::new(instance).unwrap(),
        metric,
        value,
    }
}

fn rss(at: i64, value: f64) -> Reading {
    reading(at, "orders-0", Some("1.1.0"), Metric::ProcessMemoryRss, value)
}

async fn reopened(store: Store) -> Store {
    let dir = store.dir().to_owned();
    store.close().await;
    Store::open(&dir).await.unwrap()
}

async fn all(store: &Store) -> Vec<Reading> {
    since(store, i64::MIN).await
}

async fn since(store: &Store, at: i64) -> Vec<Reading> {
    let mut readings = Vec::new();
    store.replay(Timestamp::from_millis(at), |reading| readings.push(reading)).await.unwrap();
    readings
}

fn incident() -> Incident {
    let text = include_str!("../../plimsoll-wire/tests/fixtures/incident-format-1.json");
    serde_json::from_str::<IncidentRecord>(text).unwrap().try_into().unwrap()
}

#[tokio::test]
async fn readings_come_back_in_the_order_of_time_after_a_restart() {
    let home = tempfile::tempdir().unwrap();
    let store = Store::open(home.path()).await.unwrap();
    let late = reading(90_000, "orders-1", None, Metric::ProcessFds, 7.0);
    let start = reading(20_000, "orders-0", Some("1.1.0"), Metric::ProcessStartTime, 12.5);
    let far = rss(900_000_000, 3.0);
    store.append(&[far.clone(), rss(20_000, -0.1), rss(10_000, 1e300)]).await.unwrap();
    store.append(&[late.clone(), start.clone()]).await.unwrap();
    let store = reopened(store).await;
    let want = [rss(10_000, 1e300), start, rss(20_000, -0.1), late, far];
    assert_eq!(all(&store).await, want);
    assert_eq!(since(&store, 20_001).await, want[3..]);
}

#[tokio::test]
async fn a_batch_that_is_sent_again_changes_nothing_and_a_corrected_value_replaces() {
    let home = tempfile::tempdir().unwrap();
    let store = Store::open(home.path()).await.unwrap();
    let unversioned = reading(1, "orders-0", None, Metric::ProcessMemoryRss, 9.0);
    let batch = [rss(1, 1.0), rss(2, 2.0), unversioned.clone()];
    store.append(&batch).await.unwrap();
    store.append(&batch).await.unwrap();
    let store = reopened(store).await;
    store.append(&batch).await.unwrap();
    store.append(&[rss(2, 5.0)]).await.unwrap();
    assert_eq!(all(&store).await, [rss(1, 1.0), unversioned, rss(2, 5.0)]);
}

#[tokio::test]
async fn a_server_can_do_all_of_it_in_tasks_of_its_own() {
    fn check<T: Send + 'static>(task: impl Future<Output = T> + Send) {
        drop(task);
    }
    let home = tempfile::tempdir().unwrap();
    let store = Store::open(home.path()).await.unwrap();
    let (at, service) = (Timestamp::from_secs(0), ServiceName::new("orders").unwrap());
    check(store.replay(at, |_| ()));
    check(store.series(&service, Metric::ProcessFds, at, at));
    check(store.forget_before(at));
    check(store.incidents());
    check(store.changes_since(at));
}

#[tokio::test]
async fn a_large_batch_is_kept_whole_and_one_bad_value_keeps_all_of_it_out() {
    let home = tempfile::tempdir().unwrap();
    let store = Store::open(home.path()).await.unwrap();
    let mut batch: Vec<_> = (0..3000).map(|at| rss(at * 1000, at as f64)).collect();
    store.append(&batch).await.unwrap();
    assert_eq!(all(&store).await, batch);
    batch[2999].value = f64::NAN;
    batch.iter_mut().for_each(|reading| reading.at = Timestamp::from_millis(1));
    let refused = store.append(&batch).await;
    assert!(matches!(refused, Err(WriteError::NotFinite { index: 2999 })));
    assert_eq!(all(&store).await.len(), 3000);
}

#[tokio::test]
async fn a_curve_is_that_of_one_metric_of_each_instance_and_version() {
    let home = tempfile::tempdir().unwrap();
    let store = Store::open(home.path()).await.unwrap();
    let metric = Metric::RuntimeHeapLive;
    let ever = (Timestamp::from_millis(i64::MIN), Timestamp::from_millis(i64::MAX));
    let service = ServiceName::new("orders").unwrap();
    assert_eq!(store.series(&service, metric, ever.0, ever.1).await.unwrap(), []);
    let batch = [
        reading(0, "orders-0", Some("1.0"), metric, 0.0),
        reading(1, "orders-1", Some("1.0"), metric, 1.0),
        reading(2, "orders-0", Some("1.1"), metric, 2.0),
        reading(3, "orders-0", Some("1.0"), metric, 3.0),
        reading(4, "orders-0", Some("1.0"), metric, 4.0),
        reading(5, "orders-0", Some("1.0"), metric, 5.0),
        rss(3, 99.0),
    ];
    store.append(&batch).await.unwrap();
    let (from, to) = (Timestamp::from_millis(2), Timestamp::from_millis(5));
    let curves = store.series(&service, metric, from, to).await.unwrap();
    let none = store.series(&service, metric, to, from).await.unwrap();
    assert_eq!(none, []);
    let years_off = reading(i64::MAX / 1_000_000, "orders-0", Some("1.0"), metric, 6.0);
    store.append(&[years_off]).await.unwrap();
    let curves_ever = store.series(&service, metric, ever.0, ever.1).await.unwrap();
    let lens: Vec<_> = curves_ever.iter().map(|curve| curve.series.samples().len()).collect();
    assert_eq!(lens, [5, 1, 1]);
    let seen: Vec<_> = curves
        .iter()
        .map(|curve| {
            let values = curve.series.samples().iter().map(|sample| sample.value as i64);
            let version = curve.version.as_ref().unwrap();
            (curve.instance.as_str(), version.as_str(), values.collect::<Vec<_>>())
        })
        .collect();
    assert_eq!(seen, [("orders-0", "1.0", vec![3, 4]), ("orders-0", "1.1", vec![2])]);
}

#[tokio::test]
async fn what_is_forgotten_is_gone_and_what_is_newer_stays() {
    let home = tempfile::tempdir().unwrap();
    let store = Store::open(home.path()).await.unwrap();
    let gone = reading(1, "orders-9", None, Metric::ProcessFds, 1.0);
    store.append(&[rss(1, 1.0), rss(2, 2.0), rss(3, 3.0), gone.clone()]).await.unwrap();
    store.append_changes(&[change(1), change(3)]).await.unwrap();
    assert_eq!(store.forget_before(Timestamp::from_millis(3)).await.unwrap(), 3);
    assert_eq!(all(&store).await, [rss(3, 3.0)]);
    assert_eq!(store.changes_since(Timestamp::from_millis(0)).await.unwrap(), [change(3)]);
    store.append(std::slice::from_ref(&gone)).await.unwrap();
    assert_eq!(all(&store).await, [gone, rss(3, 3.0)]);
    let (days, later) = (3 * 86_400_000, rss(3 * 86_400_000 + 1, 4.0));
    assert_eq!(store.forget_before(Timestamp::from_millis(days)).await.unwrap(), 2);
    assert_eq!(all(&store).await, []);
    store.append(std::slice::from_ref(&later)).await.unwrap();
    assert_eq!(all(&reopened(store).await).await, [later]);
}

fn change(at: i64) -> Change {
    Change {
        at: Timestamp::from_millis(at),
        kind: ChangeKind::Deploy,
        service: ServiceName::new("orders").unwrap(),
        instance: None,
        version: Version::new("1.1.0").ok(),
        attributes: BTreeMap::from([("by".into(), "pipeline".into())]),
    }
}

#[tokio::test]
async fn a_change_that_is_told_twice_is_one_change() {
    let home = tempfile::tempdir().unwrap();
    let store = Store::open(home.path()).await.unwrap();
    store.append_changes(&[change(7), change(5), change(7)]).await.unwrap();
    store.append_changes(&[change(5)]).await.unwrap();
    let store = reopened(store).await;
    let changes = store.changes_since(Timestamp::from_millis(5)).await.unwrap();
    assert_eq!(changes, [change(5), change(7)]);
    assert_eq!(store.changes_since(Timestamp::from_millis(6)).await.unwrap(), [change(7)]);
}

#[tokio::test]
async fn an_incident_is_the_one_that_was_saved_last() {
    let home = tempfile::tempdir().unwrap();
    let store = Store::open(home.path()).await.unwrap();
    store.save_incident(&incident()).await.unwrap();
    let parked = Incident {
        state: IncidentState::Parked { reason: "nobody answered".into() },
        ..incident()
    };
    store.save_incident(&parked).await.unwrap();
    let other = Incident { id: IncidentId::new("inc-other").unwrap(), ..incident() };
    store.save_incident(&other).await.unwrap();
    let store = reopened(store).await;
    assert_eq!(store.incidents().await.unwrap(), [parked, other]);
}

#[tokio::test]
async fn an_alert_stands_through_a_restart_until_it_is_ended() {
    let home = tempfile::tempdir().unwrap();
    let store = Store::open(home.path()).await.unwrap();
    let alert = |name: &str, level| Alert {
        service: ServiceName::new(name).unwrap(),
        level,
        urgency: Urgency::Ticket,
        raised_at: Timestamp::from_secs(1),
        told_at: None,
        steady_since: Some(Timestamp::from_secs(2)),
        undecided_since: None,
    };
    let (orders, cart) =
        (alert("orders", AlertLevel::Suspect), alert("cart", AlertLevel::Probable));
    store.save_alert(&orders.service, Some(&orders)).await.unwrap();
    store.save_alert(&cart.service, Some(&cart)).await.unwrap();
    let worse = alert("orders", AlertLevel::Confirmed);
    store.save_alert(&worse.service, Some(&worse)).await.unwrap();
    let store = reopened(store).await;
    assert_eq!(store.alerts().await.unwrap(), [cart.clone(), worse.clone()]);
    store.save_alert(&cart.service, None).await.unwrap();
    let store = reopened(store).await;
    assert_eq!(store.alerts().await.unwrap(), [worse]);
}

#[tokio::test]
async fn a_directory_belongs_to_one_server() {
    let home = tempfile::tempdir().unwrap();
    let store = Store::open(home.path()).await.unwrap();
    let error = Store::open(home.path()).await.unwrap_err();
    let want = format!("in use by process {};", std::process::id());
    assert!(matches!(error, OpenError::Locked { .. }), "{error}");
    assert!(error.to_string().contains(&want), "{error}");
    store.close().await;
    Store::open(home.path()).await.unwrap();
}

#[tokio::test]
async fn the_database_is_for_its_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let home = tempfile::tempdir().unwrap();
    let store = Store::open(&home.path().join("new")).await.unwrap();
    store.append(&[rss(1, 1.0)]).await.unwrap();
    for file in std::fs::read_dir(store.dir()).unwrap() {
        let file = file.unwrap();
        let mode = file.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{}", file.path().display());
    }
}

fn overwrite(path: &Path, from: usize, len: usize) {
    let mut bytes = std::fs::read(path).unwrap();
    let to = (from + len).min(bytes.len());
    bytes[from..to].fill(0xa5);
    std::fs::write(path, bytes).unwrap();
}

#[tokio::test]
async fn a_file_that_is_not_a_database_is_named() {
    let home = tempfile::tempdir().unwrap();
    let store = Store::open(home.path()).await.unwrap();
    store.close().await;
    overwrite(&home.path().join("plimsoll.db"), 0, 100);
    let error = Store::open(home.path()).await.unwrap_err();
    assert!(matches!(error, OpenError::Corrupt { .. }), "{error:?}");
    assert!(error.to_string().contains("plimsoll.db` is damaged"), "{error}");
}

#[tokio::test]
async fn damage_inside_the_database_is_an_error_and_not_a_missing_curve() {
    let home = tempfile::tempdir().unwrap();
    let store = Store::open(home.path()).await.unwrap();
    let batch: Vec<_> = (0..20_000).map(|at| rss(at, 0.5)).collect();
    store.append(&batch).await.unwrap();
    store.close().await;
    let path = home.path().join("plimsoll.db");
    let size = std::fs::metadata(&path).unwrap().len() as usize;
    overwrite(&path, 40 * 4096, size);
    let store = Store::open(home.path()).await.unwrap();
    let read = store.replay(Timestamp::from_millis(0), |_| ()).await;
    assert!(matches!(read, Err(ReadError::Corrupt(_))), "{read:?}");
}

#[tokio::test]
async fn appends_that_meet_are_all_kept_and_one_that_is_given_up_leaves_nothing_locked() {
    let home = tempfile::tempdir().unwrap();
    let store = std::sync::Arc::new(Store::open(home.path()).await.unwrap());
    let appends = (0..40).map(|at| {
        let store = std::sync::Arc::clone(&store);
        tokio::spawn(async move { store.append(&[rss(at, at as f64)]).await })
    });
    for (number, append) in appends.collect::<Vec<_>>().into_iter().enumerate() {
        if number % 4 == 3 {
            append.abort();
            drop(append.await);
        } else {
            append.await.unwrap().unwrap();
        }
    }
    store.append(&[rss(1000, 1.0)]).await.unwrap();
    let kept = all(&store).await;
    for at in (0..40).filter(|at| at % 4 != 3).chain([1000]) {
        assert!(kept.iter().any(|reading| reading.at.as_millis() == at), "{at}");
    }
}
