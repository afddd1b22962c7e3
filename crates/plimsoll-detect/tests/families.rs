//! Every simulated family, leaking and benign, is judged rightly at both time scales.

use plimsoll_detect::assess;
use plimsoll_model::{Assessment, Verdict};
use plimsoll_sim::families::{Case, Scale, benign, leaking};

fn wrong(case: &Case, found: &Assessment) -> Option<String> {
    let truth = &case.truth;
    let leak = truth.verdict == Verdict::Leaking;
    let mut objections = Vec::new();
    if found.verdict != truth.verdict {
        objections.push(format!("verdict {} instead of {}", found.verdict, truth.verdict));
    }
    if found.cause != truth.cause {
        objections.push(format!("cause {} instead of {}", found.cause, truth.cause));
    }
    if leak && found.instances != truth.instances {
        objections.push(format!("instances {:?}", found.instances));
    }
    if found.suspected_change != truth.change {
        let at = found.suspected_change.as_ref().map(|c| (c.kind, c.version.clone()));
        objections.push(format!("change {at:?}"));
    }
    let growth = found.growth.map(|g| g.per_hour).zip(truth.growth_per_hour);
    if let (true, Some((is, was))) = (leak, growth)
        && !(0.5..2.0).contains(&(is / was))
    {
        objections.push(format!("growth {:.2} of the truth", is / was));
    }
    let told = || {
        let trend: Vec<_> =
            found.evidence.iter().map(|e| format!("{:+.1} {}", e.weight, e.claim)).collect();
        format!(
            "{}: {}; {} [{}]",
            case.name,
            objections.join(", "),
            found.reason,
            trend.join(" | ")
        )
    };
    (!objections.is_empty()).then(told)
}

#[test]
fn tally() {
    let seeds = std::env::args().skip(1).count();
    let _ = seeds;
    let mut objections = Vec::new();
    let mut count = 0;
    for scale in [Scale::TEN_MINUTES, Scale::TEN_DAYS] {
        for seed in 0..6 {
            for case in [leaking(seed, scale), benign(seed, scale)].concat() {
                let history = case.history().unwrap();
                count += 1;
                objections.extend(wrong(&case, &assess(&history, case.assessed_at)));
            }
        }
    }
    assert!(objections.is_empty(), "{} of {count}:\n{}", objections.len(), objections.join("\n"));
}

#[test]
fn held_out() {
    let mut objections = Vec::new();
    let mut count = 0;
    for scale in [Scale::TEN_MINUTES, Scale::TEN_DAYS] {
        for seed in 100..106 {
            for case in plimsoll_sim::families::unseen(seed, scale) {
                let history = case.history().unwrap();
                count += 1;
                objections.extend(wrong(&case, &assess(&history, case.assessed_at)));
            }
        }
    }
    assert!(objections.is_empty(), "{} of {count}:\n{}", objections.len(), objections.join("\n"));
}
