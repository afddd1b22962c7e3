//! The counters of real JVMs, by collector, and the parser against bytes that no JVM wrote.

use std::time::Duration;

use crate::jvm;
use crate::program::{Program, proc_root, within};
use plimsoll_model::Bytes;
use plimsoll_runtime::attach::{Jvm, Patience};
use plimsoll_runtime::hsperfdata::{
    AttachCapability, CollectionKind, CollectorFamily, Counters, JvmReading, LiveSet, LiveUpdate,
    PerfError, PerfFile,
};
use proptest::prelude::*;

const DEADLINE: Duration = Duration::from_secs(60);

/// Reads until the JVM has written what is waited for.
fn next_live(file: &PerfFile, set: &mut LiveSet, wanted: CollectionKind) -> Bytes {
    let mut found = None;
    within(DEADLINE, || {
        if let LiveUpdate::Live { old_used, after } = set.feed(&file.read().expect("it runs")) {
            found = (after == wanted).then_some(old_used).or(found);
        }
        found.is_some()
    });
    found.expect("the condition came")
}

async fn collect(program: &Program) {
    let patience = Patience { attach: DEADLINE, answer: DEADLINE };
    Jvm::new(proc_root(), program.pid(), patience).run_gc().await.expect("the JVM is willing");
}

async fn check(option: &str, collector: CollectorFamily) {
    let Some(mut program) = jvm::start(&[option]) else { return };
    let file = PerfFile::open(proc_root(), program.pid()).expect("it runs");
    let reading = file.read().expect("it runs");
    assert_eq!(reading.collector, collector);
    assert_eq!(reading.attach, AttachCapability::Allowed);
    assert_eq!(reading.heap_max, Some(Bytes::from_mib(128)));
    assert_eq!(reading.main.as_deref(), Some("Leak"));
    assert!(reading.options.iter().any(|found| found == option));
    assert!(reading.classes_loaded > Some(300));
    assert!(reading.threads_live > Some(2));

    let mut set = LiveSet::new();
    assert_eq!(set.feed(&reading), LiveUpdate::NoCollectionYet);
    program.say("churn");
    program.expect_line("churned");
    next_live(&file, &mut set, CollectionKind::Young);

    collect(&program).await;
    let before = next_live(&file, &mut set, CollectionKind::Full);
    assert_eq!(set.feed(&file.read().expect("it runs")), LiveUpdate::Unchanged);
    program.say("leak 100000");
    program.expect_line("kept");
    collect(&program).await;
    let after = next_live(&file, &mut set, CollectionKind::Full);
    // 24 the order, 120 its array, 24 and 32 its name, 32 its node, 16 its key.
    let each = (after.0 - before.0) / 100_000;
    assert!((230..300).contains(&each), "{each} bytes for each order");
    let last = file.read().expect("it runs");
    assert!(last.collection_seconds() > 0.0 && last.collection_count() >= 3);
    assert!(last.heap_used >= Some(after) && last.heap_committed <= last.heap_max);
    assert!(last.metaspace_used > Some(Bytes(0)));
}

#[tokio::test]
async fn the_live_set_of_a_serial_collector_is_read_after_collections_only() {
    check("-XX:+UseSerialGC", CollectorFamily::Serial).await;
}

#[tokio::test]
async fn the_live_set_of_a_parallel_collector_is_read_after_collections_only() {
    check("-XX:+UseParallelGC", CollectorFamily::Parallel).await;
}

#[tokio::test]
async fn the_live_set_of_g1_is_read_after_collections_only() {
    check("-XX:+UseG1GC", CollectorFamily::G1).await;
}

#[tokio::test]
async fn zgc_says_that_its_counters_do_not_tell() {
    let Some(program) = jvm::start(&["-XX:+UseZGC"]) else { return };
    let reading = PerfFile::open(proc_root(), program.pid()).unwrap().read().unwrap();
    let collector = CollectorFamily::Z;
    assert_eq!(LiveSet::new().feed(&reading), LiveUpdate::CannotTell { collector });
    assert_eq!(reading.heap_max, Some(Bytes::from_mib(128)));
}

#[test]
fn a_process_without_counters_has_none() {
    let error = PerfFile::open(proc_root(), std::process::id()).unwrap_err();
    assert!(matches!(error, PerfError::NotFound { .. }), "{error}");
    let error = PerfFile::open(proc_root(), u32::MAX).unwrap_err();
    assert!(matches!(error, PerfError::Status { .. }), "{error}");
}

const REAL: [&[u8]; 4] = [
    include_bytes!("../fixtures/serial-java17.hsperfdata"),
    include_bytes!("../fixtures/parallel-java17.hsperfdata"),
    include_bytes!("../fixtures/g1-java17.hsperfdata"),
    include_bytes!("../fixtures/z-java17.hsperfdata"),
];

#[test]
fn the_same_option_gives_the_same_maximum_whatever_the_collector_counts() {
    for bytes in REAL {
        assert_eq!(JvmReading::parse(bytes).unwrap().heap_max, Some(Bytes::from_mib(256)));
        assert!(Counters::parse(bytes).unwrap().len() > 100);
    }
}

proptest! {
    #[test]
    fn random_bytes_never_break_the_parser(bytes in prop::collection::vec(any::<u8>(), 0..4096)) {
        let mut bytes = bytes;
        drop(JvmReading::parse(&bytes));
        let header = REAL[0][..32.min(bytes.len())].to_vec();
        bytes.splice(..header.len(), header);
        drop(JvmReading::parse(&bytes));
    }

    #[test]
    fn changed_real_bytes_never_break_the_parser(
        which in 0..REAL.len(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..48),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = REAL[which].to_vec();
        for (index, byte) in &edits {
            // Half of the changes go to the header and the first entries.
            let range = if byte % 2 == 0 { 256 } else { bytes.len() };
            bytes[index.index(range)] = *byte;
        }
        if let Ok(reading) = JvmReading::parse(&bytes) {
            LiveSet::new().feed(&reading);
            prop_assert!(reading.spaces.len() <= 16 && reading.collections.len() <= 8);
        }
        bytes.truncate(cut.index(bytes.len()));
        drop(JvmReading::parse(&bytes));
    }
}
