//! Heaps of Node.js: real programs with a known mistake, and their snapshots.

use std::path::Path;
use std::process::Command;

use super::{json, planted, plimsoll, program};

/// Runs a program to its end; false where there is no Node.js.
fn node(name: &str, args: &[&str], snapshots: &[&Path]) -> bool {
    if Command::new("node").arg("--version").output().is_err() {
        eprintln!("skipped: no node on this machine");
        return false;
    }
    let mut command = Command::new("node");
    command.arg("--max-old-space-size=4096").arg(program(name)).args(args).args(snapshots);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    true
}

#[test]
fn every_mistake_planted_in_node_is_the_first_suspect_and_no_healthy_twin_has_any() {
    let folder = tempfile::tempdir().unwrap();
    let all = planted("faults.js");
    assert!(all.len() >= 13, "{}", all.len());
    for one in all {
        let suspects = |name: &str, exit| {
            let snapshot = folder.path().join(format!("{name}.heapsnapshot"));
            if !node("node/faults/faults.js", &[name], &[&snapshot]) {
                return None;
            }
            let report = json(&["report"], &[&snapshot], exit);
            std::fs::remove_file(snapshot).unwrap();
            Some(report["suspects"].clone())
        };
        let Some(found) = suspects(&one.fault, 1) else { return };
        let [owner, field, fault] =
            ["owner", "field", "fault"].map(|key| found[0][key].as_str().unwrap_or("-"));
        // Variables of a file are told with its path.
        let owner = owner.strip_suffix(" faults/faults.js").unwrap_or(owner);
        let first = [owner, field, fault];
        assert_eq!(first, [&*one.holder, &*one.field, &*one.class], "{}: {found}", one.fault);
        suspects(&one.twin, 0);
    }
}

#[test]
fn a_snapshot_is_counted_told_and_its_values_stay_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let snapshot = folder.path().join("shop.heapsnapshot");
    if !node("node/sessions.js", &["10000"], &[&snapshot]) {
        return;
    }
    let page = folder.path().join("shop.html");
    let report = json(&["report", "--html", page.to_str().unwrap()], &[&snapshot], 1);
    assert_eq!(report["suspects"][0]["elements"][0]["type"], "Session");
    assert_eq!(report["suspects"][0]["elements"][0]["count"], 10_000);
    assert!(report["waste"]["off_heap_bytes"].as_u64().unwrap() >= 64 << 10);
    let histogram = json(&["report", "--histogram"], &[&snapshot], 0);
    assert_eq!(histogram["objects"], report["objects"]);
    let alive = report["alive_bytes"].as_u64().unwrap() + report["garbage_bytes"].as_u64().unwrap();
    assert_eq!(histogram["bytes"], alive);
    let lean = plimsoll(&["report", "--memory", "1M"], &[&snapshot]);
    assert_eq!(lean.status.code(), Some(0));
    assert!(String::from_utf8_lossy(&lean.stderr).contains("this is the histogram"));
    let path = json(&["path", "--count", "1"], &[&snapshot, Path::new("Session")], 1);
    let steps: Vec<&str> =
        path[0]["steps"].as_array().unwrap().iter().filter_map(|step| step.as_str()).collect();
    assert!(steps.last().unwrap().ends_with("-> Session"), "{steps:?}");
    let cart = json(&["path", "--count", "1"], &[&snapshot, Path::new("Cart")], 1);
    let steps = cart[0]["steps"].as_array().unwrap();
    assert_eq!(steps.last().unwrap(), "field cart -> Cart");
    let page = std::fs::read_to_string(page).unwrap();
    let all = format!("{page} {report} {histogram} {path} {cart}");
    for value in ["-secret", "example.org", "sku-", "coupon-", "auditor "] {
        assert!(!all.contains(value), "{value} is a value of the program");
    }
}

#[test]
fn ten_requests_that_leak_in_node_among_work_in_flight_are_the_first_row() {
    let folder = tempfile::tempdir().unwrap();
    let [before, after] =
        ["before.heapsnapshot", "after.heapsnapshot"].map(|name| folder.path().join(name));
    if !node("node/growing.js", &["500000", "10"], &[&before, &after]) {
        return;
    }
    let found = json(&["diff", "--work", "10"], &[&before, &after], 1);
    let first = &found["growth"][0];
    assert_eq!(first["owner"], "(module) node/growing.js");
    assert_eq!(first["field"], "sessions");
    assert_eq!(first["in_flight"], false);
    let sessions = first["elements"].as_array().unwrap();
    let sessions = sessions.iter().find(|grown| grown["type"] == "Session").unwrap();
    assert_eq!(sessions["count"], 10);
    assert_eq!(sessions["per_work"], 1.0);
    let in_flight =
        found["growth"].as_array().unwrap().iter().filter(|one| one["in_flight"] == true);
    let held: i64 = in_flight.map(|one| one["bytes"].as_i64().unwrap()).sum();
    assert!(held > first["bytes"].as_i64().unwrap() * 100, "{held} bytes are in work");
    let same = plimsoll(&["diff"], &[&before, &before]);
    assert_eq!(same.status.code(), Some(0), "{}", String::from_utf8_lossy(&same.stdout));
}
