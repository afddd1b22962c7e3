//! Targets of `plimsoll-heap` that read dumps: heap dumps of JVMs and of Android.

use plimsoll_heap::{
    Hprof, HprofError, HprofShape, OneHand, Shape as _, Silent, Strength, Tally, Wish, holders,
};

use writer::{ARRAY, Class, Dump, OBJECT, SESSION, TABLE, Value, classes, sessions, shop};

#[path = "../../crates/plimsoll-heap/tests/dumps/writer.rs"]
mod writer;

pub(crate) fn hprof(bytes: &[u8]) {
    let tally = Tally::read(&bytes, &OneHand, &Silent);
    if let Ok(tally) = &tally {
        let instances: u64 = tally.rows.iter().map(|row| row.instances).sum();
        assert_eq!(instances, tally.total.instances);
        assert!(tally.cut.is_none_or(|cut| cut.at <= bytes.len() as u64));
    }
    for strength in [Strength::All, Strength::Strong] {
        match Hprof::read(&bytes, wish(strength), &OneHand, &Silent) {
            Ok(hprof) => graph(&hprof, bytes),
            // Only what needs memory by the object may be refused alone.
            Err(error) => assert!(tally.is_err() || too_large(&error), "{error}"),
        }
    }
}

fn wish(strength: Strength) -> Wish {
    Wish { strength, survey: true, ..Wish::default() }
}

fn too_large(error: &HprofError) -> bool {
    matches!(error, HprofError::TooManyObjects | HprofError::TooManyReferences)
}

fn graph(hprof: &Hprof, bytes: &[u8]) {
    let sizes = &hprof.graph().sizes;
    let all: u64 = (0..hprof.objects() as u32).map(|node| sizes.of(node)).sum();
    let alive = hprof.dominators().retained_by_all();
    assert!(alive <= all, "{alive} of {all} bytes are alive");
    let survey = hprof.survey().expect("it was wished for");
    assert!(survey.arrays.iter().all(|slots| slots.filled <= slots.slots));
    let shape = HprofShape { hprof, source: &bytes, hands: &OneHand, progress: &Silent };
    for holder in holders(&shape).expect("a slice can be read again") {
        assert!(holder.weight <= holder.retained && holder.retained <= alive);
        assert!(!shape.node_name(holder.node).is_empty());
    }
}

pub(crate) fn hprof_seeds() -> Vec<Vec<u8>> {
    let mut seeds = [4, 8].map(|width| shop(width, 3, &[7; 40]).end()).to_vec();
    seeds.push(shop(4, 2, &[7; 40_000]).end());
    // Agents of old JVMs: one record, no mark at its end, two dumps.
    let mut twice = Dump::new(4);
    for count in [2, 3] {
        classes(&mut twice);
        sessions(&mut twice, count, &[7; 9], 1);
        twice.end_segment_as(0x0c);
    }
    seeds.push(twice.end_without_mark());
    seeds.push(odd());
    seeds
}

/// Threads with stacks, weak references, roots of all kinds, what Android adds, and a superclass
/// that is below itself.
fn odd() -> Vec<u8> {
    let mut dump = Dump::new(4);
    classes(&mut dump);
    let plain = |id, name| Class { id, name, above: OBJECT, statics: &[], fields: &[] };
    let referent = &[("referent", Value::Reference(0)), ("next", Value::Reference(0))];
    dump.class(&Class { fields: referent, ..plain(0x3000, "java/lang/ref/Reference") });
    dump.class(&Class { above: 0x3000, ..plain(0x3008, "java/lang/ref/WeakReference") });
    dump.class(&Class { above: 0x3010, ..plain(0x3010, "com/shop/Circle") });
    dump.class(&plain(0x3018, "java/util/HashMap$Node[]"));
    let frame = [7, 0, 0, 0, 4, 12].map(u32::to_be_bytes).concat();
    let stack = [1, 1, 1, 7].map(u32::to_be_bytes).concat();
    dump.record(0x04, &frame).record(0x05, &stack);
    sessions(&mut dump, 3, &[7; 20], 8);
    dump.instance(0x4000, 0x3008, &[Value::Reference(TABLE), Value::Reference(0x4000)]);
    dump.instance(0x4010, 0x3010, &[]).references(0x4018, 0x3018, &[0x4000, 0x4010]);
    dump.root(0x08, 0x4018, &[1, 1]).root(0x03, 0x4000, &[1, 0]).root(0x02, TABLE, &[1, 0]);
    for tag in [0xff, 0x05, 0x07, 0x89, 0x8a, 0x8b, 0x8c, 0x8d, 0x90] {
        dump.root(tag, SESSION, &[]);
    }
    dump.root(0x01, ARRAY, &[9]).root(0x04, TABLE, &[1]).root(0x8e, TABLE, &[1, 0]);
    dump.object(0xfe, &[0, 0, 0, 1, 0, 0, 0, 1]);
    dump.object(0xc3, &[0, 0, 0x50, 0, 0, 0, 0, 0, 0, 0, 0, 9, 8]);
    dump.end()
}
