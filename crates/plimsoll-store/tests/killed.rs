//! SIGKILL at random moments: every reading and every entry that was acknowledged is there, and no
//! batch is there in part. This program is both sides: started with `write` it is the process that
//! is killed.
#![expect(clippy::unwrap_used, reason = "a store that cannot be used fails its test")]

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use plimsoll_model::*;
use plimsoll_store::{Store, verify};

/// Enough that a kill falls into every part of a write; each round takes tens of milliseconds.
const ROUNDS: usize = 25;
const READINGS_OF_BATCH: i64 = 700;
const ACKNOWLEDGED_MAX: usize = 12;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [_, "write", dir, first] => {
            runtime.block_on(write_for_ever(Path::new(dir), first.parse().unwrap()));
        }
        _tests => runtime.block_on(what_was_acknowledged_survives_a_kill()),
    }
}

async fn write_for_ever(dir: &Path, first: i64) {
    let store = Store::open(dir).await.unwrap();
    let mut journal = store.open_journal().unwrap().journal;
    for number in first.. {
        store.append(&batch(number)).await.unwrap();
        journal.append(draft(number), Timestamp::from_secs(number)).unwrap();
        let mut out = std::io::stdout().lock();
        writeln!(out, "{number}").unwrap();
        out.flush().unwrap();
    }
}

async fn what_was_acknowledged_survives_a_kill() {
    let home = tempfile::tempdir().unwrap();
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let mut acknowledged = -1;
    let mut torn = 0;
    for _ in 0..ROUNDS {
        let patience = random.usize(1..ACKNOWLEDGED_MAX);
        let spin = random.usize(0..2000);
        let last = killed_after(home.path(), acknowledged + 1, patience, spin);
        acknowledged = last.unwrap_or(acknowledged);
        torn += usize::from(check(home.path(), acknowledged).await);
    }
    println!(
        "{ROUNDS} kills, {acknowledged} batches, {torn} torn lines: all acknowledged is there"
    );
}

/// Starts a writer, kills it after some acknowledgements, and says which was the last.
fn killed_after(dir: &Path, first: i64, patience: usize, spin: usize) -> Option<i64> {
    let mut writer = Command::new(std::env::current_exe().unwrap())
        .args(["write", dir.to_str().unwrap(), &first.to_string()])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(writer.stdout.take().unwrap()).lines().map_while(Result::ok);
    let mut last = None;
    for line in lines.by_ref().take(patience) {
        last = line.parse().ok();
    }
    (0..spin).for_each(|_| std::thread::yield_now());
    writer.kill().unwrap();
    writer.wait().unwrap();
    lines.filter_map(|line| line.parse().ok()).last().or(last)
}

/// Whether the journal had a torn line.
async fn check(dir: &Path, acknowledged: i64) -> bool {
    let store = Store::open(dir).await.unwrap();
    let mut seen: BTreeMap<i64, i64> = BTreeMap::new();
    let count = |reading: Reading| {
        let number = reading.value as i64;
        assert_eq!(reading, reading_of(number, reading.at.as_millis() - number * 1000));
        *seen.entry(reading.value as i64).or_default() += 1;
    };
    store.replay(Timestamp::from_millis(0), count).await.unwrap();
    for (number, readings) in &seen {
        assert_eq!(*readings, READINGS_OF_BATCH, "batch {number} is there in part");
    }
    for number in 0..=acknowledged {
        assert!(seen.contains_key(&number), "batch {number} was acknowledged and is gone");
    }
    let opened = store.open_journal().unwrap();
    let entries = opened.journal.entries(None, usize::MAX).unwrap();
    let told: BTreeSet<_> = entries.into_iter().map(|entry| entry.what).collect();
    for number in 0..=acknowledged {
        let what = draft(number).what;
        assert!(told.contains(&what), "{what} was acknowledged and is gone");
    }
    let checked = verify(dir).unwrap();
    assert!(checked.verified, "{:?}", checked.fault);
    store.close().await;
    opened.torn.is_some()
}

fn batch(number: i64) -> Vec<Reading> {
    (0..READINGS_OF_BATCH).map(|index| reading_of(number, index)).collect()
}

fn reading_of(number: i64, index: i64) -> Reading {
    Reading {
        at: Timestamp::from_millis(number * 1000 + index),
        service: ServiceName::new("orders").unwrap(),
        version: Version::new("1.1.0").ok(),
        instance: InstanceName::new(&format!("orders-{}", index % 7)).unwrap(),
        metric: Metric::ProcessMemoryRss,
        value: number as f64,
    }
}

fn draft(number: i64) -> JournalDraft {
    JournalDraft {
        kind: JournalKind::Receipt,
        who: "writer".into(),
        incident: None,
        plan: None,
        what: format!("batch {number}"),
        why: "it was appended ".repeat(200),
        facts: Vec::new(),
    }
}
