//! Runs a fleet on this machine: starts every replica, restarts what crashes, replaces what it is
//! told to replace, and leaves nothing behind when it ends, in whatever way it ends.
//!
//! Not an orchestrator: it places nothing and scales nothing. Used by the agent, which hosts it.

mod replica;
mod versions;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use plimsoll_model::{Bytes, IdError, InstanceName, ServiceName, Span, Timestamp, Version};
use plimsoll_wire::fleet::{FleetSpec, ReplicaSpec, ServiceSpec};
use tokio::sync::{mpsc, oneshot, watch};

use crate::cgroup::{GroupError, Groups, MemoryGroup, NoGroups};
use crate::output::Output;
use crate::spawner::Spawner;
use replica::{Keeper, Order};
use versions::RunningVersions;

/// Replicas of one fleet. Each costs a task, a log file and a cgroup; a machine that this
/// supervisor is meant for runs tens.
const REPLICAS_MAX: usize = 256;

/// Orders that may wait for one replica. Each caller waits for its own order's end.
const ORDERS_MAX: usize = 4;

/// What a supervisor needs to know beside the fleet.
#[derive(Clone, Debug)]
pub struct SupervisorOptions {
    /// Program and leading arguments that reach [`crate::launch::launch_child`], for example the
    /// own executable and `exec-child`.
    pub launcher: Vec<OsString>,
    /// Takes `logs/` and `replicas.json`; made when it is not there.
    pub folder: PathBuf,
    /// Where the replicas send their telemetry.
    pub otlp_endpoint: String,
}

/// A fleet that runs. Dropping it ends every replica at once; [`Supervisor::stop_all`] does it
/// in order.
#[derive(Debug)]
pub struct Supervisor {
    replicas: BTreeMap<InstanceName, Replica>,
    groups: Result<Arc<Groups>, NoGroups>,
    stopping: watch::Sender<bool>,
}

#[derive(Debug)]
struct Replica {
    orders: mpsc::Sender<Order>,
    status: watch::Receiver<ReplicaStatus>,
}

/// What one replica does now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplicaStatus {
    pub service: ServiceName,
    pub instance: InstanceName,
    pub port: u16,
    /// The version that runs, or that the next start would run.
    pub version: Version,
    /// Versions that can be started in its place.
    pub versions: Vec<Version>,
    pub state: ReplicaState,
    pub pid: Option<u32>,
    pub started_at: Option<Timestamp>,
    /// Starts after a crash, since the supervisor started.
    pub crash_restarts: u32,
    /// How it ended the last time, in words.
    pub last_exit: Option<String>,
    pub group: Option<MemoryGroup>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplicaState {
    Stopped,
    Starting,
    Ready,
    /// It crashed, and is started again after a pause.
    Waiting,
    /// It crashed too often in a row; it stays down until it is told to start.
    GivenUp,
}

/// Why a fleet is not run at all.
#[derive(Debug, thiserror::Error)]
pub enum FleetError {
    #[error("the fleet has {count} replicas, at most {REPLICAS_MAX} are run")]
    TooLarge { count: usize },
    #[error("`{name}` cannot name a replica or service")]
    Name { name: String, source: IdError },
    #[error("`{name}` cannot name a replica: its log file would lie outside the log folder")]
    PathInName { name: String },
    #[error("two replicas are called `{name}`")]
    Twice { name: String },
    #[error("{service} is to start with version {version}, which it has no launch for")]
    NoLaunch { service: String, version: String },
    #[error("no launcher program is given")]
    NoLauncher,
    #[error("cannot prepare {}", path.display())]
    Folder { path: PathBuf, source: io::Error },
    #[error("cannot start the spawner thread")]
    Spawner(#[source] io::Error),
    #[error("a replica's cgroup is missing")]
    Group(#[from] GroupError),
}

/// Why a replica does not run the version that was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReplaceError {
    #[error("no replica is called {0}")]
    UnknownInstance(InstanceName),
    #[error("{instance} has no launch for version {version}")]
    UnknownVersion { instance: InstanceName, version: Version },
    #[error("version {version} did not come up ({why}); {old} runs again and is ready")]
    BroughtBack { version: Version, old: Version, why: String },
    #[error("version {version} did not come up ({why}), nor did {old} ({why_old}); it is down")]
    Down { version: Version, old: Version, why: String, why_old: String },
    #[error("the supervisor is stopping")]
    Stopping,
}

/// A replica that runs what it was asked to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replaced {
    pub version: Version,
    pub ready_after: Span,
}

impl Supervisor {
    /// Prepares the fleet without starting it: checks the specification, sweeps the cgroups of
    /// dead runs, makes its own. Call it inside a tokio runtime.
    pub fn prepare(fleet: &FleetSpec, options: SupervisorOptions) -> Result<Self, FleetError> {
        check(fleet, &options)?;
        let logs = options.folder.join("logs");
        std::fs::create_dir_all(&logs)
            .map_err(|source| FleetError::Folder { path: logs.clone(), source })?;
        let versions = RunningVersions::open(&options.folder)
            .map_err(|(path, source)| FleetError::Folder { path, source })?;
        crate::cgroup::sweep();
        let groups = Groups::create().map(Arc::new);
        if let Err(reason) = &groups {
            tracing::warn!(%reason, "replicas run without memory limits");
        }
        let (stopping, _) = watch::channel(false);
        let mut supervisor = Self { replicas: BTreeMap::new(), groups, stopping };
        let kit = Kit {
            logs,
            versions: Arc::new(versions),
            spawner: Spawner::start().map_err(FleetError::Spawner)?,
            options: Arc::new(options),
        };
        for service in &fleet.services {
            for replica in &service.replicas {
                supervisor.add(service, replica, &kit)?;
            }
        }
        Ok(supervisor)
    }

    fn add(&mut self, spec: &ServiceSpec, own: &ReplicaSpec, kit: &Kit) -> Result<(), FleetError> {
        let instance = name(&own.instance, InstanceName::new)?;
        let group = match &self.groups {
            Ok(groups) => Some(groups.add(&own.instance, spec.memory_limit_bytes.map(Bytes))?),
            Err(_) => None,
        };
        let version = kit.versions.of(&own.instance, spec);
        let status = ReplicaStatus {
            service: name(&spec.service, ServiceName::new)?,
            instance: instance.clone(),
            port: own.port,
            version: name(&version, Version::new)?,
            versions: launchable(spec)?,
            state: ReplicaState::Stopped,
            pid: None,
            started_at: None,
            crash_restarts: 0,
            last_exit: None,
            group,
        };
        let (status, seen) = watch::channel(status);
        let (orders, queue) = mpsc::channel(ORDERS_MAX);
        let output = Output::new(&kit.logs, &own.instance);
        let keeper = Keeper::new(spec.clone(), kit.clone(), output, status);
        tokio::spawn(keeper.run(queue, self.stopping.subscribe()));
        self.replicas.insert(instance, Replica { orders, status: seen });
        Ok(())
    }

    /// Starts every replica at once, and waits until each is ready or has failed; the failures,
    /// in words. A replica that failed is tried again later, like one that crashed.
    pub async fn start_all(&self, deadline: Duration) -> Vec<(InstanceName, String)> {
        let mut waiting = Vec::new();
        for (instance, replica) in &self.replicas {
            let (reply, answer) = oneshot::channel();
            let order = Order::Start { deadline, reply };
            if replica.orders.send(order).await.is_ok() {
                waiting.push((instance.clone(), answer));
            }
        }
        let mut failures = Vec::new();
        for (instance, answer) in waiting {
            match answer.await {
                Ok(Ok(_)) => {}
                Ok(Err(why)) => failures.push((instance, why.to_string())),
                Err(_) => failures.push((instance, ReplaceError::Stopping.to_string())),
            }
        }
        failures
    }

    /// Stops the replica and starts `version` in its place; the version that runs already is a
    /// plain restart. When it is not ready within the deadline, the old version is started again.
    pub async fn replace(
        &self,
        instance: &InstanceName,
        version: &Version,
        deadline: Duration,
    ) -> Result<Replaced, ReplaceError> {
        let unknown = || ReplaceError::UnknownInstance(instance.clone());
        let replica = self.replicas.get(instance).ok_or_else(unknown)?;
        let (reply, answer) = oneshot::channel();
        let order = Order::Replace { version: version.clone(), deadline, reply };
        replica.orders.send(order).await.map_err(|_| ReplaceError::Stopping)?;
        answer.await.unwrap_or(Err(ReplaceError::Stopping))
    }

    /// Ends every replica in order (SIGTERM, a grace, SIGKILL), and removes the cgroups. The
    /// supervisor takes no orders afterwards.
    pub async fn stop_all(&self) {
        self.stopping.send_replace(true);
        for replica in self.replicas.values() {
            // The queue closes when the keeper, which owns its end, has ended.
            replica.orders.closed().await;
        }
        let Ok(groups) = &self.groups else { return };
        let groups = Arc::clone(groups);
        let removed = tokio::task::spawn_blocking(move || groups.remove()).await;
        if let Ok(Err(error)) = removed {
            tracing::warn!(%error, "the next start sweeps it");
        }
    }

    pub fn status(&self) -> Vec<ReplicaStatus> {
        self.replicas.values().map(|replica| replica.status.borrow().clone()).collect()
    }

    pub fn status_of(&self, instance: &InstanceName) -> Option<ReplicaStatus> {
        self.replicas.get(instance).map(|replica| replica.status.borrow().clone())
    }

    /// Why replicas have no cgroups of their own, when they have none.
    pub fn without_groups(&self) -> Option<&NoGroups> {
        self.groups.as_ref().err()
    }
}

/// What all keepers of a supervisor share.
#[derive(Clone, Debug)]
struct Kit {
    logs: PathBuf,
    versions: Arc<RunningVersions>,
    spawner: Spawner,
    options: Arc<SupervisorOptions>,
}

fn check(fleet: &FleetSpec, options: &SupervisorOptions) -> Result<(), FleetError> {
    if options.launcher.is_empty() {
        return Err(FleetError::NoLauncher);
    }
    let count = fleet.services.iter().map(|service| service.replicas.len()).sum();
    if count > REPLICAS_MAX {
        return Err(FleetError::TooLarge { count });
    }
    let mut names = std::collections::BTreeSet::new();
    for service in &fleet.services {
        if !service.launches.contains_key(&service.version) {
            let (service, version) = (service.service.clone(), service.version.clone());
            return Err(FleetError::NoLaunch { service, version });
        }
        for ReplicaSpec { instance, .. } in &service.replicas {
            let name = instance.clone();
            if name.contains('/') || name.starts_with('.') {
                return Err(FleetError::PathInName { name });
            }
            if !names.insert(instance.as_str()) {
                return Err(FleetError::Twice { name });
            }
        }
    }
    Ok(())
}

fn launchable(spec: &ServiceSpec) -> Result<Vec<Version>, FleetError> {
    spec.launches.keys().map(|version| name(version, Version::new)).collect()
}

fn name<N>(text: &str, new: fn(&str) -> Result<N, IdError>) -> Result<N, FleetError> {
    new(text).map_err(|source| FleetError::Name { name: text.to_owned(), source })
}
