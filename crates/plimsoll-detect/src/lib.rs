//! Tells a leak from everything that looks like one.
//!
//! One question, one answer: [`assess`] takes the history of a service and says whether it leaks,
//! why, since when, by which change, and when the limit is reached. It is pure: no clock, no
//! storage, no state. The way of a verdict through the files:
//!
//! 1. `scene`: who is running, and what ran before;
//! 2. `ladder`: which series speaks, and which limit it runs into;
//! 3. `envelope`: the floor that garbage collections and batches fall back to;
//! 4. `rivals` and `season`: load, backlog, caches and the time of day take what is theirs, and
//!    leave the `remainder`;
//! 5. `trend` and `course`: what is left grows, slows, levels off, wanders, or is flat;
//! 6. `cohort`: replicas and previous versions at equal uptime agree or do not;
//! 7. `attribution` and `forecast`: since which change, until when;
//! 8. `judge` leads a series through the `gates`, the `evidence` (`signs` are what logs and the
//!    kernel said) and the naming of the `cause`;
//!    `report` chooses who speaks, and says it in words;
//! 9. [`explain`] tells all of that to a person, beside what is usual at this hour (`baseline`), and
//!    judges nothing;
//! 10. [`shared_onset`] looks at the whole fleet: many that begin at once have one cause, and it
//!     may be the measurement.
//!
//! Every number that decides is declared in [`thresholds`].

mod alert;
mod attribution;
mod baseline;
mod cause;
mod cohort;
mod course;
mod curves;
mod envelope;
mod evidence;
mod explain;
mod fit;
mod forecast;
mod gates;
mod judge;
mod ladder;
mod remainder;
mod report;
mod rivals;
mod sanity;
mod scene;
mod season;
mod signs;
pub mod thresholds;
mod trend;

pub use alert::follow;
pub use baseline::{Baseline, Hours, Moved, TooLittle, Usual};
pub use explain::{
    Explanation, Fits, Line, Mark, OtherSeries, Picture, Rival, RivalName, Score, Speaker,
    Standing, explain,
};
use plimsoll_model::{Assessment, ServiceHistory, Timestamp};
pub use sanity::{Beginning, beginning, shared_onset};

/// Assesses one service at one moment, from the outlines of its series. A history is as of `now`:
/// changes and runs after that are not looked at, samples after it should not be in it.
///
/// Cost: a bounded amount of work for each series, however many samples it had.
pub fn assess(history: &ServiceHistory, now: Timestamp) -> Assessment {
    let scene = scene::Scene::of(history, now);
    let findings = judge::findings(&scene);
    report::report(&scene, &findings)
}
