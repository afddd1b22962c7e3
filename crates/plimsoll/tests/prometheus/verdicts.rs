//! The same services through a file and through a server: the same verdicts.

use plimsoll_model::{Change, ChangeKind, InstanceName, Reading, ServiceName, Timestamp};
use plimsoll_sim::families::{Case, Scale, benign, leaking};
use serde_json::Value;

use crate::exposition::Exposition;
use crate::files::{Files, Run, scan};
use crate::server::Prometheus;
use crate::written::{self, csv};

/// Any seed will do; the detector's own tests draw many.
const SEED: u64 = 7;

/// Every family as a service of its own.
fn services(scale: Scale) -> Vec<Case> {
    let all = [leaking(SEED, scale), benign(SEED, scale)].concat();
    all.into_iter().map(renamed).collect()
}

fn renamed(mut case: Case) -> Case {
    let leaks = if case.truth.growth_per_hour.is_some() { "leak" } else { "fine" };
    let name = format!("{leaks}-{}", case.family.replace('_', "-"));
    let service = ServiceName::new(&name).unwrap();
    let instance = |old: &InstanceName| {
        let number = old.as_str().rsplit('-').next().unwrap();
        InstanceName::new(&format!("{name}-{number}")).unwrap()
    };
    for Reading { service: old, instance: replica, .. } in &mut case.readings {
        (*old, *replica) = (service.clone(), instance(replica));
    }
    for Change { service: old, instance: replica, .. } in &mut case.changes {
        (*old, *replica) = (service.clone(), replica.as_ref().map(instance));
    }
    case
}

fn open_metrics(cases: &[Case]) -> String {
    let mut exposition = Exposition::default();
    for (number, case) in cases.iter().enumerate() {
        case.readings.iter().for_each(|reading| exposition.add(reading, number % 2 == 1));
    }
    exposition.text()
}

/// Deploys need not be told of to who sees the images.
fn events(cases: &[Case], with_deploys: bool) -> String {
    let told = |change: &&Change| with_deploys || change.kind != ChangeKind::Deploy;
    written::events(cases.iter().flat_map(|case| &case.changes).filter(told))
}

/// What must not depend on the way in.
fn verdicts(run: &Run) -> Vec<String> {
    let of = |service: &Value| {
        let field = |name: &str| service[name].as_str().unwrap().to_owned();
        let change = &service["suspected_change"];
        let parts =
            [field("service"), field("verdict"), field("cause"), change["kind"].to_string()];
        format!("{} {}", parts.join(" "), change["version"])
    };
    run.json()["services"].as_array().unwrap().iter().map(of).collect()
}

fn at(cases: &[Case]) -> Timestamp {
    cases.iter().map(|case| case.assessed_at).max().unwrap()
}

/// Scans the same services through a file and through a server, and expects the same.
fn compare(cases: &[Case], since: &str, more: &[&str]) -> Option<(Prometheus, String)> {
    let server = Prometheus::start(&open_metrics(cases), more)?;
    let at = at(cases).as_millis().div_euclid(1000).to_string();
    let files = Files::new();
    let told = files.write("told.jsonl", events(cases, true));
    let others = files.write("others.jsonl", events(cases, false));
    let from_file = files.scan(
        csv(cases.iter().flat_map(|case| &case.readings)),
        &["--events", told.to_str().unwrap(), "--at", &at],
    );
    let (url, others) = (server.url(), others.to_str().unwrap());
    let ask = ["--prometheus", &url, "--since", since, "--at", &at];
    let from_server = scan(&[&ask[..], &["--events", others, "--format", "json"]].concat());
    let (want, got) = (verdicts(&from_file), verdicts(&from_server));
    assert_eq!(want.len(), cases.len());
    let differ: Vec<_> = want.iter().zip(&got).filter(|(want, got)| want != got).collect();
    assert!(differ.is_empty() && want.len() == got.len(), "{differ:#?} {}", from_server.err);
    assert_eq!(from_file.code, from_server.code);
    assert!(want.iter().any(|line| line.contains(" leaking ") && line.contains("\"deploy\"")));
    check_counts(&from_file, &from_server);
    Some((server, at))
}

#[test]
fn a_server_and_a_file_give_the_same_verdicts_of_ten_days() {
    // So small that some questions are refused and have to be asked in pieces.
    let small = ["--query.max-samples=120000"];
    let Some((server, at)) = compare(&services(Scale::TEN_DAYS), "241h", &small) else { return };
    check_one(&server.url(), &at);
}

#[test]
fn a_server_and_a_file_give_the_same_verdicts_of_ten_minutes() {
    compare(&services(Scale::TEN_MINUTES), "11m", &[]);
}

/// Nothing is read twice or lost: the parts of a heap, parents and pause containers are no series.
fn check_counts(from_file: &Run, from_server: &Run) {
    let (file, server) = (from_file.json(), from_server.json());
    assert_eq!(file["inputs"]["series"], server["inputs"]["series"]);
    assert_eq!(server["inputs"]["rejected"], 0, "{}", from_server.err);
    let samples = |report: &Value| report["inputs"]["samples"].as_f64().unwrap();
    // A rate needs two samples, so each of its series begins one later.
    let share = samples(&server) / samples(&file);
    assert!((0.97..=1.03).contains(&share), "{share}");
}

fn check_one(url: &str, at: &str) {
    let ask = |more: &[&str]| {
        scan(
            &[&["--prometheus", url, "--since", "10d", "--at", at, "--format", "json"], more]
                .concat(),
        )
    };
    let one = ask(&["--service", "leak-heap-constant"]);
    assert_eq!(verdicts(&one), ["leak-heap-constant leaking heap null null"], "{}", one.err);
    assert_eq!(one.code, 1);
    // Garbage lies on top of this heap: a coarse look must still see its floor.
    let coarse = ask(&["--service", "leak-heap-constant", "--step", "30m"]);
    assert_eq!(verdicts(&coarse), verdicts(&one), "{}", coarse.err);
    let matched = ask(&["--match", "pod=~\"fine-flat-.*\""]);
    assert_eq!(verdicts(&matched).len(), 1, "{}", matched.out);
    assert_eq!(matched.code, 0, "{}", matched.out);
    let nobody = ask(&["--service", "leak-heap-constnat"]);
    assert!(nobody.code == 2 && nobody.err.contains("leak-heap-constant"), "{nobody:?}");
    let wrong = ask(&["--match", "pod=x\""]);
    assert!(wrong.code == 2 && wrong.err.contains("--match"), "{wrong:?}");
    let empty = scan(&["--prometheus", url, "--since", "1h", "--format", "json"]);
    assert!(empty.code == 3 && empty.err.contains("no samples"), "{empty:?}");
}
