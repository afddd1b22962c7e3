//! The only place of this crate that reads the wall clock. Timers and deadlines use tokio's
//! monotonic clock; this one stamps receipts and ends leases.
#![expect(clippy::disallowed_methods, reason = "this is the crate's clock module")]

use std::time::{SystemTime, UNIX_EPOCH};

use plimsoll_model::Timestamp;

/// Now, to the millisecond. A clock that stands before 1970 reads as 1970.
pub fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
