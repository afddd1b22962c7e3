//! How fine a metric is asked for: at a multiple of the distance that its samples have, so that no
//! sample is told twice and none is made up between two.

use plimsoll_model::Span;

use super::fleet::Pull;
use super::query::{Matcher, Window, selector};

/// Where the distance of samples is looked at: so many windows over the whole time, the last hour
/// of each. Enough to meet a metric that was not always there.
const DENSITY_WINDOWS: i64 = 6;
const DENSITY_WINDOW_MAX: Span = Span::from_hours(1);

/// Values that are named in the question about the distance of samples; one says as much as all.
const DENSITY_VALUES_MAX: usize = 20;

/// Distances that people configure, in seconds.
const USUAL_SECS: [f64; 12] =
    [1.0, 2.0, 5.0, 10.0, 15.0, 20.0, 30.0, 60.0, 120.0, 180.0, 300.0, 600.0];

/// How fine a metric is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resolution {
    pub step: Span,
    /// The distance of the samples that the server has, as far as it is known.
    pub native: Span,
}

/// How often a metric has samples: the expression, and the range to evaluate it over.
pub fn density(
    pull: &Pull,
    name: &str,
    extra: Option<&str>,
    window: Window,
) -> (String, Resolution) {
    let every = Span::from_millis((window.length().as_millis() / DENSITY_WINDOWS).max(1000));
    let over = every.min(DENSITY_WINDOW_MAX);
    let first = pull.groups.first().map(|group| &group.label);
    let same = pull.groups.iter().filter(|group| Some(&group.label) == first);
    let values: Vec<_> = same.take(DENSITY_VALUES_MAX).map(|group| group.value.clone()).collect();
    let matcher = first.map(|label| Matcher { label: label.clone(), values });
    let selector = selector(name, matcher.as_ref(), extra);
    let text = format!("max(count_over_time({selector}[{}ms]))", over.as_millis());
    (text, Resolution { step: every, native: over })
}

/// The distance of samples of which at most `count` lie in a window of this length. Windows of
/// older servers hold both their ends, so the count may be one too many; of the distances that fit,
/// one that people configure is taken.
pub fn native_interval(window: Span, count: f64) -> Option<Span> {
    if !(count.is_finite() && count >= 2.0) {
        return None;
    }
    let window = window.as_secs_f64();
    let (low, high) = (window / count, window / (count - 1.0));
    let usual = USUAL_SECS.iter().rev().find(|secs| (low * 0.995..=high).contains(*secs));
    let secs = usual.copied().unwrap_or_else(|| if low >= 2.0 { low.round() } else { low });
    Some(Span::from_secs_f64(secs))
}

/// The finest step that is a multiple of the distance of the samples and gives at most `points`.
pub fn resolution(length: Span, native: Option<Span>, points: i64) -> Resolution {
    let coarsest = length.as_millis().div_euclid(points.max(1)).max(1000);
    let native = native.filter(|native| native.as_millis() > 0);
    let Some(native) = native else {
        let step = Span::from_millis(coarsest);
        return Resolution { step, native: step };
    };
    let many = length.as_millis().div_euclid(native.as_millis().saturating_mul(points.max(1)));
    let left = length.as_millis() % native.as_millis().saturating_mul(points.max(1));
    let times = (many + i64::from(left > 0)).max(1);
    Resolution { step: Span::from_millis(native.as_millis() * times), native }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_distance_of_samples_is_told_from_their_number() {
        let check = |window: i64, count: f64, want: Option<i64>| {
            let got = native_interval(Span::from_secs(window), count);
            assert_eq!(got, want.map(Span::from_secs), "{count} in {window}");
        };
        check(3600, 12.0, Some(300));
        check(3600, 13.0, Some(300));
        check(3600, 240.0, Some(15));
        check(3600, 241.0, Some(15));
        check(3600, 239.0, Some(15));
        check(3600, 90.0, Some(40));
        check(100, 101.0, Some(1));
        check(100, 100.0, Some(1));
        check(3600, 1.0, None);
        check(3600, f64::NAN, None);
    }

    #[test]
    fn a_step_is_a_multiple_of_that_distance_and_bounds_the_points() {
        let check = |hours, native: Option<i64>, want| {
            let native = native.map(Span::from_secs);
            let got = resolution(Span::from_hours(hours), native, 4000);
            assert_eq!(got.step, Span::from_secs(want), "{hours} {native:?}");
        };
        check(1, Some(15), 15);
        check(168, Some(15), 165);
        check(240, Some(300), 300);
        check(168, Some(60), 180);
        check(40, None, 36);
        check(0, None, 1);
    }
}
