//! The nouns of Plimsoll: what every stage of the loop speaks.
//!
//! A type lives here when two stages exchange it, and leaves when they stop. Nothing here does
//! I/O, reads a clock, or can be serialised: shapes that cross a process live in `plimsoll-wire`.

mod action;
mod alert;
mod change;
mod diagnosis;
mod evidence;
mod ids;
mod incident;
mod journal;
mod label;
mod metric;
mod outcome;
mod plan;
mod series;
mod shared_onset;
mod signature;
mod time;
mod units;
mod verdict;

pub use action::{
    Ability, Action, Command, Measured, PredictedPause, Reach, Receipt, ReceiptResult, Restored,
};
pub use alert::{Alert, AlertLevel, AlertTurn, Urgency};
pub use change::{Change, ChangeKind};
pub use diagnosis::{Capture, Diagnosis, Explanation, FaultClass, TypeCount, TypeGrowth};
pub use evidence::Evidence;
pub use ids::{CommandId, Digest, IdError, IncidentId, InstanceName, PlanId, ServiceName, Version};
pub use incident::{Incident, IncidentState, StepEnd, StepWait};
pub use journal::{JournalDraft, JournalKind};
pub use label::{Half, Label};
pub use metric::{Kind, Level, Metric, Role, Unit, UnknownMetric};
pub use outcome::{Comparison, Outcome, OutcomeKind};
pub use plan::{Approval, Draft, Expectation, Guard, Phase, Plan, RiskClass, Step, StepAction};
pub use series::{
    Drawn, Life, Outline, OutlineCell, OutlineParts, Reading, Sample, Series, SeriesLimit,
    ServiceHistory, Stretch,
};
pub use shared_onset::SharedOnset;
pub use signature::{COUNT_ATTRIBUTE, Observed, SIGNATURE_ATTRIBUTE, Signature};
pub use time::{Span, Timestamp};
pub use units::{Bytes, Growth};
pub use verdict::{Assessment, Cause, Exhaustion, Verdict};
