//! Evidence: a typed fact with its source and its weight.

/// One fact that speaks for or against an assessment.
#[derive(Clone, Debug, PartialEq)]
pub struct Evidence {
    /// What was seen, in words, with its numbers.
    pub claim: String,
    /// Contribution in log-odds (natural logarithm): positive speaks for the assessment.
    pub weight: f64,
    /// Where it was seen: a metric's name, an event, a capture.
    pub source: String,
}
