//! The collector against real processes of this machine.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails where it stands")]

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use plimsoll_agent::collect::{CollectOptions, Collector, Round, Watch};
use plimsoll_model::{ChangeKind, InstanceName, Metric, Reading, Timestamp};

/// A moment long after every start: the collector must not care what time it is told.
const NOW: Timestamp = Timestamp::from_secs(4_000_000_000);

/// How often a condition is looked at, and how long it may take.
const POLL: Duration = Duration::from_millis(20);
const POLLS_MAX: usize = 500;

/// A child that ends with its test.
struct Service(Child);

impl Service {
    /// A `cat` that waits for its input, with two descriptors beside the three standard ones.
    fn start(service: &str, instance: &str) -> Self {
        let attributes = format!("service.version=1.1.0,service.instance.id={instance}");
        let child = Command::new("bash")
            .args(["-c", "exec 7</dev/null 8</dev/null; exec cat"])
            .env("OTEL_SERVICE_NAME", service)
            .env("OTEL_RESOURCE_ATTRIBUTES", attributes)
            .env("DATABASE_PASSWORD", "correct-horse-battery")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        Self(child)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

fn collector(watch: Watch) -> Collector {
    let node = InstanceName::new("here").unwrap();
    Collector::new(CollectOptions::this_machine(watch, node)).unwrap()
}

fn of<'a>(round: &'a Round, service: &str) -> Vec<&'a Reading> {
    round.readings.iter().filter(|reading| reading.service.as_str() == service).collect()
}

fn value(readings: &[&Reading], metric: Metric) -> Option<f64> {
    readings.iter().find(|reading| reading.metric == metric).map(|reading| reading.value)
}

fn round_until(collector: &mut Collector, holds: impl Fn(&Round) -> bool) -> Round {
    for _ in 0..POLLS_MAX {
        let round = collector.round(NOW);
        if holds(&round) {
            return round;
        }
        std::thread::sleep(POLL);
    }
    panic!("the condition did not come true in {:?}", POLL * POLLS_MAX as u32);
}

#[test]
fn a_labelled_process_is_seen_with_what_it_holds() {
    let child = Service::start("live-cat", "live-cat-0");
    let folder = format!("/proc/{}", child.0.id());
    let mut collector = collector(Watch::Labelled);
    let is_cat = || std::fs::read_to_string(format!("{folder}/comm")).unwrap() == "cat\n";
    let seen = |round: &Round| is_cat() && !of(round, "live-cat").is_empty();
    round_until(&mut collector, seen);
    let round = collector.round(NOW);
    let readings = of(&round, "live-cat");
    assert_eq!(readings[0].metric, Metric::ProcessStartTime, "the start comes first");
    assert_eq!(readings[0].instance.as_str(), "live-cat-0");
    assert_eq!(readings[0].version.as_ref().unwrap().as_str(), "1.1.0");
    let of_metric = |metric| value(&readings, metric).unwrap();
    assert!(of_metric(Metric::ProcessMemoryRss) > 100_000.0);
    assert!(of_metric(Metric::ProcessMemoryAnon) < of_metric(Metric::ProcessMemoryRss));
    assert!((of_metric(Metric::ProcessThreads) - 1.0).abs() < 0.1);
    let fds = std::fs::read_dir(format!("{folder}/fd")).unwrap().count() as f64;
    assert!(fds > 4.9 && (of_metric(Metric::ProcessFds) - fds).abs() < 0.1);
    assert!(round.readings.iter().all(|reading| reading.value.is_finite()));
    assert!(value(&of(&round, "node"), Metric::NodeMemoryAvailable).unwrap() > 1e6);
}

#[test]
fn a_replaced_process_is_a_restart_and_an_ended_one_is_gone() {
    let first = Service::start("live-again", "live-again-0");
    let mut collector = collector(Watch::Labelled);
    round_until(&mut collector, |round| !of(round, "live-again").is_empty());
    let first_pid = first.0.id().to_string();
    drop(first);
    let round = collector.round(NOW);
    assert!(of(&round, "live-again").is_empty());
    // Start times are counted in ticks of 10 ms; the next process must not share one.
    std::thread::sleep(POLL);
    let second = Service::start("live-again", "live-again-0");
    let restarted =
        |round: &Round| round.changes.iter().any(|change| change.service.as_str() == "live-again");
    let round = round_until(&mut collector, restarted);
    let change =
        round.changes.iter().find(|change| change.service.as_str() == "live-again").unwrap();
    assert_eq!(change.kind, ChangeKind::Restart);
    assert_eq!(change.instance.as_ref().unwrap().as_str(), "live-again-0");
    assert_eq!(change.attributes["previous_pid"], first_pid);
    assert_eq!(change.attributes["pid"], second.0.id().to_string());
    let start = value(&of(&round, "live-again"), Metric::ProcessStartTime).unwrap();
    assert!((change.at.as_secs_f64() - start).abs() < 0.01);
    assert!(collector.round(NOW).changes.is_empty(), "a restart is told once");
}

#[test]
fn nothing_of_an_environment_but_the_names_is_kept() {
    let _child = Service::start("live-secret", "live-secret-0");
    let mut collector = collector(Watch::MACHINE);
    round_until(&mut collector, |round| !of(round, "live-secret").is_empty());
    let kept = format!("{collector:?}");
    let as_bytes = format!("{:?}", b"correct-horse-battery");
    assert!(!kept.contains("correct-horse-battery"));
    assert!(!kept.contains(as_bytes.trim_matches(['[', ']'])));
    assert!(kept.contains("live-secret-0"), "the names are kept");
}
