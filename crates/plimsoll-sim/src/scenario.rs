//! Scenarios: a fleet, what is done to it, and what Plimsoll must say and do, as plain text.
//!
//! This is the notation and the simulated world; it knows nothing of the loop. Two runners play
//! it: a test of `plimsoll-control` against the loop alone, and one of `plimsoll-server` through
//! real sockets. The notation is described in `scenarios/README.md`.

mod curve;
mod expect;
mod parse;
mod world;

use std::collections::BTreeMap;

use plimsoll_model::{
    Ability, AlertLevel, Cause, ChangeKind, InstanceName, Metric, OutcomeKind, ServiceName, Span,
    Urgency, Verdict, Version,
};

pub use curve::Curve;
pub use parse::ParseError;
pub use world::World;

/// A parsed scenario.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// The leading comment: what the scenario is about.
    pub title: String,
    /// Time between two samples, and between two turns of the loop.
    pub step: Span,
    pub length: Span,
    pub policy: Vec<PolicyLine>,
    pub services: Vec<ServiceModel>,
    /// In order of time; deeds of one moment in the order of the text.
    pub moments: Vec<Moment>,
}

/// A setting of the loop that the scenario needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PolicyLine {
    Lease(Span),
    ApprovalWithin(Span),
    Playbook(String),
}

/// One service and how its memory behaves.
#[derive(Clone, Debug)]
pub struct ServiceModel {
    pub service: ServiceName,
    pub replicas: Vec<InstanceName>,
    pub metric: Metric,
    pub limit: f64,
    /// The version that runs at first: the first one listed.
    pub first_version: Version,
    pub curves: BTreeMap<Version, Curve>,
    /// What one replica does otherwise than the others, in any version.
    pub exceptions: BTreeMap<InstanceName, Curve>,
    /// What a change of configuration adds from its moment on.
    pub configured: BTreeMap<String, Curve>,
    pub abilities: Vec<Ability>,
    /// Whether processes tell when they started.
    pub tells_start: bool,
}

/// Something that happens or is checked at one moment.
#[derive(Clone, Debug)]
pub struct Moment {
    pub at: Span,
    /// Line in the text, for messages.
    pub line: usize,
    pub deed: Deed,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Deed {
    Deploy {
        service: ServiceName,
        version: Version,
    },
    Configure {
        service: ServiceName,
        key: String,
    },
    Restart {
        instance: InstanceName,
    },
    /// No readings of the service for so long.
    Gap {
        service: ServiceName,
        length: Span,
    },
    Approve {
        service: ServiceName,
        approver: String,
    },
    /// The server dies and comes back; agents live on.
    KillServer {
        length: Span,
    },
    /// Replacements fail from now on.
    BreakReplacement {
        service: ServiceName,
    },
    Expect(Expect),
}

#[derive(Clone, Debug, PartialEq)]
pub enum Expect {
    Verdict {
        service: ServiceName,
        verdict: Verdict,
        cause: Option<Cause>,
        since: Option<Since>,
        only: Option<InstanceName>,
        because: Option<String>,
    },
    /// The verdict was never this one up to now.
    Never {
        service: ServiceName,
        verdict: Verdict,
    },
    /// A standing alert of this level and urgency.
    Alert {
        service: ServiceName,
        level: AlertLevel,
        urgency: Urgency,
    },
    NoAlert {
        service: ServiceName,
    },
    NoIncident {
        service: ServiceName,
    },
    Plan {
        service: ServiceName,
        playbook: String,
    },
    PlanVoid {
        service: ServiceName,
        because: String,
    },
    NoPlan {
        service: ServiceName,
        because: String,
    },
    Waiting {
        service: ServiceName,
    },
    Outcome {
        service: ServiceName,
        kind: OutcomeKind,
    },
    Recurrence {
        service: ServiceName,
    },
    Parked {
        service: ServiceName,
        because: String,
    },
    LeaseUndone {
        service: ServiceName,
    },
    Growing {
        service: ServiceName,
        class: String,
    },
    Runs {
        instance: InstanceName,
        version: Version,
    },
    ApprovalRefused {
        because: String,
    },
}

/// What a verdict blames.
#[derive(Clone, Debug, PartialEq)]
pub enum Since {
    /// No change fits.
    Nothing,
    Change(ChangeKind, Option<Version>),
}

impl Scenario {
    /// Reads the notation.
    ///
    /// # Errors
    /// The first line that is not understood, with what was expected there.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        parse::scenario(text)
    }
}
