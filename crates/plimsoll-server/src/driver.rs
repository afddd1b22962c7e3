//! The driver: owns the loop's state, feeds it events, and carries out its effects in order.
//!
//! What is to be recorded or saved is on disk before the next event is taken, so a server that is
//! killed at any moment has forgotten nothing that anybody was told. A disk that is full stops the
//! loop, visibly, until there is room: going on without a record would be worse than standing
//! still, and leases end by themselves meanwhile.

use std::sync::Arc;
use std::time::Duration;

use plimsoll_control::{ApprovalRefusal, Effect, Event, State, step};
use plimsoll_model::Timestamp;
use plimsoll_store::{Arrival, Store};
use tokio::sync::{mpsc, oneshot, watch};

use crate::clock::Clock;
use crate::keeper::Keeper;
use crate::ledger::Ledger;
use crate::serve::stopped;
use crate::shared::Counters;

/// Calls that may wait for the driver. Each is small; one round of a thousand agents fits.
const CALLS_MAX: usize = 1024;

/// Between two ticks of the loop.
const TICK: Duration = Duration::from_secs(1);

/// Between two attempts to write what could not be written.
const WRITE_RETRY: Duration = Duration::from_secs(1);

type Shutdown = watch::Receiver<bool>;

type Reader = Box<dyn FnOnce(&State) + Send>;

enum Call {
    /// One after the other, with nothing between them.
    Step(Vec<Event>, Option<Arrival>, oneshot::Sender<Vec<ApprovalRefusal>>),
    Read(Reader),
}

/// Why the driver does not answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unanswered {
    #[error("the server is shutting down")]
    Gone,
    #[error("the loop waits until it can write: {0}")]
    Stalled(String),
}

/// The shutdown came while something could not be written.
struct GivenUp;

/// A call that is in the queue.
pub(crate) struct Waiting {
    answer: oneshot::Receiver<Vec<ApprovalRefusal>>,
    counters: Arc<Counters>,
}

impl Waiting {
    /// Returns when everything that follows is on disk.
    pub(crate) async fn answered(self) -> Result<Vec<ApprovalRefusal>, Unanswered> {
        self.answer.await.map_err(|_| unanswered(&self.counters))
    }
}

fn unanswered(counters: &Counters) -> Unanswered {
    counters.why_stalled().map_or(Unanswered::Gone, Unanswered::Stalled)
}

/// What handlers hold of the driver.
#[derive(Clone)]
pub(crate) struct Handle {
    calls: mpsc::Sender<Call>,
    stepped: watch::Receiver<u64>,
    counters: Arc<Counters>,
}

impl Handle {
    /// Feeds one event, and returns when everything that follows from it is on disk.
    pub(crate) async fn step(&self, event: Event) -> Result<Vec<ApprovalRefusal>, Unanswered> {
        self.queue(vec![event], None).await?.answered().await
    }

    /// Puts the events of an arrival into the queue, and returns when they are in it.
    pub(crate) async fn arrived(
        &self,
        arrival: Arrival,
        events: Vec<Event>,
    ) -> Result<Waiting, Unanswered> {
        self.queue(events, Some(arrival)).await
    }

    async fn queue(
        &self,
        events: Vec<Event>,
        arrival: Option<Arrival>,
    ) -> Result<Waiting, Unanswered> {
        let (reply, answer) = oneshot::channel();
        let call = Call::Step(events, arrival, reply);
        self.calls.send(call).await.map_err(|_| unanswered(&self.counters))?;
        Ok(Waiting { answer, counters: Arc::clone(&self.counters) })
    }

    /// Asks the state something.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        question: impl FnOnce(&State) -> T + Send + 'static,
    ) -> Result<T, Unanswered> {
        let (reply, answer) = oneshot::channel();
        let reader: Reader = Box::new(move |state| {
            // Whoever asked may have gone away meanwhile.
            drop(reply.send(question(state)));
        });
        self.calls.send(Call::Read(reader)).await.map_err(|_| unanswered(&self.counters))?;
        answer.await.map_err(|_| unanswered(&self.counters))
    }

    /// Whether a call would be in the queue at once.
    #[cfg(test)]
    pub(crate) fn has_room(&self) -> bool {
        self.calls.capacity() > 0
    }

    /// Changes each time the loop has done something that others may wait for.
    pub(crate) fn stepped(&self) -> watch::Receiver<u64> {
        self.stepped.clone()
    }
}

pub(crate) struct Driver {
    state: State,
    keeper: Keeper,
    store: Arc<Store>,
    journal: Ledger,
    counters: Arc<Counters>,
    clock: Clock,
    calls: mpsc::Receiver<Call>,
    stepped: watch::Sender<u64>,
}

impl Driver {
    pub(crate) fn new(
        state: State,
        keeper: Keeper,
        (store, journal): (Arc<Store>, Ledger),
        counters: Arc<Counters>,
        clock: Clock,
    ) -> (Self, Handle) {
        let (sender, calls) = mpsc::channel(CALLS_MAX);
        let (stepped, watcher) = watch::channel(0);
        let handle = Handle { calls: sender, stepped: watcher, counters: Arc::clone(&counters) };
        (Self { state, keeper, store, journal, counters, clock, calls, stepped }, handle)
    }

    /// Runs until every handle is gone or the shutdown is said. A call that was taken is answered,
    /// unless what follows from it cannot be written until the shutdown.
    pub(crate) async fn run(mut self, shutdown: Shutdown) {
        if let Err(GivenUp) = self.answer(&shutdown).await {
            tracing::error!("what happened last could not be written before the end");
        }
        self.keeper.finish(self.clock.now()).await;
    }

    async fn answer(&mut self, shutdown: &Shutdown) -> Result<(), GivenUp> {
        let clock = self.clock.clone();
        let tick = clock.sleep(Duration::ZERO);
        tokio::pin!(tick);
        loop {
            tokio::select! {
                biased;
                () = stopped(shutdown.clone()) => return Ok(()),
                () = &mut tick => {
                    tick.set(clock.sleep(TICK));
                    self.advance(Event::Tick, shutdown).await?;
                    self.keeper.keep(&self.state, self.clock.now()).await;
                    self.counters.unkept(self.keeper.unkept());
                }
                call = self.calls.recv() => match call {
                    None => return Ok(()),
                    Some(Call::Read(reader)) => reader(&self.state),
                    Some(Call::Step(events, arrival, reply)) => {
                        if let Some(arrival) = arrival {
                            self.keeper.note(arrival, &events, self.clock.now());
                        }
                        let mut refusals = Vec::new();
                        for event in events {
                            refusals.extend(self.advance(event, shutdown).await?);
                        }
                        // The caller may have timed out; what it asked for is done.
                        drop(reply.send(refusals));
                    }
                },
            }
        }
    }

    async fn advance(
        &mut self,
        event: Event,
        shutdown: &Shutdown,
    ) -> Result<Vec<ApprovalRefusal>, GivenUp> {
        let now = self.clock.now();
        let effects = step(&mut self.state, now, event);
        let something = !effects.is_empty();
        let mut refusals = Vec::new();
        for effect in effects {
            match effect {
                Effect::Refuse(refusal) => refusals.push(refusal),
                Effect::Record(_) | Effect::Save(_) | Effect::SaveAlert(..) => {
                    self.write(now, effect, shutdown).await?;
                }
            }
        }
        if something {
            self.stepped.send_modify(|count| *count = count.wrapping_add(1));
        }
        Ok(refusals)
    }

    /// Writes one effect down, however long it takes.
    async fn write(
        &mut self,
        now: Timestamp,
        effect: Effect,
        shutdown: &Shutdown,
    ) -> Result<(), GivenUp> {
        while let Err(error) = self.try_write(now, &effect).await {
            self.counters.stalled(Some(error.to_string()));
            tracing::error!(error = &*error, "the loop waits until it can write");
            self.refuse_calls(shutdown).await?;
        }
        self.counters.stalled(None);
        Ok(())
    }

    /// Waits until the next attempt. Who asks meanwhile is told why it is not answered: the state
    /// is ahead of the disk, and nothing may follow from it.
    async fn refuse_calls(&mut self, shutdown: &Shutdown) -> Result<(), GivenUp> {
        let attempt = tokio::time::sleep(WRITE_RETRY);
        tokio::pin!(attempt);
        loop {
            tokio::select! {
                () = stopped(shutdown.clone()) => return Err(GivenUp),
                () = &mut attempt => return Ok(()),
                Some(call) = self.calls.recv() => drop(call),
            }
        }
    }

    async fn try_write(
        &self,
        now: Timestamp,
        effect: &Effect,
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        match effect {
            Effect::Record(draft) => self.journal.append(draft.clone(), now).await?,
            Effect::Save(incident) => self.store.save_incident(incident).await?,
            Effect::SaveAlert(service, alert) => {
                self.store.save_alert(service, alert.as_ref()).await?;
            }
            Effect::Refuse(_) => {}
        }
        Ok(())
    }
}
