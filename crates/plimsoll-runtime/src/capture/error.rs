//! Why there is no capture: what was attempted, why it failed, what to do now.

use std::path::PathBuf;
use std::time::Duration;

use plimsoll_model::Bytes;
use thiserror::Error;

use super::Rung;
use super::handover::HandoverError;
use super::offer::Objection;
use crate::attach::AttachError;
use crate::go::PprofError;
use crate::identify::RuntimeKind;
use crate::output::OutputError;
use crate::process::StatusError;
use crate::v8::InspectorError;

/// Why there is no capture. Nothing is left behind, here or in the process's folders.
#[derive(Debug, Error)]
pub enum CaptureError {
    #[error("there is no process {pid}, or it has ended; look for it with `ps` or `docker ps`")]
    NoProcess { pid: u32, source: StatusError },
    #[error("process {pid} has ended; choose another replica")]
    Ended { pid: u32 },
    #[error("process {pid} ended while it was captured; nothing was left, choose another replica")]
    Gone { pid: u32 },
    #[error(
        "process {pid} stood still for {} s while it was captured (stopped, frozen or traced); \
         nothing was left, let it continue and ask again", .after.as_secs()
    )]
    Stopped { pid: u32, after: Duration },
    #[error("the capture of process {pid} was given up, as asked; nothing was left")]
    GivenUp { pid: u32 },
    #[error("a {rung} of process {pid} was not made: {objection}")]
    Objected { pid: u32, rung: Rung, objection: Objection },
    #[error("a {kind} process has no {rung}; it can be asked for: {offered}")]
    NotOffered { kind: RuntimeKind, rung: Rung, offered: String },
    #[error("the folder {path} cannot be looked at; choose another with --output")]
    OutputFolder { path: PathBuf, source: std::io::Error },
    #[error(transparent)]
    Attach(#[from] AttachError),
    #[error(transparent)]
    Inspector(#[from] InspectorError),
    #[error(transparent)]
    Pprof(#[from] PprofError),
    #[error(transparent)]
    Handover(#[from] HandoverError),
    #[error(transparent)]
    Output(#[from] OutputError),
    #[error(
        "JVM {pid} did not write its dump: {message}; nothing was left, make room where the JVM \
         writes, or name another of its folders with --target-dir"
    )]
    DumpFailed { pid: u32, message: String },
    #[error(
        "JVM {pid} said that its dump has {said}, and the file has {found}; it was dropped, is \
         the disk full or a quota reached?"
    )]
    DumpCut { pid: u32, said: Bytes, found: Bytes },
    #[error("what process {pid} sent is not what was asked for: {flaw}; it was dropped, ask again")]
    Flawed { pid: u32, flaw: &'static str },
}
