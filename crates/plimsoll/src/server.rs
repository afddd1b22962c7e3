//! `plimsoll server`: the server on its own, for agents that run elsewhere on this machine.

use std::io::IsTerminal;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use plimsoll_ingest::catalogue::{Catalogue, CatalogueError};
use plimsoll_model::Span;
use plimsoll_server::{
    Clock, OPERATOR_TOKEN_FILE, Playbook, ServerOptions, Settings, serve, token_at,
};

use crate::daemon::{block_on, data_dir, shutdown_on_signal};
use crate::exit::{Exit, Failure};
use crate::output::{Format, print_json, say};

/// The server on its own: API, page, and the loop; agents bring telemetry and act.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  plimsoll server --dir /var/lib/plimsoll --listen 127.0.0.1:7300"
)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) settings: SettingsArgs,
}

/// What `server` and `up` are told.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct SettingsArgs {
    /// Where everything that survives is kept [default: ~/.local/share/plimsoll].
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
    /// The loopback address to listen on.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:7300")]
    pub(crate) listen: SocketAddr,
    /// Further names of metrics, beside the built-in catalogue.
    #[arg(long, value_name = "FILE.toml")]
    pub(crate) catalogue: Option<PathBuf>,
    /// The playbook that answers leaks: roll-back-leaking-deploy or restart-only.
    #[arg(long, value_name = "NAME", value_parser = playbook)]
    pub(crate) playbook: Option<Playbook>,
    /// How long a containment lasts by itself, in seconds.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(i64).range(1..=86_400))]
    pub(crate) lease: Option<i64>,
    /// How long an approval may take, in seconds.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(i64).range(1..=86_400))]
    pub(crate) approval_within: Option<i64>,
}

#[derive(Debug, thiserror::Error)]
enum ServerError {
    #[error("read the catalogue {}", path.display())]
    Catalogue { path: PathBuf, source: std::io::Error },
    #[error("understand the catalogue {}", path.display())]
    BadCatalogue { path: PathBuf, source: CatalogueError },
}

pub(crate) fn run(args: Args, format: Format) -> Result<Exit, Failure> {
    let options = args.settings.options()?;
    block_on(async move {
        let (_stopping, shutdown) = shutdown_on_signal()?;
        let dir = options.dir.clone();
        serve(options, |address| announce(address, &dir, format), shutdown)
            .await
            .map_err(Failure::failed)?;
        Ok(Exit::NothingWrong)
    })
}

/// Says where the page is.
pub(crate) fn announce(address: SocketAddr, dir: &Path, format: Format) {
    match format {
        Format::Table => {
            say(&format!("plimsoll is at {}", link(address, dir)));
            say(&format!("data is kept in {}; Ctrl-C stops it", dir.display()));
            say(&format!("the token to approve with is in {OPERATOR_TOKEN_FILE} there"));
        }
        Format::Json => {
            let started = serde_json::json!({ "listening": address.to_string() });
            if let Err(failure) = print_json(&started) {
                say(&failure.to_string());
            }
        }
    }
}

/// The page, with the token that lets whoever reads a terminal approve. A log is read by more
/// people, so there the token stays in its file.
pub(crate) fn link(address: SocketAddr, dir: &Path) -> String {
    let token = match std::io::stderr().is_terminal() {
        true => token_at(dir, OPERATOR_TOKEN_FILE).ok(),
        false => None,
    };
    let fragment = token.map_or_else(String::new, |token| format!("#token={token}"));
    format!("http://{address}/{fragment}")
}

impl SettingsArgs {
    pub(crate) fn options(&self) -> Result<ServerOptions, Failure> {
        let mut settings = Settings::default();
        if let Some(playbook) = self.playbook {
            settings.policy.playbook = playbook;
        }
        if let Some(lease) = self.lease {
            settings.policy.lease = Span::from_secs(lease);
        }
        if let Some(within) = self.approval_within {
            settings.policy.approval_within = Span::from_secs(within);
        }
        Ok(ServerOptions {
            dir: data_dir(self.dir.clone())?,
            listen: self.listen,
            settings,
            catalogue: self.catalogue()?,
            clock: Clock::Machine,
        })
    }

    fn catalogue(&self) -> Result<Catalogue, Failure> {
        let built_in = Catalogue::built_in();
        let Some(path) = self.catalogue.clone() else { return Ok(built_in) };
        let text = std::fs::read_to_string(&path).map_err(|source| {
            Failure::bad_input(ServerError::Catalogue { path: path.clone(), source })
        })?;
        built_in
            .extend(&text)
            .map_err(|source| Failure::bad_input(ServerError::BadCatalogue { path, source }))
    }
}

fn playbook(name: &str) -> Result<Playbook, String> {
    Playbook::named(name).ok_or_else(|| {
        format!(
            "there is no such playbook; take {} or {}",
            Playbook::RollBack.name(),
            Playbook::RestartOnly.name()
        )
    })
}
