//! What one of these rules sees of a service at a moment: one series of memory for each instance,
//! its limit, and nothing of the future.
//!
//! These rules know no lives. A metric of a container carries the container's id, so a rule that
//! reads it straight from Prometheus sees the current life only; a rule that reads a whole
//! instance or machine sees all lives one after the other ([`Lives`]). An instance that is no
//! longer measured has no series. Not here: any judgement of the values.

use std::borrow::Cow;
use std::collections::BTreeMap;

use plimsoll_model::{InstanceName, Life, Metric, Sample, Series, ServiceHistory, Span, Timestamp};

use crate::detector::Said;

/// What rules about resident memory read, in the order of preference.
pub(super) const RESIDENT: &[Metric] = &[
    Metric::ProcessMemoryRss,
    Metric::ContainerMemoryAnon,
    Metric::ProcessMemoryAnon,
    Metric::ProcessMemoryPss,
    Metric::ContainerMemoryWorkingSet,
    Metric::ContainerMemoryUsage,
    Metric::RuntimeHeapUsed,
    Metric::RuntimeHeapLive,
];

/// What rules about the working set read, in the order of preference.
pub(super) const WORKING_SET: &[Metric] = &[
    Metric::ContainerMemoryWorkingSet,
    Metric::ContainerMemoryUsage,
    Metric::ProcessMemoryRss,
    Metric::ContainerMemoryAnon,
    Metric::ProcessMemoryAnon,
    Metric::ProcessMemoryPss,
    Metric::RuntimeHeapUsed,
    Metric::RuntimeHeapLive,
];

const OF_HEAP: &[Metric] =
    &[Metric::RuntimeHeapLimit, Metric::ContainerMemoryLimit, Metric::NodeMemoryAllocatable];
const OF_MEMORY: &[Metric] = &[Metric::ContainerMemoryLimit, Metric::NodeMemoryAllocatable];

/// Limits from here on are ways of saying "none": the kernel prints 2^63, cgroups a page less.
const NO_LIMIT: f64 = 1e15;

/// For how long Prometheus takes an old sample for the present one, by default.
const LOOKBACK: Span = Span::from_mins(5);

/// Where samples are further apart than `LOOKBACK` expects, whoever runs Prometheus sets it to a
/// few intervals: otherwise every rule would be blind between samples.
const LOOKBACK_INTERVALS: i64 = 3;

/// Which lives of an instance a rule sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lives {
    Current,
    Joined,
}

/// What a rule asks for.
#[derive(Clone, Copy, Debug)]
pub(super) struct View {
    pub(super) metrics: &'static [Metric],
    pub(super) lives: Lives,
    /// How far back it reads.
    pub(super) reach: Span,
}

/// The memory of one instance, as a rule sees it at a moment.
#[derive(Clone, Debug)]
pub(super) struct Memory<'a> {
    samples: Cow<'a, [Sample]>,
    lookback: Span,
    limited_by: &'static [Metric],
    lives: &'a [&'a Life],
}

impl Memory<'_> {
    pub(super) fn samples(&self) -> &[Sample] {
        &self.samples
    }

    pub(super) fn lookback(&self) -> Span {
        self.lookback
    }

    /// The samples of the range that ends at `to`: `from < at <= to`, as Prometheus selects.
    pub(super) fn range(&self, from: Timestamp, to: Timestamp) -> &[Sample] {
        let start = self.samples.partition_point(|sample| sample.at <= from);
        let end = self.samples.partition_point(|sample| sample.at <= to);
        self.samples.get(start..end).unwrap_or(&[])
    }

    /// What Prometheus answers when asked for the value at `at`.
    pub(super) fn value_at(&self, at: Timestamp) -> Option<f64> {
        self.range(at - self.lookback, at).last().map(|sample| sample.value)
    }

    /// What this memory runs out against, as known at `at`.
    pub(super) fn limit_at(&self, at: Timestamp) -> Option<f64> {
        let known =
            |metric: &Metric| self.limits_until(*metric, at).last().map(|limit| limit.value);
        self.limited_by.iter().filter_map(known).find(|limit| is_limit(*limit))
    }

    /// The highest limit of the container (of a heap: the heap's) between `from` and `to`, or the
    /// last one before. A node's memory is not counted.
    pub(super) fn own_limit_max(&self, from: Timestamp, to: Timestamp) -> Option<f64> {
        let highest = |metric: &Metric| {
            let limits = self.limits_until(*metric, to);
            let inside = limits.partition_point(|limit| limit.at <= from).saturating_sub(1);
            let values = limits.get(inside..).unwrap_or(&[]).iter().map(|limit| limit.value);
            values.filter(|limit| is_limit(*limit)).max_by(f64::total_cmp)
        };
        let own = |metric: &&Metric| **metric != Metric::NodeMemoryAllocatable;
        self.limited_by.iter().filter(own).find_map(highest)
    }

    /// From the newest life in which it was measured by then.
    fn limits_until(&self, metric: Metric, at: Timestamp) -> &[Sample] {
        let series = self.lives.iter().rev().filter_map(|life| life.series(metric));
        series.map(|series| until(series, at)).find(|limits| !limits.is_empty()).unwrap_or(&[])
    }
}

/// Asks a rule about each instance at each look; the service alarms if any instance does.
pub(super) fn watch(
    history: &ServiceHistory,
    looks: &[Timestamp],
    view: View,
    alarms: impl Fn(&Memory<'_>, Timestamp) -> bool,
) -> Vec<Said> {
    let mut instances: BTreeMap<&InstanceName, Vec<&Life>> = BTreeMap::new();
    for life in &history.lives {
        instances.entry(&life.instance).or_default().push(life);
    }
    let leaking = |at: Timestamp| {
        instances.values().any(|lives| view.of(lives, at).is_some_and(|memory| alarms(&memory, at)))
    };
    let said = |at: &Timestamp| {
        let leaking = leaking(*at);
        Said { at: *at, leaking, pages: leaking, assessment: None }
    };
    looks.iter().map(said).collect()
}

/// The `for` of an alert rule: the condition holds at `at` and at every evaluation since `span`
/// before.
pub(super) fn held(at: Timestamp, span: Span, holds: impl Fn(Timestamp) -> bool) -> bool {
    /// Prometheus evaluates rules once a minute unless told otherwise.
    const EVERY: i64 = Span::from_mins(1).as_millis();
    let evaluations = 0..=span.as_millis() / EVERY;
    evaluations.into_iter().all(|back| holds(at - Span::from_millis(back * EVERY)))
}

impl View {
    /// None where nothing is measured any more, or not yet.
    fn of<'a>(self, lives: &'a [&'a Life], at: Timestamp) -> Option<Memory<'a>> {
        let newest = |metric: Metric| {
            let series = lives.iter().rev().filter_map(|life| life.series(metric));
            series.map(|series| until(series, at)).find(|samples| !samples.is_empty())
        };
        let fresh = |metric: &Metric| {
            let samples = newest(*metric)?;
            let lookback = lookback(samples);
            let last = samples.last()?;
            (at.since(last.at) <= lookback).then_some((*metric, samples, lookback))
        };
        let (metric, current, lookback) = self.metrics.iter().find_map(fresh)?;
        let since = at - self.reach;
        let samples = match self.lives {
            Lives::Current => Cow::Borrowed(after(current, since)),
            Lives::Joined => joined(lives, metric, since, at),
        };
        let of_heap = matches!(metric, Metric::RuntimeHeapUsed | Metric::RuntimeHeapLive);
        let limited_by = if of_heap { OF_HEAP } else { OF_MEMORY };
        Some(Memory { samples, lookback, limited_by, lives })
    }
}

/// All lives of an instance as one series.
fn joined<'a>(
    lives: &[&'a Life],
    metric: Metric,
    since: Timestamp,
    at: Timestamp,
) -> Cow<'a, [Sample]> {
    let series = lives.iter().filter_map(|life| life.series(metric));
    let parts: Vec<_> = series.map(|series| after(until(series, at), since)).collect();
    let mut parts = parts.into_iter().filter(|part| !part.is_empty());
    let Some(first) = parts.next() else { return Cow::Borrowed(&[]) };
    let Some(second) = parts.next() else { return Cow::Borrowed(first) };
    let mut samples = [first, second].concat();
    parts.for_each(|part| samples.extend_from_slice(part));
    // Lives follow each other; only a late reading makes them overlap.
    samples.sort_by_key(|sample| sample.at);
    Cow::Owned(samples)
}

fn until(series: &Series, at: Timestamp) -> &[Sample] {
    let end = series.samples().partition_point(|sample| sample.at <= at);
    series.samples().get(..end).unwrap_or(&[])
}

fn after(samples: &[Sample], since: Timestamp) -> &[Sample] {
    let start = samples.partition_point(|sample| sample.at <= since);
    samples.get(start..).unwrap_or(&[])
}

/// From the newest intervals, because those say how it is measured now.
fn lookback(samples: &[Sample]) -> Span {
    const NEWEST: usize = 16;
    let newest = samples.get(samples.len().saturating_sub(NEWEST)..).unwrap_or(&[]);
    let gap = |pair: &[Sample]| match pair {
        [a, b] => b.at.since(a.at).as_millis(),
        [..] => 0,
    };
    let mut gaps: Vec<i64> = newest.windows(2).map(gap).collect();
    gaps.sort_unstable();
    let typical = gaps.get(gaps.len() / 2).copied().unwrap_or(0);
    LOOKBACK.max(Span::from_millis(typical.saturating_mul(LOOKBACK_INTERVALS)))
}

fn is_limit(limit: f64) -> bool {
    limit > 0.0 && limit < NO_LIMIT
}

#[cfg(test)]
mod tests {
    use super::super::drawn::{Drawn, GIB, at_hours};
    use super::*;

    const HOUR: View =
        View { metrics: RESIDENT, lives: Lives::Current, reach: Span::from_hours(1) };

    fn seen(history: &ServiceHistory, view: View, hours: f64) -> Option<(usize, f64)> {
        let lives: Vec<&Life> = history.lives.iter().collect();
        let memory = view.of(&lives, at_hours(hours))?;
        Some((memory.samples().len(), memory.samples().last()?.value))
    }

    #[test]
    fn a_rule_sees_its_reach_and_nothing_later() {
        let history = Drawn { hours: 10.0, step_secs: 60, ..Drawn::default() }.history(|h| h);
        assert_eq!(seen(&history, HOUR, 5.0), Some((60, 5.0)));
        assert_eq!(seen(&history, HOUR, 0.5), Some((31, 0.5)));
        assert_eq!(seen(&history, HOUR, -1.0), None);
    }

    #[test]
    fn an_instance_that_is_gone_has_no_series() {
        let history = Drawn { hours: 2.0, step_secs: 60, ..Drawn::default() }.history(|h| h);
        assert!(seen(&history, HOUR, 2.08).is_some());
        assert_eq!(seen(&history, HOUR, 2.1), None);
        let coarse = Drawn { hours: 2.0, step_secs: 600, ..Drawn::default() }.history(|h| h);
        assert!(seen(&coarse, HOUR, 2.4).is_some());
    }

    #[test]
    fn a_restart_begins_anew_or_goes_on_as_the_rule_sees_it() {
        let drawn = Drawn { hours: 4.0, step_secs: 60, ..Drawn::default() };
        let mut history = drawn.history(|h| h);
        let mut second = history.lives[0].clone();
        let later = |series: &Series| {
            let moved = |s: &Sample| Sample { at: s.at + Span::from_hours(5), value: s.value };
            Series::from_unsorted(series.samples().iter().map(moved).collect())
        };
        second.series.values_mut().for_each(|series| *series = later(series));
        history.lives.push(second);
        let day = View { reach: Span::from_hours(24), ..HOUR };
        assert_eq!(seen(&history, day, 6.0), Some((61, 1.0)));
        let joined = View { lives: Lives::Joined, ..day };
        assert_eq!(seen(&history, joined, 6.0), Some((241 + 61, 1.0)));
    }

    #[test]
    fn a_limit_is_the_latest_that_is_one() {
        let mut history = Drawn::default().history(|_| 1.0);
        let life = &mut history.lives[0];
        let sample = |h: f64, value| Sample { at: at_hours(h), value };
        let limits = vec![sample(0.0, GIB), sample(1.0, 2.0 * GIB), sample(2.0, 9.2e18)];
        life.series.insert(Metric::ContainerMemoryLimit, Series::from_unsorted(limits));
        let node = vec![sample(0.0, 64.0 * GIB)];
        life.series.insert(Metric::NodeMemoryAllocatable, Series::from_unsorted(node));
        let lives: Vec<&Life> = history.lives.iter().collect();
        let memory = HOUR.of(&lives, at_hours(3.0)).unwrap();
        let check = |hours: f64, gib: f64| {
            assert_eq!(memory.limit_at(at_hours(hours)), Some(gib * GIB), "{hours}");
        };
        check(0.5, 1.0);
        check(1.5, 2.0);
        check(2.5, 64.0);
        let own = |from: f64, to: f64| memory.own_limit_max(at_hours(from), at_hours(to));
        assert_eq!(own(0.5, 1.5), Some(2.0 * GIB));
        assert_eq!(own(0.2, 0.9), Some(GIB));
        assert_eq!(own(2.5, 3.0), None);
    }

    #[test]
    fn a_condition_is_held_when_every_evaluation_agrees() {
        let since = |hours: f64| move |at: Timestamp| at >= at_hours(hours);
        assert!(held(at_hours(2.0), Span::from_mins(30), since(1.5)));
        assert!(!held(at_hours(2.0), Span::from_mins(30), since(1.6)));
    }
}
