//! Enums that carry nothing, as the words that they are in JSON. The conversions are exhaustive on
//! both sides, so a new variant in the model does not compile until it has a word here.

use serde::{Deserialize, Serialize};

macro_rules! words {
    ($(#[$doc:meta])* $shape:ident = $model:ty { $($variant:ident $word:literal)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
        pub enum $shape { $(#[serde(rename = $word)] $variant,)* }

        impl $shape {
            /// The word that stands in JSON.
            pub const fn word(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }
        }

        impl From<$model> for $shape {
            fn from(value: $model) -> Self {
                match value { $(<$model>::$variant => Self::$variant,)* }
            }
        }

        impl From<$shape> for $model {
            fn from(shape: $shape) -> Self {
                match shape { $($shape::$variant => Self::$variant,)* }
            }
        }
    };
}

words! {
    /// The answer to "is this service leaking?".
    VerdictWord = plimsoll_model::Verdict {
        Leaking "leaking" Suspect "suspect" Steady "steady" Undecided "undecided"
    }
}
words! {
    /// What kind of thing explains the curve.
    CauseWord = plimsoll_model::Cause {
        Heap "heap" Native "native" Handles "handles" Threads "threads"
        Fragmentation "fragmentation" Cache "cache" PageCache "page_cache" WarmUp "warm_up"
        Load "load" Backlog "backlog" Batch "batch" Capacity "capacity" None "none"
    }
}
words! {
    /// How far an alert has come.
    AlertLevelWord = plimsoll_model::AlertLevel {
        Suspect "suspect" Probable "probable" Confirmed "confirmed"
    }
}
words! {
    /// How soon somebody must act.
    UrgencyWord = plimsoll_model::Urgency { Ticket "ticket" Page "page" }
}
words! {
    /// Which half of the families a case belongs to.
    HalfWord = plimsoll_model::Half { Tune "tune" Report "report" }
}
words! {
    /// What is known of a case.
    LabelWord = plimsoll_model::Label {
        Leaking "leaking" Benign "benign" Unlabelled "unlabelled"
    }
}
words! {
    /// What one unit of a value is.
    UnitWord = plimsoll_model::Unit {
        Bytes "bytes" Count "count" Seconds "seconds" PerSecond "per_second"
    }
}
words! {
    /// What kind of event it was.
    ChangeWord = plimsoll_model::ChangeKind {
        Deploy "deploy" ConfigChange "config_change" FlagChange "flag_change" Restart "restart"
        OomKill "oom_kill" Scale "scale" Batch "batch" Log "log"
    }
}
words! {
    /// What an agent can do to an instance.
    AbilityWord = plimsoll_model::Ability {
        CollectGarbage "runtime.collect_garbage" CaptureHistogram "heap.histogram"
        SetMemoryHigh "cgroup.memory_high" SetSoftLimit "cgroup.soft_limit"
        Restart "process.restart" RunVersion "process.rollback"
    }
}
words! {
    /// The phase of a plan that a step belongs to.
    PhaseWord = plimsoll_model::Phase {
        Guard "guard" Contain "contain" Diagnose "diagnose" Remediate "remediate"
        Validate "validate"
    }
}
words! {
    /// What an act can break.
    RiskWord = plimsoll_model::RiskClass { R0 "R0" R1 "R1" R2 "R2" R3 "R3" R4 "R4" }
}
words! {
    /// What kind of fault an explanation names.
    FaultWord = plimsoll_model::FaultClass {
        UnboundedCollection "unbounded_collection" UnclosedHandles "unclosed_handles"
        Unexplained "unexplained"
    }
}
words! {
    /// What came of a plan.
    OutcomeWord = plimsoll_model::OutcomeKind {
        Fixed "fixed" Stabilised "stabilised" Contained "contained" Masked "masked"
        Unwound "unwound" Parked "parked"
    }
}
words! {
    /// What a journal entry is about.
    JournalWord = plimsoll_model::JournalKind {
        VerdictChanged "verdict_changed" SharedOnset "shared_onset"
        AlertChanged "alert_changed" IncidentOpened "incident_opened"
        CaptureOrdered "capture_ordered" DiagnosisMade "diagnosis_made" PlanMade "plan_made"
        PlanRefused "plan_refused" ApprovalGiven "approval_given"
        ApprovalRefused "approval_refused" PlanVoid "plan_void" PlanExpired "plan_expired"
        StepStarted "step_started" StepEnded "step_ended" Receipt "receipt"
        LeaseUndone "lease_undone" Outcome "outcome" ServerStarted "server_started"
        AgentSeen "agent_seen" AgentLost "agent_lost" IncidentClosed "incident_closed"
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use plimsoll_model::{Ability, ChangeKind, JournalKind};

    #[test]
    fn words_are_the_names_that_the_model_prints() {
        for kind in ChangeKind::ALL {
            assert_eq!(ChangeWord::from(kind).word(), kind.name());
        }
        for ability in Ability::ALL {
            assert_eq!(AbilityWord::from(ability).word(), ability.name());
        }
        for kind in JournalKind::ALL {
            assert_eq!(JournalWord::from(kind).word(), kind.name());
        }
    }

    #[test]
    fn a_word_that_is_not_known_is_refused() {
        assert!(serde_json::from_str::<VerdictWord>("\"doomed\"").is_err());
        let leaking = serde_json::from_str::<VerdictWord>("\"leaking\"").unwrap();
        assert_eq!(leaking, VerdictWord::Leaking);
    }
}
