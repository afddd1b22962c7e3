//! Labelled telemetry: families of leaks and of their look-alikes, each drawn from a seed at any
//! time scale.
//!
//! Not here: real processes (those are the demo's), and any knowledge of how the detector works.
//! A family is described the way a service behaves, never the way it is recognised. Used by the
//! tests of `plimsoll-detect`, by `plimsoll scan`'s tests and by benchmarks.

mod benign;
mod fleet;
mod leaking;
mod stage;
mod unseen;

use plimsoll_model::{
    Cause, Change, InstanceName, Reading, SeriesLimit, ServiceHistory, Span, Timestamp, Verdict,
};

pub use benign::benign;
pub use leaking::leaking;
pub use unseen::unseen;

/// How often is measured, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scale {
    pub step: Span,
    pub length: Span,
}

impl Scale {
    /// What someone who has just installed an agent holds.
    pub const TEN_MINUTES: Self = Self { step: Span::from_secs(1), length: Span::from_mins(10) };
    /// What someone's Prometheus holds.
    pub const TEN_DAYS: Self = Self { step: Span::from_mins(5), length: Span::from_hours(240) };

    pub fn steps(self) -> usize {
        (self.length.as_millis() / self.step.as_millis().max(1)).max(0) as usize
    }
}

/// What is true of a case, known because we made it.
#[derive(Clone, Debug, PartialEq)]
pub struct Truth {
    pub verdict: Verdict,
    pub cause: Cause,
    /// The instances that leak; empty where nothing leaks.
    pub instances: Vec<InstanceName>,
    /// The change that started it, where one did.
    pub change: Option<Change>,
    /// In the unit of the leaking metric, averaged over the leaking time.
    pub growth_per_hour: Option<f64>,
}

/// One service's telemetry with its truth.
#[derive(Clone, Debug)]
pub struct Case {
    /// Family, scale and seed: enough to draw it again.
    pub name: String,
    pub family: &'static str,
    /// In order of time; of one moment, `process.start_time` comes first.
    pub readings: Vec<Reading>,
    pub changes: Vec<Change>,
    pub assessed_at: Timestamp,
    pub truth: Truth,
}

impl Case {
    /// The case as a detector sees it.
    pub fn history(&self) -> Option<ServiceHistory> {
        let service = self.readings.first()?.service.clone();
        let (readings, changes) = (self.readings.clone(), self.changes.clone());
        Some(ServiceHistory::at_rest(service, readings, changes, SeriesLimit::OUTLINES))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_draws_the_same_telemetry() {
        let draw = || [leaking(7, Scale::TEN_MINUTES), benign(7, Scale::TEN_MINUTES)].concat();
        let (first, second) = (draw(), draw());
        assert!(first.len() >= 26, "at least 12 leaking and 14 benign families");
        for (a, b) in first.iter().zip(&second) {
            assert_eq!(a.readings, b.readings, "{}", a.name);
        }
    }

    #[test]
    fn another_seed_draws_other_telemetry_of_the_same_families() {
        let names = |seed| leaking(seed, Scale::TEN_MINUTES).into_iter().map(|case| case.family);
        assert!(names(1).eq(names(2)));
        let (one, two) = (benign(1, Scale::TEN_MINUTES), benign(2, Scale::TEN_MINUTES));
        assert!(one.iter().zip(&two).all(|(a, b)| a.readings != b.readings));
    }

    #[test]
    fn every_case_is_finite_ordered_and_of_one_service() {
        for scale in [Scale::TEN_MINUTES, Scale::TEN_DAYS] {
            for case in [leaking(3, scale), benign(3, scale)].concat() {
                assert!(case.readings.iter().all(|r| r.value.is_finite()), "{}", case.name);
                assert!(case.readings.is_sorted_by_key(|r| r.at), "{}", case.name);
                let service = &case.readings[0].service;
                assert!(case.readings.iter().all(|r| r.service == *service), "{}", case.name);
            }
        }
    }
}
