//! Why a request to a JVM failed: what was attempted, why it failed, what to do now.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;

use crate::hsperfdata::PerfError;
use crate::process::StatusError;

/// The steps of a request, in order. Each has a deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Check,
    PlaceTrigger,
    Wake,
    Connect,
    Ask,
    AwaitAnswer,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Check => "while it was checked whether it can be asked",
            Self::PlaceTrigger => "while the trigger file of the attach was placed",
            Self::Wake => "while its attach listener was woken",
            Self::Connect => "while its attach socket was connected",
            Self::Ask => "while the command was sent",
            Self::AwaitAnswer => "before it had answered",
        })
    }
}

/// Why a request to a JVM failed. No variant leaves a file or a changed JVM behind.
#[derive(Debug, Error)]
pub enum AttachError {
    #[error("process {pid} ended {step}; nothing was left behind, choose another replica")]
    Gone { pid: u32, step: Step },
    #[error("process {pid} cannot be checked")]
    Status { pid: u32, source: StatusError },
    #[error(
        "process {pid} was not asked, because it is not known to be a HotSpot JVM that can be; \
         ask again when it has started; one with -XX:-UsePerfData has to be asked with its own jcmd"
    )]
    NotHotSpot { pid: u32, source: PerfError },
    #[error(
        "JVM {pid} was not asked, because it was started with -XX:+DisableAttachMechanism; \
         restart it without, or use what needs no attach"
    )]
    Disabled { pid: u32 },
    #[error(
        "process {pid} was not asked, because it has no open attach socket, and no handler for \
         the SIGQUIT that would open one, so that the signal would kill it; it is no JVM, or is \
         still starting, or runs with -Xrs and its socket in /tmp was removed: restart it"
    )]
    SignalKills { pid: u32 },
    #[error("JVM {pid} was not asked, because it is stopped or traced; let it continue first")]
    Stopped { pid: u32 },
    #[error(
        "JVM {pid} runs as user {owner} and this program as {ours}; run as root or as that user"
    )]
    Permission { pid: u32, owner: u32, ours: u32 },
    #[error(
        "could not place the trigger file {path} that JVM {pid} looks for; make its working \
         directory or its /tmp writable"
    )]
    Trigger { pid: u32, path: PathBuf, source: io::Error },
    #[error(
        "another tool is attaching to JVM {pid}: its trigger {path} is there; ask again in a moment"
    )]
    Busy { pid: u32, path: PathBuf },
    #[error(
        "the socket {path} belongs to process {owner:?} and not to JVM {pid}; nothing was sent"
    )]
    Impostor { pid: u32, path: PathBuf, owner: Option<i32> },
    #[error("JVM {pid} failed {step}")]
    Transport { pid: u32, step: Step, source: io::Error },
    #[error(
        "JVM {pid} did not get further within {} ms {step}; ask again when it has CPU",
        .after.as_millis()
    )]
    TimedOut { pid: u32, step: Step, after: Duration },
    #[error("JVM {pid} refused `{command}` with code {code}: {message}")]
    Refused { pid: u32, command: String, code: i32, message: String },
    #[error("JVM {pid} answered `{command}` with something that is no answer: `{start}`")]
    NoAnswer { pid: u32, command: String, start: String },
    #[error("the answer of JVM {pid} to `{command}` is longer than {limit} bytes and was dropped")]
    TooLong { pid: u32, command: String, limit: usize },
    #[error("`{command}` cannot be sent: {why}")]
    Command { command: String, why: &'static str },
}
