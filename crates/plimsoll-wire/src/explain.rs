//! What `plimsoll scan --explain SERVICE --format json` prints. Stable: others build on it.
//!
//! The words of `name` and `standing` are those of the detector; this crate does not know it.

use serde::{Deserialize, Serialize};

use crate::scan::{ScanInputs, ScanService};
use crate::words::{UnitWord, VerdictWord};

/// The assessment of one service, and how it came about.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExplainReport {
    pub assessed_at: String,
    /// What `plimsoll scan` says of it, field by field.
    pub service: ScanService,
    /// Null where nothing is measured that could leak.
    pub speaker: Option<ExplainSpeaker>,
    pub others: Vec<ExplainOther>,
    pub inputs: ScanInputs,
}

/// The series that spoke.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExplainSpeaker {
    pub instance: String,
    pub version: Option<String>,
    pub metric: String,
    pub unit: UnitWord,
    /// Why this series and no other.
    pub chosen: String,
    pub samples: usize,
    pub level: f64,
    pub limit: Option<f64>,
    /// A rise below this does not matter.
    pub material: f64,
    pub explanations: Vec<ExplainRival>,
    pub picture: ExplainPicture,
    /// What would change the verdict, the nearest first.
    pub would_change: Vec<String>,
}

/// One explanation that competed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExplainRival {
    pub name: String,
    pub standing: String,
    pub score: Option<ExplainScore>,
    pub says: String,
}

/// The measure that an explanation hangs on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExplainScore {
    pub measure: String,
    pub value: f64,
    pub fits: FitsWord,
    pub against: f64,
    /// The name of the threshold where it is a declared one.
    pub threshold: Option<String>,
}

/// On which side of the threshold a value speaks for the explanation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FitsWord {
    AtLeast,
    Below,
}

/// What the chart shows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExplainPicture {
    pub of: String,
    pub points: Vec<ExplainPoint>,
    pub trend: Option<ExplainTrend>,
    pub changes: Vec<ExplainMark>,
}

/// One point of the floor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExplainPoint {
    pub ts: String,
    pub value: f64,
}

/// The trend of the stretch that decides.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExplainTrend {
    pub from: String,
    pub to: String,
    /// The level at `from` and at `to`.
    pub begin: f64,
    pub end: f64,
    pub per_hour: f64,
}

/// A change on the axis of time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExplainMark {
    pub ts: String,
    pub what: String,
}

/// A series that did not speak.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExplainOther {
    pub instance: String,
    pub metric: String,
    /// Null where it was not asked.
    pub verdict: Option<VerdictWord>,
    pub says: String,
}
