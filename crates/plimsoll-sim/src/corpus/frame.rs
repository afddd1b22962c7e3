//! When is measured: the beginning of a case, how long it is, and how far samples are apart.
//!
//! Times within a case are hours since its beginning.

use plimsoll_model::{Span, Timestamp};

use super::draw::Draw;

/// 2026-06-01T00:00:00Z, a Monday at midnight.
const MONDAY: Timestamp = Timestamp::from_secs(1_780_272_000);

/// Seconds between samples, as exporters are set in practice.
const STEPS: [f64; 6] = [1.0, 5.0, 15.0, 30.0, 60.0, 300.0];

/// Samples of one series: fewer show no shape, more cost time and disk and show nothing new.
const SAMPLES_MIN: f64 = 600.0;
const SAMPLES_MAX: f64 = 6000.0;

/// Rows that a case aims at, over all of its series: four cases of every family stay under 250 MB.
const ROWS: f64 = 9000.0;

/// The time of one case.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Frame {
    pub(super) begin: Timestamp,
    pub(super) hours: f64,
    pub(super) step_secs: f64,
}

impl Frame {
    /// A step that fits the length, coarser for a case of many series.
    pub(super) fn new(draw: &mut Draw, begin: Timestamp, hours: f64, series: usize) -> Self {
        let count = |step: f64| hours * 3600.0 / step;
        let fits = |step: &&f64| (SAMPLES_MIN..=SAMPLES_MAX).contains(&count(**step));
        let fitting: Vec<f64> = STEPS.iter().filter(fits).copied().collect();
        let most = (ROWS / series.max(1) as f64).max(SAMPLES_MIN);
        let lean: Vec<f64> = fitting.iter().filter(|step| count(**step) <= most).copied().collect();
        let coarsest = fitting.last().copied().unwrap_or(STEPS[0]);
        let step_secs = if lean.is_empty() { coarsest } else { draw.pick(&lean) };
        Self { begin, hours, step_secs }
    }

    pub(super) fn steps(self) -> usize {
        (self.hours * 3600.0 / self.step_secs) as usize
    }

    pub(super) fn step_hours(self) -> f64 {
        self.step_secs / 3600.0
    }

    pub(super) fn at(self, hours: f64) -> Timestamp {
        at(self.begin, hours)
    }
}

pub(super) fn at(begin: Timestamp, hours: f64) -> Timestamp {
    begin + Span::from_millis((hours * 3_600_000.0).round() as i64)
}

/// Some second of a week: cases begin at any hour of any day.
pub(super) fn begin(draw: &mut Draw) -> Timestamp {
    MONDAY + Span::from_secs(i64::from(draw.whole(0..=7 * 86_400 - 1)))
}

/// Hours since the Monday, so that days and weeks are known.
pub(super) fn calendar_hours(begin: Timestamp) -> f64 {
    begin.since(MONDAY).as_hours_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_from_a_quarter_hour_to_two_weeks_has_a_fitting_step() {
        let mut draw = Draw::new("frame", 1);
        for hours in [0.25, 1.0, 6.0, 24.0, 72.0, 336.0] {
            for series in [1, 8, 40] {
                let frame = Frame::new(&mut draw, MONDAY, hours, series);
                assert!((600..=6000).contains(&frame.steps()), "{frame:?}");
            }
        }
    }
}
