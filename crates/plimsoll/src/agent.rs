//! `plimsoll agent`: not wired yet.

use crate::exit::{Exit, Failure};
use crate::output::Format;

/// The agent on its own.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  plimsoll agent")]
pub(crate) struct Args {}

pub(crate) fn run(_args: Args, _format: Format) -> Result<Exit, Failure> {
    Err(Failure::failed("`plimsoll agent` is not wired yet"))
}
