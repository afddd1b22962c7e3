//! What an explanation says of simulated services, held against what the assessment says.

use plimsoll_model::{Cause, Verdict};
use plimsoll_sim::families::{Case, Scale, benign, leaking};

use super::*;
use crate::assess;

fn cases(family: fn(u64, Scale) -> Vec<Case>) -> Vec<Case> {
    [Scale::TEN_MINUTES, Scale::TEN_DAYS].into_iter().flat_map(|scale| family(3, scale)).collect()
}

fn explained(case: &Case) -> Explanation {
    explain(&case.history().expect("a case has readings"), case.assessed_at)
}

fn believed(explanation: &Explanation) -> Vec<RivalName> {
    let rivals = explanation.speaker.iter().flat_map(|speaker| &speaker.rivals);
    rivals.filter(|rival| rival.standing == Standing::Believed).map(|rival| rival.name).collect()
}

fn check(cases: &[Case], family: &str, want: RivalName) {
    let mut seen = 0;
    for case in cases.iter().filter(|case| case.family == family) {
        let explanation = explained(case);
        let reason = &explanation.assessment.reason;
        assert_eq!(believed(&explanation), [want], "{}: {reason}", case.name);
        seen += 1;
    }
    assert_eq!(seen, 2, "{family} at both scales");
}

#[test]
fn the_explanation_that_is_believed_is_the_one_that_the_verdict_rests_on() {
    let (leaking, benign) = (cases(leaking), cases(benign));
    check(&leaking, "native", RivalName::Leak);
    check(&leaking, "masked_by_restarts", RivalName::Restarts);
    check(&benign, "flat", RivalName::Flat);
    check(&benign, "warm_up", RivalName::Rest);
    check(&benign, "day_curve", RivalName::Load);
    check(&benign, "backlog", RivalName::Backlog);
    check(&benign, "cache_fill_metered", RivalName::Cache);
    check(&benign, "step_after_deploy", RivalName::Step);
    check(&benign, "nightly_batch", RivalName::Batch);
}

#[test]
fn an_explanation_never_judges_for_itself() {
    for case in cases(leaking).iter().chain(&cases(benign)) {
        let history = case.history().expect("a case has readings");
        let explanation = explain(&history, case.assessed_at);
        let found = assess(&history, case.assessed_at);
        assert_eq!(explanation.assessment, found, "{}", case.name);
        let names = believed(&explanation);
        let settled = matches!(found.verdict, Verdict::Leaking | Verdict::Steady);
        assert_eq!(names.len(), usize::from(settled), "{}: {names:?}", case.name);
        let leaks = names.iter().any(|n| matches!(n, RivalName::Leak | RivalName::Restarts));
        assert_eq!(leaks, found.verdict == Verdict::Leaking, "{}: {names:?}", case.name);
    }
}

#[test]
fn a_cause_that_names_another_story_is_the_story_that_is_believed() {
    for case in cases(benign) {
        let explanation = explained(&case);
        let want: &[RivalName] = match explanation.assessment.cause {
            Cause::Load => &[RivalName::Load, RivalName::Season],
            Cause::Backlog => &[RivalName::Backlog],
            Cause::Batch => &[RivalName::Batch],
            Cause::Capacity => &[RivalName::Step],
            Cause::Cache => &[RivalName::Cache, RivalName::Rest, RivalName::Control],
            Cause::WarmUp => &[RivalName::Rest, RivalName::Control, RivalName::Flat],
            Cause::Heap
            | Cause::Native
            | Cause::Handles
            | Cause::Threads
            | Cause::Fragmentation
            | Cause::PageCache
            | Cause::None => continue,
        };
        let names = believed(&explanation);
        assert!(names.iter().all(|name| want.contains(name)), "{}: {names:?}", case.name);
    }
}

#[test]
fn every_explanation_has_a_sentence_and_every_measure_is_a_number() {
    for case in cases(leaking).iter().chain(&cases(benign)) {
        let explanation = explained(case);
        let Some(speaker) = &explanation.speaker else { continue };
        assert_eq!(speaker.rivals.len(), RivalName::ALL.len());
        for rival in &speaker.rivals {
            assert!(!rival.says.is_empty(), "{}: {}", case.name, rival.name);
            let score = rival.score;
            assert!(score.is_none_or(|s| s.value.is_finite() && s.against.is_finite()));
        }
        assert!(!speaker.turns.is_empty(), "{}", case.name);
        let points = &speaker.picture.points;
        assert!(points.is_sorted_by_key(|(at, _)| *at), "{}", case.name);
    }
}

/// `X of N samples seen`.
fn samples_of(turn: &str) -> Option<(f64, f64)> {
    let (before, _) = turn.split_once(" samples seen")?;
    let (before, need) = before.rsplit_once(" of ")?;
    let have = before.rsplit(' ').next()?;
    Some((have.parse().ok()?, need.parse().ok()?))
}

#[test]
fn what_is_too_young_says_how_many_samples_of_which_threshold_it_lacks() {
    use crate::thresholds::{SAMPLES_ALONE, SAMPLES_BESIDE, SAMPLES_CONTROLLED};
    let needs = [SAMPLES_CONTROLLED, SAMPLES_BESIDE, SAMPLES_ALONE].map(|limit| limit.default);
    let mut met = [0; 3];
    for case in cases(leaking) {
        let begin = case.readings[0].at;
        let length = case.assessed_at.since(begin).as_secs_f64();
        for look in 1..10 {
            let mut young = case.clone();
            young.assessed_at =
                begin + plimsoll_model::Span::from_secs_f64(length * f64::from(look) / 30.0);
            young.readings.retain(|reading| reading.at <= young.assessed_at);
            let Some(speaker) = explained(&young).speaker else { continue };
            let Some((have, need)) = speaker.turns.first().and_then(|t| samples_of(t)) else {
                continue;
            };
            let place = needs.iter().position(|known| (known - need).abs() < 0.5);
            assert!(have < need, "{}: {:?}", case.name, speaker.turns);
            met[place.unwrap_or_else(|| panic!("{}: {:?}", case.name, speaker.turns))] += 1;
        }
    }
    assert!(met[0] > 0 && met[2] > 0, "{met:?}");
}

#[test]
fn a_leak_that_is_told_leaves_no_other_explanation_open() {
    let mut open = Vec::new();
    for case in cases(leaking) {
        let explanation = explained(&case);
        if explanation.assessment.verdict != Verdict::Leaking {
            continue;
        }
        let rivals = explanation.speaker.iter().flat_map(|speaker| &speaker.rivals);
        let possible = rivals
            .filter(|rival| rival.standing == Standing::Possible && rival.name != RivalName::Leak);
        open.extend(possible.map(|rival| format!("{}: {rival:?}", case.name)));
    }
    assert!(open.is_empty(), "{}", open.join("\n"));
}
