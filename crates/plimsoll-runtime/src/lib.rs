//! Talks to the language runtimes of watched processes, from outside, with nothing installed in
//! them: HotSpot through `hsperfdata` and the attach socket, V8 through its inspector.
//!
//! Not here: what the numbers mean (`plimsoll-heap`, `plimsoll-detect`), when to ask
//! (`plimsoll-control`), or which capture is worth its pause; this crate only predicts the pause.
//! Used by `plimsoll-agent`. Every step that waits has a deadline, every reply a bound, and no
//! signal is sent before it is known that the process survives it.

pub mod attach;
mod clock;
pub mod cpython;
pub mod hsperfdata;
mod identify;
pub mod pause;
mod process;
pub mod v8;

pub use identify::{Identity, RuntimeKind, identify};
pub use process::{ProcessFiles, Status, StatusError};
