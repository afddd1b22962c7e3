//! Profiles of a Go program that is built and run here, against `go tool pprof` on the same files.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use plimsoll_heap::profile::{Granularity, Measure, Profile, difference};

use crate::programs::{data, find, output};

const PROGRAM: &str = include_str!("../fixtures/leak.go");

/// Own and cumulative value by function.
type Top = BTreeMap<String, (i64, i64)>;

/// What `go tool pprof -top` says, of everything; without functions that are 0 in both.
fn top_of_pprof(go: &Path, index: &str, files: &[&Path]) -> Top {
    let mut command = Command::new(go);
    command.args(["tool", "pprof", "-top", "-unit=bytes", "-nodefraction=0", "-nodecount=1000000"]);
    command.arg(format!("-sample_index={index}"));
    if let [_, base] = files {
        command.arg("-diff_base").arg(base);
    }
    let printed = output(command.arg(files[0]));
    let table = printed.lines().skip_while(|line| !line.contains("flat%")).skip(1);
    let mut top = Top::new();
    for line in table {
        let words: Vec<_> = line.split_whitespace().collect();
        let number =
            |word: &str| word.trim_end_matches(char::is_alphabetic).parse::<i64>().unwrap();
        let name = words[5..].join(" ");
        let name = name.trim_end_matches(" (inline)").trim_end_matches(" (partial-inline)");
        let entry = top.entry(name.to_owned()).or_default();
        *entry = (entry.0 + number(words[0]), entry.1 + number(words[3]));
    }
    top.retain(|_, values| *values != (0, 0));
    top
}

fn top_of_ours(before: &Profile, after: &Profile, measure: Measure) -> Top {
    let growth = difference(before, after, measure, Granularity::Function).unwrap();
    let rows =
        growth.rows.iter().map(|row| (row.site.to_string(), (row.own.grown, row.cumulative.grown)));
    rows.filter(|(_, values)| *values != (0, 0)).collect()
}

fn read(path: &Path) -> Profile {
    Profile::read(&std::fs::read(path).unwrap()).unwrap()
}

/// A profile with the columns of Go's, and no sample.
fn nothing() -> Profile {
    Profile::read(b"heap profile: 0: 0 [1: 1] @ heap/1048576\n").unwrap()
}

const MEASURES: [(&str, Measure); 4] = [
    ("inuse_objects", Measure::InuseObjects),
    ("inuse_space", Measure::InuseSpace),
    ("alloc_objects", Measure::AllocObjects),
    ("alloc_space", Measure::AllocSpace),
];

#[test]
fn a_running_go_program_leaks_where_pprof_says_that_it_does() {
    let Some(go) = find("go") else { return };
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("main.go"), PROGRAM).unwrap();
    std::fs::write(folder.path().join("go.mod"), "module leak\n\ngo 1.19\n").unwrap();
    output(Command::new(&go).args(["build", "-o", "leak", "."]).current_dir(folder.path()));
    output(Command::new("./leak").current_dir(folder.path()));
    let file = |name: &str| folder.path().join(name);
    let (early, late) = (read(&file("early.pb.gz")), read(&file("late.pb.gz")));
    for (index, measure) in MEASURES {
        let whole = top_of_pprof(&go, index, &[&file("late.pb.gz")]);
        assert!(whole.len() >= 3, "{whole:?}");
        assert_eq!(top_of_ours(&nothing(), &late, measure), whole, "{index}");
        let grown = top_of_pprof(&go, index, &[&file("late.pb.gz"), &file("early.pb.gz")]);
        assert_eq!(top_of_ours(&early, &late, measure), grown, "{index}, grown");
    }
    let grown = difference(&early, &late, Measure::InuseSpace, Granularity::Function).unwrap();
    let first = &grown.rows[0];
    assert_eq!(first.site.to_string(), "main.leak");
    let off = (first.own.grown - 30_000 * 4096).unsigned_abs();
    assert!(first.own.is_sure() && off < 4 * first.own.error, "{first:?}");
    let goroutines = read(&file("goroutine.pb.gz"));
    assert_eq!(goroutines.total(Measure::Goroutines), Some(4));
}

#[test]
fn the_text_of_a_go_program_says_what_its_protobuf_says() {
    let Some(go) = find("go") else { return };
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("main.go"), PROGRAM).unwrap();
    output(Command::new(&go).args(["run", "main.go"]).current_dir(folder.path()));
    let file = |name: &str| read(&folder.path().join(name));
    let (packed, text) = (file("early.pb.gz"), file("early.txt"));
    assert_eq!((packed.complete, text.complete, text.rejected), (true, true, 0));
    for (_, measure) in MEASURES {
        let of_text = top_of_ours(&nothing(), &text, measure);
        assert_eq!(of_text, top_of_ours(&nothing(), &packed, measure), "{measure:?}");
    }
    let (packed, text) = (file("goroutine.pb.gz"), file("goroutine.txt"));
    let total = |profile: &Profile| profile.total(Measure::Goroutines);
    assert_eq!((total(&text), total(&packed)), (Some(4), Some(4)));
}

#[test]
fn large_public_profiles_come_out_as_in_pprof() {
    let (Some(go), Some(data)) = (find("go"), data("pprof/parca")) else { return };
    for name in ["parca_testdata_alloc_objects.pb.gz", "query_testdata_alloc_space_delta.pb.gz"] {
        let path = data.join(name);
        let profile = read(&path);
        for (index, measure) in MEASURES {
            let want = top_of_pprof(&go, index, &[&path]);
            assert!(want.len() > 100, "{name}: {}", want.len());
            assert_eq!(top_of_ours(&nothing(), &profile, measure), want, "{name}, {index}");
        }
    }
}
