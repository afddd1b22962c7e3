//! From verdicts to alerts: what is told, when it is believed, when it wakes somebody, and when it
//! is over.
//!
//! A verdict answers for one moment, and may be slower to come and quicker to go than a person can
//! use. An alert has a memory: a leak that was told stands until the service has rested, and a quiet
//! hour is no rest. Not here: the verdicts, or who is told.

use plimsoll_model::{
    Alert, AlertLevel, AlertTurn, Assessment, Change, ServiceHistory, Span, Timestamp, Urgency,
    Verdict,
};

use crate::thresholds as limits;

/// What became of the alert about a service by a new assessment of it, which is later than any
/// before. `before` is the standing alert. A turn comes with its reason.
pub fn follow(
    before: Option<&Alert>,
    assessment: &Assessment,
    history: &ServiceHistory,
) -> (Option<Alert>, Option<(AlertTurn, String)>) {
    let Some(before) = before else { return begin(assessment) };
    let mut alert = before.clone();
    match assessment.verdict {
        Verdict::Leaking => {
            alert.steady_since = None;
            let told_at = *alert.told_at.get_or_insert(assessment.at);
            let confirmed = is_confirmed(told_at, assessment);
            let level = if confirmed { AlertLevel::Confirmed } else { AlertLevel::Probable };
            alert.level = alert.level.max(level);
            alert.urgency = urgency(alert.level, assessment);
        }
        Verdict::Suspect => alert.steady_since = None,
        // What cannot be answered changes nothing.
        Verdict::Undecided => {}
        Verdict::Steady => {
            let since = *alert.steady_since.get_or_insert(assessment.at);
            if has_rested(&alert, since, assessment.at) || was_changed(&alert, history, assessment)
            {
                let why = format!("steady since {}: {}", ago(since, assessment), assessment.reason);
                return (None, Some((AlertTurn::Resolved, why)));
            }
        }
    }
    let turn = turn(before, &alert).map(|turn| (turn, assessment.reason.clone()));
    (Some(alert), turn)
}

fn begin(assessment: &Assessment) -> (Option<Alert>, Option<(AlertTurn, String)>) {
    let told_at = match assessment.verdict {
        Verdict::Leaking => Some(assessment.at),
        Verdict::Suspect => None,
        Verdict::Steady | Verdict::Undecided => return (None, None),
    };
    let alert = Alert {
        service: assessment.service.clone(),
        level: if told_at.is_some() { AlertLevel::Probable } else { AlertLevel::Suspect },
        urgency: Urgency::Ticket,
        raised_at: assessment.at,
        told_at,
        steady_since: None,
    };
    (Some(alert), Some((AlertTurn::Raised, assessment.reason.clone())))
}

fn turn(before: &Alert, after: &Alert) -> Option<AlertTurn> {
    if after.level > before.level || after.urgency > before.urgency {
        return Some(AlertTurn::Worsened);
    }
    (after.urgency < before.urgency).then_some(AlertTurn::Eased)
}

/// Whether it has been told for long enough, measured by the time that it has been going on.
fn is_confirmed(told_at: Timestamp, assessment: &Assessment) -> bool {
    let since = assessment.onset.unwrap_or(told_at).min(told_at);
    let told = assessment.at.since(told_at).as_secs_f64();
    let going_on = assessment.at.since(since).as_secs_f64();
    told > 0.0 && told >= limits::TOLD_SHARE.default * going_on
}

/// A suspicion is over at once, a leak that was told only after a rest. One that has stood for a
/// morning may be at work in the day and rest in the night: then a day of rest must be seen.
fn has_rested(alert: &Alert, since: Timestamp, now: Timestamp) -> bool {
    let stood = since.since(alert.raised_at).as_hours_f64();
    let rested = now.since(since).as_hours_f64();
    let night = stood >= limits::MORNING.default && rested < limits::DAY_SEEN.default;
    let enough = rested > 0.0 && rested >= limits::REST_SHARE.default * stood && !night;
    alert.level == AlertLevel::Suspect || enough
}

/// What was changed on purpose since a leak was told need not rest to be believed: the process that
/// leaked is gone.
fn was_changed(alert: &Alert, history: &ServiceHistory, assessment: &Assessment) -> bool {
    let since_told = |change: &&Change| {
        alert.told_at.is_some_and(|told_at| change.at > told_at) && change.at <= assessment.at
    };
    history.changes.iter().rev().filter(since_told).any(|change| change.kind.is_deliberate())
}

/// A page needs both: that it is surely a leak, and that it surely ends before anybody would look.
fn urgency(level: AlertLevel, assessment: &Assessment) -> Urgency {
    let sure = level == AlertLevel::Confirmed;
    let risk = assessment.confidence * chance_within(assessment, limits::RUNWAY_SHORT.default);
    if sure && risk >= limits::RISK_PAGE.default { Urgency::Page } else { Urgency::Ticket }
}

/// The chance that the limit is reached within so many hours, between the quantiles of the forecast.
fn chance_within(assessment: &Assessment, hours: f64) -> f64 {
    let Some(end) = assessment.exhaustion else { return 0.0 };
    let until = assessment.at + Span::from_secs_f64(hours * 3600.0);
    let known = [(assessment.at, 0.0), (end.p10, 0.1), (end.p50, 0.5), (end.p90, 0.9)];
    let between = |pair: &[(Timestamp, f64)]| {
        let [(from, low), (to, high)] = pair else { return None };
        let share = until.since(*from).as_secs_f64() / to.since(*from).as_secs_f64().max(1.0);
        (until < *to).then_some(low + (high - low) * share)
    };
    known.windows(2).find_map(between).unwrap_or(1.0)
}

fn ago(since: Timestamp, assessment: &Assessment) -> String {
    format!("{} ago", assessment.at.since(since))
}

#[cfg(test)]
mod tests {
    use super::*;
    use plimsoll_model::{Cause, ChangeKind, Exhaustion, ServiceName};
    use std::collections::BTreeMap;

    fn hour(hour: i64) -> Timestamp {
        Timestamp::from_secs(hour * 3600)
    }

    fn history() -> ServiceHistory {
        ServiceHistory::new(ServiceName::new("orders").unwrap())
    }

    /// An assessment of something that began at hour 0, and ends at hour `end`.
    fn assessment(at: i64, verdict: Verdict, end: Option<i64>) -> Assessment {
        let exhaustion =
            end.map(|end| Exhaustion { p10: hour(end - 1), p50: hour(end), p90: hour(end + 1) });
        Assessment {
            at: hour(at),
            service: history().service,
            verdict,
            cause: Cause::Heap,
            confidence: 0.95,
            metric: None,
            onset: Some(hour(0)),
            growth: None,
            exhaustion,
            instances: Vec::new(),
            reason: format!("it is {verdict}"),
            suspected_change: None,
            evidence: Vec::new(),
        }
    }

    /// The turns of an alert through verdicts an hour apart: `L`, `s`, `.`, and `?` for undecided.
    fn turns(history: &ServiceHistory, verdicts: &str, end: Option<i64>) -> Vec<String> {
        let mut alert = None;
        let turn = |(at, verdict): (usize, char)| {
            let verdict = match verdict {
                'L' => Verdict::Leaking,
                's' => Verdict::Suspect,
                '.' => Verdict::Steady,
                _ => Verdict::Undecided,
            };
            let (after, turn) =
                follow(alert.as_ref(), &assessment(at as i64, verdict, end), history);
            let stood = after.as_ref().or(alert.as_ref()).map(|a| (a.level, a.urgency));
            alert = after;
            let (turn, _) = turn?;
            let (level, urgency) = stood.expect("a turn is of an alert");
            Some(format!("{at} {turn} {level} {urgency}"))
        };
        verdicts.chars().enumerate().filter_map(turn).collect()
    }

    fn check(verdicts: &str, expected: &[&str]) {
        assert_eq!(turns(&history(), verdicts, None), expected, "{verdicts}");
    }

    #[test]
    fn an_alert_comes_by_degrees() {
        check(
            "..ss?sLL",
            &[
                "2 raised suspect ticket",
                "6 worsened probable ticket",
                "7 worsened confirmed ticket",
            ],
        );
        check("ss.", &["0 raised suspect ticket", "2 resolved suspect ticket"]);
    }

    #[test]
    fn a_quiet_hour_is_no_rest() {
        let told = ["2 raised probable ticket", "3 worsened confirmed ticket"];
        check("..LLLL.ss.sLL", &told);
        check("..LLLL????", &told);
        check("..LLLL..", &[told[0], told[1], "7 resolved confirmed ticket"]);
    }

    #[test]
    fn a_night_is_no_rest_and_a_day_is() {
        let told = ["0 raised probable ticket", "1 worsened confirmed ticket"];
        let through = |hours: usize| "L".repeat(8) + &".".repeat(hours);
        check(&through(24), &told);
        check(&through(25), &[told[0], told[1], "32 resolved confirmed ticket"]);
    }

    #[test]
    fn what_was_changed_on_purpose_need_not_rest() {
        let mut changed = history();
        changed.change(Change {
            at: hour(9),
            kind: ChangeKind::Deploy,
            service: changed.service.clone(),
            instance: None,
            version: None,
            attributes: BTreeMap::new(),
        });
        let turns = turns(&changed, "LLLLLLLLL.", None);
        assert_eq!(turns.last().unwrap(), "9 resolved confirmed ticket");
        check("LLLLLLLLL.", &["0 raised probable ticket", "1 worsened confirmed ticket"]);
    }

    #[test]
    fn nobody_is_woken_for_an_end_that_is_far_or_a_leak_that_is_not_sure() {
        let confirmed = |end: i64| turns(&history(), "LLL", Some(end)).last().cloned().unwrap();
        assert_eq!(confirmed(100), "1 worsened confirmed ticket");
        assert_eq!(confirmed(9), "1 worsened confirmed page");
        let unsure = turns(&history(), "sss", Some(9));
        assert_eq!(unsure, ["0 raised suspect ticket"]);
    }

    #[test]
    fn the_chance_of_an_end_lies_between_the_quantiles_of_its_forecast() {
        let ends = |hours| chance_within(&assessment(0, Verdict::Leaking, Some(10)), hours);
        assert!(ends(0.0).abs() < 1e-9);
        assert!((ends(10.0) - 0.5).abs() < 1e-9 && (ends(10.5) - 0.7).abs() < 1e-9);
        assert!((ends(12.0) - 1.0).abs() < 1e-9);
        assert!(chance_within(&assessment(0, Verdict::Leaking, None), 12.0).abs() < 1e-9);
    }
}
