//! Everything a decision may know, in one immutable view.

use plimsoll_model::{
    Assessment, Bytes, Diagnosis, Digest, Growth, IncidentId, InstanceName, PlanId, Reach, Span,
    Timestamp, Version,
};

/// The incident as it stands at `now`.
#[derive(Clone, Debug)]
pub struct Situation<'a> {
    pub now: Timestamp,
    pub incident: &'a IncidentId,
    pub assessment: &'a Assessment,
    /// None when nothing could be captured; the assessment must carry the plan then.
    pub diagnosis: Option<&'a Diagnosis>,
    /// The instances of the service that an agent can reach, in order of name.
    pub reach: Vec<&'a Reach>,
    /// Present footprint of each instance, where it is measured.
    pub footprint: Vec<(&'a InstanceName, Bytes)>,
    /// What ran before the suspected change; None when its history does not reach back so far.
    pub previous_version: Option<&'a Version>,
    /// Growth of one affected replica, and what it runs out against.
    pub leak: Growth,
    pub limit: Option<f64>,
    /// How long to watch before a judgement is fair.
    pub watch: Span,
    /// The plan that this one replaces.
    pub parent: Option<&'a PlanId>,
    pub evidence: Digest,
}

impl Situation<'_> {
    /// The version that leaks: what the affected instances run now.
    pub(crate) fn leaking_version(&self) -> Option<&Version> {
        let affected = |reach: &&&Reach| self.assessment.instances.contains(&reach.instance);
        self.reach.iter().find(affected).and_then(|reach| reach.version.as_ref())
    }

    /// Every instance that runs the leaking version, told of in the assessment or not: one that has
    /// not leaked enough to be named will.
    pub(crate) fn on_leaking_version(&self) -> impl Iterator<Item = &Reach> {
        let leaking = self.leaking_version();
        self.reach.iter().copied().filter(move |reach| reach.version.as_ref() == leaking)
    }

    /// An affected instance that no agent reaches.
    pub(crate) fn out_of_reach(&self) -> Option<&InstanceName> {
        let reached = |name: &&InstanceName| self.reach.iter().any(|r| r.instance == **name);
        self.assessment.instances.iter().find(|name| !reached(name))
    }

    /// Affected instances that an agent can reach.
    pub(crate) fn affected(&self) -> impl Iterator<Item = &Reach> {
        let affected = |reach: &&Reach| self.assessment.instances.contains(&reach.instance);
        self.reach.iter().copied().filter(affected)
    }
}
