//! One stretch of an envelope: how much it grew, how surely, how evenly, and whether it still does.
//!
//! Not here: where a stretch begins (`course`), or what else could explain it (`rivals`).

use crate::curves::{RESTING, Resting};
use crate::fit::{BesideLine, Centred, Fit, least_squares, median};
use crate::thresholds as limits;

/// One point of an envelope on two axes: time, and work done. A leak by request is straight on the
/// axis of work however the load moves.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Point {
    pub(crate) at: f64,
    pub(crate) work: f64,
    pub(crate) value: f64,
    pub(crate) samples: usize,
}

/// Whether a curve that comes to rest tells the stretch better than a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    Line,
    Slowing,
}

/// What a stretch did.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Trend {
    /// Hours since the origin.
    pub(crate) from: f64,
    pub(crate) to: f64,
    pub(crate) samples: usize,
    /// Where the envelope stands at the end.
    pub(crate) level: f64,
    pub(crate) rise: f64,
    pub(crate) per_hour: f64,
    /// One standard error of `per_hour`, from the increments.
    pub(crate) error_per_hour: f64,
    /// Growth of the later half.
    pub(crate) recent_per_hour: f64,
    /// t of the increments: how far from a wander without direction.
    pub(crate) surprise: f64,
    /// Largest fall as a share of the rise.
    pub(crate) given_back: f64,
    /// Growth of the later half over that of the earlier.
    pub(crate) pace: f64,
    /// Growth of the last quarter over that of the whole.
    pub(crate) late: f64,
    pub(crate) shape: Shape,
    /// How much better a curve that comes to rest tells it than the line does, as a difference of
    /// log-likelihood.
    pub(crate) rests: Option<f64>,
}

/// The trend of a stretch. None below eight points: fewer show no course.
pub(crate) fn trend(points: &[Point]) -> Option<Trend> {
    if points.len() < 8 {
        return None;
    }
    let axes = Axes::of(points)?;
    if let Some(rest) = rest_after_warm_up(&axes, points) {
        return describe(&Axes::of(rest)?, rest);
    }
    let whole = describe(&axes, points)?;
    Some(straight_half(points).filter(|_| whole.shape == Shape::Slowing).unwrap_or(whole))
}

/// The later half of a stretch that slows as a whole, where that half is straight beyond doubt. A
/// curve that comes to rest bends in its later half too: an exponential whose constant is half the
/// stretch loses 39 % of its pace there, a logarithm 29 %.
fn straight_half(points: &[Point]) -> Option<Trend> {
    let half = points.get(points.len() / 2..).filter(|half| half.len() >= 16)?;
    let trend = describe(&Axes::of(half)?, half)?;
    let straight = trend.shape == Shape::Line && trend.pace >= 0.85 && trend.late >= 0.8;
    (straight && trend.surprise >= 2.0 * limits::SURPRISE_MIN.default).then_some(trend)
}

/// A stretch on the axis it is straightest on, from 0 to 1.
struct Axis {
    places: Vec<f64>,
    values: Vec<f64>,
    line: Fit<2>,
    /// Squared error below which a curve is as good as exact: one percent of the rise.
    exact: f64,
}

/// Both axes of a stretch. A line counts on the axis it is straightest on, and so does a curve that
/// comes to rest: a cache fills by requests, a compiler warms up by time.
struct Axes {
    straight: Axis,
    /// The best curve that comes to rest, on whichever axis.
    resting: Option<Fit<2>>,
}

impl Axes {
    fn of(points: &[Point]) -> Option<Self> {
        let time = on_axis(points, |point| point.at);
        let work = on_axis(points, |point| point.work);
        let (straight, other) = match (time, work) {
            (Some(time), Some(work)) if work.line.errors < time.line.errors => (work, Some(time)),
            (Some(time), work) => (time, work),
            (None, work) => (work?, None),
        };
        // Work that is not known goes on with time: the same axis again.
        let other = other.filter(|other| other.places != straight.places);
        let fits = [&straight].into_iter().chain(&other).filter_map(best_resting);
        let resting = fits.min_by(|a, b| a.errors.total_cmp(&b.errors));
        Some(Self { straight, resting })
    }
}

fn on_axis(points: &[Point], place: impl Fn(&Point) -> f64) -> Option<Axis> {
    let (first, last) = (place(points.first()?), place(points.last()?));
    if last <= first {
        return None;
    }
    let places: Vec<f64> = points.iter().map(|p| (place(p) - first) / (last - first)).collect();
    let values: Vec<f64> = points.iter().map(|point| point.value).collect();
    let line = line(&places, &values)?;
    let exact = (0.01 * line.coefficients[1]).powi(2);
    Some(Axis { places, values, line, exact })
}

fn line(places: &[f64], values: &[f64]) -> Option<Fit<2>> {
    curve(places, values, |place| place)
}

/// Level plus one column.
fn curve(places: &[f64], values: &[f64], column: impl Fn(f64) -> f64) -> Option<Fit<2>> {
    let rows: Vec<_> =
        places.iter().zip(values).map(|(place, value)| ([1.0, column(*place)], *value)).collect();
    least_squares(&rows)
}

/// A time constant below this share leaves a rest that is long enough to be judged by itself.
const SHORT: f64 = 0.16;

/// The curve that explains most is found by what it explains, and only that one is fitted: most
/// stretches of a fleet are flat, and all of them are asked.
fn best_resting(axis: &Axis) -> Option<Fit<2>> {
    let values = Centred::of(&axis.values);
    let explained = |resting: Resting| {
        let column = axis.places.iter().map(|place| resting.at(*place));
        Some((resting, values.explained_by(column)?))
    };
    let best = most(RESTING.into_iter().filter_map(explained))?;
    let fit = curve(&axis.places, &axis.values, |place| best.at(place))?;
    (fit.coefficients[1] > 0.0).then_some(fit)
}

/// The candidate that explains most, the first of equals.
fn most<T>(candidates: impl Iterator<Item = (T, f64)>) -> Option<T> {
    candidates.min_by(|a, b| b.1.total_cmp(&a.1)).map(|(candidate, _)| candidate)
}

/// What is left after a warm-up, when a line survives beside every curve that comes to rest.
fn rest_after_warm_up<'a>(axes: &Axes, points: &'a [Point]) -> Option<&'a [Point]> {
    let resting = axes.resting.as_ref()?;
    let axis = &axes.straight;
    let beside = BesideLine::of(&axis.places, &axis.values, &axis.line);
    let explained = |constant: f64| {
        let warm = Resting::Exponential(constant);
        Some((constant, beside.explained_by(axis.places.iter().map(|place| warm.at(*place)))?))
    };
    let constants = [0.01, 0.02, 0.03, 0.04, 0.06, 0.08, 0.11, SHORT];
    let constant = most(constants.into_iter().filter_map(explained))?;
    let warm = Resting::Exponential(constant);
    let rows = axis.places.iter().zip(&axis.values);
    let rows: Vec<_> = rows.map(|(x, y)| ([1.0, warm.at(*x), *x], *y)).collect();
    let best = least_squares(&rows)?;
    let rival = f64::min(resting.errors, axis.line.errors);
    if best.margin_over(rival, axis.exact) < 2.0 * limits::MARGIN.default {
        return None;
    }
    let begin = axis.places.partition_point(|place| *place < 3.0 * constant);
    points.get(begin..).filter(|rest| rest.len() >= 8)
}

fn describe(axes: &Axes, points: &[Point]) -> Option<Trend> {
    let axis = &axes.straight;
    let (first, last) = (points.first()?, points.last()?);
    let hours = last.at - first.at;
    let rise = axis.line.coefficients[1];
    let slope = |from: f64, to: f64| slope_within(axis, from, to);
    let (increment, error) = increments(axis);
    let rests = axes.resting.as_ref().map(|fit| fit.margin_over(axis.line.errors, axis.exact));
    let slowing = rests.is_some_and(|margin| margin >= limits::MARGIN.default);
    let (early, recent) = (slope(0.0, 0.5), slope(0.5, 1.0));
    Some(Trend {
        from: first.at,
        to: last.at,
        samples: points.iter().map(|point| point.samples).sum(),
        level: axis.line.coefficients[0] + rise,
        rise,
        per_hour: rise / hours,
        error_per_hour: error / hours,
        recent_per_hour: recent / hours,
        surprise: (increment / error.max(rise.abs() * 0.02 + f64::MIN_POSITIVE)).clamp(-50.0, 50.0),
        given_back: fallen(axis) / rise.abs().max(f64::MIN_POSITIVE),
        pace: if early > 0.0 { recent / early } else { f64::from(u8::from(recent > 0.0)) * 9.0 },
        late: slope(0.75, 1.0) / rise.abs().max(f64::MIN_POSITIVE),
        shape: if slowing { Shape::Slowing } else { Shape::Line },
        rests,
    })
}

fn slope_within(axis: &Axis, from: f64, to: f64) -> f64 {
    let begin = axis.places.partition_point(|place| *place < from);
    let end = axis.places.partition_point(|place| *place <= to);
    // Three points are the fewest that have a slope with any noise in it.
    let begin = if end == axis.places.len() { begin.min(end.saturating_sub(3)) } else { begin };
    let end = end.max(begin + 3).min(axis.places.len());
    let places = axis.places.get(begin..end).unwrap_or(&[]);
    let values = axis.values.get(begin..end).unwrap_or(&[]);
    line(places, values).map_or(axis.line.coefficients[1], |fit| fit.coefficients[1])
}

/// Mean increment over the whole axis and its standard error, from a few groups: the increments of a
/// wandering level are independent of each other, its levels are not. Where the level only shivers,
/// an increment up is followed by one down, and their mean is known better than their spread says:
/// that is what the long-run variance counts (Newey and West 1987).
fn increments(axis: &Axis) -> (f64, f64) {
    let count = axis.places.len();
    let groups = (count / 2).clamp(4, GROUPS);
    let mean = |all: &[f64], group: usize| {
        let (begin, end) = (count * group / groups, count * (group + 1) / groups);
        let inside = all.get(begin..end).unwrap_or(&[]);
        inside.iter().sum::<f64>() / inside.len().max(1) as f64
    };
    let increments: Vec<f64> = (1..groups)
        .map(|group| {
            let run = mean(&axis.places, group) - mean(&axis.places, group - 1);
            let rise = mean(&axis.values, group) - mean(&axis.values, group - 1);
            rise / run.max(1e-9)
        })
        .collect();
    let n = increments.len() as f64;
    let middle = increments.iter().sum::<f64>() / n;
    let apart: Vec<f64> = increments.iter().map(|step| step - middle).collect();
    let lagged = |lag: usize| {
        let pairs = apart.iter().zip(apart.iter().skip(lag));
        pairs.map(|(one, other)| one * other).sum::<f64>() / (n - 1.0)
    };
    let spread = lagged(0);
    let long_run = spread + 2.0 * (2.0 / 3.0 * lagged(1) + 1.0 / 3.0 * lagged(2));
    (middle, (long_run.max(LONG_RUN_MIN * spread) / n).sqrt())
}

/// Groups of a stretch: enough to see whether increments answer each other.
const GROUPS: usize = 14;

/// From so few increments no more is believed of how they answer each other: pure shivering would
/// come to about this.
const LONG_RUN_MIN: f64 = 0.25;

/// The largest fall between the means of groups, beyond what their noise does: neither single noisy
/// points nor the luck of two dozen groups is a giving back.
fn fallen(axis: &Axis) -> f64 {
    let size = (axis.values.len() / 24).max(1);
    let means = axis.values.chunks(size).map(|c| c.iter().sum::<f64>() / c.len() as f64);
    let means: Vec<f64> = means.collect();
    let fall = |(highest, worst): (f64, f64), value: &f64| {
        (f64::max(highest, *value), f64::max(worst, highest - value))
    };
    let fallen = means.iter().fold((f64::NEG_INFINITY, 0.0), fall).1;
    (fallen - NOISE_OF_GROUPS * typical_step(&means)).max(0.0)
}

/// Two dozen draws of noise differ by four of its deviations; neighbours typically by one.
const NOISE_OF_GROUPS: f64 = 2.0;

/// The median deviation of the steps between neighbours from their median: a hump has few large
/// ones, noise has many.
fn typical_step(means: &[f64]) -> f64 {
    let mut steps: Vec<f64> = means.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let middle = median(&mut steps);
    let mut apart: Vec<f64> = steps.iter().map(|step| (step - middle).abs()).collect();
    median(&mut apart)
}

/// Splits a stretch where a flat beginning and a rising end tell it better than one line. Returns
/// the index at which the rise begins.
pub(crate) fn hinge(points: &[Point]) -> Option<usize> {
    let axis = Axes::of(points)?.straight;
    let fits = (8..points.len().saturating_sub(8)).filter_map(|index| {
        let begin = *axis.places.get(index)?;
        let fit = curve(&axis.places, &axis.values, |place| (place - begin).max(0.0))?;
        (fit.coefficients[1] > 0.0).then_some((index, fit))
    });
    let (index, best) = fits.min_by(|a, b| a.1.errors.total_cmp(&b.1.errors))?;
    let better = best.margin_over(axis.line.errors, axis.exact) >= limits::MARGIN.default;
    better.then_some(index)
}

/// Growth per hour of a stretch by a plain line; zero where it is too short to have one.
pub(crate) fn pace_of(points: &[Point]) -> f64 {
    let hours = match (points.first(), points.last()) {
        (Some(first), Some(last)) => last.at - first.at,
        (None, _) | (_, None) => return 0.0,
    };
    let axis = on_axis(points, |point| point.at);
    axis.map_or(0.0, |axis| axis.line.coefficients[1] / hours)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points(count: i32, value: impl Fn(f64) -> f64) -> Vec<Point> {
        let place = |i: i32| f64::from(i) / f64::from(count - 1);
        // A small fixed ripple stands for noise.
        let ripple = |i: i32| f64::from(i * i * 79 % 101 - 50) * 0.012;
        let point = |i: i32| {
            let at = place(i);
            Point { at, work: at, value: value(at) + ripple(i), samples: 4 }
        };
        (0..count).map(point).collect()
    }

    #[test]
    fn a_line_is_a_line_and_keeps_its_pace() {
        let trend = trend(&points(96, |x| 50.0 + 100.0 * x)).unwrap();
        assert_eq!(trend.shape, Shape::Line);
        assert!((trend.per_hour - 100.0).abs() < 2.0, "{trend:?}");
        assert!(trend.surprise > 8.0 && trend.pace > 0.9 && trend.late > 0.8, "{trend:?}");
    }

    #[test]
    fn a_curve_that_comes_to_rest_is_slowing() {
        for constant in [0.2, 0.5, 1.0] {
            let trend = trend(&points(96, |x| 100.0 * (1.0 - (-x / constant).exp()))).unwrap();
            assert_eq!(trend.shape, Shape::Slowing, "{constant} {trend:?}");
        }
    }

    #[test]
    fn what_remains_after_a_warm_up_is_judged_by_itself() {
        let warm = |x: f64| 80.0 * (1.0 - (-x / 0.03).exp());
        let trend = trend(&points(96, |x| warm(x) + 60.0 * x)).unwrap();
        assert_eq!(trend.shape, Shape::Line, "{trend:?}");
        assert!((trend.per_hour - 60.0).abs() < 6.0, "{trend:?}");
    }

    #[test]
    fn a_rise_that_began_in_the_middle_is_found() {
        let late = points(96, |x| 100.0 * (x - 0.6).max(0.0));
        let begin = hinge(&late).unwrap();
        assert!((begin as f64 / 96.0 - 0.6).abs() < 0.05, "{begin}");
        assert_eq!(hinge(&points(96, |x| 100.0 * x)), None);
    }
}
