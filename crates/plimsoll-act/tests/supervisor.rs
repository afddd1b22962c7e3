//! The supervisor over real processes: replacement, rollback, crashes, and every way to die.

#![expect(clippy::unwrap_used, reason = "a test ends where its stage cannot be set up")]

#[path = "shared/fleet.rs"]
mod fleet;

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use fleet::{instance, prepare, runs, version, wait_until};
use plimsoll_act::supervisor::{ReplaceError, ReplicaState, Supervisor};

const DEADLINE: Duration = Duration::from_secs(20);

fn environment(pid: u32) -> String {
    let bytes = std::fs::read(format!("/proc/{pid}/environ")).unwrap();
    String::from_utf8_lossy(&bytes).replace('\0', "\n")
}

fn only(supervisor: &Supervisor) -> plimsoll_act::supervisor::ReplicaStatus {
    supervisor.status().remove(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_is_replaced_once_the_new_version_is_ready() {
    let folder = tempfile::tempdir().unwrap();
    let supervisor = prepare(&fleet::fleet(1), folder.path());
    assert_eq!(supervisor.start_all(DEADLINE).await, []);
    let first = only(&supervisor);
    assert_eq!((first.state, first.version), (ReplicaState::Ready, version("good")));
    let first_pid = first.pid.unwrap();
    let environment_of_first = environment(first_pid);
    for variable in [
        "OTEL_SERVICE_NAME=web",
        "OTEL_RESOURCE_ATTRIBUTES=service.version=good,service.instance.id=web-0",
        "OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:1",
    ] {
        assert!(environment_of_first.contains(variable), "{variable}");
    }
    let limits = std::fs::read_to_string(format!("/proc/{first_pid}/limits")).unwrap();
    let files = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    assert_eq!(files.split_whitespace().nth(3), Some("64"));

    let replaced =
        supervisor.replace(&instance("web-0"), &version("better"), DEADLINE).await.unwrap();
    assert_eq!(replaced.version, version("better"));
    let second = only(&supervisor);
    assert_eq!((second.state, second.version), (ReplicaState::Ready, version("better")));
    assert!(!runs(first_pid));
    assert!(environment(second.pid.unwrap()).contains("BETTER=yes"));
    supervisor.stop_all().await;
    assert!(!runs(second.pid.unwrap()));
    assert_eq!(only(&supervisor).state, ReplicaState::Stopped);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_does_not_come_up_gives_way_to_the_old_one() {
    let folder = tempfile::tempdir().unwrap();
    let supervisor = prepare(&fleet::fleet(1), folder.path());
    assert_eq!(supervisor.start_all(DEADLINE).await, []);

    let exits = supervisor.replace(&instance("web-0"), &version("exits"), DEADLINE).await;
    let Err(ReplaceError::BroughtBack { version: failed, old, why }) = exits else {
        panic!("{exits:?}")
    };
    assert_eq!((failed, old), (version("exits"), version("good")));
    assert_eq!(why, "it ended before it was ready: exit status: 3");

    // Long enough for Python to start again, which has to happen within it too.
    let deadline = Duration::from_secs(8);
    let deaf = supervisor.replace(&instance("web-0"), &version("deaf"), deadline).await;
    assert!(matches!(deaf, Err(ReplaceError::BroughtBack { .. })), "{deaf:?}");
    let status = only(&supervisor);
    assert_eq!((status.state, status.version), (ReplicaState::Ready, version("good")));
    assert_eq!(status.crash_restarts, 0);

    let unknown = supervisor.replace(&instance("web-0"), &version("7"), DEADLINE).await;
    assert!(matches!(unknown, Err(ReplaceError::UnknownVersion { .. })));
    assert_eq!(only(&supervisor).pid, status.pid, "an unknown version ends nothing");
    supervisor.stop_all().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crashed_replica_is_started_again_and_counted() {
    let folder = tempfile::tempdir().unwrap();
    let supervisor = prepare(&fleet::fleet(1), folder.path());
    assert_eq!(supervisor.start_all(DEADLINE).await, []);
    let pid = only(&supervisor).pid.unwrap();
    let pid_of = nix::unistd::Pid::from_raw(i32::try_from(pid).unwrap());
    nix::sys::signal::kill(pid_of, nix::sys::signal::Signal::SIGKILL).unwrap();
    wait_until("the replica is ready again", || {
        let status = only(&supervisor);
        status.state == ReplicaState::Ready && status.pid != Some(pid)
    });
    let status = only(&supervisor);
    assert_eq!(status.crash_restarts, 1);
    assert!(status.last_exit.unwrap().contains("SIGKILL"));
    supervisor.stop_all().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_supervisor_that_starts_again_runs_the_version_that_ran_last() {
    let folder = tempfile::tempdir().unwrap();
    let fleet = fleet::fleet(1);
    let supervisor = prepare(&fleet, folder.path());
    supervisor.start_all(DEADLINE).await;
    supervisor.replace(&instance("web-0"), &version("better"), DEADLINE).await.unwrap();
    drop(supervisor.replace(&instance("web-0"), &version("exits"), DEADLINE).await);
    supervisor.stop_all().await;
    let next = prepare(&fleet, folder.path());
    assert_eq!(only(&next).version, version("better"));
    next.stop_all().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stopping_does_not_wait_for_a_replica_that_never_gets_ready() {
    let folder = tempfile::tempdir().unwrap();
    let mut fleet = fleet::fleet(1);
    fleet.services[0].version = "deaf".to_owned();
    let supervisor = prepare(&fleet, folder.path());
    let mut pid = None;
    {
        let start = supervisor.start_all(Duration::from_secs(600));
        tokio::pin!(start);
        while pid.is_none() {
            tokio::select! {
                failures = &mut start => panic!("{failures:?}"),
                () = tokio::time::sleep(Duration::from_millis(10)) => {}
            }
            pid = only(&supervisor).pid;
        }
    }
    let stopped = tokio::time::timeout(Duration::from_secs(10), supervisor.stop_all()).await;
    assert!(stopped.is_ok());
    assert!(!runs(pid.unwrap()));
}

/// A process of its own that hosts a supervisor, with the pids below it.
fn host(folder: &std::path::Path) -> (Child, Vec<u32>) {
    let spec = folder.join("fleet.json");
    let json = serde_json::to_vec(&fleet::fleet(2)).unwrap();
    std::fs::write(&spec, json).unwrap();
    let mut host = Command::new(env!("CARGO_BIN_EXE_act-host"))
        .arg("run")
        .args([&spec, &folder.join("state")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(host.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line.trim_end(), "ready");
    let children = children(host.id());
    assert_eq!(children.len(), 2);
    (host, children)
}

fn children(parent: u32) -> Vec<u32> {
    let pids = std::fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    let pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let is_child = |pid: &u32| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let fields = stat.rsplit_once(") ").map(|(_, rest)| rest.to_owned()).unwrap_or_default();
        fields.split(' ').nth(1) == Some(parent.to_string().as_str())
    };
    pids.filter(is_child).collect()
}

fn groups_of(pid: u32) -> Vec<std::path::PathBuf> {
    let own = plimsoll_act::cgroup::memory_group_of(std::process::id());
    let Ok(own) = own else { return Vec::new() };
    let entries = std::fs::read_dir(own.folder).unwrap().filter_map(Result::ok);
    let ours = format!("-{pid}-");
    let named = |path: &std::path::PathBuf| path.to_string_lossy().contains(&ours);
    entries.map(|entry| entry.path()).filter(named).collect()
}

#[test]
fn a_host_that_is_killed_leaves_no_child_and_the_next_sweep_no_cgroup() {
    let folder = tempfile::tempdir().unwrap();
    let (mut host, children) = host(folder.path());
    let pid = host.id();
    if groups_of(pid).is_empty() {
        writeln!(std::io::stderr(), "skipped: no memory cgroup can be made here").unwrap();
    }
    host.kill().unwrap();
    host.wait().unwrap();
    wait_until("the children are gone", || !children.iter().any(|pid| runs(*pid)));
    plimsoll_act::cgroup::sweep();
    assert_eq!(groups_of(pid), Vec::<std::path::PathBuf>::new());
}

#[test]
fn a_host_that_ends_in_order_leaves_neither_child_nor_cgroup() {
    let folder = tempfile::tempdir().unwrap();
    let (mut host, children) = host(folder.path());
    drop(host.stdin.take());
    assert!(host.wait().unwrap().success());
    assert!(!children.iter().any(|pid| runs(*pid)));
    assert_eq!(groups_of(host.id()), Vec::<std::path::PathBuf>::new());
}
