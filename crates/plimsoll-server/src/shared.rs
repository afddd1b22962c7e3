//! What all handlers share.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use plimsoll_ingest::Rejections;
use plimsoll_ingest::admission::Admission;
use plimsoll_ingest::catalogue::Catalogue;
use plimsoll_ingest::traffic::Traffic;
use plimsoll_model::{Span, Timestamp};
use plimsoll_store::{Store, WriteError};

use crate::clock::Clock;
use crate::driver::Handle;
use crate::keeper::Unkept;
use crate::ledger::Ledger;

/// How long a refused write keeps the server from saying that it is ready. Senders come again
/// within seconds, and the first write that succeeds ends it; this is for when nobody does.
const REFUSAL_COUNTS: Span = Span::from_mins(1);

/// Outlines that could not be kept for so long keep the server from saying that it is ready: twice
/// the time between two writes of a service. Until then a start takes hardly longer than ever.
const UNKEPT_COUNTS: Span = Span::from_mins(10);

/// Agents whose last answer is remembered: more than the loop hears of at a time. Forgetting them
/// costs each one answer that says the same again.
const HANDED_MAX: usize = 4096;

/// Cheap to clone; handed to every handler.
#[derive(Clone)]
pub(crate) struct Shared(Arc<Parts>);

pub(crate) struct Parts {
    pub(crate) driver: Handle,
    pub(crate) store: Arc<Store>,
    pub(crate) journal: Ledger,
    pub(crate) counters: Arc<Counters>,
    pub(crate) clock: Clock,
    pub(crate) catalogue: Catalogue,
    pub(crate) agent_token: String,
    pub(crate) operator_token: String,
    pub(crate) intake: Mutex<Intake>,
    /// Commands that each agent was told of in its last answer.
    pub(crate) handed: Mutex<BTreeMap<String, BTreeSet<String>>>,
    /// Held from the write of what came in until it is in the queue of the loop, so that the loop
    /// takes it in in the order in which a restarted one would.
    pub(crate) turn: Arc<tokio::sync::Mutex<()>>,
}

/// The state of what comes in, beside the loop.
pub(crate) struct Intake {
    pub(crate) admission: Admission,
    pub(crate) traffic: Traffic,
    pub(crate) rejections: Rejections,
}

/// What the server says of itself.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) readings: AtomicU64,
    pub(crate) spans: AtomicU64,
    pub(crate) changes: AtomicU64,
    pub(crate) polls: AtomicU64,
    stalled: Mutex<Option<String>>,
    unkept: Mutex<Unkept>,
    refused_by_store: Mutex<Option<(Timestamp, String)>>,
}

impl Shared {
    pub(crate) fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }
}

impl std::ops::Deref for Shared {
    type Target = Parts;
    fn deref(&self) -> &Parts {
        &self.0
    }
}

impl Parts {
    /// Never held across an await: nothing under it waits.
    pub(crate) fn intake(&self) -> MutexGuard<'_, Intake> {
        self.intake.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers what an agent is told, and says whether any of it is new to it.
    pub(crate) fn hand(&self, agent: &str, commands: BTreeSet<String>) -> bool {
        let mut handed = self.handed.lock().unwrap_or_else(PoisonError::into_inner);
        if handed.len() >= HANDED_MAX && !handed.contains_key(agent) {
            handed.clear();
        }
        let before = handed.get(agent);
        let new = commands.iter().any(|id| before.is_none_or(|known| !known.contains(id)));
        if commands.is_empty() {
            handed.remove(agent);
        } else {
            handed.insert(agent.to_owned(), commands);
        }
        new
    }
}

impl Counters {
    pub(crate) fn add(counter: &AtomicU64, count: usize) {
        counter.fetch_add(count as u64, Ordering::Relaxed);
    }

    pub(crate) fn stalled(&self, why: Option<String>) {
        *self.stalled.lock().unwrap_or_else(PoisonError::into_inner) = why;
    }

    /// Notes what became of the newest write of what came in.
    pub(crate) fn stored<T>(&self, outcome: &Result<T, WriteError>, now: Timestamp) {
        let refused = outcome.as_ref().err().map(|error| (now, error.to_string()));
        *self.refused_by_store.lock().unwrap_or_else(PoisonError::into_inner) = refused;
    }

    /// Why what comes in is not stored, if something was refused lately.
    pub(crate) fn why_not_stored(&self, now: Timestamp) -> Option<String> {
        let refused = self.refused_by_store.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, why) = refused.as_ref()?;
        (now.since(*at) < REFUSAL_COUNTS).then(|| why.clone())
    }

    pub(crate) fn unkept(&self, unkept: Unkept) {
        *self.unkept.lock().unwrap_or_else(PoisonError::into_inner) = unkept;
    }

    /// Services and arrivals that are in no kept outlines.
    pub(crate) fn how_much_unkept(&self) -> (usize, u64) {
        let unkept = self.unkept.lock().unwrap_or_else(PoisonError::into_inner);
        (unkept.services, unkept.arrivals)
    }

    /// Why outlines are not kept, if that has failed for long.
    pub(crate) fn why_not_kept(&self, now: Timestamp) -> Option<String> {
        let unkept = self.unkept.lock().unwrap_or_else(PoisonError::into_inner);
        let (since, why) = unkept.failing.as_ref()?;
        (now.since(*since) >= UNKEPT_COUNTS).then(|| why.clone())
    }

    /// Why the loop cannot write, if it cannot.
    pub(crate) fn why_stalled(&self) -> Option<String> {
        self.stalled.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outlines_that_are_not_kept_count_when_that_has_failed_for_long() {
        let counters = Counters::default();
        let at = Timestamp::from_secs;
        assert_eq!(counters.why_not_kept(at(9000)), None);
        let failing = Some((at(100), "the disk is full".to_owned()));
        counters.unkept(Unkept { services: 2, arrivals: 7, failing });
        assert_eq!(counters.how_much_unkept(), (2, 7));
        assert_eq!(counters.why_not_kept(at(699)), None);
        assert_eq!(counters.why_not_kept(at(700)).as_deref(), Some("the disk is full"));
    }
}
