//! Scores detectors on labelled telemetry, side by side: ours, and the rules that people run today.
//!
//! Pure: cases come in, scores and tables go out. Every [`Detector`] looks at the same cases at the
//! same moments and sees only what was measured until then. Not here: reading a corpus (the
//! command's), drawing one (`plimsoll-sim`), and any judgement of our own (`plimsoll-detect`).

pub mod calibration;
mod case;
mod detector;
pub mod peers;
pub mod picture;
mod replay;
mod score;
pub mod summary;
pub mod targets;

pub use case::{Case, Truth};
pub use detector::{Detector, Plimsoll, Said, looks};
pub use score::{Blamed, Forecast, Score, score};
pub use summary::Summary;
