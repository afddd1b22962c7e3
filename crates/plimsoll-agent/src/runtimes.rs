//! What the language runtimes of an instance tell: the live set of a JVM, at no cost to it; and
//! which processes are Node.js, for `inspect` to ask.
//!
//! The reading is done by `plimsoll-runtime`; here are only its sessions, one for each process that
//! has something to tell, and the mapping to canonical metrics. Used by `collect`.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use plimsoll_model::{Bytes, Metric};
use plimsoll_runtime::RuntimeKind;
use plimsoll_runtime::hsperfdata::{JvmReading, LiveSet, LiveUpdate, PerfFile};

use crate::collect::Member;
use crate::proc::{Pid, ProgramName};

/// A runtime that does not answer is asked again after 1, 2, 4, then at most this many rounds: it
/// may still be starting, or it may never answer.
const RETRY_ROUNDS_MAX: u64 = 64;

/// The runtimes of the watched processes. Bounded by them.
#[derive(Debug)]
pub(crate) struct Runtimes {
    proc_root: PathBuf,
    by_pid: HashMap<Pid, Runtime>,
}

/// One run of one program.
#[derive(Debug)]
struct Runtime {
    start_ticks: u64,
    program: ProgramName,
    session: Session,
}

#[derive(Debug)]
enum Session {
    Jvm(Box<Jvm>),
    Node,
    /// A runtime that is worth asking, but has not answered yet.
    Waiting {
        kind: RuntimeKind,
        retry_in: u64,
        due: u64,
    },
    /// Nothing to ask.
    Silent,
}

#[derive(Debug)]
struct Jvm {
    file: PerfFile,
    live: LiveSet,
}

impl Runtimes {
    pub(crate) fn new(proc_root: &Path) -> Self {
        Self { proc_root: proc_root.to_owned(), by_pid: HashMap::new() }
    }

    /// The figures of the first process of an instance that has a runtime which answers.
    pub(crate) fn figures(&mut self, members: &[Member], round: u64) -> Vec<(Metric, f64)> {
        members.iter().find_map(|member| self.of_process(member, round)).unwrap_or_default()
    }

    /// The first process of an instance that is a Node.js, once its figures were asked for.
    pub(crate) fn node<'a>(&self, members: &'a [Member]) -> Option<&'a Member> {
        let is_node = |member: &&Member| {
            let runtime = self.by_pid.get(&member.pid);
            runtime.is_some_and(|runtime| matches!(runtime.session, Session::Node))
        };
        members.iter().find(is_node)
    }

    /// The first process of an instance that has a runtime to talk to, once its figures were asked
    /// for: a start script stands before the program that it started.
    pub(crate) fn asked<'a>(&self, members: &'a [Member]) -> Option<&'a Member> {
        let talks = |member: &&Member| {
            let runtime = self.by_pid.get(&member.pid);
            runtime.is_some_and(|runtime| match &runtime.session {
                Session::Jvm(_) | Session::Node => true,
                Session::Waiting { kind, .. } => *kind == RuntimeKind::Jvm,
                Session::Silent => false,
            })
        };
        members.iter().find(talks)
    }

    pub(crate) fn forget_except(&mut self, watched: &BTreeSet<Pid>) {
        self.by_pid.retain(|pid, _| watched.contains(pid));
    }

    fn of_process(&mut self, member: &Member, round: u64) -> Option<Vec<(Metric, f64)>> {
        let runtime = self.by_pid.entry(member.pid).or_insert_with(|| Runtime::new(member));
        if runtime.is_another(member) {
            *runtime = Runtime::new(member);
        }
        if let Session::Waiting { kind, retry_in, due } = runtime.session
            && due <= round
        {
            runtime.session = open(&self.proc_root, member.pid, kind, retry_in, round);
        }
        let Session::Jvm(jvm) = &mut runtime.session else { return None };
        match jvm.file.read() {
            Ok(reading) => Some(jvm_figures(&reading, jvm.live.feed(&reading))),
            Err(error) => {
                tracing::debug!(pid = member.pid, %error, "the counters of a JVM went away");
                runtime.session = Session::waiting(RuntimeKind::Jvm, 1, round);
                None
            }
        }
    }
}

impl Runtime {
    /// Everything is asked at first sight: which runtime it is is found out then.
    fn new(member: &Member) -> Self {
        let session = Session::Waiting { kind: RuntimeKind::Unknown, retry_in: 1, due: 0 };
        Self { start_ticks: member.start_ticks, program: member.program, session }
    }

    fn is_another(&self, member: &Member) -> bool {
        self.start_ticks != member.start_ticks || self.program != member.program
    }
}

impl Session {
    fn waiting(kind: RuntimeKind, retry_in: u64, round: u64) -> Self {
        let doubled = (retry_in * 2).min(RETRY_ROUNDS_MAX);
        Self::Waiting { kind, retry_in: doubled, due: round + retry_in }
    }
}

fn open(proc_root: &Path, pid: Pid, kind: RuntimeKind, retry_in: u64, round: u64) -> Session {
    let kind = match kind {
        RuntimeKind::Unknown => plimsoll_runtime::identify(proc_root, pid).kind,
        known => known,
    };
    match kind {
        RuntimeKind::Jvm => match PerfFile::open(proc_root, pid) {
            Ok(file) => Session::Jvm(Box::new(Jvm { file, live: LiveSet::new() })),
            Err(error) => {
                tracing::debug!(pid, %error, "a JVM does not show its counters");
                Session::waiting(kind, retry_in, round)
            }
        },
        RuntimeKind::Unknown => Session::waiting(kind, retry_in, round),
        RuntimeKind::Node => Session::Node,
        RuntimeKind::CPython | RuntimeKind::Go | RuntimeKind::Native => Session::Silent,
    }
}

fn jvm_figures(reading: &JvmReading, live: LiveUpdate) -> Vec<(Metric, f64)> {
    let bytes = |size: Option<Bytes>| size.map(Bytes::as_f64);
    let live = match live {
        LiveUpdate::Live { old_used, after: _ } => Some(old_used),
        LiveUpdate::Unchanged
        | LiveUpdate::InCollection
        | LiveUpdate::NoCollectionYet
        | LiveUpdate::CannotTell { .. } => None,
    };
    let figures = [
        (Metric::RuntimeHeapLive, bytes(live)),
        (Metric::RuntimeHeapUsed, bytes(reading.heap_used)),
        (Metric::RuntimeHeapCommitted, bytes(reading.heap_committed)),
        (Metric::RuntimeHeapLimit, bytes(reading.heap_max)),
        (Metric::RuntimeNonheapUsed, bytes(reading.metaspace_used)),
        (Metric::RuntimeClasses, reading.classes_loaded.map(|count| count as f64)),
        (Metric::RuntimeGcCount, Some(reading.collection_count() as f64)),
        (Metric::RuntimeGcPause, Some(reading.collection_seconds())),
    ];
    let finite = |(metric, value): (Metric, Option<f64>)| {
        Some((metric, value.filter(|value| value.is_finite())?))
    };
    figures.into_iter().filter_map(finite).collect()
}
