//! The instances here that can be acted on, what can be done with each, and why what is missing is
//! missing. Used by `performer`, which acts, and `orders`, which tells the server.

use plimsoll_act::cgroup::{self, GroupVersion, MemoryGroup};
use plimsoll_act::supervisor::{ReplicaState, ReplicaStatus, Supervisor};
use plimsoll_model::{Ability, InstanceName, PredictedPause, Reach, ServiceName, Version};
use tokio::sync::watch;

use crate::proc::ProcFs;
use crate::runtime_acts::RuntimeActs;

const NOT_READY: &str = "it is not ready";
const NO_GROUP: &str = "it has no cgroup of its own";
const NOT_OURS: &str = "it was not started by the supervisor of this agent";

/// A process that the collecting half watches and the supervisor does not know: the rest of the
/// machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    pub service: ServiceName,
    pub instance: InstanceName,
    pub version: Option<Version>,
    /// The process whose runtime is asked.
    pub pid: u32,
    /// Field 22 of `/proc/PID/stat`: an id that passed to another process is not acted on.
    pub start_ticks: u64,
    /// Whether its memory cgroup holds this instance and nobody else.
    pub own_group: bool,
}

/// An instance that can be acted on.
#[derive(Clone, Debug)]
pub(crate) struct Local {
    pub(crate) service: ServiceName,
    pub(crate) instance: InstanceName,
    pub(crate) version: Option<Version>,
    pub(crate) versions: Vec<Version>,
    /// None while it has no process, or one that is still starting.
    pub(crate) ready: Option<u32>,
    /// Its own group, or why it has none.
    pub(crate) group: Result<MemoryGroup, String>,
    pub(crate) supervised: bool,
}

/// Where instances come from. The supervisor's word goes before what was found.
#[derive(Debug)]
pub(crate) struct Locals {
    pub(crate) supervisor: Option<Supervisor>,
    pub(crate) found: Option<watch::Receiver<Vec<Found>>>,
}

impl Locals {
    /// Blocking for a few reads of memory-backed files for each instance.
    pub(crate) fn all(&self) -> Vec<Local> {
        let mut all: Vec<Local> = self.supervised().into_iter().map(|r| self.replica(r)).collect();
        if let Some(found) = &self.found {
            let found = found.borrow();
            let known = |found: &&Found| all.iter().any(|local| local.is(found));
            let mut proc = open_proc();
            let others = found.iter().filter(|found| !known(found));
            let others: Vec<Local> = others.map(|found| of_found(found, &mut proc)).collect();
            all.extend(others);
        }
        all
    }

    pub(crate) fn one(&self, service: &ServiceName, instance: &InstanceName) -> Option<Local> {
        let replica = self.supervisor.as_ref().and_then(|fleet| fleet.status_of(instance));
        match replica.filter(|replica| replica.service == *service) {
            Some(replica) => Some(self.replica(replica)),
            None => self.found_one(service, instance),
        }
    }

    pub(crate) fn supervised(&self) -> Vec<ReplicaStatus> {
        self.supervisor.as_ref().map(Supervisor::status).unwrap_or_default()
    }

    fn found_one(&self, service: &ServiceName, instance: &InstanceName) -> Option<Local> {
        let found = self.found.as_ref()?.borrow();
        let wanted = |one: &&Found| one.service == *service && one.instance == *instance;
        found.iter().find(wanted).map(|found| of_found(found, &mut open_proc()))
    }

    fn replica(&self, replica: ReplicaStatus) -> Local {
        let without = self.supervisor.as_ref().and_then(Supervisor::without_groups);
        let why = || without.map_or_else(|| NO_GROUP.to_owned(), ToString::to_string);
        let ready = (replica.state == ReplicaState::Ready).then_some(replica.pid).flatten();
        Local {
            service: replica.service,
            instance: replica.instance,
            version: Some(replica.version),
            versions: replica.versions,
            ready,
            group: replica.group.ok_or_else(why),
            supervised: true,
        }
    }
}

impl Local {
    fn is(&self, found: &Found) -> bool {
        self.service == found.service && self.instance == found.instance
    }
}

/// `None` where there is no `/proc`; then nothing that was found is ready.
fn open_proc() -> Option<ProcFs> {
    ProcFs::open("/proc".as_ref()).ok()
}

fn of_found(found: &Found, proc: &mut Option<ProcFs>) -> Local {
    let group = match found.own_group {
        true => cgroup::memory_group_of(found.pid),
        false => Err("it shares its cgroup with other processes".to_owned()),
    };
    Local {
        service: found.service.clone(),
        instance: found.instance.clone(),
        version: found.version.clone(),
        versions: Vec::new(),
        ready: is_still(found, proc).then_some(found.pid),
        group,
        supervised: false,
    }
}

fn is_still(found: &Found, proc: &mut Option<ProcFs>) -> bool {
    let stat = proc.as_mut().and_then(|proc| proc.stat(found.pid).ok());
    stat.is_some_and(|stat| stat.start_ticks == found.start_ticks && !stat.ended)
}

/// What the server is told of one instance.
pub(crate) fn reach(local: Local, runtimes: &RuntimeActs) -> Reach {
    let mut can = Can::default();
    processes(&local, &mut can);
    soft_limit(&local, &mut can);
    let predicted_pause = runtime(&local, runtimes, &mut can);
    can.abilities.sort_unstable();
    Reach {
        service: local.service,
        instance: local.instance,
        version: local.version,
        abilities: can.abilities,
        missing: can.missing,
        versions: local.versions,
        predicted_pause,
    }
}

#[derive(Default)]
struct Can {
    abilities: Vec<Ability>,
    missing: Vec<(Ability, String)>,
}

impl Can {
    fn not(&mut self, ability: Ability, why: &str) {
        self.missing.push((ability, why.to_owned()));
    }
}

fn processes(local: &Local, can: &mut Can) {
    if !local.supervised {
        can.not(Ability::Restart, NOT_OURS);
        return can.not(Ability::RunVersion, NOT_OURS);
    }
    can.abilities.push(Ability::Restart);
    match local.versions.len() {
        0 | 1 => can.not(Ability::RunVersion, "no other version of it can be started here"),
        _ => can.abilities.push(Ability::RunVersion),
    }
}

/// People expect `memory.high`; the soft limit is what older machines have in its place.
fn soft_limit(local: &Local, can: &mut Can) {
    match local.group.as_ref().map(|group| group.version) {
        Ok(GroupVersion::V2) => can.abilities.push(Ability::SetMemoryHigh),
        Ok(GroupVersion::V1) => {
            let found = cgroup::v2_found();
            let why = format!("this machine has no cgroup v2 memory controller: {found}");
            can.not(Ability::SetMemoryHigh, &why);
            can.abilities.push(Ability::SetSoftLimit);
        }
        Err(why) => {
            can.not(Ability::SetMemoryHigh, why);
            can.not(Ability::SetSoftLimit, why);
        }
    }
}

fn runtime(local: &Local, runtimes: &RuntimeActs, can: &mut Can) -> Option<PredictedPause> {
    let Some(pid) = local.ready else {
        can.not(Ability::CollectGarbage, NOT_READY);
        can.not(Ability::CaptureHistogram, NOT_READY);
        return None;
    };
    let askable = runtimes.askable(&local.instance, pid);
    match askable.collection {
        Ok(()) => can.abilities.push(Ability::CollectGarbage),
        Err(why) => can.not(Ability::CollectGarbage, &why),
    }
    match askable.histogram {
        Ok(predicted) => {
            can.abilities.push(Ability::CaptureHistogram);
            Some(predicted)
        }
        Err(why) => {
            can.not(Ability::CaptureHistogram, &why);
            None
        }
    }
}
