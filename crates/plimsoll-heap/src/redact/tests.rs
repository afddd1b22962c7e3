//! Small dumps written by hand: what passes and what does not, in one piece and in many.

use super::*;
use crate::source::Silent;

/// An HPROF dump in the making.
#[derive(Default)]
struct Dump(Vec<u8>);

impl Dump {
    fn new(version: &str) -> Self {
        let mut dump = Self(version.as_bytes().to_vec());
        dump.0.push(0);
        dump.u4(8).u8(7)
    }

    fn u1(mut self, value: u8) -> Self {
        self.0.push(value);
        self
    }

    fn u2(mut self, value: u16) -> Self {
        self.0.extend(value.to_be_bytes());
        self
    }

    fn u4(mut self, value: u32) -> Self {
        self.0.extend(value.to_be_bytes());
        self
    }

    fn u8(mut self, value: u64) -> Self {
        self.0.extend(value.to_be_bytes());
        self
    }

    fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0.extend(bytes);
        self
    }

    fn record(self, tag: u8, body: &Self) -> Self {
        self.u1(tag).u4(0).u4(body.0.len() as u32).bytes(&body.0)
    }

    fn string(self, id: u64, text: &str) -> Self {
        self.record(1, &Self::default().u8(id).bytes(text.as_bytes()))
    }

    fn load(self, class: u64, name: u64) -> Self {
        self.record(2, &Self::default().u4(1).u8(class).u4(0).u8(name))
    }

    /// A class with a static long, and the fields `int`, reference, `double` named 21 to 23.
    fn class(self, class: u64, superclass: u64) -> Self {
        let ids = self.u1(0x20).u8(class).u4(0).u8(superclass).u8(0).u8(0).u8(0).u8(0).u8(0).u4(20);
        let constants = ids.u2(1).u2(9).u1(10).u4(0xAAAA_AAAA);
        let statics = constants.u2(2).u8(20).u1(11).u8(0xAAAA).u8(20).u1(2).u8(0x77);
        statics.u2(3).u8(21).u1(10).u8(22).u1(2).u8(23).u1(7)
    }

    fn instance(self, id: u64, class: u64, levels: usize) -> Self {
        let mut fields = Self::default();
        for _ in 0..levels {
            fields = fields.u4(0xAAAA_AAAA).u8(0x42).u8(0xAAAA_AAAA_AAAA_AAAA);
        }
        self.u1(0x21).u8(id).u4(0).u8(class).u4(fields.0.len() as u32).bytes(&fields.0)
    }
}

/// Classes 11 (of the platform) and 12 below it, an instance, arrays, roots.
fn dump() -> Vec<u8> {
    let heap = Dump::default().class(12, 11).class(11, 0).u1(0x05).u8(11).instance(51, 12, 2);
    let heap = heap.u1(0x22).u8(52).u4(0).u4(2).u8(12).u8(51).u8(0x42);
    let heap = heap.u1(0x23).u8(53).u4(0).u4(5).u1(8).bytes(&[0xAA; 5]).u1(0x08).u8(51).u4(1).u4(2);
    let dump = Dump::new("JAVA PROFILE 1.0.2")
        .string(1, "java/lang/Thing")
        .string(2, "com/shop/Store")
        .string(20, "COUNT")
        .string(21, "size")
        .string(22, "next")
        .string(23, "price")
        .string(30, "a literal")
        .string(31, "run")
        .string(32, "()V")
        .string(33, "Store.java")
        .load(11, 1)
        .load(12, 2)
        .record(4, &Dump::default().u8(70).u8(31).u8(32).u8(33).u4(1).u4(5))
        .record(0x1C, &heap)
        .record(0x0D, &Dump::default().u4(1))
        .record(0x77, &Dump::default().u4(0xAAAA_AAAA))
        .record(0x2C, &Dump::default());
    dump.0
}

fn redacted(dump: &[u8], level: Level, piece: usize) -> Result<(Vec<u8>, Redacted), RedactError> {
    let mut redactor = Redactor::new(level);
    let mut out = Vec::new();
    for piece in dump.chunks(piece) {
        out.extend_from_slice(redactor.push(piece)?);
    }
    out.extend_from_slice(redactor.finish()?);
    Ok((out, redactor.done()))
}

fn has(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

#[test]
fn values_of_a_jvm_become_zeros_and_everything_else_stays() {
    let dump = dump();
    let (out, done) = redacted(&dump, Level::Values, usize::MAX).unwrap();
    assert_eq!(out.len(), dump.len());
    let changed: Vec<usize> = (0..out.len()).filter(|at| out[*at] != dump[*at]).collect();
    assert!(changed.iter().all(|at| out[*at] == 0
        && (dump[*at] == 0xAA || has(&[dump[*at]], "a") || b"a literal".contains(&dump[*at]))));
    assert!(!out.contains(&0xAA) && !has(&out, "a literal"));
    for name in ["java/lang/Thing", "com/shop/Store", "COUNT", "price", "run", "()V", "Store.java"]
    {
        assert!(has(&out, name), "{name}");
    }
    assert_eq!((done.strings, done.names, done.classes, done.instances), (1, 0, 2, 1));
    assert_eq!((done.arrays, done.blanked, done.unknown_records), (2, 0, 1));
    assert_eq!(done.cut_at, None);
    // Redacting again changes nothing.
    assert_eq!(redacted(&out, Level::Values, usize::MAX).unwrap().0, out);
}

#[test]
fn names_of_the_program_are_hidden_and_those_of_the_platform_are_not() {
    let (out, done) = redacted(&dump(), Level::ValuesAndNames, usize::MAX).unwrap();
    assert_eq!(out.len(), dump().len());
    // The fields have the same names in both classes, so that they are of the platform.
    for name in ["java/lang/Thing", "COUNT", "size", "price"] {
        assert!(has(&out, name), "{name}");
    }
    for name in ["com/shop/Store", "run", "()V", "Store.java", "a literal"] {
        assert!(!has(&out, name), "{name}");
    }
    assert_eq!((done.strings, done.names), (1, 4));
}

#[test]
fn the_size_of_the_pieces_makes_no_difference() {
    let (dump, text) = (dump(), snapshot());
    for level in [Level::Values, Level::ValuesAndNames] {
        for dump in [&dump[..], text.as_bytes()] {
            let whole = redacted(dump, level, usize::MAX).unwrap();
            for piece in [1, 2, 3, 7, 64] {
                assert_eq!(redacted(dump, level, piece).unwrap(), whole, "{piece}");
            }
        }
    }
}

#[test]
fn a_string_that_says_to_be_endless_is_erased_whatever_the_pieces_are() {
    let dump = Dump::new("JAVA PROFILE 1.0.2").u1(1).u4(0).u4(u32::MAX).u8(5).bytes(&[0xAA; 30]).0;
    let (whole, done) = redacted(&dump, Level::Values, usize::MAX).unwrap();
    assert!(!whole.contains(&0xAA) && whole[..48] == dump[..48]);
    assert_eq!(done.cut_at, Some(dump.len() as u64));
    for piece in 1..20 {
        assert_eq!(redacted(&dump, Level::Values, piece).unwrap().0, whole, "{piece}");
    }
}

#[test]
fn a_dump_that_was_cut_is_cut_at_the_same_place() {
    let dump = dump();
    let (whole, _) = redacted(&dump, Level::Values, usize::MAX).unwrap();
    let first_object = whole.len() - 250;
    for end in 31..dump.len() {
        let (out, done) = redacted(&dump[..end], Level::Values, usize::MAX).unwrap();
        assert_eq!(out.len(), end);
        assert!(!out.contains(&0xAA), "{end}");
        assert!(done.cut_at.is_none_or(|at| at == end as u64));
        // From the first object on, all that classes say is known.
        assert!(end < first_object || out == whole[..end], "{end}");
        for piece in [7, 100] {
            assert_eq!(redacted(&dump[..end], Level::Values, piece).unwrap().0, out, "{end}");
        }
    }
    let (_, done) = redacted(&dump[..dump.len() - 40], Level::Values, usize::MAX).unwrap();
    assert_eq!(done.cut_at, Some(dump.len() as u64 - 40));
}

#[test]
fn an_instance_before_its_class_waits_for_it() {
    let heap = Dump::default().instance(51, 12, 2).class(11, 0).class(12, 11);
    let dump = Dump::new("JAVA PROFILE 1.0.3").string(1, "Shop").record(0x1C, &heap).0;
    let (out, done) = redacted(&dump, Level::Values, 16).unwrap();
    assert!(!out.contains(&0xAA) && has(&out, "Shop"));
    assert_eq!(out.iter().filter(|byte| **byte == 0x42).count(), 2);
    assert_eq!((done.instances, done.blanked), (1, 0));
    let heap = Dump::default().instance(51, 12, 2).class(12, 11);
    let dump = Dump::new("JAVA PROFILE 1.0.3").record(0x1C, &heap).0;
    let (out, done) = redacted(&dump, Level::Values, usize::MAX).unwrap();
    assert_eq!(out.iter().filter(|byte| **byte == 0x42).count(), 0);
    assert_eq!((done.blanked, out.len()), (1, dump.len()));
}

#[test]
fn what_is_damaged_is_refused_with_its_place() {
    let check = |dump: Vec<u8>, want: &str| {
        let error = redacted(&dump, Level::Values, 5).unwrap_err().to_string();
        assert!(error.contains(want), "{error}");
    };
    let new = || Dump::new("JAVA PROFILE 1.0.2");
    check(Vec::new(), "neither HPROF nor a V8 snapshot");
    check(b"\x1f\x8b\x08".to_vec(), "unpack it first");
    check(b"JAVA PROFILE 1.0.2\0\0\0\0\x05".to_vec(), "offset 0: ids have neither 4 nor 8");
    check(new().record(0x1C, &Dump::default().u1(0x99)).0, "offset 40: a record of the heap");
    check(
        new().record(0x1C, &Dump::default().u1(5).u4(1)).u4(0).0,
        "offset 40: a record goes beyond",
    );
    let array = Dump::default().u1(0x23).u8(1).u4(0).u4(u32::MAX).u1(11);
    check(new().record(0x1C, &array).0, "offset 40: a record goes beyond");
    let kind = Dump::default().u1(0x23).u8(1).u4(0).u4(1).u1(3).u1(0);
    check(new().record(0x1C, &kind).0, "offset 40: an array has an unknown type");
    check(new().record(1, &Dump::default().u4(1)).0, "offset 31: a string is shorter");
    check(b"{\"nodes\":[1,2]}".to_vec(), "offset 9: the header does not come before");
    check(b"{]]".to_vec(), "offset 2: a bracket is closed");
    check(b"{\"snapshot\":{}}".to_vec(), "the header of the snapshot cannot be read");
    check(b"{ ?".to_vec(), "offset 2: this is not JSON");
}

/// Strings: 1 a class, 2 a property, 3 a value, 4 a value that is also a property, 5 a pair, 6 the
/// engine's own, 7 with escapes.
fn snapshot() -> String {
    concat!(
        r#"{"snapshot":{"meta":{"node_fields":["type","name","id","self_size","edge_count"],"#,
        r#""node_types":[["hidden","string","object","synthetic"],"string","number"],"#,
        r#""edge_fields":["type","name_or_index","to_node"],"edge_types":[["property","internal","#,
        r#""element"],"x"]}},"host":"my host","nodes":[3,0,1,0,1,2,1,3,8,4,1,3,5,16,0,1,4,7,16,0,1,7,9,"#,
        "8,0],\n\"edges\":[2,3,5,0,2,10,0,4,15,1,5,20,1,6,20],\"more\":[{\"key\":\"word\",\"x\":-1.5}],",
        r#""strings":["(root)","Shop","mail","dark \"horse\"","both","2 / part of key (K @7) -> value "#,
        r#"(dark @9) pair in WeakMap (table @3)","map","\u00e4\\\ud83d\ude00x","unused"]}"#,
    )
    .to_owned()
}

#[test]
fn values_of_v8_become_their_length_and_names_stay() {
    let text = snapshot();
    let (out, done) = redacted(text.as_bytes(), Level::Values, usize::MAX).unwrap();
    let out = String::from_utf8(out).unwrap();
    let (numbers, table) = out.split_once("\"strings\":").unwrap();
    let of_text = |text: &str| {
        text[text.find("\"nodes\"").unwrap()..text.find("\"more\"").unwrap()].to_owned()
    };
    assert_eq!(of_text(numbers), of_text(&text));
    assert!(numbers.contains(r#""host":"<7 chars>""#), "{numbers}");
    let want = concat!(
        r#"["(root)","Shop","mail","<12 chars>","both","2 / part of key ( @7) -> value ( @9) pair in "#,
        r#"WeakMap (table @3)","map","<5 chars>","<6 chars>"]}"#,
    );
    assert_eq!(table, want);
    assert_eq!((done.names, done.cut_at), (0, None));
    let (again, _) = redacted(out.as_bytes(), Level::Values, usize::MAX).unwrap();
    let again = String::from_utf8(again).unwrap();
    assert!(again.contains(r#""both","2 / part of key ( @7) -> value ( @9) pair"#), "{again}");
}

#[test]
fn names_of_a_program_in_v8_are_hidden_and_the_engine_s_are_not() {
    let (out, done) = redacted(snapshot().as_bytes(), Level::ValuesAndNames, 9).unwrap();
    let out = String::from_utf8(out).unwrap();
    let (_, table) = out.split_once("\"strings\":").unwrap();
    assert!(
        table.starts_with(r#"["(root)","<name 1>","<name 2>","<12 chars>","<name 4>","2 / "#),
        "{table}"
    );
    assert!(table.contains(r#","map","#), "{table}");
    assert_eq!(done.names, 3);
}

#[test]
fn a_snapshot_that_was_cut_gives_no_value_away() {
    let text = snapshot();
    for end in 1..text.len() {
        let Ok((out, done)) = redacted(&text.as_bytes()[..end], Level::Values, usize::MAX) else {
            panic!("cut at {end}");
        };
        assert!(!has(&out, "dark") && !has(&out, "unused"), "{end}");
        assert_eq!(done.cut_at, Some(end as u64));
    }
}

#[test]
fn what_cannot_be_written_is_told() {
    struct Full;
    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::Error::other("disk full"))
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let dump = dump();
    let told = redact(&mut &dump[..], &mut Full, Level::Values, (0, &Silent));
    assert!(matches!(told, Err(RedactError::Write { .. })));
    let mut out = Vec::new();
    let done = redact(&mut &dump[..], &mut out, Level::Values, (0, &Silent)).unwrap();
    assert_eq!((out, done), redacted(&dump, Level::Values, 100).unwrap());
}
