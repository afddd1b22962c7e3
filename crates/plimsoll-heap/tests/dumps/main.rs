//! Heap dumps in the format HPROF: real ones against what others say of them, and made ones that
//! are cut off, damaged, or lie.
//!
//! The real ones are in the folder that `PLIMSOLL_DATA` names, else in `../shared/data` beside the
//! workspace. Without them a test says that it was skipped.

#![expect(clippy::unwrap_used, reason = "a test ends where its stage cannot be set up")]

mod broken;
mod crew;
mod oracle;
mod survey;
mod truth;
mod writer;

use std::path::{Path, PathBuf};

/// The folder with the real dumps, if it is here.
fn dumps() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let named = std::env::var_os("PLIMSOLL_DATA").map(PathBuf::from);
    let folder = named.or_else(|| beside.is_dir().then_some(beside));
    if folder.is_none() {
        eprintln!("skipped: the dumps are not here; PLIMSOLL_DATA names the folder of data sets");
    }
    Some(folder?.join("hprof"))
}
