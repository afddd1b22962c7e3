//! The printed JSON field by field, the table, and the exit codes of good input.

use serde_json::{Value, json};

use crate::files::{Files, Run, rows, scan, scan_with_input};
use crate::written::HEADER;

const BEGIN: i64 = 1_780_000_000;

fn flat(seconds: usize) -> String {
    let values: Vec<_> = (0..seconds).map(|at| 3e8 + (at % 7) as f64 * 4096.0).collect();
    format!("{HEADER}{}", rows(BEGIN, "orders-0", "process.memory.rss", &values))
}

fn keys(value: &Value) -> Vec<&str> {
    let mut keys: Vec<_> = value.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    keys
}

#[test]
fn the_report_holds_the_documented_fields_and_no_others() {
    let report = Files::new().scan(flat(600), &[]).json();
    assert_eq!(keys(&report), ["assessed_at", "inputs", "services", "shared_onset"]);
    assert_eq!(report["assessed_at"], "2026-05-28T20:36:39.000Z");
    let inputs = json!({
        "series": 1, "samples": 600, "rejected": 0,
        "from": "2026-05-28T20:26:40.000Z", "to": "2026-05-28T20:36:39.000Z",
    });
    assert_eq!(report["inputs"], inputs);
    let service = &report["services"][0];
    let want = [
        "cause",
        "confidence",
        "evidence",
        "exhaustion",
        "growth_bytes_per_hour",
        "growth_per_hour",
        "instances",
        "metric",
        "onset",
        "reason",
        "service",
        "suspected_change",
        "verdict",
    ];
    assert_eq!(keys(service), want);
    assert_eq!(service["service"], "orders");
    let confidence = service["confidence"].as_f64().unwrap();
    assert!((0.0..=1.0).contains(&confidence));
    assert!(!service["reason"].as_str().unwrap().is_empty());
}

#[test]
fn the_exit_code_follows_the_verdicts() {
    let files = Files::new();
    let check = |run: &Run| {
        let report = run.json();
        let services = report["services"].as_array().unwrap();
        let any = |word: &str| services.iter().any(|service| service["verdict"] == word);
        let want = match (any("leaking"), any("suspect") || any("undecided")) {
            (true, _) => 1,
            (false, true) => 3,
            (false, false) => 0,
        };
        assert_eq!(run.code, want, "{report:#}");
    };
    let steady = files.scan(flat(600), &[]);
    assert_eq!(steady.json()["services"][0]["verdict"], "steady");
    check(&steady);
    let short = files.scan(flat(3), &[]);
    assert_eq!(short.json()["services"][0]["verdict"], "undecided");
    check(&short);
}

#[test]
fn rows_in_any_order_repeated_and_behind_a_byte_order_mark_are_the_same_telemetry() {
    let files = Files::new();
    let plain = files.scan(flat(600), &[]);
    let text = flat(600);
    let (header, body) = text.split_once('\n').unwrap();
    let mut lines: Vec<_> = body.lines().chain(body.lines().take(50)).collect();
    lines.reverse();
    let shuffled = format!("\u{feff}{header}\r\n{}\r\n", lines.join("\r\n"));
    assert_eq!(files.scan(shuffled, &[]).out, plain.out);
    let file = files.write("plain.csv", flat(600));
    let piped = scan_with_input(&["--telemetry", "-", "--format", "json"], flat(600).as_bytes());
    assert_eq!(piped.out, plain.out);
    let timed = ["--telemetry", file.to_str().unwrap(), "--format", "json", "--at", "1780000599"];
    assert_eq!(scan(&timed).out, plain.out);
}

#[test]
fn every_service_of_the_telemetry_has_one_entry_and_events_add_none() {
    let files = Files::new();
    let other = rows(BEGIN, "b-0", "process.fds", &[5.0; 100]).replace("orders", "billing");
    let events = files.write(
        "events.jsonl",
        r#"{"ts":1780000100,"kind":"deploy","service":"unseen","version":"2"}"#,
    );
    let text = format!("{}{other}", flat(600));
    let run = files.scan(&text, &["--events", events.to_str().unwrap()]);
    let report = run.json();
    let services = report["services"].as_array().unwrap();
    let names: Vec<_> = services.iter().map(|service| service["service"].as_str()).collect();
    assert_eq!(names, [Some("billing"), Some("orders")]);
    let one = files.scan(&text, &["--service", "billing"]).json();
    assert_eq!(one["services"].as_array().unwrap().len(), 1);
    assert_eq!(one["inputs"]["samples"], 100);
}

#[test]
fn a_restart_tells_the_samples_before_it_from_those_after_it() {
    let files = Files::new();
    let event = r#"{"ts":1780000300,"kind":"restart","service":"orders","instance":"orders-0"}"#;
    let events = files.write("events.jsonl", event);
    // Twice the same climb, as a process makes that is restarted in between.
    let values: Vec<_> = (0..600).map(|at| 1e8 + f64::from(at % 300) * 3e5).collect();
    let text = format!("{HEADER}{}", rows(BEGIN, "orders-0", "process.memory.anon", &values));
    let with = files.scan(&text, &["--events", events.to_str().unwrap()]).json();
    assert_eq!(with["services"][0]["verdict"], "leaking", "it climbs for as long as it runs");
    assert_eq!(with["inputs"]["series"], 1, "a series belongs to an instance, not to a run of it");
    let without = files.scan(&text, &[]).json();
    assert_eq!(without["services"][0]["verdict"], "steady", "it gives back what it took");
}

#[test]
fn names_of_known_exporters_and_of_a_catalogue_file_are_taken() {
    let files = Files::new();
    let own = flat(600).replace("process.memory.rss", "our_rss_mib").replace("3000", "28");
    assert_eq!(files.scan(&own, &[]).code, 2, "no line of it is known");
    let catalogue = files.write(
        "names.toml",
        "[[metric.\"process.memory.rss\"]]\nname = \"our_rss_mib\"\nscale = 1048576.0\n",
    );
    let run = files.scan(&own, &["--catalogue", catalogue.to_str().unwrap()]);
    assert_eq!(run.json()["inputs"]["rejected"], 0, "{}", run.err);
    let exporter = flat(600).replace("process.memory.rss", "process_resident_memory_bytes");
    assert_eq!(files.scan(exporter, &[]).json()["inputs"]["samples"], 600);
}

#[test]
fn the_table_fits_a_hundred_columns_and_says_the_reason() {
    let files = Files::new();
    let path = files.write("t.csv", flat(600));
    let run = scan(&["--telemetry", path.to_str().unwrap()]);
    assert!(run.out.starts_with("SERVICE"), "{}", run.out);
    assert!(run.out.contains("\norders   steady"), "{}", run.out);
    assert!(run.out.lines().all(|line| line.chars().count() <= 100), "{}", run.out);
    assert!(run.out.ends_with("1 steady; 600 samples of 1 series\n"), "{}", run.out);
    assert_eq!(run.err, "", "nothing to remark, and no terminal to show progress on");
}
