//! `plimsoll heap ..`: what a process holds in memory. Each command lives in the file of its name.

mod capture;
mod classes;
mod collections;
mod diff;
mod dump;
mod looks;
mod page;
mod path;
mod redact;
mod report;
mod shapes;
mod site_shapes;
mod sites;
mod sources;
mod watch;
mod whole;

use crate::exit::{Exit, Failure};
use crate::output::Format;

/// What a process holds in memory, who holds it, and what grew.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum HeapCommand {
    Capture(Box<capture::Args>),
    Report(report::Args),
    Diff(diff::Args),
    Path(path::Args),
    Redact(redact::Args),
    Watch(Box<watch::Args>),
}

pub(crate) fn run(command: HeapCommand, format: Format) -> Result<Exit, Failure> {
    match command {
        HeapCommand::Capture(args) => capture::run(*args, format),
        HeapCommand::Report(args) => report::run(&args, format),
        HeapCommand::Diff(args) => diff::run(&args, format),
        HeapCommand::Path(args) => path::run(&args, format),
        HeapCommand::Redact(args) => redact::run(&args, format),
        HeapCommand::Watch(args) => watch::run(&args, format),
    }
}
