//! The judge: what came of a plan, from fresh measurements alone.
//!
//! It never sees who made the plan or why, and shares no code with `plimsoll-decide`; a plan that
//! is judged by its author always worked. It does not wait or act either: `plimsoll-control` asks
//! again when a watch has passed.

mod judge;
mod slope;
mod watch;

pub use judge::{Judgement, Trial, TrialSeries, judge};
pub use slope::floor_growth_per_hour;
pub use watch::watch_for;
