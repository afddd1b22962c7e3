//! `plimsoll server`: not wired yet.

use crate::exit::{Exit, Failure};
use crate::output::Format;

/// The server on its own.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  plimsoll server")]
pub(crate) struct Args {}

pub(crate) fn run(_args: Args, _format: Format) -> Result<Exit, Failure> {
    Err(Failure::failed("`plimsoll server` is not wired yet"))
}
