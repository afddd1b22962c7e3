//! A recorded run of the demo's fleet (Java, Node.js, Python and Rust under load), looked at every
//! ten seconds as an operator would: who is accused, when, and of what.
//!
//! The recording is what the agent measured of one `plimsoll demo`, thinned. Its truth is known:
//! `orders` leaks from its deploy of 1.1.0 to its rollback, `ledger` loses handles from its change of
//! configuration on, and nothing is wrong with the others, though both rise like leaks for a while.

use serde_json::Value;

use super::files::scan;

/// Unix seconds.
const BEGIN: i64 = 1_795_359_996;
const BAD_DEPLOY: i64 = 1_795_360_072;
const CONFIG_CHANGE: i64 = 1_795_360_092;
const ROLLED_BACK: i64 = 1_795_360_253;
const END: i64 = 1_795_360_290;

/// How long after its cause a leak may go unseen here.
const SEEN_WITHIN: i64 = 100;

fn fixture(name: &str) -> String {
    format!("{}/tests/fixtures/{name}", env!("CARGO_MANIFEST_DIR"))
}

fn looked_at(at: i64) -> Vec<Value> {
    let (telemetry, events) = (fixture("demo.csv"), fixture("demo.jsonl"));
    let at = at.to_string();
    let run =
        scan(&["--telemetry", &telemetry, "--events", &events, "--at", &at, "--format", "json"]);
    run.json()["services"].as_array().unwrap().clone()
}

/// Who may be called leaking at a moment, and of what.
fn may_leak(service: &Value, at: i64) -> bool {
    let change = &service["suspected_change"];
    match service["service"].as_str().unwrap() {
        "orders" => service["cause"] == "heap" && change["version"] == "1.1.0" && at < ROLLED_BACK,
        "ledger" => service["cause"] == "handles" && change["kind"] == "config_change",
        _ => false,
    }
}

#[test]
fn in_a_recorded_run_the_guilty_are_named_in_time_and_nobody_else_ever() {
    let mut seen = std::collections::BTreeMap::new();
    for at in (BEGIN + 4..=END).step_by(10) {
        for service in looked_at(at) {
            if service["verdict"] == "leaking" {
                assert!(may_leak(&service, at), "{} s in: {service:#}", at - BEGIN);
                let name = service["service"].as_str().unwrap().to_owned();
                seen.entry(name).or_insert(at);
            }
        }
    }
    assert!(seen["orders"] - BAD_DEPLOY <= SEEN_WITHIN, "{seen:?}");
    assert!(seen["ledger"] - CONFIG_CHANGE <= SEEN_WITHIN, "{seen:?}");
}
