//! The batches that wait for the server: first in, first out, bounded by count and by bytes.
//!
//! When it is full the oldest batch goes, and is counted: the newest readings are worth most, and
//! the agent must not grow while the server is away. Used by `push`.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::counters::Counters;

/// What is sent in one request; cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Payload {
    /// An `ExportMetricsServiceRequest` as protobuf.
    Metrics(Arc<[u8]>),
    /// One JSON object a line.
    Events(Arc<[u8]>),
}

impl Payload {
    fn bytes(&self) -> &Arc<[u8]> {
        match self {
            Self::Metrics(bytes) | Self::Events(bytes) => bytes,
        }
    }

    pub(super) fn body(&self) -> Vec<u8> {
        self.bytes().to_vec()
    }
}

/// A payload with its place in the order of all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    pub number: u64,
    pub payload: Payload,
}

/// How much may wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueLimit {
    pub batches: usize,
    pub bytes: usize,
}

impl Default for QueueLimit {
    /// An hour of rounds at five seconds, with events between them; and a quarter of the agent's
    /// own limit of 60 MiB, which is what a fleet of 200 processes fills in about ten minutes.
    fn default() -> Self {
        Self { batches: 1440, bytes: 16 << 20 }
    }
}

#[derive(Debug, Default)]
struct Waiting {
    batches: VecDeque<Batch>,
    bytes: usize,
    next_number: u64,
    closed: bool,
}

/// The queue. Any thread may add; one task takes.
#[derive(Debug)]
pub struct Queue {
    limit: QueueLimit,
    waiting: Mutex<Waiting>,
    changed: Notify,
    counters: Arc<Counters>,
}

impl Queue {
    pub fn new(limit: QueueLimit, counters: Arc<Counters>) -> Self {
        Self { limit, waiting: Mutex::default(), changed: Notify::new(), counters }
    }

    /// Adds a batch, and drops the oldest ones that no longer fit. The newest always stays, so
    /// that a batch above the limit of bytes is still tried once.
    pub fn push(&self, payload: Payload) {
        let mut waiting = self.lock();
        waiting.bytes += payload.bytes().len();
        let number = waiting.next_number;
        waiting.next_number += 1;
        waiting.batches.push_back(Batch { number, payload });
        let mut dropped = 0;
        while waiting.batches.len() > 1
            && (waiting.batches.len() > self.limit.batches || waiting.bytes > self.limit.bytes)
        {
            waiting.remove_first();
            dropped += 1;
        }
        self.counters.dropped(dropped);
        self.counters.queue(waiting.batches.len(), waiting.bytes);
        drop(waiting);
        self.changed.notify_one();
    }

    /// The oldest batch, as soon as there is one; it stays until it is settled. `None` when the
    /// queue is closed and empty.
    pub async fn first(&self) -> Option<Batch> {
        loop {
            {
                let waiting = self.lock();
                if let Some(batch) = waiting.batches.front() {
                    return Some(batch.clone());
                }
                if waiting.closed {
                    return None;
                }
            }
            self.changed.notified().await;
        }
    }

    /// Removes a batch that needs no further attempt. It may have been dropped meanwhile.
    pub fn settle(&self, number: u64) {
        let mut waiting = self.lock();
        if waiting.batches.front().is_some_and(|batch| batch.number == number) {
            waiting.remove_first();
        }
        self.counters.queue(waiting.batches.len(), waiting.bytes);
    }

    /// Nothing more will come: what waits may still be taken.
    pub fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_one();
    }

    /// No code panics while it holds the lock, and the state is whole between any two statements.
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    fn remove_first(&mut self) {
        if let Some(batch) = self.batches.pop_front() {
            self.bytes -= batch.payload.bytes().len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(batches: usize, bytes: usize) -> (Queue, Arc<Counters>) {
        let counters = Arc::new(Counters::default());
        (Queue::new(QueueLimit { batches, bytes }, Arc::clone(&counters)), counters)
    }

    fn payload(len: usize) -> Payload {
        Payload::Metrics(vec![0; len].into())
    }

    #[tokio::test]
    async fn the_oldest_go_when_there_are_too_many_or_too_large_ones() {
        let (queue, counters) = queue(3, 100);
        (0..5).for_each(|_| queue.push(payload(10)));
        assert_eq!(queue.first().await.unwrap().number, 2);
        queue.push(payload(95));
        assert_eq!(queue.first().await.unwrap().number, 5);
        assert_eq!(counters.batches_dropped(), 5);
        assert_eq!((counters.queue_batches(), counters.queue_bytes()), (1, 95));
    }

    #[tokio::test]
    async fn one_batch_above_the_limit_is_still_tried() {
        let (queue, _) = queue(3, 100);
        queue.push(payload(1000));
        assert_eq!(queue.first().await.unwrap().number, 0);
    }

    #[tokio::test]
    async fn settling_a_batch_that_was_dropped_meanwhile_takes_no_other() {
        let (queue, counters) = queue(1, 100);
        queue.push(payload(1));
        let sent = queue.first().await.unwrap();
        queue.push(payload(2));
        queue.settle(sent.number);
        assert_eq!(counters.queue_batches(), 1);
        queue.close();
        assert_eq!(queue.first().await.unwrap().number, 1);
        queue.settle(1);
        assert_eq!(queue.first().await, None);
    }
}
