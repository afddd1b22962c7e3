//! Keeps the outlines of services on the disk, so that a server that was killed goes on with the
//! pictures that it had.
//!
//! A service is kept some minutes after it was first heard of since the last time, and only a
//! bounded number of bytes each tick, so that the loop never stands still for it. What came in
//! meanwhile is kept by the store as it came, in order, and taken in again at a start. Not here: the
//! form of outlines (`plimsoll-wire`), and the way back (`restore`).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use plimsoll_control::{Event, State};
use plimsoll_model::{ServiceName, Span, Timestamp};
use plimsoll_store::{Arrival, PackedOutlines, Store, WriteError};
use tokio::task::JoinHandle;

/// Between two writes of the outlines of a service. At most 4 KiB a series each time: with a sample
/// in five seconds about as much as the samples take. A start takes in so much of what arrived
/// again, at about a million samples a second.
const KEEP_EVERY: Span = Span::from_mins(5);

/// Packed at one tick, or for one write of a start, at least one service: some ten milliseconds of the loop, and a fleet of
/// 40 000 series is still through in a minute.
pub(crate) const BYTES_OF_TICK: usize = 4 << 20;

/// After a write that failed, until the next attempt. It doubles with each further failure.
const RETRY_FIRST: Span = Span::from_secs(1);

/// It doubles up to this: a disk that is full takes no harm from one attempt a minute.
const RETRY_MAX: Span = Span::from_mins(1);

/// Since when a service has news that its kept outlines do not have.
#[derive(Clone, Copy, Debug)]
pub(crate) struct News {
    first: Arrival,
    since: Timestamp,
}

#[derive(Debug)]
pub(crate) struct Keeper {
    store: Arc<Store>,
    news: BTreeMap<ServiceName, News>,
    newest: Arrival,
    writing: Option<Writing>,
    failing: Option<Failing>,
}

/// What is not kept yet: a start takes it in again.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Unkept {
    /// Services with news that their kept outlines do not have.
    pub(crate) services: usize,
    /// Arrivals from the first of that news on.
    pub(crate) arrivals: u64,
    /// Why nothing is kept, and since when, if the newest write failed.
    pub(crate) failing: Option<(Timestamp, String)>,
}

/// Writes have failed, the newest one too.
#[derive(Clone, Debug)]
struct Failing {
    since: Timestamp,
    why: String,
    last: Timestamp,
    pause: Span,
}

#[derive(Debug)]
struct Writing {
    task: JoinHandle<Result<(), WriteError>>,
    services: BTreeMap<ServiceName, News>,
}

impl Keeper {
    /// `pending` are the services that have arrivals which are not in their kept outlines, with the
    /// first of them.
    pub(crate) fn new(
        store: Arc<Store>,
        pending: BTreeMap<ServiceName, Arrival>,
        newest: Arrival,
    ) -> Self {
        // They are due at once.
        let since = Timestamp::from_millis(i64::MIN);
        let news = pending.into_iter().map(|(service, first)| (service, News { first, since }));
        Self { store, news: news.collect(), newest, writing: None, failing: None }
    }

    /// Notes what the loop is about to take in. Arrivals come in their order.
    pub(crate) fn note(&mut self, arrival: Arrival, events: &[Event], now: Timestamp) {
        self.newest = self.newest.max(arrival);
        let mut last = None;
        for service in events.iter().flat_map(services_of) {
            // Neighbours are mostly of one service.
            if last != Some(service) && !self.news.contains_key(service) {
                self.news.insert(service.clone(), News { first: arrival, since: now });
            }
            last = Some(service);
        }
    }

    /// Keeps what is due. Only one write is under way at a time.
    pub(crate) async fn keep(&mut self, state: &State, now: Timestamp) {
        if self.writing.as_ref().is_some_and(|writing| !writing.task.is_finished()) {
            return;
        }
        self.finish(now).await;
        if self.failing.as_ref().is_some_and(|failing| failing.pauses(now)) {
            return;
        }
        let packed = self.pack(state, now);
        if packed.is_empty() {
            return;
        }
        let written: BTreeSet<_> = packed.iter().map(|one| &one.service).collect();
        let services: BTreeMap<_, _> =
            self.news.extract_if(.., |service, _| written.contains(service)).collect();
        let oldest = self.news.values().map(|news| news.first).min();
        let needless = oldest.map_or(self.newest, Arrival::before);
        let (store, covered) = (Arc::clone(&self.store), self.newest);
        let task =
            tokio::spawn(async move { store.keep_outlines(&packed, covered, needless).await });
        self.writing = Some(Writing { task, services });
    }

    /// Waits for the write that is under way. What failed is due again, with what came since.
    pub(crate) async fn finish(&mut self, now: Timestamp) {
        let Some(Writing { task, services }) = self.writing.take() else { return };
        let why = match task.await {
            Ok(Ok(())) => {
                self.failing = None;
                return;
            }
            Ok(Err(error)) => {
                let why = error.to_string();
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, "outlines are not kept; a start would take longer");
                why
            }
            Err(error) => {
                tracing::error!(%error, "keeping outlines ended badly");
                error.to_string()
            }
        };
        self.news.extend(services);
        let (since, pause) = match self.failing.take() {
            Some(before) => (before.since, (before.pause + before.pause).min(RETRY_MAX)),
            None => (now, RETRY_FIRST),
        };
        self.failing = Some(Failing { since, why, last: now, pause });
    }

    pub(crate) fn unkept(&self) -> Unkept {
        let writing = self.writing.iter().flat_map(|writing| &writing.services);
        let written = writing.filter(|(service, _)| !self.news.contains_key(*service));
        let firsts = || self.news.iter().chain(written.clone()).map(|(_, news)| news.first);
        Unkept {
            services: firsts().count(),
            arrivals: firsts().min().map_or(0, |first| self.newest.count_from(first)),
            failing: self.failing.clone().map(|failing| (failing.since, failing.why)),
        }
    }

    #[cfg(test)]
    pub(crate) const fn is_writing(&self) -> bool {
        self.writing.is_some()
    }

    /// Ends as a kill does: what is under way gets done or does not.
    #[cfg(test)]
    pub(crate) async fn abandoned(self) {
        if let Some(Writing { task, .. }) = self.writing {
            task.abort();
            drop(task.await);
        }
    }

    /// The services that have waited longest, as far as a tick goes.
    fn pack(&mut self, state: &State, now: Timestamp) -> Vec<PackedOutlines> {
        let is_due = |news: &News| {
            let age = now.since(news.since);
            // Below nothing where the clock was set back: it would wait until the old time is past.
            age >= KEEP_EVERY || age.as_millis() < 0
        };
        let mut due: Vec<_> = self.news.iter().filter(|(_, news)| is_due(news)).collect();
        due.sort_by_key(|(_, news)| news.first);
        let mut bytes = 0;
        let mut packed = Vec::new();
        let mut gone = BTreeSet::new();
        for (service, _) in due {
            if bytes >= BYTES_OF_TICK {
                break;
            }
            match state.history(service).filter(|history| !history.lives.is_empty()) {
                Some(history) => {
                    let one = PackedOutlines::of(history);
                    bytes += one.record.len();
                    packed.push(one);
                }
                // Refused, or pushed out by others: there is nothing to keep.
                None => drop(gone.insert(service.clone())),
            }
        }
        self.news.retain(|service, _| !gone.contains(service));
        packed
    }
}

impl Failing {
    /// Whether it is too early for another attempt. Never after a clock that was set back.
    fn pauses(&self, now: Timestamp) -> bool {
        let ago = now.since(self.last);
        ago < self.pause && ago.as_millis() >= 0
    }
}

fn services_of(event: &Event) -> Vec<&ServiceName> {
    match event {
        Event::Readings(readings) => {
            let same = readings.chunk_by(|one, other| one.service == other.service);
            same.filter_map(|readings| Some(&readings.first()?.service)).collect()
        }
        Event::Changed(change) => vec![&change.service],
        Event::Reached { .. } | Event::Received(_) | Event::Approved(_) | Event::Tick => Vec::new(),
    }
}
