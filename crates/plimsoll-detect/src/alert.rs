//! From verdicts to alerts: what is told, when it is believed, when it wakes somebody, and when it
//! is over.
//!
//! A verdict answers for one moment, and may be slower to come and quicker to go than a person can
//! use. An alert has a memory: a leak that was told stands until the service has rested, and a quiet
//! hour is no rest. Not here: the verdicts, or who is told.

use plimsoll_model::{
    Alert, AlertLevel, AlertTurn, Assessment, Change, Exhaustion, ServiceHistory, Span, Timestamp,
    Urgency, Verdict,
};

use crate::thresholds as limits;

/// What became of the alert about a service by a new assessment of it. `before` is the standing
/// alert. A turn comes with its reason.
pub fn follow(
    before: Option<&Alert>,
    assessment: &Assessment,
    history: &ServiceHistory,
) -> (Option<Alert>, Option<(AlertTurn, String)>) {
    let Some(before) = before else { return begin(assessment) };
    let mut alert = before.clone();
    advance(&mut alert, assessment);
    if let Some(why) = over(&alert, assessment, history) {
        return (None, Some((AlertTurn::Resolved, why)));
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
        undecided_since: None,
    };
    (Some(alert), Some((AlertTurn::Raised, assessment.reason.clone())))
}

fn advance(alert: &mut Alert, assessment: &Assessment) {
    let now = assessment.at;
    // A clock that was set back must not keep an alert from ever being confirmed, or over.
    let since = |known: Option<Timestamp>| Some(known.map_or(now, |known| known.min(now)));
    alert.steady_since =
        since(alert.steady_since).filter(|_| assessment.verdict == Verdict::Steady);
    alert.undecided_since =
        since(alert.undecided_since).filter(|_| assessment.verdict == Verdict::Undecided);
    if assessment.verdict != Verdict::Leaking {
        return;
    }
    alert.told_at = since(alert.told_at);
    let confirmed = alert.told_at.is_some_and(|told_at| is_confirmed(told_at, assessment));
    let level = if confirmed { AlertLevel::Confirmed } else { AlertLevel::Probable };
    alert.level = alert.level.max(level);
    alert.urgency = urgency(alert, assessment);
}

/// Why an alert is over.
fn over(alert: &Alert, assessment: &Assessment, history: &ServiceHistory) -> Option<String> {
    if let Some(since) = alert.undecided_since {
        let silent = assessment.at.since(since);
        let gone = silent.as_hours_f64() >= limits::DAY_SEEN.default;
        return gone.then(|| format!("no answer for {silent}: {}", assessment.reason));
    }
    let since = alert.steady_since?;
    let rested = has_rested(alert, since, assessment.at);
    (rested || was_changed(alert, history, assessment))
        .then(|| format!("steady for {}: {}", assessment.at.since(since), assessment.reason))
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

/// A suspicion is over when it has not flickered for a while, a leak that was told only after a rest.
/// One that has stood for a morning may be at work in the day and rest in the night: then a day of
/// rest must be seen.
fn has_rested(alert: &Alert, since: Timestamp, now: Timestamp) -> bool {
    let stood = since.since(alert.raised_at).as_hours_f64();
    let rested = now.since(since).as_hours_f64();
    if alert.level == AlertLevel::Suspect {
        return rested >= limits::SUSPECT_REST.default;
    }
    let night = stood >= limits::MORNING.default && rested < limits::DAY_SEEN.default;
    rested > 0.0 && rested >= limits::REST_SHARE.default * stood && !night
}

/// What was changed on purpose since a leak was told need not rest to be believed: the process that
/// leaked is gone.
fn was_changed(alert: &Alert, history: &ServiceHistory, assessment: &Assessment) -> bool {
    let since_told = |change: &&Change| {
        alert.told_at.is_some_and(|told_at| change.at > told_at) && change.at <= assessment.at
    };
    history.changes.iter().rev().filter(since_told).any(|change| change.kind.is_deliberate())
}

/// A page needs both: that it is surely a leak, and that it surely ends before anybody would look. A
/// page is a ticket again when the risk is well below what makes one: nobody is paged for each
/// crossing of a line.
fn urgency(alert: &Alert, assessment: &Assessment) -> Urgency {
    let confirmed = alert.level == AlertLevel::Confirmed;
    let Some(end) = assessment.exhaustion.filter(|_| confirmed) else { return alert.urgency };
    let chance = chance_within(assessment.at, &end, limits::RUNWAY_SHORT.default);
    let bound = match alert.urgency {
        Urgency::Ticket => limits::RISK_PAGE.default,
        Urgency::Page => limits::RISK_EASED.default,
    };
    if assessment.confidence * chance >= bound { Urgency::Page } else { Urgency::Ticket }
}

/// The chance that the limit is reached within so many hours, between the quantiles of the forecast.
fn chance_within(now: Timestamp, end: &Exhaustion, hours: f64) -> f64 {
    let until = now + Span::from_secs_f64(hours * 3600.0);
    let known = [(now, 0.0), (end.p10, 0.1), (end.p50, 0.5), (end.p90, 0.9)];
    let between = |pair: &[(Timestamp, f64)]| {
        let [(from, low), (to, high)] = pair else { return None };
        let share = until.since(*from).as_secs_f64() / to.since(*from).as_secs_f64().max(1.0);
        (until < *to).then_some(low + (high - low) * share)
    };
    known.windows(2).find_map(between).unwrap_or(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use plimsoll_model::{Cause, ChangeKind, ServiceName};
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
        check("ss..", &["0 raised suspect ticket", "3 resolved suspect ticket"]);
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
        let end = Exhaustion { p10: hour(9), p50: hour(10), p90: hour(11) };
        let chance = |hours| chance_within(hour(0), &end, hours);
        assert!(chance(0.0).abs() < 1e-9);
        assert!((chance(10.0) - 0.5).abs() < 1e-9 && (chance(10.5) - 0.7).abs() < 1e-9);
        assert!((chance(12.0) - 1.0).abs() < 1e-9);
    }

    #[test]
    fn a_service_that_went_away_is_no_alert_for_ever() {
        let turns = turns(&history(), &("LL".to_owned() + &"?".repeat(30)), None);
        assert_eq!(turns.last().unwrap(), "26 resolved confirmed ticket");
    }

    #[test]
    fn a_clock_that_is_set_back_does_not_hold_an_alert() {
        let told = assessment(1000, Verdict::Leaking, None);
        let (alert, _) = follow(None, &told, &history());
        let mut alert = alert.unwrap();
        for at in 0..=3 {
            let now = assessment(at, Verdict::Leaking, None);
            alert = follow(Some(&alert), &now, &history()).0.unwrap();
        }
        assert_eq!(alert.level, AlertLevel::Confirmed);
    }

    #[test]
    fn a_page_is_a_ticket_again_only_when_the_risk_is_well_below() {
        let page = |end: i64, before: Urgency| {
            let (alert, _) = follow(None, &assessment(0, Verdict::Leaking, None), &history());
            let alert = Alert { urgency: before, level: AlertLevel::Confirmed, ..alert.unwrap() };
            let now = assessment(1, Verdict::Leaking, Some(end));
            follow(Some(&alert), &now, &history()).0.unwrap().urgency
        };
        // Half a day from now, on the edge: as likely as not.
        assert_eq!(
            [page(13, Urgency::Ticket), page(13, Urgency::Page)],
            [Urgency::Ticket, Urgency::Page]
        );
        assert_eq!(
            [page(20, Urgency::Page), page(9, Urgency::Ticket)],
            [Urgency::Ticket, Urgency::Page]
        );
    }
}
