//! What is looked at: the runs of every instance up to `now`, who is running, and since when.
//!
//! Not here: any judgement. Everything below speaks in hours since the scene's origin.

use std::collections::BTreeSet;

use plimsoll_model::{
    Change, Life, Metric, Observed, Outline, Series, ServiceHistory, Span, Stretch, Timestamp,
};

use crate::envelope::{Block, along, blocks, hours};
use crate::fit::median;
use crate::ladder::Rung;

/// A service at one moment.
#[derive(Debug)]
pub(crate) struct Scene<'a> {
    pub(crate) history: &'a ServiceHistory,
    pub(crate) now: Timestamp,
    pub(crate) origin: Timestamp,
    /// Oldest first.
    pub(crate) runs: Vec<Run<'a>>,
    running: Vec<Run<'a>>,
    seen: Vec<Seen<'a>>,
}

/// A signature that was seen up to now.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen<'a> {
    pub(crate) observed: Observed<'a>,
    /// Whether the instance that it was seen of still runs, so that it is about no other.
    pub(crate) runs: bool,
}

/// One uninterrupted run of one instance.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run<'a> {
    pub(crate) life: &'a Life,
    pub(crate) from: Timestamp,
    /// The newest sample.
    pub(crate) to: Timestamp,
}

/// A series that has been silent for this many of its own steps has stopped.
const SILENT_STEPS: f64 = 15.0;
/// And never before this: collectors restart too.
const SILENT_MIN: Span = Span::from_secs(60);
/// Nor for less than this share of the time it was seen, so that gaps do not end a service.
const SILENT_SHARE: f64 = 0.05;

impl<'a> Scene<'a> {
    pub(crate) fn of(history: &'a ServiceHistory, now: Timestamp) -> Self {
        let mut runs: Vec<_> = history.lives.iter().filter_map(run).collect();
        runs.retain(|run| run.from <= now);
        runs.sort_by_key(|run| (run.from, run.to));
        let origin = runs.first().map_or(now, |run| run.from);
        let mut scene = Self { history, now, origin, runs, running: vec![], seen: vec![] };
        let mut seen = BTreeSet::new();
        let newest = scene.runs.iter().rev().filter(|run| seen.insert(&run.life.instance));
        let reports = newest.filter(|run| run.to >= scene.silent_before(run));
        scene.running = reports.copied().collect();
        scene.seen = scene.signatures();
        scene
    }

    /// Read once, because every series of every run asks for them.
    fn signatures(&self) -> Vec<Seen<'a>> {
        let running: BTreeSet<_> = self.running.iter().map(|run| &run.life.instance).collect();
        let seen = |observed: Observed<'a>| {
            let runs = observed.instance.is_some_and(|name| running.contains(name));
            Seen { observed, runs }
        };
        self.changes().iter().filter_map(Observed::of).map(seen).collect()
    }

    /// Oldest first.
    pub(crate) fn seen(&self) -> &[Seen<'a>] {
        &self.seen
    }

    /// The newest run of every instance that still reports.
    pub(crate) fn running(&self) -> &[Run<'a>] {
        &self.running
    }

    /// What was last measured before this has stopped.
    pub(crate) fn silent_before(&self, run: &Run<'_>) -> Timestamp {
        let steps = run.step_hours() * SILENT_STEPS;
        let share = run.to.since(run.from).as_hours_f64() * SILENT_SHARE;
        let patience = Span::from_secs_f64(steps.max(share) * 3600.0).max(SILENT_MIN);
        self.now - patience
    }

    pub(crate) fn hours(&self, at: Timestamp) -> f64 {
        hours(at, self.origin)
    }

    pub(crate) fn moment(&self, hours: f64) -> Timestamp {
        self.origin + Span::from_secs_f64(hours * 3600.0)
    }

    /// Changes up to now.
    pub(crate) fn changes(&self) -> &'a [Change] {
        let changes = &self.history.changes;
        changes.get(..changes.partition_point(|change| change.at <= self.now)).unwrap_or(changes)
    }

    pub(crate) fn blocks(&self, run: &Run<'_>, rung: &Rung) -> Vec<Block> {
        let Some(outline) = run.outline(rung.metric) else { return Vec::new() };
        let mut blocks = blocks(outline, self.origin);
        if let Some(touched) = run.heap_touched().filter(|_| rung.beyond_heap) {
            let touched = along(&blocks, touched, self.origin);
            let mut most = f64::NEG_INFINITY;
            for (block, touched) in blocks.iter_mut().zip(touched) {
                most = most.max(touched);
                // Below what the heap may touch, a rise is the heap being touched.
                block.value = (block.value - most).max(0.0);
            }
        }
        blocks
    }

    /// Runs of the same instance that ended before this one began, newest first.
    pub(crate) fn earlier(&self, run: &Run<'_>) -> impl Iterator<Item = &Run<'a>> {
        let (instance, from) = (run.life.instance.clone(), run.from);
        let before = move |other: &&Run<'a>| other.from < from && other.life.instance == instance;
        self.runs.iter().rev().filter(before)
    }
}

impl<'a> Run<'a> {
    pub(crate) fn outline(&self, metric: Metric) -> Option<&'a Outline> {
        self.life.series(metric).map(Series::outline)
    }

    /// Samples of a metric; none where it is not measured.
    pub(crate) fn samples(&self, metric: Metric) -> u64 {
        self.outline(metric).map_or(0, Outline::samples)
    }

    /// What says how much of the heap was ever touched: the footprint holds that much whatever
    /// lives in it.
    pub(crate) fn heap_touched(&self) -> Option<&'a Outline> {
        self.outline(Metric::RuntimeHeapCommitted).or_else(|| self.outline(Metric::RuntimeHeapUsed))
    }

    /// The usual time between samples of a metric, in hours.
    pub(crate) fn step_of(&self, metric: Metric) -> f64 {
        self.outline(metric).map_or(0.0, step_hours)
    }

    /// The usual time between samples of the best measured series.
    fn step_hours(&self) -> f64 {
        let outlines = self.life.series.values().map(Series::outline);
        outlines.max_by_key(|outline| outline.samples()).map_or(0.0, step_hours)
    }
}

/// The median time between neighbouring samples, in hours: that of the median stretch, so that gaps
/// do not count.
fn step_hours(outline: &Outline) -> f64 {
    let step = |stretch: Stretch| {
        stretch.to.since(stretch.from).as_hours_f64() / f64::from(stretch.samples.max(1))
    };
    // The last stretch ends with a sample, not with the beginning of the next.
    let whole = outline.stretches().len().saturating_sub(1);
    let mut steps: Vec<f64> = outline.stretches().take(whole).map(step).collect();
    median(&mut steps)
}

fn run(life: &Life) -> Option<Run<'_>> {
    let outlines = || life.series.values().map(Series::outline);
    let from = outlines().filter_map(Outline::first).map(|sample| sample.at).min()?;
    let to = outlines().filter_map(Outline::last).map(|sample| sample.at).max()?;
    Some(Run { life, from, to })
}

#[cfg(test)]
mod tests {
    use super::*;
    use plimsoll_model::{InstanceName, Reading, SeriesLimit, ServiceName};

    fn history(rows: &[(i64, &str, Metric, f64)]) -> ServiceHistory {
        let service = ServiceName::new("orders").unwrap();
        let mut history = ServiceHistory::new(service.clone());
        for (at, instance, metric, value) in rows {
            let instance = InstanceName::new(instance).unwrap();
            let at = Timestamp::from_secs(*at);
            let (service, metric, value) = (service.clone(), *metric, *value);
            let reading = Reading { at, service, version: None, instance, metric, value };
            history.record(&reading, SeriesLimit::NONE);
        }
        history
    }

    #[test]
    fn a_restart_counter_cuts_a_life_into_runs() {
        let (rss, count) = (Metric::ProcessMemoryRss, Metric::ContainerRestarts);
        let rows: Vec<_> = (0..20)
            .flat_map(|i| {
                [(i, "a", count, if i < 10 { 3.0 } else { 4.0 }), (i, "a", rss, 1.0 + i as f64)]
            })
            .collect();
        let history = history(&rows);
        let scene = Scene::of(&history, Timestamp::from_secs(19));
        assert_eq!(scene.runs.len(), 2);
        assert_eq!(scene.running().len(), 1);
        assert_eq!(scene.runs[1].samples(rss), 10);
    }

    #[test]
    fn an_instance_that_went_silent_is_not_running() {
        let rss = Metric::ProcessMemoryRss;
        let mut rows: Vec<_> = (0..100).map(|i| (i, "gone", rss, 1.0)).collect();
        rows.extend((0..400).map(|i| (i, "here", rss, 1.0)));
        let history = history(&rows);
        let scene = Scene::of(&history, Timestamp::from_secs(399));
        let running: Vec<_> = scene.running().iter().map(|r| r.life.instance.to_string()).collect();
        assert_eq!(running, ["here"]);
    }

    #[test]
    fn a_run_that_begins_after_now_is_not_seen() {
        let rss = Metric::ProcessMemoryRss;
        let history = history(&[(10, "a", rss, 1.0), (90, "b", rss, 1.0)]);
        assert_eq!(Scene::of(&history, Timestamp::from_secs(49)).runs.len(), 1);
    }
}
