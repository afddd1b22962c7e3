//! The main job, as a stranger runs it: the demo's real fleet, real leak, real server and agent.
//!
//! What cannot run on this machine (a runtime that is missing, no writable memory cgroup) is named
//! in the story itself, and is not owed then.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails where it stands")]

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

/// The story is told within six minutes of the bad deploy; what is before and after takes two more.
const STORY: Duration = Duration::from_secs(520);

/// How long the demo may take to leave nothing behind.
const CLEARED: Duration = Duration::from_secs(30);

/// Deadlines are in real time: what is waited for are other processes.
#[expect(clippy::disallowed_methods, reason = "deadlines for real processes are in real time")]
fn now() -> Instant {
    Instant::now()
}

struct Demo {
    child: Child,
    dir: tempfile::TempDir,
}

impl Demo {
    fn start(args: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_plimsoll"))
            .args(["demo", "--listen", "127.0.0.1:0", "--dir"])
            .arg(dir.path())
            .arg("--json")
            .arg(dir.path().join("story.json"))
            .args(args)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        Self { child, dir }
    }

    /// Reads what the demo says until a line holds `text`, and goes on reading in the background.
    fn until_said(&mut self, text: &str) {
        let mut lines = BufReader::new(self.child.stderr.take().unwrap()).lines();
        let found = lines.by_ref().map_while(Result::ok).any(|line| line.contains(text));
        assert!(found, "the demo ended before it said `{text}`");
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
    }

    fn ends(&mut self, within: Duration) -> ExitStatus {
        let deadline = now() + within;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(now() < deadline, "the demo did not end within {within:?}");
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(i32::try_from(self.child.id()).unwrap()), signal).unwrap();
    }

    /// Everything that works in the demo's directory.
    fn processes(&self) -> BTreeSet<u32> {
        let dir = self.dir.path().to_str().unwrap().to_owned();
        let ours = |entry: fs::DirEntry| {
            let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
            let told = |file: &str| fs::read(entry.path().join(file)).unwrap_or_default();
            let text = [told("cmdline"), told("environ")].concat();
            String::from_utf8_lossy(&text).contains(&dir).then_some(pid)
        };
        let all = fs::read_dir("/proc").unwrap().filter_map(Result::ok).filter_map(ours);
        all.filter(|pid| *pid != self.child.id()).collect()
    }

    /// The agent's process id, as soon as there is one.
    fn agent(&self) -> u32 {
        let is_agent = |pid: &u32| {
            let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            line.split(|byte| *byte == 0).nth(1) == Some(b"agent")
        };
        let deadline = now() + CLEARED;
        loop {
            if let Some(agent) = self.processes().into_iter().find(is_agent) {
                return agent;
            }
            assert!(now() < deadline, "the demo has no agent");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn expect_nothing_left(&self, agent: u32) {
        self.expect_no_process();
        assert_eq!(groups_of(agent), Vec::<PathBuf>::new());
    }

    fn expect_no_process(&self) {
        let deadline = now() + CLEARED;
        while !self.processes().is_empty() {
            assert!(now() < deadline, "still running: {:?}", self.processes());
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        if self.child.try_wait().ok().flatten().is_none() {
            self.child.kill().unwrap();
            self.child.wait().unwrap();
        }
    }
}

/// Memory cgroups whose name says that this agent made them.
fn groups_of(agent: u32) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::from("/sys/fs/cgroup")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().filter_map(Result::ok) {
            let name = entry.file_name().to_string_lossy().into_owned();
            let parts: Vec<_> = name.split('-').collect();
            if parts.first() == Some(&"plimsoll") && parts.get(2) == Some(&&*agent.to_string()) {
                found.push(entry.path());
            } else if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                folders.push(entry.path());
            }
        }
    }
    found
}

fn story(demo: &Demo) -> Value {
    let text = fs::read(demo.dir.path().join("story.json")).unwrap();
    serde_json::from_slice(&text).unwrap()
}

fn told<'a>(story: &'a Value, service: &str) -> Option<&'a Value> {
    story["services"].as_array().unwrap().iter().find(|entry| entry["service"] == service)
}

fn is_skipped(story: &Value, what: &str) -> bool {
    let skipped = story["skipped"].as_array().unwrap();
    skipped.iter().any(|line| line.as_str().unwrap().starts_with(what))
}

/// What both stories owe: the verdicts, the culprit and the class, the unbroken record.
fn check_verdicts(story: &Value) {
    let orders = told(story, "orders").unwrap();
    assert_eq!((&orders["verdict"], &orders["cause"]), (&"leaking".into(), &"heap".into()));
    assert_eq!(orders["suspected_change"]["version"], "1.1.0");
    for (service, verdict) in
        [("ledger", "leaking"), ("catalog", "steady"), ("recommend", "steady")]
    {
        let entry = told(story, service);
        assert!(
            is_skipped(story, service) || entry.is_some_and(|e| e["verdict"] == verdict),
            "{service}: {entry:?}"
        );
    }
    assert_eq!(
        story["services"].as_array().unwrap().len() + story["skipped"].as_array().unwrap().len(),
        4
    );
    assert_eq!(story["incident"]["growing_class"], "shop.orders.Order");
    assert!(story["incident"]["growing_class_share"].as_f64().unwrap() > 0.8, "{story}");
    assert!(story["incident"]["detected_after_s"].as_f64().unwrap() < 200.0, "{story}");
    assert_eq!(story["audit"]["verified"], true);
}

fn has_java() -> bool {
    let found = Command::new("javac").arg("-version").output();
    if found.is_err() {
        eprintln!("skipped: javac not found, and the story is about a Java service");
    }
    found.is_ok()
}

#[test]
fn the_bad_deploy_is_found_and_rolled_back_through_the_death_of_the_server() {
    if !has_java() {
        return;
    }
    let mut demo = Demo::start(&[]);
    demo.until_said("the fleet runs");
    let agent = demo.agent();
    let status = demo.ends(STORY);
    let story = story(&demo);
    assert_eq!(status.code(), Some(0), "{story:#}");
    check_verdicts(&story);
    assert_eq!(story["outcome"], "fixed");
    assert_eq!(story["predicted_recurrence"], Value::Null);
    if !is_skipped(&story, "lease") {
        let lease = &story["lease"];
        let [taken, killed, undone] = ["taken_at", "server_killed_at", "undone_at"]
            .map(|field| lease[field].as_str().unwrap().to_owned());
        assert!(taken <= killed && killed < undone, "{lease}");
    }
    demo.expect_nothing_left(agent);
}

#[test]
fn a_restart_that_leaks_on_is_masked_and_its_next_exhaustion_is_predicted() {
    if !has_java() {
        return;
    }
    let mut demo = Demo::start(&["--story", "masked"]);
    demo.until_said("the fleet runs");
    let status = demo.ends(STORY);
    let story = story(&demo);
    assert_eq!(status.code(), Some(0), "{story:#}");
    check_verdicts(&story);
    assert_eq!(story["outcome"], "masked");
    assert!(story["predicted_recurrence"]["p50"].is_string(), "{story:#}");
}

#[test]
fn an_interrupted_demo_leaves_no_process_and_no_cgroup() {
    if !has_java() {
        return;
    }
    let mut demo = Demo::start(&[]);
    demo.until_said("the fleet runs");
    let agent = demo.agent();
    assert!(demo.processes().len() >= 3, "server, agent and the fleet run");
    demo.signal(Signal::SIGINT);
    assert_eq!(demo.ends(CLEARED).code(), Some(4));
    demo.expect_nothing_left(agent);
}

#[test]
fn a_demo_that_is_interrupted_while_it_starts_leaves_nothing_either() {
    if !has_java() {
        return;
    }
    let mut demo = Demo::start(&[]);
    demo.until_said("the page is at");
    let agent = demo.agent();
    demo.signal(Signal::SIGINT);
    assert_eq!(demo.ends(CLEARED).code(), Some(4));
    demo.expect_nothing_left(agent);
}

#[test]
fn a_killed_demo_leaves_no_process() {
    if !has_java() {
        return;
    }
    let mut demo = Demo::start(&[]);
    demo.until_said("the fleet runs");
    demo.signal(Signal::SIGKILL);
    demo.ends(CLEARED);
    demo.expect_no_process();
}

#[test]
fn an_address_that_is_taken_is_said_so() {
    let held = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = held.local_addr().unwrap().to_string();
    let dir = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_plimsoll"))
        .args(["demo", "--listen", &address, "--dir"])
        .arg(dir.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("is taken by another program"), "{said}");
}
