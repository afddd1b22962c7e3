//! From processes to instances, and which of those are watched.
//!
//! Processes that declare the same service and instance are one instance. Without a declared
//! instance, a process belongs to that of its parent when both are of the same service: workers
//! that are forked off inherit the environment. All of this is pure.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use plimsoll_model::{InstanceName, Metric, Reading, ServiceName, Timestamp};

use crate::collect::Watch;
use crate::identity::{Identity, Origin};
use crate::inspect::NodeProcess;
use crate::proc::{Pid, ProgramName};

/// Most labelled instances that are watched. Somebody labelled each of them, so the bound is only
/// there to have one; ten times what the agent was measured with.
const LABELLED_INSTANCES_MAX: usize = 2000;

/// A process that may be watched.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) pid: Pid,
    pub(crate) parent: Pid,
    pub(crate) start_ticks: u64,
    pub(crate) program: ProgramName,
    pub(crate) threads: u64,
    pub(crate) resident: u64,
    pub(crate) identity: Arc<Identity>,
}

/// One replica of a service: at least one process, oldest first.
#[derive(Clone, Debug)]
pub(crate) struct Instance {
    pub(crate) name: InstanceName,
    pub(crate) members: Vec<Member>,
}

impl Instance {
    /// The oldest process, whose start is the start of the instance.
    pub(crate) fn first(&self) -> &Member {
        self.members.first().expect("an instance is made of its first process")
    }

    pub(crate) fn service(&self) -> &ServiceName {
        &self.first().identity.service
    }

    /// Whether the name stays when the process is replaced.
    pub(crate) fn is_named(&self) -> bool {
        self.first().identity.instance.is_some()
    }

    pub(crate) fn is_labelled(&self) -> bool {
        self.first().identity.origin == Origin::Label
    }

    pub(crate) fn has(&self, pid: Pid) -> bool {
        self.members.iter().any(|member| member.pid == pid)
    }

    pub(crate) fn pids(&self) -> impl Iterator<Item = Pid> {
        self.members.iter().map(|member| member.pid)
    }

    fn resident(&self) -> u64 {
        self.members.iter().map(|member| member.resident).sum()
    }

    pub(crate) fn node_process(&self, at: Timestamp, member: &Member) -> NodeProcess {
        NodeProcess {
            pid: member.pid,
            start_ticks: member.start_ticks,
            at,
            service: self.service().clone(),
            version: self.first().identity.version.clone(),
            instance: self.name.clone(),
        }
    }

    pub(crate) fn reading(&self, at: Timestamp, (metric, value): (Metric, f64)) -> Reading {
        let identity = &self.first().identity;
        Reading {
            at,
            service: identity.service.clone(),
            version: identity.version.clone(),
            instance: self.name.clone(),
            metric,
            value,
        }
    }
}

/// Brings processes together that are one instance.
pub(crate) fn group(mut members: Vec<Member>) -> Vec<Instance> {
    // Parents start before their children, so a parent's instance is known when its child comes.
    members.sort_by_key(|member| (member.start_ticks, member.pid));
    let mut names: HashMap<Pid, (ServiceName, InstanceName)> = HashMap::new();
    let mut instances: BTreeMap<(ServiceName, InstanceName), Vec<Member>> = BTreeMap::new();
    for member in members {
        let service = &member.identity.service;
        let of_parent = names.get(&member.parent).filter(|(other, _)| other == service);
        let of_parent = of_parent.map(|(_, instance)| instance.clone());
        let declared = member.identity.instance.clone();
        let Some(instance) = declared.or(of_parent).or_else(|| by_pid(service, member.pid)) else {
            continue;
        };
        let key = (service.clone(), instance);
        names.insert(member.pid, key.clone());
        instances.entry(key).or_default().push(member);
    }
    instances.into_iter().map(|((_, name), members)| Instance { name, members }).collect()
}

/// `None` only for a service whose name leaves no room for a number.
fn by_pid(service: &ServiceName, pid: Pid) -> Option<InstanceName> {
    InstanceName::new(&format!("{service}-{pid}")).ok()
}

/// The instances that are watched, and how many lie beyond the bound. Labelled ones go before
/// others, large ones before small ones.
pub(crate) fn choose(mut instances: Vec<Instance>, watch: Watch) -> (Vec<Instance>, u64) {
    let count_max = match watch {
        Watch::Labelled => {
            instances.retain(Instance::is_labelled);
            LABELLED_INSTANCES_MAX
        }
        // What a replica starts under another label is nobody that was asked to be supervised.
        Watch::Supervised { parent } => {
            instances.retain(|found| found.is_labelled() && found.first().parent == parent);
            LABELLED_INSTANCES_MAX
        }
        Watch::Machine { rss_min, instances_max } => {
            instances.retain(|found| found.is_labelled() || found.resident() >= rss_min.0);
            instances_max.get()
        }
    };
    let over = instances.len().saturating_sub(count_max);
    if over > 0 {
        instances.sort_by_key(|found| (!found.is_labelled(), u64::MAX - found.resident()));
        instances.truncate(count_max);
    }
    (instances, over as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use plimsoll_model::Bytes;
    use std::num::NonZeroUsize;

    fn member(pid: Pid, parent: Pid, service: &str, instance: &str, origin: Origin) -> Member {
        let identity = Identity {
            service: ServiceName::new(service).unwrap(),
            version: None,
            instance: InstanceName::new(instance).ok(),
            origin,
            labels_hidden: false,
        };
        Member {
            pid,
            parent,
            start_ticks: u64::from(pid),
            program: ProgramName::default(),
            threads: 1,
            resident: u64::from(pid) << 20,
            identity: Arc::new(identity),
        }
    }

    fn names(instances: &[Instance]) -> Vec<(&str, Vec<Pid>)> {
        instances.iter().map(|found| (found.name.as_str(), found.pids().collect())).collect()
    }

    #[test]
    fn workers_belong_to_the_instance_of_their_parent() {
        let label = Origin::Label;
        let members = vec![
            member(30, 20, "web", "", label),
            member(20, 10, "web", "", label),
            member(10, 1, "web", "", label),
            member(11, 10, "other", "", label),
            member(12, 1, "web", "", label),
        ];
        let want = [("other-11", vec![11]), ("web-10", vec![10, 20, 30]), ("web-12", vec![12])];
        assert_eq!(names(&group(members)), want);
    }

    #[test]
    fn a_declared_instance_brings_unrelated_processes_together() {
        let members = vec![
            member(10, 1, "orders", "orders-0", Origin::Label),
            member(11, 1, "orders", "orders-0", Origin::Label),
            member(12, 10, "orders", "orders-1", Origin::Label),
            member(13, 1, "ledger", "orders-0", Origin::Label),
        ];
        let want = [("orders-0", vec![13]), ("orders-0", vec![10, 11]), ("orders-1", vec![12])];
        assert_eq!(names(&group(members)), want);
    }

    #[test]
    fn the_largest_instances_are_kept_and_labelled_ones_before_them() {
        let members = || {
            vec![
                member(10, 1, "small", "", Origin::Label),
                member(40, 1, "big", "", Origin::Executable),
                member(50, 1, "bigger", "", Origin::Unit),
                member(20, 1, "tiny", "", Origin::Executable),
            ]
        };
        let check = |watch, want: &[&str], want_over| {
            let (found, over) = choose(group(members()), watch);
            let found: Vec<_> = found.iter().map(|one| one.service().as_str()).collect();
            assert_eq!((found.as_slice(), over), (want, want_over));
        };
        let machine = |count| Watch::Machine {
            rss_min: Bytes::from_mib(30),
            instances_max: NonZeroUsize::new(count).unwrap(),
        };
        check(Watch::Labelled, &["small"], 0);
        check(Watch::Supervised { parent: 1 }, &["small"], 0);
        check(Watch::Supervised { parent: 10 }, &[], 0);
        check(machine(9), &["big", "bigger", "small"], 0);
        check(machine(2), &["small", "bigger"], 1);
    }
}
