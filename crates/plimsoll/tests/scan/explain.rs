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

/// Eight days of a shop that is busy by day and was raised by a deploy on the fourth.
fn days() -> String {
    let mut text = HEADER.to_owned();
    for step in 0..8 * 144 {
        let at = 1_780_012_800 + step * 600;
        let hour = f64::from(step % 144) / 6.0;
        let noise = f64::from(step * step * 79 % 101) * 2e4;
        let day = 80e6 * (1.0 - (std::f64::consts::TAU * hour / 24.0).cos());
        let (version, raised) = if step < 500 { ("1.0", 0.0) } else { ("1.1", 90e6) };
        let level = 200e6 + day + raised + noise;
        writeln!(text, "{at},shop,{version},shop-0,container.memory.anon,{level:.0}").unwrap();
        writeln!(text, "{at},shop,{version},shop-0,container.memory.limit,1073741824").unwrap();
    }
    text
}

#[test]
fn what_is_usual_at_this_hour_is_told_with_the_deploy_that_moved_it() {
    let files = Files::new();
    let deploy = r#"{"ts":1780312800,"kind":"deploy","service":"shop","version":"1.1"}"#;
    let events = files.write("events.jsonl", deploy);
    let telemetry = files.write("t.csv", days());
    let given = ["--telemetry", telemetry.to_str().unwrap(), "--events", events.to_str().unwrap()];
    let ask = |format| scan(&[&given[..], &["--explain", "shop", "--format", format]].concat());
    let (table, report) = (ask("table"), ask("json").json());
    for part in ["USUAL AT THIS HOUR", "normal has moved since", "with the deploy of 1.1"] {
        assert!(table.out.contains(part), "no `{part}` in\n{}", table.out);
    }
    assert!(table.out.lines().all(|line| line.chars().count() <= 100), "{}", table.out);
    let usual = report["speaker"]["usual"].as_array().unwrap();
    assert_eq!(usual.len(), 1, "load is not measured");
    let (level, moved) = (&usual[0]["level"], &usual[0]["moved"]);
    assert_eq!((&level["hours"], &level["of"]), (&"hour_of_day".into(), &4.into()), "{usual:?}");
    assert_eq!(moved["change"]["version"], "1.1");
    assert!(level["p50"].as_f64().unwrap() <= level["p95"].as_f64().unwrap());
    // It ends at the trough, raised: 290 MB, where the peak of the day is 450 MB.
    let now = level["now"].as_f64().unwrap();
    assert!((285e6..300e6).contains(&now), "{now}");
}

#[test]
fn an_hour_of_telemetry_says_what_it_lacks_to_know_what_is_usual() {
    let files = Files::new();
    let short: String = telemetry().lines().take(120).map(|line| format!("{line}\n")).collect();
    let telemetry = files.write("t.csv", short);
    let given = ["--telemetry", telemetry.to_str().unwrap(), "--explain", "search"];
    let report = scan(&[&given[..], &["--format", "json"]].concat()).json();
    let usual = &report["speaker"]["usual"][0];
    assert!(usual["level"].is_null(), "{usual}");
    assert!(usual["missing"]["says"].as_str().unwrap().contains("of 80 cells"), "{usual}");
    assert!(usual["missing"]["ready_at"].as_str().unwrap() > "2026-05-28T20:31", "{usual}");
    let table = scan(&given);
    assert!(table.out.contains("not known yet: "), "{}", table.out);
}
