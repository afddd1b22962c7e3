//! What our own verdicts must reach, declared once: the measure, the bound, and why it is that.
//!
//! Not here: the measuring (`summary`).

use std::collections::BTreeMap;

use crate::calibration::{expected_error, reliability};
use plimsoll_model::Label;

use crate::score::Score;
use crate::summary::{Summary, quantile};

/// Which side of its bound a measure must be on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bound {
    AtLeast(f64),
    AtMost(f64),
    Between(f64, f64),
}

/// One bound and what was measured.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    pub name: &'static str,
    pub bound: Bound,
    pub rationale: &'static str,
    /// None where the corpus has no case that would tell.
    pub measured: Option<f64>,
}

impl Bound {
    pub fn holds(self, measured: f64) -> bool {
        match self {
            Self::AtLeast(least) => measured >= least,
            Self::AtMost(most) => measured <= most,
            Self::Between(least, most) => (least..=most).contains(&measured),
        }
    }
}

impl Target {
    /// None where it was not measured.
    pub fn met(&self) -> Option<bool> {
        self.measured.map(|measured| self.bound.holds(measured))
    }
}

/// Leaks that fill in more days than this are the slow ones.
const SLOW_DAYS: f64 = 10.0;

/// Every target with what `ours` measured; `reference` are the scores of the one-hour rule on the
/// same cases, empty where it did not run.
pub fn targets(ours: &[Score], reference: &[Score]) -> Vec<Target> {
    let mut all = verdicts(ours, reference);
    all.extend(times(ours));
    all.extend(names(&Summary::of(ours)));
    all
}

const fn target(
    name: &'static str,
    bound: Bound,
    measured: Option<f64>,
    rationale: &'static str,
) -> Target {
    Target { name, bound, rationale, measured }
}

fn verdicts(ours: &[Score], reference: &[Score]) -> Vec<Target> {
    let all = Summary::of(ours);
    vec![
        target("precision", Bound::AtLeast(0.97), all.precision(), "RESIN reaches 0.85"),
        target("recall", Bound::AtLeast(0.95), all.recall(), "RESIN 0.91, PrecogMF 0.75"),
        target(
            "recall of the worst family",
            Bound::AtLeast(0.85),
            worst_family_recall(ours),
            "a kind of leak that is never seen hides in a mean",
        ),
        target(
            "F1 above the one-hour rule, by the measure that favours it most",
            Bound::AtLeast(0.25),
            ahead(ours, reference),
            "people would not change what they run for less",
        ),
        target(
            "false alarms in 1000 container-days",
            Bound::AtMost(1.0),
            all.alarms_per_1000_days(),
            "one a day in a fleet of a thousand is what a person can look at",
        ),
        target(
            "false pages in 1000 container-days",
            Bound::AtMost(1.0),
            all.pages_per_1000_days(),
            "of those alarms, the ones that wake somebody",
        ),
    ]
}

/// How far ahead our F1 is: of the verdicts at the end and of alarms on the way, of all leaks and of
/// those of memory, which are all that the rule looks at; the least of them.
fn ahead(ours: &[Score], reference: &[Score]) -> Option<f64> {
    let of_memory = |scores: &[Score]| Summary::of(scores.iter().filter(|score| !score.held));
    let pairs =
        [(Summary::of(ours), Summary::of(reference)), (of_memory(ours), of_memory(reference))];
    let margins = pairs.iter().flat_map(|(ours, rule)| {
        [ours.f1().zip(rule.f1()), ours.f1_of_alarms().zip(rule.f1_of_alarms())]
    });
    let margins = margins.flatten().map(|(ours, rule)| ours - rule);
    margins.min_by(f64::total_cmp).filter(|_| !reference.is_empty())
}

fn times(ours: &[Score]) -> Vec<Target> {
    let all = Summary::of(ours);
    let slow = ours.iter().filter(|score| score.runway.is_some_and(|h| h > 24.0 * SLOW_DAYS));
    vec![
        target(
            "hours to tell a leak that fills in over 10 days (90 % of them)",
            Bound::AtMost(36.0),
            slow_delay(&Summary::of(slow)),
            "the one-hour rule never tells them",
        ),
        target(
            "share of the runway used to tell a leak that fills in 14 h (median)",
            Bound::AtMost(0.25),
            quantile(&all.used, 0.5),
            "three quarters of the time are left to act",
        ),
        target(
            "share of the runway used to tell a leak that fills in 14 h (90 %)",
            Bound::AtMost(0.25),
            quantile(&all.used, 0.9),
            "a median leaves half of them out",
        ),
        target(
            "error of the forecast at half-life (median)",
            Bound::AtMost(0.2),
            quantile(&all.errors, 0.5),
            "no system publishes one",
        ),
        target(
            "share of intervals p10 to p90 that hold the truth",
            Bound::Between(0.75, 0.88),
            all.coverage(),
            "80 % is promised: less is boasting, more is hiding",
        ),
    ]
}

fn names(all: &Summary) -> Vec<Target> {
    let did = all.blamed_rightly + all.blamed_wrongly + all.blamed_nobody;
    let told = did + all.blamed_nobody_rightly;
    let share = |part: usize, of: usize| (of > 0).then(|| part as f64 / of as f64);
    vec![
        target(
            "macro-F1 of the cause",
            Bound::AtLeast(0.9),
            all.cause_macro_f1(),
            "the action hangs on it",
        ),
        target(
            "changes that began a leak, blamed rightly",
            Bound::AtLeast(0.9),
            share(all.blamed_rightly, did),
            "what is rolled back hangs on it",
        ),
        target(
            "changes blamed wrongly",
            Bound::AtMost(0.0),
            share(all.blamed_wrongly, told),
            "a decoy convicted costs trust for good",
        ),
        target(
            "expected calibration error",
            Bound::AtMost(0.05),
            expected_error(&reliability(&all.claims)),
            "a probability is a promise",
        ),
    ]
}

fn slow_delay(slow: &Summary) -> Option<f64> {
    let missed = slow.leaking_cases - slow.delays.len();
    let delays: Vec<f64> =
        slow.delays.iter().copied().chain(std::iter::repeat_n(f64::INFINITY, missed)).collect();
    quantile(&delays, 0.9)
}

fn worst_family_recall(scores: &[Score]) -> Option<f64> {
    // A leak that was cured does not leak at the end: there it counts whether it was told before.
    let recall = |sum: Summary| sum.recall().or_else(|| sum.told_share());
    let recalls = by_family(scores).into_values().filter_map(recall);
    recalls.min_by(f64::total_cmp)
}

/// Sums by family, in order of name.
pub fn by_family(scores: &[Score]) -> BTreeMap<(Label, &str), Summary> {
    let mut families: BTreeMap<(Label, &str), Vec<&Score>> = BTreeMap::new();
    for score in scores {
        families.entry((score.label, &score.family)).or_default().push(score);
    }
    families.into_iter().map(|(name, scores)| (name, Summary::of(scores))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_holds_on_its_side_only() {
        assert!(Bound::AtLeast(0.9).holds(0.9) && !Bound::AtLeast(0.9).holds(0.89));
        assert!(Bound::AtMost(1.0).holds(0.0) && !Bound::AtMost(1.0).holds(1.1));
        assert!(!Bound::Between(0.75, 0.88).holds(0.9));
    }

    #[test]
    fn without_cases_nothing_is_measured_and_nothing_is_met() {
        assert!(targets(&[], &[]).iter().all(|target| target.met().is_none()));
    }
}
