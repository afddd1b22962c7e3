//! Looks at a process before anything is taken from it: what it is, how much of its heap is in use,
//! what can be had, at which cost, and what speaks against it.
//!
//! A look at a JVM opens its attach socket (30 ms, once in its life); one at Node.js opens its
//! inspector, until the survey is closed. Not here: what is taken then (`take`).

use std::error::Error;
use std::fs::File;
use std::time::Duration;

use plimsoll_model::Bytes;

use super::counters::Counters;
use super::error::CaptureError;
use super::handover::Handover;
use super::jvm_words::heap_in_use;
use super::offer::{Cost, Offer, Room};
use super::{Contents, Order, Rung};
use crate::attach::{Jvm, Patience, Population};
use crate::cpython;
use crate::experience::Experience;
use crate::go::Pprof;
use crate::hsperfdata::{JvmReading, PerfFile};
use crate::identify::{Identity, RuntimeKind, identify};
use crate::pause::{CaptureKind, PredictedPause};
use crate::process::ProcessFiles;
use crate::room::{DiskRoom, memory_headroom};
use crate::v8::{Inspector, Patience as InspectorPatience};

/// Largest class histogram: 50 000 classes of 80 bytes.
const HISTOGRAM_BYTES: Bytes = Bytes::from_mib(4);

/// Largest sampling profile that is likely.
const PROFILE_BYTES: Bytes = Bytes::from_mib(32);

/// Largest file of counters.
const COUNTERS_BYTES: Bytes = Bytes(64 << 10);

/// What a JVM takes to write a dump, beside the page cache, which the kernel gives back: buffers.
const DUMP_MEMORY: Bytes = Bytes::from_mib(32);

/// Copies of its heap that V8 takes for a snapshot: measured 9 in all, at 155 MB of heap.
const SNAPSHOT_HEAPS: u64 = 8;

/// A process that was looked at.
#[derive(Debug)]
pub struct Survey {
    pub order: Order,
    pub identity: Identity,
    /// What runs in it, as far as it is remembered by: a main class, a script, a program.
    pub program: String,
    pub heap_used: Option<Bytes>,
    /// Best first.
    pub offers: Vec<Offer>,
    pub(super) process: ProcessFiles,
    pub(super) session: Session,
    pub(super) handover: Option<Handover>,
    perf: Option<JvmReading>,
}

/// What is held open between the look and the capture.
#[derive(Debug)]
pub(super) enum Session {
    Jvm(JvmSession),
    Node(Box<Inspector>),
    Go(Pprof),
    Outside,
}

#[derive(Clone, Debug)]
pub(super) struct JvmSession {
    process: ProcessFiles,
}

impl JvmSession {
    /// A JVM that is asked something that may take this long.
    pub(super) fn patient(&self, answer: Duration) -> Jvm {
        let patience = Patience { answer, ..Patience::default() };
        Jvm::new(self.process.root(), self.process.pid(), patience)
    }
}

impl Survey {
    /// The figures of this moment.
    pub(super) async fn counters(&mut self) -> Counters {
        let mut counters = Counters::of_process(&self.process, &self.identity, &self.program);
        counters.jvm = self.perf.clone();
        if let Session::Node(inspector) = &mut self.session {
            counters.v8 = inspector.memory_usage().await.ok();
        }
        counters
    }

    /// Takes back what the look has opened. Always to be waited for.
    pub async fn close(self) {
        if let Session::Node(inspector) = self.session {
            inspector.close().await;
        }
    }
}

/// Looks at the process of an order.
///
/// # Errors
/// When there is no such process, or no such folder for the output. What the runtime refuses is no
/// error but an objection to an offer.
pub async fn survey(order: Order, experience: &Experience) -> Result<Survey, CaptureError> {
    let pid = order.pid;
    let process = ProcessFiles::new(&order.proc_root, pid);
    let status = process.status().map_err(|source| CaptureError::NoProcess { pid, source })?;
    if status.is_dead() {
        return Err(CaptureError::Ended { pid });
    }
    let output = File::open(&order.output_folder).and_then(DiskRoom::at).map_err(|source| {
        CaptureError::OutputFolder { path: order.output_folder.clone(), source }
    })?;
    let identity = identify(&order.proc_root, pid);
    let program = process.program().unwrap_or_else(|_| "unknown".to_owned());
    let mut found = Survey {
        identity,
        program,
        heap_used: None,
        offers: Vec::new(),
        session: Session::Outside,
        handover: None,
        perf: None,
        process,
        order,
    };
    let experienced = Experienced { experience };
    match found.identity.kind {
        RuntimeKind::Jvm => found.look_at_jvm(&experienced).await,
        RuntimeKind::Node => found.look_at_node(&experienced).await,
        RuntimeKind::Go => found.look_at_go().await,
        RuntimeKind::CPython => found.look_at_python(),
        RuntimeKind::Native | RuntimeKind::Unknown => {}
    }
    found.offers.push(Offer::new(
        Rung::Counters,
        Contents::Counters,
        Cost::only_file(COUNTERS_BYTES),
    ));
    found.weigh(output);
    Ok(found)
}

/// Predicts by what was measured.
struct Experienced<'a> {
    experience: &'a Experience,
}

impl Experienced<'_> {
    fn cost(&self, kind: CaptureKind, program: &str, used: Bytes, memory: Bytes) -> Cost {
        let (pause, file) = self.experience.predict(kind, program, used);
        Cost { pause: Some(pause), file, memory, kind: Some(kind) }
    }
}

impl Survey {
    fn weigh(&mut self, output: DiskRoom) {
        let target = self.handover.as_ref().and_then(|place| place.room().ok());
        let room = Room { output, target, headroom: memory_headroom(&self.process) };
        let offers = std::mem::take(&mut self.offers);
        self.offers = offers.into_iter().map(|offer| offer.weighed(&self.order, &room)).collect();
    }

    async fn look_at_jvm(&mut self, experienced: &Experienced<'_>) {
        let (root, pid) = (&self.order.proc_root, self.order.pid);
        self.perf = PerfFile::open(root, pid).and_then(|file| file.read()).ok();
        if let Some(main) = self.perf.as_ref().and_then(|perf| perf.main.clone()) {
            self.program = main;
        }
        self.heap_used = self.perf.as_ref().and_then(|perf| perf.heap_used);
        if !self.order.considers(Rung::Dump) && !self.order.considers(Rung::Histogram) {
            return;
        }
        let jvm = JvmSession { process: self.process.clone() };
        let asked = jvm.patient(Patience::default().answer).heap_info().await;
        let refused = asked.as_ref().err().map(|error| in_words(error));
        self.heap_used = asked.ok().and_then(|text| heap_in_use(&text)).or(self.heap_used);
        self.session = Session::Jvm(jvm);
        self.offer_jvm(experienced, refused.as_deref());
    }

    fn offer_jvm(&mut self, experienced: &Experienced<'_>, refused: Option<&str>) {
        let used = self.heap_used.unwrap_or_default();
        let (dump, histogram) = match self.order.objects {
            Population::All => (CaptureKind::JvmDumpAll, CaptureKind::JvmHistogramAll),
            Population::Live => (CaptureKind::JvmDumpLive, CaptureKind::JvmHistogramLive),
        };
        let cost = experienced.cost(dump, &self.program, used, DUMP_MEMORY);
        let dump = Offer::new(Rung::Dump, Contents::Hprof, cost);
        let mut cost = experienced.cost(histogram, &self.program, used, Bytes(0));
        cost.file = Cost::only_file(HISTOGRAM_BYTES).file;
        let histogram = Offer::new(Rung::Histogram, Contents::ClassHistogram, cost);
        if let Some(why) = refused {
            self.offers = vec![dump.cannot_ask(why), histogram.cannot_ask(why)];
            return;
        }
        let dump = match self.place_for_dump() {
            Ok(place) => {
                self.handover = place;
                dump
            }
            Err(why) => dump.cannot_ask(&why),
        };
        self.offers = vec![dump, histogram];
    }

    fn place_for_dump(&self) -> Result<Option<Handover>, String> {
        if !self.order.considers(Rung::Dump) {
            return Ok(None);
        }
        let status = self.process.status().map_err(|error| in_words(&error))?;
        let folder = self.order.target_folder.as_deref();
        Handover::create(&self.process, &status, folder).map(Some).map_err(|error| in_words(&error))
    }

    async fn look_at_node(&mut self, experienced: &Experienced<'_>) {
        if let Some(script) = script_of(&self.process) {
            self.program = script;
        }
        let (root, pid) = (self.order.proc_root.clone(), self.order.pid);
        if !self.order.considers(Rung::Dump) && !self.order.considers(Rung::Profile) {
            return;
        }
        let patience = InspectorPatience::default();
        let refused = match Inspector::open_for_capture(&root, pid, patience).await {
            Ok(mut inspector) => {
                let usage = inspector.heap_usage().await;
                self.session = Session::Node(Box::new(inspector));
                self.heap_used = usage.as_ref().ok().map(|usage| usage.used);
                usage.err().map(|error| in_words(&error))
            }
            Err(error) => Some(in_words(&error)),
        };
        let used = self.heap_used.unwrap_or_default();
        let memory = Bytes(used.0.saturating_mul(SNAPSHOT_HEAPS));
        let cost = experienced.cost(CaptureKind::NodeSnapshot, &self.program, used, memory);
        let offers = [
            Offer::new(Rung::Dump, Contents::V8Snapshot, cost),
            Offer::new(Rung::Profile, Contents::V8Profile, profile_cost()),
        ];
        self.offers =
            offers.into_iter().map(|offer| or_refused(offer, refused.as_deref())).collect();
    }

    async fn look_at_go(&mut self) {
        if !self.order.considers(Rung::Profile) && !self.order.considers(Rung::Goroutines) {
            return;
        }
        let (root, pid) = (self.order.proc_root.clone(), self.order.pid);
        let refused = match Pprof::find(&root, pid, self.order.go_address).await {
            Ok(pprof) => {
                self.session = Session::Go(pprof);
                None
            }
            Err(error) => Some(in_words(&error)),
        };
        let offers = [
            Offer::new(Rung::Profile, Contents::GoHeap, Cost::only_file(PROFILE_BYTES)),
            Offer::new(Rung::Goroutines, Contents::Goroutines, Cost::only_file(PROFILE_BYTES)),
        ];
        self.offers =
            offers.into_iter().map(|offer| or_refused(offer, refused.as_deref())).collect();
    }

    /// A histogram is what could be had with code inside of the process.
    fn look_at_python(&mut self) {
        let maps = self.process.text("maps").unwrap_or_default();
        let found = cpython::detect(&self.program, &maps);
        let version = found.map_or_else(|| "CPython".to_owned(), |python| python.to_string());
        let door = match found.is_some_and(|python| python.has_remote_exec()) {
            true => "it would take code from outside (sys.remote_exec), which Plimsoll does not do",
            false => "it takes no code from outside, which 3.14 and later do",
        };
        let why = format!(
            "{version} tells nothing of its objects by itself, and {door}; not seen are {}; for \
             more, have the service start tracemalloc and write its snapshots",
            cpython::UNSEEN
        );
        let cost = Cost::only_file(HISTOGRAM_BYTES);
        let histogram = Offer::new(Rung::Histogram, Contents::ClassHistogram, cost);
        self.offers = vec![histogram.cannot_ask(&why)];
    }
}

/// Measured: 0.4 s for the profile of a heap of 40 MB on a machine under nine times its load.
fn profile_cost() -> Cost {
    let pause = PredictedPause {
        expected: Duration::from_millis(100),
        at_most: Duration::from_secs(1),
        basis: "V8 writes the profile when it stops watching, whatever the heap".to_owned(),
    };
    Cost { pause: Some(pause), ..Cost::only_file(PROFILE_BYTES) }
}

fn or_refused(offer: Offer, refused: Option<&str>) -> Offer {
    match refused {
        Some(why) => offer.cannot_ask(why),
        None => offer,
    }
}

/// The script's name without its folders. Arguments behind it are never looked at: they are where
/// people put passwords.
fn script_of(process: &ProcessFiles) -> Option<String> {
    let arguments = process.arguments().ok()?;
    let script = arguments.iter().skip(1).find(|argument| !argument.starts_with('-'))?;
    let name = script.rsplit('/').next().filter(|name| name.len() <= 100)?;
    (name.ends_with("js") || name.ends_with("ts")).then(|| name.to_owned())
}

/// An error and its causes, in one line.
fn in_words(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
