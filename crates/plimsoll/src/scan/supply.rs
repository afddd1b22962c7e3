//! The samples that a scan works on: all in memory, or in a file that is read again part by part.
//!
//! Which it is, the first reading of a file tells, and no verdict depends on it. Used by `scan`.

use plimsoll_ingest::catalogue::Catalogue;
use plimsoll_ingest::{Batch, Rejections, Teller};
use plimsoll_model::{Change, ServiceHistory, ServiceName, Timestamp};

use super::judge::{Judge, Judged};
use super::passes::{Census, PassError, Passes};
use super::source::{Source, SourceError};
use super::telemetry::{Telemetry, by_service};
use crate::clock::Stopwatch;
use crate::output::Progress;

/// Samples that are gathered in one pass, whose number is known before: below a gigabyte with
/// everything around them.
const PASS_SAMPLES_MAX: u64 = 30_000_000;

/// Samples between two signs of life.
const PROGRESS_EVERY: u64 = 100_000;

/// Where the samples of a scan are.
#[derive(Debug)]
pub(crate) enum Supply {
    Held(Telemetry),
    Passes(Box<Passes>),
}

impl Supply {
    /// Samples that were offered.
    pub(crate) fn gathered(&self) -> u64 {
        match self {
            Self::Held(telemetry) => telemetry.gathered(),
            Self::Passes(passes) => passes.counted().samples,
        }
    }

    pub(crate) fn services(&self) -> usize {
        match self {
            Self::Held(telemetry) => telemetry.services(),
            Self::Passes(passes) => passes.services(),
        }
    }

    /// In order.
    pub(crate) fn names(&self) -> Vec<&ServiceName> {
        let mut names: Vec<_> = match self {
            Self::Held(telemetry) => telemetry.names().collect(),
            Self::Passes(passes) => passes.names().collect(),
        };
        names.sort_unstable();
        names
    }

    pub(crate) fn contains(&self, service: &ServiceName) -> bool {
        match self {
            Self::Held(telemetry) => telemetry.contains(service),
            Self::Passes(passes) => passes.contains(service),
        }
    }

    /// Whether all samples of a service are of one instance.
    pub(crate) fn has_one_instance(&self, service: &ServiceName) -> bool {
        match self {
            Self::Held(telemetry) => telemetry.has_one_instance(service),
            Self::Passes(passes) => passes.has_one_instance(service),
        }
    }

    pub(crate) fn newest(&self) -> Option<Timestamp> {
        match self {
            Self::Held(telemetry) => telemetry.newest(),
            Self::Passes(passes) => passes.newest(),
        }
    }

    /// Samples after the end of what is believed; a file that was counted was counted with it.
    pub(crate) fn count_after(&self, end: Timestamp) -> u64 {
        match self {
            Self::Held(telemetry) => telemetry.count_after(end),
            Self::Passes(passes) => passes.counted().samples - passes.counted().believed,
        }
    }

    /// Drops samples after the end of what is believed, and services that have no other.
    pub(crate) fn drop_after(&mut self, end: Timestamp) {
        match self {
            Self::Held(telemetry) => telemetry.drop_after(end),
            Self::Passes(passes) => passes.believe(),
        }
    }

    /// Asks something of every service, as of a moment; in order of name.
    pub(crate) fn judge<T: Send>(
        self,
        changes: Vec<Change>,
        at: Timestamp,
        progress: &Progress,
        ask: &(dyn Fn(&ServiceHistory) -> T + Sync),
    ) -> Result<Vec<Judged<T>>, PassError> {
        let watch = Stopwatch::start();
        let judge = Judge::new(ask, at);
        let changes = by_service(changes);
        let total = self.services();
        let judged = match self {
            Self::Held(telemetry) => {
                let mut judged = judge.all(telemetry.parts(&changes), 0, total, progress);
                judged.sort_by(|one, other| one.service.cmp(&other.service));
                judged
            }
            Self::Passes(passes) => passes.judge(&changes, &judge, progress)?,
        };
        let sum = |of: fn(&Judged<T>) -> u64| judged.iter().map(of).sum();
        judge.log(sum(|one| one.series), sum(|one| one.samples));
        tracing::info!(secs = watch.nanos() as f64 / 1e9, "gathered and assessed");
        Ok(judged)
    }
}

/// The first reading of a file: gathers while it fits, and counts from there on.
#[derive(Debug)]
pub(crate) struct First {
    telemetry: Telemetry,
    census: Option<Census>,
    samples_max: u64,
    pass_samples_max: u64,
    end: Timestamp,
}

impl First {
    /// `end` is where the future begins that nobody can have measured.
    pub(crate) fn new(source: &Source, samples_max: u64, end: Timestamp) -> Self {
        let too_many = source.samples().is_some_and(|samples| samples > samples_max);
        Self {
            // It is counted instead as soon as there is more.
            telemetry: Telemetry::expecting(std::iter::empty(), u64::MAX),
            census: too_many.then(|| Census::new(end)),
            samples_max,
            pass_samples_max: PASS_SAMPLES_MAX.min(samples_max.saturating_mul(2)),
            end,
        }
    }

    pub(crate) fn read(
        &mut self,
        source: &Source,
        catalogue: &Catalogue,
        progress: &Progress,
        wanted: &mut (dyn FnMut(&Teller) -> bool + Send),
    ) -> Result<Rejections, SourceError> {
        let watch = Stopwatch::start();
        let mut rows = 0_u64;
        let refused =
            source.read((0..source.groups()).collect(), catalogue, &mut |group, batch| {
                let before = rows;
                rows += batch.samples().len() as u64;
                if before / PROGRESS_EVERY != rows / PROGRESS_EVERY {
                    progress.show(&format!("read {rows} samples"));
                }
                self.take(batch, group, wanted);
            })?;
        let (counted, secs) = (self.census.is_some(), watch.nanos() as f64 / 1e9);
        tracing::info!(rows, counted, secs, "telemetry read");
        Ok(refused)
    }

    fn take(&mut self, batch: &Batch, group: usize, wanted: &mut dyn FnMut(&Teller) -> bool) {
        if let Some(census) = &mut self.census {
            census.take(batch, group, wanted);
            return;
        }
        self.telemetry.take(batch, wanted);
        if self.telemetry.gathered() > self.samples_max {
            self.census = Some(Census::of(&self.telemetry, self.end));
            self.telemetry = Telemetry::default();
        }
    }

    pub(crate) const fn has_more_than_fits(&self) -> bool {
        self.census.is_some()
    }

    /// Samples that were found.
    pub(crate) fn found(&self) -> u64 {
        let counted = self.census.as_ref().map(|census| census.all.told.samples);
        counted.unwrap_or_else(|| self.telemetry.gathered())
    }

    pub(crate) fn supply(self, source: Source, catalogue: Catalogue) -> Result<Supply, PassError> {
        Ok(match self.census {
            None => Supply::Held(self.telemetry),
            Some(census) => Supply::Passes(Box::new(Passes::new(
                source,
                catalogue,
                census,
                self.pass_samples_max,
            )?)),
        })
    }
}

#[cfg(test)]
mod tests;
