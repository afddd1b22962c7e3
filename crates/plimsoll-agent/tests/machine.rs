//! The collector against a machine that is only files: what can hardly be arranged on a real one.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails where it stands")]

use std::fs;
use std::path::{Path, PathBuf};

use plimsoll_agent::collect::{CollectOptions, Collector, Round, Watch};
use plimsoll_model::{InstanceName, Metric, Timestamp};

const NOW: Timestamp = Timestamp::from_secs(2_000_000_000);

/// A machine below a folder: `proc`, and control groups of version 2.
struct Machine(tempfile::TempDir);

impl Machine {
    fn new() -> Self {
        let machine = Self(tempfile::tempdir().unwrap());
        machine.write("proc/stat", "cpu 1 2 3\nbtime 1000000000\n");
        machine.write("proc/mounts", "cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n");
        machine.write("proc/pressure/memory", "some total=1500000\nfull total=500000\n");
        machine
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn path(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    /// A process with 300 pages, 100 of them shared, in a group.
    fn process(&self, pid: u32, start_ticks: u64, instance: &str, group: &str) {
        self.child(1, pid, start_ticks, instance, group);
    }

    fn child(&self, parent: u32, pid: u32, start_ticks: u64, instance: &str, group: &str) {
        let stat = format!(
            "{pid} (app) S {parent} 1 1 0 -1 4194304 0 0 0 0 0 0 0 0 20 0 3 0 {start_ticks} 9 300 0\n"
        );
        let environ = format!(
            "OTEL_SERVICE_NAME=orders\0OTEL_RESOURCE_ATTRIBUTES=service.instance.id={instance}\0"
        );
        self.write(&format!("proc/{pid}/stat"), &stat);
        self.write(&format!("proc/{pid}/statm"), "900 300 100 1 0 50 0\n");
        self.write(&format!("proc/{pid}/environ"), &environ);
        self.write(&format!("proc/{pid}/cgroup"), &format!("0::{group}\n"));
        self.write(&format!("proc/{pid}/limits"), "Max open files  1024  4096  files\n");
        self.write(&format!("proc/{pid}/fd/0"), "");
    }

    fn group(&self, group: &str, processes: &str) {
        self.write(&format!("sys/fs/cgroup{group}/cgroup.procs"), processes);
        self.write(&format!("sys/fs/cgroup{group}/memory.current"), "5000\n");
    }

    fn collector(&self) -> Collector {
        self.collector_of(Watch::Labelled)
    }

    fn collector_of(&self, watch: Watch) -> Collector {
        let node = InstanceName::new("here").unwrap();
        let options = CollectOptions {
            proc_root: self.path("proc"),
            root: self.path(""),
            ..CollectOptions::this_machine(watch, node)
        };
        Collector::new(options).unwrap()
    }
}

fn values(round: &Round, metric: Metric) -> Vec<(&str, f64)> {
    let of_metric = round.readings.iter().filter(|reading| reading.metric == metric);
    of_metric.map(|reading| (reading.instance.as_str(), reading.value)).collect()
}

#[test]
fn a_group_is_given_to_an_instance_that_has_it_alone() {
    let machine = Machine::new();
    machine.process(10, 100, "own", "/own");
    machine.group("/own", "10\n");
    machine.process(20, 100, "shared-a", "/shared");
    machine.process(21, 100, "shared-b", "/shared");
    machine.group("/shared", "20\n21\n");
    machine.process(30, 100, "guest", "/house");
    machine.group("/house", "30\n999\n");
    machine.process(40, 100, "root", "/");
    let round = machine.collector().round(NOW);
    assert_eq!(values(&round, Metric::ContainerMemoryUsage), [("own", 5000.0)]);
    assert_eq!(values(&round, Metric::ProcessMemoryRss).len(), 5);
    assert_eq!(values(&round, Metric::NodeMemoryPressureSome), [("here", 1.5)]);
}

#[test]
fn what_was_found_may_be_limited_where_a_group_holds_all_of_it_and_nobody_else() {
    let machine = Machine::new();
    machine.process(10, 100, "own", "/own");
    machine.child(10, 11, 101, "own", "/own");
    machine.group("/own", "10\n11\n");
    machine.process(20, 100, "torn", "/torn");
    machine.child(20, 21, 101, "torn", "/elsewhere");
    machine.group("/torn", "20\n");
    machine.process(30, 100, "guest", "/house");
    machine.group("/house", "30\n999\n");
    machine.process(40, 100, "root", "/");
    let round = machine.collector().round(NOW);
    let found = round.found.iter().map(|one| (one.instance.as_str(), one.pid, one.own_group));
    let want = [("guest", 30, false), ("own", 10, true), ("root", 40, false), ("torn", 20, false)];
    assert_eq!(found.collect::<Vec<_>>(), want);
    assert!(round.found.iter().all(|one| one.start_ticks == 100));
}

#[test]
fn the_agent_itself_is_measured_and_not_offered_to_act_on() {
    let machine = Machine::new();
    machine.process(std::process::id(), 100, "agent", "/own");
    machine.group("/own", &format!("{}\n", std::process::id()));
    let round = machine.collector().round(NOW);
    assert_eq!(values(&round, Metric::ContainerMemoryUsage), [("agent", 5000.0)]);
    assert_eq!(round.found, []);
}

#[test]
fn a_supervising_agent_watches_its_children_and_opens_nothing_of_others() {
    let machine = Machine::new();
    machine.process(10, 100, "agent", "/");
    machine.child(10, 11, 101, "orders-0", "/");
    machine.child(11, 12, 102, "orders-0", "/");
    machine.child(11, 13, 103, "helper-0", "/");
    machine.process(20, 100, "stranger", "/");
    // Whoever opens a file of this one finds that it is gone, which is counted.
    machine.process(21, 100, "private", "/");
    for file in ["environ", "statm", "cgroup", "limits"] {
        fs::remove_file(machine.path(&format!("proc/21/{file}"))).unwrap();
    }
    let round = machine.collector_of(Watch::Supervised { parent: 10 }).round(NOW);
    let two = values(&round, Metric::ProcessThreads);
    assert_eq!(two, [("orders-0", 6.0)], "two processes with three threads each");
    let counts = round.counts;
    assert_eq!((counts.processes, counts.instances, counts.vanished), (3, 1, 0));
    assert_eq!(round.found.iter().map(|one| one.pid).collect::<Vec<_>>(), [11]);
}

#[test]
fn the_inspector_of_nodejs_is_opened_by_default_in_what_the_agent_started_only() {
    let check = |watch, want| {
        let node = InstanceName::new("here").unwrap();
        assert_eq!(CollectOptions::this_machine(watch, node).inspect_v8, want, "{watch:?}");
    };
    check(Watch::Labelled, false);
    check(Watch::MACHINE, false);
    check(Watch::Supervised { parent: 10 }, true);
}

#[test]
fn a_process_that_ends_while_it_is_read_is_counted_and_stops_nothing() {
    let machine = Machine::new();
    machine.process(10, 100, "stays", "/");
    machine.process(11, 100, "ends", "/");
    machine.process(12, 100, "ends-early", "/");
    fs::remove_file(machine.path("proc/11/statm")).unwrap();
    fs::remove_file(machine.path("proc/12/stat")).unwrap();
    let round = machine.collector().round(NOW);
    let page_bytes = values(&round, Metric::ProcessMemoryRss)[0].1 / 300.0;
    assert_eq!(values(&round, Metric::ProcessMemoryAnon), [("stays", 200.0 * page_bytes)]);
    assert_eq!(values(&round, Metric::ProcessStartTime), [("stays", 1_000_000_001.0)]);
    assert_eq!((round.counts.instances, round.counts.vanished), (1, 2));
}

#[test]
fn a_file_that_is_not_what_it_should_be_is_counted_and_stops_nothing() {
    let machine = Machine::new();
    machine.process(10, 100, "stays", "/");
    machine.process(11, 100, "garbled", "/");
    machine.write("proc/11/stat", "not a stat line");
    machine.write("proc/self-made", "not a process");
    let round = machine.collector().round(NOW);
    assert_eq!((round.counts.instances, round.counts.malformed), (1, 1));
}

#[test]
fn limits_are_told_at_first_sight_and_then_once_a_minute() {
    let machine = Machine::new();
    machine.process(12, 100, "orders-0", "/");
    let mut collector = machine.collector();
    let told: Vec<bool> = (0..25)
        .map(|_| !values(&collector.round(NOW), Metric::ProcessFdsLimit).is_empty())
        .collect();
    assert!(told[0]);
    assert_eq!(told.iter().filter(|told| **told).count(), 3);
    assert_eq!(values(&collector.round(NOW), Metric::ProcessFds), [("orders-0", 1.0)]);
}

#[test]
fn what_is_remembered_does_not_grow_with_the_processes_that_were() {
    let machine = Machine::new();
    let mut collector = machine.collector();
    let mut sizes = Vec::new();
    for run in 0..40 {
        let pid = 1000 + run;
        machine.process(pid, 100 + u64::from(run), "orders-0", "/");
        let round = collector.round(NOW);
        assert_eq!(round.changes.len(), usize::from(run > 0), "each replacement is a restart");
        fs::remove_dir_all(machine.path(&format!("proc/{pid}"))).unwrap();
        sizes.push(format!("{collector:?}").len());
    }
    let (early, late) = (sizes[5], sizes[39]);
    assert!(late < early + 200, "{early} bytes became {late}");
}

#[test]
fn a_folder_that_is_no_proc_is_refused_with_its_path() {
    let node = InstanceName::new("here").unwrap();
    let nowhere = Path::new("/nowhere/proc");
    let options = CollectOptions {
        proc_root: nowhere.to_owned(),
        ..CollectOptions::this_machine(Watch::Labelled, node)
    };
    let error = Collector::new(options).unwrap_err().to_string();
    assert!(error.contains("/nowhere/proc"), "{error}");
}
