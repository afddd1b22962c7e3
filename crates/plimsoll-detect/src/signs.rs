//! What runtimes, libraries and the kernel said, as evidence: a signature speaks for a leak where a
//! series grows that it could be about, and convicts nobody alone.
//!
//! Not here: which texts are signatures (`plimsoll-ingest`). The same signature weighs once, however
//! often it was seen: a line in a loop is no more certain than one.

use plimsoll_model::{Cause, Evidence, Metric, Observed, Signature, Unit};

use crate::course::{Course, Study};
use crate::ladder::Rung;
use crate::scene::{Run, Scene};

/// All signatures together weigh at most this, in log-odds. They tell what ran out, which a load too
/// large for its limit does as well as a leak: the growth has to carry the verdict.
const SIGNATURES_MOST: f64 = 2.0;
/// A library that looked for leaks and found one.
const TOLD_BY_DETECTOR: f64 = 1.5;
/// Something ran out: a leak does that, and so does a limit that is too small.
const RAN_OUT: f64 = 1.0;
/// Something was not closed in time; collectors close most of it later.
const LEFT_OPEN: f64 = 0.7;
/// A child that was killed may have been the one that leaked.
const CHILD_KILLED: f64 = 0.5;

const fn weight(signature: Signature) -> f64 {
    match signature {
        Signature::BufferLeak | Signature::PoolLeak => TOLD_BY_DETECTOR,
        Signature::OomKill
        | Signature::HeapFull
        | Signature::ClassSpaceFull
        | Signature::DirectMemoryFull
        | Signature::NoMoreThreads
        | Signature::TooManyFiles => RAN_OUT,
        Signature::ResourceUnclosed | Signature::ListenersExceeded => LEFT_OPEN,
        Signature::OomKillChild => CHILD_KILLED,
    }
}

/// The signatures that may be about this series, the weightiest first; without a weight where it does
/// not grow.
pub(crate) fn about_signatures(
    scene: &Scene<'_>,
    run: &Run<'_>,
    study: &Study,
    repeated: bool,
) -> Vec<Evidence> {
    let mut seen: Vec<(Signature, u64)> = Vec::new();
    for observed in of_run(scene, run).filter(|one| fits(one.signature, run, &study.rung)) {
        match seen.iter_mut().find(|(signature, _)| *signature == observed.signature) {
            Some((_, count)) => *count = count.saturating_add(observed.count),
            None => seen.push((observed.signature, observed.count)),
        }
    }
    seen.sort_by(|(a, _), (b, _)| weight(*b).total_cmp(&weight(*a)).then(a.cmp(b)));
    let grows = study.course == Course::Growing || repeated;
    let mut left = if grows { SIGNATURES_MOST } else { 0.0 };
    let fact = |(signature, count): (Signature, u64)| {
        let weight = weight(signature).min(left);
        left -= weight;
        let times = if count == 1 { "once".into() } else { format!("{count} times") };
        let grows = if grows { "" } else { ", and this does not grow" };
        let claim = format!("{} ({times}){grows}", signature.claim());
        Evidence { claim, weight, source: signature.name().into() }
    };
    seen.into_iter().map(fact).collect()
}

/// What the newest signature names where a footprint grows, of which nobody measures the content.
pub(crate) fn named_cause(scene: &Scene<'_>, run: &Run<'_>, rung: &Rung) -> Option<Cause> {
    if rung.cause != Cause::Native || rung.beyond_heap || rung.metric.unit() != Unit::Bytes {
        return None;
    }
    let named = of_run(scene, run).filter(|one| fits(one.signature, run, rung));
    let named = named.filter(|one| one.signature.cause() != Cause::None);
    named.last().map(|one| one.signature.cause())
}

/// What was seen of this instance, or of nobody who still runs, since its version first ran.
fn of_run<'a>(scene: &Scene<'a>, run: &Run<'a>) -> impl Iterator<Item = Observed<'a>> {
    let (own, version) = (&run.life.instance, &run.life.version);
    let same = scene.runs.iter().filter(|other| other.life.version == *version);
    let since = same.map(|other| other.from.min(other.life.started_at)).min().unwrap_or(run.from);
    let after = scene.seen().partition_point(|one| one.observed.at < since);
    let seen = scene.seen().get(after..).unwrap_or_default().iter();
    let about = seen.filter(move |one| !one.runs || one.observed.instance == Some(own));
    about.map(|one| one.observed)
}

/// Whether a signature may be about what this series measures.
fn fits(signature: Signature, run: &Run<'_>, rung: &Rung) -> bool {
    let bytes = rung.metric.unit() == Unit::Bytes;
    let unmeasured = |metrics: &[Metric]| metrics.iter().all(|metric| run.samples(*metric) == 0);
    match signature.cause() {
        Cause::Heap if rung.cause == Cause::Heap => true,
        Cause::Heap => bytes && unmeasured(&[Metric::RuntimeHeapLive, Metric::RuntimeHeapUsed]),
        Cause::Native => rung.cause == Cause::Native,
        Cause::Handles if rung.cause == Cause::Handles => true,
        Cause::Handles => bytes && unmeasured(&[Metric::ProcessFds, Metric::PoolConnectionsUsed]),
        Cause::Threads if rung.cause == Cause::Threads => true,
        Cause::Threads => bytes && unmeasured(&[Metric::ProcessThreads, Metric::RuntimeGoroutines]),
        Cause::None
        | Cause::Fragmentation
        | Cause::Cache
        | Cause::PageCache
        | Cause::WarmUp
        | Cause::Load
        | Cause::Backlog
        | Cause::Batch
        | Cause::Capacity => bytes,
    }
}
