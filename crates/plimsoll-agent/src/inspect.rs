//! Asks Node.js processes for their heap through the inspector, beside the rounds of `collect`:
//! an answer waits for the event loop of the watched process, and a round waits for nobody.
//!
//! Opening an inspector opens a debugging port on the loopback of that process, so this only runs
//! for processes that `collect` was told to inspect, and closes what it opened when the agent stops
//! or no longer watches them. Not here: forcing collections. Without one, what is used includes
//! garbage, so this never speaks of a live set.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use plimsoll_model::{InstanceName, Metric, Reading, ServiceName, Timestamp, Version};
use plimsoll_runtime::v8::{HeapUsage, Inspector, InspectorError, Patience};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::proc::Pid;
use crate::push::encode;
use crate::push::queue::Queue;

/// Most processes that are inspected at once: each is a socket, and one that is slow holds up the
/// others.
const SESSIONS_MAX: usize = 64;

/// Rounds until a process that was not ready is asked again; doubles up to the second.
const RETRY_ROUNDS_FIRST: u64 = 1;
const RETRY_ROUNDS_MAX: u64 = 64;

/// A process whose event loop stands still for longer gives no reading in this round.
const PATIENCE: Patience =
    Patience { open: Duration::from_secs(2), answer: Duration::from_secs(2) };

/// How long closing all inspectors may take together.
const CLOSING_MAX: Duration = Duration::from_secs(3);

/// A Node.js process as a round saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NodeProcess {
    pub(crate) pid: Pid,
    pub(crate) start_ticks: u64,
    pub(crate) at: Timestamp,
    pub(crate) service: ServiceName,
    pub(crate) version: Option<Version>,
    pub(crate) instance: InstanceName,
}

/// The open conversations. Bounded by [`SESSIONS_MAX`].
#[derive(Debug)]
pub(crate) struct Inspectors {
    proc_root: PathBuf,
    sessions: HashMap<(Pid, u64), Session>,
    round: u64,
}

#[derive(Debug)]
enum Session {
    Open(Box<Inspector>),
    Retry {
        due: u64,
        then_in: u64,
    },
    /// It was asked once, and asking again would only repeat the harm.
    GivenUp,
}

impl Inspectors {
    pub(crate) fn new(proc_root: &Path) -> Self {
        Self { proc_root: proc_root.to_owned(), sessions: HashMap::new(), round: 0 }
    }

    /// Asks the processes of each round, until no more rounds come. A round that comes while the
    /// one before is still being asked replaces those that wait.
    pub(crate) async fn run(
        &mut self,
        mut rounds: watch::Receiver<Vec<NodeProcess>>,
        queue: &Queue,
    ) {
        while rounds.changed().await.is_ok() {
            let processes = rounds.borrow_and_update().clone();
            let readings = self.ask(&processes).await;
            encode::metrics(&readings).into_iter().for_each(|payload| queue.push(payload));
        }
    }

    /// Closes everything that was opened.
    pub(crate) async fn close(&mut self) {
        close_all(self.sessions.drain().map(|(_, session)| session)).await;
    }

    async fn ask(&mut self, processes: &[NodeProcess]) -> Vec<Reading> {
        self.round += 1;
        self.forget_except(processes).await;
        let mut readings = Vec::new();
        for process in processes.iter().take(SESSIONS_MAX) {
            if let Some(usage) = self.ask_one(process).await {
                let used = (Metric::RuntimeHeapUsed, usage.used.as_f64());
                let committed = (Metric::RuntimeHeapCommitted, usage.committed.as_f64());
                readings.extend([used, committed].map(|figure| process.reading(figure)));
            }
        }
        readings
    }

    async fn ask_one(&mut self, process: &NodeProcess) -> Option<HeapUsage> {
        let key = (process.pid, process.start_ticks);
        let first = Session::Retry { due: 0, then_in: RETRY_ROUNDS_FIRST };
        let session = self.sessions.entry(key).or_insert(first);
        let then_in = match session {
            Session::Open(_) => RETRY_ROUNDS_FIRST,
            Session::Retry { due, .. } if *due > self.round => return None,
            Session::Retry { then_in, .. } => *then_in,
            Session::GivenUp => return None,
        };
        match converse(session, &self.proc_root, process.pid).await {
            Ok(usage) => Some(usage),
            Err(error) => {
                tracing::debug!(pid = process.pid, %error, "a Node.js process did not answer");
                if let Some(next) = after(&error, self.round, then_in) {
                    *session = next;
                }
                None
            }
        }
    }

    async fn forget_except(&mut self, processes: &[NodeProcess]) {
        let kept = |key: &(Pid, u64)| processes.iter().any(|p| (p.pid, p.start_ticks) == *key);
        let gone: Vec<_> = self.sessions.extract_if(|key, _| !kept(key)).collect();
        close_all(gone.into_iter().map(|(_, session)| session)).await;
    }
}

impl NodeProcess {
    fn reading(&self, (metric, value): (Metric, f64)) -> Reading {
        Reading {
            at: self.at,
            service: self.service.clone(),
            version: self.version.clone(),
            instance: self.instance.clone(),
            metric,
            value,
        }
    }
}

async fn converse(
    session: &mut Session,
    proc_root: &Path,
    pid: Pid,
) -> Result<HeapUsage, InspectorError> {
    if let Session::Open(inspector) = session {
        return inspector.heap_usage().await;
    }
    let mut inspector = Inspector::open(proc_root, pid, PATIENCE).await?;
    let usage = inspector.heap_usage().await;
    *session = Session::Open(Box::new(inspector));
    usage
}

/// What becomes of a session after a failure; `None` keeps it as it is.
fn after(error: &InspectorError, round: u64, then_in: u64) -> Option<Session> {
    match error {
        // The event loop was busy. The connection is good, and a late answer is passed over.
        InspectorError::TimedOut { .. } => None,
        // It was signalled and opened nothing: it may handle the signal itself, so never again.
        InspectorError::NotOpened { .. }
        | InspectorError::NotAnInspector { .. }
        | InspectorError::OtherNetwork { .. }
        | InspectorError::Refused { .. }
        | InspectorError::Answer { .. } => Some(Session::GivenUp),
        InspectorError::Gone { .. }
        | InspectorError::Status { .. }
        | InspectorError::Sockets { .. }
        | InspectorError::SignalKills { .. }
        | InspectorError::Stopped { .. }
        | InspectorError::Signal { .. }
        | InspectorError::Http { .. }
        | InspectorError::Connect { .. }
        | InspectorError::Broken { .. }
        | InspectorError::Closed { .. } => {
            let doubled = (then_in * 2).min(RETRY_ROUNDS_MAX);
            Some(Session::Retry { due: round + then_in, then_in: doubled })
        }
    }
}

async fn close_all(sessions: impl Iterator<Item = Session>) {
    let mut closing: JoinSet<()> = sessions
        .filter_map(|session| match session {
            Session::Open(inspector) => Some(inspector.close()),
            Session::Retry { .. } | Session::GivenUp => None,
        })
        .collect();
    let all = async { while closing.join_next().await.is_some() {} };
    if tokio::time::timeout(CLOSING_MAX, all).await.is_err() {
        tracing::warn!("not every inspector of a Node.js process could be closed");
    }
}
