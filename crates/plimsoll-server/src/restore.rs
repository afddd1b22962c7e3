//! The loop as an earlier run left it: its incidents, every change, and the outlines of all services
//! as they were, with the samples that curves are drawn from.
//!
//! A verdict reads outlines alone, so these come back exactly: as they were kept, and then what
//! arrived since, in the order in which it arrived, each once. Where that is not possible, because
//! an earlier version kept none or what is kept cannot be read, they are drawn again from stored
//! samples, thinner the older those are. Not here: keeping them (`keeper`).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use plimsoll_control::{Event, Settings, State, step};
use plimsoll_model::{Change, Reading, ServiceHistory, ServiceName, Span, Timestamp};
use plimsoll_store::{Arrival, Arrived, PackedOutlines, ReadError, Store};
use plimsoll_wire::digest::digest_of;
use plimsoll_wire::event::ChangeShape;

use crate::keeper::Keeper;
use crate::serve::{RETENTION, ServeError};

/// Readings that are read back whole: about a quarter of a minute.
const REPLAY_WHOLE: u64 = 3_000_000;

/// Bytes of outlines in one write.
const BYTES_OF_WRITE: usize = 4 << 20;

/// What of a service is taken from where.
#[derive(Debug, Default)]
struct Sources {
    /// Its outlines hold all arrivals up to this one.
    kept: BTreeMap<ServiceName, Arrival>,
    /// Kept, and cannot be read.
    unreadable: BTreeSet<ServiceName>,
    /// The first arrival that is not in its outlines.
    pending: BTreeMap<ServiceName, Arrival>,
}

impl Sources {
    /// Whether what arrived has to be taken in again.
    fn is_news(&self, service: &ServiceName, arrival: Arrival) -> bool {
        !self.unreadable.contains(service)
            && self.kept.get(service).is_none_or(|covered| arrival > *covered)
    }

    fn note(&mut self, service: &ServiceName, arrival: Arrival) {
        if !self.pending.contains_key(service) && self.is_news(service, arrival) {
            self.pending.insert(service.clone(), arrival);
        }
    }

    /// Whether its outlines need no samples.
    fn has_outlines(&self, service: &ServiceName) -> bool {
        self.kept.contains_key(service) || self.pending.contains_key(service)
    }
}

pub(crate) async fn restore(
    store: &Arc<Store>,
    settings: Settings,
    now: Timestamp,
) -> Result<(State, Keeper), ServeError> {
    let state = State::new(settings, store.incidents().await?, now);
    let mut state = state.with_alerts(store.alerts().await?);
    let mut sources = Sources::default();
    let mut histories = kept_outlines(store, &mut sources).await?;
    for change in changes_before_arrivals(store, &mut sources, now).await? {
        match histories.get_mut(&change.service) {
            // What it did to the lives is in them already.
            Some(history) => history.know(change),
            None => drop(step(&mut state, now, Event::Changed(change))),
        }
    }
    histories.into_values().for_each(|history| state.restore(history));
    let redrawn = remember_samples(store, &mut state, &sources, now).await?;
    take_in_arrivals(store, &mut state, &sources, now).await?;
    let newest = store.newest_arrival().await?;
    keep_redrawn(store, &state, &redrawn, newest).await?;
    Ok((state, Keeper::new(Arc::clone(store), sources.pending, newest)))
}

async fn kept_outlines(
    store: &Store,
    sources: &mut Sources,
) -> Result<BTreeMap<ServiceName, ServiceHistory>, ReadError> {
    let mut histories = BTreeMap::new();
    for kept in store.outlines().await? {
        match kept.history {
            Ok(history) => {
                sources.kept.insert(kept.service.clone(), kept.covered);
                histories.insert(kept.service, history);
            }
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                let service = kept.service.as_str();
                tracing::warn!(service, error, "outlines are drawn again from stored samples");
                sources.unreadable.insert(kept.service);
            }
        }
    }
    Ok(histories)
}

/// The changes, oldest first, that came before what is taken in again. Notes what that is about.
async fn changes_before_arrivals(
    store: &Store,
    sources: &mut Sources,
    now: Timestamp,
) -> Result<Vec<Change>, ReadError> {
    let mut later = BTreeSet::new();
    let digest = |change: &Change| digest_of(&ChangeShape::from(change));
    let sink = |arrival, arrived| match arrived {
        Arrived::Changes(changes) => {
            let news = changes.iter().filter(|change| sources.is_news(&change.service, arrival));
            later.extend(news.map(digest));
        }
        Arrived::Readings(readings) => {
            readings.iter().for_each(|reading| sources.note(&reading.service, arrival));
        }
    };
    store.arrivals(sink).await?;
    let mut changes = store.changes_since(now - RETENTION).await?;
    changes.retain(|change| later.is_empty() || !later.contains(&digest(change)));
    Ok(changes)
}

async fn take_in_arrivals(
    store: &Store,
    state: &mut State,
    sources: &Sources,
    now: Timestamp,
) -> Result<(), ReadError> {
    let mut taken = 0;
    let sink = |arrival, arrived| {
        let is_news = |service: &ServiceName| sources.is_news(service, arrival);
        let events = match arrived {
            Arrived::Readings(mut readings) => {
                readings.retain(|reading| is_news(&reading.service));
                taken += readings.len();
                vec![Event::Readings(readings)]
            }
            Arrived::Changes(mut changes) => {
                changes.retain(|change| is_news(&change.service));
                changes.into_iter().map(Event::Changed).collect()
            }
        };
        events.into_iter().for_each(|event| drop(step(state, now, event)));
    };
    store.arrivals(sink).await?;
    tracing::info!(
        services = sources.kept.len(),
        arrived = taken,
        "took up the outlines, and what arrived since"
    );
    Ok(())
}

/// Gives stored samples back to the lives that they were taken of. Says which services had no
/// outlines, so that these were drawn from the samples.
async fn remember_samples(
    store: &Store,
    state: &mut State,
    sources: &Sources,
    now: Timestamp,
) -> Result<BTreeSet<ServiceName>, ReadError> {
    let mut replayed = 0_usize;
    let mut redrawn = BTreeSet::new();
    let sink = |reading: Reading| {
        replayed += 1;
        if sources.has_outlines(&reading.service) {
            state.remember(&reading);
        } else {
            if !redrawn.contains(&reading.service) {
                redrawn.insert(reading.service.clone());
            }
            drop(step(state, now, Event::Readings(vec![reading])));
        }
    };
    let mut minutes = 0_u64;
    let all = store.readings_about().await? <= REPLAY_WHOLE;
    let wanted = |minute: Timestamp| {
        minutes += 1;
        all || minutes.is_multiple_of(one_minute_of(now.since(minute)))
    };
    store.replay_thinned(now - RETENTION, wanted, sink).await?;
    tracing::info!(replayed, redrawn = redrawn.len(), "read back what was measured");
    Ok(redrawn)
}

/// Before anything else arrives: a service that has arrivals and no kept outlines is one of which
/// the arrivals are all that there is.
async fn keep_redrawn(
    store: &Store,
    state: &State,
    redrawn: &BTreeSet<ServiceName>,
    newest: Arrival,
) -> Result<(), ServeError> {
    let mut packed = Vec::new();
    let mut bytes = 0;
    let histories = redrawn.iter().filter_map(|service| state.history(service));
    for history in histories.filter(|history| !history.lives.is_empty()) {
        let one = PackedOutlines::of(history);
        bytes += one.record.len();
        packed.push(one);
        if bytes >= BYTES_OF_WRITE {
            store.keep_outlines(&packed, newest, Arrival::default()).await?;
            packed.clear();
            bytes = 0;
        }
    }
    if !packed.is_empty() {
        store.keep_outlines(&packed, newest, Arrival::default()).await?;
    }
    Ok(())
}

/// One minute of how many is read back into memory where there are more, by its age. A series is
/// thinned in memory as well, and a start that takes minutes would cost more than the samples
/// between: with this, two weeks of 200 processes at five seconds are read in about a minute.
fn one_minute_of(age: Span) -> u64 {
    match age {
        age if age < Span::from_mins(30) => 1,
        age if age < Span::from_hours(6) => 5,
        age if age < Span::from_hours(24) => 20,
        _ => 120,
    }
}

#[cfg(test)]
mod tests;
