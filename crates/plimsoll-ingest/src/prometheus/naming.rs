//! What the places that are measured are called: services after their workloads, instances after
//! their pods or targets, each with as much before it as tells it from its namesakes.
//!
//! Not here: versions, and what to pull; that is `fleet`, which uses this.

use std::collections::{BTreeSet, HashMap};

use plimsoll_model::{InstanceName, ServiceName};

use super::directory::{Directory, Hints};
use super::labels::Place;

/// Containers that are put beside others by platforms. Where all but one container of a workload
/// are of these, the one is the workload.
const SIDECARS: [&str; 16] = [
    "istio-proxy",
    "linkerd-proxy",
    "envoy",
    "envoy-sidecar",
    "consul-dataplane",
    "daprd",
    "vault-agent",
    "fluent-bit",
    "filebeat",
    "promtail",
    "cloud-sql-proxy",
    "cloudsql-proxy",
    "oauth2-proxy",
    "kube-rbac-proxy",
    "config-reloader",
    "otc-container",
];

/// A workload of Kubernetes: cluster, namespace and name.
type Workload = (String, String, String);

/// The names of services: the workload where there is one, with the container where that is not
/// the main one, and with the namespace where the name alone means several. A target's instance has
/// cluster and host before it where the same one of the same service is in several.
pub(super) struct Naming<'a> {
    directory: &'a Directory<'a>,
    workloads: HashMap<&'a Place, Workload>,
    containers: HashMap<Workload, BTreeSet<&'a str>>,
    scopes: HashMap<String, BTreeSet<(String, String)>>,
    /// Clusters and hosts of each service and instance outside of Kubernetes.
    targets: HashMap<(&'a str, &'a str), Sites<'a>>,
}

/// Clusters and hosts.
type Sites<'a> = BTreeSet<(&'a str, &'a str)>;

impl<'a> Naming<'a> {
    pub(super) fn of(directory: &'a Directory<'a>) -> Self {
        let apps = apps_of_pods(directory);
        let mut naming = Self {
            directory,
            workloads: HashMap::new(),
            containers: HashMap::new(),
            scopes: HashMap::new(),
            targets: HashMap::new(),
        };
        for (place, hints) in directory.places.iter().zip(&directory.hints) {
            let (cluster, namespace, pod, container) = match place {
                Place::Container { cluster, namespace, pod, container } => {
                    (cluster, namespace, pod, container)
                }
                Place::Target { cluster, host, job, instance } => {
                    let service = hints.app.as_ref().unwrap_or(job);
                    let sites = naming.targets.entry((service, instance)).or_default();
                    sites.insert((cluster, host));
                    continue;
                }
            };
            let object = (cluster.clone(), namespace.clone(), pod.clone());
            let name = workload(directory, &object, apps.get(&object).copied());
            let workload = (cluster.clone(), namespace.clone(), name);
            let scope = (cluster.clone(), namespace.clone());
            naming.scopes.entry(workload.2.clone()).or_default().insert(scope);
            if !container.is_empty() && !directory.init_containers.contains(place) {
                let containers = naming.containers.entry(workload.clone()).or_default();
                containers.insert(container.as_str());
            }
            naming.workloads.insert(place, workload);
        }
        naming
    }

    /// None for containers that only prepare, and for names that are none.
    pub(super) fn name(&self, place: &Place, hints: &Hints) -> Option<(ServiceName, InstanceName)> {
        let (service, instance) = match place {
            Place::Target { cluster, host, job, instance } => {
                let service = hints.app.as_ref().unwrap_or(job);
                let sites = self.targets.get(&(service.as_str(), instance.as_str()))?;
                (service.clone(), sited(sites, (cluster, host), instance))
            }
            Place::Container { pod, container, .. } => {
                if self.directory.init_containers.contains(place) {
                    return None;
                }
                (self.service(self.workloads.get(place)?, container), pod.clone())
            }
        };
        Some((ServiceName::new(&service).ok()?, InstanceName::new(&instance).ok()?))
    }

    fn service(&self, workload: &Workload, container: &str) -> String {
        let (cluster, namespace, name) = workload;
        let empty = BTreeSet::new();
        let scopes = self.scopes.get(name).unwrap_or(&empty);
        let namespaces: BTreeSet<_> = scopes.iter().map(|(_, namespace)| namespace).collect();
        let qualified = if scopes.len() < 2 {
            name.clone()
        } else if namespaces.len() == scopes.len() {
            format!("{namespace}/{name}")
        } else {
            format!("{cluster}/{namespace}/{name}")
        };
        let is_main = container.is_empty() || self.main(workload) == Some(container);
        if is_main { qualified } else { format!("{qualified}/{container}") }
    }

    fn main(&self, workload: &Workload) -> Option<&str> {
        let containers = self.containers.get(workload)?;
        if let Some(same) = containers.get(workload.2.as_str()) {
            return Some(same);
        }
        let mut own = containers.iter().filter(|name| !SIDECARS.contains(name));
        match (own.next(), own.next()) {
            (Some(only), None) => Some(only),
            (Some(_), Some(_)) | (None, _) => None,
        }
    }
}

/// The instance with as much of where it is before it as tells it from its namesakes. What does not
/// say where it is may be any of them, and decides nothing.
fn sited(sites: &Sites<'_>, (cluster, host): (&str, &str), instance: &str) -> String {
    let clusters: BTreeSet<_> = sites.iter().map(|(cluster, _)| *cluster).collect();
    let hosts: BTreeSet<_> = sites.iter().map(|(_, host)| *host).collect();
    let several = |all: &BTreeSet<&str>| all.iter().filter(|name| !name.is_empty()).count() > 1;
    let cluster = Some(cluster).filter(|_| several(&clusters));
    let host = Some(host).filter(|_| several(&hosts));
    let parts = cluster.into_iter().chain(host).filter(|part| !part.is_empty());
    parts.chain([instance]).collect::<Vec<_>>().join("/")
}

/// What the pods call their workload; any container's word counts for the pod.
fn apps_of_pods<'a>(directory: &'a Directory<'_>) -> HashMap<(String, String, String), &'a str> {
    let mut apps = HashMap::new();
    for (place, hints) in directory.places.iter().zip(&directory.hints) {
        if let (Place::Container { cluster, namespace, pod, .. }, Some(app)) = (place, &hints.app) {
            apps.entry((cluster.clone(), namespace.clone(), pod.clone())).or_insert(app.as_str());
        }
    }
    apps
}

fn workload(
    directory: &Directory<'_>,
    pod: &(String, String, String),
    app: Option<&str>,
) -> String {
    let Some((kind, owner)) = directory.pods.get(pod) else {
        return app.map_or_else(|| stem(&pod.2).to_owned(), str::to_owned);
    };
    let object = (pod.0.clone(), pod.1.clone(), owner.clone());
    let above = match kind.as_str() {
        "ReplicaSet" => directory.replica_sets.get(&object),
        "Job" => directory.jobs.get(&object),
        _ => return owner.clone(),
    };
    match above {
        Some((_, name)) => name.clone(),
        None if kind == "ReplicaSet" => without_hash(owner, 5).to_owned(),
        None => owner.clone(),
    }
}

/// The workload's name within a pod's: `orders-5d9c7b6f4-x2x7q`, `orders-x2x7q` and `orders-0` are
/// of `orders`.
fn stem(pod: &str) -> &str {
    let ordinal = pod.rsplit_once('-').filter(|(_, end)| end.bytes().all(|b| b.is_ascii_digit()));
    if let Some((stem, end)) = ordinal
        && !end.is_empty()
    {
        return stem;
    }
    let replica_set = without_hash(pod, 5);
    if replica_set == pod { pod } else { without_hash(replica_set, 8) }
}

/// The letters and digits that Kubernetes draws names from: no vowels, so that no words come out.
const DRAWN: &str = "bcdfghjklmnpqrstvwxz2456789";

fn without_hash(name: &str, length_min: usize) -> &str {
    match name.rsplit_once('-') {
        Some((stem, end))
            if (length_min..=10).contains(&end.len())
                && end.chars().all(|character| DRAWN.contains(character)) =>
        {
            stem
        }
        Some(_) | None => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pod_is_named_after_its_workload() {
        let check = |pod, want| assert_eq!(stem(pod), want);
        check("orders-5d9c7b6f4-x2x7q", "orders");
        check("orders-api-x2x7q", "orders-api");
        check("orders-0", "orders");
        check("orders-api", "orders-api");
        check("orders", "orders");
        check("cart-redis", "cart-redis");
    }
}
