//! `plimsoll up`: server and local agent in one process, for one machine.

use plimsoll_agent::collect::Watch;
use plimsoll_model::InstanceName;
use plimsoll_server::{AGENT_TOKEN_FILE, serve, token_at};

use crate::agent::Halves;
use crate::daemon::{block_on, shutdown_on_signal};
use crate::exit::{Exit, Failure};
use crate::output::Format;
use crate::server::{SettingsArgs, announce};

/// Server and local agent with an embedded store; the page is at http://127.0.0.1:7300.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  plimsoll up\n  plimsoll up --listen 127.0.0.1:7400 --dir /tmp/plimsoll"
)]
pub(crate) struct Args {
    #[command(flatten)]
    settings: SettingsArgs,
}

pub(crate) fn run(args: Args, format: Format) -> Result<Exit, Failure> {
    let options = args.settings.options()?;
    block_on(async move {
        let (ended, shutdown) = shutdown_on_signal()?;
        let dir = options.dir.clone();
        let (told, address) = tokio::sync::oneshot::channel();
        let started = |at| {
            announce(at, &dir, format);
            if told.send(at).is_err() {
                tracing::debug!("the agent has stopped before the server started");
            }
        };
        let serving = async {
            let served = serve(options, started, shutdown.clone()).await;
            ended.send_replace(true);
            served.map_err(Failure::failed)
        };
        let measuring = async {
            let Ok(address) = address.await else { return Ok(()) };
            let token = token_at(&dir, AGENT_TOKEN_FILE).map_err(Failure::failed)?;
            let name = InstanceName::new("local").expect("a printable name");
            let server = format!("http://{address}");
            let folder = dir.join("agent");
            let halves = Halves::new(&server, &token, folder, Watch::MACHINE, name)?;
            let ran = halves.run(shutdown.clone()).await;
            ended.send_replace(true);
            ran
        };
        let (served, measured) = tokio::join!(serving, measuring);
        served.and(measured)?;
        Ok(Exit::NothingWrong)
    })
}
