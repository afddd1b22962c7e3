//! What must hold of any bytes, for each format that is read from outside.
//!
//! A target is a name, its promise, a function that panics where the promise is broken, and seeds.
//! `fuzz_targets` hands the same functions to libFuzzer (`cargo xtask fuzz`); the tests here run
//! them over seeds, over what once broke them (`regressions`), and over some thousand mutations of
//! both, so that no target rots between two long runs. Not here: whether a reader is right.

mod dumps;
mod heap;
mod heaps;
mod ingest;
mod machine;
#[cfg(test)]
mod mutate;
mod records;
mod runtime;
mod seeds;
mod sources;

use std::path::PathBuf;

/// One format.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    pub name: &'static str,
    /// What holds of any bytes, besides: no panic, no hang, no memory without a bound.
    pub promise: &'static str,
    check: fn(&[u8]),
    seeds: fn() -> Vec<Vec<u8>>,
}

/// Every target, by name.
pub const TARGETS: &[Target] = &[
    Target {
        name: "agent_messages",
        promise: "what an agent and a server say to each other is refused or survives its JSON",
        check: records::agent_messages,
        seeds: seeds::agent_messages,
    },
    Target {
        name: "canonical_json",
        promise: "the canonical text of a value is a value with the same canonical text",
        check: records::canonical_json,
        seeds: seeds::canonical_json,
    },
    Target {
        name: "capture_words",
        promise: "what processes say of themselves in words is a figure, an id, or nothing",
        check: runtime::capture_words,
        seeds: seeds::capture_words,
    },
    Target {
        name: "catalogue",
        promise: "what a catalogue makes of any value is refused, absent or finite",
        check: ingest::catalogue,
        seeds: seeds::catalogue,
    },
    Target {
        name: "class_histogram",
        promise: "rows add up to the total, shares of a growth to one at most",
        check: runtime::class_histogram,
        seeds: seeds::class_histogram,
    },
    Target {
        name: "corpus",
        promise: "a manifest and a line of truth are refused or survive their JSON",
        check: records::corpus,
        seeds: seeds::corpus,
    },
    Target {
        name: "csv",
        promise: "readings + ignored + rejected = rows; readings survive being written again; \
                  the size of the pieces read does not matter",
        check: ingest::csv,
        seeds: seeds::csv,
    },
    Target {
        name: "events",
        promise: "changes + rejected = lines; a change survives being written again",
        check: ingest::events,
        seeds: seeds::events,
    },
    Target {
        name: "fleet",
        promise: "a fleet is refused or survives its JSON",
        check: records::fleet,
        seeds: seeds::fleet,
    },
    Target {
        name: "gc_log",
        promise: "collections and rejections are no more than lines allow; series are in order",
        check: heap::gc_log,
        seeds: heap::gc_log_seeds,
    },
    Target {
        name: "heap_text",
        promise: "a text profile is refused or read; its shares sum to one at most",
        check: heap::heap_text,
        seeds: heap::heap_text_seeds,
    },
    Target {
        name: "heaptrack",
        promise: "a data file is refused or read; nothing is held that was not allocated",
        check: heap::heaptrack,
        seeds: heap::heaptrack_seeds,
    },
    Target {
        name: "hprof",
        promise: "a heap dump is refused, or what is alive is part of it, and holders of what is alive",
        check: dumps::hprof,
        seeds: dumps::hprof_seeds,
    },
    Target {
        name: "hsperfdata",
        promise: "counters are refused or counted, and a live set is no less than nothing",
        check: runtime::hsperfdata,
        seeds: seeds::hsperfdata,
    },
    Target {
        name: "http_head",
        promise: "the head of an answer ends inside of it, and more bytes do not change it",
        check: runtime::http_head,
        seeds: seeds::http_head,
    },
    Target {
        name: "incident",
        promise: "an incident is refused or survives its record",
        check: records::incident,
        seeds: seeds::incident,
    },
    Target {
        name: "journal",
        promise: "a line that is taken is written as it was read; a check ends with a head",
        check: records::journal,
        seeds: seeds::journal,
    },
    Target {
        name: "local_files",
        promise: "an agent's own file is refused or survives being written again",
        check: records::local_files,
        seeds: seeds::local_files,
    },
    Target {
        name: "logs",
        promise: "every line with a signature is counted once, and nothing of its text is kept",
        check: ingest::logs,
        seeds: seeds::logs,
    },
    Target {
        name: "machine",
        promise: "a round over procfs and cgroups of any content gives finite readings",
        check: machine::machine,
        seeds: machine::seeds,
    },
    Target {
        name: "otlp_metrics",
        promise: "finite readings in order of time, within the bound, and an answer",
        check: ingest::otlp_metrics,
        seeds: seeds::otlp_metrics,
    },
    Target {
        name: "otlp_traces",
        promise: "spans that end after they begin; finite rates; bounded instances",
        check: ingest::otlp_traces,
        seeds: seeds::otlp_traces,
    },
    Target {
        name: "parquet",
        promise: "readings + ignored + rejected = rows, or damage is told",
        check: ingest::parquet,
        seeds: seeds::parquet,
    },
    Target {
        name: "plan",
        promise: "a plan is refused or is the one of its digest, and survives its JSON",
        check: records::plan,
        seeds: seeds::plan,
    },
    Target {
        name: "pprof",
        promise: "a profile is refused or read; it does not differ from itself",
        check: heap::pprof,
        seeds: heap::pprof_seeds,
    },
    Target {
        name: "prometheus",
        promise: "curves within what was asked, finite readings of those that were found",
        check: ingest::prometheus,
        seeds: seeds::prometheus,
    },
    Target {
        name: "redact",
        promise: "a redacted dump is as long as it was, in pieces or whole; redacting it again \
                  changes nothing; a snapshot keeps its graph",
        check: heaps::redact,
        seeds: heaps::redact_seeds,
    },
    Target {
        name: "requests",
        promise: "a body of the API is refused or survives its JSON",
        check: records::requests,
        seeds: seeds::requests,
    },
    Target {
        name: "scenario",
        promise: "a scenario is refused with a line, or read",
        check: runtime::scenario,
        seeds: seeds::scenario,
    },
    Target {
        name: "source_lines",
        promise: "any text as a source names fields or nothing, and changes no number",
        check: sources::source_lines,
        seeds: sources::source_lines_seeds,
    },
    Target {
        name: "stored",
        promise: "outlines, a batch of arrivals and an alert are refused or survive being written \
                  again",
        check: records::stored,
        seeds: seeds::stored,
    },
    Target {
        name: "tracemalloc",
        promise: "a pickle is refused or a snapshot, and names no class but the snapshot's",
        check: heap::tracemalloc,
        seeds: heap::tracemalloc_seeds,
    },
    Target {
        name: "v8_snapshot",
        promise: "a snapshot is refused, or everything in it is retained by its root",
        check: heaps::v8_snapshot,
        seeds: heaps::v8_seeds,
    },
];

/// Runs one target over some bytes.
///
/// # Panics
/// Where its promise is broken, and where there is no target of this name.
pub fn check(name: &str, bytes: &[u8]) {
    let target = TARGETS.iter().find(|target| target.name == name);
    (target.expect("the name of a target").check)(bytes);
}

impl Target {
    /// Valid inputs, and what once broke the target.
    pub fn seeds(&self) -> Vec<Vec<u8>> {
        let mut seeds = (self.seeds)();
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("regressions").join(self.name);
        let found = std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
        let mut paths: Vec<_> = found.map(|entry| entry.path()).collect();
        paths.sort();
        seeds.extend(paths.iter().filter_map(|path| std::fs::read(path).ok()));
        seeds
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Bytes that a target is fed in a test: large seeds get fewer mutations.
    const BYTES_FED: usize = 4 << 20;
    const MUTATIONS_MAX: usize = 2000;

    #[test]
    fn every_target_keeps_its_promise_over_seeds_and_their_mutations() {
        for target in TARGETS {
            let seeds = target.seeds();
            assert!(!seeds.is_empty(), "{} has no seed", target.name);
            seeds.iter().for_each(|seed| (target.check)(seed));
            let mut random = fastrand::Rng::with_seed(3);
            let longest = seeds.iter().map(Vec::len).max().unwrap_or(0).max(1);
            for _ in 0..(BYTES_FED / longest).clamp(200, MUTATIONS_MAX) {
                (target.check)(&mutate::mutated(&seeds, &mut random));
            }
        }
    }

    #[test]
    fn each_target_has_its_program_for_libfuzzer_and_nothing_else_has() {
        let own = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
        let names: BTreeSet<_> =
            TARGETS.iter().map(|target| format!("{}.rs", target.name)).collect();
        assert_eq!(names.len(), TARGETS.len());
        assert!(TARGETS.is_sorted_by_key(|target| target.name));
        let files = std::fs::read_dir(own.join("fuzz_targets")).unwrap();
        let files: BTreeSet<_> =
            files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
        assert_eq!(files, names);
        let manifest = std::fs::read_to_string(own.join("Cargo.toml")).unwrap();
        for Target { name, .. } in TARGETS {
            let path = own.join(format!("fuzz_targets/{name}.rs"));
            let text = std::fs::read_to_string(path).unwrap();
            assert!(text.contains(&format!("fuzz::check(\"{name}\", bytes)")), "{text}");
            assert!(manifest.contains(&format!("path = \"fuzz_targets/{name}.rs\"")), "{name}");
        }
    }
}
