//! The open-source rule over one hour: a least-squares line through resident memory, growth of
//! more than 10 % an hour held for 15 minutes (Coroot CE, check and alert `memory-leak`, 2026).
//!
//! Written from its description, every threshold literal. The points are what a query of
//! Prometheus returns, one every 30 s, each the newest sample within the lookback; so series of
//! one second and of five minutes are read as well as of 30 s. Three things differ: the alert is
//! evaluated every three minutes instead of one or two; jobs, of which the original says nothing,
//! are not known here; and of two longest runs the newer is taken.

use plimsoll_model::{ServiceHistory, Span, Timestamp};

use super::line::Line;
use super::memory::{Lives, Memory, RESIDENT, View, watch};
use crate::detector::{Detector, Said};

/// Growth over one hour of resident memory.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ols1h;

const WINDOW_HOURS: f64 = 1.0;
const STEP: Span = Span::from_secs(30);
const POINTS: i64 = 120;
/// Below this share of the points the window says nothing.
const PRESENT_MIN: f64 = 0.8;
/// A point below this share of the one before it is a restart.
const RESTART_DROP: f64 = 0.5;
const RUN_POINTS_MIN: usize = 10;
const RUN_WINDOW_SHARE_MIN: f64 = 1.0 / 3.0;
const TAIL_SHARE: f64 = 0.25;
const TAIL_HOURS_MIN: f64 = 0.25;
const TAIL_POINTS_MIN: usize = 5;
/// The tail must keep this share of the slope, else the growth is coming to rest.
const TAIL_SLOPE_MIN: f64 = 0.3;
const LIMIT_SHARE_MIN: f64 = 0.05;
/// What counts where no limit is known.
const BYTES_MIN: f64 = 50.0 * 1_048_576.0;
const GROWTH_PERCENT: f64 = 10.0;

/// How far apart the alert is evaluated here.
const EVALUATED_EVERY: Span = Span::from_mins(3);
/// Six evaluations in a row are 15 minutes (`for`).
const FOR_EVALUATIONS: usize = 6;
/// It goes on firing for 15 minutes after the condition ended.
const KEEP_FIRING_EVALUATIONS: usize = 5;

impl Detector for Ols1h {
    fn name(&self) -> &'static str {
        "ols_1h"
    }

    fn rule(&self) -> &'static str {
        "least squares over 1 h of RSS: more than 10 %/h and 5 % of the limit (or 50 MiB), for 15 \
         min (Coroot CE, memory-leak)"
    }

    fn watch(&self, history: &ServiceHistory, looks: &[Timestamp]) -> Vec<Said> {
        // The hour, 30 minutes of evaluations, and room for the lookback.
        let reach = Span::from_hours(2);
        watch(history, looks, View { metrics: RESIDENT, lives: Lives::Joined, reach }, fires)
    }
}

/// Whether the alert is firing: six evaluations in a row, of which the last is at most 15 minutes
/// old.
fn fires(memory: &Memory<'_>, at: Timestamp) -> bool {
    let back = |index: usize| {
        at - Span::from_millis(EVALUATED_EVERY.as_millis().saturating_mul(index as i64))
    };
    let mut in_a_row = 0;
    for index in 0..FOR_EVALUATIONS + KEEP_FIRING_EVALUATIONS {
        let over = growth_percent(memory, back(index)).is_some_and(|g| g > GROWTH_PERCENT);
        in_a_row = if over { in_a_row + 1 } else { 0 };
        if in_a_row == FOR_EVALUATIONS {
            return true;
        }
        // A row that begins later than this can only be too old when it is complete.
        if index + 1 - in_a_row > KEEP_FIRING_EVALUATIONS {
            return false;
        }
    }
    false
}

/// Growth over the hour before `to` in percent; none where the rule says there is none.
fn growth_percent(memory: &Memory<'_>, to: Timestamp) -> Option<f64> {
    let points = grid(memory, to);
    if (points.len() as f64) < PRESENT_MIN * POINTS as f64 {
        return None;
    }
    let run = longest_run(&points);
    let enough = (RUN_WINDOW_SHARE_MIN * POINTS as f64).max(RUN_POINTS_MIN as f64);
    if (run.len() as f64) < enough {
        return None;
    }
    let line = Line::through(run.iter().copied()).filter(|line| line.slope > 0.0)?;
    tail_slope(run).filter(|slope| *slope > 0.0 && *slope >= TAIL_SLOPE_MIN * line.slope)?;
    let (start, end) = (line.at(-WINDOW_HOURS), line.at(0.0));
    if end <= 0.0 {
        return None;
    }
    let grown = end - start;
    let limit = memory.own_limit_max(to - Span::from_hours(1), to);
    let material = limit.map_or(BYTES_MIN, |limit| LIMIT_SHARE_MIN * limit);
    (grown >= material).then(|| 100.0 * grown / if start > 0.0 { start } else { end })
}

/// Hours before `to` (negative) and values.
fn grid(memory: &Memory<'_>, to: Timestamp) -> Vec<(f64, f64)> {
    let mut points = Vec::with_capacity(POINTS as usize);
    let mut rest = memory.samples();
    let mut newest = None;
    for index in (0..POINTS).rev() {
        let back = Span::from_millis(STEP.as_millis() * index);
        let at = to - back;
        let (past, future) = rest.split_at(rest.partition_point(|sample| sample.at <= at));
        newest = past.last().or(newest);
        rest = future;
        let fresh = newest.filter(|sample| at.since(sample.at) < memory.lookback());
        points.extend(fresh.map(|sample| (-back.as_hours_f64(), sample.value)));
    }
    points
}

/// The longest stretch without a restart.
fn longest_run(points: &[(f64, f64)]) -> &[(f64, f64)] {
    let runs = points.chunk_by(|(_, before), (_, value)| *value >= RESTART_DROP * before);
    runs.max_by_key(|run| run.len()).unwrap_or(&[])
}

fn tail_slope(run: &[(f64, f64)]) -> Option<f64> {
    let (first, last) = (run.first()?.0, run.last()?.0);
    let hours = (TAIL_SHARE * (last - first)).max(TAIL_HOURS_MIN);
    let tail = run.get(run.partition_point(|(at, _)| *at < last - hours)..)?;
    if tail.len() < TAIL_POINTS_MIN {
        return None;
    }
    Line::through(tail.iter().copied()).map(|line| line.slope)
}

#[cfg(test)]
mod tests {
    use super::super::drawn::{Drawn, GIB, MIB, alarms, first_alarm, noise};
    use super::*;

    /// Shares of the limit, with half a percent of noise.
    fn drawn(hours: f64, share: impl Fn(f64) -> f64) -> ServiceHistory {
        Drawn { hours, ..Drawn::default() }.history(|h| GIB * (share(h) + 0.005 * noise(h)))
    }

    fn first(history: &ServiceHistory, hours: f64) -> Option<f64> {
        first_alarm(&Ols1h, history, (0.1, hours, 0.05))
    }

    /// Calm at `from` for six hours, then a leak that would fill the limit in `fill` hours.
    fn leak(from: f64, fill: f64) -> Option<f64> {
        let share = |h: f64| (from + (1.0 - from) * (h - 6.0).max(0.0) / fill).min(1.0);
        let found = first(&drawn(6.0 + fill, share), 6.0 + fill);
        found.map(|hour| hour - 6.0)
    }

    #[test]
    fn it_is_quiet_on_flat_noise() {
        let flat = |h: f64| GIB * (0.5 + 0.01 * noise(h));
        let history = Drawn::default().history(flat);
        assert_eq!(first_alarm(&Ols1h, &history, (0.1, 24.0, 0.1)), None);
    }

    #[test]
    fn it_fires_on_a_slow_warm_up_as_soon_as_it_can_and_not_on_a_quick_one() {
        let warm = |tau: f64| first(&drawn(8.0, |h| 0.1 + 0.4 * (1.0 - (-h / tau).exp())), 8.0);
        for tau in [0.5, 1.0, 3.0] {
            let hour = warm(tau).unwrap();
            assert!((1.0..1.2).contains(&hour), "tau {tau} fired at {hour}");
        }
        assert_eq!(warm(1.0 / 3.0), None);
    }

    #[test]
    fn it_finds_what_fills_within_half_a_day_and_misses_what_takes_longer() {
        let found = |fill: f64, hours: std::ops::Range<f64>| {
            let delay = leak(0.3, fill).unwrap();
            assert!(hours.contains(&delay), "fill {fill} found after {delay}");
        };
        found(2.0, 0.4..0.6);
        found(6.0, 0.6..0.9);
        found(12.0, 0.9..1.5);
        assert_eq!(leak(0.3, 24.0), None);
        assert!(leak(0.6, 6.0).is_some());
        assert_eq!(leak(0.6, 10.0), None);
    }

    #[test]
    fn it_fires_on_a_batch_that_gives_back_and_on_a_wide_day_curve() {
        let batch = |h: f64| 0.3 + 0.15 * (h - 6.0).clamp(0.0, 2.0) * f64::from(h < 8.0);
        assert!(first(&drawn(12.0, batch), 12.0).is_some());
        let day = |p: f64| move |h: f64| 0.4 + p * (std::f64::consts::TAU * h / 24.0).sin();
        assert!(first(&drawn(24.0, day(0.25)), 24.0).is_some());
        assert_eq!(first(&drawn(24.0, day(0.12)), 24.0), None);
    }

    #[test]
    fn without_a_limit_fifty_mebibytes_an_hour_count() {
        let drawn = Drawn { limit: None, hours: 6.0, ..Drawn::default() };
        let grown = |per_hour: f64| drawn.history(|h| 200.0 * MIB + per_hour * MIB * h);
        assert!(alarms(&Ols1h, &grown(60.0), 1.5));
        assert!(!alarms(&Ols1h, &grown(40.0), 1.5));
    }

    #[test]
    fn it_keeps_firing_for_a_quarter_of_an_hour() {
        // The process is replaced at 3 h: the longest run is soon too short to grow.
        let share = |h: f64| if h < 3.0 { 0.2 + 0.2 * h } else { 0.2 };
        let history = Drawn::default().history(|h| GIB * share(h));
        let last = (60..120).rev().find(|n| alarms(&Ols1h, &history, f64::from(*n) * 0.05));
        let hour = f64::from(last.unwrap()) * 0.05;
        assert!((3.5..4.0).contains(&hour), "{hour}");
    }

    #[test]
    fn coarse_and_fine_series_are_read_alike() {
        for step_secs in [1, 30, 300] {
            let drawn = Drawn { hours: 3.0, step_secs, ..Drawn::default() };
            let history = drawn.history(|h| GIB * (0.2 + 0.1 * h));
            assert!(alarms(&Ols1h, &history, 3.0), "{step_secs}");
            let flat = drawn.history(|_| GIB * 0.5);
            assert!(!alarms(&Ols1h, &flat, 3.0), "{step_secs}");
        }
    }
}
