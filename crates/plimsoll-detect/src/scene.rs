//! What is looked at: the runs of every instance up to `now`, who is running, and since when.
//!
//! Not here: any judgement. Everything below speaks in hours since the scene's origin.

use std::collections::BTreeSet;

use plimsoll_model::{ChangeKind, Life, Metric, Sample, ServiceHistory, Span, Timestamp, Unit};

use crate::envelope::{Block, along, blocks, hours};
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
}

/// One uninterrupted run of one instance. A life is cut further where the restart counter moved.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run<'a> {
    pub(crate) life: &'a Life,
    pub(crate) from: Timestamp,
    /// The newest sample.
    pub(crate) to: Timestamp,
    pub(crate) started: Timestamp,
    pub(crate) start_known: bool,
}

/// A series that has been silent for this many of its own steps has stopped.
const SILENT_STEPS: f64 = 15.0;
/// And never before this: collectors restart too.
const SILENT_MIN: Span = Span::from_secs(60);
/// Nor for less than this share of the time it was seen, so that gaps do not end a service.
const SILENT_SHARE: f64 = 0.05;

impl<'a> Scene<'a> {
    pub(crate) fn of(history: &'a ServiceHistory, now: Timestamp) -> Self {
        let firsts = history.lives.iter().flat_map(|life| life.series.values());
        let first = firsts.filter_map(|series| series.samples().first()).map(|s| s.at).min();
        let restarts = restarts_of_all(history);
        let all = history.lives.iter().flat_map(|life| runs(life, now, &restarts));
        let mut runs: Vec<_> = all.collect();
        runs.sort_by_key(|run| (run.from, run.to));
        let mut scene = Self { history, now, origin: first.unwrap_or(now), runs, running: vec![] };
        let mut seen = BTreeSet::new();
        let newest = scene.runs.iter().rev().filter(|run| seen.insert(&run.life.instance));
        let reports = newest.filter(|run| run.to >= scene.silent_before(run));
        scene.running = reports.copied().collect();
        scene
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

    pub(crate) fn blocks(&self, run: &Run<'_>, rung: &Rung) -> Vec<Block> {
        let samples = run.samples(rung.metric);
        // A process that runs holds memory: zero is how some collectors say that it is gone.
        let gone = |sample: &Sample| sample.value <= 0.0 && rung.metric.unit() == Unit::Bytes;
        let mut blocks = if samples.iter().any(gone) {
            let held: Vec<_> = samples.iter().filter(|sample| !gone(sample)).copied().collect();
            blocks(&held, self.origin)
        } else {
            blocks(samples, self.origin)
        };
        if rung.beyond_heap {
            let touched = along(&blocks, run.heap_touched(), self.origin);
            let mut most = f64::NEG_INFINITY;
            for (block, touched) in blocks.iter_mut().zip(touched) {
                most = most.max(touched);
                block.value -= most;
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
    pub(crate) fn samples(&self, metric: Metric) -> &'a [Sample] {
        let series = self.life.series(metric);
        series.map_or(&[], |series| series.between(self.from, self.to + Span::from_millis(1)))
    }

    /// What says how much of the heap was ever touched: the footprint holds that much whatever
    /// lives in it.
    pub(crate) fn heap_touched(&self) -> &'a [Sample] {
        let committed = self.samples(Metric::RuntimeHeapCommitted);
        if committed.is_empty() { self.samples(Metric::RuntimeHeapUsed) } else { committed }
    }

    /// The usual time between samples of the best measured series.
    fn step_hours(&self) -> f64 {
        let longest =
            self.life.series.values().map(|series| series.samples()).max_by_key(|s| s.len());
        median_step(longest.unwrap_or(&[]))
    }
}

/// The median time between neighbouring samples, in hours.
pub(crate) fn median_step(samples: &[Sample]) -> f64 {
    let steps = samples.windows(2).map(|pair| pair[1].at.since(pair[0].at).as_hours_f64());
    let mut steps: Vec<f64> = steps.collect();
    let middle = steps.len() / 2;
    if steps.is_empty() {
        return 0.0;
    }
    *steps.select_nth_unstable_by(middle, f64::total_cmp).1
}

/// Restarts that name no instance mean every instance.
fn restarts_of_all(history: &ServiceHistory) -> Vec<Timestamp> {
    let all = history.changes.iter().filter(|change| {
        matches!(change.kind, ChangeKind::Restart | ChangeKind::OomKill)
            && change.instance.is_none()
    });
    all.map(|change| change.at).collect()
}

fn runs<'a>(life: &'a Life, now: Timestamp, restarts: &[Timestamp]) -> Vec<Run<'a>> {
    let upto = |samples: &[Sample]| samples.partition_point(|sample| sample.at <= now);
    let ends = life.series.values().filter_map(|series| {
        let samples = series.samples();
        samples.get(upto(samples).checked_sub(1)?).map(|sample| sample.at)
    });
    let begins = life.series.values().filter_map(|series| series.samples().first());
    let begin = begins.map(|sample| sample.at).min();
    let (Some(to), Some(from)) = (ends.max(), begin) else { return Vec::new() };
    let counter = life.series(Metric::ContainerRestarts).map_or(&[][..], |s| s.samples());
    let again = counter.windows(2).filter(|pair| pair[1].value > pair[0].value);
    let again = again.map(|pair| pair[1].at).chain(restarts.iter().copied());
    let mut cuts: Vec<_> = again.filter(|at| *at > from && *at <= to).collect();
    cuts.sort_unstable();
    cuts.dedup();
    let mut starts = vec![(from, life.started_at, life.start_known)];
    starts.extend(cuts.iter().map(|at| (*at, *at, true)));
    let end = |index: usize| cuts.get(index).map_or(to, |cut| *cut - Span::from_millis(1));
    let run = |(index, (from, started, start_known))| Run {
        life,
        from,
        to: end(index),
        started,
        start_known,
    };
    starts.into_iter().enumerate().map(run).filter(|run| run.to >= run.from).collect()
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
                [(i, "a", rss, i as f64), (i, "a", count, if i < 10 { 3.0 } else { 4.0 })]
            })
            .collect();
        let history = history(&rows);
        let scene = Scene::of(&history, Timestamp::from_secs(19));
        assert_eq!(scene.runs.len(), 2);
        assert_eq!(scene.running().len(), 1);
        assert_eq!(scene.runs[1].samples(rss).len(), 10);
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
    fn nothing_after_now_is_seen() {
        let rss = Metric::ProcessMemoryRss;
        let rows: Vec<_> = (0..100).map(|i| (i, "a", rss, 1.0)).collect();
        let history = history(&rows);
        let scene = Scene::of(&history, Timestamp::from_secs(49));
        assert_eq!(scene.runs[0].samples(rss).len(), 50);
    }
}
