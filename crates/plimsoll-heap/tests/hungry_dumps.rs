//! Dumps made to take memory: none may take more than a constant times its own size, and a constant.
//!
//! A test of its own process, because it is the process's memory that is measured.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test ends where its stage cannot be set up")]

#[expect(dead_code, reason = "other tests write other records")]
#[path = "dumps/writer.rs"]
mod writer;

use plimsoll_heap::{Hprof, HprofError, HprofShape, OneHand, Silent, Tally, Wish, holders};

use writer::{ARRAY, Class, Dump, OBJECT, SESSION, TABLE, Value, classes, sessions};

/// What a reader may take whatever it reads: buffers, tables of addresses, steps of laying out.
const FREE: u64 = 256 << 20;
/// And for each byte of the dump: a class of 60 bytes keeps a name of a kilobyte.
const PER_BYTE: u64 = 40;

/// What the process has, and the most that it had since it was told to forget that, in bytes.
fn memory(of: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(of)).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

/// Reads a dump in all ways; gives back what it was refused for.
fn check(what: &str, dump: &mut Dump) -> Option<HprofError> {
    let bytes = dump.end();
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
    let before = memory("VmRSS:");
    let tallied = Tally::read(&bytes.as_slice(), &OneHand, &Silent);
    let read = Hprof::read(&bytes.as_slice(), Wish::default(), &OneHand, &Silent);
    if let Ok(hprof) = &read {
        let source = &bytes.as_slice();
        holders(&HprofShape { hprof, source, hands: &OneHand, progress: &Silent }).unwrap();
    }
    assert_eq!(tallied.is_ok(), read.is_ok(), "{what}");
    let (size, taken) = (bytes.len() as u64, memory("VmHWM:") - before);
    assert!(taken <= FREE + PER_BYTE * size, "{what}: {size} bytes took {taken}");
    read.err()
}

const BIG: &[(&str, Value)] = &[("next", Value::Reference(0)); 60_000];

fn plain(id: u64, name: &str, above: u64) -> Class<'_> {
    Class { id, name, above, statics: &[], fields: &[] }
}

fn small() -> Dump {
    let mut dump = Dump::new(4);
    classes(&mut dump);
    sessions(&mut dump, 3, &[1], 8);
    dump
}

// One test, because what others take at the same time would be measured as well.
#[test]
fn no_dump_takes_more_memory_than_in_proportion_to_its_size() {
    of_classes();
    of_objects();
    of_records();
}

fn of_classes() {
    let mut dump = small();
    dump.class(&Class { fields: BIG, ..plain(0x1_0000, "Big", OBJECT) });
    (1..20_000).for_each(|at| {
        dump.class_record(&plain(0x1_0000 + at * 8, "", 0x1_0000));
    });
    let refused = check("many classes below one of many fields", &mut dump);
    assert!(matches!(refused, Some(HprofError::TooManyFields)), "{refused:?}");

    let mut dump = small();
    (1..20_000).for_each(|at| {
        dump.class_record(&plain(0x1_0000 + at * 8, "", 0x1_0000 + at * 8 - 8));
    });
    assert!(check("classes one above the other", &mut dump).is_none());

    let mut dump = small();
    let long = "x".repeat(65_000);
    let name = dump.name(&long);
    (0..20_000).for_each(|at| {
        let ids = [at, 0x1_0000 + at * 8, 0, name].map(|id| (id as u32).to_be_bytes());
        dump.record(0x02, &ids.concat());
        dump.class_record(&plain(0x1_0000 + at * 8, "", OBJECT));
        dump.instance(0x100_0000 + at * 8, 0x1_0000 + at * 8, &[]);
    });
    assert!(check("many classes of one long name", &mut dump).is_none());
}

fn of_objects() {
    let mut dump = small();
    dump.references(0x10_0000, ARRAY, &[TABLE; 100_000]);
    for at in 0..20_000 {
        dump.root(0x08, 0x10_0000, &[at, 0]).root(0x03, SESSION, &[at, 0]);
    }
    assert!(check("one array as many threads", &mut dump).is_none());

    let mut dump = small();
    (1..16_000_u64).for_each(|at| {
        dump.bytes(at << 18, &[]);
    });
    assert!(check("few objects far apart", &mut dump).is_none());

    let mut dump = Dump::new(8);
    classes(&mut dump);
    (1..100_000_u64).for_each(|at| {
        dump.bytes(at << 18, &[]);
    });
    assert!(check("many objects far apart", &mut dump).is_none());

    let mut dump = small();
    (0..100_000).for_each(|at| {
        let (id, next) = (0x10_0000 + at * 8, 0x10_0000 + at * 8 + 8);
        dump.references(id, ARRAY, &[next]);
    });
    dump.root(0xff, 0x10_0000, &[]);
    assert!(check("a long chain", &mut dump).is_none());

    let mut dump = small();
    (0..50_000).for_each(|at| {
        let (id, next) = (0x10_0000 + at * 16, 0x10_0000 + at * 16 + 16);
        dump.references(id, ARRAY, &[id + 8]);
        dump.instance(id + 8, SESSION, &[Value::Reference(next), Value::Int(0)]);
    });
    dump.root(0xff, 0x10_0000, &[]);
    assert!(check("arrays and objects by turns, one below the other", &mut dump).is_none());
}

fn of_records() {
    let mut dump = small();
    (0..200_000_u32).for_each(|at| {
        dump.record(0x01, &at.to_be_bytes());
        dump.record(0x1c, &[]);
    });
    assert!(check("names without letters, segments without objects", &mut dump).is_none());

    let mut dump = small();
    (0..100_000_u32).for_each(|at| {
        let body = [at, 0, u32::MAX].map(u32::to_be_bytes).concat();
        dump.record(0x05, &body);
    });
    assert!(check("stacks that lie", &mut dump).is_none());

    let mut dump = small();
    dump.object(0x22, &[0x8800_u32, 0, u32::MAX, ARRAY as u32].map(u32::to_be_bytes).concat());
    assert!(check("an array that lies", &mut dump).is_none());

    let mut dump = small();
    (0..200_000).for_each(|at| {
        dump.root(0x05, 0x1000 + (at % 5) * 8, &[]);
    });
    assert!(check("many roots", &mut dump).is_none());
}
