//! Takes the capture that was chosen, measures what it took, and leaves nothing else behind.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use plimsoll_model::Bytes;
use tokio::sync::watch;

use super::error::CaptureError;
use super::guard::Guard;
use super::offer::{Chosen, Offer};
use super::survey::{Session, Survey};
use super::writing::Writing;
use super::{Counters, Rung, jvm, node};
use crate::attach::Population;
use crate::experience::Measured;
use crate::go::GoProfile;
use crate::output::{Destination, Sieve};

/// A capture may take as many times as long as it should at most: it is given up for hanging, not
/// for being slow.
const DEADLINE_OVER_WORST: u32 = 4;

/// What is added to that: a process that has no CPU for a while.
const DEADLINE_SLACK: Duration = Duration::from_secs(60);

/// How far a capture is; read while it is taken.
#[derive(Clone, Debug, Default)]
pub struct Progress {
    /// Bytes that the process has written for us.
    pub dumped: Arc<AtomicU64>,
    /// Bytes in our file.
    pub written: Arc<AtomicU64>,
}

impl Progress {
    pub(super) fn dumped(&self, bytes: u64) {
        self.dumped.store(bytes, Ordering::Relaxed);
    }
}

/// Where a capture goes, and how.
#[expect(missing_debug_implementations, reason = "the sieve and the form are functions")]
pub struct Taking {
    pub destination: Destination,
    /// Where redaction plugs in; [`crate::output::unchanged`] for none.
    pub sieve: Sieve,
    /// Says `true` when the capture is to be given up.
    pub stop: watch::Receiver<bool>,
    pub progress: Progress,
    /// The form of counters in a file.
    pub form: fn(&Counters) -> Vec<u8>,
}

/// A capture that was made.
#[derive(Clone, Debug, PartialEq)]
pub struct Taken {
    pub size: Bytes,
    /// How long the service stood still; `None` when it did not.
    pub pause: Option<Duration>,
    /// To be remembered for the next prediction.
    pub measured: Option<Measured>,
}

/// What a rung gave, before it is remembered.
pub(super) struct Stalled {
    pub(super) size: Bytes,
    pub(super) pause: Option<Duration>,
}

/// Takes the offer that was chosen of a survey.
///
/// # Errors
/// See [`CaptureError`]. Nothing is left behind then, also when this is dropped half-way: but an
/// inspector that was opened is only closed when it is waited for.
pub async fn take(
    mut survey: Survey,
    chosen: Chosen,
    taking: Taking,
) -> Result<Taken, CaptureError> {
    let offer = survey.offers[chosen.0].clone();
    let taken = take_offer(&mut survey, &offer, taking).await;
    let remembered = taken.map(|stalled| Taken {
        size: stalled.size,
        pause: stalled.pause,
        measured: measured(&survey, &offer, &stalled),
    });
    survey.close().await;
    remembered
}

fn measured(survey: &Survey, offer: &Offer, stalled: &Stalled) -> Option<Measured> {
    Some(Measured {
        kind: offer.cost.kind?,
        program: survey.program.clone(),
        heap: survey.heap_used?,
        pause: stalled.pause?,
        file: stalled.size,
    })
}

async fn take_offer(
    survey: &mut Survey,
    offer: &Offer,
    taking: Taking,
) -> Result<Stalled, CaptureError> {
    let Taking { destination, sieve, stop, progress, form } = taking;
    let guard = Guard {
        process: survey.process.clone(),
        stop,
        stopped_patience: survey.order.stopped_patience,
    };
    let pid = survey.order.pid;
    let writing = Writing::start(pid, offer.contents, &destination, sieve, &progress)?;
    let limit = deadline(offer);
    let objects = survey.order.objects;
    match (&mut survey.session, offer.rung) {
        (_, Rung::Counters) => {
            let counters = survey.counters().await;
            text(writing, form(&counters), None).await
        }
        (Session::Jvm(jvm), Rung::Dump) => {
            let dump = jvm::Dump { jvm: jvm.patient(limit), objects, guard, progress };
            dump.take(&mut survey.handover, writing).await
        }
        (Session::Jvm(jvm), Rung::Histogram) => {
            let jvm = jvm.patient(limit);
            let captured = guard.wait(jvm.class_histogram(objects)).await?;
            text(writing, captured.text.into_bytes(), Some(captured.took)).await
        }
        (Session::Node(inspector), Rung::Dump) => {
            node::snapshot(inspector, objects == Population::Live, limit, &guard, writing).await
        }
        (Session::Node(inspector), Rung::Profile) => {
            let span = survey.order.profile_span;
            let (profile, pause) = guard.wait(inspector.sampling_profile(span)).await?;
            text(writing, profile.into_bytes(), Some(pause)).await
        }
        (Session::Go(pprof), Rung::Profile | Rung::Goroutines) => {
            let heap = offer.rung == Rung::Profile;
            let profile = if heap { GoProfile::Heap } else { GoProfile::Goroutines };
            match guard.wait(pprof.fetch(profile, limit, writing.pieces())).await {
                Ok(()) => Ok(Stalled { size: writing.finish().await?, pause: None }),
                Err(error) => Err(writing.why(error).await),
            }
        }
        (session, rung) => unreachable!("{rung} is not offered of {session:?}"),
    }
}

async fn text(
    writing: Writing,
    text: Vec<u8>,
    pause: Option<Duration>,
) -> Result<Stalled, CaptureError> {
    // What went wrong is said by `finish`.
    drop(writing.write(text).await);
    Ok(Stalled { size: writing.finish().await?, pause })
}

fn deadline(offer: &Offer) -> Duration {
    let worst = offer.cost.pause.as_ref().map_or(Duration::ZERO, |pause| pause.at_most);
    worst.saturating_mul(DEADLINE_OVER_WORST).saturating_add(DEADLINE_SLACK)
}
