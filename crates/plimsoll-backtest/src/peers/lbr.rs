//! LBR, linear backward regression: does any window that ends now hold a straight rise, once its
//! season is taken out (Jindal et al., "Memory Leak Detection Algorithms in the Cloud-based
//! Infrastructure", 2021; arXiv 2106.08938)?
//!
//! Written from its description: five-minute medians; windows of 60, 110, 160 and so on points
//! backward from the end; the ten strongest frequencies of each as candidate periods; the trend of
//! a seasonal decomposition at each; a leak is any trend that rises with R squared above 0.8. The
//! hour's smoothing that the description computes and then does not use is not computed.
//!
//! Three things are cheaper than published. The trend of a decomposition is the centred moving
//! average over the period, whether seasons add or multiply, so nothing else of it is computed;
//! the line is drawn through at most 256 points of it; and the spectrum is read at 256 places of a
//! window. A period needs two whole cycles in its window, as decompositions ask. History is bounded
//! at four weeks.

use plimsoll_model::{ServiceHistory, Timestamp};

use super::line::Line;
use super::memory::{Lives, Memory, RESIDENT, View, watch};
use super::resample::{REACH, five_minute_medians};
use super::spectrum::Spectrum;
use crate::detector::{Detector, Said};

/// A straight rise in any window that ends now.
#[derive(Clone, Copy, Debug, Default)]
pub struct Lbr;

/// Points of the shortest window: five hours.
const WINDOW_MIN: usize = 60;
const WINDOW_STEP: usize = 50;
const PERIODS: usize = 10;
const R_SQUARED_MIN: f64 = 0.8;
const LINE_POINTS_MAX: usize = 256;

impl Detector for Lbr {
    fn name(&self) -> &'static str {
        "lbr"
    }

    fn rule(&self) -> &'static str {
        "any window of 5 h or more that ends now has a deseasonalised trend that rises with R \
         squared above 0.8 (linear backward regression, arXiv 2106.08938)"
    }

    fn watch(&self, history: &ServiceHistory, looks: &[Timestamp]) -> Vec<Said> {
        let spectrum = Spectrum::new();
        let view = View { metrics: RESIDENT, lives: Lives::Joined, reach: REACH };
        watch(history, looks, view, |memory, _| leaks(memory, &spectrum))
    }
}

fn leaks(memory: &Memory<'_>, spectrum: &Spectrum) -> bool {
    let points = five_minute_medians(memory.samples());
    let course = Course::of(&points);
    let windows = (WINDOW_MIN..=points.len()).step_by(WINDOW_STEP);
    windows.map(|length| points.len() - length).any(|from| course.rises_since(from, spectrum))
}

/// A series with the sums that make moving averages cheap.
struct Course<'a> {
    points: &'a [f64],
    /// Of the points before each index, less the first one so that a flat course sums to zero.
    sums: Vec<f64>,
}

impl<'a> Course<'a> {
    fn of(points: &'a [f64]) -> Self {
        let base = points.first().copied().unwrap_or(0.0);
        let mut sum = 0.0;
        let add = |value: &f64| {
            sum += value - base;
            sum
        };
        Self { points, sums: std::iter::once(0.0).chain(points.iter().map(add)).collect() }
    }

    fn rises_since(&self, from: usize, spectrum: &Spectrum) -> bool {
        let Some(window) = self.points.get(from..) else { return false };
        let mut periods = spectrum.periods(window, PERIODS);
        periods.retain(|period| *period >= 2 && 2 * period <= window.len());
        periods.sort_unstable();
        periods.dedup();
        // The longest smooths most and decides soonest.
        periods.iter().rev().any(|period| {
            let line = self.trend(from, *period);
            line.is_some_and(|line| line.slope > 0.0 && line.r_squared > R_SQUARED_MIN)
        })
    }

    /// The line through the centred moving averages that lie within the window.
    fn trend(&self, from: usize, period: usize) -> Option<Line> {
        let half = period / 2;
        let (first, end) = (from + half, self.points.len() - half);
        let stride = end.checked_sub(first)?.div_ceil(LINE_POINTS_MAX).max(1);
        let places = (first..end).step_by(stride);
        Line::through(places.filter_map(|at| Some((at as f64, self.average(at, period)?))))
    }

    /// Over a whole period; an even one takes half of the point at either end.
    fn average(&self, at: usize, period: usize) -> Option<f64> {
        let half = period / 2;
        let (first, last) = (at - half, at + half);
        let sum = self.sums.get(last + 1)? - self.sums.get(first)?;
        let base = self.points.first()?;
        let ends = self.points.get(first)? + self.points.get(last)? - 2.0 * base;
        let odd = period % 2 == 1;
        Some((if odd { sum } else { sum - 0.5 * ends }) / period as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::super::drawn::{Drawn, GIB, alarms, first_alarm, noise};
    use super::*;

    fn drawn(hours: f64, share: impl Fn(f64) -> f64) -> ServiceHistory {
        let drawn = Drawn { hours, step_secs: 60, ..Drawn::default() };
        drawn.history(|h| GIB * share(h))
    }

    #[test]
    fn it_fires_on_a_straight_rise_under_a_season() {
        let season = |h: f64| 0.05 * (std::f64::consts::TAU * h / 2.0).sin();
        let history = drawn(24.0, |h| 0.3 + 0.01 * h + season(h) + 0.002 * noise(h));
        assert!(alarms(&Lbr, &history, 24.0));
    }

    #[test]
    fn it_fires_on_a_warm_up_for_want_of_any_other_explanation() {
        let history = drawn(12.0, |h| 0.1 + 0.4 * (1.0 - (-h / 3.0).exp()));
        assert!(alarms(&Lbr, &history, 7.0));
    }

    #[test]
    fn it_is_quiet_on_what_is_constant_or_falls() {
        assert_eq!(first_alarm(&Lbr, &drawn(48.0, |_| 0.7), (1.0, 48.0, 1.0)), None);
        let falling = drawn(48.0, |h| 0.9 - 0.01 * h);
        assert_eq!(first_alarm(&Lbr, &falling, (1.0, 48.0, 1.0)), None);
    }

    #[test]
    fn it_needs_five_hours() {
        let history = drawn(12.0, |h| 0.1 + 0.05 * h);
        let hour = first_alarm(&Lbr, &history, (1.0, 12.0, 0.25)).unwrap();
        assert!((4.75..5.5).contains(&hour), "{hour}");
    }

    #[test]
    fn the_average_over_a_period_takes_the_period_away() {
        let check = |period: usize| {
            let wave = |i: usize| 5.0 + ((i % period) as f64 - (period - 1) as f64 / 2.0);
            let points: Vec<f64> = (0..100).map(wave).collect();
            let course = Course::of(&points);
            for at in [30, 31, 32, 50] {
                let level = course.average(at, period).unwrap() + points[0];
                assert!((level - 5.0).abs() < 1e-9, "{level} at {at} with {period}");
            }
        };
        check(7);
        check(12);
    }
}
