//! Foreign bytes in, canonical readings, changes and spans out; or a refusal that says why.
//!
//! Not here: sockets, files, storage, judgement. Everything is a function over bytes or a reader,
//! or a small bounded state that is stepped with `now`; only Parquet, whose directory stands at its
//! end, is read from an open file. The server and `plimsoll scan` use it.

pub mod admission;
mod batch;
pub mod catalogue;
pub mod csv;
pub mod events;
pub mod kernel;
mod lines;
pub mod logs;
mod metric_name;
mod moment;
mod names;
pub mod otlp;
pub mod parquet;
pub mod prometheus;
mod rejection;
pub mod signatures;
mod source_name;
pub mod traffic;

pub use batch::{Batch, Teller, Told};
pub use moment::{CLOCK_AHEAD_MAX, HISTORY_MAX};
pub use rejection::{Example, Reason, Rejection, Rejections};
