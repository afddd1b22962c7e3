//! `plimsoll scan --prometheus` against a real Prometheus that holds back-filled services, and
//! against servers that refuse.
//!
//! Needs Debian's `prometheus`; without it the tests that start one say that they are skipped.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop here")]

#[path = "prometheus/exposition.rs"]
mod exposition;
#[path = "scan/files.rs"]
#[expect(dead_code, reason = "shared with the tests of files, which use all of it")]
mod files;
#[path = "prometheus/refusals.rs"]
mod refusals;
#[path = "prometheus/secure.rs"]
mod secure;
#[path = "prometheus/server.rs"]
mod server;
#[path = "prometheus/verdicts.rs"]
mod verdicts;
#[path = "scan/written.rs"]
mod written;
