//! `plimsoll agent`: measures this machine, and performs what its server orders.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use plimsoll_act::launch::SUBCOMMAND;
use plimsoll_agent::collect::Watch;
use plimsoll_agent::commands::{CommandOptions, run_commands};
use plimsoll_agent::push::Token;
use plimsoll_agent::{AgentOptions, run_collector};
use plimsoll_model::InstanceName;
use plimsoll_wire::fleet::FleetSpec;
use tokio::sync::watch;

use crate::daemon::{block_on, data_dir, shutdown_on_signal};
use crate::exit::{Exit, Failure};
use crate::output::Format;

/// The agent on its own: reads processes, cgroups and runtimes, and performs what it is ordered.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  plimsoll agent --server http://127.0.0.1:7300 --watch labelled"
)]
pub(crate) struct Args {
    /// Address of the server.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:7300")]
    pub(crate) server: String,
    /// File with the server's agent token [default: agent.token in the server's directory].
    #[arg(long, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
    /// Where leases and receipts are kept [default: ~/.local/share/plimsoll/agent].
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
    /// Services to run and supervise, as JSON.
    #[arg(long, value_name = "FILE.json")]
    pub(crate) fleet: Option<PathBuf>,
    /// Seconds from one measurement to the next.
    #[arg(long, value_name = "SECONDS", default_value_t = 5,
          value_parser = clap::value_parser!(u64).range(1..=300))]
    pub(crate) interval: u64,
    /// Which processes are measured.
    #[arg(long, value_enum, default_value_t = Watched::Machine)]
    pub(crate) watch: Watched,
    /// Ask Node.js processes for their V8 heap. This opens a debugging port on loopback in each
    /// Node.js process that is watched, for as long as the agent runs; with `--watch supervised`
    /// it is always done.
    #[arg(long)]
    pub(crate) inspect_v8: bool,
    /// What this machine is called.
    #[arg(long, value_name = "NAME", default_value = "local")]
    pub(crate) name: InstanceName,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Watched {
    /// Every process with an OpenTelemetry service name, and every other large one.
    Machine,
    /// Those with an OpenTelemetry service name.
    Labelled,
    /// Only what this agent itself started from its fleet.
    Supervised,
}

#[derive(Debug, thiserror::Error)]
enum AgentError {
    #[error("read the agent token {}; start the server first, it makes one", path.display())]
    Token { path: PathBuf, source: std::io::Error },
    #[error("the agent token {} cannot stand in a header", path.display())]
    BadToken { path: PathBuf },
    #[error("read the fleet {}", path.display())]
    Fleet { path: PathBuf, source: std::io::Error },
    #[error("understand the fleet {}", path.display())]
    BadFleet { path: PathBuf, source: serde_json::Error },
    #[error(
        "--watch supervised measures nothing without a fleet; name one with --fleet, or watch \
         machine or labelled"
    )]
    NothingSupervised,
    #[error("find the own executable, which starts supervised programs")]
    Executable(#[source] std::io::Error),
}

pub(crate) fn run(args: Args, _format: Format) -> Result<Exit, Failure> {
    let halves = Halves::of(args)?;
    block_on(async move {
        let (_stopping, shutdown) = shutdown_on_signal()?;
        halves.run(shutdown).await?;
        Ok(Exit::NothingWrong)
    })
}

/// Both halves of an agent, ready to run.
pub(crate) struct Halves {
    pub(crate) collect: AgentOptions,
    pub(crate) command: CommandOptions,
}

impl Halves {
    fn of(args: Args) -> Result<Self, Failure> {
        let path = match args.token_file {
            Some(path) => path,
            None => data_dir(None)?.join(plimsoll_server::AGENT_TOKEN_FILE),
        };
        let token = std::fs::read_to_string(&path).map_err(|source| {
            Failure::bad_input(AgentError::Token { path: path.clone(), source })
        })?;
        let fleet = args.fleet.map(read_fleet).transpose()?;
        let folder = match args.dir {
            Some(dir) => dir,
            None => data_dir(None)?.join("agent"),
        };
        let watch = match args.watch {
            Watched::Machine => Watch::MACHINE,
            Watched::Labelled => Watch::Labelled,
            Watched::Supervised if fleet.is_none() => {
                return Err(Failure::bad_input(AgentError::NothingSupervised));
            }
            Watched::Supervised => Watch::Supervised { parent: std::process::id() },
        };
        let mut halves = Self::new(&args.server, token.trim(), folder, watch, args.name)
            .map_err(|_| Failure::bad_input(AgentError::BadToken { path }))?;
        halves.collect.collect.inspect_v8 |= args.inspect_v8;
        halves.collect.interval = Duration::from_secs(args.interval);
        halves.command.fleet = fleet;
        Ok(halves)
    }

    /// An agent of this machine that supervises nothing.
    pub(crate) fn new(
        server: &str,
        token: &str,
        folder: PathBuf,
        watch: Watch,
        name: InstanceName,
    ) -> Result<Self, Failure> {
        let bearer = Token::new(token)
            .ok_or_else(|| Failure::bad_input(AgentError::BadToken { path: folder.clone() }))?;
        let executable = std::env::current_exe()
            .map_err(|error| Failure::failed(AgentError::Executable(error)))?;
        let mut collect = AgentOptions::new(server, watch, name.clone());
        collect.token = Some(bearer);
        let (publish, found) = watch::channel(Vec::new());
        collect.found = Some(publish);
        let command = CommandOptions {
            server: server.to_owned(),
            token: token.to_owned(),
            agent: name.to_string(),
            folder,
            found: Some(found),
            fleet: None,
            launcher: vec![executable.into_os_string(), OsString::from(SUBCOMMAND)],
            otlp_endpoint: server.to_owned(),
        };
        Ok(Self { collect, command })
    }

    /// Runs both until one fails or the shutdown is said; then the other is stopped in order too.
    pub(crate) async fn run(self, shutdown: watch::Receiver<bool>) -> Result<(), Failure> {
        let (failed, failing) = watch::channel(false);
        let stop = |mut shutdown: watch::Receiver<bool>, mut failing: watch::Receiver<bool>| async move {
            tokio::select! {
                _ = shutdown.wait_for(|stop| *stop) => {}
                _ = failing.wait_for(|stop| *stop) => {}
            }
        };
        let collecting = async {
            let ended = run_collector(self.collect, stop(shutdown.clone(), failing.clone())).await;
            failed.send_replace(true);
            ended.map_err(Failure::failed)
        };
        let commanding = async {
            let ended = run_commands(self.command, stop(shutdown.clone(), failing.clone())).await;
            failed.send_replace(true);
            ended.map_err(Failure::failed)
        };
        let (collected, commanded) = tokio::join!(collecting, commanding);
        collected.and(commanded)
    }
}

fn read_fleet(path: PathBuf) -> Result<FleetSpec, Failure> {
    let text = std::fs::read(&path)
        .map_err(|source| Failure::bad_input(AgentError::Fleet { path: path.clone(), source }))?;
    serde_json::from_slice(&text)
        .map_err(|source| Failure::bad_input(AgentError::BadFleet { path, source }))
}
