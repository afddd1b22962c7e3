//! Simulated services as a cluster's exporters would show them: cAdvisor with its pause containers
//! and parents, kube-state-metrics, client libraries and Micrometer with their totals and parts.

use std::collections::BTreeMap;
use std::fmt::Write;

use plimsoll_model::{Metric, Reading};

/// The samples of one server in the text format of OpenMetrics.
#[derive(Default)]
pub(crate) struct Exposition {
    lines: BTreeMap<&'static str, String>,
    /// Requests that each instance has served, and when that was last counted.
    served: BTreeMap<String, (i64, f64)>,
}

impl Exposition {
    /// `odd` services are shown through Micrometer and the kernel's limit, the others through the
    /// official client and the limit of the pod's specification.
    pub(crate) fn add(&mut self, reading: &Reading, odd: bool) {
        let pod = format!("namespace=\"shop\",pod=\"{}\"", reading.instance);
        let at = reading.at.as_millis();
        let at = format!("{}.{:03}", at.div_euclid(1000), at.rem_euclid(1000));
        let process = format!("{pod},job=\"apps\",instance=\"{}:8080\"", reading.instance);
        let place = Place { at, process, pod, odd };
        self.about_pod(reading, &place);
        match reading.metric {
            Metric::ContainerMemoryAnon => self.kernel("container_memory_rss", reading, &place),
            Metric::ContainerMemoryFile => self.kernel("container_memory_cache", reading, &place),
            Metric::ContainerMemoryUsage => {
                self.kernel("container_memory_usage_bytes", reading, &place);
            }
            Metric::ContainerMemoryWorkingSet => {
                self.kernel("container_memory_working_set_bytes", reading, &place);
            }
            Metric::ContainerMemoryLimit => self.limit(reading.value, &place),
            Metric::RuntimeHeapUsed => self.heap_used(reading.value, &place),
            Metric::RuntimeHeapLive => self.heap_live(reading.value, &place),
            Metric::RuntimeHeapLimit => self.heap_limit(reading.value, &place),
            Metric::ServiceRequestsRate => self.requests(reading, &place),
            other => {
                let (name, labels) = plain(other);
                self.put(name, &format!("{}{labels}", place.process), reading.value, &place);
            }
        }
    }

    pub(crate) fn text(self) -> String {
        self.lines.into_values().collect::<String>() + "# EOF\n"
    }

    fn put(&mut self, name: &'static str, labels: &str, value: f64, place: &Place) {
        let lines = self.lines.entry(name).or_default();
        writeln!(lines, "{name}{{{labels}}} {value} {}", place.at).unwrap();
    }

    fn about_pod(&mut self, reading: &Reading, place: &Place) {
        // Every instance has one of these at every moment.
        if !matches!(reading.metric, Metric::ProcessMemoryRss | Metric::ContainerMemoryAnon) {
            return;
        }
        let owner = format!(",owner_kind=\"StatefulSet\",owner_name=\"{}\"", reading.service);
        self.put("kube_pod_owner", &format!("{}{owner}", place.pod), 1.0, place);
        let version = reading.version.as_ref().map_or("latest", |version| version.as_str());
        let image = format!(",container=\"app\",image=\"registry:5000/shop/x:{version}\"");
        self.put("kube_pod_container_info", &format!("{}{image}", place.pod), 1.0, place);
    }

    fn kernel(&mut self, name: &'static str, reading: &Reading, place: &Place) {
        let pod = &place.pod;
        self.put(name, &format!("{pod},container=\"app\""), reading.value, place);
        self.put(name, &format!("{pod},container=\"POD\""), 250_000.0, place);
        let parent = format!("{pod},id=\"/kubepods/burstable/{}\"", reading.instance);
        self.put(name, &parent, reading.value + 250_000.0, place);
    }

    fn limit(&mut self, value: f64, place: &Place) {
        let container = format!("{},container=\"app\"", place.pod);
        if place.odd {
            self.put("container_spec_memory_limit_bytes", &container, value, place);
            return;
        }
        self.put("container_spec_memory_limit_bytes", &container, 0.0, place);
        let name = "kube_pod_container_resource_limits";
        let of = |resource: &str| format!("{container},resource=\"{resource}\"");
        self.put(name, &of("memory"), value, place);
        self.put(name, &of("cpu"), 2.0, place);
    }

    fn heap_used(&mut self, value: f64, place: &Place) {
        let (name, of) = ("jvm_memory_used_bytes", &place.process);
        if !place.odd {
            self.put(name, &format!("{of},area=\"heap\""), value, place);
            let pool = format!("{of},pool=\"G1 Old Gen\"");
            self.put("jvm_memory_pool_used_bytes", &pool, value * 0.9, place);
            return;
        }
        let old = (value * 0.75).floor();
        let of = |id: &str| format!("{of},area=\"heap\",id=\"{id}\"");
        self.put(name, &of("G1 Eden Space"), value - old, place);
        self.put(name, &of("G1 Old Gen"), old, place);
    }

    fn heap_live(&mut self, value: f64, place: &Place) {
        if place.odd {
            self.put("jvm_gc_live_data_size_bytes", &place.process, value, place);
            return;
        }
        let name = "jvm_memory_pool_collection_used_bytes";
        for (pool, value) in [("G1 Old Gen", value), ("G1 Eden Space", 0.0)] {
            self.put(name, &format!("{},pool=\"{pool}\"", place.process), value, place);
        }
    }

    fn heap_limit(&mut self, value: f64, place: &Place) {
        let (name, of) = ("jvm_memory_max_bytes", &place.process);
        if !place.odd {
            self.put(name, &format!("{of},area=\"heap\""), value, place);
            return;
        }
        for (id, value) in [("G1 Eden Space", -1.0), ("G1 Old Gen", value)] {
            self.put(name, &format!("{of},area=\"heap\",id=\"{id}\""), value, place);
        }
    }

    /// A rate as the counter that it is the rate of.
    fn requests(&mut self, reading: &Reading, place: &Place) {
        let at = reading.at.as_millis();
        let fresh = || (at, 0.0);
        let (before, served) =
            self.served.entry(reading.instance.to_string()).or_insert_with(fresh);
        *served += reading.value * (at - *before) as f64 / 1000.0;
        *before = at;
        let served = *served;
        for (uri, share) in [("/cart", 0.25), ("/pay", 0.75)] {
            let labels = format!("{},uri=\"{uri}\",status=\"200\"", place.process);
            let name = "http_server_requests_seconds_count";
            self.put(name, &labels, served * share, place);
        }
    }
}

/// Where a sample goes.
struct Place {
    at: String,
    pod: String,
    process: String,
    odd: bool,
}

fn plain(metric: Metric) -> (&'static str, &'static str) {
    match metric {
        Metric::ProcessMemoryRss => ("process_resident_memory_bytes", ""),
        Metric::ProcessStartTime => ("process_start_time_seconds", ""),
        Metric::ProcessFds => ("process_open_fds", ""),
        Metric::ProcessFdsLimit => ("process_max_fds", ""),
        Metric::RuntimeHeapCommitted => ("jvm_memory_committed_bytes", ",area=\"heap\""),
        Metric::RuntimeGoroutines => ("go_goroutines", ""),
        Metric::PoolConnectionsUsed => ("hikaricp_connections_active", ",pool=\"main\""),
        Metric::PoolConnectionsMax => ("hikaricp_connections_max", ",pool=\"main\""),
        Metric::QueueDepth => ("executor_queued_tasks", ",name=\"work\""),
        Metric::CacheEntries => ("cache_size", ",cache=\"items\",name=\"items\""),
        Metric::CacheEvictions => ("cache_evictions_total", ",cache=\"items\",name=\"items\""),
        other => panic!("the families measure {other} now: say which exporter shows it"),
    }
}
