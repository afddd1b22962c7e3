//! What is compared: anything that, at a moment, says whether a service leaks.

use plimsoll_model::{Alert, AlertLevel, Assessment, ServiceHistory, Span, Timestamp, Urgency};

use crate::replay::Replay;

/// What a detector says at one moment.
#[derive(Clone, Debug)]
pub struct Said {
    pub at: Timestamp,
    /// It would have told somebody: a leak, now.
    pub leaking: bool,
    /// And would have woken them; of those who know no difference, the same.
    pub pages: bool,
    /// More than yes or no, from those who say more.
    pub assessment: Option<Assessment>,
}

/// One way to tell a leak, held against all others on the same cases at the same moments.
pub trait Detector: Sync {
    /// A short name for tables.
    fn name(&self) -> &'static str;

    /// The rule in one sentence, with its source.
    fn rule(&self) -> &'static str;

    /// What it says at each of `looks`, which are in order of time. Nothing that was measured after
    /// a look may be used for it.
    fn watch(&self, history: &ServiceHistory, looks: &[Timestamp]) -> Vec<Said>;
}

/// Plimsoll's own verdicts.
#[derive(Clone, Copy, Debug, Default)]
pub struct Plimsoll;

impl Detector for Plimsoll {
    fn name(&self) -> &'static str {
        "plimsoll"
    }

    fn rule(&self) -> &'static str {
        "competing explanations of the lower envelope; an alarm is an alert that is at least probable"
    }

    fn watch(&self, history: &ServiceHistory, looks: &[Timestamp]) -> Vec<Said> {
        let mut replay = Replay::of(history);
        let mut alert: Option<Alert> = None;
        let said = |at: &Timestamp| {
            let history = replay.until(*at);
            let assessment = plimsoll_detect::assess(history, *at);
            alert = plimsoll_detect::follow(alert.as_ref(), &assessment, history).0;
            let standing = |holds: fn(&Alert) -> bool| alert.as_ref().is_some_and(holds);
            let leaking = standing(|alert| alert.level >= AlertLevel::Probable);
            let pages = standing(|alert| alert.urgency == Urgency::Page);
            Said { at: *at, leaking, pages, assessment: Some(assessment) }
        };
        looks.iter().map(said).collect()
    }
}

/// At least `count` moments, evenly spread with at most `apart` between two, the last of them at the
/// end.
pub fn looks((from, to): (Timestamp, Timestamp), (count, apart): (usize, Span)) -> Vec<Timestamp> {
    let length = to.since(from).as_secs_f64();
    let needed = (length / apart.as_secs_f64().max(1.0)).ceil() as usize;
    let count = count.max(needed.min(LOOKS_MAX));
    let at = |look: usize| from + Span::from_secs_f64(length * look as f64 / count as f64);
    (1..count).map(at).chain((count > 0).then_some(to)).collect()
}

/// Looks at one case at most, however long it is.
const LOOKS_MAX: usize = 10_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_are_spread_evenly_and_end_at_the_end() {
        let span = (Timestamp::from_secs(0), Timestamp::from_secs(100));
        let check = |count, apart, expected: &[f64]| {
            let looks = looks(span, (count, Span::from_secs(apart)));
            let at: Vec<_> = looks.iter().map(|at| at.as_secs_f64()).collect();
            assert_eq!(at, expected);
        };
        check(4, 1000, &[25.0, 50.0, 75.0, 100.0]);
        check(
            1,
            40,
            &[100.0 / 3.0, 200.0 / 3.0, 100.0].map(|secs: f64| (secs * 1000.0).trunc() / 1000.0),
        );
        check(0, 1000, &[100.0]);
    }
}
