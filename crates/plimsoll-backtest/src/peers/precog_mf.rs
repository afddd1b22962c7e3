//! PrecogMF: change points, linear trends between them, a comparison with the trends that the same
//! series showed before, and a filter on its maxima (Jindal, Staab, Cardoso, Gerndt, Podolskiy:
//! "Online Memory Leak Detection in the Cloud-Based Infrastructures", 2021; arXiv 2106.08938).
//!
//! Written from its description, every published parameter kept: five-minute points and trends of
//! six hours mean that it cannot speak about minutes. Memory is a share of the limit, as the
//! machine's was; without any limit there is no share and it cannot fire. What the description
//! leaves open is read in its favour:
//! - the beginning and the end of a stretch count as change points, else a series without any
//!   would never be judged;
//! - at each look it judges the last three tenths of what was seen and learns from the rest, the
//!   usual split; while those are shorter than the shortest trend it judges six hours, as soon as
//!   there are as many to learn from;
//! - the maxima are asked of each stretch that looks like a leak, and one that passes is enough.
//!
//! Its optional removal of a daily season is left out.

use plimsoll_model::{ServiceHistory, Timestamp};

use super::line::Line;
use super::memory::{Lives, Memory, RESIDENT, View, watch};
use super::resample::{REACH, STEP_HOURS, five_minute_medians, median, smoothed};
use crate::detector::{Detector, Said};

/// Trends held against the trends before.
#[derive(Clone, Copy, Debug, Default)]
pub struct PrecogMf;

const LIMIT_PERCENT: f64 = 100.0;
/// A series that ends below this is left alone.
const LAST_PERCENT_MIN: f64 = 40.0;
const TREND_HOURS_MIN: f64 = 6.0;
/// Those hours from the first point to the last.
const TREND_POINTS_MIN: usize = 73;
const R_SQUARED_MIN: f64 = 0.8;
const EXIT_HOURS_MAX: f64 = 7.0 * 24.0;
/// Of the modified z-score of a step between two points.
const Z_MIN: f64 = 3.5;
/// Makes a median deviation comparable with a standard deviation.
const Z_SCALE: f64 = 0.6745;
/// Six hours.
const CHANGE_POINTS_APART: usize = 72;
const LARGEST: usize = 10;
/// Maxima from here on are never filtered.
const PERCENT_NEVER_FILTERED: f64 = 95.0;

impl Detector for PrecogMf {
    fn name(&self) -> &'static str {
        "precog_mf"
    }

    fn rule(&self) -> &'static str {
        "a linear trend of 6 h or more that exhausts within 7 days, beyond the trends and maxima \
         seen before (PrecogMF, arXiv 2106.08938)"
    }

    fn watch(&self, history: &ServiceHistory, looks: &[Timestamp]) -> Vec<Said> {
        let view = View { metrics: RESIDENT, lives: Lives::Joined, reach: REACH };
        watch(history, looks, view, |memory, at| leaks(memory, at).unwrap_or(false))
    }
}

/// None without a limit.
fn leaks(memory: &Memory<'_>, at: Timestamp) -> Option<bool> {
    let share = LIMIT_PERCENT / memory.limit_at(at)?;
    let mut points = five_minute_medians(memory.samples());
    points.iter_mut().for_each(|value| *value *= share);
    let (seen, judged) = points.split_at(points.len() - judged_points(points.len()));
    Some(Habits::of(&smoothed(seen)).are_broken_by(&smoothed(judged)))
}

/// How many of the newest points are judged; the others are what it learns from.
fn judged_points(count: usize) -> usize {
    (count * 3 / 10).max(TREND_POINTS_MIN).min(count / 2)
}

/// A straight rise.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Trend {
    r_squared: f64,
    hours: f64,
    per_hour: f64,
    exit_hours: f64,
}

impl Trend {
    fn matters(&self) -> bool {
        self.exit_hours <= EXIT_HOURS_MAX
    }
}

/// What a series did before and got away with.
#[derive(Clone, Debug, Default, PartialEq)]
struct Habits {
    trends: Vec<Trend>,
    per_hour_max: f64,
    hours_max: f64,
    /// The median of its largest values.
    level: f64,
}

impl Habits {
    fn of(seen: &[f64]) -> Self {
        let course = Course::of(seen);
        let mut habits = Self { level: median(&mut largest(seen)), ..Self::default() };
        for trend in course.finished_trends() {
            habits.per_hour_max = habits.per_hour_max.max(trend.per_hour);
            habits.hours_max = habits.hours_max.max(trend.hours);
            habits.trends.push(trend);
        }
        habits
    }

    fn are_broken_by(&self, judged: &[f64]) -> bool {
        if judged.last().is_none_or(|last| *last < LAST_PERCENT_MIN) {
            return false;
        }
        let course = Course::of(judged);
        let end = judged.len() - 1;
        let leak = |from: usize| {
            let trend = course.trend(from, end).filter(Trend::matters);
            trend.is_some_and(|trend| self.is_unseen(&trend))
                && judged.get(from..).is_some_and(|stretch| !self.filters(stretch))
        };
        course.change_points.iter().rev().any(|from| leak(*from))
    }

    fn is_unseen(&self, trend: &Trend) -> bool {
        let exceeds = |seen: &Trend| trend.per_hour > seen.per_hour && trend.hours > seen.hours;
        let beyond_all = trend.per_hour >= self.per_hour_max && trend.hours >= self.hours_max;
        beyond_all || self.trends.iter().any(exceeds)
    }

    /// The maximum filter: a level that was reached before is no news.
    fn filters(&self, stretch: &[f64]) -> bool {
        let known = |value: &f64| *value < PERCENT_NEVER_FILTERED && *value < self.level;
        largest(stretch).iter().any(known)
    }
}

fn largest(values: &[f64]) -> Vec<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(|a, b| b.total_cmp(a));
    sorted.truncate(LARGEST);
    sorted
}

/// A series with its change points, and sums that make a line through any stretch cheap.
struct Course<'a> {
    values: &'a [f64],
    change_points: Vec<usize>,
    sums: Vec<Sums>,
}

impl<'a> Course<'a> {
    fn of(values: &'a [f64]) -> Self {
        let mut sums = vec![Sums::default()];
        let mut sum = Sums::default();
        let base = values.first().copied().unwrap_or(0.0);
        for (index, value) in values.iter().enumerate() {
            sum = sum.with(index as f64 * STEP_HOURS, value - base);
            sums.push(sum);
        }
        Self { values, change_points: change_points(values), sums }
    }

    /// The best trend from each change point, where it matters and ended before the series did.
    fn finished_trends(&self) -> impl Iterator<Item = Trend> {
        let end = self.values.len().saturating_sub(1);
        let from_each = move |(index, from): (usize, &usize)| {
            let mut best: Option<(usize, Trend)> = None;
            for to in self.change_points.iter().skip(index + 1).copied().chain([end]) {
                let Some(trend) = self.trend(*from, to) else { continue };
                let better = best.is_none_or(|(_, best)| {
                    trend.r_squared >= best.r_squared
                        && trend.hours >= best.hours
                        && trend.per_hour >= best.per_hour
                });
                best = if better { Some((to, trend)) } else { best };
            }
            best.filter(|(to, trend)| *to < end && trend.matters()).map(|(_, trend)| trend)
        };
        self.change_points.iter().enumerate().filter_map(from_each)
    }

    /// None where it is too short, not straight, or does not rise.
    fn trend(&self, from: usize, to: usize) -> Option<Trend> {
        let hours = to.saturating_sub(from) as f64 * STEP_HOURS;
        let (before, until) = (self.sums.get(from)?, self.sums.get(to + 1)?);
        let line = until.line_since(before)?;
        let exit_hours = (LIMIT_PERCENT - self.values.get(to)?) / line.slope;
        // A rounding error below six hours is six hours.
        let long = hours > TREND_HOURS_MIN - 0.5 * STEP_HOURS;
        let straight = line.slope > 0.0 && line.r_squared > R_SQUARED_MIN;
        let trend = Trend { r_squared: line.r_squared, hours, per_hour: line.slope, exit_hours };
        (long && straight).then_some(trend)
    }
}

/// Where a step is out of the ordinary, at least six hours apart; the beginning is the first.
fn change_points(values: &[f64]) -> Vec<usize> {
    let steps: Vec<f64> = values.windows(2).map(|pair| (pair[1] - pair[0]).abs()).collect();
    let typical = median(&mut steps.clone());
    let mut deviations: Vec<f64> = steps.iter().map(|step| (step - typical).abs()).collect();
    let deviation = median(&mut deviations);
    let mut found = vec![0];
    let mut last = 0;
    for (index, step) in steps.iter().enumerate() {
        // Where more than half of the steps are equal any other is infinitely unusual.
        let z = Z_SCALE * (step - typical) / deviation;
        if z > Z_MIN && index + 1 >= last + CHANGE_POINTS_APART {
            last = index + 1;
            found.push(last);
        }
    }
    found
}

/// Sums over the points before an index.
#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    count: f64,
    x: f64,
    y: f64,
    xx: f64,
    xy: f64,
    yy: f64,
}

impl Sums {
    fn with(self, x: f64, y: f64) -> Self {
        Self {
            count: self.count + 1.0,
            x: self.x + x,
            y: self.y + y,
            xx: self.xx + x * x,
            xy: self.xy + x * y,
            yy: self.yy + y * y,
        }
    }

    fn line_since(&self, before: &Self) -> Option<Line> {
        let count = self.count - before.count;
        let (x, y) = (self.x - before.x, self.y - before.y);
        let xx = self.xx - before.xx - x * x / count;
        let xy = self.xy - before.xy - x * y / count;
        let yy = self.yy - before.yy - y * y / count;
        /// Squared percent a point: what is left of sums of flat stretches is rounding.
        const ROUNDING: f64 = 1e-9;
        let slope = xy / xx;
        let r_squared = if yy > ROUNDING * count { xy * xy / (xx * yy) } else { 0.0 };
        (count >= 2.0).then(|| Line { slope, level: (y - slope * x) / count, r_squared })
    }
}

#[cfg(test)]
mod tests {
    use super::super::drawn::{Drawn, GIB, alarms, first_alarm, noise};
    use super::*;

    /// Percent of the limit at one sample a minute, with a little noise.
    fn drawn(hours: f64, percent: impl Fn(f64) -> f64) -> ServiceHistory {
        let drawn = Drawn { hours, step_secs: 60, ..Drawn::default() };
        drawn.history(|h| GIB * (percent(h) + 0.1 * noise(h)) / 100.0)
    }

    #[test]
    fn a_leak_after_calm_is_found_once_its_trend_is_six_hours_long() {
        let history = drawn(72.0, |h| 45.0 + 1.5 * (h - 48.0).max(0.0));
        let hour = first_alarm(&PrecogMf, &history, (40.0, 72.0, 0.5)).unwrap();
        assert!((53.0..63.0).contains(&hour), "{hour}");
    }

    #[test]
    fn below_forty_percent_and_without_a_limit_it_says_nothing() {
        let low = drawn(72.0, |h| 15.0 + 1.0 * (h - 48.0).max(0.0));
        assert!(!alarms(&PrecogMf, &low, 71.0));
        let unlimited = Drawn { limit: None, hours: 72.0, ..Drawn::default() };
        let history = unlimited.history(|h| GIB * (0.45 + 0.015 * (h - 48.0).max(0.0)));
        assert!(!alarms(&PrecogMf, &history, 71.0));
    }

    #[test]
    fn flat_noise_and_a_trend_that_needs_weeks_are_quiet() {
        let flat = drawn(72.0, |_| 60.0);
        assert_eq!(first_alarm(&PrecogMf, &flat, (1.0, 72.0, 1.0)), None);
        let slow = drawn(72.0, |h| 45.0 + 0.1 * h);
        assert!(!alarms(&PrecogMf, &slow, 72.0));
    }

    #[test]
    fn it_cannot_speak_about_minutes() {
        let drawn = Drawn { hours: 0.2, step_secs: 1, ..Drawn::default() };
        let history = drawn.history(|h| GIB * (0.4 + 2.5 * h));
        assert!(!alarms(&PrecogMf, &history, 0.2));
    }

    #[test]
    fn a_ramp_that_came_back_to_a_known_level_is_a_habit() {
        // Every day eight hours up by 40 %, then back: as steep, as long, and as high as before.
        let daily =
            |h: f64| 40.0 + 5.0 * (h % 24.0 - 4.0).clamp(0.0, 8.0) * f64::from(h % 24.0 < 12.0);
        let history = drawn(24.0 * 6.0 + 11.0, daily);
        assert!(!alarms(&PrecogMf, &history, 24.0 * 6.0 + 11.0));
        // The same ramp for the first time is not.
        let once = drawn(35.0, |h| if h < 24.0 { 40.0 } else { daily(h) });
        assert!(alarms(&PrecogMf, &once, 35.0));
    }

    #[test]
    fn maxima_that_were_seen_before_are_filtered() {
        let habits = Habits { level: 80.0, ..Habits::default() };
        let rising = |to: f64| (0..100).map(|i| to - 30.0 + 0.3 * f64::from(i)).collect::<Vec<_>>();
        assert!(!habits.are_broken_by(&rising(75.0)));
        assert!(habits.are_broken_by(&rising(90.0)));
    }

    #[test]
    fn a_step_is_a_change_point_and_even_noise_has_none() {
        let even = |i: i32| (2.3 * f64::from(i)).sin();
        let course = |step: f64| (0..300).map(|i| even(i) + step * f64::from(i >= 150)).collect();
        let (flat, stepped): (Vec<f64>, Vec<f64>) = (course(0.0), course(30.0));
        assert_eq!(change_points(&flat), [0]);
        assert_eq!(change_points(&stepped), [0, 150]);
        assert_eq!(change_points(&[]), [0]);
    }

    #[test]
    fn of_change_points_within_six_hours_the_first_stays() {
        let steps = |i: i32| {
            (2.3 * f64::from(i)).sin() + 20.0 * f64::from(i >= 90) + 20.0 * f64::from(i >= 99)
        };
        let values: Vec<f64> = (0..300).map(steps).collect();
        assert_eq!(change_points(&values), [0, 90]);
    }

    #[test]
    fn sums_draw_the_same_line_as_points() {
        let values: Vec<f64> = (0..200).map(|i| 50.0 + noise(f64::from(i))).collect();
        let course = Course::of(&values);
        let sums = course.sums[151].line_since(&course.sums[20]).unwrap();
        let points = (20..151).map(|i| (i as f64 * STEP_HOURS, values[i] - values[0]));
        let line = Line::through(points).unwrap();
        assert!((sums.slope - line.slope).abs() < 1e-9);
        assert!((sums.r_squared - line.r_squared).abs() < 1e-9);
    }
}
