//! Histories drawn for the tests of the rules: one instance, one metric, one limit.

use std::collections::BTreeMap;

use plimsoll_model::{
    InstanceName, Life, Metric, Sample, Series, ServiceHistory, ServiceName, Timestamp,
};

use crate::detector::Detector;

pub(super) const GIB: f64 = 1_073_741_824.0;
pub(super) const MIB: f64 = 1_048_576.0;

/// What is drawn; the course itself is given to [`Drawn::history`].
#[derive(Clone, Copy, Debug)]
pub(super) struct Drawn {
    pub(super) hours: f64,
    pub(super) step_secs: i64,
    pub(super) metric: Metric,
    pub(super) limit: Option<f64>,
}

impl Default for Drawn {
    fn default() -> Self {
        Self { hours: 24.0, step_secs: 30, metric: Metric::ProcessMemoryRss, limit: Some(GIB) }
    }
}

impl Drawn {
    /// `value` is a function of the hours since the beginning.
    pub(super) fn history(&self, value: impl Fn(f64) -> f64) -> ServiceHistory {
        let mut series = BTreeMap::new();
        let count = (self.hours * 3600.0) as i64 / self.step_secs;
        let sample = |index: i64| {
            let hours = (index * self.step_secs) as f64 / 3600.0;
            Sample { at: at_hours(hours), value: value(hours) }
        };
        series.insert(self.metric, Series::from_unsorted((0..=count).map(sample).collect()));
        if let Some(value) = self.limit {
            let limit = vec![Sample { at: at_hours(0.0), value }];
            series.insert(Metric::ContainerMemoryLimit, Series::from_unsorted(limit));
        }
        let life = Life {
            instance: InstanceName::new("orders-0").unwrap(),
            version: None,
            started_at: at_hours(0.0),
            start_known: false,
            series,
        };
        ServiceHistory { lives: vec![life], ..ServiceHistory::new(service()) }
    }
}

pub(super) fn service() -> ServiceName {
    ServiceName::new("orders").unwrap()
}

pub(super) fn at_hours(hours: f64) -> Timestamp {
    const BEGIN: i64 = 1_700_000_000_000;
    Timestamp::from_millis(BEGIN + (hours * 3_600_000.0).round() as i64)
}

/// About standard normal, and always the same for the same place.
pub(super) fn noise(hours: f64) -> f64 {
    let mut state = (hours * 3_600_000.0).round() as u64;
    let mut uniform = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    };
    (0..12).map(|_| uniform()).sum::<f64>() - 6.0
}

/// Whether the rule alarms at this hour.
pub(super) fn alarms(rule: &dyn Detector, history: &ServiceHistory, hours: f64) -> bool {
    rule.watch(history, &[at_hours(hours)])[0].leaking
}

/// The hour of the first alarm between `from` and `to`, looking every `step` hours.
pub(super) fn first_alarm(
    rule: &dyn Detector,
    history: &ServiceHistory,
    (from, to, step): (f64, f64, f64),
) -> Option<f64> {
    let count = ((to - from) / step).round() as i32;
    let hours: Vec<f64> = (0..=count).map(|look| from + step * f64::from(look)).collect();
    let looks: Vec<Timestamp> = hours.iter().map(|hour| at_hours(*hour)).collect();
    let said = rule.watch(history, &looks);
    said.iter().zip(hours).find(|(said, _)| said.leaking).map(|(_, hour)| hour)
}
