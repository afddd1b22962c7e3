//! What somebody is told about a service, and how loudly: it follows verdicts, and is slower to
//! change than they are.

use std::fmt;
use std::str::FromStr;

use crate::ids::ServiceName;
use crate::time::Timestamp;

/// How far an alert has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AlertLevel {
    /// Worth a look when there is time.
    Suspect,
    /// A leak was told.
    Probable,
    /// A leak was told for long enough that chance is out.
    Confirmed,
}

/// How soon somebody must act.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Urgency {
    /// In working hours.
    Ticket,
    /// Now.
    Page,
}

/// One standing alert about one service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alert {
    pub service: ServiceName,
    pub level: AlertLevel,
    pub urgency: Urgency,
    pub raised_at: Timestamp,
    /// When a leak was told first; none of a mere suspect.
    pub told_at: Option<Timestamp>,
    /// Since when the verdict has been steady; none while it is not.
    pub steady_since: Option<Timestamp>,
    /// Since when the data has not answered; none while it does.
    pub undecided_since: Option<Timestamp>,
}

/// What became of an alert at one assessment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AlertTurn {
    Raised,
    /// It came further, or has become more urgent.
    Worsened,
    /// It can wait again.
    Eased,
    Resolved,
}

impl AlertLevel {
    pub const ALL: [Self; 3] = [Self::Suspect, Self::Probable, Self::Confirmed];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Suspect => "suspect",
            Self::Probable => "probable",
            Self::Confirmed => "confirmed",
        }
    }
}

impl Urgency {
    pub const ALL: [Self; 2] = [Self::Ticket, Self::Page];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Ticket => "ticket",
            Self::Page => "page",
        }
    }
}

impl AlertTurn {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Raised => "raised",
            Self::Worsened => "worsened",
            Self::Eased => "eased",
            Self::Resolved => "resolved",
        }
    }
}

impl fmt::Display for AlertLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Urgency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for AlertLevel {
    type Err = String;
    fn from_str(name: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|level| level.name() == name);
        found.ok_or_else(|| format!("`{name}` is not a level of an alert"))
    }
}

impl FromStr for Urgency {
    type Err = String;
    fn from_str(name: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|urgency| urgency.name() == name);
        found.ok_or_else(|| format!("`{name}` is no urgency: `ticket` or `page`"))
    }
}

impl fmt::Display for AlertTurn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
