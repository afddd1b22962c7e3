//! Signatures: what a runtime, a library or the kernel says by itself when memory or handles run
//! out. Only which one, when, where and how often is kept, never the line that said it.
//!
//! Not here: the texts (`plimsoll-ingest`), and what a signature weighs (`plimsoll-detect`). A
//! signature travels as a change, so it is stored, sent and bounded as changes are.

use std::fmt;
use std::str::FromStr;

use crate::change::{Change, ChangeKind};
use crate::ids::InstanceName;
use crate::time::Timestamp;
use crate::verdict::Cause;

/// The attribute of a `log` event that names its signature.
pub const SIGNATURE_ATTRIBUTE: &str = "signature";

/// The attribute that says how often it was seen from the event's moment on.
pub const COUNT_ATTRIBUTE: &str = "count";

macro_rules! signatures {
    ($($variant:ident $name:literal $cause:ident $claim:literal;)*) => {
        /// A saying that is known.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Signature { $(#[doc = $claim] $variant,)* }

        impl Signature {
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// What was seen, in words.
            pub const fn claim(self) -> &'static str {
                match self { $(Self::$variant => $claim,)* }
            }

            /// What runs out; `Cause::None` where any memory may be it.
            pub const fn cause(self) -> Cause {
                match self { $(Self::$variant => Cause::$cause,)* }
            }
        }
    };
}

signatures! {
    OomKill "oom_kill" None "the kernel killed it for want of memory";
    OomKillChild "oom_kill_child" None "the kernel killed a child process of it for want of memory";
    HeapFull "heap_full" Heap "its runtime ran out of heap";
    ClassSpaceFull "class_space_full" Native "its JVM ran out of metaspace";
    DirectMemoryFull "direct_memory_full" Native "its JVM ran out of direct buffers";
    NoMoreThreads "no_more_threads" Threads "it could not start another thread";
    TooManyFiles "too_many_files" Handles "it had too many open files";
    BufferLeak "buffer_leak" Native "Netty found buffers that were never released";
    PoolLeak "pool_leak" Handles "a connection pool found connections that were never given back";
    ResourceUnclosed "resource_unclosed" Handles "its runtime found resources that were never closed";
    ListenersExceeded "listeners_exceeded" Heap "Node.js found more listeners than are ever meant";
}

/// One signature that was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Observed<'a> {
    pub signature: Signature,
    /// The first of `count`.
    pub at: Timestamp,
    /// None where it is only known of the service.
    pub instance: Option<&'a InstanceName>,
    /// At least 1.
    pub count: u64,
}

impl<'a> Observed<'a> {
    /// What a change tells of signatures: a kill by the kernel, or a `log` event that names one.
    pub fn of(change: &'a Change) -> Option<Self> {
        let attribute = |key| change.attributes.get(key).map(String::as_str);
        let signature = match change.kind {
            ChangeKind::OomKill => Signature::OomKill,
            ChangeKind::Log => attribute(SIGNATURE_ATTRIBUTE)?.parse().ok()?,
            ChangeKind::Deploy
            | ChangeKind::ConfigChange
            | ChangeKind::FlagChange
            | ChangeKind::Restart
            | ChangeKind::Scale
            | ChangeKind::Batch => return None,
        };
        let count = attribute(COUNT_ATTRIBUTE).and_then(|text| text.parse().ok()).unwrap_or(1);
        Some(Self {
            signature,
            at: change.at,
            instance: change.instance.as_ref(),
            count: count.max(1),
        })
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Signature {
    type Err = String;
    fn from_str(name: &str) -> Result<Self, String> {
        let found = Self::ALL.iter().copied().find(|signature| signature.name() == name);
        found.ok_or_else(|| format!("`{name}` is not a signature"))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::ids::ServiceName;

    fn change(kind: ChangeKind, attributes: &[(&str, &str)]) -> Change {
        let attributes = attributes.iter().map(|(key, text)| ((*key).into(), (*text).into()));
        Change {
            at: Timestamp::from_secs(1),
            kind,
            service: ServiceName::new("orders").unwrap(),
            instance: None,
            version: None,
            attributes: attributes.collect::<BTreeMap<_, _>>(),
        }
    }

    #[test]
    fn kills_and_logs_that_name_a_signature_are_observed_and_nothing_else_is() {
        let check = |kind, attributes: &[(&str, &str)], want: Option<(Signature, u64)>| {
            let change = change(kind, attributes);
            let found = Observed::of(&change).map(|observed| (observed.signature, observed.count));
            assert_eq!(found, want, "{kind} {attributes:?}");
        };
        check(ChangeKind::OomKill, &[], Some((Signature::OomKill, 1)));
        let heap = (SIGNATURE_ATTRIBUTE, "heap_full");
        check(ChangeKind::Log, &[heap], Some((Signature::HeapFull, 1)));
        check(ChangeKind::Log, &[heap, (COUNT_ATTRIBUTE, "7")], Some((Signature::HeapFull, 7)));
        check(ChangeKind::Log, &[heap, (COUNT_ATTRIBUTE, "-1")], Some((Signature::HeapFull, 1)));
        check(ChangeKind::Log, &[heap, (COUNT_ATTRIBUTE, "0")], Some((Signature::HeapFull, 1)));
        check(ChangeKind::Log, &[(SIGNATURE_ATTRIBUTE, "party")], None);
        check(ChangeKind::Log, &[("message", "java.lang.OutOfMemoryError")], None);
        check(ChangeKind::Deploy, &[heap], None);
    }

    #[test]
    fn every_name_is_read_back() {
        for signature in Signature::ALL {
            assert_eq!(signature.name().parse(), Ok(*signature));
        }
    }
}
