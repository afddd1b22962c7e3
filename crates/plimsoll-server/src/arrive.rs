//! What came in, on its way into the store and then into the loop. Not here: reading and admitting it
//! (`otlp`, `events`).

use std::sync::Arc;

use plimsoll_control::Event;
use plimsoll_store::Arrived;
use tokio::sync::OwnedMutexGuard;

use crate::answer::Failure;
use crate::driver::{Unanswered, Waiting};
use crate::shared::{Counters, Shared};

/// Stores what came in, then tells the loop, and returns when that has taken it in. What is not
/// stored is not told.
pub(crate) async fn take(shared: &Shared, arrived: Arrived) -> Result<(), Failure> {
    let nothing = match &arrived {
        Arrived::Readings(readings) => readings.is_empty(),
        Arrived::Changes(changes) => changes.is_empty(),
    };
    if nothing {
        return Ok(());
    }
    // A task of its own: a client that hangs up ends its handler at any moment, and what is stored
    // and not told would be known to a restarted loop alone.
    // With the turn in hand before it begins, there is one at a time, however many hang up.
    let turn = Arc::clone(&shared.turn).lock_owned().await;
    let telling = tokio::spawn(store_and_tell(shared.clone(), turn, arrived));
    // It is not ended by anybody, so an error is a bug of ours or the end of the program.
    telling.await.map_err(|_| Unanswered::Gone)??.answered().await?;
    Ok(())
}

async fn store_and_tell(
    shared: Shared,
    _turn: OwnedMutexGuard<()>,
    arrived: Arrived,
) -> Result<Waiting, Failure> {
    let stored = match &arrived {
        Arrived::Readings(readings) => shared.store.append(readings).await,
        Arrived::Changes(changes) => shared.store.append_changes(changes).await,
    };
    shared.counters.stored(&stored, shared.clock.now());
    let arrival = stored.map_err(|error| Failure::not_stored(&error))?;
    let events = match arrived {
        Arrived::Readings(readings) => {
            Counters::add(&shared.counters.readings, readings.len());
            vec![Event::Readings(readings)]
        }
        Arrived::Changes(changes) => {
            Counters::add(&shared.counters.changes, changes.len());
            changes.into_iter().map(Event::Changed).collect()
        }
    };
    Ok(shared.driver.arrived(arrival, events).await?)
}

#[cfg(test)]
mod tests {
    use plimsoll_ingest::catalogue::Catalogue;
    use plimsoll_model::{InstanceName, Metric, Reading, ServiceName, Timestamp};
    use plimsoll_store::Arrival;
    use tokio::sync::watch;

    use super::*;
    use crate::serve::{ServerOptions, wire};

    #[tokio::test]
    async fn what_is_stored_is_told_although_the_client_hangs_up_between() {
        let home = tempfile::tempdir().unwrap();
        let options = ServerOptions {
            dir: home.path().to_owned(),
            listen: ([127, 0, 0, 1], 0).into(),
            settings: plimsoll_control::Settings::default(),
            catalogue: Catalogue::built_in(),
            clock: crate::Clock::Machine,
        };
        let (driver, shared) = wire(options).await.unwrap();
        // The loop does not run yet, and its queue is full.
        let mut asking = Vec::new();
        while shared.driver.has_room() {
            let handle = shared.driver.clone();
            asking.push(tokio::spawn(async move { handle.read(|_| ()).await }));
            tokio::task::yield_now().await;
        }
        let reading = Reading {
            at: Timestamp::from_secs(1_780_000_000),
            service: ServiceName::new("orders").unwrap(),
            version: None,
            instance: InstanceName::new("one").unwrap(),
            metric: Metric::ProcessMemoryRss,
            value: 1e6,
        };
        let theirs = shared.clone();
        let handler =
            tokio::spawn(async move { take(&theirs, Arrived::Readings(vec![reading])).await });
        while shared.store.newest_arrival().await.unwrap() == Arrival::default() {}
        handler.abort();
        assert!(handler.await.unwrap_err().is_cancelled());
        let (stop, stopped) = watch::channel(false);
        let running = tokio::spawn(driver.run(stopped));
        for asked in asking {
            asked.await.unwrap().unwrap();
        }
        // Whoever has the turn is through with it when it can be had.
        drop(shared.turn.lock().await);
        let heard = shared.driver.read(|state| state.histories().count()).await.unwrap();
        assert_eq!(heard, 1);
        stop.send_replace(true);
        running.await.unwrap();
    }
}
