//! The textbook: Mann-Kendall's test for a trend, and Theil-Sen's slope for how steep it is.
//!
//! Mann (1945), Kendall (1975): one-sided at 5 %, normal approximation corrected for ties and for
//! continuity. Sen (1968): the median of the slopes of all pairs. Common scripts (pyMannKendall's
//! `original_test` and `sens_slope`, two-sided at 5 %, over a queried range) report any significant
//! positive slope, however small. Here it must also reach the limit from the newest value within a
//! week, which spares it many false alarms; without a limit, slope and significance are enough.
//!
//! The whole current life is tested, as at most 288 means: a day of five minutes, or longer ones.
//! A fixed last day instead would call every morning a trend.

use plimsoll_model::{Sample, ServiceHistory, Span, Timestamp};

use super::memory::{Lives, Memory, RESIDENT, View, watch};
use crate::detector::{Detector, Said};

/// A significant trend that matters within a week.
#[derive(Clone, Copy, Debug, Default)]
pub struct MannKendall;

const POINTS_MAX: usize = 288;
/// Below it the normal approximation does not hold.
const POINTS_MIN: usize = 10;
/// The normal quantile of 95 %.
const Z_MIN: f64 = 1.645;
const HOURS_TO_LIMIT_MAX: f64 = 7.0 * 24.0;

impl Detector for MannKendall {
    fn name(&self) -> &'static str {
        "mann_kendall"
    }

    fn rule(&self) -> &'static str {
        "Mann-Kendall significant at one-sided 5 %, and Theil-Sen's slope reaches the limit within \
         7 days (textbook)"
    }

    fn watch(&self, history: &ServiceHistory, looks: &[Timestamp]) -> Vec<Said> {
        let reach = Span::from_hours(24 * 365);
        watch(history, looks, View { metrics: RESIDENT, lives: Lives::Current, reach }, trends)
    }
}

fn trends(memory: &Memory<'_>, at: Timestamp) -> bool {
    let points = means(memory.samples());
    let Some(last) = memory.samples().last() else { return false };
    if points.len() < POINTS_MIN || z_score(&points) <= Z_MIN {
        return false;
    }
    let slope = theil_sen(&points);
    let soon = |limit: f64| limit - last.value <= HOURS_TO_LIMIT_MAX * slope;
    slope > 0.0 && memory.limit_at(at).is_none_or(soon)
}

/// Hours since the first sample and values: of equal stretches of time, those that have samples.
fn means(samples: &[Sample]) -> Vec<(f64, f64)> {
    let (Some(first), Some(last)) = (samples.first(), samples.last()) else { return Vec::new() };
    let hours = |sample: &Sample| sample.at.since(first.at).as_hours_f64();
    if samples.len() <= POINTS_MAX {
        return samples.iter().map(|sample| (hours(sample), sample.value)).collect();
    }
    // One part in 1e9 more, so that the last sample falls into the last stretch.
    let stretch = hours(last) * (1.0 + 1e-9) / POINTS_MAX as f64;
    let stretch_of = |sample: &Sample| (hours(sample) / stretch) as usize;
    let mean = |part: &[Sample]| {
        let count = part.len() as f64;
        let at = part.iter().map(hours).sum::<f64>() / count;
        (at, part.iter().map(|sample| sample.value).sum::<f64>() / count)
    };
    samples.chunk_by(|a, b| stretch_of(a) == stretch_of(b)).map(mean).collect()
}

/// Mann-Kendall's S against its standard deviation without a trend.
fn z_score(points: &[(f64, f64)]) -> f64 {
    let mut s = 0_i64;
    for (index, (_, earlier)) in points.iter().enumerate() {
        for (_, later) in points.iter().skip(index + 1) {
            s += i64::from(later > earlier) - i64::from(later < earlier);
        }
    }
    let variance = variance_of_s(points);
    if s == 0 || variance <= 0.0 {
        return 0.0;
    }
    (s - s.signum()) as f64 / variance.sqrt()
}

fn variance_of_s(points: &[(f64, f64)]) -> f64 {
    let term = |count: usize| {
        let n = count as f64;
        n * (n - 1.0) * (2.0 * n + 5.0)
    };
    let mut values: Vec<f64> = points.iter().map(|(_, value)| *value).collect();
    values.sort_by(f64::total_cmp);
    let ties: f64 = values.chunk_by(|a, b| a.total_cmp(b).is_eq()).map(|t| term(t.len())).sum();
    (term(points.len()) - ties) / 18.0
}

/// The median slope of all pairs, in units per hour.
fn theil_sen(points: &[(f64, f64)]) -> f64 {
    let slopes_of = |(index, (at, value)): (usize, &(f64, f64))| {
        let (at, value) = (*at, *value);
        points.iter().skip(index + 1).map(move |(later, level)| (level - value) / (later - at))
    };
    let mut slopes: Vec<f64> = points.iter().enumerate().flat_map(slopes_of).collect();
    let middle = slopes.len() / 2;
    if middle >= slopes.len() {
        return 0.0;
    }
    let (below, upper, _) = slopes.select_nth_unstable_by(middle, f64::total_cmp);
    let upper = *upper;
    let lower = below.iter().copied().max_by(f64::total_cmp).unwrap_or(upper);
    let odd = (below.len() * 2 + 1) == slopes.len();
    if odd { upper } else { lower.midpoint(upper) }
}

#[cfg(test)]
mod tests {
    use super::super::drawn::{Drawn, GIB, alarms, noise};
    use super::*;

    fn numbered(values: &[f64]) -> Vec<(f64, f64)> {
        values.iter().enumerate().map(|(at, value)| (at as f64, *value)).collect()
    }

    #[test]
    fn the_statistics_are_those_of_the_textbook() {
        // Ten rising values: S = 45, Var = 125.
        let rising = numbered(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0]);
        assert!((z_score(&rising) - 44.0 / 125.0_f64.sqrt()).abs() < 1e-12);
        assert!((theil_sen(&rising) - 1.0).abs() < 1e-12);
        // Two ties of two take 2 * 18 from 18 Var; the pairs give S = 8 and slopes around 1/2.
        let tied = numbered(&[1.0, 1.0, 2.0, 2.0, 3.0]);
        assert!((z_score(&tied) - 7.0 / ((300.0 - 36.0) / 18.0_f64).sqrt()).abs() < 1e-12);
        assert!((theil_sen(&tied) - 0.5).abs() < 1e-12);
        assert!(theil_sen(&numbered(&[4.0])).abs() < 1e-12);
    }

    #[test]
    fn an_outlier_does_not_move_the_slope() {
        let mut values: Vec<f64> = (0..50).map(f64::from).collect();
        values[40] = 1e6;
        assert!((theil_sen(&numbered(&values)) - 1.0).abs() < 0.05);
    }

    #[test]
    fn it_fires_on_a_trend_that_reaches_the_limit_within_a_week() {
        let trend = |per_day: f64, limit| {
            let drawn = Drawn { hours: 48.0, limit, ..Drawn::default() };
            let value = |h: f64| GIB * (0.3 + per_day * h / 24.0 + 0.002 * noise(h));
            alarms(&MannKendall, &drawn.history(value), 48.0)
        };
        assert!(trend(0.2, Some(GIB)));
        assert!(!trend(0.03, Some(GIB)));
        assert!(trend(0.03, None));
        assert!(!trend(-0.05, None));
    }

    #[test]
    fn independent_noise_rarely_alarms_it_and_a_day_curve_does() {
        let quiet = |offset: f64| {
            let value = |h: f64| GIB * (0.5 + 0.02 * noise(h + 1000.0 * offset));
            !alarms(&MannKendall, &Drawn::default().history(value), 24.0)
        };
        let quiet_days = (0..20).filter(|day| quiet(f64::from(*day))).count();
        assert!(quiet_days >= 16, "{quiet_days} of 20");
        let day = |h: f64| GIB * (0.5 - 0.2 * (std::f64::consts::TAU * h / 24.0).cos());
        assert!(alarms(&MannKendall, &Drawn::default().history(day), 11.0));
    }

    #[test]
    fn a_long_series_is_tested_as_a_bounded_number_of_means() {
        let history = Drawn { hours: 10.0, step_secs: 1, ..Drawn::default() }.history(|h| h);
        let series = &history.lives[0].series[&plimsoll_model::Metric::ProcessMemoryRss];
        let points = means(series.samples());
        assert_eq!(points.len(), POINTS_MAX);
        assert!(points.iter().all(|(at, value)| (at - value).abs() < 1e-6));
    }
}
