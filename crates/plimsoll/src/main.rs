//! The command line: one binary, one subcommand for each thing that a person does with Plimsoll.
//!
//! This file parses, dispatches and turns the end of a command into an exit code; each command
//! lives in the file of its name. Answers go to standard output, everything else to standard error.

mod agent;
mod audit;
mod backtest;
mod clock;
mod cores;
mod daemon;
mod demo;
mod exit;
mod heap;
mod incident;
mod output;
mod scan;
mod server;
mod spans;
mod up;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use plimsoll_act::launch::{EXIT_NOT_LAUNCHED, SUBCOMMAND, launch_child};

use crate::exit::{Exit, Failure};
use crate::output::{Format, say};

const EXIT_CODES: &str = "\
Exit codes:
  0  nothing wrong
  1  something found: a leak, a failed check
  2  usage or bad input
  3  cannot tell: not enough data
  4  the work itself failed

Example:
  plimsoll scan --telemetry telemetry.csv --events events.jsonl";

/// Tells a real memory leak from everything that looks like one, finds where it comes from, and
/// takes the smallest safe action.
#[derive(Debug, Parser)]
#[command(name = "plimsoll", version, after_help = EXIT_CODES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// How the answer is printed.
    #[arg(long, global = true, value_enum, default_value_t = Format::Table)]
    format: Format,
    /// What is logged to standard error, for example `info` or `plimsoll_server=debug`.
    #[arg(long, global = true, value_name = "FILTER", default_value = "warn")]
    log: String,
}

#[derive(Debug, Subcommand)]
enum Command {
    Demo(demo::Args),
    Up(up::Args),
    Server(server::Args),
    Agent(agent::Args),
    Scan(scan::Args),
    Backtest(backtest::Args),
    #[command(subcommand)]
    Heap(heap::HeapCommand),
    #[command(subcommand)]
    Audit(audit::AuditCommand),
    #[command(subcommand)]
    Incident(incident::IncidentCommand),
}

fn main() -> ExitCode {
    // The launcher takes its arguments raw, and must not spend time on anything else.
    let mut args = std::env::args_os().skip(1);
    if args.next().is_some_and(|word| word == SUBCOMMAND) {
        return not_launched(&launch_child(args));
    }
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(asked) => return answer_usage(&asked),
    };
    let end = start_log(&cli.log).and_then(|()| run(cli.command, cli.format));
    match end {
        Ok(exit) => exit.into(),
        Err(failure) => {
            say(&failure.to_string());
            failure.exit.into()
        }
    }
}

fn run(command: Command, format: Format) -> Result<Exit, Failure> {
    match command {
        Command::Demo(args) => demo::run(args, format),
        Command::Up(args) => up::run(args, format),
        Command::Server(args) => server::run(args, format),
        Command::Agent(args) => agent::run(args, format),
        Command::Scan(args) => scan::run(&args, format),
        Command::Backtest(args) => backtest::run(&args, format),
        Command::Heap(args) => heap::run(args, format),
        Command::Audit(args) => audit::run(args, format),
        Command::Incident(args) => incident::run(args, format),
    }
}

fn start_log(filter: &str) -> Result<(), Failure> {
    let filter = tracing_subscriber::EnvFilter::builder()
        .parse(filter)
        .map_err(|source| Failure::bad_input(exit::BadFilter(source)))?;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
        .init();
    Ok(())
}

/// Help and version are answers, everything else is a usage error; clap knows the stream of each.
fn answer_usage(asked: &clap::Error) -> ExitCode {
    // A reader that closed the pipe has read enough.
    drop(asked.print());
    if asked.use_stderr() { Exit::BadInput.into() } else { Exit::NothingWrong.into() }
}

fn not_launched(error: &plimsoll_act::launch::LaunchError) -> ExitCode {
    say(&exit::with_sources(error));
    ExitCode::from(EXIT_NOT_LAUNCHED)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_well_formed_and_every_command_has_an_example() {
        let mut command = super::Cli::command();
        command.build();
        command.clone().debug_assert();
        let mut open: Vec<_> =
            command.get_subcommands().filter(|c| c.get_name() != "help").collect();
        while let Some(next) = open.pop() {
            let inner: Vec<_> = next.get_subcommands().filter(|c| c.get_name() != "help").collect();
            let help = next.get_after_help().map(ToString::to_string).unwrap_or_default();
            let has_example = help.contains("plimsoll ");
            assert!(has_example || !inner.is_empty(), "{} has no example", next.get_name());
            open.extend(inner);
        }
    }
}
