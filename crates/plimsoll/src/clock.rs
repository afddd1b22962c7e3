//! The clock of the command line: the only place of this crate that asks what time it is.
#![expect(clippy::disallowed_methods, reason = "this is the crate's clock")]

use std::time::{SystemTime, UNIX_EPOCH};

use plimsoll_model::Timestamp;

/// Now, by this machine. A clock that stands before 1970 is read as 1970.
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
