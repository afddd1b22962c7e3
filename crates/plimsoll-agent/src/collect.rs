//! One round: from the processes of this moment to readings and the changes that were noticed.
//!
//! Synchronous on purpose: procfs does not wait for anything but the kernel. It runs on a thread
//! of its own (`lib`), holds all state that outlives a round, and knows neither server nor queue.
//! Every collection here is bounded by the processes of the machine or by a declared number.

mod known;
mod lives;
mod select;

use std::collections::{BTreeSet, HashMap};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use plimsoll_model::{Bytes, Change, InstanceName, Metric, Reading, ServiceName, Timestamp};

use crate::cgroup::{self, Hierarchy};
use crate::clock::{Cost, Stopwatch};
use crate::files::ReadFailure;
use crate::inspect::NodeProcess;
use crate::pressure;
use crate::proc::{Pid, ProcError, ProcFs};
use crate::reach::Found;
use crate::runtimes::Runtimes;
use known::KnownProcesses;
use lives::Lives;
use select::Instance;
pub(crate) use select::Member;

/// The service under which the machine's own measures are given; its instance is the machine.
pub const NODE_SERVICE: &str = "node";

/// Which processes are watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Watch {
    /// Those that carry an OpenTelemetry service name in their environment, whatever their size.
    Labelled,
    /// The instances that one process started itself, if they are labelled, with their workers.
    /// Of other processes only the parent and the start are read.
    Supervised {
        /// Process id of the supervising agent.
        parent: u32,
    },
    /// The labelled ones, and every other one that holds enough memory to matter.
    Machine { rss_min: Bytes, instances_max: NonZeroUsize },
}

impl Watch {
    /// Below 32 MiB a process is not what fills a machine; a leaking one passes it soon enough.
    pub const MACHINE_RSS_MIN: Bytes = Bytes::from_mib(32);

    /// As many as the agent's own limits of processor and memory were measured with.
    pub const MACHINE_INSTANCES_MAX: NonZeroUsize = NonZeroUsize::new(200).expect("not zero");

    /// All of a machine, within the default bounds.
    pub const MACHINE: Self = Self::Machine {
        rss_min: Self::MACHINE_RSS_MIN,
        instances_max: Self::MACHINE_INSTANCES_MAX,
    };

    /// The process from which everything that is watched descends.
    const fn ancestor(self) -> Option<Pid> {
        match self {
            Self::Supervised { parent } => Some(parent),
            Self::Labelled | Self::Machine { .. } => None,
        }
    }
}

/// What a collector looks at.
#[derive(Clone, Debug)]
pub struct CollectOptions {
    pub proc_root: PathBuf,
    /// Stands before the mount points that `mounts` names; `/` on a real machine.
    pub root: PathBuf,
    pub watch: Watch,
    /// What this machine is called.
    pub node: InstanceName,
    /// Whether Node.js processes are asked for their heap. It opens a debugging port in them.
    pub inspect_v8: bool,
}

impl CollectOptions {
    /// This machine. The inspector of Node.js is only opened in processes that the agent started
    /// itself: a label says that somebody wants to know of a process, not that a debugging port
    /// may be opened in it.
    pub fn this_machine(watch: Watch, node: InstanceName) -> Self {
        let inspect_v8 = matches!(watch, Watch::Supervised { .. });
        Self { proc_root: "/proc".into(), root: "/".into(), watch, node, inspect_v8 }
    }
}

/// What a round left out, by reason, and how many it covered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub processes: u64,
    pub instances: u64,
    /// Files of other users' processes that may not be read.
    pub denied: u64,
    /// Processes that ended while they were read.
    pub vanished: u64,
    pub malformed: u64,
    /// Processes and instances beyond a bound.
    pub over_bound: u64,
}

impl Counts {
    fn failure(&mut self, failure: ReadFailure) {
        match failure {
            ReadFailure::Gone => self.vanished += 1,
            ReadFailure::Denied => self.denied += 1,
            ReadFailure::Malformed | ReadFailure::Refused => self.malformed += 1,
        }
    }
}

/// What one round found.
#[derive(Clone, Debug, Default)]
pub struct Round {
    /// By instance; within one, `process.start_time` comes first.
    pub readings: Vec<Reading>,
    pub changes: Vec<Change>,
    pub counts: Counts,
    pub cost: Cost,
    /// What was watched, for whoever acts on this machine. Without this process itself.
    pub found: Vec<Found>,
    /// Processes that may be asked for their heap, by whoever has the time to wait for them.
    pub(crate) node_processes: Vec<NodeProcess>,
}

/// Everything that is remembered from round to round.
#[derive(Debug)]
pub struct Collector {
    options: CollectOptions,
    node_service: ServiceName,
    proc: ProcFs,
    hierarchy: Hierarchy,
    known: KnownProcesses,
    lives: Lives,
    runtimes: Runtimes,
    round: u64,
}

impl Collector {
    pub fn new(options: CollectOptions) -> Result<Self, ProcError> {
        let mut proc = ProcFs::open(&options.proc_root)?;
        let mounts = proc.text(format_args!("mounts")).unwrap_or_default();
        let hierarchy = Hierarchy::from_mounts(mounts, &options.root);
        Ok(Self {
            node_service: ServiceName::new(NODE_SERVICE).expect("a short literal is a name"),
            proc,
            hierarchy,
            known: KnownProcesses::new(options.watch.ancestor()),
            lives: Lives::default(),
            runtimes: Runtimes::new(&options.proc_root),
            round: 0,
            options,
        })
    }

    /// Reads everything once. `now` is the time of every reading of the round.
    pub fn round(&mut self, now: Timestamp) -> Round {
        let stopwatch = Stopwatch::start();
        self.round += 1;
        let mut round = Round::default();
        self.read_node(now, &mut round);
        let members = self.known.members(&mut self.proc, self.round, now, &mut round.counts);
        let (instances, over) = select::choose(select::group(members), self.options.watch);
        round.counts.over_bound += over;
        let containers = self.containers(&instances);
        for instance in &instances {
            self.read_instance(instance, containers.get(&instance.first().pid), now, &mut round);
        }
        self.known.forget_unseen(self.round);
        let watched: BTreeSet<Pid> = instances.iter().flat_map(Instance::pids).collect();
        self.runtimes.forget_except(&watched);
        round.cost = stopwatch.cost();
        round
    }

    fn read_node(&mut self, now: Timestamp, round: &mut Round) {
        let figures = pressure::node_figures(&mut self.proc);
        round.readings.extend(figures.into_iter().map(|(metric, value)| Reading {
            at: now,
            service: self.node_service.clone(),
            version: None,
            instance: self.options.node.clone(),
            metric,
            value,
        }));
    }

    fn read_instance(
        &mut self,
        instance: &Instance,
        container: Option<&PathBuf>,
        now: Timestamp,
        round: &mut Round,
    ) {
        let mut figures = Vec::with_capacity(FIGURES_USUAL);
        let started_at = self.proc.started_at(instance.first().start_ticks);
        figures.push((Metric::ProcessStartTime, started_at.as_secs_f64()));
        if !self.read_processes(instance, &mut figures, &mut round.counts) {
            return;
        }
        if let Some(folder) = container {
            figures.extend(cgroup::memory::figures(&self.hierarchy, folder));
        }
        figures.extend(self.runtimes.figures(&instance.members, self.round));
        if self.options.inspect_v8
            && let Some(member) = self.runtimes.node(&instance.members)
        {
            round.node_processes.push(instance.node_process(now, member));
        }
        let found = self.found(instance, container);
        let room = round.found.len() < FOUND_MAX;
        round.counts.over_bound += u64::from(found.is_some() && !room);
        round.found.extend(found.filter(|_| room));
        round.counts.instances += 1;
        round.changes.extend(self.lives.observe(instance, started_at, self.round));
        round.readings.extend(figures.into_iter().map(|figure| instance.reading(now, figure)));
    }

    /// What can be acted on; `None` for this process itself. An agent that slowed itself down could
    /// not undo it in time.
    fn found(&mut self, instance: &Instance, container: Option<&PathBuf>) -> Option<Found> {
        if instance.has(std::process::id()) {
            return None;
        }
        let own_group = container.is_some_and(|folder| self.is_whole(instance, folder));
        let asked = self.runtimes.asked(&instance.members).unwrap_or_else(|| instance.first());
        Some(Found {
            service: instance.service().clone(),
            instance: instance.name.clone(),
            version: instance.first().identity.version.clone(),
            pid: asked.pid,
            start_ticks: asked.start_ticks,
            own_group,
        })
    }

    /// Whether no process of an instance is outside of its group, where a limit would not bind it.
    fn is_whole(&mut self, instance: &Instance, folder: &Path) -> bool {
        instance.pids().all(|pid| {
            let membership = self.proc.text(format_args!("{pid}/cgroup"));
            membership.is_ok_and(|text| self.hierarchy.folder(text).as_deref() == Some(folder))
        })
    }

    /// What the processes of an instance hold together. False when none of them is left.
    fn read_processes(
        &mut self,
        instance: &Instance,
        figures: &mut Vec<(Metric, f64)>,
        counts: &mut Counts,
    ) -> bool {
        let (mut resident, mut anon, mut threads, mut read) = (0, 0, 0, 0);
        let mut held = Vec::with_capacity(instance.members.len());
        let slow = self.known.slow_is_due(instance.first().pid, self.round);
        for member in &instance.members {
            match self.proc.footprint(member.pid) {
                Ok(footprint) => {
                    resident += footprint.resident;
                    anon += footprint.anon;
                    threads += member.threads;
                    read += 1;
                }
                Err(failure) => {
                    counts.failure(failure);
                    continue;
                }
            }
            match self.known.held(&mut self.proc, member.pid, slow) {
                Ok(found) => held.push(found),
                Err(failure) => counts.failure(failure),
            }
        }
        figures.push((Metric::ProcessMemoryRss, resident as f64));
        figures.push((Metric::ProcessMemoryAnon, anon as f64));
        figures.push((Metric::ProcessThreads, threads as f64));
        known::held_figures(&held, figures);
        read > 0
    }

    /// The control groups that belong to one instance alone, by its first process.
    fn containers(&mut self, instances: &[Instance]) -> HashMap<Pid, PathBuf> {
        let mut shared: HashMap<PathBuf, Vec<&Instance>> = HashMap::new();
        for instance in instances {
            let pid = instance.first().pid;
            let Ok(membership) = self.proc.text(format_args!("{pid}/cgroup")) else { continue };
            if let Some(folder) = self.hierarchy.folder(membership) {
                shared.entry(folder).or_default().push(instance);
            }
        }
        let alone = shared.into_iter().filter_map(|(folder, users)| match users.as_slice() {
            [only] => Some((only.first().pid, folder, *only)),
            _ => None,
        });
        alone
            .filter(|(_, folder, only)| cgroup::is_exclusive(folder, |pid| only.has(pid)))
            .map(|(pid, folder, _)| (pid, folder))
            .collect()
    }
}

/// Most instances that are offered to act on. Each costs some reads and 800 bytes in every poll of
/// the server: 400 KB together. More than twice what is watched of a machine; only labels can
/// pass it, and what lies beyond is counted.
const FOUND_MAX: usize = 500;

/// Readings of an instance in a usual round; only saves growing a vector.
const FIGURES_USUAL: usize = 24;
