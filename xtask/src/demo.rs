//! `cargo xtask demo`: builds the two programs that the demo starts, then becomes `plimsoll demo`.
//!
//! The process is replaced, not wrapped: Ctrl-C, a signal by process id and the exit code then
//! need no passing on.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

const BUILD: &[&str] = &["build", "-p", "plimsoll", "-p", "ledger"];

/// Returns only if something failed before `plimsoll` could take over.
pub(crate) fn run(root: &Path, arguments: &[String]) -> Result<(), String> {
    let status = Command::new("cargo")
        .args(BUILD)
        .current_dir(root)
        .status()
        .map_err(|error| format!("cargo could not be started: {error}"))?;
    if !status.success() {
        return Err(format!("`cargo {}` failed ({status})", BUILD.join(" ")));
    }
    let own = std::env::current_exe()
        .map_err(|error| format!("the folder of built programs is unknown: {error}"))?;
    // This program was built in the same profile, so what was built now lies beside it.
    let program = own.with_file_name("plimsoll");
    let error = Command::new(&program).arg("demo").args(arguments).exec();
    Err(format!("{} could not be started: {error}", program.display()))
}
