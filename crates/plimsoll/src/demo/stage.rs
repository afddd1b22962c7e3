//! Setting the demo's stage and clearing it: fleet, server, agent, load.

use std::ffi::OsString;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::Duration;

use plimsoll_agent::local_socket::{ask, socket_path};
use plimsoll_server::{AGENT_TOKEN_FILE, OPERATOR_TOKEN_FILE, token_at};
use plimsoll_wire::local::{LocalReplica, LocalReply, LocalRequest};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::asking::Server;
use super::children::Running;
use super::fleet::{DemoFleet, FleetError, prepare};
use super::load::{LoadError, LoadPlan, LoadTotals, drive};
use super::{Args, StoryKind};
use crate::exit::Failure;
use crate::output::say;
use crate::server::link;

/// The port that the page has everywhere in the documents.
const PORT: u16 = 7300;

/// How long a containment lasts in the demo: long enough to be seen, short enough to be waited for.
pub(super) const LEASE: Duration = Duration::from_secs(20);

/// How long the fleet, the server or the agent may take to be ready on a slow machine.
const READY: Duration = Duration::from_secs(60);

/// Between two looks at what is waited for.
pub(super) const LOOK: Duration = Duration::from_millis(250);

/// How long an answer of the agent's local socket may take; a deploy replaces three replicas.
const LOCAL: Duration = Duration::from_secs(90);

#[derive(Debug, thiserror::Error)]
pub(super) enum StageError {
    #[error("{0} is taken by another program; choose another address with --listen")]
    Taken(SocketAddr),
    #[error("prepare the fleet")]
    Fleet(#[from] FleetError),
    #[error("write the fleet's description")]
    Write(#[source] io::Error),
    #[error("start the {0}")]
    Start(&'static str, #[source] io::Error),
    #[error("the {what} did not become ready within {} s; see {}", READY.as_secs(), log.display())]
    NotReady { what: &'static str, log: PathBuf },
    #[error("the {what} ended ({how}); see {}", log.display())]
    Ended { what: &'static str, how: String, log: PathBuf },
    #[error("`orders` cannot run here, and the story is about it: {0}")]
    NoOrders(String),
    #[error("the agent does not do it: {0}")]
    Agent(String),
    #[error("drive the load")]
    Load(#[from] LoadError),
}

/// Everything that runs.
pub(super) struct Stage {
    pub(super) server: Server,
    pub(super) fleet: DemoFleet,
    pub(super) address: SocketAddr,
    folder: PathBuf,
    kind: StoryKind,
    server_process: Running,
    agent_process: Running,
    load: Option<Load>,
}

struct Load {
    stop: watch::Sender<bool>,
    totals: watch::Receiver<LoadTotals>,
    task: JoinHandle<Result<LoadTotals, LoadError>>,
}

impl Stage {
    /// Starts server and agent. Whatever comes then, [`Self::clear`] ends it in order.
    pub(super) fn set(args: &Args, folder: &Path) -> Result<Self, Failure> {
        let swept = plimsoll_act::cgroup::sweep();
        if swept.runs > 0 {
            say(&format!("removed what {} earlier runs had left", swept.runs));
        }
        let address = address(args.listen).map_err(Failure::bad_input)?;
        let fleet = prepare_fleet(folder).map_err(Failure::failed)?;
        Self::start(args.story, folder, address, fleet).map_err(Failure::failed)
    }

    fn start(
        kind: StoryKind,
        folder: &Path,
        address: SocketAddr,
        fleet: DemoFleet,
    ) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        let data = folder.join("data");
        std::fs::create_dir_all(&data).map_err(StageError::Write)?;
        let token = token_at(&data, OPERATOR_TOKEN_FILE)?;
        token_at(&data, AGENT_TOKEN_FILE)?;
        let described = serde_json::to_vec_pretty(&fleet.spec)?;
        std::fs::write(folder.join("fleet.json"), described).map_err(StageError::Write)?;
        say(&format!("the page is at {}", link(address, &data)));
        let server = Server::new(format!("http://{address}"), token)?;
        Ok(Self {
            server,
            fleet,
            address,
            folder: folder.to_owned(),
            kind,
            server_process: start_server(kind, folder, address)?,
            agent_process: start_agent(folder, address)?,
            load: None,
        })
    }

    /// Returns when all of it runs, with the load on it.
    pub(super) async fn ready(&mut self) -> Result<(), StageError> {
        self.server_ready().await?;
        self.fleet_ready().await?;
        self.start_load();
        Ok(())
    }

    pub(super) fn data_dir(&self) -> PathBuf {
        self.folder.join("data")
    }

    pub(super) fn skipped(&self) -> Vec<String> {
        let line =
            |skipped: &super::fleet::Skipped| format!("{}: {}", skipped.service, skipped.reason);
        self.fleet.skipped.iter().map(line).collect()
    }

    pub(super) fn runs(&self, service: &str) -> bool {
        self.fleet.spec.services.iter().any(|spec| spec.service == service)
    }

    pub(super) fn load(&self) -> LoadTotals {
        self.load.as_ref().map_or_else(LoadTotals::default, |load| *load.totals.borrow())
    }

    /// Rolls every replica of a service to a version, as a pipeline would.
    pub(super) async fn deploy(&self, service: &str, version: &str) -> Result<(), StageError> {
        let (service, version) = (service.to_owned(), version.to_owned());
        match self.local(&LocalRequest::Deploy { service, version }).await? {
            LocalReply::Done | LocalReply::Status { .. } => Ok(()),
            LocalReply::Failed { why } => Err(StageError::Agent(why)),
        }
    }

    pub(super) async fn replicas(&self) -> Result<Vec<LocalReplica>, StageError> {
        match self.local(&LocalRequest::Status).await? {
            LocalReply::Status { replicas } => Ok(replicas),
            LocalReply::Done => Ok(Vec::new()),
            LocalReply::Failed { why } => Err(StageError::Agent(why)),
        }
    }

    pub(super) async fn kill_server(&mut self) -> Result<(), StageError> {
        self.server_process.kill().await.map_err(|error| StageError::Start("kill", error))
    }

    pub(super) async fn restart_server(&mut self) -> Result<(), StageError> {
        self.server_process = start_server(self.kind, &self.folder, self.address)?;
        self.server_ready().await
    }

    /// Ends everything in order: nobody is left, and no cgroup.
    pub(super) async fn clear(&mut self) {
        if let Some(load) = self.load.take() {
            load.stop.send_replace(true);
            // What the load did is told by its totals; how its task ended matters to nobody.
            drop(load.task.await);
        }
        self.agent_process.stop().await;
        self.server_process.stop().await;
        plimsoll_act::cgroup::sweep();
    }

    async fn local(&self, request: &LocalRequest) -> Result<LocalReply, StageError> {
        let socket = socket_path(&self.folder.join("agent"));
        ask(&socket, request, LOCAL).await.map_err(|error| StageError::Agent(error.to_string()))
    }

    async fn server_ready(&mut self) -> Result<(), StageError> {
        let deadline = tokio::time::Instant::now() + READY;
        while !self.server.is_ready().await {
            self.still_coming("server", deadline).await?;
        }
        Ok(())
    }

    async fn fleet_ready(&mut self) -> Result<(), StageError> {
        let deadline = tokio::time::Instant::now() + READY;
        let expected: usize = self.fleet.spec.services.iter().map(|s| s.replicas.len()).sum();
        loop {
            let replicas = self.replicas().await.unwrap_or_default();
            if replicas.iter().filter(|replica| replica.state == "ready").count() == expected {
                return Ok(());
            }
            self.still_coming("agent", deadline).await?;
        }
    }

    /// Waits a little for a process that is not ready, unless it has ended or the time is up.
    async fn still_coming(
        &mut self,
        what: &'static str,
        deadline: tokio::time::Instant,
    ) -> Result<(), StageError> {
        let log = self.folder.join(format!("{what}.log"));
        let process =
            if what == "server" { &mut self.server_process } else { &mut self.agent_process };
        if let Some(how) = process.ended() {
            return Err(StageError::Ended { what, how, log });
        }
        if tokio::time::Instant::now() > deadline {
            return Err(StageError::NotReady { what, log });
        }
        tokio::time::sleep(LOOK).await;
        Ok(())
    }

    fn start_load(&mut self) {
        let orders = self.fleet.spec.services.iter().find(|spec| spec.service == "orders");
        let ports = orders.map_or_else(Vec::new, |spec| {
            spec.replicas.iter().map(|replica| replica.port).collect()
        });
        let (stop, stopping) = watch::channel(false);
        let (progress, totals) = watch::channel(LoadTotals::default());
        let task = tokio::spawn(drive(LoadPlan::of_the_demo(ports), stopping, progress));
        self.load = Some(Load { stop, totals, task });
    }
}

fn prepare_fleet(folder: &Path) -> Result<DemoFleet, StageError> {
    let executable = std::env::current_exe().map_err(StageError::Write)?;
    let binaries = executable.parent().unwrap_or_else(|| Path::new("."));
    // The listeners are held until the fleet is described, so that no port is given twice.
    let mut held = Vec::new();
    let mut next_port = || {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = listener.local_addr()?.port();
        held.push(listener);
        Ok(port)
    };
    let fleet = prepare(&folder.join("fleet"), binaries, &mut next_port)?;
    for skipped in &fleet.skipped {
        say(&format!("skipped: {}: {}", skipped.service, skipped.reason));
        if skipped.service == "orders" {
            return Err(StageError::NoOrders(skipped.reason.clone()));
        }
    }
    Ok(fleet)
}

/// The address that was asked for, or the usual one, or a free one beside it.
fn address(asked: Option<SocketAddr>) -> Result<SocketAddr, StageError> {
    let usual = SocketAddr::from((Ipv4Addr::LOCALHOST, PORT));
    let wanted = asked.unwrap_or(usual);
    match (TcpListener::bind(wanted), asked) {
        (Ok(listener), _) => listener.local_addr().map_err(StageError::Write),
        (Err(_), Some(taken)) => Err(StageError::Taken(taken)),
        (Err(_), None) => {
            say(&format!("{usual} is taken by another program; a free port is used"));
            let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
            free.and_then(|listener| listener.local_addr()).map_err(StageError::Write)
        }
    }
}

fn start_server(
    kind: StoryKind,
    folder: &Path,
    address: SocketAddr,
) -> Result<Running, StageError> {
    let args = [
        OsString::from("server"),
        "--dir".into(),
        folder.join("data").into(),
        "--listen".into(),
        address.to_string().into(),
        "--playbook".into(),
        kind.playbook().name().into(),
        "--lease".into(),
        LEASE.as_secs().to_string().into(),
        "--log".into(),
        "info".into(),
    ];
    Running::start("server", &args, folder).map_err(|error| StageError::Start("server", error))
}

fn start_agent(folder: &Path, address: SocketAddr) -> Result<Running, StageError> {
    let args = [
        OsString::from("agent"),
        "--server".into(),
        format!("http://{address}").into(),
        "--token-file".into(),
        folder.join("data").join(AGENT_TOKEN_FILE).into(),
        "--dir".into(),
        folder.join("agent").into(),
        "--fleet".into(),
        folder.join("fleet.json").into(),
        "--interval".into(),
        "1".into(),
        "--watch".into(),
        "supervised".into(),
        "--log".into(),
        "info".into(),
    ];
    Running::start("agent", &args, folder).map_err(|error| StageError::Start("agent", error))
}
