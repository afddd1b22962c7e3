//! What `plimsoll backtest --format json` prints.
//!
//! A measure that no case could tell is `null`, never 0.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::words::{HalfWord, LabelWord};

/// All detectors on one corpus.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BacktestReport {
    pub corpus: String,
    pub origin: String,
    /// Null: both halves.
    pub half: Option<HalfWord>,
    pub looks: usize,
    pub cases: usize,
    pub detectors: Vec<BacktestDetector>,
    /// What Plimsoll must reach.
    pub targets: Vec<BacktestTarget>,
    pub wrong: Vec<BacktestWrong>,
}

/// One detector.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BacktestDetector {
    pub name: String,
    pub rule: String,
    pub all: BacktestNumbers,
    pub families: Vec<BacktestFamily>,
    /// Empty for a detector that states no confidence.
    pub reliability: Vec<BacktestBin>,
    /// `true cause -> name given -> cases`.
    pub causes: BTreeMap<String, BTreeMap<String, usize>>,
}

/// One family.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BacktestFamily {
    pub family: String,
    pub label: LabelWord,
    pub numbers: BacktestNumbers,
}

/// Sums over cases.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BacktestNumbers {
    pub cases: usize,
    /// Verdicts at the end of each case.
    pub precision: Option<f64>,
    pub recall: Option<f64>,
    pub f1: Option<f64>,
    /// Benign cases, or cured ones, called leaking at the end.
    pub false_leaks: usize,
    /// A leak counts when it was told at any look, a case counts against when any alarm was false.
    pub f1_of_alarms: Option<f64>,
    /// Leaking cases, and those told at any look while they leaked.
    pub leaking: usize,
    pub told: usize,
    pub delay_hours_p50: Option<f64>,
    pub delay_hours_p90: Option<f64>,
    /// Of leaks that fill within 14 hours; 9 stands for one that was never told.
    pub runway_used_p50: Option<f64>,
    pub runway_used_p90: Option<f64>,
    pub alarms: u32,
    pub quiet_days: f64,
    pub alarms_per_1000_days: Option<f64>,
    /// Of the alarms, those that would have woken somebody.
    pub pages: u32,
    pub pages_per_1000_days: Option<f64>,
    /// An alarm between two looks is not seen.
    pub hours_between_looks_p50: Option<f64>,
    /// Leaks of which a forecast was due at half-life.
    pub forecasts: usize,
    pub forecast_error_p50: Option<f64>,
    pub forecast_coverage: Option<f64>,
    pub cause_macro_f1: Option<f64>,
    pub blamed_rightly: usize,
    pub blamed_wrongly: usize,
    pub blamed_nobody: usize,
    /// None was blamed, and none did it.
    pub blamed_nobody_rightly: usize,
    pub calibration_error: Option<f64>,
}

/// Claims of about the same confidence.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct BacktestBin {
    pub from: f64,
    pub to: f64,
    pub claims: usize,
    pub stated: f64,
    pub right: f64,
}

/// One target: at least `least`, at most `most`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BacktestTarget {
    pub name: String,
    pub least: Option<f64>,
    pub most: Option<f64>,
    pub measured: Option<f64>,
    pub met: Option<bool>,
    pub rationale: String,
}

/// One case that a detector got wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BacktestWrong {
    pub detector: String,
    pub service: String,
    pub family: String,
    pub what: String,
}
