//! The clock of the command line: the only place of this crate that asks what time it is.
#![expect(clippy::disallowed_methods, reason = "this is the crate's clock")]

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use plimsoll_model::Timestamp;

/// Now, by this machine. A clock that stands before 1970 is read as 1970.
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// How long something took.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stopwatch(Instant);

impl Stopwatch {
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    pub(crate) fn nanos(self) -> u64 {
        u64::try_from(self.0.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}
