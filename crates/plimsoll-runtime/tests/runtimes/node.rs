//! The V8 inspector against real Node.js processes.

use std::net::TcpListener;
use std::time::Duration;

use crate::program::{Program, find, proc_root, within};
use plimsoll_model::Bytes;
use plimsoll_runtime::v8::{Inspector, InspectorError, Patience};
use plimsoll_runtime::{RuntimeKind, identify};
use rustix::process::Signal;

const SERVICE: &str = "
    const kept = [];
    require('readline').createInterface({ input: process.stdin }).on('line', (line) => {
        if (line === 'hang') { console.log('hanging'); for (;;) {} }
        for (let i = 0; i < 200000; i++) kept.push({ order: i });
        console.log('kept');
    });
    console.log('ready');
";

fn start(options: &[&str], prelude: &str) -> Option<Program> {
    find("node")?;
    let folder = tempfile::tempdir().expect("there is a folder for temporary files");
    let script = format!("{prelude}{SERVICE}");
    std::fs::write(folder.path().join("service.js"), script).expect("the folder is ours");
    let arguments: Vec<&str> = options.iter().copied().chain(["service.js"]).collect();
    Some(Program::start("node", &arguments, folder))
}

/// A port that was free a moment ago; Node.js processes of other tests want the default one.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has free ports");
    listener.local_addr().expect("it is bound").port()
}

fn patience() -> Patience {
    Patience { open: Duration::from_secs(60), answer: Duration::from_secs(60) }
}

async fn is_open(port: u16) -> bool {
    tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok()
}

#[tokio::test]
async fn an_inspector_that_we_opened_is_closed_again() {
    let port = free_port();
    let Some(mut program) = start(&[&format!("--inspect-port=127.0.0.1:{port}")], "") else {
        return;
    };
    assert_eq!(identify(proc_root(), program.pid()).kind, RuntimeKind::Node);
    assert!(!is_open(port).await);
    let mut inspector = Inspector::open(proc_root(), program.pid(), patience()).await.unwrap();
    assert!(inspector.opened_by_us());

    let before = inspector.heap_usage().await.unwrap();
    program.say("keep");
    program.expect_line("kept");
    assert!(inspector.collect_garbage().await.unwrap() > Duration::ZERO);
    let after = inspector.heap_usage().await.unwrap();
    assert!(after.used.0 > before.used.0 + 2_000_000, "{before:?} {after:?}");
    let memory = inspector.memory_usage().await.unwrap();
    assert!(memory.rss > memory.heap_used && memory.heap_used > Bytes::from_mib(2), "{memory:?}");

    inspector.close().await;
    let closed = async {
        while is_open(port).await {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), closed).await.unwrap();
    program.say("keep");
    program.expect_line("kept");
    let again = Inspector::open(proc_root(), program.pid(), patience()).await.unwrap();
    again.close().await;
}

#[tokio::test]
async fn an_inspector_that_was_open_stays_open() {
    let port = free_port();
    let Some(mut program) = start(&[&format!("--inspect=127.0.0.1:{port}")], "") else { return };
    let mut inspector = Inspector::open(proc_root(), program.pid(), patience()).await.unwrap();
    assert!(!inspector.opened_by_us());
    inspector.heap_usage().await.unwrap();
    inspector.close().await;
    assert!(is_open(port).await && program.is_running());
}

#[tokio::test]
async fn a_port_that_another_process_holds_is_not_talked_to() {
    let holder = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = holder.local_addr().unwrap().port();
    let Some(mut program) = start(&[&format!("--inspect-port={port}")], "") else { return };
    let patience = Patience { open: Duration::from_secs(1), ..patience() };
    let error = Inspector::open(proc_root(), program.pid(), patience).await.unwrap_err();
    assert!(matches!(error, InspectorError::NotOpened { .. }), "{error}");
    holder.set_nonblocking(true).unwrap();
    assert!(holder.accept().is_err(), "nobody connected to it");
    assert!(program.is_running());
}

#[tokio::test]
async fn a_service_with_its_own_handler_is_not_inspected_and_survives() {
    let option = format!("--inspect-port={}", free_port());
    let prelude = "process.on('SIGUSR1', () => console.log('own handler'));\n";
    let Some(mut program) = start(&[&option], prelude) else { return };
    let patience = Patience { open: Duration::from_secs(1), ..patience() };
    let error = Inspector::open(proc_root(), program.pid(), patience).await.unwrap_err();
    assert!(matches!(error, InspectorError::NotOpened { .. }), "{error}");
    program.expect_line("own handler");
    assert!(program.is_running());
}

#[tokio::test]
async fn a_busy_event_loop_times_out_and_a_killed_process_is_gone() {
    let port = free_port();
    let Some(mut program) = start(&[&format!("--inspect=127.0.0.1:{port}")], "") else { return };
    let patience = Patience { answer: Duration::from_millis(300), ..patience() };
    let mut inspector = Inspector::open(proc_root(), program.pid(), patience).await.unwrap();
    program.signal(Signal::STOP);
    program.wait_until_state('T');
    let error = inspector.heap_usage().await.unwrap_err();
    assert!(matches!(error, InspectorError::TimedOut { .. }), "{error}");
    program.signal(Signal::CONT);
    program.signal(Signal::KILL);
    within(Duration::from_secs(60), || !program.is_running());
    let error = inspector.heap_usage().await.unwrap_err();
    assert!(matches!(error, InspectorError::Gone { .. }), "{error}");
}

#[tokio::test]
async fn a_process_that_sigusr1_would_kill_is_not_signalled() {
    let error = Inspector::open(proc_root(), std::process::id(), patience()).await.unwrap_err();
    assert!(matches!(error, InspectorError::SignalKills { .. }), "{error}");
    let error = Inspector::open(proc_root(), u32::MAX, patience()).await.unwrap_err();
    assert!(matches!(error, InspectorError::Gone { .. }), "{error}");
}
