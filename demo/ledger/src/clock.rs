//! The only place where the ledger reads a clock.
#![expect(clippy::disallowed_methods, reason = "the clock of this program lives here")]

use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Nanoseconds since 1970, as OTLP wants them.
pub(crate) fn unix_nanos() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos())
}

pub(crate) fn now() -> Instant {
    Instant::now()
}
