//! V8 snapshots of real programs: a published one, and one of the Node.js that is here, whose retained
//! sizes must be those of Chrome's developer tools.
//!
//! Without the data sets, without Node.js or without the npm package (`cargo xtask test` installs it
//! under `target/npm`), a test says what it skipped.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop here")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use plimsoll_heap::{
    Dominators, EdgeKind, EdgeName, Level, NodeKind, Silent, Snapshot, TypeNames, redact,
};

const WORKSPACE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

fn data() -> Option<PathBuf> {
    let beside = Path::new(WORKSPACE).join("../shared/data");
    let named = std::env::var_os("PLIMSOLL_DATA").map(PathBuf::from);
    named.or_else(|| beside.is_dir().then_some(beside))
}

fn read(bytes: &[u8]) -> Snapshot {
    Snapshot::read(&bytes, &Silent).unwrap()
}

/// What each node retains, by its id, and the bytes of each type.
fn retained(snapshot: &Snapshot) -> (BTreeMap<u32, u64>, BTreeMap<String, u64>) {
    let (mut graph, names): (_, TypeNames) = snapshot.graph().unwrap();
    let dominators = Dominators::of(&mut graph, &Silent);
    let mut types = BTreeMap::new();
    let nodes = 0..snapshot.nodes() as u32;
    for node in nodes.clone() {
        let name = names.name(snapshot, graph.types[node as usize]).into_owned();
        *types.entry(name).or_insert(0) += graph.sizes.of(node);
    }
    let by_id = |node| (snapshot.id(node), dominators.retained(node, &graph.sizes));
    (nodes.map(by_id).collect(), types)
}

/// A snapshot of the Node.js that is here, of a shop with some sessions.
fn shop(folder: &Path) -> Option<PathBuf> {
    let out = folder.join("shop.heapsnapshot");
    let program = Path::new(WORKSPACE).join("heaps/node/sessions.js");
    let ended = Command::new("node").arg(program).arg("400").arg(&out).status();
    if ended.as_ref().is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound) {
        eprintln!("skipped: there is no Node.js");
        return None;
    }
    assert!(ended.unwrap().success());
    Some(out)
}

/// What Chrome's developer tools say that each node retains, by its id.
fn peer(snapshot: &Path) -> Option<BTreeMap<u32, u64>> {
    let folder = Path::new(WORKSPACE).join("target/npm");
    if !folder.join("node_modules/heap-snapshot-toolkit").is_dir() {
        eprintln!("skipped: heap-snapshot-toolkit is not in target/npm; run `cargo xtask test`");
        return None;
    }
    let program = Path::new(WORKSPACE).join("heaps/node/developer_tools.mjs");
    let mut node = Command::new("node");
    let output = node.arg(program).arg(&folder).arg(snapshot).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let line = |line: &str| {
        let (id, retained) = line.split_once(' ').unwrap();
        (id.parse().unwrap(), retained.parse().unwrap())
    };
    Some(text.lines().map(line).collect())
}

fn same(snapshot: &Path) {
    let Some(want) = peer(snapshot) else { return };
    let (found, _) = retained(&read(&fs::read(snapshot).unwrap()));
    assert_eq!(found.len(), want.len());
    let other: Vec<_> =
        want.iter().filter(|(id, size)| found.get(id) != Some(size)).take(10).collect();
    assert!(other.is_empty(), "they retain something else here: {other:?}");
}

#[test]
fn a_published_snapshot_has_the_counts_that_its_readme_says() {
    let Some(data) = data() else {
        eprintln!("skipped: the data sets are not here; PLIMSOLL_DATA names their folder");
        return;
    };
    let path = data.join("heapsnapshot/stefanpenner-small.heapsnapshot");
    let bytes = fs::read(&path).unwrap();
    let snapshot = read(&bytes);
    assert_eq!((snapshot.nodes(), snapshot.edges()), (34_378, 147_610));
    assert_eq!((snapshot.strings(), snapshot.cut_at()), (10_945, None));
    let total: u64 = (0..34_378).map(|node| snapshot.self_size(node)).sum();
    let (by_id, types) = retained(&snapshot);
    assert_eq!((by_id[&snapshot.id(0)], types.values().sum::<u64>()), (total, total));
    same(&path);
}

#[test]
fn every_node_of_a_real_program_retains_what_the_developer_tools_say() {
    let folder = tempfile::tempdir().unwrap();
    let Some(path) = shop(folder.path()) else { return };
    same(&path);
}

#[test]
fn classes_properties_and_variables_of_a_real_program_have_their_names() {
    let folder = tempfile::tempdir().unwrap();
    let Some(path) = shop(folder.path()) else { return };
    let snapshot = read(&fs::read(path).unwrap());
    let nodes = 0..snapshot.nodes() as u32;
    let is_session = |node: &u32| {
        snapshot.kind(*node) == NodeKind::Object && snapshot.name(*node).unwrap() == "Session"
    };
    // The class is an object of the same name only through its instances.
    let sessions: Vec<u32> = nodes.filter(is_session).collect();
    assert_eq!(sessions.len(), 400);
    let (_, types) = retained(&snapshot);
    assert!(types["Session"] > 0 && types["Item"] > types["(number)"], "{types:?}");
    assert!(!types.keys().any(|name| name.contains("secret")));
    let mut names: Vec<String> = snapshot
        .edges_of(sessions[0])
        .filter(|edge| edge.label.kind == EdgeKind::Property)
        .filter_map(|edge| match edge.label.what {
            EdgeName::Name(name) => Some(name.into_owned()),
            EdgeName::Index(_) | EdgeName::Missing => None,
        })
        .collect();
    names.sort();
    let want = ["__proto__", "cart", "created", "history", "onClose", "token", "user"];
    assert_eq!(names, want);
    let element = |node| {
        let mut edges = snapshot.edges_of(node);
        edges.any(|edge| edge.label.what == EdgeName::Index(4_000_000_000))
    };
    assert!((0..snapshot.nodes() as u32).any(element), "the sparse array has its element");
}

#[test]
fn a_redacted_snapshot_retains_the_same_and_has_no_value() {
    let folder = tempfile::tempdir().unwrap();
    let Some(path) = shop(folder.path()) else { return };
    let bytes = fs::read(path).unwrap();
    let (by_id, types) = retained(&read(&bytes));
    for level in [Level::Values, Level::ValuesAndNames] {
        let mut out = Vec::new();
        redact(&mut bytes.as_slice(), &mut out, level, (0, &Silent)).unwrap();
        let copy = read(&out);
        assert_eq!(retained(&copy).0, by_id);
        if level == Level::Values {
            assert_eq!(retained(&copy).1, types);
        }
        let text = String::from_utf8(out).unwrap();
        for value in ["sku-7", "auditor 10", "worth cutting", "user 399", "coupon-3"] {
            assert!(!text.contains(value), "{value}");
        }
        // Keys of a dictionary are names of properties, until names are hidden, too.
        assert_eq!(text.contains("user399@example.org"), level == Level::Values);
        assert_eq!(text.contains("onClose"), level == Level::Values);
    }
}
