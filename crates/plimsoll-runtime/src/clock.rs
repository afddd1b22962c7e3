//! The crate's only reader of clocks: how long something took, and how old a file is.
#![expect(clippy::disallowed_methods, reason = "this is the crate's clock module")]

use std::time::{Duration, Instant, SystemTime};

/// Measures how long a request took.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stopwatch(Instant);

impl Stopwatch {
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    pub(crate) fn elapsed(self) -> Duration {
        self.0.elapsed()
    }

    /// What is left of `budget`; zero when it is used up.
    pub(crate) fn left_of(self, budget: Duration) -> Duration {
        budget.saturating_sub(self.elapsed())
    }
}

/// How long ago `moment` was; zero when it is in the future.
pub(crate) fn age(moment: SystemTime) -> Duration {
    SystemTime::now().duration_since(moment).unwrap_or(Duration::ZERO)
}
