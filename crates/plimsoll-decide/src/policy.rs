//! What plans may do here, and how patient they are. Each default carries its reason.

use plimsoll_model::Span;

/// Which answer is preferred. Later versions read playbooks from files; these two are built in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Playbook {
    /// Put back the version that ran before the change that fits the onset.
    RollBack,
    /// Only restart. It wins time and never cures: the outcome says so.
    RestartOnly,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    pub playbook: Playbook,
    /// How long a containment lasts by itself. Default 40 min: longer than an approval may take,
    /// shorter than a shift, so that a forgotten one is gone before the next person wonders.
    pub lease: Span,
    /// How long an approval may take. Default 15 min: later, the evidence has aged.
    pub approval_within: Span,
    /// Room above the present footprint that a soft limit leaves, as share of it. Default 10 %:
    /// below, an ordinary burst of garbage would be throttled.
    pub soft_limit_headroom: f64,
    /// Replicas that must report before one is taken away. Default 2: one goes, one serves.
    pub replicas_min: usize,
    /// Time to the limit below which a plan does not start. Default 2 min: a replica needs that
    /// to be replaced and to be seen ready.
    pub runway_min: Span,
    /// Share of the growth that the diagnosis must explain. Default 60 %: below, the growth is
    /// made of several things, and undoing one change may not stop it.
    pub explained_share_min: f64,
    /// Confidence of the verdict that a plan needs. Default 0.9.
    pub confidence_min: f64,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            playbook: Playbook::RollBack,
            lease: Span::from_mins(40),
            approval_within: Span::from_mins(15),
            soft_limit_headroom: 0.10,
            replicas_min: 2,
            runway_min: Span::from_mins(2),
            explained_share_min: 0.6,
            confidence_min: 0.9,
        }
    }
}

impl Playbook {
    pub const fn name(self) -> &'static str {
        match self {
            Self::RollBack => "roll-back-leaking-deploy",
            Self::RestartOnly => "restart-only",
        }
    }

    /// The playbook of a name, for settings that come from outside.
    pub fn named(name: &str) -> Option<Self> {
        [Self::RollBack, Self::RestartOnly].into_iter().find(|playbook| playbook.name() == name)
    }
}
