//! `plimsoll up`: not wired yet.

use crate::exit::{Exit, Failure};
use crate::output::Format;

/// Server and local agent with an embedded store; the page is at http://127.0.0.1:7300.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  plimsoll up")]
pub(crate) struct Args {}

pub(crate) fn run(_args: Args, _format: Format) -> Result<Exit, Failure> {
    Err(Failure::failed("`plimsoll up` is not wired yet"))
}
