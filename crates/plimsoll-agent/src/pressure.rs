//! How short of memory the whole machine is: pressure stall totals and what is still available.
//!
//! Not here: the pressure of one control group, which `cgroup::memory` reads with the same parser.

use plimsoll_model::Metric;

use crate::files::{keyed_number, leading_number};
use crate::proc::ProcFs;

/// Time that tasks lost to waiting for memory, since boot or since the group was made.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Stalls {
    /// At least one task waited.
    pub(crate) some_secs: f64,
    /// All tasks waited.
    pub(crate) full_secs: f64,
}

/// The readings of the machine; those that its kernel does not give are left out.
pub(crate) fn node_figures(proc: &mut ProcFs) -> Vec<(Metric, f64)> {
    let mut figures = Vec::new();
    if let Some(available) = proc.text(format_args!("meminfo")).ok().and_then(parse_available) {
        figures.push((Metric::NodeMemoryAvailable, available as f64));
    }
    if let Some(stalls) = proc.text(format_args!("pressure/memory")).ok().and_then(parse_stalls) {
        figures.push((Metric::NodeMemoryPressureSome, stalls.some_secs));
        figures.push((Metric::NodeMemoryPressureFull, stalls.full_secs));
    }
    figures
}

fn parse_available(text: &[u8]) -> Option<u64> {
    keyed_number(text, "MemAvailable:")?.checked_mul(1024)
}

/// Reads the text of a pressure file: `some avg10=.. total=<microseconds>`, then `full`.
pub(crate) fn parse_stalls(text: &[u8]) -> Option<Stalls> {
    let total = |kind: &[u8]| {
        let line = text.split(|byte| *byte == b'\n').find(|line| line.starts_with(kind))?;
        let value = line.split(|byte| *byte == b' ').find_map(|f| f.strip_prefix(b"total="))?;
        Some(leading_number(value)? as f64 / 1e6)
    };
    Some(Stalls { some_secs: total(b"some ")?, full_secs: total(b"full ")? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::path::Path;

    #[test]
    fn a_recorded_machine_is_read() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/proc");
        let figures = node_figures(&mut ProcFs::open(&root).unwrap());
        let want = [
            (Metric::NodeMemoryPressureSome, 0.000_015),
            (Metric::NodeMemoryPressureFull, 0.000_025),
        ];
        assert_eq!(figures, want, "that kernel is too old for MemAvailable");
    }

    #[test]
    fn available_memory_is_given_in_bytes() {
        let text = b"MemTotal:       15666184 kB\nMemAvailable:   12000000 kB\n";
        assert_eq!(parse_available(text), Some(12_288_000_000));
        assert_eq!(parse_available(b"MemAvailable: 18446744073709551615 kB"), None);
    }

    #[test]
    fn half_a_pressure_file_is_none() {
        assert_eq!(parse_stalls(b"some avg10=0.00 total=15\n"), None);
        assert_eq!(parse_stalls(b"some total=x\nfull total=1\n"), None);
    }

    proptest! {
        #[test]
        fn no_text_stops_the_parsers(text in proptest::collection::vec(any::<u8>(), 0..200)) {
            parse_stalls(&text);
            parse_available(&text);
        }
    }
}
