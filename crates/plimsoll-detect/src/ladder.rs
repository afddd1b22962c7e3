//! Which series speaks for a service, and which limit it runs into.
//!
//! The nearer a measure is to what the program holds, the less there is to explain away: live set
//! after a collection, then memory that cannot be reclaimed, then resident memory, then working
//! set, then usage. Things held (handles, threads, connections) stand beside, each on its own.
//! Not here: any judgement of the values.

use plimsoll_model::{Cause, Life, Metric, Timestamp};

/// One measure that may speak, and what it would mean if it leaked.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Rung {
    pub(crate) metric: Metric,
    pub(crate) cause: Cause,
    /// Limits in the order of who kills first.
    pub(crate) limits: &'static [Metric],
    /// What this measure cannot exclude, so that it may only ever suspect.
    pub(crate) blind_to: Option<&'static str>,
    /// Only what lies beyond the heap counts, because the heap speaks for itself.
    pub(crate) beyond_heap: bool,
}

const HEAP_LIMITS: &[Metric] = &[Metric::RuntimeHeapLimit, Metric::ContainerMemoryLimit];
const MEMORY_LIMITS: &[Metric] = &[Metric::ContainerMemoryLimit, Metric::NodeMemoryAllocatable];

const fn rung(metric: Metric, cause: Cause, limits: &'static [Metric]) -> Rung {
    Rung { metric, cause, limits, blind_to: None, beyond_heap: false }
}

/// What the runtime holds.
const LIVE: [Rung; 2] = [
    rung(Metric::RuntimeHeapLive, Cause::Heap, HEAP_LIMITS),
    rung(Metric::RuntimeHeapUsed, Cause::Heap, HEAP_LIMITS),
];

/// What the kernel sees.
const FOOTPRINT: [Rung; 6] = [
    rung(Metric::ContainerMemoryAnon, Cause::Native, MEMORY_LIMITS),
    rung(Metric::ProcessMemoryAnon, Cause::Native, MEMORY_LIMITS),
    rung(Metric::ProcessMemoryRss, Cause::Native, MEMORY_LIMITS),
    rung(Metric::ProcessMemoryPss, Cause::Native, MEMORY_LIMITS),
    rung(Metric::ContainerMemoryWorkingSet, Cause::Native, MEMORY_LIMITS),
    Rung {
        blind_to: Some("page cache is part of usage, and the kernel takes it back when it must"),
        ..rung(Metric::ContainerMemoryUsage, Cause::Native, MEMORY_LIMITS)
    },
];

/// What is held besides memory.
const HELD: [Rung; 7] = [
    rung(Metric::ProcessFds, Cause::Handles, &[Metric::ProcessFdsLimit]),
    rung(Metric::ProcessSockets, Cause::Handles, &[Metric::ProcessFdsLimit]),
    rung(Metric::PoolConnectionsUsed, Cause::Handles, &[Metric::PoolConnectionsMax]),
    rung(Metric::RuntimeGoroutines, Cause::Threads, &[]),
    rung(Metric::ProcessThreads, Cause::Threads, &[]),
    rung(Metric::RuntimeTimers, Cause::Handles, &[]),
    rung(Metric::RuntimeClasses, Cause::Native, &[]),
];

/// The rungs of one life that are still measured at `since`.
#[derive(Clone, Debug)]
pub(crate) struct Ladder {
    pub(crate) live: Option<Rung>,
    pub(crate) footprint: Option<Rung>,
    pub(crate) held: Vec<Rung>,
}

pub(crate) fn ladder(life: &Life, since: Timestamp) -> Ladder {
    let speaks = |rung: &&Rung| speaks(life, rung, since);
    Ladder {
        live: LIVE.iter().find(speaks).copied(),
        footprint: FOOTPRINT.iter().find(speaks).copied(),
        held: HELD.iter().filter(speaks).copied().collect(),
    }
}

/// Every rung that is still measured at `since`, whether it would be asked or not.
pub(crate) fn measured(life: &Life, since: Timestamp) -> Vec<Rung> {
    let all = LIVE.iter().chain(&FOOTPRINT).chain(&HELD);
    all.filter(|rung| speaks(life, rung, since)).copied().collect()
}

fn speaks(life: &Life, rung: &Rung, since: Timestamp) -> bool {
    let last = life.series(rung.metric).and_then(|series| series.last());
    last.is_some_and(|sample| sample.at >= since)
}

/// Limits beyond this are ways of saying "none": the kernel prints 2^63, cgroups a page less.
const NO_LIMIT: f64 = 1e15;

/// The limit that a rung runs into, where one is known.
pub(crate) fn limit_of(life: &Life, rung: &Rung) -> Option<f64> {
    let known = |metric: &Metric| life.latest(*metric);
    let real = |limit: &f64| *limit > 0.0 && *limit < NO_LIMIT;
    rung.limits.iter().filter_map(known).find(real)
}

#[cfg(test)]
mod tests {
    use super::*;
    use plimsoll_model::{InstanceName, Sample, Series};

    fn life(metrics: &[Metric]) -> Life {
        let sample = Sample { at: Timestamp::from_secs(5), value: 1e6 };
        let series = |metric: &Metric| (*metric, Series::from_unsorted(vec![sample]));
        Life {
            instance: InstanceName::new("a").unwrap(),
            version: None,
            started_at: Timestamp::default(),
            start_known: false,
            series: metrics.iter().map(series).collect(),
        }
    }

    #[test]
    fn the_highest_rung_that_is_still_measured_speaks() {
        let speaking = |metrics: &[Metric]| {
            let ladder = ladder(&life(metrics), Timestamp::from_secs(1));
            ladder.live.or(ladder.footprint).map(|rung| rung.metric)
        };
        let (live, anon) = (Metric::RuntimeHeapLive, Metric::ContainerMemoryAnon);
        let (rss, usage) = (Metric::ProcessMemoryRss, Metric::ContainerMemoryUsage);
        assert_eq!(speaking(&[usage, rss, anon, live]), Some(live));
        assert_eq!(speaking(&[usage, rss, anon]), Some(anon));
        assert_eq!(speaking(&[usage, rss]), Some(rss));
        assert_eq!(speaking(&[]), None);
        let silent = ladder(&life(&[rss]), Timestamp::from_secs(9));
        assert_eq!(silent.footprint, None);
    }

    #[test]
    fn a_limit_that_means_none_is_none() {
        let mut life = life(&[Metric::ProcessMemoryRss]);
        let sample = Sample { at: Timestamp::default(), value: 9.2e18 };
        life.series.insert(Metric::ContainerMemoryLimit, Series::from_unsorted(vec![sample]));
        assert_eq!(limit_of(&life, &FOOTPRINT[2]), None);
    }
}
