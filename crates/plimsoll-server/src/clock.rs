//! The one place of the server that knows what time it is.
#![expect(clippy::disallowed_methods, reason = "this module is the clock")]

use std::time::{SystemTime, UNIX_EPOCH};

use plimsoll_model::Timestamp;

pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
