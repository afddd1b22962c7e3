//! Notices that an instance was replaced: same name, another process.
//!
//! Only instances whose name outlives their process can be restarted; those that are called by
//! their pid never come back. The memory is bounded: instances not seen for longest go first.

use std::collections::HashMap;

use plimsoll_model::{Change, ChangeKind, InstanceName, ServiceName, Timestamp};

use crate::collect::select::Instance;
use crate::proc::Pid;

/// Instances whose last process is remembered. An instance that comes back after this many others
/// were seen is taken as new, which loses a mark on a chart.
const LIVES_MAX: usize = 4096;

#[derive(Debug)]
struct LastProcess {
    pid: Pid,
    start_ticks: u64,
    seen_in: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Lives {
    last: HashMap<(ServiceName, InstanceName), LastProcess>,
}

impl Lives {
    /// A restart, when a younger process stands where another one stood.
    pub(crate) fn observe(
        &mut self,
        instance: &Instance,
        started_at: Timestamp,
        round: u64,
    ) -> Option<Change> {
        if !instance.is_named() {
            return None;
        }
        let first = instance.first();
        let key = (instance.service().clone(), instance.name.clone());
        let now = LastProcess { pid: first.pid, start_ticks: first.start_ticks, seen_in: round };
        let before = self.last.insert(key, now);
        self.forget_oldest();
        let before = before.filter(|before| first.start_ticks > before.start_ticks)?;
        let pids = [("pid", first.pid), ("previous_pid", before.pid)];
        Some(Change {
            at: started_at,
            kind: ChangeKind::Restart,
            service: instance.service().clone(),
            instance: Some(instance.name.clone()),
            version: first.identity.version.clone(),
            attributes: pids.map(|(key, pid)| (key.to_owned(), pid.to_string())).into(),
        })
    }

    fn forget_oldest(&mut self) {
        if self.last.len() <= LIVES_MAX {
            return;
        }
        let oldest = self.last.iter().min_by_key(|(_, life)| life.seen_in);
        if let Some(key) = oldest.map(|(key, _)| key.clone()) {
            self.last.remove(&key);
        }
    }
}
