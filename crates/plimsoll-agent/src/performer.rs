//! Performs commands, each at most once, only on what it was meant for, one at a time for each
//! service. What is to be done stands in the command; nothing is chosen here.
//!
//! Used by `orders`, which gets commands from the server, and `local_socket`, whose deploys wait
//! for the same locks.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use plimsoll_act::lease::LeaseBook;
use plimsoll_act::performed::{Begin, Performed, PerformedError};
use plimsoll_act::supervisor::{ReplaceError, ReplicaState, ReplicaStatus, Supervisor};
use plimsoll_model::{
    Action, Command, InstanceName, Measured, Reach, Receipt, ReceiptResult, ServiceName, Timestamp,
    Version,
};
use plimsoll_wire::format_time;
use plimsoll_wire::local::LocalReplica;
use tokio::sync::{Mutex, Notify};

use crate::clock;
use crate::commands::CommandsError;
use crate::reach::{Local, Locals, reach};
use crate::runtime_acts::RuntimeActs;

/// How long a version may take until it is ready; then the old one is started again. A JVM on a
/// busy machine with two cores needs ten seconds.
pub(crate) const READY_DEADLINE: Duration = Duration::from_secs(60);

/// Everything that this agent can act with.
#[derive(Debug)]
pub(crate) struct Performer {
    locals: Locals,
    leases: LeaseBook,
    pub(crate) performed: Performed,
    runtimes: RuntimeActs,
    /// One for each service of the fleet.
    locks: BTreeMap<ServiceName, Arc<Mutex<()>>>,
    /// There is a receipt to report, or the reach has changed.
    pub(crate) news: Notify,
}

/// What came of an act, before it has its times.
type Acted = Result<Measured, ReceiptResult>;

impl Performer {
    pub(crate) fn open(folder: &Path, locals: Locals) -> Result<Self, CommandsError> {
        let now = clock::now();
        let leases = LeaseBook::open(folder, now)?;
        let performed = Performed::open(folder, now)?;
        let replicas = locals.supervised().into_iter();
        let locks = replicas.map(|replica| (replica.service, Arc::default()));
        Ok(Self {
            locks: locks.collect(),
            locals,
            leases,
            performed,
            runtimes: RuntimeActs::default(),
            news: Notify::new(),
        })
    }

    /// Blocking for some reads of memory-backed files for each instance.
    pub(crate) fn reach(&self) -> Vec<Reach> {
        let all = self.locals.all();
        self.runtimes.forget_except(&all.iter().map(|local| local.instance.clone()).collect());
        all.into_iter().map(|local| reach(local, &self.runtimes)).collect()
    }

    fn supervisor(&self) -> Option<&Supervisor> {
        self.locals.supervisor.as_ref()
    }

    /// Performs the command, unless it was begun before, and keeps its receipt for the server.
    pub(crate) async fn perform(&self, command: Command) {
        let lock = self.locks.get(&command.service);
        let _alone = match lock {
            Some(lock) => Some(lock.lock().await),
            None => None,
        };
        let started_at = clock::now();
        match self.performed.begin(&command, started_at) {
            Ok(Begin::Now) => {}
            Ok(Begin::Running | Begin::Ended) => return self.news.notify_one(),
            Err(error) => {
                let (id, why) = (&command.id, in_words(&error));
                return tracing::error!(%id, why, "a command is not performed, as it cannot be \
                                        written down; the server repeats it");
            }
        }
        tracing::info!(id = %command.id, instance = %command.instance,
            action = command.action.name(), reason = command.reason, "performing");
        let acted = match in_time(&command, started_at) {
            Ok(()) => self.act(&command).await,
            Err(late) => Err(late),
        };
        let result = acted.map_or_else(|result| result, ReceiptResult::Done);
        self.keep(&Receipt {
            command: command.id,
            service: command.service,
            instance: command.instance,
            action: command.action,
            started_at,
            ended_at: clock::now(),
            result,
        });
    }

    /// Every path below has its own deadline: the runtimes' patience, the supervisor's deadline,
    /// the time limit of a write.
    async fn act(&self, command: &Command) -> Acted {
        let local = guard(command, self.locals.one(&command.service, &command.instance))?;
        match &command.action {
            Action::CollectGarbage => {
                let pid = running(&local)?;
                let collected = self.runtimes.collect_garbage(&local.instance, pid).await;
                collected.map_err(ReceiptResult::Failed)
            }
            Action::CaptureHistogram => {
                let pid = running(&local)?;
                let counted = self.runtimes.count_types(&local.instance, pid).await;
                counted.map_err(ReceiptResult::Failed)
            }
            Action::SetMemoryHigh(_) | Action::SetSoftLimit(_) => self.limit(command, &local).await,
            Action::Restart => self.replace(command, local.version.as_ref()).await,
            Action::RunVersion(version) => self.replace(command, Some(version)).await,
        }
    }

    async fn limit(&self, command: &Command, local: &Local) -> Acted {
        let group = local.group.as_ref().map_err(|why| refused(why))?;
        let limited = self.leases.limit(command, group).await;
        limited.map_err(|error| match error.changed_nothing() {
            true => refused(&in_words(&error)),
            false => ReceiptResult::Failed(in_words(&error)),
        })
    }

    async fn replace(&self, command: &Command, version: Option<&Version>) -> Acted {
        if command.lease.is_some() {
            return Err(refused("a lease cannot bring back a process that was stopped"));
        }
        let (Some(supervisor), Some(version)) = (self.supervisor(), version) else {
            return Err(refused("no supervisor of this agent started it"));
        };
        match supervisor.replace(&command.instance, version, READY_DEADLINE).await {
            Ok(replaced) => Ok(Measured::Replaced {
                version: Some(replaced.version),
                ready_after: replaced.ready_after,
            }),
            Err(
                error @ (ReplaceError::UnknownInstance(_) | ReplaceError::UnknownVersion { .. }),
            ) => Err(refused(&error.to_string())),
            Err(
                error @ (ReplaceError::BroughtBack { .. }
                | ReplaceError::Down { .. }
                | ReplaceError::Stopping),
            ) => Err(ReceiptResult::Failed(error.to_string())),
        }
    }

    /// Starts the fleet, if there is one; what did not come up is logged, and tried again later.
    pub(crate) async fn start(&self) {
        let Some(supervisor) = self.supervisor() else { return };
        for (instance, why) in supervisor.start_all(READY_DEADLINE).await {
            tracing::error!(%instance, why, "a replica did not come up");
        }
        self.news.notify_one();
    }

    /// Rolls the replicas of a service to a version, one after another, each ready before the
    /// next, as a deploy pipeline would.
    pub(crate) async fn deploy(
        &self,
        service: &ServiceName,
        version: &Version,
    ) -> Result<(), String> {
        let unknown = || format!("no service `{service}` is supervised here");
        let supervisor = self.supervisor().ok_or_else(unknown)?;
        let _alone = self.locks.get(service).ok_or_else(unknown)?.lock().await;
        let mut moved: Vec<InstanceName> = Vec::new();
        for replica in supervisor.status().iter().filter(|replica| replica.service == *service) {
            let instance = &replica.instance;
            let replaced = supervisor.replace(instance, version, READY_DEADLINE).await;
            self.news.notify_one();
            if let Err(error) = replaced {
                let moved = moved.iter().map(InstanceName::as_str).collect::<Vec<_>>();
                return Err(format!(
                    "{instance}: {error}; on {version} are now: [{}]",
                    moved.join(", ")
                ));
            }
            moved.push(instance.clone());
        }
        Ok(())
    }

    /// Undoes the leases that have ended, and tries again to write down what could not be.
    pub(crate) async fn keep_up(&self) {
        self.leases.undo_ended(|receipt| self.keep(receipt)).await;
        self.performed.save_unsaved();
    }

    /// Undoes all leases and ends the fleet.
    pub(crate) async fn stop(&self) {
        self.leases.undo_all(|receipt| self.keep(receipt)).await;
        if let Some(supervisor) = self.supervisor() {
            supervisor.stop_all().await;
        }
        match self.performed.save_unsaved() {
            0 => {}
            lost => tracing::error!(
                lost,
                "the receipts of so many commands are in memory only, \
                                    and lost unless the server takes them now"
            ),
        }
    }

    pub(crate) fn services(&self) -> impl Iterator<Item = &ServiceName> {
        self.locks.keys()
    }

    pub(crate) fn status(&self) -> Vec<LocalReplica> {
        self.locals.supervised().into_iter().map(local_replica).collect()
    }

    fn keep(&self, receipt: &Receipt) {
        tracing::info!(id = %receipt.command, result = ?kind(&receipt.result), "receipt");
        if let Err(error) = self.performed.add(receipt) {
            let (id, why) = (&receipt.command, in_words(&error));
            match error {
                PerformedError::NotBegun(_) => tracing::error!(%id, why, "a receipt is lost"),
                PerformedError::Io { .. }
                | PerformedError::Content { .. }
                | PerformedError::Unsaved(_) => {
                    tracing::error!(%id, why, "a receipt is not on disk yet; it is kept in \
                                    memory, offered to the server, and written again");
                }
            }
        }
        self.news.notify_one();
    }
}

/// A command that waited too long, behind others or a deploy, was given up by its server, which
/// does not count on its effect any more.
fn in_time(command: &Command, now: Timestamp) -> Result<(), ReceiptResult> {
    if now <= command.not_after {
        return Ok(());
    }
    let (last, now) = (format_time(command.not_after), format_time(now));
    Err(refused(&format!("it was to be begun by {last}, and it is {now} now; nothing was done")))
}

/// The command is for what runs, or it is refused with what does.
fn guard(command: &Command, found: Option<Local>) -> Result<Local, ReceiptResult> {
    let (service, instance) = (&command.service, &command.instance);
    let Some(local) = found else {
        return Err(refused(&format!("this agent reaches no {instance} of {service}")));
    };
    if let Some(meant) = &command.version
        && local.version.as_ref() != Some(meant)
    {
        let runs = local.version.as_ref().map_or("an unknown version", Version::as_str);
        let text = format!("{instance} runs {runs} by now, and this was meant for {meant}");
        return Err(refused(&text));
    }
    Ok(local)
}

fn running(local: &Local) -> Result<u32, ReceiptResult> {
    local.ready.ok_or_else(|| refused(&format!("{} is not ready now", local.instance)))
}

fn refused(why: &str) -> ReceiptResult {
    ReceiptResult::Refused(why.to_owned())
}

fn kind(result: &ReceiptResult) -> &'static str {
    match result {
        ReceiptResult::Done(_) => "done",
        ReceiptResult::Refused(_) => "refused",
        ReceiptResult::Failed(_) => "failed",
        ReceiptResult::Undone(_) => "undone",
    }
}

fn local_replica(replica: ReplicaStatus) -> LocalReplica {
    let state = match replica.state {
        ReplicaState::Stopped => "stopped",
        ReplicaState::Starting => "starting",
        ReplicaState::Ready => "ready",
        ReplicaState::Waiting => "waiting",
        ReplicaState::GivenUp => "given_up",
    };
    LocalReplica {
        service: replica.service.to_string(),
        instance: replica.instance.to_string(),
        version: replica.version.to_string(),
        port: replica.port,
        state: state.to_owned(),
        pid: replica.pid,
        crash_restarts: replica.crash_restarts,
        last_exit: replica.last_exit,
        cgroup: replica.group.map(|group| group.folder),
    }
}

/// An error with all that it came from, in one line for a person.
pub(crate) fn in_words(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        let inner_text = inner.to_string();
        if !text.ends_with(&inner_text) {
            text.push_str(": ");
            text.push_str(&inner_text);
        }
        source = inner.source();
    }
    text
}
