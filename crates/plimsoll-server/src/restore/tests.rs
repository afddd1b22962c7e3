//! A server that goes on after a kill holds the very outlines of one that was never stopped.

use std::future::poll_fn;
use std::task::Poll;

use plimsoll_model::{ChangeKind, InstanceName, Life, Metric};
use plimsoll_sim::corpus::{CorpusCase, draw, families};

use super::*;
use crate::keeper::Unkept;

/// Samples of one batch; a case has some ten thousand.
const BATCH: usize = 500;

/// What arrives at once.
enum Parcel {
    Readings(Vec<Reading>),
    Changes(Vec<Change>),
}

/// The arrivals of a case in their order: changes between the readings of their time.
fn parcels(case: &CorpusCase) -> Vec<(Timestamp, Parcel)> {
    let mut parcels = Vec::new();
    let mut changes = case.changes.as_slice();
    let mut now = Timestamp::from_millis(i64::MIN);
    for readings in case.readings.chunks(BATCH) {
        let told = changes.partition_point(|change| change.at <= readings[0].at);
        let (due, later) = changes.split_at(told);
        changes = later;
        if !due.is_empty() {
            parcels.push((now.max(due[0].at), Parcel::Changes(due.to_vec())));
        }
        now = readings.iter().map(|reading| reading.at).fold(now, Timestamp::max);
        let mut readings = readings.to_vec();
        // As a decoder gives them.
        readings.sort_by_key(|reading| (reading.at, reading.metric.rank()));
        parcels.push((now, Parcel::Readings(readings)));
    }
    parcels.push((now, Parcel::Changes(changes.to_vec())));
    parcels
}

/// A loop with its store, without sockets.
struct Running {
    store: Arc<Store>,
    state: State,
    keeper: Keeper,
}

impl Running {
    async fn start(store: Arc<Store>, now: Timestamp) -> Self {
        Self::start_with(store, Settings::default(), now).await
    }

    async fn start_with(store: Arc<Store>, settings: Settings, now: Timestamp) -> Self {
        let (state, keeper) = restore(&store, settings, now).await.unwrap();
        Self { store, state, keeper }
    }

    /// Writes all that is due, to the end.
    async fn keep(&mut self, now: Timestamp) {
        self.keeper.finish(now).await;
        self.keeper.keep(&self.state, now).await;
        self.keeper.finish(now).await;
    }

    async fn take(&mut self, now: Timestamp, parcel: &Parcel) {
        let (arrival, events) = match parcel {
            Parcel::Readings(readings) => {
                let arrival = self.store.append(readings).await.unwrap();
                (arrival, vec![Event::Readings(readings.clone())])
            }
            Parcel::Changes(changes) => {
                let arrival = self.store.append_changes(changes).await.unwrap();
                (arrival, changes.iter().cloned().map(Event::Changed).collect())
            }
        };
        self.keeper.note(arrival, &events, now);
        for event in events {
            drop(step(&mut self.state, now, event));
        }
        self.keeper.keep(&self.state, now).await;
    }

    /// Ends it as a kill does: what is being written is written or not.
    async fn killed(self) -> Arc<Store> {
        let Self { store, keeper, .. } = self;
        keeper.abandoned().await;
        store
    }
}

fn taken(state: &mut State, now: Timestamp, parcel: &Parcel) {
    let events = match parcel {
        Parcel::Readings(readings) => vec![Event::Readings(readings.clone())],
        Parcel::Changes(changes) => changes.iter().cloned().map(Event::Changed).collect(),
    };
    events.into_iter().for_each(|event| drop(step(state, now, event)));
}

/// All but the samples that curves are drawn from.
fn outlines(life: &Life) -> Life {
    let mut life = life.clone();
    for series in life.series.values_mut() {
        *series = plimsoll_model::Series::restored(series.outline().clone(), series.last());
    }
    life
}

/// Feeds a case to a loop that is killed twice, and to one that is not. Says how many outlines the
/// kills found on the disk.
async fn check(case: &CorpusCase, random: &mut fastrand::Rng) -> usize {
    let parcels = parcels(case);
    let kills = [random.usize(..parcels.len()), random.usize(..parcels.len())];
    let home = tempfile::tempdir().unwrap();
    let store = Arc::new(Store::open(home.path()).await.unwrap());
    let start = parcels[0].0;
    let mut running = Running::start(store, start).await;
    let mut steady = State::new(Settings::default(), Vec::new(), start);
    let (mut now, mut kept) = (start, 0);
    for (index, (at, parcel)) in parcels.iter().enumerate() {
        now = *at;
        running.take(now, parcel).await;
        taken(&mut steady, now, parcel);
        if kills.contains(&index) {
            let store = running.killed().await;
            kept += store.outlines(usize::MAX).await.unwrap().len();
            running = Running::start(store, now).await;
            // It was not acknowledged, so it comes again.
            running.take(now, parcel).await;
        }
    }
    let (killed, steady) = (running.state.history(&case.service), steady.history(&case.service));
    let (killed, steady) = (killed.unwrap(), steady.unwrap());
    assert_eq!(killed.changes, steady.changes, "{}", case.service);
    let outlines = |history: &ServiceHistory| history.lives.iter().map(outlines).collect();
    let (one, other): (Vec<Life>, Vec<Life>) = (outlines(killed), outlines(steady));
    assert_eq!(one.len(), other.len(), "{}", case.service);
    // Not printed: it would be megabytes.
    assert!(one == other, "other outlines of {} after kills at {kills:?}", case.service);
    let judge = |history: &ServiceHistory| plimsoll_detect::assess(history, now);
    assert_eq!(judge(killed), judge(steady));
    kept
}

#[tokio::test]
async fn a_kill_at_any_moment_changes_no_outline_of_any_case() {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let mut kept = 0;
    for family in families() {
        kept += check(&draw(family, 1), &mut random).await;
    }
    assert!(kept > families().len() / 2, "{kept}: too few to say anything");
}

#[tokio::test]
async fn outlines_that_cannot_be_read_are_drawn_again_from_the_samples_and_kept() {
    let case = draw(&families()[0], 1);
    let parcels = parcels(&case);
    let home = tempfile::tempdir().unwrap();
    let store = Arc::new(Store::open(home.path()).await.unwrap());
    let mut running = Running::start(store, parcels[0].0).await;
    let mut now = parcels[0].0;
    for (at, parcel) in &parcels {
        now = *at;
        running.take(now, parcel).await;
    }
    let judge = |state: &State| plimsoll_detect::assess(state.history(&case.service).unwrap(), now);
    let before = judge(&running.state);
    let store = running.killed().await;
    let newer = PackedOutlines {
        service: case.service.clone(),
        newest_at: now,
        record: vec![plimsoll_wire::outlines::OUTLINES_FORMAT + 1],
    };
    let newest = store.newest_arrival().await.unwrap();
    store.keep_outlines(&[newer], newest, newest).await.unwrap();
    let error =
        store.outlines(usize::MAX).await.unwrap().remove(0).history.unwrap_err().to_string();
    assert!(error.contains("reads up to"), "{error}");
    let again = Running::start(store, now).await;
    let after = judge(&again.state);
    assert_eq!((after.verdict, after.cause), (before.verdict, before.cause));
    let kept = again.store.outlines(usize::MAX).await.unwrap().remove(0);
    let lives = &again.state.history(&case.service).unwrap().lives;
    assert_eq!(&kept.history.unwrap().lives, &lives.iter().map(outlines).collect::<Vec<_>>());
}

fn at(secs: i64) -> Timestamp {
    Timestamp::from_secs(secs)
}

fn heard(service: &str, secs: i64) -> Parcel {
    Parcel::Readings(vec![Reading {
        at: at(secs),
        service: ServiceName::new(service).unwrap(),
        version: None,
        instance: InstanceName::new("one").unwrap(),
        metric: Metric::ProcessMemoryRss,
        value: 1e6 + secs as f64,
    }])
}

fn told(service: &str, secs: i64, kind: ChangeKind) -> Parcel {
    Parcel::Changes(vec![Change {
        at: at(secs),
        kind,
        service: ServiceName::new(service).unwrap(),
        instance: InstanceName::new("one").ok(),
        version: None,
        attributes: BTreeMap::new(),
    }])
}

async fn new_store(home: &tempfile::TempDir) -> Arc<Store> {
    Arc::new(Store::open(home.path()).await.unwrap())
}

#[tokio::test]
async fn where_too_many_services_were_kept_those_heard_of_last_come_back_whole() {
    let home = tempfile::tempdir().unwrap();
    let mut running = Running::start(new_store(&home).await, at(0)).await;
    // The names are in the order of age, the oldest first.
    for secs in (0..1000).step_by(100) {
        for (index, name) in ["early", "later", "newest"].into_iter().enumerate() {
            running.take(at(secs), &heard(name, secs + index as i64)).await;
        }
    }
    running.keep(at(2000)).await;
    // It has no outlines, and must not take a place of those that have.
    running.take(at(2000), &told("a-change-alone", 1999, ChangeKind::Deploy)).await;
    running.take(at(2000), &heard("newest", 2000)).await;
    let name = |name: &str| ServiceName::new(name).unwrap();
    let of = |running: &Running, service: &str| {
        let history = running.state.history(&name(service)).unwrap();
        history.lives.iter().map(outlines).collect::<Vec<_>>()
    };
    let before = (of(&running, "later"), of(&running, "newest"), of(&running, "early"));
    let settings = Settings { services_max: 2, ..Settings::default() };
    let mut running = Running::start_with(running.killed().await, settings, at(2001)).await;
    let names: Vec<_> = running.state.histories().map(|one| one.service.as_str()).collect();
    assert_eq!(names, ["later", "newest"]);
    assert_eq!((&of(&running, "later"), &of(&running, "newest")), (&before.0, &before.1));
    running.keep(at(2400)).await;
    // With more places again, nothing of the third was written over.
    let running = Running::start(running.killed().await, at(2401)).await;
    let after = (of(&running, "later"), of(&running, "newest"), of(&running, "early"));
    assert!(after == before);
}

#[tokio::test]
async fn a_clock_that_is_set_back_holds_up_no_keeping() {
    let home = tempfile::tempdir().unwrap();
    let mut running = Running::start(new_store(&home).await, at(90_000)).await;
    running.take(at(90_000), &heard("orders", 90_000)).await;
    running.keep(at(90_001)).await;
    assert!(running.store.outlines(1).await.unwrap().is_empty(), "it is not due yet");
    running.keep(at(3600)).await;
    assert_eq!(running.store.outlines(1).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_restart_that_came_after_the_kept_outlines_outlasts_two_kills() {
    let home = tempfile::tempdir().unwrap();
    let mut running = Running::start(new_store(&home).await, at(100)).await;
    for secs in [100, 200, 300] {
        running.take(at(secs), &heard("orders", secs)).await;
    }
    running.keep(at(1000)).await;
    running.take(at(1000), &told("orders", 150, ChangeKind::Restart)).await;
    running.take(at(1000), &heard("carts", 1000)).await;
    let orders = ServiceName::new("orders").unwrap();
    let lives = |running: &Running| {
        let history = running.state.history(&orders).unwrap();
        history.lives.iter().map(|life| (life.started_at, life.last_seen())).collect::<Vec<_>>()
    };
    let before = lives(&running);
    assert_eq!(before.len(), 2);
    let mut running = Running::start(running.killed().await, at(1001)).await;
    assert_eq!(lives(&running), before);
    // What is kept now removes every arrival that nobody needs.
    running.keep(at(1002)).await;
    let running = Running::start(running.killed().await, at(1003)).await;
    assert_eq!(lives(&running), before);
}

#[tokio::test]
async fn keeping_that_fails_is_told_and_tried_again_less_and_less_often() {
    let home = tempfile::tempdir().unwrap();
    let (here, away) = (home.path().join("here"), home.path().join("away"));
    std::fs::create_dir(&here).unwrap();
    let store = Arc::new(Store::open(&here).await.unwrap());
    let mut running = Running::start(store, at(100)).await;
    assert_eq!(running.keeper.unkept(), Unkept::default());
    for (secs, service) in [(100, "orders"), (101, "carts"), (102, "orders")] {
        running.take(at(secs), &heard(service, secs)).await;
    }
    // A write that is dropped in the middle takes its connection with it, and the next one opens
    // the database again, and finds none.
    let orders = ServiceName::new("orders").unwrap();
    let mut dropped = Box::pin(running.store.save_alert(&orders, None));
    let begun = poll_fn(|context| Poll::Ready(dropped.as_mut().poll(context))).await;
    assert!(begun.is_pending());
    drop(dropped);
    std::fs::rename(&here, &away).unwrap();
    let mut attempts = Vec::new();
    for secs in 1000..1200 {
        running.keeper.keep(&running.state, at(secs)).await;
        if running.keeper.is_writing() {
            attempts.push(secs - 1000);
        }
        running.keeper.finish(at(secs)).await;
    }
    assert_eq!(attempts, [0, 1, 3, 7, 15, 31, 63, 123, 183]);
    let unkept = running.keeper.unkept();
    assert_eq!((unkept.services, unkept.arrivals), (2, 3));
    assert_eq!(unkept.failing.unwrap().0, at(1000));
    std::fs::rename(&away, &here).unwrap();
    running.keep(at(1300)).await;
    assert_eq!(running.keeper.unkept(), Unkept::default());
}

#[tokio::test]
async fn an_arrival_that_cannot_be_read_is_made_up_for_by_the_samples() {
    let home = tempfile::tempdir().unwrap();
    let mut running = Running::start(new_store(&home).await, at(100)).await;
    for secs in [100, 200, 300] {
        running.take(at(secs), &heard("orders", secs)).await;
    }
    running.keep(at(1000)).await;
    running.take(at(1000), &heard("orders", 1000)).await;
    running.take(at(1001), &heard("carts", 1001)).await;
    let lives = |running: &Running| {
        let histories = running.state.histories();
        histories.flat_map(|one| one.lives.iter().map(outlines)).collect::<Vec<_>>()
    };
    let before = lives(&running);
    let Running { store, state, keeper } = running;
    drop(state);
    keeper.abandoned().await;
    Arc::into_inner(store).unwrap().close().await;
    // The series of orders was the first to be numbered.
    let sample = plimsoll_model::Sample { at: at(1000), value: 1e6 + 1000.0 };
    let packed = plimsoll_wire::arrivals::pack(&[(1, sample)]);
    let path = home.path().join("plimsoll.db");
    let mut bytes = std::fs::read(&path).unwrap();
    let place = bytes.windows(packed.len()).position(|bytes| bytes == packed).unwrap();
    bytes[place] = u8::MAX;
    std::fs::write(&path, bytes).unwrap();
    let mut running = Running::start(new_store(&home).await, at(1002)).await;
    assert!(lives(&running) == before);
    running.take(at(1002), &heard("orders", 1002)).await;
    let before = lives(&running);
    running.keep(at(2000)).await;
    let running = Running::start(running.killed().await, at(2001)).await;
    assert!(lives(&running) == before);
}
