//! A file with more samples than fit: read once to count, then again for as many services at a time
//! as do fit. Each service is whole when it is judged, so the order of rows says nothing.
//!
//! Where services stand behind one another in the file, which the first reading tells, each part of
//! the file is read twice in all; where they are mixed, once more for every pass. Used by `scan`.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};

use plimsoll_ingest::catalogue::Catalogue;
use plimsoll_ingest::{Batch, Teller};
use plimsoll_model::{Change, InstanceName, ServiceName, Timestamp};

use super::judge::{Judge, Judged};
use super::source::{Source, SourceError};
use super::telemetry::{Gathered, Telemetry};
use crate::output::Progress;

/// Services that are counted at most: their names are held in memory.
const SERVICES_MAX: usize = 1_000_000;

/// Samples between two signs of life.
const PROGRESS_EVERY: u64 = 1_000_000;

/// Why a file cannot be judged in parts.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PassError {
    #[error(transparent)]
    Source(#[from] SourceError),
    #[error("an instance of `{0}` alone has more samples than fit; cut the file by time")]
    TooManySamples(ServiceName),
    #[error("more than {SERVICES_MAX} services; cut the file by service")]
    TooManyServices,
}

/// What is known of the samples after they were read once.
#[derive(Debug)]
pub(crate) struct Census {
    services: HashMap<ServiceName, Count>,
    pub(crate) all: Count,
    /// Samples after this are not believed, if most of the others lie before.
    end: Timestamp,
    too_many: bool,
}

/// How many samples there are, and where.
#[derive(Clone, Debug, Default)]
pub(crate) struct Count {
    pub(crate) told: Tally,
    first_group: usize,
    last_group: usize,
    /// Of a service.
    instances: Instances,
}

/// How many samples there are.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) samples: u64,
    /// Those up to the end of what is believed.
    pub(crate) believed: u64,
    pub(crate) newest: Option<Timestamp>,
    pub(crate) newest_believed: Option<Timestamp>,
}

impl Tally {
    fn add(&mut self, at: Timestamp, end: Timestamp) {
        self.samples += 1;
        self.newest = self.newest.max(Some(at));
        if at <= end {
            self.believed += 1;
            self.newest_believed = self.newest_believed.max(Some(at));
        }
    }
}

#[derive(Clone, Debug, Default)]
enum Instances {
    #[default]
    None,
    One(InstanceName),
    Several,
}

impl Instances {
    fn add(&mut self, instance: &InstanceName) {
        match self {
            Self::None => *self = Self::One(instance.clone()),
            Self::One(first) if first != instance => *self = Self::Several,
            Self::One(_) | Self::Several => {}
        }
    }
}

impl Count {
    fn add(&mut self, told: &Tally, group: usize) {
        let nothing_before = self.told.samples == 0;
        self.first_group = if nothing_before { group } else { self.first_group.min(group) };
        self.last_group = self.last_group.max(group);
        self.told.samples += told.samples;
        self.told.believed += told.believed;
        self.told.newest = self.told.newest.max(told.newest);
        self.told.newest_believed = self.told.newest_believed.max(told.newest_believed);
    }
}

impl Census {
    pub(crate) fn new(end: Timestamp) -> Self {
        Self { services: HashMap::new(), all: Count::default(), end, too_many: false }
    }

    /// Counts what was gathered until it became too much.
    pub(crate) fn of(telemetry: &Telemetry, end: Timestamp) -> Self {
        let mut census = Self::new(end);
        for (service, told) in telemetry.told_by_service() {
            for (instance, at) in told {
                let mut tally = Tally::default();
                tally.add(at, end);
                census.count(service, instance, &tally, 0);
            }
        }
        census
    }

    /// Counts what some tellers told.
    pub(crate) fn take(
        &mut self,
        batch: &Batch,
        group: usize,
        wanted: &mut dyn FnMut(&Teller) -> bool,
    ) {
        let mut tallies = vec![Tally::default(); batch.tellers().len()];
        for (teller, run) in batch.runs() {
            if let Some(tally) = tallies.get_mut(teller) {
                run.iter().for_each(|told| tally.add(told.at, self.end));
            }
        }
        for (teller, tally) in batch.tellers().iter().zip(&tallies) {
            if wanted(teller) {
                self.count(&teller.service, &teller.instance, tally, group);
            }
        }
    }

    fn count(
        &mut self,
        service: &ServiceName,
        instance: &InstanceName,
        told: &Tally,
        group: usize,
    ) {
        self.all.add(told, group);
        if let Some(count) = self.services.get_mut(service) {
            count.add(told, group);
            count.instances.add(instance);
        } else if self.services.len() < SERVICES_MAX {
            let mut count = Count::default();
            count.add(told, group);
            count.instances.add(instance);
            self.services.insert(service.clone(), count);
        } else {
            self.too_many = true;
        }
    }
}

/// A file whose samples were counted.
#[derive(Debug)]
pub(crate) struct Passes {
    source: Source,
    catalogue: Catalogue,
    census: Census,
    /// Later samples are not believed.
    until: Option<Timestamp>,
    /// What a pass may hold.
    samples_max: u64,
}

/// Services that are gathered together.
#[derive(Debug, Default)]
struct Pass {
    services: BTreeSet<ServiceName>,
    samples: u64,
}

impl Passes {
    pub(crate) fn new(
        source: Source,
        catalogue: Catalogue,
        census: Census,
        samples_max: u64,
    ) -> Result<Self, PassError> {
        if census.too_many {
            return Err(PassError::TooManyServices);
        }
        Ok(Self { source, catalogue, census, until: None, samples_max })
    }

    pub(crate) const fn counted(&self) -> &Tally {
        &self.census.all.told
    }

    pub(crate) fn services(&self) -> usize {
        self.census.services.len()
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &ServiceName> {
        self.census.services.keys()
    }

    pub(crate) fn contains(&self, service: &ServiceName) -> bool {
        self.census.services.contains_key(service)
    }

    pub(crate) fn has_one_instance(&self, service: &ServiceName) -> bool {
        let count = self.census.services.get(service);
        count.is_some_and(|count| matches!(count.instances, Instances::One(_)))
    }

    pub(crate) fn newest(&self) -> Option<Timestamp> {
        let all = self.counted();
        if self.until.is_some() { all.newest_believed } else { all.newest }
    }

    /// Leaves out what was not believed when it was counted.
    pub(crate) fn believe(&mut self) {
        self.until = Some(self.census.end);
        self.census.services.retain(|_, count| count.told.believed > 0);
    }

    /// Judges every service, a part of them at a time.
    pub(crate) fn judge<T: Send>(
        self,
        changes: &BTreeMap<ServiceName, Vec<Change>>,
        judge: &Judge<'_, T>,
        progress: &Progress,
    ) -> Result<Vec<Judged<T>>, PassError> {
        let mut judged = Vec::new();
        let plan = self.plan();
        let passes = plan.len();
        let total = self.services();
        for (done, pass) in plan.iter().enumerate() {
            let told = format!("part {} of {passes}", done + 1);
            if pass.samples > self.samples_max {
                for service in &pass.services {
                    let gathered = self.gather_large(
                        service,
                        pass.samples,
                        |telemetry| {
                            telemetry
                                .parts(changes)
                                .into_iter()
                                .map(|part| judge.gather(part))
                                .collect()
                        },
                        progress,
                    )?;
                    judged.extend(gathered.map(|gathered| judge.one(gathered)));
                }
                continue;
            }
            let telemetry = self.gather(pass, None, &told, progress)?;
            judged.extend(judge.all(telemetry.parts(changes), judged.len(), total, progress));
        }
        judged.sort_by(|one, other| one.service.cmp(&other.service));
        Ok(judged)
    }

    /// Services that stand together in the file come into one pass.
    fn plan(&self) -> Vec<Pass> {
        let mut services: Vec<_> = self.census.services.iter().collect();
        services.sort_unstable_by_key(|(name, count)| (count.first_group, count.last_group, *name));
        let mut passes: Vec<Pass> = Vec::new();
        for (service, count) in services {
            let samples =
                if self.until.is_some() { count.told.believed } else { count.told.samples };
            let fits = |pass: &&mut Pass| pass.samples + samples <= self.samples_max;
            let pass = match passes.last_mut().filter(fits) {
                Some(pass) => pass,
                None => {
                    passes.push(Pass::default());
                    let Some(pass) = passes.last_mut() else { continue };
                    pass
                }
            };
            pass.samples += samples;
            pass.services.insert(service.clone());
        }
        passes
    }

    /// Gathers one service that does not fit in pieces of some instances each.
    fn gather_large(
        &self,
        service: &ServiceName,
        samples: u64,
        outline: impl Fn(Telemetry) -> Vec<Gathered>,
        progress: &Progress,
    ) -> Result<Option<Gathered>, PassError> {
        let pass = Pass { services: BTreeSet::from([service.clone()]), samples: 0 };
        // Half full on average, because instances are not of one size.
        let pieces = samples.div_ceil((self.samples_max / 2).max(1));
        let mut whole: Option<Gathered> = None;
        for piece in 0..pieces {
            let told = format!("{service}, part {} of {pieces}", piece + 1);
            let telemetry = self.gather(&pass, Some((piece, pieces)), &told, progress)?;
            if telemetry.gathered() > self.samples_max {
                return Err(PassError::TooManySamples(service.clone()));
            }
            for gathered in outline(telemetry) {
                match &mut whole {
                    Some(whole) => whole.absorb(gathered),
                    None => whole = Some(gathered),
                }
            }
        }
        Ok(whole)
    }

    fn gather(
        &self,
        pass: &Pass,
        piece: Option<(u64, u64)>,
        told: &str,
        progress: &Progress,
    ) -> Result<Telemetry, PassError> {
        let counts =
            || pass.services.iter().filter_map(|name| self.census.services.get_key_value(name));
        let room = |count: &Count| usize::try_from(count.told.samples).unwrap_or(usize::MAX);
        let expected =
            counts().map(|(name, count)| (name, if piece.is_some() { 0 } else { room(count) }));
        let mut telemetry = Telemetry::expecting(expected, self.samples_max);
        let mut wanted = vec![false; self.source.groups()];
        for (_, count) in counts() {
            let groups = wanted.get_mut(count.first_group..=count.last_group);
            groups.unwrap_or_default().fill(true);
        }
        let wanted = (0..wanted.len()).filter(|group| wanted.get(*group) == Some(&true)).collect();
        let until = self.until;
        let here = |teller: &Teller| piece.is_none_or(|piece| is_in(&teller.instance, piece));
        let mut rows = 0_u64;
        let mut sink = |_, batch: &Batch| {
            let before = rows;
            rows += batch.samples().len() as u64;
            if before / PROGRESS_EVERY != rows / PROGRESS_EVERY {
                progress.show(&format!("{told}: read {rows} samples"));
            }
            telemetry.take_expected(batch, until, &here);
        };
        // What is refused was counted in the first reading.
        let _counted = self.source.read(wanted, &self.catalogue, &mut sink)?;
        Ok(telemetry)
    }
}

/// Whether an instance belongs to a piece of its service.
fn is_in(instance: &InstanceName, (piece, pieces): (u64, u64)) -> bool {
    let mut hasher = DefaultHasher::new();
    instance.as_str().hash(&mut hasher);
    hasher.finish() % pieces == piece
}
