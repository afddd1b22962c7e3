//! What a scan says of many services that began to grow at one moment.

use std::fmt::Write;

use serde_json::Value;

use crate::files::{Files, scan};
use crate::written::HEADER;

const BEGIN: i64 = 1_780_000_000;
const STEP: i64 = 600;
/// Four days: a shorter growth may be the day's.
const TURNS: i64 = 4 * 24 * 6;

/// Services that hold what they hold, and grow from a turn of their own on.
fn services(from: &[i64]) -> String {
    let mut text = HEADER.to_owned();
    for turn in 0..TURNS {
        for (number, from) in from.iter().enumerate() {
            let wobble = (turn * (7 + number as i64) % 13) as f64;
            let held = 300.0 + 50.0 * number as f64 + 0.1 * wobble;
            let held = (held + 2.0 * (turn - from).max(0) as f64) * 1_048_576.0;
            let row = format!("{},shop-{number},,shop-{number}-0", BEGIN + turn * STEP);
            writeln!(text, "{row},container.memory.anon,{held}").unwrap();
            writeln!(text, "{row},container.memory.limit,4294967296").unwrap();
        }
    }
    text
}

fn leaking(report: &Value) -> usize {
    let services = report["services"].as_array().unwrap();
    services.iter().filter(|service| service["verdict"] == "leaking").count()
}

#[test]
fn growth_that_begins_everywhere_at_once_is_told_with_who_when_and_why() {
    let files = Files::new();
    let text = services(&[TURNS / 2; 6]);
    let run = files.scan(&text, &[]);
    let report = run.json();
    assert_eq!((leaking(&report), run.code), (6, 1), "verdicts and exit codes stay what they are");
    let found = &report["shared_onset"];
    assert_eq!(found["services"].as_array().map(Vec::len), Some(6), "{found:#}");
    // Half of four days after 2026-05-28T20:26:40Z.
    assert!(found["from"].as_str().unwrap().starts_with("2026-05-30T"), "{found:#}");
    assert!(found["reason"].as_str().unwrap().contains("collector"), "{found:#}");
    assert!(found["chance"].as_f64().unwrap() < 1e-3, "{found:#}");
    let path = files.write("t.csv", text);
    let table = scan(&["--telemetry", path.to_str().unwrap()]);
    assert!(table.out.contains("AT ONCE: 6 services"), "{}", table.out);
}

#[test]
fn leaks_of_their_own_moments_are_leaks_and_nothing_more() {
    let from: Vec<_> = (1..7).map(|part| TURNS * part / 9).collect();
    let report = Files::new().scan(services(&from), &[]).json();
    assert!(leaking(&report) >= 5, "{report:#}");
    assert_eq!(report["shared_onset"], Value::Null);
}
