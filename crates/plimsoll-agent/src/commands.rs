//! The acting half of the agent: hosts the supervisor, performs what the server orders, ends
//! leases by itself, and answers on the local socket. Not the collecting half, which runs beside
//! it and needs none of this. Used by `plimsoll agent`, `up` and `demo`.

use std::ffi::OsString;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use plimsoll_act::lease::LeaseBookError;
use plimsoll_act::performed::PerformedError;
use plimsoll_act::supervisor::{FleetError, Supervisor, SupervisorOptions};
use plimsoll_wire::fleet::FleetSpec;
use tokio::sync::{Notify, watch};
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::local_socket::{self, LocalSocket, socket_path};
use crate::orders::OrderStream;
use crate::performer::Performer;
use crate::reach::{Found, Locals};

/// How often leases are looked at: the most by which one outlives its end.
const LEASE_CHECK: Duration = Duration::from_millis(500);

/// How long the last receipts may take when the agent is told to stop.
const FAREWELL: Duration = Duration::from_secs(2);

/// What the acting half needs to know.
#[derive(Clone)]
pub struct CommandOptions {
    /// Base address of the server, for example `http://127.0.0.1:7300`.
    pub server: String,
    /// Content of the agent's token file, without blanks around it: bearer token, and the key
    /// that commands are signed with. Never printed.
    pub token: String,
    /// What this agent is called.
    pub agent: String,
    /// Leases, receipts, versions, logs, configuration and the socket; made when it is not there.
    /// Belongs to one agent at a time.
    pub folder: PathBuf,
    /// What else runs on this machine, as the collecting half sees it; its instances can be
    /// captured and limited, and not replaced.
    pub found: Option<watch::Receiver<Vec<Found>>>,
    /// What to run. Without it the agent supervises nothing.
    pub fleet: Option<FleetSpec>,
    /// Program and leading arguments that reach `plimsoll_act::launch::launch_child`.
    pub launcher: Vec<OsString>,
    /// Where the fleet sends its telemetry.
    pub otlp_endpoint: String,
}

impl std::fmt::Debug for CommandOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CommandOptions")
            .field("server", &self.server)
            .field("agent", &self.agent)
            .field("folder", &self.folder)
            .finish_non_exhaustive()
    }
}

/// Why the acting half does not run.
#[derive(Debug, thiserror::Error)]
pub enum CommandsError {
    #[error("cannot make the agent's folder {}", path.display())]
    Folder { path: PathBuf, source: io::Error },
    #[error("the agent's token is empty, or holds what cannot stand in a header")]
    Token,
    #[error("the fleet cannot be run")]
    Fleet(#[from] FleetError),
    #[error("outstanding leases cannot be known, so nothing is done")]
    Leases(#[from] LeaseBookError),
    #[error("performed commands cannot be known, so nothing is done")]
    Performed(#[from] PerformedError),
    #[error("cannot listen on {}", path.display())]
    Socket { path: PathBuf, source: io::Error },
    #[error("the HTTP client could not be set up")]
    Client(#[source] reqwest::Error),
}

/// Runs until `shutdown` completes or the local socket is told to stop. Then leases are undone,
/// the fleet is stopped, its cgroups are removed, and the last receipts are reported.
pub async fn run_commands(
    options: CommandOptions,
    shutdown: impl Future<Output = ()>,
) -> Result<(), CommandsError> {
    make_folder(&options.folder)?;
    if options.token.is_empty() {
        return Err(CommandsError::Token);
    }
    let path = socket_path(&options.folder);
    let listener = local_socket::listen(&options.folder)
        .map_err(|source| CommandsError::Socket { path: path.clone(), source })?;
    let locals = Locals { supervisor: supervisor(&options)?, found: options.found.clone() };
    let performer = Arc::new(Performer::open(&options.folder, locals)?);
    let stop = Arc::new(Notify::new());
    let socket = LocalSocket {
        listener,
        folder: options.folder.clone(),
        performer: Arc::clone(&performer),
        stop: Arc::clone(&stop),
    };
    let client = OrderStream::client().map_err(CommandsError::Client)?;
    let CommandOptions { server, agent, token, .. } = &options;
    let orders = OrderStream::new(client, server, agent, token, Arc::clone(&performer));
    let orders = orders.ok_or(CommandsError::Token)?;
    tokio::select! {
        () = shutdown => {}
        () = stop.notified() => {}
        () = end_leases(&performer) => {}
        () = orders.run() => {}
        () = Arc::new(socket).run() => {}
        () = start_and_stay(&performer) => {}
    }
    performer.stop().await;
    if timeout(FAREWELL, orders.farewell()).await.is_err() {
        tracing::debug!("receipts are reported after the next start");
    }
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            tracing::warn!(%error, socket = %path.display(), "the socket stays");
        }
        Ok(()) | Err(_) => {}
    }
    Ok(())
}

fn make_folder(folder: &Path) -> Result<(), CommandsError> {
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(|source| CommandsError::Folder { path: folder.to_owned(), source })
}

fn supervisor(options: &CommandOptions) -> Result<Option<Supervisor>, FleetError> {
    let Some(fleet) = &options.fleet else { return Ok(None) };
    let options = SupervisorOptions {
        launcher: options.launcher.clone(),
        folder: options.folder.clone(),
        otlp_endpoint: options.otlp_endpoint.clone(),
    };
    Supervisor::prepare(fleet, options).map(Some)
}

/// Needs no server: this is what makes containment end by itself.
async fn end_leases(performer: &Performer) {
    let mut ticks = interval(LEASE_CHECK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        performer.keep_up().await;
    }
}

/// The fleet starts while orders are already taken and leases already end.
async fn start_and_stay(performer: &Performer) {
    performer.start().await;
    std::future::pending().await
}
