//! What a survey finds in made dumps whose waste is known.

use plimsoll_heap::{
    Counted, Finalizers, Hprof, OneHand, Owned, Resources, Silent, Slots, Survey, Wish,
};

use crate::crew::Crew;
use crate::writer::{ARRAY, Class, Dump, OBJECT, Value, classes, sessions};

const REFERENCE: u64 = 0x3000;
const FINALIZER: u64 = 0x3008;
const DEALLOCATOR: u64 = 0x3010;
const UNMAPPER: u64 = 0x3018;
const LIST: u64 = 0x3020;
const STATEMENT: u64 = 0x3028;

fn plain<'a>(id: u64, name: &'a str, fields: &'a [(&'a str, Value)]) -> Class<'a> {
    Class { id, name, above: OBJECT, statics: &[], fields }
}

/// Classes of the JDK as far as a survey asks for them.
fn library(dump: &mut Dump) {
    const NONE: Value = Value::Reference(0);
    const NUMBER: Value = Value::Int(0);
    let links = &[("referent", NONE), ("queue", NONE), ("next", NONE)];
    dump.class(&plain(REFERENCE, "java/lang/ref/Reference", links));
    // Its own links say who is registered, not who waits.
    let own = &[("next", NONE), ("prev", NONE)];
    dump.class(&Class { above: REFERENCE, ..plain(FINALIZER, "java/lang/ref/Finalizer", own) });
    let memory = &[("address", NUMBER), ("size", NUMBER), ("capacity", NUMBER)];
    dump.class(&plain(DEALLOCATOR, "java/nio/DirectByteBuffer$Deallocator", memory));
    dump.class(&plain(UNMAPPER, "sun/nio/ch/FileChannelImpl$Unmapper", memory));
    let list = &[("elements", NONE), ("size", NUMBER)];
    dump.class(&plain(LIST, "java/util/ArrayList", list));
    dump.class(&plain(STATEMENT, "com/shop/SqlStatement", &[("query", NONE)]));
}

fn survey(bytes: &[u8], hands: usize) -> Survey {
    let wish = Wish { survey: true, ..Wish::default() };
    let hprof = Hprof::read(&bytes, wish, &Crew(hands), &Silent).unwrap();
    hprof.survey().unwrap().clone()
}

fn library_dump() -> Dump {
    let mut dump = Dump::new(8);
    classes(&mut dump);
    library(&mut dump);
    dump
}

#[test]
fn buffers_are_counted_by_who_frees_them_so_that_views_count_nothing() {
    let mut dump = library_dump();
    let memory = |address, size| [Value::Int(address), Value::Int(size), Value::Int(1)];
    dump.instance(0x5000, DEALLOCATOR, &memory(0x7000, 1 << 20));
    dump.instance(0x5008, DEALLOCATOR, &memory(0x8000, 4096));
    // It was freed already.
    dump.instance(0x5010, DEALLOCATOR, &memory(0, 1 << 20));
    dump.instance(0x5018, UNMAPPER, &memory(0x9000, 77));
    let found = survey(&dump.end(), 1);
    assert_eq!(found.direct, Owned { pieces: 2, bytes: (1 << 20) + 4096 });
    assert_eq!(found.mapped, Owned { pieces: 1, bytes: 77 });
}

#[test]
fn finalizers_are_told_by_class_and_those_that_wait_apart() {
    let mut dump = library_dump();
    for at in 0..5 {
        let (finalizer, statement) = (0x5000 + at * 16, 0x5008 + at * 16);
        let waits = if at < 3 { finalizer } else { 0 };
        // Fields of the class itself come before those of the class above.
        let links = [0x5000, 0x5000, statement, 0, waits].map(Value::Reference);
        dump.instance(finalizer, FINALIZER, &links);
        dump.instance(statement, STATEMENT, &[Value::Reference(0)]);
    }
    let found = survey(&dump.end(), 1);
    let class = "com.shop.SqlStatement".to_owned();
    assert_eq!(found.finalizers, [Finalizers { class: class.clone(), objects: 5, waiting: 3 }]);
    assert_eq!(found.resources, [Resources { class, objects: 5, closed: 0 }]);
}

#[test]
fn collections_with_nothing_in_them_and_empty_slots_are_counted() {
    let mut dump = library_dump();
    for (at, size) in [(0, 0), (1, 0), (2, 3)] {
        dump.instance(0x5000 + at * 8, LIST, &[Value::Reference(0), Value::Int(size)]);
    }
    dump.references(0x6000, ARRAY, &[0x5000, 0, 0, 0x5008]).references(0x6100, ARRAY, &[0; 10]);
    let found = survey(&dump.end(), 1);
    // A header, a reference and a number, of 8 bytes each.
    let lists = Counted { class: "java.util.ArrayList".into(), objects: 2, bytes: 2 * 32 };
    assert_eq!(found.empty, [lists]);
    let class = "java.lang.Object[]".into();
    let want = Slots { class, arrays: 2, empty_arrays: 1, slots: 14, filled: 2, waste: 12 * 8 };
    assert_eq!(found.arrays, [want]);
}

#[test]
fn copies_of_the_same_page_are_waste_also_when_several_hands_look() {
    let mut dump = Dump::new(8);
    classes(&mut dump);
    sessions(&mut dump, 500, &[7; 600_000 / 8], 8);
    dump.end_segment();
    dump.bytes(0x100_0000, &[0; 5000]).bytes(0x100_0008, &[1; 5000]);
    let bytes = dump.end();
    let one = survey(&bytes, 1);
    let page = one.duplicates.largest[0].clone();
    assert_eq!((page.class.as_str(), page.length, page.count), ("byte[]", 75_000, 500));
    assert_eq!((one.duplicates.groups, one.duplicates.arrays), (1, 500));
    assert_eq!(one.duplicates.blank_arrays, 1);
    assert!(!one.duplicates.is_estimate);
    assert_eq!(survey(&bytes, 3), one);
}

#[test]
fn a_survey_of_a_cut_dump_tells_of_what_is_whole() {
    let mut dump = Dump::new(4);
    classes(&mut dump);
    sessions(&mut dump, 3, &[7; 20], 8);
    let whole = dump.end();
    let mut most = 0;
    for end in 0..whole.len() {
        let bytes = &whole[..end];
        if Hprof::read(&bytes, Wish::default(), &OneHand, &Silent).is_ok() {
            let found = survey(bytes, 1);
            assert!(found.duplicates.arrays >= most, "cut off at {end}");
            most = found.duplicates.arrays;
        }
    }
    assert_eq!(most, 3);
}
