//! The live set of a JVM at no cost: what the old generation holds right after a collection.
//!
//! Pure. What each collector moves, read from OpenJDK 17 and seen on real JVMs:
//!
//! - Serial, Parallel: counter 0 is young, 1 full. The old generation does not move in between.
//!   A value is exact after a full collection; after a young one it also holds what died after it
//!   was promoted.
//! - G1: 0 is young and mixed, 1 full, 2 remark and cleanup. In between the old generation rises
//!   with humongous objects. Exact after a full collection; else an upper bound, which falls in
//!   the mixed collections behind a concurrent cycle.
//! - CMS: 0 is young, 1 full, 2 remark. It falls while it sweeps: an upper bound, except after a
//!   full collection.
//! - ZGC: 2, several pauses in one cycle. Follows the whole heap, and says nothing of the live
//!   set: the last pause of a cycle is before memory is given back, so the figure is near the top
//!   of the saw tooth.
//! - Shenandoah: 1, each pause of a cycle. Says nothing, for the same reason.
//!
//! The count moves when a collection begins and the sizes when it ends, so a reading in between
//! is not used. For ZGC and Shenandoah ask for a live class histogram instead.

use plimsoll_model::Bytes;

use super::reading::{Collections, CollectorFamily, JvmReading};

/// What a collection was, as far as it tells about the old generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CollectionKind {
    Young,
    ConcurrentPause,
    Full,
}

impl CollectionKind {
    /// Whether the old generation holds nothing dead afterwards, except what is only softly
    /// reachable.
    pub const fn is_exact(self) -> bool {
        match self {
            Self::Full => true,
            Self::Young | Self::ConcurrentPause => false,
        }
    }

    fn of(collections: &Collections) -> Self {
        match collections.ordinal {
            0 => Self::Young,
            1 => Self::Full,
            2.. => Self::ConcurrentPause,
        }
    }
}

/// What one more reading says of the live set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LiveUpdate {
    /// A collection has ended since the last value: this is the old generation after it. `after`
    /// is the most thorough of the collections since then.
    Live { old_used: Bytes, after: CollectionKind },
    /// No collection has ended since the last value.
    Unchanged,
    /// A collection is running; the sizes may be of before it.
    InCollection,
    /// This JVM has not collected yet.
    NoCollectionYet,
    /// This collector's counters do not hold the live set.
    CannotTell { collector: CollectorFamily },
}

/// Follows the readings of one JVM. Fixed size.
#[derive(Clone, Debug, Default)]
pub struct LiveSet {
    /// Per ordinal: collections begun, and end of the last one.
    seen: [(u64, i64); 8],
    last: Option<(Bytes, CollectionKind)>,
}

impl LiveSet {
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next reading, in order of time. A JVM that was replaced by another under the
    /// same id is noticed by its counters, which start again.
    pub fn feed(&mut self, reading: &JvmReading) -> LiveUpdate {
        let Some(old_used) = reading.old_used.filter(|_| holds_live_set(reading.collector)) else {
            return LiveUpdate::CannotTell { collector: reading.collector };
        };
        if reading.collections.iter().any(Collections::is_running) {
            return LiveUpdate::InCollection;
        }
        if reading.collections.iter().any(|now| now.count < self.seen_of(now).0) {
            *self = Self::default();
        }
        let ran = reading.collections.iter().filter(|now| self.seen_of(now) != stamp(now));
        let after = ran.map(CollectionKind::of).max();
        for now in &reading.collections {
            if let Some(seen) = self.seen.get_mut(usize::from(now.ordinal)) {
                *seen = stamp(now);
            }
        }
        self.conclude(reading.collector, old_used, after)
    }

    fn conclude(
        &mut self,
        collector: CollectorFamily,
        old_used: Bytes,
        after: Option<CollectionKind>,
    ) -> LiveUpdate {
        let after = after.or_else(|| self.late_size(collector, old_used));
        match (after, self.last) {
            (Some(after), _) => {
                self.last = Some((old_used, after));
                LiveUpdate::Live { old_used, after }
            }
            (None, Some(_)) => LiveUpdate::Unchanged,
            (None, None) => LiveUpdate::NoCollectionYet,
        }
    }

    /// Serial and Parallel write the sizes a moment after the end of a collection. A reading in
    /// that moment gave the size of before, so a size that moves later corrects it. For G1 a size
    /// moves by itself, with each humongous object, and corrects nothing.
    fn late_size(&self, collector: CollectorFamily, old_used: Bytes) -> Option<CollectionKind> {
        let (known, after) = self.last?;
        let is_still = matches!(collector, CollectorFamily::Serial | CollectorFamily::Parallel);
        (is_still && known != old_used).then_some(after)
    }

    fn seen_of(&self, collections: &Collections) -> (u64, i64) {
        self.seen.get(usize::from(collections.ordinal)).copied().unwrap_or_default()
    }
}

fn stamp(collections: &Collections) -> (u64, i64) {
    (collections.count, collections.last_exit_ticks)
}

const fn holds_live_set(collector: CollectorFamily) -> bool {
    match collector {
        CollectorFamily::Serial
        | CollectorFamily::Parallel
        | CollectorFamily::G1
        | CollectorFamily::ConcurrentMarkSweep => true,
        CollectorFamily::Z | CollectorFamily::Shenandoah | CollectorFamily::Other => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hsperfdata::AttachCapability;

    fn reading(collector: CollectorFamily, old: u64, counts: [u64; 3]) -> JvmReading {
        let collections = counts.iter().enumerate().map(|(ordinal, &count)| Collections {
            ordinal: ordinal as u8,
            name: String::new(),
            count,
            seconds: 0.0,
            last_entry_ticks: count as i64 * 100,
            last_exit_ticks: count as i64 * 100,
        });
        JvmReading {
            collector,
            spaces: Vec::new(),
            heap_used: None,
            heap_committed: None,
            heap_max: None,
            old_used: Some(Bytes(old)),
            old_capacity: None,
            metaspace_used: None,
            classes_loaded: None,
            threads_live: None,
            collections: collections.collect(),
            attach: AttachCapability::Unknown,
            java_version: None,
            main: None,
            options: Vec::new(),
        }
    }

    fn live(old: u64, after: CollectionKind) -> LiveUpdate {
        LiveUpdate::Live { old_used: Bytes(old), after }
    }

    #[test]
    fn a_value_comes_only_when_a_collection_has_run() {
        let mut set = LiveSet::new();
        let mut feed = |old, counts| set.feed(&reading(CollectorFamily::G1, old, counts));
        assert_eq!(feed(5, [0, 0, 0]), LiveUpdate::NoCollectionYet);
        assert_eq!(feed(10, [1, 0, 0]), live(10, CollectionKind::Young));
        assert_eq!(feed(900, [1, 0, 0]), LiveUpdate::Unchanged, "a humongous object is no news");
        assert_eq!(feed(20, [2, 0, 1]), live(20, CollectionKind::ConcurrentPause));
        assert_eq!(feed(8, [3, 1, 1]), live(8, CollectionKind::Full));
        assert!(CollectionKind::Full.is_exact() && !CollectionKind::Young.is_exact());
    }

    #[test]
    fn a_reading_within_a_collection_is_not_used() {
        let mut set = LiveSet::new();
        let mut within = reading(CollectorFamily::Serial, 10, [4, 0, 0]);
        within.collections[0].last_exit_ticks -= 1;
        assert_eq!(set.feed(&within), LiveUpdate::InCollection);
        let ended = reading(CollectorFamily::Serial, 12, [4, 0, 0]);
        assert_eq!(set.feed(&ended), live(12, CollectionKind::Young));
    }

    #[test]
    fn a_size_that_comes_late_corrects_the_value() {
        let mut set = LiveSet::new();
        set.feed(&reading(CollectorFamily::Parallel, 900, [4, 1, 0]));
        let late = set.feed(&reading(CollectorFamily::Parallel, 12, [4, 1, 0]));
        assert_eq!(late, live(12, CollectionKind::Full));
    }

    #[test]
    fn another_jvm_under_the_same_id_starts_again() {
        let mut set = LiveSet::new();
        set.feed(&reading(CollectorFamily::Serial, 900, [40, 2, 0]));
        let first = set.feed(&reading(CollectorFamily::Serial, 1, [0, 0, 0]));
        assert_eq!(first, LiveUpdate::NoCollectionYet);
    }

    #[test]
    fn collectors_that_do_not_tell_are_said_to_not_tell() {
        for collector in [CollectorFamily::Z, CollectorFamily::Shenandoah, CollectorFamily::Other] {
            let update = LiveSet::new().feed(&reading(collector, 10, [1, 1, 1]));
            assert_eq!(update, LiveUpdate::CannotTell { collector });
        }
    }
}
