//! The task that keeps one replica: it alone starts, watches and ends that replica's process, so
//! that two orders never meet.

use std::io;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use plimsoll_model::Version;
use plimsoll_wire::fleet::ServiceSpec;
use tokio::process::{Child, Command};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::{Kit, ReplaceError, Replaced, ReplicaState, ReplicaStatus};
use crate::clock;
use crate::launch::LaunchOrder;
use crate::output::Output;
use crate::ready;

/// Between SIGTERM and SIGKILL. A JVM runs its shutdown hooks in well under a second; drills and
/// rollbacks wait for this, so it is no longer than a person would.
const STOP_GRACE: Duration = Duration::from_secs(5);

/// Between two looks at a replica that is coming up.
const PROBE_PAUSE: Duration = Duration::from_millis(100);

/// A replica that crashed has this long to be ready again; then it counts as crashed once more.
const READY_AFTER_CRASH: Duration = Duration::from_secs(60);

/// Pause before the first restart after a crash; doubled with each crash in a row.
const BACKOFF_MIN: Duration = Duration::from_millis(500);
const BACKOFF_MAX: Duration = Duration::from_secs(30);

/// Crashes in a row after which a replica stays down: at the longest pause that is ten minutes.
const CRASHES_IN_A_ROW_MAX: u32 = 25;

/// A replica that was ready for this long starts with the shortest pause again.
const CALM_AFTER: Duration = Duration::from_secs(60);

/// Between two looks at the size of a replica's output.
const OUTPUT_CHECK: Duration = Duration::from_secs(5);

/// What a keeper is told to do.
#[derive(Debug)]
pub(super) enum Order {
    Start {
        deadline: Duration,
        reply: oneshot::Sender<Result<Replaced, StartError>>,
    },
    Replace {
        version: Version,
        deadline: Duration,
        reply: oneshot::Sender<Result<Replaced, ReplaceError>>,
    },
}

/// Why a process that was to be started is not ready.
#[derive(Debug, thiserror::Error)]
pub(super) enum StartError {
    #[error("it could not be forked: {0}")]
    Fork(String),
    #[error("it ended before it was ready: {0}")]
    Ended(String),
    #[error("it was not ready within {} s: {last}", deadline.as_secs_f32())]
    NotReady { deadline: Duration, last: String },
    #[error("the supervisor is stopping")]
    Stopping,
}

pub(super) struct Keeper {
    spec: ServiceSpec,
    kit: Kit,
    output: Output,
    status: watch::Sender<ReplicaStatus>,
    child: Option<Child>,
    crashes_in_a_row: u32,
    ready_since: Option<Instant>,
    restart_at: Option<Instant>,
}

enum Event {
    Order(Option<Order>),
    Ended(String),
    RestartDue,
    CheckOutput,
    Stop,
}

impl Keeper {
    pub(super) fn new(
        spec: ServiceSpec,
        kit: Kit,
        output: Output,
        status: watch::Sender<ReplicaStatus>,
    ) -> Self {
        Self {
            spec,
            kit,
            output,
            status,
            child: None,
            crashes_in_a_row: 0,
            ready_since: None,
            restart_at: None,
        }
    }

    pub(super) async fn run(
        mut self,
        mut orders: mpsc::Receiver<Order>,
        mut stopping: watch::Receiver<bool>,
    ) {
        loop {
            let event = tokio::select! {
                biased;
                _ = stopping.wait_for(|stop| *stop) => Event::Stop,
                order = orders.recv() => Event::Order(order),
                how = ended(self.child.as_mut()) => Event::Ended(how),
                () = due(self.restart_at) => Event::RestartDue,
                () = sleep(OUTPUT_CHECK) => Event::CheckOutput,
            };
            match event {
                Event::Order(Some(order)) => self.carry_out(order, &mut stopping).await,
                Event::Order(None) | Event::Stop => break self.take_down().await,
                Event::Ended(how) => self.crashed(how),
                Event::RestartDue => self.restart(&mut stopping).await,
                Event::CheckOutput => self.check_output(),
            }
        }
    }

    async fn carry_out(&mut self, order: Order, stopping: &mut watch::Receiver<bool>) {
        // A caller that stopped waiting for the answer changes nothing about what was done.
        match order {
            Order::Start { deadline, reply } => {
                let version = self.version();
                let started = self.bring_up(&version, deadline, stopping).await;
                if let Err(error) = &started {
                    self.crashed(error.to_string());
                }
                drop(reply.send(started));
            }
            Order::Replace { version, deadline, reply } => {
                drop(reply.send(self.replace(version, deadline, stopping).await));
            }
        }
    }

    async fn replace(
        &mut self,
        version: Version,
        deadline: Duration,
        stopping: &mut watch::Receiver<bool>,
    ) -> Result<Replaced, ReplaceError> {
        let (old, instance) = (self.version(), self.status.borrow().instance.clone());
        if !self.spec.launches.contains_key(version.as_str()) {
            return Err(ReplaceError::UnknownVersion { instance, version });
        }
        let why = match self.bring_up(&version, deadline, stopping).await {
            Ok(replaced) => {
                self.remember();
                return Ok(replaced);
            }
            Err(StartError::Stopping) => return Err(ReplaceError::Stopping),
            Err(error) => error.to_string(),
        };
        match self.bring_up(&old, deadline, stopping).await {
            Ok(_) => Err(ReplaceError::BroughtBack { version, old, why }),
            Err(StartError::Stopping) => Err(ReplaceError::Stopping),
            Err(error) => {
                let why_old = error.to_string();
                self.crashed(why_old.clone());
                Err(ReplaceError::Down { version, old, why, why_old })
            }
        }
    }

    /// Written only once the version is ready: an agent that dies in the middle of a replacement
    /// starts the version that was known to work.
    fn remember(&self) {
        let status = self.status.borrow();
        if let Err(error) = self.kit.versions.remember(&status.instance, &status.version) {
            let instance = &status.instance;
            tracing::error!(%instance, %error, "a restart of the agent starts the old version");
        }
    }

    /// Ends what runs, and starts the version in its place.
    async fn bring_up(
        &mut self,
        version: &Version,
        deadline: Duration,
        stopping: &mut watch::Receiver<bool>,
    ) -> Result<Replaced, StartError> {
        self.take_down().await;
        let began = clock::now();
        self.restart_at = None;
        self.ready_since = None;
        let child =
            self.fork(version).await.map_err(|error| StartError::Fork(error.to_string()))?;
        self.status.send_modify(|status| {
            status.version = version.clone();
            status.state = ReplicaState::Starting;
            status.pid = child.id();
            status.started_at = Some(began);
        });
        let child = self.child.insert(child);
        let (port, path) = (self.status.borrow().port, &self.spec.ready_path);
        let mut last = String::new();
        tokio::select! {
            _ = stopping.wait_for(|stop| *stop) => return Err(StartError::Stopping),
            how = ended(Some(child)) => return Err(StartError::Ended(how)),
            () = sleep(deadline) => return Err(StartError::NotReady { deadline, last }),
            () = until_ready(port, path, &mut last) => {}
        }
        self.ready_since = Some(Instant::now());
        self.status.send_modify(|status| status.state = ReplicaState::Ready);
        Ok(Replaced { version: version.clone(), ready_after: clock::now().since(began) })
    }

    async fn fork(&self, version: &Version) -> io::Result<Child> {
        let unknown = || io::Error::other(format!("version {version} has no launch"));
        let launch = self.spec.launches.get(version.as_str()).ok_or_else(unknown)?;
        let status = self.status.borrow().clone();
        let order = LaunchOrder {
            parent: nix::unistd::getpid().as_raw(),
            group_file: status.group.as_ref().map(|group| group.procs_file()),
            fds_limit: self.spec.fds_limit,
            program: launch.program.clone(),
            args: launch.args.iter().map(Into::into).collect(),
        };
        let output = self.output.open()?;
        let mut launcher = self.kit.options.launcher.iter();
        let program = launcher.next().ok_or_else(|| io::Error::other("no launcher is given"))?;
        let mut command = Command::new(program);
        command.args(launcher).args(order.to_args());
        command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
        // A group of its own, so that a Ctrl-C in the terminal reaches the supervisor alone, and
        // so that a program's own children are ended with it.
        command.process_group(0).kill_on_drop(true);
        command.envs(&launch.env).env("PORT", status.port.to_string());
        command.env("OTEL_SERVICE_NAME", status.service.as_str());
        command.env("OTEL_RESOURCE_ATTRIBUTES", resource_attributes(version, &status));
        command.env("OTEL_EXPORTER_OTLP_ENDPOINT", &self.kit.options.otlp_endpoint);
        self.kit.spawner.spawn(command).await
    }

    /// Ends the process and all of its group; returns when it is gone.
    async fn take_down(&mut self) {
        let Some(mut child) = self.child.take() else { return };
        let group = child.id();
        signal_group(group, Signal::SIGTERM);
        let gone = timeout(STOP_GRACE, child.wait()).await;
        // Also after an orderly end: what the program left in its group goes with it.
        signal_group(group, Signal::SIGKILL);
        let how = match gone {
            Ok(status) => words(status),
            Err(_) => words(child.wait().await),
        };
        self.restart_at = None;
        self.stand(ReplicaState::Stopped, format!("stopped by the supervisor, {how}"));
    }

    fn crashed(&mut self, how: String) {
        // The process may be gone, and what it started in its group not.
        signal_group(self.status.borrow().pid, Signal::SIGKILL);
        self.child = None;
        if self.ready_since.take().is_some_and(|since| since.elapsed() >= CALM_AFTER) {
            self.crashes_in_a_row = 0;
        }
        let instance = self.status.borrow().instance.clone();
        let log = self.output.path().display();
        tracing::warn!(%instance, how, %log, "a replica ended by itself");
        if self.crashes_in_a_row >= CRASHES_IN_A_ROW_MAX {
            return self.stand(ReplicaState::GivenUp, how);
        }
        self.restart_at = Some(Instant::now() + backoff(self.crashes_in_a_row));
        self.crashes_in_a_row += 1;
        self.stand(ReplicaState::Waiting, how);
    }

    async fn restart(&mut self, stopping: &mut watch::Receiver<bool>) {
        self.status.send_modify(|status| status.crash_restarts += 1);
        let version = self.version();
        match self.bring_up(&version, READY_AFTER_CRASH, stopping).await {
            Ok(_) | Err(StartError::Stopping) => {}
            Err(error) => self.crashed(error.to_string()),
        }
    }

    fn stand(&self, state: ReplicaState, how: String) {
        self.status.send_modify(|status| {
            status.state = state;
            status.pid = None;
            status.last_exit = Some(how);
        });
    }

    fn check_output(&self) {
        if self.child.is_some()
            && let Err(error) = self.output.bound()
        {
            let log = self.output.path().display();
            tracing::warn!(%log, %error, "cannot bound a replica's output");
        }
    }

    fn version(&self) -> Version {
        self.status.borrow().version.clone()
    }
}

async fn until_ready(port: u16, path: &str, last: &mut String) {
    while let Err(why) = ready::probe(port, path).await {
        *last = why;
        sleep(PROBE_PAUSE).await;
    }
}

/// Never for a replica that has no process.
async fn ended(child: Option<&mut Child>) -> String {
    match child {
        Some(child) => words(child.wait().await),
        None => std::future::pending().await,
    }
}

async fn due(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}

fn backoff(crashes_in_a_row: u32) -> Duration {
    let doubled = 2_u32.saturating_pow(crashes_in_a_row);
    BACKOFF_MIN.saturating_mul(doubled).min(BACKOFF_MAX)
}

fn words(status: io::Result<ExitStatus>) -> String {
    status.map_or_else(|error| format!("its end is unknown: {error}"), |status| status.to_string())
}

/// The group's id is that of the process that leads it, which has just been forked or reaped by
/// us; a group that is gone is what we want.
fn signal_group(leader: Option<u32>, signal: Signal) {
    let Some(group) = leader.and_then(|pid| i32::try_from(pid).ok()) else { return };
    match killpg(Pid::from_raw(group), signal) {
        Ok(()) | Err(Errno::ESRCH) => {}
        Err(error) => tracing::warn!(group, %error, "cannot signal a replica"),
    }
}

fn resource_attributes(version: &Version, status: &ReplicaStatus) -> String {
    let (version, instance) = (escaped(version.as_str()), escaped(status.instance.as_str()));
    format!("service.version={version},service.instance.id={instance}")
}

/// Percent-encodes what the variable's format, a W3C baggage, gives a meaning to.
fn escaped(value: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_graphic() && !b",;=\\\"%".contains(&byte);
    let mut text = String::with_capacity(value.len());
    for byte in value.bytes() {
        match plain(byte) {
            true => text.push(char::from(byte)),
            false => text.push_str(&format!("%{byte:02X}")),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pause_doubles_up_to_its_bound() {
        let check = |crashes, millis| {
            assert_eq!(backoff(crashes), Duration::from_millis(millis), "{crashes}");
        };
        check(0, 500);
        check(1, 1000);
        check(5, 16_000);
        check(6, 30_000);
        check(u32::MAX, 30_000);
    }

    #[test]
    fn a_version_cannot_forge_an_attribute() {
        assert_eq!(escaped("1.1.0-rc+2"), "1.1.0-rc+2");
        assert_eq!(escaped("1,service.name=x y"), "1%2Cservice.name%3Dx%20y");
    }
}
