//! Writes corpora for `plimsoll backtest`: drawn by the simulator, or adapted from public data.
//!
//! Beside the product, which never needs it. The form is described in `docs/formats/corpus.md`.

mod adapt;
mod generate;
mod write;

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Writes corpora for `plimsoll backtest`.
#[derive(Debug, Parser)]
struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Draws the published corpus.
    Generate {
        /// The folder to write; must not exist.
        folder: PathBuf,
        /// Cases of each family.
        #[arg(long, default_value_t = 4)]
        cases: u64,
        /// The same seed draws the same corpus.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Only the families of this half.
        #[arg(long)]
        half: Option<generate::HalfName>,
        /// Only this family; may be repeated.
        #[arg(long)]
        family: Vec<String>,
    },
    /// Turns public data sets into corpora, one folder each.
    Adapt {
        /// The folder that holds the data sets.
        data: PathBuf,
        /// The folder to write; must not exist.
        folder: PathBuf,
    },
}

fn main() -> ExitCode {
    match Args::parse().what {
        What::Generate { folder, cases, seed, half, family } => {
            let wanted = generate::Wanted { cases, seed, half, families: family };
            match generate::generate(&folder, &wanted) {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => {
                    eprintln!("error: {}", describe(&error));
                    ExitCode::FAILURE
                }
            }
        }
        What::Adapt { data, folder } => adapt::command(&data, &folder),
    }
}

/// An error with everything that caused it.
fn describe(error: &dyn Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| (*cause).source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
