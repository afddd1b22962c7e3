//! Why a request to a Node.js process failed: what was attempted, why it failed, what to do now.

use std::fmt;
use std::io;
use std::time::Duration;

use thiserror::Error;
use tokio_tungstenite::tungstenite;

use crate::http::HttpError;
use crate::process::StatusError;

/// The steps of a conversation, in order. Each has a deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InspectorStep {
    Find,
    Open,
    Connect,
    Call(&'static str),
}

impl fmt::Display for InspectorStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Find => f.write_str("while its inspector was looked for"),
            Self::Open => f.write_str("while its inspector was opened"),
            Self::Connect => f.write_str("while its inspector was connected"),
            Self::Call(method) => write!(f, "before it had answered {method}"),
        }
    }
}

/// Why a request to a Node.js process failed.
#[derive(Debug, Error)]
pub enum InspectorError {
    #[error("process {pid} ended {step}; choose another replica")]
    Gone { pid: u32, step: InspectorStep },
    #[error("process {pid} cannot be checked")]
    Status { pid: u32, source: StatusError },
    #[error("could not read what process {pid} listens on; run as root or as its user")]
    Sockets { pid: u32, source: io::Error },
    #[error(
        "process {pid} is in another network namespace, which this program may not enter; run it \
         as root, or in the pod of the process"
    )]
    OtherNetwork { pid: u32, source: io::Error },
    #[error(
        "process {pid} was not asked, because it has no handler for SIGUSR1 and the signal would \
         kill it; it is no Node.js, or is still starting, or was started with --disable-sigusr1"
    )]
    SignalKills { pid: u32 },
    #[error("process {pid} was not asked, because it is stopped or traced; let it continue first")]
    Stopped { pid: u32 },
    #[error(
        "process {pid} opened no inspector within {} ms of SIGUSR1: port {port} is taken by \
         another process, or the service handles SIGUSR1 itself; start it with \
         --inspect=127.0.0.1:<free port>", .after.as_millis()
    )]
    NotOpened { pid: u32, port: u16, after: Duration },
    #[error("could not send SIGUSR1 to process {pid}; run as root or as its user")]
    Signal { pid: u32, source: io::Error },
    #[error("what process {pid} serves on port {port} is not an inspector: {why}")]
    NotAnInspector { pid: u32, port: u16, why: &'static str },
    #[error("process {pid} could not be talked to {step}")]
    Http { pid: u32, step: InspectorStep, source: HttpError },
    #[error("process {pid} could not be connected")]
    Connect { pid: u32, source: io::Error },
    #[error("the connection to the inspector of process {pid} broke {step}; open it again")]
    Broken { pid: u32, step: InspectorStep, source: Box<tungstenite::Error> },
    #[error("the inspector of process {pid} closed the connection {step}; open it again")]
    Closed { pid: u32, step: InspectorStep },
    #[error(
        "process {pid} did not get further within {} ms {step}; its event loop is busy, ask again",
        .after.as_millis()
    )]
    TimedOut { pid: u32, step: InspectorStep, after: Duration },
    #[error("the inspector of process {pid} refused {method}: {message}")]
    Refused { pid: u32, method: &'static str, message: String },
    #[error("the inspector of process {pid} answered {method} without {missing}")]
    Answer { pid: u32, method: &'static str, missing: &'static str },
}
