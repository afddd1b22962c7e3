//! Many services that began to grow at one moment: a finding about a fleet, not about any of them.

use crate::ids::ServiceName;
use crate::time::Timestamp;

/// Beginnings that lie closer together than independent ones would.
#[derive(Clone, Debug, PartialEq)]
pub struct SharedOnset {
    /// In order of name.
    pub services: Vec<ServiceName>,
    /// The first and the last of the beginnings.
    pub from: Timestamp,
    pub to: Timestamp,
    /// How probable it is at most that independent beginnings fall so together, 0 to 1.
    pub chance: f64,
    /// What to look at, in a sentence.
    pub reason: String,
}
