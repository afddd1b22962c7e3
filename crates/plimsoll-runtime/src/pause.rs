//! How long a capture will stall the service, said before it is made, and learnt from each one.
//!
//! Pure. One predictor belongs to one process, or to what `experience` chose. Not here: whether the
//! pause is acceptable; that is decided with the objective of the service in hand
//! (`plimsoll-decide`).

use std::fmt;
use std::time::Duration;

use plimsoll_model::Bytes;

/// Something that stalls the whole process while it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CaptureKind {
    /// `GC.run`: a full collection.
    JvmCollection,
    /// `GC.class_histogram`: a full collection, and a walk of what is left.
    JvmHistogramLive,
    /// `GC.class_histogram -all`: a walk of the heap.
    JvmHistogramAll,
    /// `HeapProfiler.collectGarbage`.
    NodeCollection,
    /// `GC.heap_dump -all`: a walk of the heap that writes it.
    JvmDumpAll,
    /// `GC.heap_dump`: a full collection, and a walk of what is left that writes it.
    JvmDumpLive,
    /// `HeapProfiler.takeHeapSnapshot`.
    NodeSnapshot,
}

impl CaptureKind {
    const COUNT: usize = 7;

    pub const ALL: [Self; Self::COUNT] = [
        Self::JvmCollection,
        Self::JvmHistogramLive,
        Self::JvmHistogramAll,
        Self::NodeCollection,
        Self::JvmDumpAll,
        Self::JvmDumpLive,
        Self::NodeSnapshot,
    ];

    const fn index(self) -> usize {
        match self {
            Self::JvmCollection => 0,
            Self::JvmHistogramLive => 1,
            Self::JvmHistogramAll => 2,
            Self::NodeCollection => 3,
            Self::JvmDumpAll => 4,
            Self::JvmDumpLive => 5,
            Self::NodeSnapshot => 6,
        }
    }

    /// Expected and worst seconds a MiB, before anything is known of this process. Measured on a
    /// 2-core machine with heaps of 206 and 965 MB in Java 17 with G1, and 40 MB in Node.js 20
    /// (design/6-heap.md); the worst is that of the same machine under load.
    const fn typical(self) -> Rate {
        match self {
            Self::JvmCollection => Rate { expected: 2.6e-3, worst: 4.5e-3 },
            Self::JvmHistogramLive => Rate { expected: 4.5e-3, worst: 29.0e-3 },
            Self::JvmHistogramAll => Rate { expected: 1.3e-3, worst: 2.7e-3 },
            Self::NodeCollection => Rate { expected: 10.0e-3, worst: 25.0e-3 },
            Self::JvmDumpAll => Rate { expected: 10.0e-3, worst: 42.0e-3 },
            // The dump, and before it the collection; less when much of the heap is garbage.
            Self::JvmDumpLive => Rate { expected: 12.6e-3, worst: 46.5e-3 },
            Self::NodeSnapshot => Rate { expected: 120.0e-3, worst: 480.0e-3 },
        }
    }
}

impl CaptureKind {
    /// The name under which it is remembered.
    pub const fn word(self) -> &'static str {
        match self {
            Self::JvmCollection => "jvm_collection",
            Self::JvmHistogramLive => "jvm_histogram_live",
            Self::JvmHistogramAll => "jvm_histogram_all",
            Self::NodeCollection => "node_collection",
            Self::JvmDumpAll => "jvm_dump_all",
            Self::JvmDumpLive => "jvm_dump_live",
            Self::NodeSnapshot => "node_snapshot",
        }
    }

    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }
}

impl fmt::Display for CaptureKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::JvmCollection => "a forced collection",
            Self::JvmHistogramLive => "a class histogram of live objects",
            Self::JvmHistogramAll => "a class histogram of all objects",
            Self::NodeCollection => "a forced collection of V8",
            Self::JvmDumpAll => "a heap dump of all objects",
            Self::JvmDumpLive => "a heap dump of live objects",
            Self::NodeSnapshot => "a heap snapshot of V8",
        })
    }
}

/// Seconds a MiB of heap.
#[derive(Clone, Copy, Debug)]
struct Rate {
    expected: f64,
    worst: f64,
}

/// What any capture takes, however small the heap: reaching a safepoint, and the answer.
const PAUSE_FLOOR: Duration = Duration::from_millis(20);

/// Mean size of an object in the measured heaps (206 MB, 5.75 million objects). A heap of smaller
/// objects takes longer per MiB, which is what the observations are for.
const BYTES_PER_OBJECT: f64 = 35.0;

/// Observations kept for each kind: enough for a worst case, few enough to follow a heap that
/// changes.
const OBSERVATIONS_MAX: usize = 8;

/// The newest of them, whose median is expected: one outlier moves nothing, and a machine that has
/// become twice as fast or slow is believed at the second capture after.
const NEWEST: usize = 3;

/// A worst case learnt from few observations is widened by this: the next one may meet a busier
/// machine.
const WORST_OVER_SEEN: f64 = 1.5;

/// A heap smaller than this teaches nothing about a rate: the fixed cost hides it.
const HEAP_TO_LEARN_FROM_MIN: Bytes = Bytes::from_mib(8);

/// What a capture will cost the service.
#[derive(Clone, Debug, PartialEq)]
pub struct PredictedPause {
    pub expected: Duration,
    /// Longer than this would be a surprise; compare this one with a budget.
    pub at_most: Duration,
    /// What the prediction rests on, in words.
    pub basis: String,
}

/// Predicts the pauses of one process. Fixed size.
#[derive(Clone, Debug)]
pub struct PausePredictor {
    observed: [Observations; CaptureKind::COUNT],
    /// Where the observations come from, in words.
    scope: &'static str,
}

impl Default for PausePredictor {
    fn default() -> Self {
        Self::of("in this process")
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Observations {
    /// Seconds a MiB, newest at `next - 1`.
    rates: [f64; OBSERVATIONS_MAX],
    count: usize,
    next: usize,
}

impl PausePredictor {
    pub fn new() -> Self {
        Self::default()
    }

    /// One that learns from elsewhere than one process: `scope` says from where, after "the
    /// median of the last 3 ".
    pub fn of(scope: &'static str) -> Self {
        Self { observed: Default::default(), scope }
    }

    /// What `kind` will take on a heap of which `used` is in use.
    pub fn predict(&self, kind: CaptureKind, used: Bytes) -> PredictedPause {
        let typical = kind.typical();
        let seen = &self.observed[kind.index()];
        let rate = seen.rate().unwrap_or(typical);
        let mib = used.as_f64() / f64::from(1 << 20);
        let pause = |rate: f64| PAUSE_FLOOR.saturating_add(seconds(mib * rate));
        let scope = self.scope;
        let origin = match seen.count {
            0 => format!("as measured on a 2-core machine; none was made {scope} yet"),
            1 => format!("as the one made {scope} before took"),
            count => format!("the median of the last {} {scope}", count.min(NEWEST)),
        };
        let objects = used.as_f64() / BYTES_PER_OBJECT / 1e6;
        PredictedPause {
            expected: pause(rate.expected),
            at_most: pause(rate.worst),
            basis: format!(
                "{kind} of {used} in use (about {objects:.1} million objects) at {:.1} ms a MiB, \
                 {origin}",
                rate.expected * 1e3
            ),
        }
    }

    /// Learns from a capture that was made: how much heap was in use before it, and how long the
    /// service stood still.
    pub fn observe(&mut self, kind: CaptureKind, used: Bytes, measured: Duration) {
        if used < HEAP_TO_LEARN_FROM_MIN {
            return;
        }
        let mib = used.as_f64() / f64::from(1 << 20);
        let beyond_floor = measured.saturating_sub(PAUSE_FLOOR).as_secs_f64();
        self.observed[kind.index()].add(beyond_floor / mib);
    }
}

impl Observations {
    fn add(&mut self, rate: f64) {
        self.rates[self.next] = rate;
        self.next = (self.next + 1) % OBSERVATIONS_MAX;
        self.count = (self.count + 1).min(OBSERVATIONS_MAX);
    }

    fn rate(&self) -> Option<Rate> {
        let worst = self.rates[..self.count].iter().copied().max_by(f64::total_cmp)?;
        let mut newest: Vec<f64> =
            (1..=self.count.min(NEWEST)).map(|back| self.rates[self.place(back)]).collect();
        newest.sort_by(f64::total_cmp);
        Some(Rate { expected: newest[newest.len() / 2], worst: worst * WORST_OVER_SEEN })
    }

    /// Where the observation is that was made so many before the next one.
    fn place(&self, back: usize) -> usize {
        (self.next + OBSERVATIONS_MAX - back) % OBSERVATIONS_MAX
    }
}

/// A pause too long for the type is as long as the type can say.
fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The stalls that were measured, in milliseconds, on heaps of so many MiB.
    #[test]
    fn the_first_prediction_covers_what_was_measured() {
        let check = |kind, mib, measured_ms: std::ops::RangeInclusive<u64>| {
            let predicted = PausePredictor::new().predict(kind, Bytes::from_mib(mib));
            let [low, high] = [measured_ms.start(), measured_ms.end()].map(|ms| u128::from(*ms));
            assert!(predicted.at_most.as_millis() >= high, "{predicted:?}");
            assert!((low / 2..=high).contains(&predicted.expected.as_millis()), "{predicted:?}");
        };
        check(CaptureKind::JvmCollection, 196, 472..=603);
        check(CaptureKind::JvmCollection, 920, 2400..=4000);
        check(CaptureKind::JvmHistogramLive, 196, 600..=5700);
        check(CaptureKind::JvmHistogramLive, 920, 3700..=4700);
        check(CaptureKind::JvmHistogramAll, 196, 168..=518);
        check(CaptureKind::JvmHistogramAll, 920, 1150..=1370);
        check(CaptureKind::NodeCollection, 38, 300..=936);
        check(CaptureKind::JvmDumpAll, 196, 1300..=8100);
        check(CaptureKind::JvmDumpAll, 920, 11_000..=14_000);
        check(CaptureKind::NodeSnapshot, 38, 3400..=18_200);
        check(CaptureKind::NodeSnapshot, 148, 13_600..=13_600 * 2);
    }

    #[test]
    fn every_kind_is_known_by_its_word() {
        for (index, kind) in CaptureKind::ALL.into_iter().enumerate() {
            assert_eq!((CaptureKind::from_word(kind.word()), kind.index()), (Some(kind), index));
        }
        assert_eq!(CaptureKind::from_word("jvm"), None);
    }

    #[test]
    fn what_this_process_took_replaces_what_others_took() {
        let mut predictor = PausePredictor::new();
        let heap = Bytes::from_mib(100);
        for ms in [120, 130, 2020] {
            predictor.observe(CaptureKind::JvmHistogramAll, heap, Duration::from_millis(ms));
        }
        let predicted = predictor.predict(CaptureKind::JvmHistogramAll, Bytes::from_mib(200));
        assert_eq!(predicted.expected.as_millis(), 240, "one slow one does not move the median");
        assert_eq!(predicted.at_most.as_millis(), 6020);
        assert!(predicted.basis.contains("last 3 in this process"), "{}", predicted.basis);
        let other = predictor.predict(CaptureKind::JvmCollection, heap);
        assert!(other.basis.contains("none was made"), "{}", other.basis);
    }

    #[test]
    fn old_observations_are_forgotten() {
        let mut predictor = PausePredictor::new();
        let heap = Bytes::from_mib(100);
        for ms in [9000; 8].into_iter().chain([120; 8]) {
            predictor.observe(CaptureKind::JvmCollection, heap, Duration::from_millis(ms));
        }
        let predicted = predictor.predict(CaptureKind::JvmCollection, heap);
        assert_eq!(predicted.at_most.as_millis(), 170);
    }

    #[test]
    fn a_machine_that_has_become_faster_is_believed_at_the_second_capture() {
        let mut predictor = PausePredictor::new();
        let heap = Bytes::from_mib(100);
        let mut expected = Vec::new();
        for ms in [9020, 9020, 9020, 9020, 120, 120, 120] {
            predictor.observe(CaptureKind::JvmDumpAll, heap, Duration::from_millis(ms));
            let predicted = predictor.predict(CaptureKind::JvmDumpAll, heap);
            expected.push(predicted.expected.as_millis());
            assert!(predicted.at_most.as_millis() > 13_000, "the worst is not forgotten");
        }
        assert_eq!(expected, [9020, 9020, 9020, 9020, 9020, 120, 120]);
    }

    #[test]
    fn the_ends_of_the_number_line_are_pauses_too() {
        let mut predictor = PausePredictor::new();
        predictor.observe(CaptureKind::JvmCollection, Bytes(0), Duration::MAX);
        predictor.observe(CaptureKind::JvmCollection, Bytes(u64::MAX), Duration::MAX);
        for kind in CaptureKind::ALL {
            for used in [Bytes(0), Bytes(u64::MAX)] {
                let predicted = predictor.predict(kind, used);
                assert!(PAUSE_FLOOR <= predicted.expected);
                assert!(predicted.expected <= predicted.at_most);
            }
        }
    }
}
