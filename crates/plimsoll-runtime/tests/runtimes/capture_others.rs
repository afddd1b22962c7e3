//! Captures of real Node.js, Go and CPython processes.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use plimsoll_runtime::capture::{CaptureError, Objection, Rung};
use rustix::process::Signal;
use serde_json::Value;

use crate::capturing::{Output, captured, struck};
use crate::program::{Program, find, skipped, within};

const SERVICE: &str = "
    const kept = [];
    for (let i = 0; i < 150000; i++) kept.push({ order: i, text: 'order-' + i });
    require('readline').createInterface({ input: process.stdin }).on('line', (line) => {
        if (line === 'grow') {
            setInterval(function grow() { for (let i = 0; i < 2000; i++) kept.push({ i }); }, 5);
            return console.log('growing');
        }
        for (let i = 0; i < 150000; i++) kept.push({ order: i, text: 'more-' + i });
        console.log('kept ' + kept.length);
    });
    console.log('ready');
";

fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback has free ports");
    listener.local_addr().expect("it is bound").port()
}

fn node(port: u16) -> Option<Program> {
    find("node")?;
    let folder = tempfile::tempdir().expect("there is a folder for temporary files");
    std::fs::write(folder.path().join("service.js"), SERVICE).expect("the folder is ours");
    Some(Program::start("node", &[&format!("--inspect-port={port}"), "service.js"], folder))
}

fn is_open(port: u16) -> bool {
    std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
}

/// A snapshot is JSON with as many numbers for nodes as it says, and strings that the service has.
fn check_snapshot(path: &Path) {
    let text = std::fs::read(path).expect("the capture has its name");
    let snapshot: Value = serde_json::from_slice(&text).expect("it is whole");
    let fields = snapshot["snapshot"]["meta"]["node_fields"]
        .as_array()
        .expect("every snapshot has it")
        .len();
    let nodes =
        snapshot["snapshot"]["node_count"].as_u64().expect("every snapshot has it") as usize;
    assert_eq!(snapshot["nodes"].as_array().expect("every snapshot has it").len(), nodes * fields);
    assert!(nodes > 300_000, "{nodes}");
    let strings = snapshot["strings"].as_array().expect("every snapshot has it");
    assert!(strings.iter().any(|string| string == "order-77777"));
}

#[tokio::test]
async fn a_snapshot_of_node_is_whole_and_its_inspector_is_closed_again() {
    let port = free_port();
    let Some(mut program) = node(port) else { return };
    let output = Output::new();
    let order = output.order(program.pid(), Some(Rung::Dump));
    let taken = captured(order, &output.file()).await.unwrap();
    check_snapshot(&output.file());
    assert!(taken.pause.unwrap() > Duration::from_millis(10));
    assert_eq!(taken.measured.unwrap().program, "service.js");
    within(Duration::from_secs(20), || !is_open(port));
    program.say("");
    program.expect_line("kept 300000");
}

#[tokio::test]
async fn a_sampled_profile_names_who_allocated_what_stayed() {
    let port = free_port();
    let Some(mut program) = node(port) else { return };
    let output = Output::new();
    let mut order = output.order(program.pid(), Some(Rung::Profile));
    order.profile_span = Duration::from_secs(2);
    let path = output.file();
    program.say("grow");
    program.expect_line("growing");
    let taken = captured(order, &path).await.unwrap();
    assert!(taken.pause.unwrap() < Duration::from_secs(30) && taken.measured.is_none());
    let profile: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    assert!(profile["head"].to_string().contains("\"functionName\":\"grow\""), "{profile}");
    within(Duration::from_secs(20), || !is_open(port));
}

#[tokio::test]
async fn a_node_that_stops_in_the_middle_leaves_no_file_and_no_open_inspector() {
    let port = free_port();
    let Some(program) = node(port) else { return };
    let output = Output::new();
    let mut order = output.order(program.pid(), Some(Rung::Dump));
    order.stopped_patience = Duration::from_millis(200);
    let error = struck(order, &output.file(), |_| program.signal(Signal::STOP)).await;
    assert!(matches!(error, CaptureError::Stopped { .. }), "{error}");
    assert!(output.is_empty());
    program.signal(Signal::CONT);
    within(Duration::from_secs(60), || !is_open(port));
}

#[tokio::test]
async fn a_node_that_dies_in_the_middle_is_gone() {
    let Some(program) = node(free_port()) else { return };
    let output = Output::new();
    let order = output.order(program.pid(), Some(Rung::Dump));
    let error = struck(order, &output.file(), |_| program.signal(Signal::KILL)).await;
    assert!(error.to_string().contains("ended"), "{error}");
    assert!(output.is_empty());
}

#[tokio::test]
async fn a_node_in_a_network_of_its_own_is_captured_from_outside() {
    const INSIDE: &str = "echo 1 > /dev/null; ip link set lo up && exec node service.js";
    let (Some(_), Some(_), Some(_)) = (find("node"), find("unshare"), find("ip")) else { return };
    let may = Command::new("unshare").args(["--net", "ip", "link", "set", "lo", "up"]).output();
    if !may.expect("it was found before").status.success() {
        return skipped("network namespaces cannot be made here");
    }
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("service.js"), SERVICE).unwrap();
    let program = Program::start("unshare", &["--net", "sh", "-c", INSIDE], folder);
    let output = Output::new();
    let order = output.order(program.pid(), Some(Rung::Dump));
    captured(order, &output.file()).await.unwrap();
    check_snapshot(&output.file());
}

/// `None`, and a line that says so, where there is no Go.
fn go() -> Option<Program> {
    find("go")?;
    let folder = tempfile::tempdir().expect("there is a folder for temporary files");
    std::fs::write(folder.path().join("pprof.go"), include_str!("../fixtures/pprof.go"))
        .expect("the folder is ours");
    let mut build = Command::new("go");
    build.args(["build", "-o", "service", "pprof.go"]).current_dir(folder.path());
    assert!(build.status().expect("it was found before").success(), "go refused pprof.go");
    let program = folder.path().join("service");
    Some(Program::start(program.to_str().expect("it is text"), &[], folder))
}

#[tokio::test]
async fn profiles_of_go_are_found_and_fetched() {
    let Some(program) = go() else { return };
    let output = Output::new();
    captured(output.order(program.pid(), None), &output.file()).await.unwrap();
    let file = output.file();
    let read = Command::new("go").args(["tool", "pprof", "-top", "-unit=mb"]).arg(&file).output();
    let text = String::from_utf8(read.unwrap().stdout).unwrap();
    let leak = text.lines().find(|line| line.contains("main.leak")).expect(&text);
    let megabytes: f64 = leak.trim().split("MB").next().unwrap().parse().unwrap();
    assert!((58.0..=70.0).contains(&megabytes), "{leak}");

    std::fs::remove_file(&file).unwrap();
    let order = output.order(program.pid(), Some(Rung::Goroutines));
    captured(order, &file).await.unwrap();
    assert!(std::fs::read(&file).unwrap().starts_with(&[0x1f, 0x8b]));
    std::fs::remove_file(&file).unwrap();
    let order = output.order(program.pid(), Some(Rung::Dump));
    let error = captured(order, &file).await.unwrap_err();
    assert!(error.to_string().contains("profile, goroutines, counters"), "{error}");
}

#[tokio::test]
async fn a_go_address_where_nobody_serves_profiles_is_told() {
    let Some(program) = go() else { return };
    let output = Output::new();
    let mut order = output.order(program.pid(), Some(Rung::Profile));
    order.go_address = Some(std::net::SocketAddr::from(([127, 0, 0, 1], free_port())));
    let error = captured(order, &output.file()).await.unwrap_err();
    assert!(matches!(error, CaptureError::Pprof(_)), "{error}");
    assert!(output.is_empty());
}

#[tokio::test]
async fn python_gives_counters_and_says_what_is_not_seen() {
    let Some(_) = find("python3") else { return };
    let folder = tempfile::tempdir().unwrap();
    let script = "print('ready', flush=True); input()";
    let program = Program::start("python3", &["-c", script], folder);
    let output = Output::new();
    let order = output.order(program.pid(), Some(Rung::Histogram));
    let error = captured(order, &output.file()).await.unwrap_err();
    assert!(
        matches!(&error, CaptureError::Objected { objection: Objection::CannotAsk { why }, .. }
        if why.contains("uncollectable cycles") && why.contains("3.14")),
        "{error}"
    );
    captured(output.order(program.pid(), None), &output.file()).await.unwrap();
    assert!(std::fs::read_to_string(output.file()).unwrap().contains("CPython"));
}
