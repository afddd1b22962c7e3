//! Who keeps whom alive in real dumps, where it is known.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use plimsoll_heap::{Above, Hprof, HprofShape, Label, OneHand, Shape as _, Silent, Wish, holders};

use crate::crew::Crew;
use crate::dumps;

fn read(path: &Path) -> (Vec<u8>, Hprof) {
    let bytes = fs::read(path).unwrap();
    let hprof = Hprof::read(&bytes.as_slice(), Wish::default(), &OneHand, &Silent).unwrap();
    (bytes, hprof)
}

/// Nodes by name of their type.
fn of_type(hprof: &Hprof, name: &str) -> Vec<u32> {
    (0..hprof.objects() as u32).filter(|node| hprof.type_name(*node) == name).collect()
}

#[test]
fn the_dominators_that_eclipse_mat_knows_of_a_dump_are_found() {
    const PREFIX: &str = "org.eclipse.mat.tests.CreateSampleDump$DominatorTestData$";
    let Some(folder) = dumps() else { return };
    let (_, hprof) = read(&folder.join("mat/sun_jdk6_32bit.hprof"));
    let mut found: BTreeMap<String, String> = BTreeMap::new();
    let mut below = vec![of_type(&hprof, &format!("{PREFIX}R"))];
    assert_eq!(below[0].len(), 1);
    let root = below[0][0];
    // All that R dominates, level by level.
    while let Some(level) = below.pop().filter(|level| !level.is_empty()) {
        let is_below = |node: &u32| match hprof.dominators().above(*node) {
            Above::Node(above) => level.contains(&above),
            Above::Roots | Above::Nothing => false,
        };
        let next: Vec<u32> = (0..hprof.objects() as u32).filter(is_below).collect();
        for node in &next {
            let Above::Node(above) = hprof.dominators().above(*node) else { unreachable!() };
            let short = |node| hprof.type_name(node).strip_prefix(PREFIX).unwrap_or("?");
            let list = found.entry(short(above).to_owned()).or_default();
            list.push_str(short(*node));
            *list = sorted(list);
        }
        below.push(next);
    }
    let want = [("C", "FG"), ("D", "L"), ("G", "J"), ("R", "ABCDEHIK")];
    assert_eq!(found, want.map(|(above, below)| (above.into(), below.into())).into());
    // With R itself: 13 objects.
    assert_eq!(found.values().map(String::len).sum::<usize>() + 1, 13);
    assert_eq!(hprof.dominators().retained(root, &hprof.graph().sizes), 224);
}

fn sorted(letters: &str) -> String {
    let mut letters: Vec<char> = letters.chars().collect();
    letters.sort_unstable();
    letters.into_iter().collect()
}

/// The nearest static field above a node, by strong references: class, field, and steps.
fn nearest_static(shape: &HprofShape<'_>, node: u32) -> Option<(String, String, usize)> {
    let (mut level, mut seen) = (vec![node], BTreeSet::from([node]));
    for steps in 1..10 {
        let referrers = |node: &u32| {
            let above = shape.dominators().referrers(*node).into_iter();
            above.map(|from| (from, *node)).collect::<Vec<_>>()
        };
        let mut asked: Vec<(u32, u32)> = level.iter().flat_map(referrers).collect();
        asked.retain(|(from, to)| !shape.is_weak(*from, *to));
        for ((from, _), label) in asked.iter().zip(shape.labels(&asked).unwrap()) {
            if let Some(Label::Static(field)) = label {
                return Some((shape.node_name(*from).into_owned(), field, steps));
            }
        }
        level = asked.iter().map(|(from, _)| *from).filter(|from| seen.insert(*from)).collect();
    }
    None
}

#[test]
fn a_static_field_of_an_android_app_is_found_to_hold_its_service() {
    let Some(folder) = dumps() else { return };
    let (bytes, hprof) = read(&folder.join("leakcanary/leak_service_binder.hprof"));
    let source = &bytes.as_slice();
    let shape = HprofShape { hprof: &hprof, source, hands: &OneHand, progress: &Silent };
    let services = of_type(&hprof, "com.example.leakcanary.LeakyService");
    let found: Vec<_> = services.iter().filter_map(|node| nearest_static(&shape, *node)).collect();
    let leak = ("class com.example.leakcanary.LeakyService", "leakAllTheBinders");
    let is_leak =
        |(class, field, _): &(String, String, usize)| (class.as_str(), field.as_str()) == leak;
    assert_eq!(found.iter().filter(|found| is_leak(found)).count(), 1, "{found:?}");
}

/// What a reading gives, in words.
fn told(bytes: &[u8], hands: usize) -> String {
    let crew = Crew(hands);
    let hprof = Hprof::read(&bytes, Wish::default(), &crew, &Silent).unwrap();
    let shape = HprofShape { hprof: &hprof, source: &bytes, hands: &crew, progress: &Silent };
    let nodes: Vec<_> = (0..hprof.objects() as u32)
        .map(|node| {
            let retained = hprof.dominators().retained(node, &hprof.graph().sizes);
            (hprof.type_name(node), hprof.dominators().above(node), retained, shape.root(node))
        })
        .collect();
    let holders = holders(&shape).unwrap();
    format!("{nodes:?} {holders:?}")
}

#[test]
fn several_hands_find_what_one_finds() {
    let Some(folder) = dumps() else { return };
    for dump in ["leakcanary/leak_service_binder.hprof", "mat/HeapDumpSample.hprof"] {
        let bytes = fs::read(folder.join(dump)).unwrap();
        let one = told(&bytes, 1);
        for hands in [2, 5] {
            assert!(told(&bytes, hands) == one, "{hands} hands differ from one at {dump}");
        }
    }
}

/// What instances of a class take, as the JVM said it of the same heap.
fn jvm_sizes(histogram: &str) -> BTreeMap<String, u64> {
    let row = |line: &str| {
        let cells: Vec<&str> = line.split_whitespace().collect();
        let (count, bytes, class) = match cells.as_slice() {
            [_, count, bytes, class] if cells[0].ends_with(':') => (count, bytes, class),
            [count, bytes, class] => (count, bytes, class),
            _ => return None,
        };
        let (count, bytes): (u64, u64) = (count.parse().ok()?, bytes.parse().ok()?);
        let is_plain = !class.starts_with(['[', '<']) && *class != "java.lang.Class";
        is_plain.then(|| ((*class).to_owned(), bytes / count))
    };
    histogram.lines().filter_map(row).collect()
}

#[test]
fn an_instance_takes_what_the_jvm_says_that_it_takes() {
    let Some(folder) = dumps() else { return };
    let mat = folder.join("mat");
    for (dump, histogram) in [
        ("sun_jdk5_13_x32.hprof", "histogram_sun_jdk5_13_x32.txt"),
        ("sun_jdk6_18_x32.hprof", "histogram_sun_jdk6_18_x32.txt"),
        ("sun_jdk6_18_x64.hprof", "histogram_sun_jdk6_18_x64.txt"),
        ("sun_jdk6_30_x64_compressedOops.hprof", "sun_jdk6_30_x64_compressedOops.notes.txt"),
        ("sun_jdk6_30_x64_nocompressedOops.hprof", "sun_jdk6_30_x64_nocompressedOops.notes.txt"),
    ] {
        let want = jvm_sizes(&fs::read_to_string(mat.join(histogram)).unwrap());
        let (_, hprof) = read(&mat.join(dump));
        let (mut compared, mut differ) = (0, BTreeMap::new());
        for node in 0..hprof.objects() as u32 {
            let name = hprof.type_name(node);
            let size = hprof.graph().sizes.of(node);
            if let Some(want) = want.get(name) {
                compared += 1;
                if *want != size {
                    differ.insert(name.to_owned(), (*want, size));
                }
            }
        }
        assert!(compared > 500, "{dump}: only {compared} objects were compared");
        assert!(differ.is_empty(), "{dump}: {differ:?}");
    }
}
