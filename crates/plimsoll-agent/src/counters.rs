//! What the agent tells of itself: how much it did, what it left out, what it cost. Plain atomics
//! that are written by the agent's tasks and read by whoever serves `/metrics`.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::collect::Round;

macro_rules! counters {
    ($($(#[$doc:meta])* $field:ident $name:literal;)*) => {
        /// Counters and gauges of one agent.
        #[derive(Debug, Default)]
        pub struct Counters { $($(#[$doc])* $field: AtomicU64,)* }

        impl Counters {
            /// Every counter with its name, in a fixed order.
            pub fn all(&self) -> Vec<(&'static str, u64)> {
                vec![$(($name, self.$field()),)*]
            }

            $($(#[$doc])* pub fn $field(&self) -> u64 {
                self.$field.load(Ordering::Relaxed)
            })*
        }
    };
}

counters! {
    rounds "agent_rounds_total";
    /// Rounds that were skipped because the one before was still running.
    rounds_missed "agent_rounds_missed_total";
    readings "agent_readings_total";
    changes "agent_changes_total";
    /// Reads that the kernel denied.
    denied "agent_reads_denied_total";
    /// Processes that ended while they were read.
    vanished "agent_processes_vanished_total";
    malformed "agent_reads_malformed_total";
    /// Processes and instances that were left out because of a bound.
    over_bound "agent_over_bound_total";
    /// Processor time of all rounds, in microseconds.
    round_cpu_micros "agent_round_cpu_microseconds_total";
    /// Wall time of the last round, in microseconds.
    round_wall_micros "agent_round_wall_microseconds";
    /// Instances in the last round.
    instances "agent_instances";
    batches_delivered "agent_batches_delivered_total";
    /// Batches that were pushed out of a full queue.
    batches_dropped "agent_batches_dropped_total";
    /// Batches that the server refused for good.
    batches_refused "agent_batches_refused_total";
    /// Readings inside of delivered batches that the server did not take.
    readings_refused "agent_readings_refused_total";
    deliveries_failed "agent_deliveries_failed_total";
    queue_batches "agent_queue_batches";
    queue_bytes "agent_queue_bytes";
}

impl Counters {
    pub(crate) fn round(&self, round: &Round) {
        add(&self.rounds, 1);
        add(&self.readings, round.readings.len() as u64);
        add(&self.changes, round.changes.len() as u64);
        add(&self.denied, round.counts.denied);
        add(&self.vanished, round.counts.vanished);
        add(&self.malformed, round.counts.malformed);
        add(&self.over_bound, round.counts.over_bound);
        add(&self.round_cpu_micros, micros(round.cost.cpu));
        self.round_wall_micros.store(micros(round.cost.wall), Ordering::Relaxed);
        self.instances.store(round.counts.instances, Ordering::Relaxed);
    }

    pub(crate) fn round_missed(&self) {
        add(&self.rounds_missed, 1);
    }

    pub(crate) fn delivered(&self, readings_refused: u64) {
        add(&self.batches_delivered, 1);
        add(&self.readings_refused, readings_refused);
    }

    pub(crate) fn dropped(&self, batches: u64) {
        add(&self.batches_dropped, batches);
    }

    pub(crate) fn refused(&self) {
        add(&self.batches_refused, 1);
    }

    pub(crate) fn delivery_failed(&self) {
        add(&self.deliveries_failed, 1);
    }

    pub(crate) fn queue(&self, batches: usize, bytes: usize) {
        self.queue_batches.store(batches as u64, Ordering::Relaxed);
        self.queue_bytes.store(bytes as u64, Ordering::Relaxed);
    }
}

fn add(counter: &AtomicU64, count: u64) {
    counter.fetch_add(count, Ordering::Relaxed);
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
