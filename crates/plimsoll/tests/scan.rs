//! `plimsoll scan`, as its users have it: the real binary over files, good and bad.
//!
//! The judgement itself is tested in `plimsoll-detect`; here stand the format, the exit codes, and
//! what becomes of input that nobody would write on purpose.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop here")]

#[path = "scan/at_once.rs"]
mod at_once;
#[path = "scan/bad_input.rs"]
mod bad_input;
#[path = "scan/explain.rs"]
mod explain;
#[path = "scan/families.rs"]
mod families;
#[path = "scan/files.rs"]
mod files;
#[path = "scan/format.rs"]
mod format;
#[path = "scan/logs.rs"]
mod logs;
#[path = "scan/recorded.rs"]
mod recorded;
#[path = "scan/written.rs"]
mod written;
