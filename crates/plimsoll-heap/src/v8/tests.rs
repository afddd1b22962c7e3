//! Small snapshots written by hand: what is read from them, and what is refused with which words.

use super::*;
use crate::dominators::{Above, Dominators};
use crate::hprof::{Tally, Wish};
use crate::source::{OneHand, Silent};

const META: &str = r#"{"snapshot":{"meta":{"node_fields":["type","name","id","self_size","edge_count","detachedness"],
"node_types":[["hidden","array","string","object","synthetic","future"],"string","number","number","number","number"],
"edge_fields":["type","name_or_index","to_node"],
"edge_types":[["context","element","property","internal","shortcut","weak"],"string_or_number","node"]},
"node_count":5,"edge_count":5,"trace_function_count":0},
"#;

/// A root over an object, which holds an array of its own and a string; a weak reference to another.
const NODES: &str =
    "\"nodes\":[4,0,1,0,1,0\n,3,1,3,24,3,2\n,1,2,5,100,0,0\n,2,3,7,32,0,0\n,5,4,9,8,1,0],\n";
const EDGES: &str = "\"edges\":[4,5,6\n,2,6,18\n,3,7,12\n,5,8,24\n,1,4000000000,18],\n";
const STRINGS: &str = r#""locations":[[1,-2.5e3,{"a":"]\""}]],"strings":["","Shop","(elements)","geh\u00e4im \ud83d\ude00 \ud800x","Later","shop","name","elements","back"]}"#;

fn read(text: &str) -> Result<Snapshot, SnapshotError> {
    Snapshot::read(&text.as_bytes(), &Silent)
}

fn whole() -> String {
    format!("{META}{NODES}{EDGES}{STRINGS}")
}

fn name(kind: EdgeKind, name: &str) -> Option<EdgeLabel<'_>> {
    Some(EdgeLabel { kind, what: EdgeName::Name(name.into()) })
}

#[test]
fn nodes_references_and_their_names_are_read() {
    let snapshot = read(&whole()).unwrap();
    assert_eq!((snapshot.nodes(), snapshot.edges(), snapshot.strings()), (5, 5, 9));
    assert_eq!(snapshot.cut_at(), None);
    let kinds: Vec<_> = (0..5).map(|node| snapshot.kind(node)).collect();
    let want = [NodeKind::Synthetic, NodeKind::Object, NodeKind::Array, NodeKind::String];
    assert_eq!((&kinds[..4], kinds[4]), (&want[..], NodeKind::Other));
    assert_eq!(snapshot.name(1).unwrap(), "Shop");
    assert_eq!(snapshot.name(3).unwrap(), "geh\u{e4}im \u{1F600} \u{FFFD}x");
    assert_eq!((snapshot.id(3), snapshot.self_size(2)), (7, 100));
    assert_eq!(snapshot.detachedness(1), Detachedness::Detached);
    assert_eq!(snapshot.detachedness(2), Detachedness::Unknown);
    assert_eq!(snapshot.label(0, 1), name(EdgeKind::Shortcut, "shop"));
    assert_eq!(snapshot.label(1, 3), name(EdgeKind::Property, "name"));
    assert_eq!(snapshot.label(1, 2), name(EdgeKind::Internal, "elements"));
    let element = EdgeLabel { kind: EdgeKind::Element, what: EdgeName::Index(4_000_000_000) };
    assert_eq!(snapshot.label(4, 3), Some(element));
    assert_eq!(snapshot.label(3, 4), None);
}

#[test]
fn a_store_counts_for_its_owner_and_a_weak_reference_holds_nothing() {
    let snapshot = read(&whole()).unwrap();
    let (mut graph, names) = snapshot.graph().unwrap();
    let types: Vec<_> = graph.types.iter().map(|number| names.name(&snapshot, *number)).collect();
    assert_eq!(types, ["(synthetic)", "Shop", "(array)", "(string)", "(other)"]);
    let found = Dominators::of(&mut graph, &Silent);
    let retained: Vec<_> = (0..5).map(|node| found.retained(node, &graph.sizes)).collect();
    // What is held weakly hangs under the root, and holds nothing of the program's.
    assert_eq!(retained, [164, 156, 0, 32, 8]);
    assert_eq!(found.above(4), Above::Node(0));
    assert_eq!(found.retained_by_all(), 164);
}

#[test]
fn a_snapshot_cut_within_its_strings_is_used_as_far_as_it_goes() {
    let whole = whole();
    let cut = &whole[..whole.find("Later").unwrap() + 2];
    let snapshot = read(cut).unwrap();
    assert_eq!(snapshot.cut_at(), Some(cut.len() as u64));
    assert_eq!((snapshot.nodes(), snapshot.edges(), snapshot.strings()), (5, 5, 4));
    assert_eq!(snapshot.name(1).unwrap(), "Shop");
    assert_eq!(snapshot.label(0, 1).unwrap().what, EdgeName::Missing);
    assert!(snapshot.graph().is_ok());
    let before = &whole[..whole.find("\"strings\"").unwrap() - 9];
    assert_eq!(read(before).unwrap().cut_at(), Some(before.len() as u64));
}

#[test]
fn no_beginning_of_a_snapshot_breaks_the_reader() {
    let whole = whole();
    for end in 0..whole.len() {
        let Err(error) = read(whole.get(..end).unwrap()) else { continue };
        assert!(error.to_string().contains(&format!("offset {end}")), "{end}: {error}");
    }
}

fn refused(text: &str, want: &str) {
    let error = read(text).unwrap_err().to_string();
    assert!(error.contains(want), "{error}");
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    let with = |nodes: &str, edges: &str| format!("{META}{nodes}{edges}{STRINGS}");
    let at = META.len();
    refused("", "ends at offset 0, within its beginning");
    refused("PK\u{3}\u{4}", "at offset 0, in its beginning, there is not an object");
    refused("{}", "no nodes and edges up to offset 2");
    refused(&format!("{{{NODES}"), "no header up to offset 9");
    refused(
        &with(NODES, &EDGES.replace(",18\n", ",17\n")),
        "the target of an edge is out of range",
    );
    refused(
        &with(NODES, &EDGES.replace(",18\n", ",30\n")),
        "the target of an edge is out of range",
    );
    refused(
        &with(NODES, &EDGES.replace(",18\n", ",-6\n")),
        "the target of an edge is out of range",
    );
    refused(&with(NODES, "\"edges\":[4,5,6],"), "its nodes have 5 edges");
    refused(&with(NODES, &EDGES.replace("],", ",1,1,6],")), "its nodes have 5 edges");
    refused(&with(&NODES.replace(",24,3,2", ",99999999999999999999,3,2"), EDGES), "the size of a");
    refused(&with(&NODES.replace(",24,3,2", ",24,4294967295,2"), EDGES), "more edges than fit");
    let cut_row = with("\"nodes\":[4,0,1,0,1],", EDGES);
    refused(&cut_row, &format!("at offset {}, in its nodes, there is not the rest", at + 18));
    refused(&with(NODES, ""), "no nodes and edges");
    refused(&META.replace("self_size", "size"), "no field `self_size`");
    let many = format!("\"node_fields\":[{}\"x\"]", "\"y\",".repeat(300));
    refused(&META.replace("\"node_fields\":[\"type\",\"name\"", &many), "more kinds or fields");
}

#[test]
fn counts_that_lie_take_no_memory_and_nesting_takes_no_stack() {
    let lie = META.replace("\"node_count\":5", "\"node_count\":18446744073709551615");
    assert!(read(&format!("{lie}{NODES}{EDGES}{STRINGS}")).is_ok());
    let deep = format!("{{\"x\":{}", "[".repeat(1 << 20));
    refused(&deep, "ends at offset 1048581");
    let root = META.replace("\"node_count\":5", "\"root_index\":30,\"node_count\":5");
    refused(&format!("{root}{NODES}{EDGES}{STRINGS}"), "the root is out of range");
}

#[test]
fn odd_space_and_fields_in_another_order_make_no_difference() {
    let loose: String = whole()
        .chars()
        .flat_map(|c| {
            if matches!(c, ',' | '[' | ']' | ':') { vec![' ', c, '\r', '\n'] } else { vec![c] }
        })
        .collect();
    let snapshot = read(&loose).unwrap();
    assert_eq!((snapshot.nodes(), snapshot.edges(), snapshot.strings()), (5, 5, 9));
    assert_eq!(snapshot.id(4), 9);
    let swapped = META.replace("[\"type\",\"name_or_index\"", "[\"name_or_index\",\"type\"");
    let edges = "\"edges\":[5,4,6,6,2,18,7,3,12,8,5,24,4000000000,1,18],";
    let snapshot = read(&format!("{swapped}{NODES}{edges}{STRINGS}")).unwrap();
    assert_eq!(snapshot.label(1, 3), name(EdgeKind::Property, "name"));
}

#[test]
fn a_circle_that_nothing_leads_into_hangs_under_the_root() {
    let nodes = NODES.replace("4,0,1,0,1,0\n", "4,0,1,0,0,0\n");
    let edges = "\"edges\":[2,6,18\n,3,7,12\n,2,8,24\n,1,0,6],\n";
    let snapshot = read(&format!("{META}{nodes}{edges}{STRINGS}")).unwrap();
    let (mut graph, _) = snapshot.graph().unwrap();
    let found = Dominators::of(&mut graph, &Silent);
    assert_eq!(found.above(1), Above::Node(0));
    assert_eq!((found.retained(1, &graph.sizes), found.retained_by_all()), (164, 164));
}

#[test]
fn a_snapshot_is_counted_without_its_references_and_refused_where_memory_is_too_little() {
    let whole = whole();
    let tally = Tally::of_snapshot(&whole.as_bytes(), &Silent).unwrap();
    let rows: Vec<_> = tally.rows.iter().map(|row| (row.class.as_str(), row.bytes.0)).collect();
    let want =
        [("(array)", 100), ("(string)", 32), ("Shop", 24), ("(other)", 8), ("(synthetic)", 0)];
    assert_eq!(rows, want);
    assert_eq!((tally.total.instances, tally.total.bytes.0, tally.cut), (5, 164, None));
    let cut = &whole[..whole.find("\"edges\"").unwrap() + 20];
    let end = Tally::of_snapshot(&cut.as_bytes(), &Silent).unwrap().cut.unwrap();
    assert_eq!(end.at, cut.len() as u64);
    let read = |memory| {
        let wish = Wish { memory: Some(memory), survey: true, ..Wish::default() };
        V8Heap::read(&whole.as_bytes(), wish, &OneHand, &Silent)
    };
    assert!(matches!(read(300), Err(V8Error::Memory { nodes: 5, given: 300, .. })));
    let heap = read(4096).unwrap();
    let report = crate::report::HeapReport::of(&heap, &OneHand).unwrap();
    assert_eq!((report.alive, report.garbage, report.accused.len()), (164, 0, 0));
}
