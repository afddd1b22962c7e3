//! About a hundred logs of real JVMs, of every collector and age, with the count of what is read of
//! each; and an independent count of where collections begin.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use plimsoll_heap::Kind;
use plimsoll_heap::gc_log::{Collected, GcLog};
use plimsoll_model::{Sample, Timestamp};

use crate::programs::{data, text};

/// Log, form, collections by kind, pauses for marking, and what was rejected; or why none is read.
const COVERAGE: &str = include_str!("../fixtures/gc-logs.txt");

fn logs(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.to_string_lossy().into_owned();
        if path.is_dir() {
            found.extend(logs(&path));
        } else if name.ends_with(".log") || name.ends_with(".log.gz") {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn row(log: &GcLog) -> String {
    let count = |kind| log.events.iter().filter(|event| event.collected == kind).count();
    let mut row = format!("{:?}", log.form);
    for (name, kind) in [
        ("young", Collected::Young),
        ("after_sweep", Collected::AfterSweep),
        ("mixed", Collected::Mixed),
        ("full", Collected::Full),
        ("concurrent", Collected::Concurrent),
        ("marking", Collected::Nothing),
    ] {
        write!(row, " {name}={}", count(kind)).unwrap();
    }
    let place = log.first_rejected.map(|line| format!("@{line}")).unwrap_or_default();
    write!(row, " rejected={}{place}", log.rejected).unwrap();
    row
}

#[test]
fn every_log_gives_its_collections_or_a_reason() {
    let Some(data) = data("gclogs/gctoolkit/gclogs") else { return };
    let mut table = String::new();
    let (mut read, mut refused) = (0, 0);
    for path in logs(&data) {
        let name = path.strip_prefix(&data).unwrap().display().to_string();
        let parsed = GcLog::parse(&text(&path));
        match &parsed {
            Ok(log) => {
                read += 1;
                writeln!(table, "{name} {}", row(log)).unwrap();
            }
            Err(error) => {
                refused += 1;
                let error = error.to_string();
                let reason = error.split(';').next().unwrap_or_default();
                writeln!(table, "{name} refused: {reason}").unwrap();
            }
        }
    }
    println!("{table}{read} read, {refused} refused");
    let differs = table.lines().zip(COVERAGE.lines()).find(|(found, want)| found != want);
    assert_eq!(differs, None, "found, and wanted");
    assert_eq!(table.lines().count(), COVERAGE.lines().count());
}

/// Where collections begin in a text, told by nothing but the words they begin with.
fn begun(text: &str) -> usize {
    let unified =
        ["Pause Young", "Pause Full", "Pause Initial Mark", "Pause Remark", "Pause Cleanup"];
    let is_unified = text.lines().any(|line| line.contains(" GC(0) "));
    if is_unified {
        let ends = text.lines().filter(|line| line.ends_with("ms") && line.contains("->"));
        return ends.filter(|line| unified.iter().any(|pause| line.contains(pause))).count();
    }
    let others = [" Worker", " concurrent", " ref-proc"];
    let after = |start: &str| -> Vec<String> {
        let places = text.match_indices(start);
        places.map(|(at, _)| text[at + start.len()..].chars().take(12).collect()).collect()
    };
    let young = after("[GC").into_iter().filter(|rest| {
        !others.iter().any(|other| rest.starts_with(other))
            && !rest.starts_with(|c: char| c.is_ascii_alphabetic())
    });
    young.count() + after("[Full GC").len()
}

#[test]
fn no_collection_of_any_log_is_lost() {
    let Some(data) = data("gclogs/gctoolkit/gclogs") else { return };
    let mut collections = 0;
    for path in logs(&data) {
        let text = text(&path);
        let Ok(log) = GcLog::parse(&text) else {
            assert_eq!(begun(&text), 0, "{}", path.display());
            continue;
        };
        assert_eq!(log.events.len() + log.rejected, begun(&text), "{}", path.display());
        assert_eq!(Kind::of(&std::fs::read(&path).unwrap()), Ok(Kind::GcLog), "{}", path.display());
        assert!(log.events.iter().all(|event| event.uptime.is_some() || event.wall.is_some()));
        collections += log.events.len();
    }
    assert!(collections > 100_000, "{collections}");
}

fn series(name: &str) -> (GcLog, Vec<Sample>, Vec<Sample>) {
    let folder = data("gclogs/gctoolkit/gclogs").unwrap();
    let log = GcLog::parse(&text(&folder.join(name))).unwrap();
    let mut lives = log.heap_series(Timestamp::from_secs(0));
    assert_eq!(lives.len(), 1);
    let life = lives.remove(0);
    (log, life.live, life.used)
}

#[test]
fn what_is_alive_rises_in_the_logs_that_are_said_to_leak() {
    if data("gclogs").is_none() {
        return;
    }
    let mib = |sample: &Sample| sample.value / f64::from(1 << 20);
    // The labels say: 241 full collections, old generation from 13 MB at 24 s to 341 at 762 s.
    let (log, live, _) = series("preunified/ps/details/memoryleak1.log.gz");
    let full = log.events.iter().filter(|event| event.collected == Collected::Full);
    assert_eq!((full.clone().count(), live.len()), (241, 241));
    let old_at = |secs: f64| {
        let mut near = full.clone().filter(|event| (event.uptime.unwrap() - secs).abs() < 1.0);
        near.next().and_then(|event| event.old_after).unwrap().0 >> 20
    };
    assert_eq!((old_at(24.0), old_at(762.0)), (13, 341));
    assert!(mib(&live[0]) < 14.0 && mib(live.last().unwrap()) > 300.0, "{live:?}");
    // And: 8 MB after a collection at first, 29 to 80 at the end of 180 s.
    let (_, _, used) = series("preunified/generated/leakerNoDetails.log");
    let late = used.iter().filter(|sample| sample.at.as_secs_f64() > 150.0).map(mib);
    assert!(mib(&used[0]) < 9.0);
    assert!(late.fold(f64::INFINITY, f64::min) > 25.0);
}
