//! The rules that people run today, each written from its published description, for comparison
//! only: nothing of Plimsoll's verdicts depends on them.
//!
//! They get what a fair rival deserves: the metric they would choose, the limit they would know,
//! and, where a description leaves something open, the reading that favours them; each file says
//! where that was. They look at memory only: handles, threads and connections are not theirs.

mod lbr;
mod line;
mod mann_kendall;
mod memory;
mod ols_1h;
mod precog_mf;
mod predict_linear;
mod resample;
mod spectrum;
mod threshold_90;

#[cfg(test)]
mod drawn;

pub use lbr::Lbr;
pub use mann_kendall::MannKendall;
pub use ols_1h::Ols1h;
pub use precog_mf::PrecogMf;
pub use predict_linear::PredictLinear;
pub use threshold_90::Threshold90;

use crate::detector::Detector;

/// All of them, in the order of the tables.
pub fn all() -> Vec<Box<dyn Detector>> {
    vec![
        Box::new(Ols1h),
        Box::new(PredictLinear),
        Box::new(Threshold90),
        Box::new(MannKendall),
        Box::new(PrecogMf),
        Box::new(Lbr),
    ]
}

#[cfg(test)]
mod tests {
    use plimsoll_model::{Metric, ServiceHistory};

    use super::drawn::{Drawn, GIB, at_hours, noise};
    use super::*;

    fn up_to(history: &ServiceHistory, hours: f64) -> ServiceHistory {
        let mut past = history.clone();
        let future = at_hours(hours);
        for life in &mut past.lives {
            for series in life.series.values_mut() {
                let mut samples = series.samples().to_vec();
                samples.retain(|sample| sample.at <= future);
                *series = plimsoll_model::Series::from_unsorted(samples);
            }
        }
        past
    }

    #[test]
    fn every_rule_has_its_own_name_and_says_what_it_is() {
        let names: Vec<_> = all().iter().map(|rule| rule.name()).collect();
        let want = ["ols_1h", "predict_linear", "threshold_90", "mann_kendall", "precog_mf", "lbr"];
        assert_eq!(names, want);
        assert!(all().iter().all(|rule| rule.rule().len() > 40));
    }

    #[test]
    fn no_rule_knows_what_comes_after_its_look() {
        // Two days of calm, then a leak, so that each rule is silent at first and speaks later.
        let drawn = Drawn { hours: 60.0, step_secs: 60, ..Drawn::default() };
        let share = |h: f64| 0.5 + 0.002 * noise(h) + 0.08 * (h - 48.0).max(0.0);
        let history = drawn.history(|h| GIB * share(h).min(1.0));
        let hours = [1.0, 3.0, 24.0, 47.0, 50.0, 54.0, 60.0];
        let looks = hours.map(at_hours);
        for rule in all() {
            let whole: Vec<_> =
                rule.watch(&history, &looks).iter().map(|said| said.leaking).collect();
            let alone: Vec<_> = hours
                .iter()
                .map(|hour| rule.watch(&up_to(&history, *hour), &[at_hours(*hour)])[0].leaking)
                .collect();
            assert_eq!(whole, alone, "{}", rule.name());
            assert!(whole.contains(&true), "{} says nothing of a leak", rule.name());
        }
    }

    #[test]
    fn no_rule_looks_at_anything_but_memory() {
        let drawn = Drawn { metric: Metric::ProcessFds, hours: 24.0, ..Drawn::default() };
        let history = drawn.history(|h| 100.0 + 40.0 * h);
        for rule in all() {
            assert!(!rule.watch(&history, &[at_hours(24.0)])[0].leaking, "{}", rule.name());
        }
    }

    #[test]
    fn an_empty_history_is_no_leak() {
        let history = ServiceHistory::new(drawn::service());
        for rule in all() {
            let said = rule.watch(&history, &[at_hours(1.0), at_hours(2.0)]);
            assert!(said.len() == 2 && said.iter().all(|said| !said.leaking), "{}", rule.name());
        }
    }
}
