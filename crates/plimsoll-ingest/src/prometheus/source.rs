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

/// Names of `*_build_info` that are read at most. Anybody names one so, and each costs a question:
/// these are asked in seconds. A fleet that has more programs of its own tells their versions by
/// image and label as well, which are believed before.
const BUILD_INFOS_MAX: usize = 200;

/// Bytes of the name of a `*_build_info`: it goes into the address of a question, of which proxies
/// refuse more than 8 KiB.
const BUILD_INFO_BYTES_MAX: usize = 200;

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
    let mut built = 0;
    found.retain(|(_, source)| {
        built += usize::from(source.usage == Usage::Version(BUILD_VERSION));
        source.usage != Usage::Version(BUILD_VERSION) || built <= BUILD_INFOS_MAX
    });
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
    is_build_info(name).then_some(((0, 1), Usage::Version(BUILD_VERSION)))
}

/// The only names that are read without being known. `go_build_info` is of the compiler's, and is
/// there beside that of the program.
fn is_build_info(name: &str) -> bool {
    let begins = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_' || c == ':');
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    name.ends_with("_build_info")
        && name != "go_build_info"
        && name.len() <= BUILD_INFO_BYTES_MAX
        && begins
        && name.chars().all(is_name)
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
    fn a_server_that_names_things_at_will_decides_neither_how_many_nor_what_is_asked() {
        let many: Vec<_> = (0..1000).map(|number| format!("p{number:04}_build_info")).collect();
        let got = sources(&Catalogue::built_in(), &many);
        assert_eq!(got.len(), BUILD_INFOS_MAX);
        assert_eq!(got[0].name, "p0000_build_info", "whichever way the server lists them");
        let long = format!("{}_build_info", "x".repeat(300));
        let check = |name: &str, want: bool| {
            let got = sources(&Catalogue::built_in(), &[name.to_owned()]);
            assert_eq!(got.len(), usize::from(want), "{name:?}");
        };
        check("shop:orders_build_info", true);
        check("_build_info", true);
        check("\x1b[2J_build_info", false);
        check("1_build_info", false);
        check("a b_build_info", false);
        check("a\"}_build_info", false);
        check("\u{e4}_build_info", false);
        check(&long, false);
    }

    #[test]
    fn every_known_name_is_picked() {
        let catalogue = Catalogue::built_in();
        let known = known_names(&catalogue);
        assert!(known.len() > 150);
        assert_eq!(sources(&catalogue, &known).len(), known.len());
    }
}
