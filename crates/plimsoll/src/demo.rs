//! `plimsoll demo`: the whole loop on a small real fleet of leaking services on this machine.

pub(crate) mod fleet;
pub(crate) mod load;
mod runtimes;

use crate::exit::{Exit, Failure};
use crate::output::Format;

/// The whole loop on a small real fleet of leaking services on this machine.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  plimsoll demo --json story.json")]
pub(crate) struct Args {}

pub(crate) fn run(_args: Args, _format: Format) -> Result<Exit, Failure> {
    Err(Failure::failed("`plimsoll demo` is not wired yet"))
}
