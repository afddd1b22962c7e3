//! `plimsoll audit verify`: is the journal as it was written?
//!
//! The check itself is pure and in `plimsoll-wire`; `plimsoll-store` feeds it the files.

use std::path::PathBuf;

use plimsoll_wire::journal::{Fault, Verification};

use crate::exit::{Exit, Failure};
use crate::output::{Format, print, print_json, printable};

/// The journal's file in the data directory, as `plimsoll-store` documents it.
const JOURNAL_FILE: &str = "audit.jsonl";
/// The file beside it that names the newest entry.
const HEAD_FILE: &str = "audit.head";

const EXAMPLE: &str = "\
Exit codes: 0 every entry is as it was written; 1 a fault was found; 2 there is no journal; 4 the
journal could not be read.

Example:
  plimsoll audit verify ./plimsoll-data";

/// The record of everything that was done.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum AuditCommand {
    /// Find an entry that was edited, removed, inserted or reordered.
    #[command(after_help = EXAMPLE)]
    Verify {
        /// The data directory of the server.
        dir: PathBuf,
    },
}

#[derive(Debug, thiserror::Error)]
#[error(
    "there is no journal in `{}`; name the data directory of a server, which holds {JOURNAL_FILE}",
    .0.display()
)]
struct NoJournal(PathBuf);

pub(crate) fn run(command: AuditCommand, format: Format) -> Result<Exit, Failure> {
    let AuditCommand::Verify { dir } = command;
    let found = match (dir.join(JOURNAL_FILE).exists(), dir.join(HEAD_FILE).exists()) {
        (true, _) => plimsoll_store::verify(&dir).map_err(Failure::failed)?,
        (false, true) => removed(),
        (false, false) => return Err(Failure::bad_input(NoJournal(dir))),
    };
    match format {
        Format::Json => print_json(&found)?,
        Format::Table => print(&sentence(&found))?,
    }
    Ok(if found.verified { Exit::NothingWrong } else { Exit::Found })
}

/// A head without its journal is a fault and not an absence.
fn removed() -> Verification {
    let what = format!("{HEAD_FILE} names a newest entry, and {JOURNAL_FILE} is gone: all removed");
    Verification { entries: 0, verified: false, fault: Some(Fault { line: 1, seq: 1, what }) }
}

fn sentence(found: &Verification) -> String {
    let Verification { entries, fault, .. } = found;
    match fault {
        None => format!("verified: {entries} entries are as they were written\n"),
        Some(fault) => format!(
            "NOT as it was written: line {}, where entry {} belongs: {}\n\
             {entries} entries before it are as they were written; keep the files as evidence\n",
            fault.line,
            fault.seq,
            printable(&fault.what)
        ),
    }
}
