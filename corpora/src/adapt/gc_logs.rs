//! `gclogs`: logs of garbage collections, one case a log: the heap after each collection.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

use plimsoll_model::{Label, Metric, Span, Timestamp};
use plimsoll_wire::words::CauseWord;

use super::draft::{Draft, instance};
use super::gc_record::{Collection, GcLog};
use super::harvest::Harvest;
use super::table::{Lines, Table, files, folders};
use super::{AdaptError, moment};

/// Fewer collections than this are a fragment, and no series.
const COLLECTIONS_MIN: usize = 2;
/// Folders within folders; the logs lie at most 8 deep.
const DEPTH_MAX: u32 = 16;

pub(super) fn read(harvest: &mut Harvest, folder: &Path) -> Result<(), AdaptError> {
    let labels = labels(Table::open(&folder.join("labels.csv"))?, harvest)?;
    let name = |path: &Path| {
        let name = path.strip_prefix(folder).unwrap_or(path).to_string_lossy();
        name.trim_end_matches(".gz").to_owned()
    };
    let mut logs = logs(folder, 0)?;
    // Labelled ones first, so that of two that are the same the one with a label is kept.
    logs.sort_by_key(|path| !labels.contains_key(&name(path)));
    let mut seen = BTreeSet::new();
    for (index, path) in logs.iter().enumerate() {
        harvest.progress(index, logs.len());
        let name = name(path);
        let collections = collections(path)?;
        if collections.len() < COLLECTIONS_MIN {
            eprintln!("{}: left out: {} collections", path.display(), collections.len());
            harvest.left_out("logs with fewer than 2 collections", 1);
            continue;
        }
        if !seen.insert(fingerprint(&collections)) {
            eprintln!("{}: left out: the same as another log", path.display());
            harvest.left_out("logs that are another one under a second name", 1);
            continue;
        }
        harvest.case(draft(&name, labels.get(&name).map(String::as_str), &collections)?)?;
    }
    Ok(())
}

fn logs(folder: &Path, depth: u32) -> Result<Vec<PathBuf>, AdaptError> {
    let mut logs = files(folder, &[".log", ".log.gz"])?;
    if depth < DEPTH_MAX {
        for inner in folders(folder)? {
            logs.extend(self::logs(&inner, depth + 1)?);
        }
    }
    Ok(logs)
}

/// What is said of a log, by its path.
fn labels(table: Table, harvest: &mut Harvest) -> Result<BTreeMap<String, String>, AdaptError> {
    let [file, label] = [table.column("file")?, table.column("label")?];
    let mut labels = BTreeMap::new();
    table.each(harvest, |row| {
        labels.insert(row.text(file)?.to_owned(), row.text(label)?.to_owned());
        Ok(())
    })?;
    Ok(labels)
}

fn collections(path: &Path) -> Result<Vec<Collection>, AdaptError> {
    let (mut lines, mut log) = (Lines::open(path)?, GcLog::default());
    while let Some((_, line)) = lines.next_line()? {
        // One of the logs ends its lines with a carriage return alone.
        line.split('\r').for_each(|line| log.line(line));
    }
    Ok(log.finish())
}

fn fingerprint(collections: &[Collection]) -> u64 {
    let mut hasher = DefaultHasher::new();
    for Collection { uptime, wall, after, committed, .. } in collections {
        (uptime.map(f64::to_bits), wall, after.to_bits(), committed.to_bits()).hash(&mut hasher);
    }
    hasher.finish()
}

fn draft(name: &str, said: Option<&str>, collections: &[Collection]) -> Result<Draft, AdaptError> {
    let leaks = said == Some("leak");
    let label = if leaks { Label::Leaking } else { Label::Unlabelled };
    let short = name.trim_start_matches("gctoolkit/gclogs/").trim_end_matches(".log");
    let mut draft = Draft::new(short, label)?.runtime("jvm");
    let jvm = instance("jvm")?;
    if leaks {
        draft = draft.cause(CauseWord::Heap);
        draft.leaks(&jvm);
    }
    for collection in collections {
        let Some(at) = time(collection, collections) else { continue };
        draft.push(at, &jvm, Metric::RuntimeHeapUsed, collection.after);
        draft.push(at, &jvm, Metric::RuntimeHeapCommitted, collection.committed);
        if collection.full {
            draft.push(at, &jvm, Metric::RuntimeHeapLive, collection.after);
        }
    }
    Ok(draft)
}

/// Real time where every collection has one: two clocks in one series would tear it apart.
fn time(collection: &Collection, all: &[Collection]) -> Option<Timestamp> {
    if all.iter().all(|collection| collection.wall.is_some()) {
        return collection.wall;
    }
    collection.uptime.map(|uptime| moment::EPOCH + Span::from_secs_f64(uptime))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn collection(uptime: f64, wall: Option<i64>, full: bool) -> Collection {
        let wall = wall.map(Timestamp::from_secs);
        Collection { uptime: Some(uptime), wall, after: 5.0, committed: 9.0, full }
    }

    #[test]
    fn what_is_left_after_a_full_collection_is_alive() {
        let log = [collection(1.0, None, false), collection(2.0, Some(7), true)];
        let told = draft("gctoolkit/gclogs/ps/a.log", Some("leak"), &log).unwrap().told();
        let want = [
            "ps-a leaking",
            "1780272001 jvm runtime.heap.used 5",
            "1780272001 jvm runtime.heap.committed 9",
            "1780272002 jvm runtime.heap.used 5",
            "1780272002 jvm runtime.heap.committed 9",
            "1780272002 jvm runtime.heap.live 5",
        ];
        assert_eq!(told, want);
    }

    #[test]
    fn only_a_log_that_is_said_to_leak_has_that_label() {
        let check = |said, want: &str| {
            let log = [collection(1.0, Some(7), false), collection(2.0, Some(8), false)];
            let told = draft("a.log", said, &log).unwrap().told();
            assert_eq!(told[0], format!("a {want}"), "{said:?}");
            assert_eq!(told[1], "7 jvm runtime.heap.used 5");
        };
        check(Some("leak"), "leaking");
        check(Some("premature_promotion"), "unlabelled");
        check(None, "unlabelled");
    }

    #[test]
    fn a_log_under_a_second_name_is_one_case_and_keeps_its_label() {
        let scratch = tempfile::tempdir().unwrap();
        let log = "1.0: [GC 9K->5K(9K), 0.1 secs]\r2.0: [Full GC 9K->6K(9K), 0.1 secs]";
        for name in ["a.log", "b.log"] {
            std::fs::write(scratch.path().join(name), log).unwrap();
        }
        let labels = "file,label,evidence\nb.log,leak,seen\n";
        std::fs::write(scratch.path().join("labels.csv"), labels).unwrap();
        let mut harvest = Harvest::scratch();
        read(&mut harvest, scratch.path()).unwrap();
        let told = harvest.finish().unwrap().to_string();
        assert!(told.contains("1 cases (1 leaking") && told.contains("1 logs that are"), "{told}");
    }

    #[test]
    fn labels_are_read_up_to_their_evidence() {
        let text = "file,label,evidence\na/b.log,leak,\"one, two\"\n";
        let labels = labels(Table::of_text(text), &mut Harvest::scratch()).unwrap();
        assert_eq!(labels["a/b.log"], "leak");
    }
}
