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
use plimsoll_model::{Change, Digest, Reading, ServiceHistory, ServiceName, Span, Timestamp};
use plimsoll_store::{Arrival, Arrived, PackedOutlines, ReadError, Store};
use plimsoll_wire::digest::digest_of;
use plimsoll_wire::event::ChangeShape;

use crate::keeper::{BYTES_OF_TICK, Keeper};
use crate::serve::{RETENTION, ServeError};

/// Readings that are read back whole: about a quarter of a minute.
const REPLAY_WHOLE: u64 = 3_000_000;

/// What of a service is taken from where.
#[derive(Debug, Default)]
struct Sources {
    /// Its outlines hold all arrivals up to this one.
    kept: BTreeMap<ServiceName, Arrival>,
    /// Kept, and cannot be read.
    unreadable: BTreeSet<ServiceName>,
    /// The first arrival that is not in its outlines.
    pending: BTreeMap<ServiceName, Arrival>,
    /// The newest arrival that cannot be understood.
    lost: Option<Arrival>,
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

    fn lose(&mut self, arrival: Arrival, error: &ReadError) {
        if self.lost < Some(arrival) {
            let error = error as &dyn std::error::Error;
            tracing::warn!(error, "services that lack it are drawn again from stored samples");
            self.lost = Some(arrival);
        }
    }

    /// Gives up every service that may lack what was lost. Nobody knows of whom that was.
    fn give_up(&mut self, lost: Arrival) {
        let lacking = self.kept.extract_if(.., |_, covered| *covered < lost);
        self.unreadable.extend(lacking.map(|(service, _)| service));
        let pending = std::mem::take(&mut self.pending).into_keys();
        self.unreadable.extend(pending.filter(|service| !self.kept.contains_key(service)));
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
    let services_max = settings.services_max;
    let state = State::new(settings, store.incidents().await?, now);
    let mut state = state.with_alerts(store.alerts().await?);
    let mut sources = Sources::default();
    let mut histories = kept_outlines(store, &mut sources, services_max).await?;
    let mut later = note_arrivals(store, &mut sources).await?;
    if let Some(lost) = sources.lost {
        sources.give_up(lost);
        histories.retain(|service, _| sources.kept.contains_key(service));
        later = note_arrivals(store, &mut sources).await?;
    }
    let mut others = Vec::new();
    for change in changes_before(store, &later, now).await? {
        match histories.get_mut(&change.service) {
            // What it did to the lives is in them already.
            Some(history) => history.know(change),
            None => others.push(change),
        }
    }
    histories.into_values().for_each(|history| state.restore(history));
    // After those that have outlines: of a service with nothing but changes there is least to lose.
    others.into_iter().for_each(|change| drop(step(&mut state, now, Event::Changed(change))));
    let redrawn = remember_samples(store, &mut state, &sources, now).await?;
    take_in_arrivals(store, &mut state, &sources, now).await?;
    let newest = store.newest_arrival().await?;
    keep_redrawn(store, &state, &redrawn, newest).await?;
    Ok((state, Keeper::new(Arc::clone(store), sources.pending, newest)))
}

/// At most as many as there are places, those that were heard of last. The others are left on the
/// disk, for a start with more places, until they are too old. What arrived of them since is taken
/// in as that of services which were pushed out of a full fleet: they begin anew if there is room.
async fn kept_outlines(
    store: &Store,
    sources: &mut Sources,
    services_max: usize,
) -> Result<BTreeMap<ServiceName, ServiceHistory>, ReadError> {
    let left = store.outlines_beyond(services_max).await?;
    if !left.is_empty() {
        let services = left.len();
        tracing::warn!(services, services_max, "left out what was silent for longest");
    }
    sources.kept.extend(left);
    let mut histories = BTreeMap::new();
    for kept in store.outlines(services_max).await? {
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

/// Notes what is taken in again. Gives the changes among that.
async fn note_arrivals(
    store: &Store,
    sources: &mut Sources,
) -> Result<BTreeSet<Digest>, ReadError> {
    let mut later = BTreeSet::new();
    let sink = |arrival, arrived| match arrived {
        Ok(Arrived::Changes(changes)) => {
            let is_news = |change: &&Change| sources.is_news(&change.service, arrival);
            later.extend(changes.iter().filter(is_news).map(digest));
            // Where there are no outlines, a change alone must not stand in for the samples.
            let kept = |change: &&Change| sources.kept.contains_key(&change.service);
            let services: BTreeSet<_> =
                changes.iter().filter(kept).map(|change| change.service.clone()).collect();
            services.iter().for_each(|service| sources.note(service, arrival));
        }
        Ok(Arrived::Readings(readings)) => {
            readings.iter().for_each(|reading| sources.note(&reading.service, arrival));
        }
        Err(error) => sources.lose(arrival, &error),
    };
    store.arrivals(sink).await?;
    Ok(later)
}

/// The changes, oldest first, without those that are taken in again later.
async fn changes_before(
    store: &Store,
    later: &BTreeSet<Digest>,
    now: Timestamp,
) -> Result<Vec<Change>, ReadError> {
    let mut changes = store.changes_since(now - RETENTION).await?;
    changes.retain(|change| later.is_empty() || !later.contains(&digest(change)));
    Ok(changes)
}

fn digest(change: &Change) -> Digest {
    digest_of(&ChangeShape::from(change))
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
            Ok(Arrived::Readings(mut readings)) => {
                readings.retain(|reading| is_news(&reading.service));
                taken += readings.len();
                vec![Event::Readings(readings)]
            }
            Ok(Arrived::Changes(mut changes)) => {
                changes.retain(|change| is_news(&change.service));
                changes.into_iter().map(Event::Changed).collect()
            }
            // Whoever may lack it has been given up.
            Err(_) => Vec::new(),
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
        if bytes >= BYTES_OF_TICK {
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
