//! The labelled corpus of `plimsoll backtest`: its manifest, and one line of truth for each case.
//! Described in `docs/formats/corpus.md`.
//!
//! Not here: telemetry and events, which have the forms of a scan; and any scoring.

use serde::{Deserialize, Serialize};

use crate::scan::ScanChange;
use crate::words::{CauseWord, HalfWord, LabelWord};

/// The version of the format that is written.
pub const FORMAT: &str = "plimsoll.corpus.v1";

/// What a corpus is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CorpusManifest {
    pub format: String,
    pub name: String,
    pub origin: String,
}

/// What is true of one case.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TruthShape {
    pub service: String,
    pub family: String,
    pub half: HalfWord,
    pub label: LabelWord,
    #[serde(default)]
    pub cause: Option<CauseWord>,
    #[serde(default)]
    pub onset: Option<String>,
    #[serde(default)]
    pub ends: Option<String>,
    #[serde(default)]
    pub instances: Vec<String>,
    #[serde(default)]
    pub change: Option<ScanChange>,
    #[serde(default)]
    pub exhausted_at: Option<String>,
    #[serde(default)]
    pub growth_per_hour: Option<f64>,
    #[serde(default)]
    pub runtime: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_line_of_the_documented_format_is_read() {
        let line = r#"{"service": "vm-1", "family": "bitbrains", "half": "report",
                       "label": "unlabelled"}"#;
        let truth = serde_json::from_str::<TruthShape>(line).unwrap();
        assert_eq!((truth.label, truth.half), (LabelWord::Unlabelled, HalfWord::Report));
        assert_eq!(truth.cause, None);
    }
}
