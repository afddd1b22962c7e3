//! Dumps that are cut off, damaged, or say what cannot be: what is whole is used, what is not is
//! said, and nothing panics.

use plimsoll_heap::{
    Above, Hprof, HprofError, HprofShape, Label, OneHand, Shape as _, Silent, Tally, Wish, holders,
};

use crate::crew::Crew;
use crate::writer::{
    ARRAY, CLASS, Class, Dump, OBJECT, SESSION, STORE, TABLE, Value, classes, sessions, shop,
};

fn read(bytes: &[u8]) -> Result<Hprof, HprofError> {
    let hprof = Hprof::read(&bytes, Wish::default(), &OneHand, &Silent)?;
    let shape = HprofShape { hprof: &hprof, source: &bytes, hands: &OneHand, progress: &Silent };
    holders(&shape).expect("a slice can be read again");
    Ok(hprof)
}

fn tally(bytes: &[u8]) -> Result<Tally, HprofError> {
    Tally::read(&bytes, &OneHand, &Silent)
}

/// Instances of a class, as counted by both readings.
fn count(bytes: &[u8], class: &str) -> u64 {
    let hprof = read(bytes).unwrap();
    let nodes = (0..hprof.objects() as u32).filter(|node| hprof.type_name(*node) == class).count();
    let rows = tally(bytes).unwrap().rows;
    let row = rows.iter().find(|row| row.class == class);
    assert_eq!(nodes as u64, row.map_or(0, |row| row.instances), "{class}");
    nodes as u64
}

#[test]
fn a_small_shop_is_read_with_ids_of_4_and_of_8_bytes() {
    for width in [4, 8] {
        let bytes = shop(width, 50, &[7; 2000]).end();
        assert_eq!(count(&bytes, "com.shop.Session"), 50);
        assert_eq!(count(&bytes, "byte[]"), 50);
        let hprof = read(&bytes).unwrap();
        let shape = HprofShape {
            hprof: &hprof,
            source: &bytes.as_slice(),
            hands: &OneHand,
            progress: &Silent,
        };
        let holders = holders(&shape).unwrap();
        let owner = holders[0].owner.map(|owner| shape.node_name(owner).into_owned());
        assert_eq!(owner.as_deref(), Some("class com.shop.Store"), "ids of {width} bytes");
        assert_eq!(holders[0].label, Some(Label::Static("SESSIONS".into())));
        assert_eq!(holders[0].elements[0].count, 50);
    }
}

#[test]
fn a_dump_cut_off_anywhere_gives_what_is_whole_and_says_where_it_ends() {
    for width in [4, 8] {
        let mut dump = shop(width, 3, &[7; 20]);
        let whole = dump.end();
        let records = dump.records;
        for end in 0..whole.len() {
            let bytes = &whole[..end];
            // Where the record begins that is not whole; records of objects are told one by one.
            let objects = records.iter().filter(|at| **at < end).count();
            match (read(bytes), tally(bytes)) {
                (Ok(hprof), Ok(tally)) => {
                    let cut = hprof.cut().unwrap_or_else(|| panic!("cut off at {end}, not said"));
                    assert_eq!(tally.cut, Some(cut), "cut off at {end}");
                    assert!(cut.at <= end as u64 && objects > 0, "cut off at {end}: {cut:?}");
                    let last = records.iter().rfind(|at| **at < end).unwrap();
                    assert!(cut.at >= *last as u64, "cut off at {end}: {cut:?}");
                    assert!(hprof.objects() <= objects);
                }
                (Err(_), Ok(tally)) => panic!("cut off at {end}: {} rows", tally.rows.len()),
                (Err(HprofError::NoHprof), Err(_)) => assert!(end < 31, "cut off at {end}"),
                (Err(HprofError::Empty), Err(HprofError::Empty)) => assert!(objects <= 1),
                (Err(error), _) => panic!("cut off at {end}: {error}"),
                (Ok(_), Err(error)) => panic!("cut off at {end}: {error}"),
            }
        }
        assert_eq!(read(&whole).unwrap().cut(), None);
        assert_eq!(tally(&whole).unwrap().cut, None);
    }
}

#[test]
fn what_stands_before_a_damaged_place_and_in_other_segments_is_used() {
    let mut dump = shop(8, 3, &[7; 20]);
    dump.end_segment();
    let last = *dump.records.last().unwrap();
    dump.bytes(0x9000, &[1, 2, 3]);
    let mut bytes = dump.end();
    assert_eq!(count(&bytes, "byte[]"), 4);
    bytes[last] = 0x77;
    assert_eq!(count(&bytes, "byte[]"), 3);
    let tally = tally(&bytes).unwrap();
    assert_eq!((tally.damaged_parts, tally.cut), (1, None));
}

#[test]
fn an_array_that_lies_about_its_length_is_damage_and_does_not_end_the_dump() {
    for (length, is_told) in [(4, true), (5, false), (u32::MAX, false)] {
        let mut dump = shop(4, 3, &[7; 20]);
        dump.lying_bytes(0x8800, length, &[1, 2, 3, 4]).end_segment();
        dump.bytes(0x9000, &[1, 2, 3]);
        let bytes = dump.end();
        let tally = tally(&bytes).unwrap();
        assert_eq!(count(&bytes, "byte[]"), 4 + u64::from(is_told));
        assert_eq!((tally.damaged_parts, tally.cut), (usize::from(!is_told), None));
    }
    let mut dump = shop(8, 3, &[7; 20]);
    let lie = [0x8800_u64.to_be_bytes(), [0, 0, 0, 0, 255, 255, 255, 255], ARRAY.to_be_bytes()];
    dump.object(0x22, &lie.concat()).end_segment();
    let bytes = dump.bytes(0x9000, &[1]).end();
    assert_eq!(count(&bytes, "java.lang.Object[]"), 1);
    assert_eq!(count(&bytes, "byte[]"), 4);
}

#[test]
fn a_dump_of_one_large_record_is_read_by_several_hands() {
    let mut dump = Dump::new(8);
    classes(&mut dump);
    sessions(&mut dump, 3000, &[7; 10_000], 8);
    dump.end_segment_as(0x0c);
    let bytes = dump.end_without_mark();
    assert!(bytes.len() > 24 << 20, "no larger than what is split");
    assert_eq!(count(&bytes, "com.shop.Session"), 3000);
    let found = |hands| {
        let hprof = Hprof::read(&bytes.as_slice(), Wish::default(), &Crew(hands), &Silent).unwrap();
        let (dominators, sizes) = (hprof.dominators(), &hprof.graph().sizes);
        let nodes = 0..hprof.objects() as u32;
        let all = nodes.map(|node| (dominators.above(node), dominators.retained(node, sizes)));
        (hprof.cut(), all.collect::<Vec<(Above, u64)>>())
    };
    let one = found(1);
    assert!(one == found(2) && one == found(3));
    let by_hands = Tally::read(&bytes.as_slice(), &Crew(3), &Silent).unwrap();
    assert_eq!(by_hands, tally(&bytes).unwrap());
}

#[test]
fn objects_at_odd_addresses_are_told_apart() {
    for width in [4, 8] {
        let mut dump = Dump::new(width);
        classes(&mut dump);
        sessions(&mut dump, 40, &[7; 20], 1);
        let bytes = dump.end();
        assert_eq!(count(&bytes, "com.shop.Session"), 40);
        let hprof = read(&bytes).unwrap();
        let table = (0..hprof.objects() as u32)
            .find(|node| hprof.type_name(*node) == "java.lang.Object[]")
            .unwrap();
        let is_below = |node: &u32| {
            hprof.dominators().above(*node) == Above::Node(table)
                && hprof.type_name(*node) == "com.shop.Session"
        };
        assert_eq!((0..hprof.objects() as u32).filter(is_below).count(), 40);
    }
}

#[test]
fn classes_that_are_above_themselves_are_read() {
    let mut dump = Dump::new(8);
    classes(&mut dump);
    let fields = &[("next", Value::Reference(0))];
    let class = |id, name, above| Class { id, name, above, statics: &[], fields };
    dump.class(&class(0x3000, "com/shop/A", 0x3008));
    dump.class(&class(0x3008, "com/shop/B", 0x3000));
    dump.class(&class(0x3010, "com/shop/Own", 0x3010));
    dump.instance(0x4000, 0x3000, &[Value::Reference(0x4008)]);
    dump.instance(0x4008, 0x3010, &[Value::Reference(0x4000)]);
    dump.root(0x05, 0x3000, &[]).root(0xff, 0x4008, &[]);
    let bytes = dump.end();
    assert_eq!((count(&bytes, "com.shop.A"), count(&bytes, "com.shop.Own")), (1, 1));
}

#[test]
fn a_class_told_twice_is_one_class_whichever_hand_meets_it_first() {
    let mut dump = shop(8, 3, &[7; 20]);
    let again = Class { id: STORE, name: "", above: OBJECT, statics: &[], fields: &[] };
    dump.end_segment().class_record(&again);
    let bytes = dump.end();
    assert_eq!(count(&bytes, "java.lang.Class"), 5);
    let one = tally(&bytes).unwrap();
    assert_eq!(Tally::read(&bytes.as_slice(), &Crew(2), &Silent).unwrap(), one);
    assert_eq!(one.rows.iter().map(|row| row.instances).sum::<u64>(), 5 + 1 + 3 + 3);
}

#[test]
fn of_several_dumps_in_a_file_the_last_whole_one_is_read() {
    let mut dump = shop(8, 3, &[7; 20]);
    dump.end_segment().record(0x2c, &[]);
    classes(&mut dump);
    sessions(&mut dump, 5, &[7; 20], 8);
    let bytes = dump.end();
    assert_eq!(count(&bytes, "com.shop.Session"), 5);
    let cut = &bytes[..bytes.len() - 100];
    assert_eq!(count(cut, "com.shop.Session"), 3);
    assert!(tally(cut).unwrap().cut.is_some());
}

#[test]
fn a_dump_whose_length_was_never_written_is_read_to_its_end() {
    let mut dump = Dump::new(8);
    classes(&mut dump);
    sessions(&mut dump, 5, &[7; 20], 8);
    dump.end_segment_as(0x0c);
    let mut bytes = dump.end_without_mark();
    let length = dump.records[0] - 4;
    bytes[length..length + 4].fill(0);
    assert_eq!(count(&bytes, "com.shop.Session"), 5);
    assert_eq!(tally(&bytes).unwrap().cut.map(|end| end.at), Some(bytes.len() as u64));
}

#[test]
fn what_is_no_dump_is_refused_with_the_place() {
    let check = |bytes: &[u8], want: &str| {
        assert_eq!(read(bytes).unwrap_err().to_string(), want);
        assert_eq!(tally(bytes).unwrap_err().to_string(), want);
    };
    let no_dump =
        "the file is not a heap dump: it does not begin with `JAVA PROFILE 1.0.` at offset 0";
    check(b"", no_dump);
    check(b"\x1f\x8b\x08", no_dump);
    let whole = shop(8, 3, &[7; 20]).end();
    let with = |at: usize, byte| {
        let mut bytes = whole.clone();
        bytes[at] = byte;
        bytes
    };
    check(&with(17, b'7'), "the dump's version is 1.0.7 at offset 17; 1.0.1 to 1.0.3 can be read");
    check(&with(22, 3), "the dump's ids have 3 bytes by offset 19; they must have 4 or 8");
    check(&whole[..31], "there is no object in the dump; was it cut off after its head?");
}

#[test]
fn an_object_that_is_said_to_be_many_threads_is_one() {
    let mut dump = shop(8, 3, &[7; 20]);
    for serial in 1..100 {
        dump.root(0x08, TABLE, &[serial, 0]).root(0x03, SESSION, &[serial, 0]);
    }
    dump.root(0x03, CLASS, &[1, 2]);
    assert_eq!(count(&dump.end(), "com.shop.Session"), 3);
}
