//! `plimsoll heap report` and `diff` of profiles: mistakes planted in programs of Go and Python,
//! against the table of what was planted, and numbers against `go tool pprof`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::{Planted, json, planted, plimsoll, program};

/// The program of Go, built; `None` where there is no Go.
fn go_program(folder: &Path) -> Option<PathBuf> {
    let built = folder.join("faults");
    let source = program("go/faults.go").canonicalize().unwrap();
    let Ok(output) = Command::new("go").args(["build", "-o"]).arg(&built).arg(source).output()
    else {
        eprintln!("skipped: no go on this machine");
        return None;
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(built)
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// What a program of Go holds, and what its goroutines do.
fn go_profiles(program: &Path, fault: &str, folder: &Path) -> [PathBuf; 2] {
    let paths = ["heap", "goroutine"].map(|kind| folder.join(format!("{fault}.{kind}.pb.gz")));
    run(Command::new(program).arg(fault).args(&paths));
    paths
}

fn python_snapshot(fault: &str, folder: &Path) -> Option<PathBuf> {
    let path = folder.join(format!("{fault}.snapshot"));
    if Command::new("python3").arg("--version").output().is_err() {
        eprintln!("skipped: no python3 on this machine");
        return None;
    }
    let source = program("python/faults.py").canonicalize().unwrap();
    run(Command::new("python3").arg(source).arg(fault).arg(&path));
    Some(path)
}

fn named(suspect: &Value) -> [&str; 3] {
    ["owner", "field", "fault"].map(|key| suspect[key].as_str().unwrap_or("-"))
}

fn check(one: &Planted, report: &Value) {
    let found = &report["suspects"];
    let want = [&*one.holder, &*one.field, &*one.class];
    assert_eq!(named(&found[0]), want, "{}: {found:#}", one.fault);
    let read_at = found[0]["read_at"].as_str().unwrap();
    assert!(read_at.contains("faults."), "{read_at}");
    assert!(found[0]["words"].as_str().unwrap().contains(&one.field));
    assert!(found[0]["fix"].is_string() && !found[0]["stack"].as_array().unwrap().is_empty());
}

#[test]
fn every_mistake_planted_in_go_is_the_first_suspect_and_no_healthy_twin_has_any() {
    let folder = tempfile::tempdir().unwrap();
    let Some(program) = go_program(folder.path()) else { return };
    let all = planted("faults.go");
    assert!(all.len() >= 10, "{}", all.len());
    for one in all {
        let [heap, goroutines] = go_profiles(&program, &one.fault, folder.path());
        let healthy = go_profiles(&program, &one.twin, folder.path());
        check(&one, &json(&["report"], &[&heap], 1));
        if one.class == "blocked_goroutine" {
            check(&one, &json(&["report"], &[&goroutines], 1));
            check(&one, &json(&["diff"], &[&healthy[1], &goroutines], 1));
        } else {
            json(&["report"], &[&goroutines], 0);
        }
        check(&one, &json(&["diff", "--work", "1000"], &[&healthy[0], &heap], 1));
        json(&["diff"], &[&heap, &heap], 0);
        healthy.iter().for_each(|path| drop(json(&["report"], &[path], 0)));
    }
}

#[test]
fn every_mistake_planted_in_python_is_the_first_suspect_and_no_healthy_twin_has_any() {
    let folder = tempfile::tempdir().unwrap();
    let all = planted("faults.py");
    assert!(all.len() >= 14, "{}", all.len());
    for one in all {
        let Some(snapshot) = python_snapshot(&one.fault, folder.path()) else { return };
        let Some(healthy) = python_snapshot(&one.twin, folder.path()) else { return };
        check(&one, &json(&["report"], &[&snapshot], 1));
        check(&one, &json(&["diff"], &[&healthy, &snapshot], 1));
        json(&["report"], &[&healthy], 0);
    }
}

#[test]
fn without_the_source_a_report_names_the_function_and_no_field() {
    let folder = tempfile::tempdir().unwrap();
    let Some(program) = go_program(folder.path()) else { return };
    let [heap, _] = go_profiles(&program, "collection", folder.path());
    let report = json(&["report", "--no-source"], &[&heap], 1);
    let suspect = &report["suspects"][0];
    assert_eq!(suspect["owner"], "main.(*SessionRegistry).login");
    assert_eq!(suspect["field"], Value::Null);
    assert_eq!(suspect["fault"], Value::Null);
    assert!(suspect["file"].as_str().unwrap().ends_with("heaps/go/faults.go"));
    let source = fs::read_to_string(super::program("go/faults.go")).unwrap();
    let line = source.lines().position(|line| line.contains("&Session{token")).unwrap() + 1;
    assert_eq!(suspect["line"], line);
    let table = plimsoll(&["report"], &[&heap]);
    let text = String::from_utf8_lossy(&table.stdout).into_owned();
    assert!(text.contains("openSessions in main.(*SessionRegistry).login holds"), "{text}");
    assert!(text.contains("plimsoll heap diff FIRST SECOND"), "{text}");
}

/// A profile of so many goroutines that wait for a channel in one line.
fn waiting(folder: &Path, count: u32) -> PathBuf {
    let path = folder.join(format!("{count}.goroutine.txt"));
    let text = format!(
        "goroutine profile: total {count}\n{count} @ 0x1 0x2\n#\t0x1\truntime.chanrecv1+0x1\t\
         /usr/lib/go/src/runtime/chan.go:1\n#\t0x2\tmain.work+0x1\t/nowhere/main.go:7\n"
    );
    fs::write(&path, text).unwrap();
    path
}

#[test]
fn goroutines_are_told_for_each_unit_of_work_and_with_what_one_look_cannot_tell() {
    let folder = tempfile::tempdir().unwrap();
    let [before, after] = [waiting(folder.path(), 2000), waiting(folder.path(), 2500)];
    let text = |args: &[&str], paths: &[&Path], exit| {
        let output = plimsoll(args, paths);
        assert_eq!(output.status.code(), Some(exit));
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let one = text(&["report"], &[&before], 1);
    assert!(one.contains("plimsoll heap diff FIRST SECOND"), "{one}");
    let two = text(&["diff", "--work", "1000"], &[&before, &after], 1);
    assert!(two.contains("500 (0.50 each)"), "{two}");
    let less = text(&["diff", "--work", "1000"], &[&after, &before], 0);
    assert!(less.contains("-500 (-0.50 each)"), "{less}");
}

/// A profile in pprof's protobuf: one sample of `alloc_space` in `main.serve`.
fn alloc_only(bytes: u64) -> Vec<u8> {
    let varint = |mut value: u64| {
        let mut out = Vec::new();
        while value > 127 {
            out.push(value as u8 | 128);
            value >>= 7;
        }
        out.push(value as u8);
        out
    };
    let number = |field: u64, value: u64| [varint(field << 3), varint(value)].concat();
    let message = |field: u64, inside: &[u8]| {
        [varint(field << 3 | 2), varint(inside.len() as u64), inside.to_vec()].concat()
    };
    let sample = [number(1, 1), number(2, bytes)].concat();
    let location = [number(1, 1), message(4, &[number(1, 1), number(2, 7)].concat())].concat();
    let function = [number(1, 1), number(2, 3)].concat();
    let texts = ["", "alloc_space", "bytes", "main.serve"].map(|text| message(6, text.as_bytes()));
    let parts = [
        message(1, &[number(1, 1), number(2, 2)].concat()),
        message(2, &sample),
        message(4, &location),
        message(5, &function),
    ];
    [parts.concat(), texts.concat()].concat()
}

#[test]
fn profiles_of_what_was_allocated_accuse_nobody_and_cannot_tell() {
    let folder = tempfile::tempdir().unwrap();
    let look = |name: &str, kib: u64| {
        let path = folder.path().join(name);
        fs::write(&path, alloc_only(kib << 10)).unwrap();
        path
    };
    let [before, after] = [look("a.pb", 1 << 10), look("b.pb", 1 << 20)];
    let found = json(&["diff"], &[&before, &after], 3);
    assert_eq!(
        (found["measure"].as_str(), found["suspects"].as_array().unwrap().len()),
        (Some("alloc_space"), 0)
    );
}

/// Rows of `go tool pprof -top`: flat and cumulative bytes by function.
fn pprof_top(profile: &Path) -> BTreeMap<String, [i64; 2]> {
    let all = ["-top", "-unit=B", "-nodecount=100000", "-nodefraction=0", "-edgefraction=0"];
    let mut command = Command::new("go");
    command.args(["tool", "pprof", "-sample_index=inuse_space"]).args(all).arg(profile);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let rows = text.lines().skip_while(|line| !line.contains("flat%")).skip(1);
    let rows = rows.map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let bytes = |word: &str| word.trim_end_matches('B').parse().unwrap();
        let name = words[5..].join(" ");
        (name.trim_end_matches(" (inline)").to_owned(), [bytes(words[0]), bytes(words[3])])
    });
    rows.collect()
}

#[test]
fn numbers_are_those_of_pprof() {
    let folder = tempfile::tempdir().unwrap();
    let Some(program) = go_program(folder.path()) else { return };
    let [heap, _] = go_profiles(&program, "static-collection", folder.path());
    let want = pprof_top(&heap);
    let report = json(&["report"], &[&heap], 1);
    let rows = report["functions"].as_array().unwrap().iter().map(|row| {
        let number = |key: &str| row[key].as_i64().unwrap();
        (row["function"].as_str().unwrap().to_owned(), [number("flat"), number("cumulative")])
    });
    let found: BTreeMap<String, [i64; 2]> = rows.collect();
    assert!(want.len() > 5, "{want:?}");
    for (name, numbers) in &want {
        assert_eq!(found.get(name).unwrap_or(&[0, 0]), numbers, "{name}");
    }
    let flat: i64 = want.values().map(|[flat, _]| flat).sum();
    assert_eq!(report["total"], flat);
    assert_eq!(report["sampled_every"], 4096);
}

#[test]
fn classes_that_grew_between_two_histograms_are_named_with_what_they_bring() {
    let folder = tempfile::tempdir().unwrap();
    let histogram = |name: &str, quotes: u64| {
        let path = folder.path().join(name);
        let rows = [
            (quotes + 900, "[B"),
            (quotes, "java.util.HashMap$Node"),
            (quotes, "shop.Quote"),
            (40, "java.lang.Class"),
        ];
        let rows = rows.iter().enumerate().map(|(at, (count, class))| {
            format!("{:4}: {count:12} {:14}  {class}\n", at + 1, count * 32)
        });
        let count: u64 = 3 * quotes + 940;
        let rows: String = rows.collect();
        let head = " num     #instances         #bytes  class name (module)\n";
        let text = format!("4711:\n{head}{rows}Total {count:12} {:14}\n", count * 32);
        fs::write(&path, text).unwrap();
        path
    };
    let [before, after] = [histogram("before.txt", 100), histogram("after.txt", 5100)];
    let table = json(&["report"], &[&after], 0);
    assert_eq!(table["objects"], 3 * 5100 + 940);
    let found = json(&["diff", "--work", "5000"], &[&before, &after], 1);
    assert_eq!(found["dominant"]["class"], "shop.Quote");
    assert_eq!(found["dominant"]["instances"], 5000);
    assert_eq!(found["dominant"]["per_work"], 1.0);
    assert!(found["dominant"]["group_share"].as_f64().unwrap() > 0.95);
    assert_eq!(found["grown_bytes"], 3 * 5000 * 32);
    let same = json(&["diff"], &[&after, &after], 0);
    assert_eq!(same["dominant"], Value::Null);
    assert!(same["reason"].as_str().unwrap().contains("no class grew"));
    let mixed = folder.path().join("heap.txt");
    fs::write(&mixed, "heap profile: 1: 9 [1: 9] @ heap/2\n1: 9 [1: 9] @ 0x1\n").unwrap();
    let refused = plimsoll(&["diff"], &[&before, &mixed]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("compare files of one kind"));
}

#[test]
fn a_log_of_collections_tells_how_what_is_alive_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let log = |name: &str, alive: &dyn Fn(u32) -> u32| {
        let path = folder.path().join(name);
        let lines = (0..600_u32).map(|at| {
            let (time, after) = (at * 60, alive(at));
            format!(
                "[{time}.250s][info][gc] GC({at}) Pause Full (System.gc()) {}M->{after}M(2048M) 9.5ms\n",
                after + 100
            )
        });
        fs::write(&path, lines.collect::<String>()).unwrap();
        path
    };
    let leaking = json(&["report"], &[&log("leaking.log", &|at| 100 + at)], 1);
    assert_eq!(leaking["verdict"], "leaking");
    let trend = leaking["runs"][0]["trend_bytes_per_hour"].as_f64().unwrap();
    assert!((trend / f64::from(60 << 20) - 1.0).abs() < 0.05, "{trend}");
    assert_eq!(leaking["runs"][0]["live"].as_array().unwrap().len(), 600);
    let steady = json(&["report"], &[&log("steady.log", &|at| 100 + at * 7 % 5)], 0);
    assert_eq!(steady["verdict"], "steady");
    let two = plimsoll(&["diff"], &[folder.path().join("leaking.log").as_path(); 2]);
    assert_eq!(two.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&two.stderr).contains("plimsoll heap report"));
}
