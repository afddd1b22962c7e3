//! A server that goes on after a kill holds the very outlines of one that was never stopped.

use plimsoll_model::Life;
use plimsoll_sim::corpus::{CorpusCase, draw, families};

use super::*;

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
        let (state, keeper) = restore(&store, Settings::default(), now).await.unwrap();
        Self { store, state, keeper }
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
            kept += store.outlines().await.unwrap().len();
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
    let error = store.outlines().await.unwrap().remove(0).history.unwrap_err().to_string();
    assert!(error.contains("reads up to"), "{error}");
    let again = Running::start(store, now).await;
    let after = judge(&again.state);
    assert_eq!((after.verdict, after.cause), (before.verdict, before.cause));
    let kept = again.store.outlines().await.unwrap().remove(0);
    let lives = &again.state.history(&case.service).unwrap().lives;
    assert_eq!(&kept.history.unwrap().lives, &lives.iter().map(outlines).collect::<Vec<_>>());
}
