//! Writes corpora for `plimsoll backtest`: drawn by the simulator, or adapted from public data.
//!
//! Beside the product, which never needs it. The form is described in `docs/formats/corpus.md`.

mod adapt;
mod fleet;
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
    /// Draws a fleet as one Parquet file, for measuring `plimsoll scan`.
    Fleet {
        /// The file to write; must not exist.
        file: PathBuf,
        /// Series, 20 of each service.
        #[arg(long, default_value_t = 100_000)]
        series: usize,
        /// Samples of each series, 5 minutes apart.
        #[arg(long, default_value_t = 2_000)]
        samples: usize,
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
            end(generate::generate(&folder, &wanted))
        }
        What::Fleet { file, series, samples } => {
            end(fleet::fleet(&file, fleet::Size { series, samples }))
        }
        What::Adapt { data, folder } => adapt::command(&data, &folder),
    }
}

fn end<E: Error>(result: Result<(), E>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", describe(&error));
            ExitCode::FAILURE
        }
    }
}

/// An error with everything that caused it.
fn describe(error: &dyn Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| (*cause).source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
