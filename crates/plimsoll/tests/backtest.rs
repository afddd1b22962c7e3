//! `plimsoll backtest`, as its users have it: the real binary over a corpus, good and bad.
//!
//! Not here: what is counted, and how (tests of `plimsoll-backtest`).
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop here")]

#[path = "scan/written.rs"]
mod written;

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use plimsoll_model::{ServiceName, Span, Verdict};
use plimsoll_sim::families::{Case, Scale, benign, leaking};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::written::{csv, events};

const SCALE: Scale = Scale::TEN_MINUTES;

/// Cases of other names than their families, so that several fit into one corpus.
fn small_corpus() -> Vec<Case> {
    let wanted = ["rss_only", "handles_after_config_change", "warm_up", "page_cache", "day_curve"];
    let all = [leaking(3, SCALE), benign(3, SCALE)].concat();
    all.into_iter().filter(|case| wanted.contains(&case.family)).map(renamed).collect()
}

fn renamed(mut case: Case) -> Case {
    let name = ServiceName::new(case.family).unwrap();
    case.readings.iter_mut().for_each(|reading| reading.service = name.clone());
    case.changes.iter_mut().for_each(|change| change.service = name.clone());
    case
}

fn write(folder: &Path, cases: &[Case]) {
    let manifest = json!({"format": "plimsoll.corpus.v1", "name": "small", "origin": "seed 3"});
    fs::write(folder.join("corpus.json"), manifest.to_string()).unwrap();
    fs::create_dir(folder.join("telemetry")).unwrap();
    let truths: Vec<String> = cases.iter().map(|case| truth(case).to_string()).collect();
    fs::write(folder.join("truth.jsonl"), truths.join("\n")).unwrap();
    for case in cases {
        let path = folder.join(format!("telemetry/{}.csv", case.family));
        fs::write(path, csv(&case.readings)).unwrap();
    }
    fs::write(folder.join("events.jsonl"), events(cases.iter().flat_map(|case| &case.changes)))
        .unwrap();
}

fn truth(case: &Case) -> Value {
    let leaks = case.truth.verdict == Verdict::Leaking;
    let begin = case.readings[0].at;
    // A change in the middle of the case began it; what has no change leaked from the start.
    let onset = case.truth.change.as_ref().map_or(begin, |change| change.at);
    json!({
        "service": case.family,
        "family": case.family,
        "half": "report",
        "label": if leaks { "leaking" } else { "benign" },
        "onset": leaks.then(|| plimsoll_wire::format_time(onset)),
        "cause": leaks.then(|| case.truth.cause.name()),
        "exhausted_at": leaks.then(|| plimsoll_wire::format_time(begin + Span::from_hours(2))),
    })
}

fn backtest(folder: &Path, more: &[&str]) -> Output {
    let binary = env!("CARGO_BIN_EXE_plimsoll");
    Command::new(binary).arg("backtest").arg(folder).args(more).output().unwrap()
}

fn refused(folder: &Path, more: &[&str], says: &str) {
    let output = backtest(folder, more);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains(says), "{said}");
}

#[test]
fn every_detector_is_scored_on_every_case_and_what_went_wrong_is_drawn() {
    let (corpus, pictures) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let cases = small_corpus();
    write(corpus.path(), &cases);
    let drawn = pictures.path().display().to_string();
    let output = backtest(corpus.path(), &["--format", "json", "--pictures", &drawn]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let detectors = report["detectors"].as_array().unwrap();
    assert_eq!(detectors[0]["name"], "plimsoll");
    for detector in detectors {
        assert_eq!(detector["all"]["cases"], cases.len(), "{}", detector["name"]);
        assert_eq!(detector["all"]["leaking"], 2);
        assert_eq!(detector["families"].as_array().unwrap().len(), cases.len());
    }
    assert_eq!(detectors[0]["all"]["f1"], 1.0, "{:#}", detectors[0]);
    let wrong = report["wrong"].as_array().unwrap().len();
    assert_eq!(fs::read_dir(pictures.path()).unwrap().count(), wrong + 1);
    let reliability = fs::read_to_string(pictures.path().join("all/reliability.svg")).unwrap();
    assert!(reliability.contains("claims</text>"), "{reliability}");
}

#[test]
fn the_table_names_the_targets_and_a_missed_one_fails_the_check() {
    let corpus = TempDir::new().unwrap();
    // Half of the truths are turned over, so that no detector can be right.
    let mut cases = small_corpus();
    for case in &mut cases {
        let leaks = case.truth.verdict == Verdict::Leaking;
        case.truth.verdict = if leaks { Verdict::Steady } else { Verdict::Leaking };
    }
    write(corpus.path(), &cases);
    let output = backtest(corpus.path(), &["--against", "none", "--check"]);
    let table = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{table}");
    assert!(table.contains("precision") && table.contains("MISSED"), "{table}");
}

#[test]
fn a_corpus_that_is_not_whole_is_refused() {
    let corpus = TempDir::new().unwrap();
    let path = corpus.path();
    refused(path, &[], "corpus.json");
    let cases = small_corpus();
    write(path, &cases);
    refused(path, &["--against", "ols_2h"], "ols_2h");
    refused(path, &["--family", "no_such"], "no case");
    let file = path.join("telemetry/rss_only.csv");
    let rows = fs::read_to_string(&file).unwrap();
    fs::write(&file, rows.replacen(",rss_only,", ",stranger,", 1)).unwrap();
    refused(path, &["--against", "none"], "`stranger`");
    fs::write(&file, rows + "not,a,row\n").unwrap();
    refused(path, &["--against", "none"], "1 lines");
    fs::remove_file(&file).unwrap();
    refused(path, &["--against", "none"], "`rss_only` has no telemetry");
    let truths = path.join("truth.jsonl");
    let text = fs::read_to_string(&truths).unwrap();
    fs::write(&truths, text.clone() + "\n{\"service\": 5}\n").unwrap();
    refused(path, &[], "line 6");
    let first = text.lines().next().unwrap();
    fs::write(&truths, format!("{text}\n{first}\n")).unwrap();
    refused(path, &[], "has a truth already");
}
