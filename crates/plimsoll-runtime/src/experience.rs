//! What captures took, and what the next one will take by that: its pause, and the size of its
//! file.
//!
//! Pure. What was made of the same program counts before what was made of others. Not here: where
//! it is kept between two runs (`plimsoll-wire` has its shape, the command line its file).

use std::collections::VecDeque;
use std::time::Duration;

use plimsoll_model::Bytes;

use crate::pause::{CaptureKind, PausePredictor, PredictedPause};

/// Captures that are remembered: eight of each kind of some twenty programs.
pub const MEASURED_MAX: usize = 512;

/// Captures of one kind and program that are: what [`PausePredictor`] takes.
const ALIKE_MAX: usize = 8;

/// A size learnt from few captures is widened by this; files vary less than pauses.
const SIZE_OVER_SEEN: f64 = 1.3;

/// What any file has beside its objects: tables of strings, classes and frames.
const FILE_FLOOR: Bytes = Bytes::from_mib(4);

/// One capture that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Measured {
    pub kind: CaptureKind,
    pub program: String,
    /// In use before it.
    pub heap: Bytes,
    pub pause: Duration,
    pub file: Bytes,
}

/// How large a file will be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PredictedSize {
    pub expected: Bytes,
    /// Compare this one with what is free.
    pub at_most: Bytes,
}

/// The captures that were made on this machine. Bounded.
#[derive(Clone, Debug, Default)]
pub struct Experience {
    /// Oldest first.
    measured: VecDeque<Measured>,
}

impl Experience {
    pub fn new() -> Self {
        Self::default()
    }

    /// The oldest of too many alike, or of too many, is forgotten.
    pub fn remember(&mut self, measured: Measured) {
        let is_alike =
            |old: &Measured| old.kind == measured.kind && old.program == measured.program;
        if self.measured.iter().filter(|old| is_alike(old)).count() >= ALIKE_MAX {
            let oldest = self.measured.iter().position(is_alike).expect("there are eight");
            self.measured.remove(oldest);
        }
        self.measured.push_back(measured);
        if self.measured.len() > MEASURED_MAX {
            self.measured.pop_front();
        }
    }

    /// Oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &Measured> {
        self.measured.iter()
    }

    /// What a capture of a heap of which `used` is in use will take.
    pub fn predict(
        &self,
        kind: CaptureKind,
        program: &str,
        used: Bytes,
    ) -> (PredictedPause, PredictedSize) {
        let of_kind = || self.measured.iter().filter(|old| old.kind == kind);
        let own: Vec<&Measured> = of_kind().filter(|old| old.program == program).collect();
        let all: Vec<&Measured> = of_kind().collect();
        let (scope, chosen) = match (own.is_empty(), all.is_empty()) {
            (false, _) => ("of this program", own),
            (true, false) => {
                let newest = all.len().saturating_sub(ALIKE_MAX);
                ("of other programs on this machine", all[newest..].into())
            }
            (true, true) => ("on this machine", all),
        };
        let mut predictor = PausePredictor::of(scope);
        chosen.iter().for_each(|old| predictor.observe(kind, old.heap, old.pause));
        (predictor.predict(kind, used), predicted_size(kind, &chosen, used))
    }
}

fn predicted_size(kind: CaptureKind, seen: &[&Measured], used: Bytes) -> PredictedSize {
    let (mut expected, mut at_most) = typical_ratio(kind);
    let large = seen.iter().filter(|old| old.heap.0 > FILE_FLOOR.0);
    let mut ratios: Vec<f64> = large
        .map(|old| old.file.0.saturating_sub(FILE_FLOOR.0) as f64 / old.heap.as_f64())
        .collect();
    ratios.sort_by(f64::total_cmp);
    if let Some(most) = ratios.last() {
        expected = ratios[ratios.len() / 2];
        at_most = most * SIZE_OVER_SEEN;
    }
    let size = |ratio: f64| Bytes(((used.as_f64() * ratio) as u64).saturating_add(FILE_FLOOR.0));
    PredictedSize { expected: size(expected), at_most: size(at_most) }
}

/// Bytes of file for a byte of heap, expected and at most, before anything is known. Measured: 1.51
/// for HPROF with compressed references, which the file has uncompressed; 1.9 for V8.
const fn typical_ratio(kind: CaptureKind) -> (f64, f64) {
    match kind {
        CaptureKind::JvmDumpAll | CaptureKind::JvmDumpLive => (1.5, 2.2),
        CaptureKind::NodeSnapshot => (2.0, 3.5),
        CaptureKind::JvmCollection
        | CaptureKind::JvmHistogramLive
        | CaptureKind::JvmHistogramAll
        | CaptureKind::NodeCollection => (0.0, 0.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(program: &str, heap_mib: u64, millis: u64, file_mib: u64) -> Measured {
        Measured {
            kind: CaptureKind::JvmDumpAll,
            program: program.to_owned(),
            heap: Bytes::from_mib(heap_mib),
            pause: Duration::from_millis(millis),
            file: Bytes::from_mib(file_mib),
        }
    }

    const USED: Bytes = Bytes::from_mib(200);

    fn predict(experience: &Experience, program: &str) -> (u128, u64, String) {
        let (pause, file) = experience.predict(CaptureKind::JvmDumpAll, program, USED);
        (pause.expected.as_millis(), file.expected.0 >> 20, pause.basis)
    }

    #[test]
    fn a_program_is_predicted_by_itself_then_by_others_then_by_what_is_typical() {
        let mut experience = Experience::new();
        let (pause, file, basis) = predict(&experience, "Shop");
        assert_eq!((pause, file), (2020, 304));
        assert!(basis.contains("none was made on this machine yet"), "{basis}");
        for _ in 0..3 {
            experience.remember(measured("Shop", 100, 320, 124));
        }
        experience.remember(measured("Till", 100, 2020, 204));
        let (pause, file, basis) = predict(&experience, "Shop");
        assert_eq!((pause, file), (620, 244));
        assert!(basis.contains("median of the last 3 of this program"), "{basis}");
        let (_, _, basis) = predict(&experience, "Desk");
        assert!(basis.contains("last 3 of other programs"), "{basis}");
        let other = experience.predict(CaptureKind::NodeSnapshot, "Shop", Bytes(10 << 20));
        assert_eq!(other.1.expected, Bytes::from_mib(24));
    }

    #[test]
    fn a_year_of_captures_is_bounded_and_the_newest_are_kept() {
        let mut experience = Experience::new();
        for round in 0..10_000 {
            experience.remember(measured(&format!("s{}", round % 100), 100, 100 + round, 50));
        }
        assert_eq!(experience.iter().count(), MEASURED_MAX);
        assert_eq!(experience.iter().last().unwrap().pause.as_millis(), 10_099);
        experience = Experience::new();
        for round in 0..20 {
            experience.remember(measured("Shop", 100, round, 50));
        }
        let kept: Vec<u128> = experience.iter().map(|old| old.pause.as_millis()).collect();
        assert_eq!(kept, (12..20).collect::<Vec<u128>>());
    }

    #[test]
    fn the_ends_of_the_number_line_are_sizes_too() {
        let mut experience = Experience::new();
        experience.remember(measured("Shop", u64::MAX, u64::MAX, u64::MAX));
        experience.remember(measured("Shop", 0, 0, 0));
        for used in [0, u64::MAX] {
            let found = experience.predict(CaptureKind::JvmDumpAll, "Shop", Bytes(used));
            assert!(found.1.expected <= found.1.at_most, "{found:?}");
        }
    }
}
