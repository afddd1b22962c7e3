//! Tests of the catalogue: the built-in names, what they mean, and what a user may add.

use super::*;

fn check(name: &str, attributes: &[(&str, &str)], want: Option<(Metric, bool)>) {
    let catalogue = Catalogue::built_in();
    let got = match catalogue.resolve(name, attributes) {
        Resolution::Resolved(resolved) => Some((resolved.metric, resolved.part)),
        Resolution::Ignored | Resolution::NeedsAttributes | Resolution::Unknown => None,
    };
    assert_eq!(got, want, "{name} {attributes:?}");
}

#[test]
fn the_built_in_catalogue_is_valid_and_ignores_nothing_that_it_uses() {
    let catalogue = Catalogue::built_in();
    assert!(catalogue.entries > 150);
    for name in catalogue.names.keys().chain(&catalogue.ignored) {
        assert!(name.parse::<Metric>().is_err(), "{name} is canonical, so it is never asked");
    }
    assert!(catalogue.ignored.iter().all(|name| !catalogue.names.contains_key(name)));
}

#[test]
fn a_canonical_name_means_itself() {
    for metric in Metric::ALL {
        check(metric.name(), &[], Some((*metric, false)));
    }
}

#[test]
fn the_three_meanings_of_one_jvm_name_are_told_apart_by_their_labels() {
    let used = Some((Metric::RuntimeHeapUsed, false));
    let part = Some((Metric::RuntimeHeapUsed, true));
    check("jvm_memory_used_bytes", &[("area", "heap")], used);
    check("jvm_memory_used_bytes", &[("area", "heap"), ("id", "G1 Old Gen")], part);
    let otel = [("jvm_memory_type", "heap"), ("jvm_memory_pool_name", "G1 Old Gen")];
    check("jvm_memory_used_bytes", &otel, part);
    let nonheap = Some((Metric::RuntimeNonheapUsed, false));
    check("jvm_memory_used_bytes", &[("area", "nonheap")], nonheap);
}

#[test]
fn old_and_new_names_of_one_thing_mean_the_same() {
    let fds = Some((Metric::ProcessFds, false));
    check("process.open_file_descriptor.count", &[], fds);
    check("process.unix.file_descriptor.count", &[], fds);
    check("process_open_fds", &[], fds);
}

#[test]
fn what_cannot_be_placed_is_told_apart_from_what_is_unknown() {
    let catalogue = Catalogue::built_in();
    let bare = catalogue.resolve("jvm_memory_used_bytes", &[]);
    assert_eq!(bare, Resolution::NeedsAttributes);
    assert_eq!(catalogue.resolve("target_info", &[]), Resolution::Ignored);
    assert_eq!(catalogue.resolve("my_metric", &[]), Resolution::Unknown);
    let cpu = catalogue.resolve("kube_pod_container_resource_limits", &[("resource", "cpu")]);
    assert_eq!(cpu, Resolution::Ignored);
}

#[test]
fn the_pause_container_is_not_the_service() {
    let catalogue = Catalogue::built_in();
    let pause = catalogue.resolve("container_memory_rss", &[("container", "POD")]);
    assert_eq!(pause, Resolution::Ignored);
    let anon = Some((Metric::ContainerMemoryAnon, false));
    check("container_memory_rss", &[("container", "orders")], anon);
    check("container_memory_rss", &[], anon);
}

fn value(name: &str, attributes: &[(&str, &str)], given: f64) -> Result<Option<f64>, Reason> {
    let catalogue = Catalogue::built_in();
    let Resolution::Resolved(resolved) = catalogue.resolve(name, attributes) else {
        panic!("{name} is not resolved");
    };
    resolved.value(given, Timestamp::from_secs(1000), 1.0).map_err(|rejection| rejection.reason)
}

#[test]
fn sentinels_are_absent_and_never_a_value() {
    assert_eq!(value("jvm_memory_max_bytes", &[("area", "heap")], -1.0), Ok(None));
    assert_eq!(value("go_gc_gomemlimit_bytes", &[], i64::MAX as f64), Ok(None));
    assert_eq!(value("container.memory.limit", &[], 9_223_372_036_854_771_712.0), Ok(None));
    assert_eq!(value("container_spec_memory_limit_bytes", &[], 0.0), Ok(None));
    assert_eq!(value("container.memory.limit", &[], 1e9), Ok(Some(1e9)));
}

#[test]
fn what_is_no_measurement_is_refused_with_its_reason() {
    let rss = |given| value("process.memory.rss", &[], given);
    assert_eq!(rss(f64::NAN), Err(Reason::NotFinite));
    assert_eq!(rss(f64::INFINITY), Err(Reason::NotFinite));
    assert_eq!(rss(-1.0), Err(Reason::Negative));
    assert_eq!(rss(1e300), Err(Reason::TooLarge));
    assert_eq!(value("container.memory.limit", &[], f64::NAN), Err(Reason::NotFinite));
}

#[test]
fn an_age_becomes_the_moment_of_the_start() {
    assert_eq!(value("process.uptime", &[], 100.0), Ok(Some(900.0)));
}

#[test]
fn a_users_file_adds_names_and_replaces_known_ones() {
    let text = r#"
        ignored = ["redis_memory_used_bytes"]
        [metric]
        "process.memory.rss" = [{ name = "app_rss_kib", scale = 1024 }]
        "runtime.heap.live" = [{ name = "go_memstats_heap_alloc_bytes" }]
    "#;
    let catalogue = Catalogue::built_in().extend(text).unwrap();
    let metric = |name: &str| match catalogue.resolve(name, &[]) {
        Resolution::Resolved(resolved) => Some((resolved.metric, resolved.scale)),
        Resolution::Ignored | Resolution::NeedsAttributes | Resolution::Unknown => None,
    };
    assert_eq!(metric("app_rss_kib"), Some((Metric::ProcessMemoryRss, 1024.0)));
    let replaced = metric("go_memstats_heap_alloc_bytes");
    assert_eq!(replaced, Some((Metric::RuntimeHeapLive, 1.0)));
    assert_eq!(metric("redis_memory_used_bytes"), None);
}

#[test]
fn a_counter_is_known_by_its_rate_and_never_as_a_value() {
    let text = "[rate]\n\"service.requests.rate\" = [\"shop_orders_total\"]";
    let catalogue = Catalogue::built_in().extend(text).unwrap();
    let metric = |name| catalogue.rate_of(name).map(|(metric, _)| metric);
    assert_eq!(metric("shop_orders_total"), Some(Metric::ServiceRequestsRate));
    assert_eq!(metric("http_requests_total"), Some(Metric::ServiceRequestsRate));
    assert_eq!(catalogue.resolve("shop_orders_total", &[]), Resolution::Unknown);
    assert!(catalogue.rates.iter().all(|(_, name)| !catalogue.names.contains_key(name)));
}

#[test]
fn a_wrong_file_is_refused_and_says_what_is_wrong() {
    let check = |text: &str, want: &str| {
        let error = Catalogue::built_in().extend(text).unwrap_err().to_string();
        assert!(error.contains(want), "{error}");
    };
    check("ignored = 5", "not readable");
    check("[metric]\n\"heap\" = []", "`heap`, which is no canonical metric");
    check("[metric]\n\"cache.bytes\" = [{ name = \"a\", scale = 0 }]", "scale of `a`");
    check("[metric]\n\"cache.bytes\" = [{ name = \"a\" }, { name = \"a\" }]", "`a` twice");
    check("[rate]\n\"service.requests.rate\" = [\"a\", \"a\"]", "`a` twice");
    check("ignored = [\"a\"]\n[metric]\n\"cache.bytes\" = [{ name = \"a\" }]", "`a` twice");
    check("[metric]\n\"cache.bytes\" = [{ name = \"a\", wen = {} }]", "not readable");
}
