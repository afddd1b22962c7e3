//! Objects by class, against the tables that another reader of dumps printed.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use plimsoll_heap::{Hprof, OneHand, Silent, Tally, Wish};

use crate::dumps;

type Counts = BTreeMap<String, u64>;

/// What the other reader says.
struct Oracle {
    /// Records by kind.
    records: Counts,
    /// Instances by class, of the largest classes only.
    classes: Counts,
}

fn oracle(path: &Path) -> Oracle {
    let text = fs::read_to_string(path).unwrap();
    let records = text.lines().filter_map(|line| {
        let (name, count) = line.strip_prefix("..GC ")?.split_once(": ")?;
        Some((name.to_owned(), count.parse().ok()?))
    });
    let row = |line: &str| {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let &[_, _, count, _, class, _] = cells.as_slice() else { return None };
        Some((class.to_owned(), count.parse().ok()?))
    };
    let records: Counts = records.collect();
    let mut classes: Counts = text.lines().filter_map(row).collect();
    // It does not count classes as objects.
    if let Some(count) = classes.get_mut("java.lang.Class") {
        *count += records["class dump"];
    }
    Oracle { records, classes }
}

/// Each dump with its table.
fn pairs() -> Vec<(PathBuf, PathBuf)> {
    let Some(folder) = dumps() else { return Vec::new() };
    let mut pairs = Vec::new();
    for entry in fs::read_dir(folder.join("oracle")).unwrap() {
        let oracle = entry.unwrap().path();
        let name = oracle.file_name().unwrap().to_str().unwrap();
        let dump = name.strip_suffix(".slurp.txt").unwrap();
        let places = ["mat", "leakcanary"].map(|place| folder.join(place).join(dump));
        pairs.push((places.into_iter().find(|place| place.exists()).unwrap(), oracle));
    }
    for width in ["32", "64"] {
        let slurp = folder.join("hprof-slurp");
        let dump = slurp.join(format!("hprof-{width}.bin"));
        pairs.push((dump, slurp.join(format!("hprof-{width}-result.txt"))));
    }
    assert_eq!(pairs.len(), 14);
    pairs
}

fn of_graph(hprof: &Hprof) -> Counts {
    let mut counts = Counts::new();
    for node in 0..hprof.objects() as u32 {
        *counts.entry(hprof.type_name(node).to_owned()).or_default() += 1;
    }
    counts
}

fn of_tally(tally: &Tally) -> Counts {
    let mut counts = Counts::new();
    for row in &tally.rows {
        *counts.entry(row.class.clone()).or_default() += row.instances;
    }
    counts
}

/// The dumps of a file, each with the file as it was when the dump ended: agents of old JVMs write
/// one behind the other, of which the last is read.
fn each(bytes: &[u8]) -> Vec<&[u8]> {
    const HEAD: usize = 19 + 4 + 8;
    let (mut at, mut ends) = (HEAD, Vec::new());
    while at < bytes.len() {
        let length = bytes[at + 5..at + 9].try_into().unwrap();
        let end = at + 9 + u32::from_be_bytes(length) as usize;
        match bytes[at] {
            // A whole dump, and what ends one of segments.
            0x0c | 0x2c => ends.push(end),
            _ => {}
        }
        at = end;
    }
    ends.into_iter().map(|end| &bytes[..end]).collect()
}

fn add(all: &mut Counts, one: Counts) {
    for (class, count) in one {
        *all.entry(class).or_default() += count;
    }
}

#[test]
fn objects_are_counted_by_class_as_another_reader_counts_them() {
    for (dump, table) in pairs() {
        let bytes = fs::read(&dump).unwrap();
        let want = oracle(&table);
        assert!(want.classes.len() >= 20, "{}", table.display());
        let (mut by_tally, mut by_graph) = (Counts::new(), Counts::new());
        for bytes in each(&bytes) {
            let tally = Tally::read(&bytes, &OneHand, &Silent).unwrap();
            let hprof = Hprof::read(&bytes, Wish::default(), &OneHand, &Silent).unwrap();
            assert_eq!((tally.cut, tally.damaged_parts, hprof.cut()), (None, 0, None));
            add(&mut by_tally, of_tally(&tally));
            add(&mut by_graph, of_graph(&hprof));
        }
        let objects = ["primitive array dump", "object array dump", "class dump", "instance dump"];
        let objects: u64 = objects.iter().map(|kind| want.records[*kind]).sum();
        for found in [by_tally, by_graph] {
            let differ: Vec<_> = want
                .classes
                .iter()
                .map(|(class, count)| (class, *count, found.get(class).copied().unwrap_or(0)))
                .filter(|(_, want, found)| want != found)
                .collect();
            assert!(differ.is_empty(), "{}: {differ:?}", dump.display());
            assert_eq!(found.values().sum::<u64>(), objects, "{}", dump.display());
        }
    }
}
