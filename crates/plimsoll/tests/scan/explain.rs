//! `scan --explain`: one service in full, as text and as JSON, and what happens when it is unknown.

use std::fmt::Write as _;

use serde_json::Value;

use crate::files::{Files, Run, scan};
use crate::written::HEADER;

/// A cart that leaks since its deploy beside a search that warms up, over an hour.
fn telemetry() -> String {
    let mut text = HEADER.to_owned();
    for step in 0..360 {
        let (secs, at) = (step * 10, 1_780_000_000 + step * 10);
        let noise = f64::from(step * step * 79 % 101) * 2e4;
        let leaked = f64::from((secs - 1500).max(0)) * 5e4;
        let warm = 120e6 * (1.0 - (-f64::from(secs) / 400.0).exp());
        let version = if secs < 1500 { "2.3.0" } else { "2.4.0" };
        for (who, metric, value) in [
            (format!("cart,{version},cart-0"), "container.memory.anon", 200e6 + leaked + noise),
            (format!("cart,{version},cart-0"), "container.memory.limit", 536_870_912.0),
            ("search,5.1,search-0".into(), "container.memory.anon", 150e6 + warm + noise),
            ("search,5.1,search-0".into(), "container.memory.limit", 536_870_912.0),
        ] {
            writeln!(text, "{at},{who},{metric},{value:.0}").unwrap();
        }
    }
    text
}

const DEPLOY: &str = r#"{"ts":1780001500,"kind":"deploy","service":"cart","version":"2.4.0"}"#;

fn explain(service: &str, format: &str) -> Run {
    let files = Files::new();
    let (telemetry, events) =
        (files.write("t.csv", telemetry()), files.write("events.jsonl", DEPLOY));
    let (telemetry, events) = (telemetry.to_str().unwrap(), events.to_str().unwrap());
    let given = ["--telemetry", telemetry, "--events", events];
    scan(&[&given[..], &["--explain", service, "--format", format]].concat())
}

fn standing<'a>(report: &'a Value, name: &str) -> &'a str {
    let all = report["speaker"]["explanations"].as_array().unwrap();
    let one = all.iter().find(|rival| rival["name"] == name).unwrap();
    one["standing"].as_str().unwrap()
}

#[test]
fn a_leak_is_told_in_full_with_a_chart_that_marks_its_deploy() {
    let run = explain("cart", "table");
    assert_eq!((run.code, run.err.as_str()), (1, ""), "{}", run.out);
    assert!(run.out.lines().all(|line| line.chars().count() <= 100), "{}", run.out);
    for part in [
        "cart     leaking  native",
        "floor of container.memory.anon",
        "1 2026-05-28 20:51:40 deploy 2.4.0",
        "leak                     believed",
        "wander                   excluded",
        "WHAT WOULD CHANGE IT",
        "most services do not leak",
    ] {
        assert!(run.out.contains(part), "no `{part}` in\n{}", run.out);
    }
    let plotted = run.out.lines().filter(|line| line.contains(" |") && line.contains('o'));
    assert!(plotted.count() >= 5, "the floor climbs over the rows:\n{}", run.out);
    assert!(!run.out.contains("search"), "it is about one service:\n{}", run.out);
}

#[test]
fn the_json_holds_the_assessment_of_a_scan_and_what_it_hung_on() {
    let files = Files::new();
    let events = files.write("events.jsonl", DEPLOY);
    let whole = files.scan(telemetry(), &["--events", events.to_str().unwrap()]).json();
    for (place, service, code) in [(0, "cart", 1), (1, "search", 0)] {
        let run = explain(service, "json");
        let report = run.json();
        assert_eq!(run.code, code, "the exit code is that of this service alone");
        assert_eq!(report["service"], whole["services"][place], "no second judgement");
        assert_eq!(report["assessed_at"], whole["assessed_at"]);
        assert_eq!(report["speaker"]["metric"], "container.memory.anon");
        assert_eq!(report["speaker"]["limit"], 536_870_912.0);
        assert!(report["speaker"]["picture"]["points"].as_array().unwrap().len() > 20);
        assert!(!report["speaker"]["would_change"].as_array().unwrap().is_empty());
        let keys: Vec<_> = report.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["assessed_at", "inputs", "others", "service", "speaker"]);
    }
    let (cart, search) = (explain("cart", "json").json(), explain("search", "json").json());
    assert_eq!((standing(&cart, "leak"), standing(&search, "leak")), ("believed", "excluded"));
    assert_eq!(
        (standing(&cart, "warm_up"), standing(&search, "warm_up")),
        ("excluded", "believed")
    );
}

#[test]
fn an_unknown_service_is_an_error_that_names_those_that_exist() {
    let run = explain("cartt", "table");
    assert_eq!((run.code, run.out.as_str()), (2, ""));
    assert!(run.err.contains("`cartt`") && run.err.contains("cart, search"), "{}", run.err);
}

#[test]
fn one_service_is_explained_at_a_time() {
    let run = scan(&["--telemetry", "-", "--explain", "cart", "--service", "search"]);
    assert_eq!(run.code, 2);
    assert!(run.err.contains("--explain"), "{}", run.err);
}
