//! Targets of `plimsoll-heap` that read dumps of a heap: V8 snapshots, and redaction of every kind.

use plimsoll_heap::{
    Dominators, HeapReport, Level, OneHand, RedactError, Redacted, Redactor, Silent, Snapshot,
    SnapshotError, Tally, V8Heap, Wish,
};

pub(crate) fn v8_snapshot(bytes: &[u8]) {
    let snapshot = match Snapshot::read(&bytes, &Silent) {
        Ok(snapshot) => snapshot,
        Err(error) => return assert_place(&error, bytes.len() as u64),
    };
    // A row has a byte for each of its numbers, and one between.
    assert!(snapshot.nodes() + snapshot.edges() <= bytes.len());
    let mut total = 0_u64;
    for node in 0..snapshot.nodes() as u32 {
        total = total.saturating_add(snapshot.self_size(node));
        for edge in snapshot.edges_of(node) {
            assert!((edge.to as usize) < snapshot.nodes());
            assert!(snapshot.label(node, edge.to).is_some());
        }
    }
    // Sums of sizes that no memory has are not promised.
    if total > 1 << 56 {
        return;
    }
    let (mut graph, names) = snapshot.graph().expect("a small graph can be counted");
    let shallow: u64 = (0..snapshot.nodes() as u32).map(|node| graph.sizes.of(node)).sum();
    assert_eq!(shallow, total);
    assert!(graph.types.iter().all(|number| (*number as usize) < names.count()));
    let dominators = Dominators::of(&mut graph, &Silent);
    assert_eq!(dominators.retained_by_all(), total);
    assert_eq!(dominators.retained(snapshot.root(), &graph.sizes), total);
    let tally = Tally::of_snapshot(&bytes, &Silent).expect("its nodes were read");
    assert_eq!((tally.total.instances, tally.total.bytes.0), (snapshot.nodes() as u64, total));
    let heap = V8Heap::read(&bytes, Wish { survey: true, ..Wish::default() }, &OneHand, &Silent)
        .expect("it was read before");
    let report = HeapReport::of(&heap, &OneHand).expect("a snapshot in memory can be asked");
    assert_eq!(report.alive, total);
}

fn assert_place(error: &SnapshotError, size: u64) {
    let at = match error {
        SnapshotError::Read { at, .. }
        | SnapshotError::Cut { at, .. }
        | SnapshotError::Unexpected { at, .. }
        | SnapshotError::NoField { at, .. }
        | SnapshotError::Missing { at, .. }
        | SnapshotError::OutOfRange { at, .. }
        | SnapshotError::EdgeCount { at, .. }
        | SnapshotError::TooMany { at, .. } => *at,
    };
    assert!(at <= size, "{error} in {size} bytes");
}

pub(crate) fn redact(bytes: &[u8]) {
    for level in [Level::Values, Level::ValuesAndNames] {
        let whole = redacted(bytes, level, usize::MAX);
        let pieces = redacted(bytes, level, 7);
        assert_eq!(whole.is_ok(), pieces.is_ok());
        let (Ok((out, done)), Ok(pieces)) = (whole, pieces) else { continue };
        assert_eq!((&out, done), (&pieces.0, pieces.1));
        if bytes.starts_with(b"JAVA") {
            assert_eq!(out.len(), bytes.len());
            let (again, _) = redacted(&out, level, usize::MAX).expect("its structure is the same");
            assert!(again == out || level == Level::ValuesAndNames);
        } else if let Ok(snapshot) = Snapshot::read(&bytes, &Silent) {
            let copy = Snapshot::read(&out.as_slice(), &Silent).expect("only strings have changed");
            assert_eq!((copy.nodes(), copy.edges()), (snapshot.nodes(), snapshot.edges()));
        }
    }
}

fn redacted(bytes: &[u8], level: Level, piece: usize) -> Result<(Vec<u8>, Redacted), RedactError> {
    let mut redactor = Redactor::new(level);
    let mut out = Vec::new();
    for piece in bytes.chunks(piece) {
        out.extend_from_slice(redactor.push(piece)?);
    }
    out.extend_from_slice(redactor.finish()?);
    Ok((out, redactor.done()))
}

const SNAPSHOT: &str = concat!(
    r#"{"snapshot":{"meta":{"node_fields":["type","name","id","self_size","edge_count","#,
    r#""detachedness"],"node_types":[["hidden","array","string","object","synthetic"],"string"],"#,
    r#""edge_fields":["type","name_or_index","to_node"],"#,
    r#""edge_types":[["context","element","property","internal","shortcut","weak"],"node"]},"#,
    r#""node_count":5,"edge_count":6},"nodes":[4,0,1,0,1,0"#,
    "\n,3,1,3,24,3,2\n,1,2,5,100,0,0\n,2,3,7,32,0,0\n,3,1,9,8,2,0],\n\"edges\":[4,1,6\n,2,2,18\n",
    ",3,2,12\n,5,1,24\n,1,7,18,3,4,18],\"locations\":[1,-2],\n\"strings\":[\"\",\"Shop\",\"a\",",
    r#""\u00e4\ud83d\ude00","2 / part of key (K @7) -> value (v @9) pair in WeakMap (table @9)"]}"#,
);

pub(crate) fn v8_seeds() -> Vec<Vec<u8>> {
    let loose = SNAPSHOT.replace(',', " ,\r\n");
    vec![SNAPSHOT.into(), loose.into(), SNAPSHOT[..SNAPSHOT.len() - 30].into()]
}

pub(crate) fn redact_seeds() -> Vec<Vec<u8>> {
    let mut seeds = v8_seeds();
    for (version, width) in [("1.0.2", 8), ("1.0.1", 4), ("1.0.3", 4)] {
        seeds.push(hprof(version, width));
    }
    seeds
}

/// A dump with every record that redaction knows.
fn hprof(version: &str, width: usize) -> Vec<u8> {
    let id = |value: u64| value.to_be_bytes()[8 - width..].to_vec();
    let record = |tag: u8, body: &[u8]| {
        let length = (body.len() as u32).to_be_bytes();
        [&[tag, 0, 0, 0, 0][..], &length, body].concat()
    };
    let string = |number, text: &[u8]| record(1, &[id(number), text.to_vec()].concat());
    let class = |own, above| {
        let ids = [id(own), vec![0; 4], id(above), id(0), id(0), id(0), id(0), id(0)].concat();
        let statics = [&[0, 1][..], &id(3), &[10, 1, 2, 3, 4]].concat();
        let fields = [&[0, 2][..], &id(3), &[10], &id(4), &[2]].concat();
        [&[0x20][..], &ids, &[0, 0, 0, 12, 0, 1, 0, 9, 8, 7], &statics, &fields].concat()
    };
    let size = (4 + width) as u8;
    let instance = [&[0x21][..], &id(9), &[0; 4], &id(7), &[0, 0, 0, size, 1, 2, 3, 4], &id(9)];
    let objects = [&[0x22][..], &id(10), &[0; 4], &[0, 0, 0, 1], &id(7), &id(9)].concat();
    let bytes = [&[0x23][..], &id(11), &[0; 4], &[0, 0, 0, 3], &[8, 1, 2, 3]].concat();
    let info = [&[0xFE, 0, 0, 0, 1][..], &id(4)].concat();
    let roots = [&[0xFF][..], &id(9), &[1], &id(9), &id(9), &[3], &id(9), &[0; 8]].concat();
    let mut heap = [class(7, 0), instance.concat(), class(8, 7), objects, bytes, roots].concat();
    if version == "1.0.3" {
        heap.extend(info);
    }
    let loaded = [&[0, 0, 0, 1][..], &id(7), &[0; 4], &id(1)].concat();
    let frame = [id(5), id(2), id(3), id(4), vec![0; 8]].concat();
    [
        [b"JAVA PROFILE ", version.as_bytes(), &[0, 0, 0, 0, width as u8], &[0; 8]].concat(),
        string(1, b"java/lang/Thing"),
        string(2, b"run"),
        string(3, b"size"),
        string(4, b"Shop.java"),
        string(6, b"a literal"),
        record(2, &loaded),
        record(4, &frame),
        record(0x1C, &heap),
        record(0x0D, &[0; 8]),
        record(0x2C, &[]),
    ]
    .concat()
}
