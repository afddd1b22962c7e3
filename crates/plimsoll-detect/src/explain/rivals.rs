//! The explanations that competed: which is believed, which is excluded, and by which measure.
//!
//! Nothing is decided here: the judge has decided, and this gives it a name. Not here: the measures
//! (`measures`).

use std::fmt;

use plimsoll_model::{Cause, Verdict};

use super::measures::{Draft, draft};
use crate::judge::{Finding, Why};
use crate::rivals::Story;
use crate::scene::Scene;
use crate::thresholds::Threshold;

/// What could explain a series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RivalName {
    /// Nothing moves that matters.
    Flat,
    /// Garbage, or memory that is given back again and again.
    Garbage,
    Load,
    Backlog,
    Cache,
    /// The time of day, or another period.
    Season,
    Batch,
    /// A warm-up or a filling: a curve that comes to rest.
    Rest,
    Step,
    Wander,
    /// What ran before did the same at equal uptime.
    Control,
    Leak,
    /// A leak that restarts hide.
    Restarts,
}

/// How an explanation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The verdict rests on it.
    Believed,
    /// Not excluded yet.
    Possible,
    Excluded,
    /// What it needs is not measured, or there is nothing to explain.
    NotAsked,
}

/// On which side of its threshold a measure speaks for the explanation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fits {
    AtLeast,
    Below,
}

/// The measure that an explanation hangs on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Score {
    pub measure: &'static str,
    pub value: f64,
    pub fits: Fits,
    pub against: f64,
    /// The name in [`crate::thresholds`], where it is declared there.
    pub threshold: Option<&'static str>,
}

/// One explanation.
#[derive(Clone, Debug, PartialEq)]
pub struct Rival {
    pub name: RivalName,
    pub standing: Standing,
    pub score: Option<Score>,
    /// One sentence.
    pub says: String,
}

impl RivalName {
    pub const ALL: [Self; 13] = [
        Self::Flat,
        Self::Garbage,
        Self::Load,
        Self::Backlog,
        Self::Cache,
        Self::Season,
        Self::Batch,
        Self::Rest,
        Self::Step,
        Self::Wander,
        Self::Control,
        Self::Leak,
        Self::Restarts,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Flat => "flat",
            Self::Garbage => "garbage",
            Self::Load => "load",
            Self::Backlog => "backlog",
            Self::Cache => "cache",
            Self::Season => "season",
            Self::Batch => "batch",
            Self::Rest => "warm_up",
            Self::Step => "step",
            Self::Wander => "wander",
            Self::Control => "as_its_control",
            Self::Leak => "leak",
            Self::Restarts => "leak_hidden_by_restarts",
        }
    }
}

impl fmt::Display for RivalName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Standing {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Believed => "believed",
            Self::Possible => "possible",
            Self::Excluded => "excluded",
            Self::NotAsked => "not_asked",
        }
    }
}

impl Score {
    pub(super) fn of(limit: &Threshold, value: f64, fits: Fits) -> Self {
        let (against, threshold) = (limit.default, Some(limit.name));
        Self { measure: limit.unit, value, fits, against, threshold }
    }

    /// Whether the measure speaks for the explanation.
    pub(super) fn speaks_for(self) -> bool {
        match self.fits {
            Fits::AtLeast => self.value >= self.against,
            Fits::Below => self.value < self.against,
        }
    }
}

/// All explanations of the series that spoke, in the order in which a verdict meets them.
pub(super) fn rivals(scene: &Scene<'_>, spoke: &Finding<'_>) -> Vec<Rival> {
    let decided = decided(spoke);
    let rival = |name: RivalName| {
        let Draft { possible, score, mut says } = draft(scene, spoke, name);
        let overruled = overruled(spoke).filter(|_| possible == Some(true) && !is_leak(name));
        says.extend(overruled.map(|by| format!("; overruled: {by}")));
        let possible = possible.map(|possible| possible && overruled.is_none());
        let settled = matches!(spoke.verdict, Verdict::Leaking | Verdict::Steady);
        let standing = match (decided == Some(name), possible) {
            (true, _) if settled => Standing::Believed,
            (true, _) | (false, Some(true)) => Standing::Possible,
            (false, Some(false)) => Standing::Excluded,
            (false, None) => Standing::NotAsked,
        };
        // Numbers that are none (nothing was divided by nothing) tell nobody anything.
        let score = score.filter(|score| score.value.is_finite());
        Rival { name, standing, score, says }
    };
    RivalName::ALL.map(rival).into()
}

const fn is_leak(name: RivalName) -> bool {
    matches!(name, RivalName::Leak | RivalName::Restarts)
}

/// What makes a leak of a run that does not show one by itself.
fn overruled(spoke: &Finding<'_>) -> Option<&'static str> {
    let by = match spoke.why {
        Why::GrowsAfterEveryRestart => "every run climbed alike, and none came to rest",
        Why::GrowsOn => "it was told as a leak before, and goes on at a good part of that pace",
        Why::Restarted => "the run before leaked, and a restart cures nothing",
        _ => return None,
    };
    (spoke.verdict == Verdict::Leaking).then_some(by)
}

/// The explanation that decided, or that stands between the series and its verdict.
fn decided(spoke: &Finding<'_>) -> Option<RivalName> {
    let by_load = matches!(spoke.study.moved_by, Some((_, Story::Load)));
    let by_cause = match spoke.cause {
        Cause::Load if by_load => Some(RivalName::Load),
        Cause::Load => Some(RivalName::Season),
        Cause::Backlog => Some(RivalName::Backlog),
        Cause::Cache => Some(RivalName::Cache),
        Cause::Batch => Some(RivalName::Batch),
        Cause::Heap
        | Cause::Native
        | Cause::Handles
        | Cause::Threads
        | Cause::Fragmentation
        | Cause::PageCache
        | Cause::WarmUp
        | Cause::Capacity
        | Cause::None => None,
    };
    match &spoke.why {
        Why::TooFewSamples { .. } => None,
        Why::NothingMoved => by_cause.or(Some(RivalName::Flat)),
        Why::OutOfSight | Why::PageCacheOnly => Some(RivalName::Flat),
        Why::GivesBack => by_cause.or(Some(RivalName::Garbage)),
        Why::NoCollectionSeen => Some(RivalName::Garbage),
        Why::NeedsMore { .. } | Why::Steps => Some(RivalName::Step),
        Why::CameToRest | Why::StillSlowing => Some(RivalName::Rest),
        Why::AsItsControl(_) => Some(RivalName::Control),
        Why::BatchRuns => Some(RivalName::Batch),
        Why::Follows(story) | Why::CannotTell(story) => Some(name_of(*story)),
        Why::StillFilling => Some(RivalName::Cache),
        Why::Wanders => Some(RivalName::Wander),
        Why::DayNotSeen => Some(RivalName::Season),
        Why::GrowsAfterEveryRestart => Some(RivalName::Restarts),
        Why::Grows
        | Why::GrowsOn
        | Why::Restarted
        | Why::Blind(_)
        | Why::TooShort { .. }
        | Why::TimeToWait
        | Why::JustBegan => Some(RivalName::Leak),
    }
}

const fn name_of(story: Story) -> RivalName {
    match story {
        Story::Load => RivalName::Load,
        Story::Backlog => RivalName::Backlog,
        Story::Cache => RivalName::Cache,
    }
}
