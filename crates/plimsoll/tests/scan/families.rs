//! Every family of leaks and look-alikes through the real binary, at the scale of a new agent and
//! at the scale of somebody's Prometheus.

use plimsoll_model::Verdict;
use plimsoll_sim::families::{Case, Scale, benign, leaking};

use crate::files::Files;
use crate::written::{csv, events};

/// Any seed will do; the detector's own tests draw many.
const SEED: u64 = 7;

fn check(cases: &[Case]) {
    let wrong: Vec<_> = cases.iter().filter_map(|case| check_one(case).err()).collect();
    assert!(wrong.is_empty(), "{} of {} wrong:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

fn check_one(case: &Case) -> Result<(), String> {
    let files = Files::new();
    let events = files.write("events.jsonl", events(&case.changes));
    let at = case.assessed_at.as_millis().div_euclid(1000).to_string();
    let more = ["--events", events.to_str().unwrap(), "--at", &at];
    let run = files.scan(csv(&case.readings), &more);
    let report = run.json();
    let service = &report["services"][0];
    let said = service["verdict"].as_str().unwrap();
    let right = match case.truth.verdict {
        Verdict::Leaking => said == "leaking" && run.code == 1,
        Verdict::Steady => said == "steady" && run.code == 0,
        Verdict::Suspect | Verdict::Undecided => said == case.truth.verdict.name(),
    };
    let cause_right = said != "leaking" || service["cause"] == case.truth.cause.name();
    if right && cause_right && report["inputs"]["rejected"] == 0 {
        return Ok(());
    }
    let truth = &case.truth;
    Err(format!(
        "{}: {} {} said of {} {}: {}",
        case.name, said, service["cause"], truth.verdict, truth.cause, service["reason"]
    ))
}

#[test]
fn leaks_are_found_in_ten_minutes_of_seconds() {
    check(&leaking(SEED, Scale::TEN_MINUTES));
}

#[test]
fn look_alikes_are_told_apart_in_ten_minutes_of_seconds() {
    check(&benign(SEED, Scale::TEN_MINUTES));
}

#[test]
fn leaks_are_found_in_ten_days_of_five_minutes() {
    check(&leaking(SEED, Scale::TEN_DAYS));
}

#[test]
fn look_alikes_are_told_apart_in_ten_days_of_five_minutes() {
    check(&benign(SEED, Scale::TEN_DAYS));
}
