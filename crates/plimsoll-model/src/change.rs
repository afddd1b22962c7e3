//! What was done to a service, or happened to it: the events that explain a curve.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use crate::ids::{InstanceName, ServiceName, Version};
use crate::time::Timestamp;

/// What kind of event it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ChangeKind {
    Deploy,
    ConfigChange,
    FlagChange,
    Restart,
    OomKill,
    Scale,
    Batch,
    Log,
}

/// One event of a service, or of one of its instances.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub at: Timestamp,
    pub kind: ChangeKind,
    pub service: ServiceName,
    pub instance: Option<InstanceName>,
    pub version: Option<Version>,
    /// Free attributes, for example `message` of a log event or `key` of a flag.
    pub attributes: BTreeMap<String, String>,
}

impl ChangeKind {
    pub const ALL: [Self; 8] = [
        Self::Deploy,
        Self::ConfigChange,
        Self::FlagChange,
        Self::Restart,
        Self::OomKill,
        Self::Scale,
        Self::Batch,
        Self::Log,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Deploy => "deploy",
            Self::ConfigChange => "config_change",
            Self::FlagChange => "flag_change",
            Self::Restart => "restart",
            Self::OomKill => "oom_kill",
            Self::Scale => "scale",
            Self::Batch => "batch",
            Self::Log => "log",
        }
    }

    /// Whether a person or a pipeline did this on purpose, so that it can be to blame and can be
    /// undone.
    pub const fn is_deliberate(self) -> bool {
        match self {
            Self::Deploy | Self::ConfigChange | Self::FlagChange => true,
            Self::Restart | Self::OomKill | Self::Scale | Self::Batch | Self::Log => false,
        }
    }
}

impl fmt::Display for ChangeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for ChangeKind {
    type Err = String;
    fn from_str(name: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|kind| kind.name() == name);
        found.ok_or_else(|| format!("`{name}` is not a kind of event"))
    }
}
