//! What can be asked of the language runtime of one instance, and the asking: a collection, a
//! class histogram, and how long the instance will stand still for it.
//!
//! Not here: whether it is worth the pause. Used by `performer` and `reach`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use plimsoll_heap::ClassHistogram;
use plimsoll_model::{Bytes, InstanceName, Measured, PredictedPause, Span, TypeCount};
use plimsoll_runtime::RuntimeKind;
use plimsoll_runtime::attach::{Captured, Jvm, Patience, Population};
use plimsoll_runtime::hsperfdata::{AttachCapability, JvmReading, PerfFile};
use plimsoll_runtime::pause::{CaptureKind, PausePredictor};
use plimsoll_runtime::v8::{Inspector, Patience as InspectorPatience};

use crate::performer::in_words;

const PROC: &str = "/proc";

/// Classes of a histogram that are reported, largest first. What leaks is among them long before
/// it matters, and a receipt stays below 100 KiB.
const TYPES_MAX: usize = 500;

/// What is known of the runtimes of the instances here. Bounded by them.
#[derive(Debug, Default)]
pub(crate) struct RuntimeActs {
    known: Mutex<BTreeMap<InstanceName, Known>>,
}

/// A runtime that is not told apart is looked for again at the second, fourth, eighth question, and
/// then at each of so many: a look reads the process's map of memory.
const LOOK_AGAIN_AFTER: u64 = 64;

/// One run of one instance's program.
#[derive(Clone, Debug)]
struct Known {
    pid: u32,
    questions: u64,
    kind: RuntimeKind,
    pauses: PausePredictor,
}

impl Known {
    fn is_due(&self) -> bool {
        let unclear = matches!(self.kind, RuntimeKind::Native | RuntimeKind::Unknown);
        let again =
            self.questions.is_power_of_two() || self.questions.is_multiple_of(LOOK_AGAIN_AFTER);
        unclear && again
    }
}

/// What can be asked now, each with the reason why not.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Askable {
    pub(crate) collection: Result<(), String>,
    pub(crate) histogram: Result<PredictedPause, String>,
}

impl RuntimeActs {
    /// Blocking for a few reads of memory-backed files.
    pub(crate) fn askable(&self, instance: &InstanceName, pid: u32) -> Askable {
        let known = self.known(instance, pid);
        match known.kind {
            RuntimeKind::Jvm => match read_jvm(pid) {
                Ok(reading) => {
                    let used = used(&reading);
                    let histogram = known.pauses.predict(CaptureKind::JvmHistogramLive, used);
                    Askable { collection: Ok(()), histogram: Ok(to_model(&histogram)) }
                }
                Err(why) => Askable { collection: Err(why.clone()), histogram: Err(why) },
            },
            RuntimeKind::Node => Askable {
                collection: Ok(()),
                histogram: Err("V8 has no histogram without a heap snapshot, which would take \
                                the process to several times its heap"
                    .to_owned()),
            },
            kind @ (RuntimeKind::CPython
            | RuntimeKind::Go
            | RuntimeKind::Native
            | RuntimeKind::Unknown) => {
                let why = format!("its runtime ({kind}) cannot be asked from outside");
                Askable { collection: Err(why.clone()), histogram: Err(why) }
            }
        }
    }

    /// Forces a full collection; what it gave back, or why it was not made.
    pub(crate) async fn collect_garbage(
        &self,
        instance: &InstanceName,
        pid: u32,
    ) -> Result<Measured, String> {
        match self.known(instance, pid).kind {
            RuntimeKind::Jvm => self.collect_jvm(instance, pid).await,
            RuntimeKind::Node => collect_node(pid).await,
            kind @ (RuntimeKind::CPython
            | RuntimeKind::Go
            | RuntimeKind::Native
            | RuntimeKind::Unknown) => {
                Err(format!("its runtime ({kind}) cannot be asked from outside"))
            }
        }
    }

    async fn collect_jvm(&self, instance: &InstanceName, pid: u32) -> Result<Measured, String> {
        let before = read_jvm(pid)?;
        let collected = jvm(pid).run_gc().await.map_err(|error| in_words(&error))?;
        let after = read_jvm(pid)?;
        if after.collection_count() == before.collection_count() {
            return Err("the JVM took the request and collected nothing; it was most likely \
                        started with -XX:+DisableExplicitGC"
                .to_owned());
        }
        let used_before = used(&before);
        self.learn(instance, pid, CaptureKind::JvmCollection, used_before, collected.took);
        let pause = span(collected.took);
        Ok(Measured::Collected { used_before, used_after: used(&after), pause })
    }

    /// Counts live objects by class.
    pub(crate) async fn count_types(
        &self,
        instance: &InstanceName,
        pid: u32,
    ) -> Result<Measured, String> {
        let used = used(&read_jvm(pid)?);
        let kind = CaptureKind::JvmHistogramLive;
        let predicted = to_model(&self.known(instance, pid).pauses.predict(kind, used));
        tracing::info!(%instance, pause = ?predicted.pause, basis = predicted.basis, "histogram");
        let asked = jvm(pid).class_histogram(Population::Live).await;
        let Captured { text, took } = asked.map_err(|error| in_words(&error))?;
        self.learn(instance, pid, kind, used, took);
        let histogram = ClassHistogram::parse(&text).map_err(|error| in_words(&error))?;
        if !histogram.complete {
            tracing::warn!(%instance, rejected = histogram.rejected, "a histogram is incomplete");
        }
        let rows = histogram.rows.into_iter().take(TYPES_MAX);
        let types = rows
            .map(|row| TypeCount { name: row.class, instances: row.instances, bytes: row.bytes })
            .collect();
        Ok(Measured::Counted { predicted, pause: span(took), types })
    }

    /// Instances come and go; those that are not reached any more are forgotten.
    pub(crate) fn forget_except(&self, reached: &BTreeSet<InstanceName>) {
        let mut all = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|instance, _| reached.contains(instance));
    }

    /// Identified once for each run of a program. A process that is not known yet may be a
    /// launcher that is about to become one, so "native" and "unknown" are looked at again.
    fn known(&self, instance: &InstanceName, pid: u32) -> Known {
        let mut all = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let questions = match all.get_mut(instance).filter(|known| known.pid == pid) {
            Some(known) => {
                known.questions += 1;
                if !known.is_due() {
                    return known.clone();
                }
                known.questions
            }
            None => 1,
        };
        let kind = plimsoll_runtime::identify(Path::new(PROC), pid).kind;
        let known = Known { pid, questions, kind, pauses: PausePredictor::new() };
        all.insert(instance.clone(), known.clone());
        known
    }

    fn learn(
        &self,
        instance: &InstanceName,
        pid: u32,
        kind: CaptureKind,
        used: Bytes,
        took: Duration,
    ) {
        let mut all = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = all.get_mut(instance).filter(|known| known.pid == pid) {
            known.pauses.observe(kind, used, took);
        }
    }
}

fn jvm(pid: u32) -> Jvm {
    Jvm::new(Path::new(PROC), pid, Patience::default())
}

fn read_jvm(pid: u32) -> Result<JvmReading, String> {
    let file = PerfFile::open(Path::new(PROC), pid).map_err(|error| in_words(&error))?;
    let reading = file.read().map_err(|error| in_words(&error))?;
    match reading.attach {
        AttachCapability::Allowed => Ok(reading),
        AttachCapability::Disabled | AttachCapability::Unknown => {
            Err("the JVM does not let tools attach (-XX:+DisableAttachMechanism)".to_owned())
        }
    }
}

/// All spaces together; zero, which predicts the floor, only while a JVM starts.
fn used(reading: &JvmReading) -> Bytes {
    reading.heap_used.unwrap_or_default()
}

async fn collect_node(pid: u32) -> Result<Measured, String> {
    let opened = Inspector::open(Path::new(PROC), pid, InspectorPatience::default()).await;
    let mut inspector = opened.map_err(|error| in_words(&error))?;
    let measured = async {
        let used_before = inspector.heap_usage().await?.used;
        let pause = span(inspector.collect_garbage().await?);
        let used_after = inspector.heap_usage().await?.used;
        Ok(Measured::Collected { used_before, used_after, pause })
    };
    let measured: Result<_, plimsoll_runtime::v8::InspectorError> = measured.await;
    inspector.close().await;
    measured.map_err(|error| in_words(&error))
}

fn to_model(predicted: &plimsoll_runtime::pause::PredictedPause) -> PredictedPause {
    let at_most = predicted.at_most.as_millis();
    let basis = format!("{}; more than {at_most} ms would be a surprise", predicted.basis);
    PredictedPause { pause: span(predicted.expected), basis }
}

fn span(duration: Duration) -> Span {
    Span::from_millis(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX))
}
