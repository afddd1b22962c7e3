//! Scratch.
use plimsoll_detect::assess;
use plimsoll_model::*;
use plimsoll_sim::families::{Scale, benign, leaking};
use std::collections::BTreeMap;

#[test]
fn over_time() {
    let mut false_alarms: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
    let mut first: BTreeMap<(String, String), Vec<f64>> = BTreeMap::new();
    let mut wrongs: Vec<String> = vec![];
    for (label, scale) in [("1s", Scale::TEN_MINUTES), ("5m", Scale::TEN_DAYS)] {
        for seed in 10..16 {
            for case in benign(seed, scale) {
                let mut history = case.history().unwrap();
                let changes = history.changes.clone();
                let begin = case.readings[0].at;
                let span = case.assessed_at.since(begin).as_secs_f64();
                for i in 1..=40 {
                    let now = begin + Span::from_secs_f64(span * f64::from(i) / 40.0);
                    history.changes = changes.iter().filter(|c| c.at <= now).cloned().collect();
                    // lives of the future
                    let found = assess(&history, now);
                    if found.verdict == Verdict::Leaking {
                        let e: Vec<_> = found
                            .evidence
                            .iter()
                            .map(|e| format!("{:+.1} {}", e.weight, e.claim))
                            .collect();
                        false_alarms.entry((case.family.into(), label.into())).or_default().push(
                            format!(
                                "s{seed}@{:.2} {} {}",
                                f64::from(i) / 40.0,
                                found.reason,
                                e.join("|")
                            ),
                        );
                    }
                }
            }
            for case in leaking(seed, scale) {
                let mut history = case.history().unwrap();
                let changes = history.changes.clone();
                let begin = case.readings[0].at;
                let span = case.assessed_at.since(begin).as_secs_f64();
                let mut at = None;
                let mut lost = 0;
                for i in 1..=40 {
                    let share = f64::from(i) / 40.0;
                    let now = begin + Span::from_secs_f64(span * share);
                    history.changes = changes.iter().filter(|c| c.at <= now).cloned().collect();
                    let found = assess(&history, now);
                    if found.verdict == Verdict::Leaking {
                        at.get_or_insert(share);
                        if found.suspected_change != case.truth.change
                            || found.cause != case.truth.cause
                        {
                            wrongs.push(format!(
                                "{label} {} s{seed}@{share:.2} {} {:?} {:?}",
                                case.family,
                                found.cause,
                                found.suspected_change.map(|c| (c.kind, c.version)),
                                found.instances
                            ));
                        }
                    } else if at.is_some() {
                        lost += 1;
                    }
                }
                first
                    .entry((case.family.into(), label.into()))
                    .or_default()
                    .push(at.unwrap_or(9.0) + f64::from(lost) * 100.0);
            }
        }
    }
    for (k, v) in &false_alarms {
        println!(
            "FALSE {k:?} {} e.g. {}",
            v.len(),
            v.iter().take(2).cloned().collect::<Vec<_>>().join("\n      ")
        );
    }
    for (k, v) in &first {
        println!("FIRST {k:?} {v:.2?}");
    }
    for w in wrongs.iter().take(30) {
        println!("WRONG {w}");
    }
    println!("wrongs {}", wrongs.len());
}

#[test]
fn one_case() {
    for (family, seed, scale) in [
        ("deploy", 12, Scale::TEN_MINUTES),
        ("deploy", 15, Scale::TEN_MINUTES),
        ("deploy_with_decoy", 14, Scale::TEN_DAYS),
        ("deploy_with_decoy", 12, Scale::TEN_MINUTES),
    ] {
        let case = leaking(seed, scale).into_iter().find(|c| c.family == family).unwrap();
        let mut history = case.history().unwrap();
        let changes = history.changes.clone();
        let begin = case.readings[0].at;
        let span = case.assessed_at.since(begin).as_secs_f64();
        println!(
            "ONE {family} {seed} {:?}",
            changes.iter().map(|c| c.at.since(begin).as_secs_f64() / span).collect::<Vec<_>>()
        );
        for i in 12..=40 {
            let now = begin + Span::from_secs_f64(span * f64::from(i) / 40.0);
            history.changes = changes.iter().filter(|c| c.at <= now).cloned().collect();
            let f = assess(&history, now);
            println!(
                "ONE {:.3} {} {} {:?} {:?} {} :: {}",
                f64::from(i) / 40.0,
                f.verdict,
                f.cause,
                f.instances.len(),
                f.suspected_change.as_ref().map(|c| c.version.clone()),
                f.reason,
                f.evidence
                    .iter()
                    .map(|e| format!("{:+.1} {}", e.weight, e.claim))
                    .collect::<Vec<_>>()
                    .join("|")
            );
        }
    }
}
