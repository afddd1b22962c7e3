//! What is known of a labelled case: whether it leaks, and whether a threshold was chosen by it.
//!
//! Not here: the rest of its truth, which the corpus format and the back-test hold. Used by what
//! draws corpora, by what reads them, and by what scores on them.

/// Which half of the families a case belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Half {
    /// Thresholds may be chosen by it.
    Tune,
    /// Nothing may be chosen by it.
    Report,
}

/// What is known of a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Label {
    Leaking,
    Benign,
    /// Production telemetry of which nobody knows: it counts for alarms only.
    Unlabelled,
}
