//! `plimsoll heap`, as its users have it: the real binary over dumps that real programs wrote.
//!
//! Programs stand in `heaps/`; each is started by `java` or `node`, writes its dumps and ends by
//! itself. What shapes of heaps mean is tested in `plimsoll-heap`.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop here")]

#[path = "heap/node.rs"]
mod node;
#[path = "heap/profiles.rs"]
mod profiles;

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::Value;

fn plimsoll(args: &[&str], paths: &[&Path]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_plimsoll"));
    command.args(["heap"]).args(args).args(paths).output().unwrap()
}

fn json(args: &[&str], paths: &[&Path], exit: i32) -> Value {
    let output = plimsoll(&[args, &["--format", "json"]].concat(), paths);
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(exit), "{told}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn program(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../heaps").join(name)
}

/// Runs a Java program to its end; false where there is no Java.
fn java(name: &str, args: &[&str], dumps: &[&Path]) -> bool {
    if Command::new("java").arg("-version").output().is_err() {
        eprintln!("skipped: no java on this machine");
        return false;
    }
    let mut command = Command::new("java");
    command.arg("-Xmx1g").arg(program(name)).args(args).args(dumps);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    true
}

#[test]
fn a_report_names_the_collections_that_hold_a_shop() {
    let folder = tempfile::tempdir().unwrap();
    let dump = folder.path().join("shop.hprof");
    if !java("java/Shop.java", &["30"], &[&dump]) {
        return;
    }
    let page = folder.path().join("shop.html");
    let report = json(&["report", "--html", page.to_str().unwrap()], &[&dump], 1);
    let suspect = &report["suspects"][0];
    assert_eq!(suspect["owner"], "Shop");
    assert_eq!(suspect["field"], "CUSTOMERS");
    assert_eq!(suspect["fault"], "static_collection");
    let held: Vec<&str> = report["holders"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|one| one["field"].as_str())
        .collect();
    assert!(held.contains(&"SESSIONS"), "{held:?}");
    // Every third has a session as well, so the map does not dominate it; it counts all the same.
    assert_eq!(suspect["elements"][0]["type"], "Shop$Customer");
    assert_eq!(suspect["elements"][0]["count"], 6000);
    let page = fs::read_to_string(page).unwrap();
    assert!(page.contains("CUSTOMERS") && !page.contains("http://"), "no network");
    let histogram = json(&["report", "--histogram"], &[&dump], 0);
    assert_eq!(histogram["objects"], report["objects"]);
    let lean = plimsoll(&["report", "--memory", "1M"], &[&dump]);
    assert_eq!(lean.status.code(), Some(0));
    assert!(String::from_utf8_lossy(&lean.stderr).contains("this is the histogram"));
    let path = json(&["path", "--count", "1"], &[&dump, Path::new("Shop$Session")], 1);
    let steps = path[0]["steps"].as_array().unwrap();
    assert!(steps.iter().any(|step| step.as_str().unwrap().starts_with("static SESSIONS")));
}

/// A planted mistake, by the table beside the programs.
struct Planted {
    fault: String,
    twin: String,
    holder: String,
    field: String,
    class: String,
}

fn planted(program_name: &str) -> Vec<Planted> {
    let table = fs::read_to_string(program("truth.csv")).unwrap();
    let rows = table.lines().skip(1).map(|line| line.split(',').collect::<Vec<_>>());
    let rows = rows.filter(|row| row[0].ends_with(program_name));
    let planted = rows.map(|row| Planted {
        fault: row[1].into(),
        twin: row[2].into(),
        holder: row[3].into(),
        field: row[4].into(),
        class: row[5].into(),
    });
    planted.collect()
}

#[test]
fn every_mistake_planted_in_java_is_the_first_suspect_and_no_healthy_twin_has_any() {
    let folder = tempfile::tempdir().unwrap();
    let mut compiler = Command::new("javac");
    compiler.arg("-d").arg(folder.path()).arg(program("java/Faults.java"));
    let Ok(compiled) = compiler.output() else {
        return eprintln!("skipped: no javac on this machine");
    };
    assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
    let all = planted("Faults.java");
    assert!(all.len() >= 14, "{}", all.len());
    for one in all {
        let suspects = |name: &str, exit| {
            let dump = folder.path().join(format!("{name}.hprof"));
            let mut command = Command::new("java");
            command.args(["-Xmx512m", "-cp"]).arg(folder.path()).args(["Faults", name]).arg(&dump);
            let output = command.output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            let report = json(&["report"], &[&dump], exit);
            fs::remove_file(dump).unwrap();
            report["suspects"].clone()
        };
        let found = suspects(&one.fault, 1);
        let first = ["owner", "field", "fault"].map(|key| found[0][key].as_str().unwrap_or("-"));
        assert_eq!(first, [&*one.holder, &*one.field, &*one.class], "{}: {found}", one.fault);
        suspects(&one.twin, 0);
    }
}

#[test]
fn ten_requests_that_leak_among_work_in_flight_are_the_first_row() {
    let folder = tempfile::tempdir().unwrap();
    let [before, after] = ["before.hprof", "after.hprof"].map(|name| folder.path().join(name));
    if !java("java/Growing.java", &["500000", "10"], &[&before, &after]) {
        return;
    }
    let found = json(&["diff", "--work", "10"], &[&before, &after], 1);
    let first = &found["growth"][0];
    assert_eq!(first["field"], "SESSIONS");
    assert_eq!(first["static"], true);
    assert_eq!(first["in_flight"], false);
    assert_eq!(first["elements"][0]["type"], "Growing$Session");
    assert_eq!(first["elements"][0]["count"], 10);
    assert_eq!(first["elements"][0]["per_work"], 1.0);
    let in_flight =
        found["growth"].as_array().unwrap().iter().filter(|one| one["in_flight"] == true);
    let held: i64 = in_flight.map(|one| one["bytes"].as_i64().unwrap()).sum();
    assert!(held > first["bytes"].as_i64().unwrap() * 100, "{held} bytes are in work");
    let same = plimsoll(&["diff"], &[&before, &before]);
    assert_eq!(same.status.code(), Some(0), "{}", String::from_utf8_lossy(&same.stdout));
}

#[test]
fn what_is_no_dump_is_refused_and_a_cut_one_is_read_as_far_as_it_goes() {
    let folder = tempfile::tempdir().unwrap();
    let text = folder.path().join("text.hprof");
    fs::write(&text, "no dump at all").unwrap();
    let refused = plimsoll(&["report"], &[&text]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("is not a heap dump"));
    let missing = plimsoll(&["report"], &[Path::new("no-such-file.hprof")]);
    assert_eq!(missing.status.code(), Some(2));
    let dump = folder.path().join("shop.hprof");
    if !java("java/Shop.java", &["3"], &[&dump]) {
        return;
    }
    let whole = fs::read(&dump).unwrap();
    let cut = folder.path().join("cut.hprof");
    fs::write(&cut, &whole[..whole.len() / 2]).unwrap();
    let report = json(&["report", "--histogram"], &[&cut], 0);
    let end = report["cut_at"].as_u64().unwrap();
    assert!(end <= whole.len() as u64 / 2 && end > whole.len() as u64 / 3, "{end}");
}

/// Bytes of the arrays in the dump below, 523 in all.
const ARRAY_BYTES: u32 = 1_000_000;

/// A dump of arrays full of zeros, packed to a thousandth of its size.
fn bomb(path: &Path) {
    let mut packed = GzEncoder::new(File::create(path).unwrap(), Compression::best());
    packed.write_all(b"JAVA PROFILE 1.0.2\0\0\0\0\x08\0\0\0\0\0\0\0\0").unwrap();
    let zeros = vec![0; ARRAY_BYTES as usize];
    for id in 1..=523_u64 {
        let root = [&[0xff][..], &id.to_be_bytes()].concat();
        let head = [&[0x23][..], &id.to_be_bytes(), &[0; 4], &ARRAY_BYTES.to_be_bytes(), &[8]];
        let head = head.concat();
        let length = (root.len() + head.len()) as u32 + ARRAY_BYTES;
        packed.write_all(&[0x1c, 0, 0, 0, 0]).unwrap();
        packed.write_all(&length.to_be_bytes()).unwrap();
        [&root, &head, &zeros].into_iter().for_each(|part| packed.write_all(part).unwrap());
    }
    packed.finish().unwrap();
}

#[test]
fn a_small_file_that_unpacks_to_half_a_gigabyte_is_analysed_in_little_memory_or_refused() {
    /// Of address space, in kB: less than the dump has.
    const SPACE_MAX: u32 = 480_000;
    let folder = tempfile::tempdir().unwrap();
    let dump = folder.path().join("bomb.hprof.gz");
    bomb(&dump);
    assert!(fs::metadata(&dump).unwrap().len() < 900_000);
    let within = |more: &str| {
        let plimsoll = env!("CARGO_BIN_EXE_plimsoll");
        let command = format!(
            "ulimit -v {SPACE_MAX}; exec {plimsoll} heap report --format json {more} {}",
            dump.display()
        );
        Command::new("sh").args(["-c", &command]).output().unwrap()
    };
    let output = within("--memory 64M --threads 2");
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{told}");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["objects"], 523);
    assert!(report["alive_bytes"].as_u64().unwrap() > 523_000_000);
    let output = within("--unpack-max 100M --threads 2");
    assert_eq!(output.status.code(), Some(2));
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(told.contains("--unpack-max"), "{told}");
}
