//! Whom a series is about, from its labels: a container of a pod, a container of Docker, or a
//! target of a scrape job. Knows the labels of today's exporters and of those a few years old.
//!
//! Not here: what the pod belongs to; kube-state-metrics tells that in series of its own.

use super::answer::Labels;

/// One thing that is measured, by the labels that never change while it runs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Place {
    Container {
        cluster: String,
        namespace: String,
        pod: String,
        /// Empty where the series does not say; a program's own metrics seldom do.
        container: String,
    },
    Target {
        cluster: String,
        /// Empty but where the instance is a loopback address, which names nobody.
        host: String,
        job: String,
        instance: String,
    },
}

impl Place {
    pub(super) const fn has_host(&self) -> bool {
        match self {
            Self::Container { .. } => false,
            Self::Target { host, .. } => !host.is_empty(),
        }
    }
}

const POD: [&str; 4] = ["pod", "pod_name", "kubernetes_pod_name", "k8s_pod_name"];
const NAMESPACE: [&str; 3] = ["namespace", "kubernetes_namespace", "k8s_namespace_name"];
const CONTAINER: [&str; 3] = ["container", "container_name", "k8s_container_name"];

/// What tells machines apart that an agent of their own scrapes: each has a `localhost:8080`. Looked
/// at for these only: elsewhere a `host` is as often the one that a request was for.
pub(super) const HOST: [&str; 6] =
    ["host", "hostname", "host_name", "node", "nodename", "k8s_node_name"];

/// Names that Docker's users give, in the order of belief.
const DOCKER_SERVICE: [&str; 3] = [
    "container_label_com_docker_swarm_service_name",
    "container_label_com_docker_compose_service",
    "name",
];

/// What a target calls its workload, before the scrape job does.
const APP: [&str; 6] = [
    "service_name",
    "app_kubernetes_io_name",
    "label_app_kubernetes_io_name",
    "k8s_app",
    "app",
    "application",
];

const VERSION: [&str; 5] = [
    "service_version",
    "app_kubernetes_io_version",
    "label_app_kubernetes_io_version",
    "app_version",
    "version",
];

/// Everything that the functions here look at: what a sum must keep.
pub(super) fn identity_labels() -> impl Iterator<Item = &'static str> {
    let single = ["cluster", "job", "instance"];
    let groups: [&[&str]; 5] = [&POD, &NAMESPACE, &CONTAINER, &APP, &VERSION];
    single.into_iter().chain(groups.into_iter().flatten().copied())
}

/// None for what is nobody's: cgroup parents, pause containers, nodes.
pub(super) fn place(name: &str, labels: &Labels) -> Option<Place> {
    let cluster = text(labels, "cluster").unwrap_or_default().to_owned();
    if let Some(pod) = told(name, labels, &POD) {
        let container = container(name, labels).unwrap_or_default();
        let namespace = told(name, labels, &NAMESPACE).unwrap_or_default().to_owned();
        let container_is_due = is_of_the_kernel(name) && container.is_empty();
        if container_is_due || container == "POD" || is_pause(labels) {
            return None;
        }
        let (pod, container) = (pod.to_owned(), container.to_owned());
        return Some(Place::Container { cluster, namespace, pod, container });
    }
    if name.starts_with("kube_") {
        return None;
    }
    let instance = text(labels, "instance").unwrap_or_default().to_owned();
    let host = host(labels).unwrap_or_default().to_owned();
    if is_of_the_kernel(name) {
        let job = DOCKER_SERVICE.iter().find_map(|label| text(labels, label))?.to_owned();
        let container = text(labels, "name").filter(|_| !is_pause(labels))?;
        let instance = if instance.is_empty() { String::new() } else { format!("@{instance}") };
        let instance = format!("{container}{instance}");
        return Some(Place::Target { cluster, host, job, instance });
    }
    let job = text(labels, "job").or_else(|| app(name, labels))?.to_owned();
    let instance = if instance.is_empty() { job.clone() } else { instance };
    Some(Place::Target { cluster, host, job, instance })
}

/// The machine, where the instance does not tell it.
pub(super) fn host(labels: &Labels) -> Option<&str> {
    text(labels, "instance").filter(|instance| is_loopback(instance))?;
    HOST.iter().find_map(|label| text(labels, label))
}

fn is_loopback(instance: &str) -> bool {
    let address = instance.rsplit_once("://").map_or(instance, |(_, address)| address);
    let name = address.rsplit_once(':').map_or(address, |(name, _)| name);
    ["localhost", "[::1]", "::1", ":"].contains(&name)
        || name.strip_prefix("127.").is_some_and(|rest| {
            rest.chars().all(|character| character.is_ascii_digit() || character == '.')
        })
}

/// The labels for the catalogue. It knows containers by `container` alone, and an absent label is
/// an empty one to Prometheus.
pub(super) fn for_catalogue<'a>(name: &str, labels: &'a Labels) -> Vec<(&'a str, &'a str)> {
    let identity = |label: &str| identity_labels().any(|known| known == label);
    let rest = labels.iter().filter(|(label, _)| *label != "__name__" && !identity(label));
    let mut all: Vec<_> = rest.map(|(label, value)| (label.as_str(), value.as_str())).collect();
    if is_of_the_kernel(name) {
        let container = container(name, labels).or_else(|| text(labels, "name"));
        all.push(("container", container.unwrap_or_default()));
    }
    all
}

/// The label, as the server has it, by whose values the series of one thing stay together.
pub(super) fn group(name: &str, labels: &Labels) -> (String, String) {
    let exported = is_of_objects(name).then_some("exported_pod");
    let candidates = exported.into_iter().chain(POD).chain(["instance", "name", "job"]);
    let label = candidates.into_iter().find(|label| text(labels, label).is_some());
    let label = label.unwrap_or("job");
    (label.to_owned(), text(labels, label).unwrap_or_default().to_owned())
}

/// What the series says its workload is. What kube-state-metrics and the kubelet carry beside
/// their subject is about themselves.
pub(super) fn app<'a>(name: &str, labels: &'a Labels) -> Option<&'a str> {
    let label = |label: &&str| match name {
        "kube_pod_labels" => label.starts_with("label_"),
        _ => !is_of_the_kernel(name) && !is_of_objects(name),
    };
    APP.iter().filter(|known| label(known)).find_map(|known| text(labels, known))
}

/// What the series says runs, whichever way it does.
pub(super) fn version(name: &str, labels: &Labels) -> Option<String> {
    if name == "kube_pod_container_info" || is_of_the_kernel(name) {
        return image_version(labels);
    }
    let label = |label: &&str| match name {
        "kube_pod_labels" => label.starts_with("label_"),
        _ => !is_of_objects(name),
    };
    VERSION
        .iter()
        .filter(|known| label(known))
        .find_map(|known| text(labels, known))
        .map(Into::into)
}

/// A label of an object of Kubernetes, which stands behind `exported_` where the scrape does not
/// honour labels: then the plain ones are those of kube-state-metrics.
pub(super) fn of_object<'a>(labels: &'a Labels, label: &str) -> Option<&'a str> {
    text(labels, &format!("exported_{label}")).or_else(|| text(labels, label))
}

pub(super) fn text<'a>(labels: &'a Labels, label: &str) -> Option<&'a str> {
    labels.get(label).map(String::as_str).filter(|text| !text.is_empty())
}

/// Of what kube-state-metrics says of pods as a whole, a `container` is its own.
fn container<'a>(name: &str, labels: &'a Labels) -> Option<&'a str> {
    let of_a_pod = is_of_objects(name) && !name.contains("_container_");
    if of_a_pod { None } else { told(name, labels, &CONTAINER) }
}

fn told<'a>(name: &str, labels: &'a Labels, known: &[&str]) -> Option<&'a str> {
    known.iter().find_map(|label| match is_of_objects(name) {
        true => of_object(labels, label),
        false => text(labels, label),
    })
}

fn is_of_objects(name: &str) -> bool {
    name.starts_with("kube_")
}

fn is_of_the_kernel(name: &str) -> bool {
    name.starts_with("container_")
}

fn is_pause(labels: &Labels) -> bool {
    text(labels, "image").is_some_and(|image| image.contains("/pause"))
}

/// Digits of a digest that tell two images apart; what people see in their tools.
const DIGEST_DIGITS: usize = 12;

/// The tag, or where that says nothing the start of the digest.
fn image_version(labels: &Labels) -> Option<String> {
    let image = text(labels, "image_spec").or_else(|| text(labels, "image"))?;
    let (reference, digest) = image.split_once('@').unwrap_or((image, ""));
    let last = reference.rsplit('/').next().unwrap_or(reference);
    let tag = last.split_once(':').map(|(_, tag)| tag).filter(|_| !reference.starts_with("sha256"));
    if let Some(tag) = tag.filter(|tag| !tag.is_empty() && *tag != "latest") {
        return Some(tag.to_owned());
    }
    let id = text(labels, "image_id").unwrap_or_default();
    let digest = [digest, id, image].into_iter().find_map(|text| text.rsplit_once("sha256:"));
    digest.map(|(_, digits)| digits.chars().take(DIGEST_DIGITS).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        pairs.iter().map(|(label, value)| ((*label).into(), (*value).into())).collect()
    }

    fn check(name: &str, pairs: &[(&str, &str)], want: &str) {
        let got = match place(name, &labels(pairs)) {
            Some(Place::Container { cluster, namespace, pod, container }) => {
                format!("{cluster}/{namespace}/{pod}/{container}")
            }
            Some(Place::Target { cluster, host, job, instance }) => {
                format!("{cluster}{host}:{job}:{instance}")
            }
            None => String::new(),
        };
        assert_eq!(got, want, "{name} {pairs:?}");
    }

    #[test]
    fn a_container_is_known_by_its_pod_under_old_and_new_labels() {
        let new = [("namespace", "shop"), ("pod", "a-0"), ("container", "a"), ("job", "kubelet")];
        check("container_memory_rss", &new, "/shop/a-0/a");
        let old = [("namespace", "shop"), ("pod_name", "a-0"), ("container_name", "a")];
        check("container_memory_rss", &old, "/shop/a-0/a");
        let own = [("kubernetes_namespace", "shop"), ("kubernetes_pod_name", "a-0")];
        check("jvm_threads_current", &own, "/shop/a-0/");
    }

    #[test]
    fn pause_containers_and_cgroup_parents_are_nobody() {
        let pod = [("namespace", "shop"), ("pod", "a-0")];
        check("container_memory_rss", &pod, "");
        check("container_memory_rss", &[&pod[..], &[("container", "POD")]].concat(), "");
        let pause = [("container", "x"), ("image", "registry.k8s.io/pause:3.9")];
        check("container_memory_rss", &[&pod[..], &pause].concat(), "");
        check("container_memory_rss", &[("id", "/"), ("instance", "node-1")], "");
        check("kube_node_status_allocatable", &[("node", "n"), ("instance", "ksm:8080")], "");
    }

    #[test]
    fn the_subject_of_kube_state_metrics_is_not_its_own_pod() {
        let pairs = [
            ("namespace", "monitoring"),
            ("pod", "ksm-0"),
            ("container", "ksm"),
            ("exported_namespace", "shop"),
            ("exported_pod", "a-0"),
            ("exported_container", "a"),
            ("app_kubernetes_io_version", "2.10.0"),
        ];
        check("kube_pod_container_status_restarts_total", &pairs, "/shop/a-0/a");
        check("kube_pod_labels", &pairs, "/shop/a-0/");
        assert_eq!(version("kube_pod_container_status_restarts_total", &labels(&pairs)), None);
        let (label, value) = group("kube_pod_owner", &labels(&pairs));
        assert_eq!((label.as_str(), value.as_str()), ("exported_pod", "a-0"));
    }

    #[test]
    fn without_kubernetes_a_target_is_job_and_instance_and_a_container_has_a_name() {
        check("go_goroutines", &[("job", "a"), ("instance", "h:80")], ":a:h:80");
        check("go_goroutines", &[("service_name", "a")], ":a:a");
        check("go_goroutines", &[], "");
        let docker = [("name", "shop-a-1"), ("instance", "h:8080"), ("job", "cadvisor")];
        check("container_memory_rss", &docker, ":shop-a-1:shop-a-1@h:8080");
        let compose = [("container_label_com_docker_compose_service", "a")];
        check("container_memory_rss", &[&docker[..], &compose].concat(), ":a:shop-a-1@h:8080");
    }

    #[test]
    fn a_host_tells_targets_apart_whose_instance_is_a_loopback_address() {
        let check = |instance: &str, want: &str| {
            let pairs = [("job", "a"), ("instance", instance), ("host", "h1")];
            check("go_goroutines", &pairs, &format!("{want}:a:{instance}"));
        };
        check("localhost:8080", "h1");
        check("127.0.0.1:8080", "h1");
        check("http://127.0.1.1:80", "h1");
        check("[::1]:80", "h1");
        check("localhost", "h1");
        check("10.0.0.1:8080", "");
        check("localhost.example:80", "");
        check("127.example:80", "");
    }

    #[test]
    fn a_version_is_the_tag_or_what_else_tells_images_apart() {
        let check = |image: &str, id: &str, want: Option<&str>| {
            let labels = labels(&[("image", image), ("image_id", id)]);
            assert_eq!(version("kube_pod_container_info", &labels).as_deref(), want, "{image}");
        };
        check("registry:5000/shop/orders:1.4.0", "", Some("1.4.0"));
        check("orders:1.4.0@sha256:0123456789abcdef", "", Some("1.4.0"));
        check("registry:5000/orders:latest", "x@sha256:0123456789abcdef", Some("0123456789ab"));
        check("registry:5000/orders", "", None);
        check("sha256:fedcba9876543210", "", Some("fedcba987654"));
    }
}
