//! Which names of a server are read, what for, and which one is believed where two say the same.

use plimsoll_model::Metric;

use crate::catalogue::Catalogue;

/// What one name is read for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Usage {
    /// Who owns what: label sets only, never pulled.
    Owner,
    /// Containers that prepare and end: left out.
    InitContainer,
    /// Labels that tell the version, ranked: the lowest is believed.
    Version(u8),
    /// Why a container ended last.
    LastEnd,
    /// The catalogue says which metric.
    Metric,
    /// A counter whose rate is this metric.
    Rate(Metric),
}

/// One name of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    pub name: String,
    pub usage: Usage,
}

/// What is known of pods and processes apart from their measures, in the order of belief.
const FACTS: [(&str, Usage); 7] = [
    ("kube_pod_owner", Usage::Owner),
    ("kube_replicaset_owner", Usage::Owner),
    ("kube_job_owner", Usage::Owner),
    ("kube_pod_init_container_info", Usage::InitContainer),
    ("kube_pod_container_info", Usage::Version(0)),
    ("kube_pod_labels", Usage::Version(2)),
    ("target_info", Usage::Version(3)),
];

const LAST_END: &str = "kube_pod_container_status_last_terminated_reason";

/// Rank of a version that the measured series itself carries as a label.
pub(super) const OWN_VERSION: u8 = 1;

/// Rank of the version of a `*_build_info`.
const BUILD_VERSION: u8 = 4;

/// Rank of the tag of the image that cAdvisor names.
pub(super) const IMAGE_VERSION: u8 = 5;

/// The names that are read, in the order in which they should be pulled: of two names of one
/// metric, the later fills only what the earlier left open.
pub fn sources(catalogue: &Catalogue, names: &[String]) -> Vec<Source> {
    let mut found: Vec<_> = names
        .iter()
        .filter_map(|name| {
            let (rank, usage) = usage_of(catalogue, name)?;
            Some((rank, Source { name: name.clone(), usage }))
        })
        .collect();
    found.sort_by(|(a, one), (b, other)| (a, &one.name).cmp(&(b, &other.name)));
    found.dedup();
    found.into_iter().map(|(_, source)| source).collect()
}

/// Every name that could be read, for asking a server that cannot list all of its own.
pub fn known_names(catalogue: &Catalogue) -> Vec<String> {
    let facts = FACTS.iter().map(|(name, _)| *name).chain([LAST_END]);
    facts.chain(catalogue.readable_names()).map(str::to_owned).collect()
}

fn usage_of(catalogue: &Catalogue, name: &str) -> Option<((u8, usize), Usage)> {
    if let Some((_, usage)) = FACTS.iter().find(|(fact, _)| *fact == name) {
        return Some(((0, 0), *usage));
    }
    if name == LAST_END {
        return Some(((4, 0), Usage::LastEnd));
    }
    if let Some((metric, place)) = catalogue.rate_of(name) {
        return Some(((3, place), Usage::Rate(metric)));
    }
    if catalogue.reads(name) {
        return Some(((1, nearness(name)), Usage::Metric));
    }
    // `go_build_info` is of the compiler's, and is there beside that of the program.
    let built = name.ends_with("_build_info") && name != "go_build_info";
    built.then_some(((0, 1), Usage::Version(BUILD_VERSION)))
}

/// A process knows its own threads and descriptors best; the kernel knows the limit in force, and
/// kube-state-metrics the one that was asked for.
fn nearness(name: &str) -> usize {
    match name {
        _ if name.starts_with("container_") => 1,
        _ if name.starts_with("kube_") => 2,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_names_are_picked_and_ordered_and_the_rest_is_left() {
        let names = [
            "kube_pod_container_resource_limits",
            "http_requests_total",
            "go_build_info",
            "http_server_requests_seconds_count",
            "container_spec_memory_limit_bytes",
            "orders_build_info",
            "my_own_metric",
            "process_resident_memory_bytes",
            "kube_pod_owner",
            "go_memstats_sys_bytes",
            "kube_pod_container_status_last_terminated_reason",
        ];
        let names: Vec<_> = names.map(str::to_owned).into();
        let got = sources(&Catalogue::built_in(), &names);
        let got: Vec<_> = got.iter().map(|source| source.name.as_str()).collect();
        let want = [
            "kube_pod_owner",
            "orders_build_info",
            "process_resident_memory_bytes",
            "container_spec_memory_limit_bytes",
            "kube_pod_container_resource_limits",
            "http_server_requests_seconds_count",
            "http_requests_total",
            "kube_pod_container_status_last_terminated_reason",
        ];
        assert_eq!(got, want);
    }

    #[test]
    fn every_known_name_is_picked() {
        let catalogue = Catalogue::built_in();
        let known = known_names(&catalogue);
        assert!(known.len() > 150);
        assert_eq!(sources(&catalogue, &known).len(), known.len());
    }
}
