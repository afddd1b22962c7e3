//! Finds programs and public data, and says what is missing.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use plimsoll_heap::unpack;

/// Where a program is, or `None` after having said that the test is skipped.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let mut found = std::env::split_paths(&paths).map(|folder| folder.join(program));
    let found = found.find(|path| path.is_file());
    if found.is_none() {
        skipped(&format!("{program} not found"));
    }
    found
}

/// A folder of the public data sets, or `None` after having said that the test is skipped.
pub(crate) fn data(set: &str) -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let named = std::env::var_os("PLIMSOLL_DATA").map(PathBuf::from);
    let folder = named.or_else(|| beside.is_dir().then_some(beside));
    if folder.is_none() {
        skipped("the data sets are not here; PLIMSOLL_DATA names their folder");
    }
    folder.map(|folder| folder.join(set))
}

/// Says why a test does nothing, past the harness, which hides what a passing test prints.
fn skipped(why: &str) {
    writeln!(std::io::stderr(), "skipped: {why}").expect("the standard error is open");
}

/// Runs a program to its end, and gives what it printed.
pub(crate) fn output(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

/// The text of a file, unpacked.
pub(crate) fn text(path: &Path) -> String {
    const BYTES_MAX: usize = 256 << 20;
    let bytes = std::fs::read(path).unwrap();
    String::from_utf8_lossy(&unpack(&bytes, BYTES_MAX).unwrap().bytes).into_owned()
}
