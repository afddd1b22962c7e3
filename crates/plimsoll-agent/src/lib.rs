//! The agent of one machine, in two halves that run beside each other. The collecting half, whose
//! start is here, reads processes, control groups and runtimes, and delivers canonical readings and
//! noticed changes to a server. The acting half, which starts in `commands`, hosts the supervisor
//! and performs what a server orders. Either runs without the other; all that passes between them
//! is which instances were found on this machine.
//!
//! Not here: judgement of any kind, and storage. Everything that reads a clock is in `clock`; the
//! rest is told what time it is. Used by `plimsoll agent`, and inside of `plimsoll up` and `demo`.
//!
//! The collecting half's own limits, for 200 processes at five seconds: 1 % of a core and 60 MiB
//! (`examples/watch_200.rs` measures them).

mod cgroup;
mod clock;
pub mod collect;
pub mod commands;
pub mod counters;
mod files;
mod identity;
mod inspect;
pub mod local_socket;
mod orders;
mod performer;
mod pressure;
mod proc;
pub mod push;
pub mod reach;
mod runtime_acts;
mod runtimes;

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::Duration;

use plimsoll_model::InstanceName;
use tokio::sync::{mpsc, watch};
use tokio::time::MissedTickBehavior;

use collect::{CollectOptions, Collector, Round, Watch};
use counters::Counters;
use inspect::Inspectors;
use push::queue::{Queue, QueueLimit};
use push::{Backoff, PushError, Pusher, Token};
use reach::Found;

pub use clock::Cost;
pub use proc::ProcError;

/// Everything that an agent needs to know.
#[derive(Clone, Debug)]
pub struct AgentOptions {
    /// Base address of the server, for example `http://127.0.0.1:7300`.
    pub server: String,
    pub token: Option<Token>,
    /// From one round to the next.
    pub interval: Duration,
    pub collect: CollectOptions,
    pub backoff: Backoff,
    pub queue: QueueLimit,
    /// Shared with whoever serves the agent's own metrics.
    pub counters: Arc<Counters>,
    /// Where the acting half learns what runs on this machine; changed only when that changes.
    pub found: Option<watch::Sender<Vec<Found>>>,
}

impl AgentOptions {
    /// Five seconds tell growth apart within minutes, at the cost that the agent was measured with.
    pub const INTERVAL: Duration = Duration::from_secs(5);

    /// This machine, with all defaults.
    pub fn new(server: &str, watch: Watch, node: InstanceName) -> Self {
        Self {
            server: server.to_owned(),
            token: None,
            interval: Self::INTERVAL,
            collect: CollectOptions::this_machine(watch, node),
            backoff: Backoff::default(),
            queue: QueueLimit::default(),
            counters: Arc::default(),
            found: None,
        }
    }
}

/// Why an agent cannot run.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    #[error("the agent cannot read the processes of this machine")]
    Proc(#[from] ProcError),
    #[error("the agent cannot talk to a server")]
    Push(#[from] PushError),
    #[error("the agent cannot start its collecting thread")]
    Thread(#[source] std::io::Error),
    #[error("the agent's collecting thread ended by itself, which is a bug: restart the agent")]
    CollectorEnded,
}

/// How long the last batches may take when the agent is told to stop.
const FAREWELL: Duration = Duration::from_secs(3);

/// Collects and delivers until `shutdown` completes; then tries to deliver what still waits.
pub async fn run_collector(
    options: AgentOptions,
    shutdown: impl Future<Output = ()>,
) -> Result<(), AgentError> {
    let counters = Arc::clone(&options.counters);
    let queue = Arc::new(Queue::new(options.queue, Arc::clone(&counters)));
    let pusher = Pusher::new(
        &options.server,
        options.token,
        options.backoff,
        Arc::clone(&queue),
        Arc::clone(&counters),
    )?;
    let mut inspectors = Inspectors::new(&options.collect.proc_root);
    let (to_inspect, inspected) = watch::channel(Vec::new());
    let thread = CollectorThread::start(Collector::new(options.collect)?)?;
    let take = |round: Round| {
        enqueue(&round, &queue, &counters);
        options.found.iter().for_each(|found| publish(found, round.found.clone()));
        to_inspect.send_replace(round.node_processes);
    };
    // One delivery for the whole life of the agent: a batch that is on its way when the agent is
    // told to stop is waited for instead of sent twice.
    let mut delivery = pin!(pusher.run());
    let ended = tokio::select! {
        () = shutdown => Ok(()),
        () = &mut delivery => Ok(()),
        () = inspectors.run(inspected, &queue) => Ok(()),
        error = run_rounds(thread, options.interval, &counters, take) => Err(error),
    };
    inspectors.close().await;
    queue.close();
    if tokio::time::timeout(FAREWELL, delivery).await.is_err() {
        tracing::warn!(batches = counters.queue_batches(), "stopped with undelivered batches");
    }
    ended
}

/// Asks for a round in each interval and hands on what it found. Only returns when the thread is
/// gone.
async fn run_rounds(
    mut thread: CollectorThread,
    interval: Duration,
    counters: &Counters,
    take: impl Fn(Round),
) -> AgentError {
    let mut ticks = tokio::time::interval(interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        tokio::select! {
            _ = ticks.tick() => match thread.asks.try_send(()) {
                Ok(()) => {}
                // A read of procfs can hang behind the lock of a stuck process. The agent says so
                // and stays alive; it does not start a second reader that would hang too.
                Err(TrySendError::Full(_)) => counters.round_missed(),
                Err(TrySendError::Disconnected(_)) => return AgentError::CollectorEnded,
            },
            round = thread.rounds.recv() => match round {
                Some(round) => take(round),
                None => return AgentError::CollectorEnded,
            },
        }
    }
}

fn enqueue(round: &Round, queue: &Queue, counters: &Counters) {
    counters.round(round);
    tracing::debug!(counts = ?round.counts, cost = ?round.cost, "round");
    push::encode::events(&round.changes).into_iter().for_each(|payload| queue.push(payload));
    push::encode::metrics(&round.readings).into_iter().for_each(|payload| queue.push(payload));
}

fn publish(found: &watch::Sender<Vec<Found>>, now: Vec<Found>) {
    found.send_if_modified(|before| {
        let changed = *before != now;
        *before = now;
        changed
    });
}

/// The collector on a thread of its own, so that a read that hangs holds up neither the runtime
/// nor its end.
#[derive(Debug)]
struct CollectorThread {
    asks: SyncSender<()>,
    rounds: mpsc::Receiver<Round>,
}

impl CollectorThread {
    fn start(collector: Collector) -> Result<Self, AgentError> {
        // One round running and one waiting: late rounds are skipped, never piled up.
        let (asks, asked) = sync_channel(1);
        let (found, rounds) = mpsc::channel(1);
        std::thread::Builder::new()
            .name("collect".to_owned())
            .spawn(move || collect_until_dropped(collector, &asked, &found))
            .map_err(AgentError::Thread)?;
        Ok(Self { asks, rounds })
    }
}

fn collect_until_dropped(
    mut collector: Collector,
    asked: &Receiver<()>,
    found: &mpsc::Sender<Round>,
) {
    while let Ok(()) = asked.recv() {
        if found.blocking_send(collector.round(clock::now())).is_err() {
            return;
        }
    }
}
