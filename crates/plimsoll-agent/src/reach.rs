//! What can be done with each instance here, and why what is missing is missing. Used by `orders`,
//! which tells the server.

use plimsoll_act::cgroup::{self, GroupVersion};
use plimsoll_act::supervisor::{ReplicaState, ReplicaStatus};
use plimsoll_model::{Ability, PredictedPause, Reach};

use crate::runtime_acts::RuntimeActs;

/// Why replicas have no cgroups of their own; empty when they have.
pub(crate) type WithoutGroups = Option<String>;

/// Blocking for a few reads of memory-backed files for each replica.
pub(crate) fn reach(
    replicas: &[ReplicaStatus],
    without_groups: &WithoutGroups,
    runtimes: &RuntimeActs,
) -> Vec<Reach> {
    replicas.iter().map(|replica| of_replica(replica, without_groups, runtimes)).collect()
}

fn of_replica(
    replica: &ReplicaStatus,
    without_groups: &WithoutGroups,
    runtimes: &RuntimeActs,
) -> Reach {
    let mut can = Can { abilities: vec![Ability::Restart], missing: Vec::new() };
    let limited = soft_limit(replica, without_groups, &mut can);
    can.abilities.extend(limited);
    match replica.versions.len() {
        0 | 1 => can.not(Ability::RunVersion, "no other version of it can be started here"),
        _ => can.abilities.push(Ability::RunVersion),
    }
    let predicted_pause = of_runtime(replica, runtimes, &mut can);
    can.abilities.sort_unstable();
    Reach {
        service: replica.service.clone(),
        instance: replica.instance.clone(),
        version: Some(replica.version.clone()),
        abilities: can.abilities,
        missing: can.missing,
        versions: replica.versions.clone(),
        predicted_pause,
    }
}

struct Can {
    abilities: Vec<Ability>,
    missing: Vec<(Ability, String)>,
}

impl Can {
    fn not(&mut self, ability: Ability, why: &str) {
        self.missing.push((ability, why.to_owned()));
    }
}

/// People expect `memory.high`; the soft limit is what older machines have in its place.
fn soft_limit(
    replica: &ReplicaStatus,
    without_groups: &WithoutGroups,
    can: &mut Can,
) -> Option<Ability> {
    let found =
        || format!("this machine has no cgroup v2 memory controller: {}", cgroup::v2_found());
    match replica.group.as_ref().map(|group| group.version) {
        Some(GroupVersion::V2) => Some(Ability::SetMemoryHigh),
        Some(GroupVersion::V1) => {
            can.not(Ability::SetMemoryHigh, &found());
            Some(Ability::SetSoftLimit)
        }
        None => {
            let why = without_groups.as_deref().unwrap_or("it has no cgroup of its own");
            can.not(Ability::SetMemoryHigh, why);
            can.not(Ability::SetSoftLimit, why);
            None
        }
    }
}

fn of_runtime(
    replica: &ReplicaStatus,
    runtimes: &RuntimeActs,
    can: &mut Can,
) -> Option<PredictedPause> {
    let (ReplicaState::Ready, Some(pid)) = (replica.state, replica.pid) else {
        can.not(Ability::CollectGarbage, "it is not ready");
        can.not(Ability::CaptureHistogram, "it is not ready");
        return None;
    };
    let askable = runtimes.askable(&replica.instance, pid);
    match askable.collection {
        Ok(()) => can.abilities.push(Ability::CollectGarbage),
        Err(why) => can.not(Ability::CollectGarbage, &why),
    }
    match askable.histogram {
        Ok(predicted) => {
            can.abilities.push(Ability::CaptureHistogram);
            Some(predicted)
        }
        Err(why) => {
            can.not(Ability::CaptureHistogram, &why);
            None
        }
    }
}
