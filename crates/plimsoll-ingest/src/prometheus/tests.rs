//! Inline answers of a server all the way to readings and changes.

use std::collections::BTreeMap;

use plimsoll_model::{Change, ChangeKind, Metric, Reading, ServiceName, Span, Timestamp};

use super::*;
use crate::catalogue::Catalogue;

const STEP: Span = Span::from_secs(60);

/// The newest moment of a table of `count` samples: they are a step apart.
const BEGIN: Timestamp = Timestamp::from_secs(1_780_000_200);

/// A series as `name{label="value"}` and its values, from `after` steps on.
struct Series {
    name: &'static str,
    labels: Labels,
    after: usize,
    values: Vec<f64>,
}

fn series(name: &'static str, labels: &str, after: usize, values: &[f64]) -> Series {
    let pairs = labels.split(',').filter_map(|pair| pair.split_once('='));
    let mut labels: Labels = pairs.map(|(label, value)| (label.into(), value.into())).collect();
    labels.insert("__name__".into(), name.into());
    Series { name, labels, after, values: values.to_vec() }
}

struct Read {
    readings: Vec<Reading>,
    changes: Vec<Change>,
    rejected: u64,
    services: Vec<String>,
}

/// Everything that a scan asks, answered from a table.
fn read(all: &[Series], chosen: &[&str]) -> Read {
    let catalogue = Catalogue::built_in();
    let names: Vec<_> = all.iter().map(|series| series.name.to_owned()).collect();
    let sources = sources(&catalogue, &names);
    let mut directory = Directory::new(&catalogue, &sources);
    let of = |name: &str| all.iter().filter(|series| series.name == name).collect::<Vec<_>>();
    for (id, source) in sources.iter().enumerate() {
        let labels: Vec<_> = of(&source.name).iter().map(|series| series.labels.clone()).collect();
        directory.add(id, &labels).unwrap();
    }
    let mut fleet = directory.settle();
    let chosen: Vec<_> = chosen.iter().map(|name| ServiceName::new(name).unwrap()).collect();
    let services = fleet.services().into_iter().map(ToString::to_string).collect();
    fleet.choose(&chosen);
    let curve = |series: &&Series| Curve {
        labels: series.labels.clone(),
        points: (series.after..).zip(&series.values).map(|(n, v)| (moment(n), *v)).collect(),
    };
    let answer = |pull: &Pull| -> Vec<Curve> {
        let name = &sources[pull.source].name;
        let matches = |series: &&&Series| {
            let wanted = |group: &Group| series.labels.get(&group.label) == Some(&group.value);
            pull.groups.iter().any(wanted)
        };
        of(name).iter().filter(matches).map(curve).collect()
    };
    for pull in fleet.witnesses() {
        fleet.learn(pull.source, &answer(&pull), STEP);
    }
    let mut readings = Vec::new();
    let mut gatherer = Gatherer::new(&fleet, &catalogue, BEGIN);
    for pull in fleet.pulls() {
        gatherer.take(pull.source, answer(&pull), STEP, &mut |reading| readings.push(reading));
    }
    let Gathered { changes, rejections } = gatherer.finish();
    Read { readings, changes, rejected: rejections.total(), services }
}

fn moment(step: usize) -> Timestamp {
    Timestamp::from_millis(BEGIN.as_millis() + STEP.as_millis() * step as i64)
}

impl Read {
    /// The values of one metric by `service/instance@version`.
    fn values(&self, metric: Metric) -> BTreeMap<String, Vec<f64>> {
        let mut values: BTreeMap<String, Vec<f64>> = BTreeMap::new();
        for reading in self.readings.iter().filter(|reading| reading.metric == metric) {
            let version = reading.version.as_ref().map_or("?", |version| version.as_str());
            let key = format!("{}/{}@{version}", reading.service, reading.instance);
            values.entry(key).or_default().push(reading.value);
        }
        values
    }

    fn check(&self, metric: Metric, want: &[(&str, &[f64])]) {
        let want: BTreeMap<_, _> =
            want.iter().map(|(key, values)| ((*key).to_owned(), values.to_vec())).collect();
        assert_eq!(self.values(metric), want, "{metric}");
    }
}

const POD: &str = "namespace=shop,pod=orders-5d9c7b6f4-x2x7q";

fn in_pod(name: &'static str, more: &str, values: &[f64]) -> Series {
    series(name, &format!("{POD},{more}"), 0, values)
}

#[test]
fn kubernetes_is_joined_into_services_with_limits_and_versions() {
    let read = read(
        &[
            in_pod("kube_pod_owner", "owner_kind=ReplicaSet,owner_name=orders-5d9c7b6f4", &[1.0]),
            series(
                "kube_replicaset_owner",
                "namespace=shop,replicaset=orders-5d9c7b6f4,owner_kind=Deployment,owner_name=shop-orders",
                0,
                &[1.0],
            ),
            in_pod("kube_pod_container_info", "container=app,image=r:5000/orders:1.4.0", &[1.0]),
            in_pod("kube_pod_container_info", "container=istio-proxy,image=istio:1.20", &[1.0]),
            in_pod("container_memory_rss", "container=app,image=r:5000/orders:1.4.0", &[5.0, 6.0]),
            in_pod("container_memory_rss", "container=istio-proxy", &[1.0, 1.0]),
            in_pod("container_memory_rss", "container=POD", &[0.5, 0.5]),
            in_pod("container_memory_rss", "id=/kubepods/pod1", &[6.5, 7.5]),
            in_pod("container_spec_memory_limit_bytes", "container=app", &[0.0, 0.0]),
            in_pod("kube_pod_container_resource_limits", "container=app,resource=memory", &[9.0]),
            in_pod("kube_pod_container_resource_limits", "container=app,resource=cpu", &[2.0]),
            in_pod("jvm_threads_current", "job=apps,instance=10.0.0.1:80", &[3.0]),
            series("node_memory_MemAvailable_bytes", "job=node,instance=n", 0, &[1.0]),
        ],
        &[],
    );
    let app = "shop-orders/orders-5d9c7b6f4-x2x7q@1.4.0";
    let proxy = "shop-orders/istio-proxy/orders-5d9c7b6f4-x2x7q@1.20";
    read.check(Metric::ContainerMemoryAnon, &[(app, &[5.0, 6.0]), (proxy, &[1.0, 1.0])]);
    read.check(Metric::ContainerMemoryLimit, &[(app, &[9.0])]);
    read.check(Metric::ProcessThreads, &[(app, &[3.0])]);
    assert_eq!(read.services, ["shop-orders", "shop-orders/istio-proxy"]);
    assert_eq!((read.rejected, read.changes.len()), (0, 0));
}

#[test]
fn a_total_and_its_parts_are_counted_once_whichever_of_them_is_there() {
    let heap = "jvm_memory_used_bytes";
    let read = read(
        &[
            series(heap, "job=client,instance=a,area=heap", 0, &[10.0, 11.0]),
            series(heap, "job=client,instance=a,area=nonheap", 0, &[3.0, 3.0]),
            series("jvm_memory_pool_used_bytes", "job=client,instance=a,pool=Old", 0, &[7.0, 7.0]),
            series(heap, "job=micrometer,instance=b,area=heap,id=Old", 0, &[6.0, 7.0, 8.0]),
            series(heap, "job=micrometer,instance=b,area=heap,id=Eden", 0, &[1.0, 2.0]),
            series(heap, "job=both,instance=c,area=heap", 0, &[5.0]),
            series(heap, "job=both,instance=c,area=heap,id=Old", 0, &[4.0]),
            series(heap, "job=both,instance=c,area=heap,id=Eden", 0, &[1.0]),
            series(
                "jvm_memory_max_bytes",
                "job=micrometer,instance=b,area=heap,id=Old",
                0,
                &[20.0],
            ),
            series(
                "jvm_memory_max_bytes",
                "job=micrometer,instance=b,area=heap,id=Eden",
                0,
                &[-1.0],
            ),
            series(
                "process_resident_memory_bytes",
                "job=both,instance=c",
                0,
                &[f64::NAN, 7.0, -5.0],
            ),
        ],
        &[],
    );
    let used: [(&str, &[f64]); 3] =
        [("client/a@?", &[10.0, 11.0]), ("micrometer/b@?", &[7.0, 9.0, 8.0]), ("both/c@?", &[5.0])];
    read.check(Metric::RuntimeHeapUsed, &used);
    read.check(Metric::RuntimeHeapLimit, &[("micrometer/b@?", &[20.0])]);
    read.check(Metric::ProcessMemoryRss, &[("both/c@?", &[7.0])]);
    assert_eq!(read.rejected, 1, "the negative one");
}

#[test]
fn a_pod_scraped_twice_is_not_twice_as_large() {
    let twice = |job: &str| format!("{POD},job={job},instance=10.0.0.1:80");
    let rss = "process_resident_memory_bytes";
    let all = [series(rss, &twice("pods"), 0, &[5.0]), series(rss, &twice("services"), 0, &[5.0])];
    read(&all, &[]).check(Metric::ProcessMemoryRss, &[("orders/orders-5d9c7b6f4-x2x7q@?", &[5.0])]);
}

#[test]
fn a_version_that_changes_within_a_name_is_a_deploy_at_its_time() {
    let of = |image, after, values: &[f64]| {
        let labels = format!("namespace=shop,pod=db-0,container=db,image=db:{image}");
        series("container_memory_rss", &labels, after, values)
    };
    let heap = series("go_goroutines", "namespace=shop,pod=db-0", 0, &[1.0, 2.0, 3.0, 4.0]);
    let read = read(&[of("1", 0, &[5.0, 6.0, 6.5]), of("2", 2, &[1.0, 2.0]), heap], &[]);
    let anon: [(&str, &[f64]); 2] = [("db/db-0@1", &[5.0, 6.0]), ("db/db-0@2", &[1.0, 2.0])];
    read.check(Metric::ContainerMemoryAnon, &anon);
    let routines: [(&str, &[f64]); 2] = [("db/db-0@1", &[1.0, 2.0]), ("db/db-0@2", &[3.0, 4.0])];
    read.check(Metric::RuntimeGoroutines, &routines);
    let [change] = &read.changes[..] else { panic!("{:?}", read.changes) };
    assert_eq!((change.kind, change.at), (ChangeKind::Deploy, moment(2)));
    assert_eq!(change.version.as_ref().map(|version| version.as_str()), Some("2"));
}

#[test]
fn an_oom_kill_follows_from_its_reason_and_the_count_of_restarts() {
    let reason = "kube_pod_container_status_last_terminated_reason";
    let read = read(
        &[
            in_pod("container_memory_rss", "container=orders", &[5.0; 9]),
            in_pod(
                "kube_pod_container_status_restarts_total",
                "container=orders",
                &[0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0, 1.0],
            ),
            in_pod(reason, "container=orders,reason=OOMKilled", &[0.0, 0.0, 0.0, 0.0, 0.0, 1.0]),
            in_pod(reason, "container=orders,reason=Error", &[1.0; 9]),
        ],
        &[],
    );
    let [change] = &read.changes[..] else { panic!("{:?}", read.changes) };
    assert_eq!((change.kind, change.at), (ChangeKind::OomKill, moment(4)));
    assert_eq!(change.instance.as_ref().unwrap().as_str(), "orders-5d9c7b6f4-x2x7q");
}

#[test]
fn only_the_chosen_are_pulled_and_the_same_name_in_two_namespaces_is_two() {
    let of = |namespace, value| {
        let labels = format!("namespace={namespace},pod=db-0,container=db");
        series("container_memory_rss", &labels, 0, &[value])
    };
    let all = [of("one", 1.0), of("two", 2.0), of("three", 3.0)];
    let got = read(&all, &["two/db"]);
    got.check(Metric::ContainerMemoryAnon, &[("two/db/db-0@?", &[2.0])]);
    assert_eq!(got.services, ["one/db", "three/db", "two/db"]);
}

#[test]
fn who_is_only_talked_about_is_no_service() {
    let limit = in_pod("kube_pod_container_resource_limits", "container=a,resource=memory", &[9.0]);
    let rate = series("http_requests_total", "job=web,instance=a", 0, &[1.0]);
    let read = read(&[limit, rate], &[]);
    assert_eq!((read.services.len(), read.readings.len()), (0, 0));
}

#[test]
fn a_rate_belongs_to_the_instance_and_the_preferred_counter_is_believed() {
    let read = read(
        &[
            in_pod("container_memory_rss", "container=orders", &[5.0, 5.0]),
            in_pod("http_server_requests_seconds_count", "job=apps", &[2.0, f64::NAN]),
            in_pod("http_requests_total", "job=apps", &[3.0, 3.0]),
        ],
        &[],
    );
    let rate: [(&str, &[f64]); 1] = [("orders/orders-5d9c7b6f4-x2x7q@?", &[2.0, 3.0])];
    read.check(Metric::ServiceRequestsRate, &rate);
}

#[test]
fn two_live_processes_in_one_place_are_not_woven_into_one() {
    let of = |port: &str, after, values: &[f64]| {
        series(
            "process_resident_memory_bytes",
            &format!("{POD},job=pods,instance=10.0.0.1:{port}"),
            after,
            values,
        )
    };
    let own: Vec<f64> = (0..20).map(|n| 100.0 + f64::from(n)).collect();
    let with_holes: Vec<f64> =
        own.iter().enumerate().map(|(n, v)| if n % 4 == 3 { f64::NAN } else { *v }).collect();
    let read = read(&[of("80", 0, &with_holes), of("9090", 1, &[5.0; 17])], &[]);
    let want: Vec<f64> = with_holes.iter().copied().filter(|value| value.is_finite()).collect();
    read.check(Metric::ProcessMemoryRss, &[("orders/orders-5d9c7b6f4-x2x7q@?", &want)]);
}

#[test]
fn the_same_target_in_two_clusters_or_on_two_hosts_is_two_instances() {
    let rss = "process_resident_memory_bytes";
    let read = read(
        &[
            series(rss, "cluster=east,job=web,instance=10.0.0.1:80", 0, &[1.0]),
            series(rss, "cluster=west,job=web,instance=10.0.0.1:80", 0, &[2.0]),
            series(rss, "cluster=west,job=web,instance=10.0.0.2:80", 0, &[3.0]),
            series(rss, "host=h1,job=cart,instance=localhost:8080", 0, &[4.0]),
            series(rss, "host=h2,job=cart,instance=localhost:8080", 0, &[5.0]),
            series(rss, "host=h1,job=one,instance=localhost:8080", 0, &[6.0]),
            series("http_requests_total", "host=h1,job=cart,instance=localhost:8080", 0, &[7.0]),
            series("http_requests_total", "host=h2,job=cart,instance=localhost:8080", 0, &[8.0]),
            series("http_requests_total", "host=x,job=web,instance=10.0.0.2:80", 0, &[20.0]),
            series("http_requests_total", "host=y,job=web,instance=10.0.0.2:80", 0, &[22.0]),
        ],
        &[],
    );
    let rss: [(&str, &[f64]); 6] = [
        ("web/east/10.0.0.1:80@?", &[1.0]),
        ("web/west/10.0.0.1:80@?", &[2.0]),
        ("web/10.0.0.2:80@?", &[3.0]),
        ("cart/h1/localhost:8080@?", &[4.0]),
        ("cart/h2/localhost:8080@?", &[5.0]),
        ("one/localhost:8080@?", &[6.0]),
    ];
    read.check(Metric::ProcessMemoryRss, &rss);
    let rates: [(&str, &[f64]); 3] = [
        ("cart/h1/localhost:8080@?", &[7.0]),
        ("cart/h2/localhost:8080@?", &[8.0]),
        ("web/10.0.0.2:80@?", &[42.0]),
    ];
    read.check(Metric::ServiceRequestsRate, &rates);
    assert_eq!(read.services, ["cart", "one", "web"]);
}
