//! Talks to the language runtimes of watched processes, from outside, with nothing installed in
//! them: HotSpot through `hsperfdata` and the attach socket, V8 through its inspector, Go through
//! its profiles over HTTP.
//!
//! Not here: what the numbers mean (`plimsoll-heap`, `plimsoll-detect`), when to ask
//! (`plimsoll-control`), or which capture is worth its pause; this crate only predicts the pause.
//! `capture` puts the parts together: a file of what a process holds in memory. Used by
//! `plimsoll-agent` and the command line. Every step that waits has a deadline, every reply a bound, and no
//! signal is sent before it is known that the process survives it.

pub mod attach;
pub mod capture;
mod clock;
pub mod container;
pub mod cpython;
pub mod experience;
pub mod go;
pub mod hsperfdata;
pub mod http;
mod identify;
pub mod output;
pub mod pause;
mod process;
pub mod room;
mod sockets;
pub mod v8;

pub use identify::{Identity, RuntimeKind, identify};
pub use process::{ProcessFiles, Status, StatusError};
