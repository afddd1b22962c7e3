//! Judging gathered services side by side: none needs to know of another.
//!
//! Not here: the judgement, which is the caller's. Used by `scan`.

use std::convert::Infallible;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use plimsoll_model::{SeriesLimit, ServiceHistory, ServiceName, Timestamp};

use super::telemetry::{Gathered, Part};
use crate::clock::Stopwatch;
use crate::cores::on_every_core;
use crate::output::Progress;

/// Services between two signs of life.
const PROGRESS_EVERY: usize = 16;

/// One judged service.
#[derive(Debug)]
pub(crate) struct Judged<T> {
    pub(crate) service: ServiceName,
    pub(crate) verdict: T,
    pub(crate) series: u64,
    pub(crate) samples: u64,
    /// The oldest and the newest row.
    pub(crate) span: Option<(Timestamp, Timestamp)>,
}

/// What is asked of each service, and what it cost.
pub(crate) struct Judge<'a, T> {
    ask: &'a (dyn Fn(&ServiceHistory) -> T + Sync),
    /// Samples after it are not looked at.
    at: Timestamp,
    outlining_nanos: AtomicU64,
    judging_nanos: AtomicU64,
}

impl<'a, T: Send> Judge<'a, T> {
    pub(crate) fn new(ask: &'a (dyn Fn(&ServiceHistory) -> T + Sync), at: Timestamp) -> Self {
        Self { ask, at, outlining_nanos: AtomicU64::new(0), judging_nanos: AtomicU64::new(0) }
    }

    /// Judges on every core. The answers come in any order.
    pub(crate) fn all(
        &self,
        parts: Vec<Part>,
        done: usize,
        total: usize,
        progress: &Progress,
    ) -> Vec<Judged<T>> {
        let count = AtomicUsize::new(done);
        let Ok(judged) = on_every_core(parts, |part: Part| {
            let number = count.fetch_add(1, Ordering::Relaxed) + 1;
            if number.is_multiple_of(PROGRESS_EVERY) || number == total {
                progress.show(&format!("assessing {number} of {total} services"));
            }
            Ok::<_, Infallible>(self.one(self.gather(part)))
        });
        judged
    }

    pub(crate) fn gather(&self, part: Part) -> Gathered {
        let watch = Stopwatch::start();
        let gathered = part.gather(SeriesLimit::OUTLINES, Some(self.at));
        self.outlining_nanos.fetch_add(watch.nanos(), Ordering::Relaxed);
        gathered
    }

    pub(crate) fn one(&self, gathered: Gathered) -> Judged<T> {
        let Gathered { history, series, samples, span } = gathered;
        let watch = Stopwatch::start();
        let verdict = (self.ask)(&history);
        self.judging_nanos.fetch_add(watch.nanos(), Ordering::Relaxed);
        Judged { service: history.service, verdict, series, samples, span }
    }

    /// Says what it cost, of one core.
    pub(crate) fn log(&self, series: u64, samples: u64) {
        let secs = |nanos: &AtomicU64| nanos.load(Ordering::Relaxed) as f64 / 1e9;
        tracing::info!(
            series,
            samples,
            outlining_secs = secs(&self.outlining_nanos),
            assessing_secs = secs(&self.judging_nanos),
            "services assessed"
        );
    }
}
