//! `plimsoll incident list|show`: the incidents that a running server knows.

mod client;
mod table;

use plimsoll_wire::api::IncidentView;
use plimsoll_wire::incident::IncidentRecord;
use serde::{Deserialize, Serialize};

use self::client::Client;
use crate::clock;
use crate::exit::{Exit, Failure};
use crate::output::{Format, print, print_json};

const SERVER: &str = "http://127.0.0.1:7300";

const LIST_EXAMPLE: &str = "\
Exit codes: 0 the list was printed; 2 bad usage; 4 no server answered.

Example:
  plimsoll incident list --format json";

const SHOW_EXAMPLE: &str = "\
Exit codes: 0 the incident was printed; 2 there is no such incident; 4 no server answered.

Example:
  plimsoll incident show inc-orders-1780000000";

/// Incidents that a running server knows.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum IncidentCommand {
    /// All incidents, the newest first.
    #[command(after_help = LIST_EXAMPLE)]
    List(ServerArg),
    /// One incident: its reasons, its plan, what was done, and what came of it.
    #[command(after_help = SHOW_EXAMPLE)]
    Show {
        /// As `plimsoll incident list` prints it.
        id: String,
        #[command(flatten)]
        server: ServerArg,
    },
}

#[derive(Debug, clap::Args)]
pub(crate) struct ServerArg {
    /// Where the server listens.
    #[arg(long, value_name = "URL", default_value = SERVER)]
    server: String,
}

/// The answer of `GET /api/v1/incidents`.
#[derive(Debug, Serialize, Deserialize)]
struct IncidentList {
    incidents: Vec<IncidentRecord>,
}

pub(crate) fn run(command: IncidentCommand, format: Format) -> Result<Exit, Failure> {
    match command {
        IncidentCommand::List(ServerArg { server }) => {
            let mut list: IncidentList = Client::new(&server)?.get(&["incidents"])?;
            // RFC 3339 in one form sorts as text.
            list.incidents.sort_by(|a, b| b.opened_at.cmp(&a.opened_at));
            match format {
                Format::Json => print_json(&list)?,
                Format::Table => print(&table::list(&list.incidents, clock::now()))?,
            }
        }
        IncidentCommand::Show { id, server: ServerArg { server } } => {
            let view: IncidentView = Client::new(&server)?.get(&["incidents", &id])?;
            match format {
                Format::Json => print_json(&view)?,
                Format::Table => print(&table::one(&view))?,
            }
        }
    }
    Ok(Exit::NothingWrong)
}
