//! `plimsoll heap watch`: what grew in a JVM that runs, by the look and by the request.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use plimsoll_wire::heap::HeapWatchShape;
use tempfile::TempDir;

use super::Jvm;

/// An endpoint of metrics with one counter, until the test ends.
fn metrics(requests: Arc<AtomicU64>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut asked = BufReader::new(&stream).lines().map_while(Result::ok);
            assert!(asked.any(|line| line.is_empty()), "a question ends with an empty line");
            let body = format!("requests_total{{}} {}\n", requests.load(Ordering::Relaxed));
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
            stream.write_all((head + &body).as_bytes()).unwrap();
        }
    });
    address
}

struct Watching {
    child: Child,
    lines: std::io::Lines<BufReader<ChildStdout>>,
    _memory: TempDir,
}

impl Watching {
    fn start(jvm: &Jvm, arguments: &[&str]) -> Self {
        let memory = TempDir::new().unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_plimsoll"));
        command.args(["heap", "watch", &jvm.pid(), "--format", "json", "--every", "1s"]);
        command.args(["--max-pause", "60", "--dir"]).arg(memory.path()).args(arguments);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines, _memory: memory }
    }

    fn look(&mut self) -> HeapWatchShape {
        serde_json::from_str(&self.lines.next().expect("it goes on").unwrap()).unwrap()
    }

    fn end(self) -> (Option<i32>, String) {
        let output = self.child.wait_with_output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    }
}

#[test]
fn a_leak_is_told_by_the_hour_and_by_the_request() {
    let Some(mut jvm) = Jvm::start(1000) else { return };
    let requests = Arc::new(AtomicU64::new(0));
    let work = format!("http://{}/metrics#requests_total", metrics(Arc::clone(&requests)));
    let looks = TempDir::new().unwrap();
    let keep = looks.path().to_str().unwrap();
    let mut watching = Watching::start(&jvm, &["--count", "5", "--work", &work, "--keep", keep]);
    assert_eq!(watching.look().rises, []);
    let mut last = None;
    for _ in 1..5 {
        jvm.leak(20_000);
        requests.fetch_add(20_000, Ordering::Relaxed);
        last = Some(watching.look());
    }
    let last = last.unwrap();
    assert_eq!((last.looks, last.is_steady), (5, true), "{last:#?}");
    let leader = last.leader.as_deref().unwrap();
    let rise = last.rises.iter().find(|rise| rise.kind == leader).unwrap();
    assert!(leader.ends_with("Order"), "{leader}");
    // A look may come before a leak or behind it.
    let requests = last.work.unwrap();
    let each = rise.objects as f64 / requests;
    assert!((0.7..1.4).contains(&each), "{each} of {requests}");
    assert!(rise.bytes_per_hour > 1e6 && rise.bytes_per_work.unwrap() > 1.0, "{rise:?}");
    assert_eq!(watching.end().0, Some(1));
    assert_eq!(std::fs::read_dir(keep).unwrap().count(), 5);
}

#[test]
fn a_process_that_ends_ends_the_watch_and_what_rests_is_nothing_wrong() {
    let Some(mut jvm) = Jvm::start(1000) else { return };
    let mut watching = Watching::start(&jvm, &[]);
    for _ in 0..5 {
        assert!(!watching.look().is_steady);
    }
    jvm.child.kill().unwrap();
    jvm.child.wait().unwrap();
    let (code, said) = watching.end();
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("ended"), "{said}");
}

#[test]
fn what_gives_no_cheap_look_is_told() {
    let Ok(mut child) = Command::new("sleep").arg("60").spawn() else { return };
    let mut command = Command::new(env!("CARGO_BIN_EXE_plimsoll"));
    let output = command.args(["heap", "watch", &child.id().to_string()]).output().unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("heap diff"), "{said}");
}
