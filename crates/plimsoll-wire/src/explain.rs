//! What `plimsoll scan --explain SERVICE --format json` prints. Stable: others build on it.
//!
//! The words of `name` and `standing` are those of the detector; this crate does not know it.

use serde::{Deserialize, Serialize};

use crate::scan::{ScanChange, ScanInputs, ScanService};
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
    /// What is usual for it at this hour, and for the load where it is measured.
    pub usual: Vec<ExplainBaseline>,
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

/// What is usual for one series at the hour of its newest level.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExplainBaseline {
    pub metric: String,
    /// Null where too little was seen; `missing` says what.
    pub level: Option<ExplainUsual>,
    pub missing: Option<ExplainMissing>,
    /// Normal has moved: the level is of what came after.
    pub moved: Option<ExplainMoved>,
    /// It leaks since then: the level is of what came before.
    pub leaks_since: Option<String>,
}

/// The usual level, and the newest beside it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExplainUsual {
    /// `hour_of_week`, `hour_of_day` or `all`.
    pub hours: String,
    /// The time that `now` is the mean of, and whose like it is compared with.
    pub window: [String; 2],
    /// Where what it is made of begins and ends.
    pub seen: [String; 2],
    pub p50: f64,
    pub p95: f64,
    pub now: f64,
    /// 0 to 100: how much of what was seen lay lower.
    pub percentile: f64,
    /// Weeks, days or cells that it is made of, and in how many of them the level was lower.
    pub of: usize,
    pub lower_in: usize,
    /// What it will be compared with next; null where nothing finer comes.
    pub next: Option<ExplainNext>,
}

/// A finer comparison, and when there is enough for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExplainNext {
    pub hours: String,
    pub ts: String,
}

/// Why nothing is known to be usual.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExplainMissing {
    pub says: String,
    /// Null where time alone does not bring it.
    pub ready_at: Option<String>,
}

/// Normal is another one since a moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExplainMoved {
    pub since: String,
    /// The middle of the floor before, and since.
    pub from: f64,
    pub to: f64,
    /// The change that fits; null when none does.
    pub change: Option<ScanChange>,
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
