//! Scores of many cases in a few numbers: how many leaks were told, how many alarms were false,
//! how late, how well forecast, named and blamed.
//!
//! Not here: how they are printed.

use std::collections::{BTreeMap, BTreeSet};

use plimsoll_model::{Cause, Label};

use crate::score::{Blamed, Score};

/// Fills within this many hours count for the share of the runway that was used.
pub const FAST_HOURS: f64 = 14.0;

/// Sums over a set of cases.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Summary {
    pub cases: usize,
    /// Verdicts at the last look.
    pub right_leaks: usize,
    pub missed: usize,
    pub false_leaks: usize,
    /// Leaks told at any look while they went on.
    pub told: usize,
    pub leaking_cases: usize,
    pub alarms: u32,
    pub pages: u32,
    /// Labelled cases in which something was called a leak, at any look, while nothing leaked.
    pub alarmed_cases: usize,
    pub quiet_days: f64,
    /// Sorted.
    pub hours_between_looks: Vec<f64>,
    /// Hours from onset to telling, sorted.
    pub delays: Vec<f64>,
    /// Shares of the runway used before telling, of leaks that fill within [`FAST_HOURS`], sorted;
    /// above 1 where it was never told.
    pub used: Vec<f64>,
    /// Errors of forecasts at half-life, sorted, and how many intervals held the truth.
    pub errors: Vec<f64>,
    pub covered: usize,
    pub causes: Vec<(Cause, Cause)>,
    pub blamed_rightly: usize,
    pub blamed_wrongly: usize,
    pub blamed_nobody: usize,
    pub blamed_nobody_rightly: usize,
    pub claims: Vec<(f64, bool)>,
}

/// What a runway share is where a leak was never told.
const NEVER: f64 = 9.0;

impl Summary {
    pub fn of<'a>(scores: impl IntoIterator<Item = &'a Score>) -> Self {
        let mut sum = Self::default();
        scores.into_iter().for_each(|score| sum.add(score));
        let Self { delays, used, errors, hours_between_looks, .. } = &mut sum;
        for sorted in [delays, used, errors, hours_between_looks] {
            sorted.sort_by(f64::total_cmp);
        }
        sum
    }

    fn add(&mut self, score: &Score) {
        self.cases += 1;
        self.alarms += score.alarms;
        self.pages += score.pages;
        self.quiet_days += score.quiet_days;
        self.claims.extend(&score.claims);
        self.causes.extend(score.cause);
        self.hours_between_looks.push(score.hours_between_looks);
        if score.label == Label::Unlabelled {
            return;
        }
        match (score.leaks, score.said) {
            (true, true) => self.right_leaks += 1,
            (true, false) => self.missed += 1,
            (false, true) => self.false_leaks += 1,
            (false, false) => {}
        }
        match score.blamed {
            Blamed::Rightly => self.blamed_rightly += 1,
            Blamed::Wrongly => self.blamed_wrongly += 1,
            Blamed::Nobody => self.blamed_nobody += 1,
            Blamed::NobodyRightly => self.blamed_nobody_rightly += 1,
            Blamed::NotAsked => {}
        }
        self.alarmed_cases += usize::from(score.alarms > 0);
        if score.label == Label::Leaking {
            self.leaking_cases += 1;
            self.told += usize::from(score.told);
            self.delays.extend(score.delay);
            if let Some(runway) = score.runway.filter(|hours| *hours <= FAST_HOURS) {
                self.used.push(score.delay.map_or(NEVER, |delay| delay / runway));
            }
            if let Some(forecast) = score.forecast {
                self.errors.push(forecast.error);
                self.covered += usize::from(forecast.covered);
            }
        }
    }

    /// None where nothing was called a leak.
    pub fn precision(&self) -> Option<f64> {
        share(self.right_leaks, self.right_leaks + self.false_leaks)
    }

    /// None where nothing leaks.
    pub fn recall(&self) -> Option<f64> {
        share(self.right_leaks, self.right_leaks + self.missed)
    }

    pub fn f1(&self) -> Option<f64> {
        let wrong = self.false_leaks + self.missed;
        share(2 * self.right_leaks, 2 * self.right_leaks + wrong)
    }

    /// F1 of alarms: a leak counts when it was told at any look while it went on, and a case counts
    /// against the detector when any alarm in it was false.
    pub fn f1_of_alarms(&self) -> Option<f64> {
        let wrong = self.alarmed_cases + self.leaking_cases - self.told;
        share(2 * self.told, 2 * self.told + wrong)
    }

    /// The share of leaks told at any look while they went on; none where nothing leaks.
    pub fn told_share(&self) -> Option<f64> {
        share(self.told, self.leaking_cases)
    }

    /// False alarms in a thousand days of one container.
    pub fn alarms_per_1000_days(&self) -> Option<f64> {
        (self.quiet_days > 0.0).then(|| 1000.0 * f64::from(self.alarms) / self.quiet_days)
    }

    /// Of those, the ones that would have woken somebody.
    pub fn pages_per_1000_days(&self) -> Option<f64> {
        (self.quiet_days > 0.0).then(|| 1000.0 * f64::from(self.pages) / self.quiet_days)
    }

    pub fn coverage(&self) -> Option<f64> {
        share(self.covered, self.errors.len())
    }

    /// Mean F1 of every cause that occurs, each counting the same however often it occurs.
    pub fn cause_macro_f1(&self) -> Option<f64> {
        let classes: BTreeSet<&str> = self.causes.iter().map(|(is, _)| is.name()).collect();
        let count = |of: &dyn Fn(&str, &str) -> bool| {
            self.causes.iter().filter(|(is, said)| of(is.name(), said.name())).count()
        };
        let f1 = |class: &&str| {
            let right = count(&|is, said| is == *class && said == *class);
            let wrong = count(&|is, said| (is == *class) != (said == *class));
            2.0 * right as f64 / (2 * right + wrong) as f64
        };
        (!classes.is_empty()).then(|| classes.iter().map(f1).sum::<f64>() / classes.len() as f64)
    }

    /// How often each cause was given which name.
    pub fn confusion(&self) -> BTreeMap<(&'static str, &'static str), usize> {
        let mut counts = BTreeMap::new();
        for (is, said) in &self.causes {
            *counts.entry((is.name(), said.name())).or_insert(0) += 1;
        }
        counts
    }
}

/// The value below which this share of a sorted list lies.
pub fn quantile(sorted: &[f64], share: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    sorted.get((last as f64 * share).round() as usize).copied()
}

fn share(part: usize, whole: usize) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_textbook_example_has_its_textbook_numbers() {
        let sum = Summary { right_leaks: 8, missed: 2, false_leaks: 4, ..Summary::default() };
        assert_eq!(sum.precision(), Some(8.0 / 12.0));
        assert_eq!(sum.recall(), Some(0.8));
        assert_eq!(sum.f1(), Some(16.0 / 22.0));
        assert_eq!(Summary::default().precision(), None);
    }

    #[test]
    fn a_rare_cause_counts_as_much_as_a_common_one() {
        let mut causes = vec![(Cause::Heap, Cause::Heap); 98];
        causes.extend([(Cause::Threads, Cause::Heap), (Cause::Threads, Cause::Threads)]);
        let sum = Summary { causes, ..Summary::default() };
        let (heap, threads) = (2.0 * 98.0 / 197.0, 2.0 / 3.0);
        assert!((sum.cause_macro_f1().unwrap() - (heap + threads) / 2.0).abs() < 1e-12);
    }

    #[test]
    fn quantiles_are_taken_from_what_was_seen() {
        assert_eq!(quantile(&[1.0, 2.0, 30.0], 0.5), Some(2.0));
        assert_eq!(quantile(&[], 0.5), None);
    }
}
