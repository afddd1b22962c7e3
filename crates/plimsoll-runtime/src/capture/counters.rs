//! The figures of a process that cost it nothing, or a millisecond: of the kernel, of a JVM, of V8.
//!
//! Not here: their form in a file, which is a shape of `plimsoll-wire`.

use plimsoll_model::Bytes;

use crate::hsperfdata::JvmReading;
use crate::identify::Identity;
use crate::process::ProcessFiles;
use crate::room::memory_headroom;
use crate::v8::MemoryUsage;

/// Figures of one moment. What is not known is `None`, never zero.
#[derive(Clone, Debug, PartialEq)]
pub struct Counters {
    pub pid: u32,
    pub identity: Identity,
    pub program: String,
    pub rss: Option<Bytes>,
    pub rss_anon: Option<Bytes>,
    pub rss_file: Option<Bytes>,
    pub swap: Option<Bytes>,
    pub threads: Option<u64>,
    pub descriptors: Option<u64>,
    /// Up to the limit of its control group or of the machine.
    pub headroom: Option<Bytes>,
    pub jvm: Option<JvmReading>,
    pub v8: Option<MemoryUsage>,
}

impl Counters {
    pub(super) fn of_process(process: &ProcessFiles, identity: &Identity, program: &str) -> Self {
        let status = process.text("status").unwrap_or_default();
        let size = |key| kibibytes(&status, key).map(Bytes);
        Self {
            pid: process.pid(),
            identity: identity.clone(),
            program: program.to_owned(),
            rss: size("VmRSS:"),
            rss_anon: size("RssAnon:"),
            rss_file: size("RssFile:"),
            swap: size("VmSwap:"),
            threads: first_number(&status, "Threads:"),
            descriptors: std::fs::read_dir(process.path("fd")).ok().map(|all| all.count() as u64),
            headroom: memory_headroom(process),
            jvm: None,
            v8: None,
        }
    }
}

fn first_number(status: &str, key: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(key))?;
    line.split_whitespace().next()?.parse().ok()
}

fn kibibytes(status: &str, key: &str) -> Option<u64> {
    first_number(status, key)?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identify::RuntimeKind;
    use std::path::Path;

    #[test]
    fn the_figures_of_this_process_are_plausible_and_those_of_none_are_absent() {
        let identity = Identity { kind: RuntimeKind::Native, reason: String::new() };
        let own = ProcessFiles::new(Path::new("/proc"), std::process::id());
        let counters = Counters::of_process(&own, &identity, "test");
        assert!(counters.rss.unwrap() > Bytes(100_000) && counters.rss_anon <= counters.rss);
        assert!(counters.threads.unwrap() >= 1 && counters.descriptors.unwrap() >= 3);
        let none = ProcessFiles::new(Path::new("/proc"), u32::MAX);
        let counters = Counters::of_process(&none, &identity, "test");
        assert_eq!((counters.rss, counters.threads, counters.descriptors), (None, None, None));
    }
}
