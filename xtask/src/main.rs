//! The repository's own commands: check it, test it, tidy it, show it.
//!
//! Not here: anything that a user of Plimsoll runs. Contributors and `.ci/run` call this through
//! the alias in `.cargo/config.toml`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod clock;
mod demo;
mod fuzz;
mod needs;
mod npm;
mod pipeline;
mod stage;
mod text;
mod tidy;
mod tree;

#[derive(Debug, Parser)]
#[command(name = "cargo xtask", about = "The repository's own commands", max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// The fast part: formatting, tidy, lints, unit tests, scenarios, documentation.
    Check,
    /// Everything: installs what the tests need where it may, then runs check's stages and every
    /// other test.
    Test,
    /// Build and run `plimsoll demo`; what follows `--` is passed on to it.
    Demo {
        /// Arguments of `plimsoll demo`, for example `-- --json story.json`.
        #[arg(last = true)]
        arguments: Vec<String>,
    },
    /// Feed the readers of input with what libFuzzer makes up; needs `cargo-fuzz`.
    Fuzz {
        /// One target of `fuzz/fuzz_targets`; all of them, one after the other, by default.
        target: Option<String>,
        /// How long each target runs.
        #[arg(long, default_value_t = 60)]
        seconds: u32,
    },
    /// The rules that neither the compiler nor clippy knows: directions, sizes, names, documents.
    Tidy,
}

fn main() -> ExitCode {
    let root = repository_root();
    let finished = match Arguments::parse().command {
        Command::Check => pipeline::check(&root),
        Command::Test => pipeline::test(&root),
        Command::Demo { arguments } => demo::run(&root, &arguments),
        Command::Fuzz { target, seconds } => {
            fuzz::run(&root, &fuzz::Run { target: target.as_deref(), seconds })
        }
        Command::Tidy => tidy::run(&root),
    };
    match finished {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::FAILURE
        }
    }
}

fn repository_root() -> PathBuf {
    let own_folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    own_folder.parent().expect("xtask lives in a folder of the repository").to_path_buf()
}
