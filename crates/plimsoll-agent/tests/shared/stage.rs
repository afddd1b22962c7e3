//! What the tests of the acting half play on: a small fleet, an agent that runs it, and commands.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use plimsoll_agent::commands::{CommandOptions, CommandsError, run_commands};
use plimsoll_agent::local_socket::{ask, socket_path};
use plimsoll_model::{
    Action, Command, CommandId, Digest, InstanceName, ServiceName, Timestamp, Version,
};
use plimsoll_wire::fleet::{FleetSpec, Launch, ReplicaSpec, ServiceSpec};
use plimsoll_wire::local::{LocalReplica, LocalReply, LocalRequest};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::port::Port;
use crate::server::{Server, TOKEN};

pub(crate) fn launch(program: &str, args: &[&str]) -> Launch {
    let args = args.iter().map(|arg| (*arg).to_owned()).collect();
    Launch { program: program.into(), args, env: BTreeMap::new() }
}

pub(crate) fn shell(script: &str) -> Launch {
    launch("/bin/sh", &["-c", script])
}

pub(crate) fn service(
    name: &str,
    launches: BTreeMap<String, Launch>,
    replicas: u32,
) -> ServiceSpec {
    let port = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
    let replica = |number| ReplicaSpec { instance: format!("{name}-{number}"), port: port() };
    ServiceSpec {
        service: name.to_owned(),
        version: "1".to_owned(),
        launches,
        replicas: (0..replicas).map(replica).collect(),
        ready_path: "/".to_owned(),
        memory_limit_bytes: None,
        fds_limit: None,
    }
}

/// Versions 1 and 2 come up, `bad` ends at once, `deaf` never listens.
pub(crate) fn web(replicas: u32) -> FleetSpec {
    let serve = "exec python3 -m http.server --bind 127.0.0.1 $PORT";
    let launches = [("1", serve), ("2", serve), ("bad", "exit 3"), ("deaf", "exec sleep 1000")];
    let launches = launches.map(|(name, script)| (name.to_owned(), shell(script)));
    FleetSpec { services: vec![service("web", launches.into(), replicas)] }
}

pub(crate) fn options(server: &Server, folder: &Path, fleet: FleetSpec) -> CommandOptions {
    CommandOptions {
        server: server.url(),
        token: TOKEN.to_owned(),
        agent: "test".to_owned(),
        folder: folder.to_owned(),
        found: None,
        fleet: Some(fleet),
        launcher: vec![env!("CARGO_BIN_EXE_agent-host").into(), "exec-child".into()],
        otlp_endpoint: "http://127.0.0.1:1".to_owned(),
    }
}

/// An agent in this process, and the way to end it in order.
pub(crate) struct Agent {
    pub(crate) folder: PathBuf,
    pub(crate) stop: oneshot::Sender<()>,
    pub(crate) run: JoinHandle<Result<(), CommandsError>>,
}

impl Agent {
    pub(crate) async fn start(options: CommandOptions) -> Self {
        let (folder, supervises) = (options.folder.clone(), options.fleet.is_some());
        let (stop, stopped) = oneshot::channel();
        let run = tokio::spawn(run_commands(options, async { drop(stopped.await) }));
        let agent = Self { folder, stop, run };
        if supervises {
            agent.all_ready().await;
        }
        agent
    }

    pub(crate) async fn all_ready(&self) {
        for _ in 0..2000 {
            let replicas = status(&self.folder).await;
            if !replicas.is_empty() && replicas.iter().all(|replica| replica.state == "ready") {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("the fleet is not ready: {:?}", status(&self.folder).await);
    }

    pub(crate) async fn end(self) {
        drop(self.stop);
        self.run.await.unwrap().unwrap();
    }
}

pub(crate) async fn status(folder: &Path) -> Vec<LocalReplica> {
    match ask(&socket_path(folder), &LocalRequest::Status, Duration::from_secs(5)).await {
        Ok(LocalReply::Status { replicas }) => replicas,
        Ok(_) | Err(_) => Vec::new(),
    }
}

pub(crate) fn command(id: &str, instance: &str, action: Action) -> Command {
    let (service, _) = instance.rsplit_once('-').unwrap();
    Command {
        id: CommandId::new(id).unwrap(),
        plan: None,
        authority: Digest::ZERO,
        service: ServiceName::new(service).unwrap(),
        instance: InstanceName::new(instance).unwrap(),
        version: Some(Version::new("1").unwrap()),
        action,
        lease: None,
        not_after: Timestamp::from_secs(4_000_000_000),
        reason: "a test orders it".to_owned(),
    }
}

pub(crate) async fn server() -> Server {
    Server::start(Arc::new(Port::any()), Arc::default())
}
