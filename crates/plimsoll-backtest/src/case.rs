//! One labelled service: what was measured, and what is true of it.
//!
//! Not here: the form of either in files (`docs/formats/corpus.md`).

use plimsoll_model::{Cause, Change, Half, InstanceName, Label, ServiceHistory, Timestamp};

/// What is true of a case.
#[derive(Clone, Debug, PartialEq)]
pub struct Truth {
    pub family: String,
    pub half: Half,
    pub label: Label,
    /// None where any cause will do.
    pub cause: Option<Cause>,
    /// When it began to leak; none unless it leaks.
    pub onset: Option<Timestamp>,
    /// When it stopped; none while it goes on.
    pub ends: Option<Timestamp>,
    /// The instances that leak.
    pub instances: Vec<InstanceName>,
    /// The change that began it; none where none did.
    pub change: Option<Change>,
    /// When the limit is reached, or would be.
    pub exhausted_at: Option<Timestamp>,
    /// In the unit of what leaks, averaged from the onset.
    pub growth_per_hour: Option<f64>,
}

impl Truth {
    /// Whether it leaks at this moment.
    pub fn leaks_at(&self, at: Timestamp) -> bool {
        self.label == Label::Leaking
            && self.onset.is_none_or(|onset| at >= onset)
            && self.ends.is_none_or(|end| at < end)
    }
}

/// A service with its truth. The service's name is the case's name.
#[derive(Clone, Debug)]
pub struct Case {
    pub history: ServiceHistory,
    pub truth: Truth,
}

impl Case {
    /// The first and the last moment at which anything was measured.
    pub fn span(&self) -> Option<(Timestamp, Timestamp)> {
        let series = || self.history.lives.iter().flat_map(|life| life.series.values());
        let first = series().filter_map(|series| series.samples().first()).map(|s| s.at).min()?;
        let last = series().filter_map(|series| series.samples().last()).map(|s| s.at).max()?;
        Some((first, last))
    }
}
