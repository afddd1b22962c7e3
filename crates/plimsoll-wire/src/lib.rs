//! Versioned shapes that cross a process or survive a restart. Serde lives here, and nowhere else
//! among the crates that reason.
//!
//! Every noun of `plimsoll-model` that leaves a process has a shape here with `From<&Noun>` and
//! `TryFrom<Shape>`; the way back names the field that is wrong. The rules of all shapes:
//!
//! - times are RFC 3339 in UTC with milliseconds, except in events, where they are Unix seconds;
//! - spans are whole milliseconds in a field that ends in `_ms`, sizes whole bytes;
//! - an enum that carries something is an object tagged by `kind`, one that does not is a string;
//! - what is written by the second is packed and not JSON: outlines, arrivals;
//! - persisted shapes ignore fields that they do not know (an old reader meets a new writer), what
//!   people send is refused when it holds an unknown field.

pub mod agent;
pub mod alert;
pub mod api;
pub mod arrivals;
pub mod assessment;
pub mod backtest;
pub mod canonical;
pub mod capture;
pub mod command;
pub mod corpus;
pub mod diagnosis;
pub mod digest;
pub mod event;
pub mod explain;
pub mod fleet;
pub mod heap;
pub mod heap_capture;
pub mod incident;
pub mod journal;
pub mod local;
pub mod outcome;
pub mod outlines;
mod packed;
pub mod plan;
pub mod reach;
pub mod receipt;
pub mod scan;
mod shape;
pub mod story;
pub mod words;

pub use shape::{ShapeError, format_time};
