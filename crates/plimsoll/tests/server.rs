//! `plimsoll server` as a process: what becomes of what it acknowledged when it is killed, when its
//! disk is full, and when it is told to stop.
//!
//! What it answers is tested in `plimsoll-server`; here stand signals, disks and exit codes.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop here")]

#[path = "server/corpus.rs"]
mod corpus;
#[path = "server/full_disk.rs"]
mod full_disk;
#[path = "server/killed.rs"]
mod killed;
#[path = "server/resumed.rs"]
mod resumed;
#[path = "server/stopped.rs"]
mod stopped;
#[path = "server/streamed.rs"]
mod streamed;
#[path = "server/up.rs"]
mod up;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use reqwest::{Client, RequestBuilder, StatusCode};
use serde_json::{Value, json};

/// A server process; it is killed when it is dropped.
struct Server {
    child: Child,
    /// Kept open: a server whose reader is gone must not be what is tested.
    _out: BufReader<ChildStdout>,
    url: String,
    dir: PathBuf,
    http: Client,
}

impl Server {
    fn start(dir: &Path) -> Self {
        Self::of("server", dir)
    }

    /// `plimsoll server`, or `plimsoll up` with its agent inside.
    fn of(subcommand: &str, dir: &Path) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_plimsoll"));
        command.args([subcommand, "--listen", "127.0.0.1:0", "--format", "json", "--dir"]).arg(dir);
        let command = command.stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut text = String::new();
        // The one object of the output, on one line or on several.
        let started = loop {
            let read = out.read_line(&mut text).unwrap();
            assert!(read > 0, "it ended before it listened: {text}");
            if let Ok(started) = serde_json::from_str::<Value>(&text) {
                break started;
            }
        };
        let url = format!("http://{}", started["listening"].as_str().unwrap());
        let http = Client::builder().no_proxy().build().unwrap();
        Self { child, _out: out, url, dir: dir.to_owned(), http }
    }

    fn get(&self, path: &str) -> RequestBuilder {
        self.http.get(format!("{}{path}", self.url))
    }

    fn post(&self, path: &str) -> RequestBuilder {
        let token = std::fs::read_to_string(self.dir.join("agent.token")).unwrap();
        self.http.post(format!("{}{path}", self.url)).bearer_auth(token)
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id() as i32), signal).unwrap();
    }

    /// Waits for the process to end, but not for long.
    async fn ended(&mut self, within: Duration) -> Option<ExitStatus> {
        let child = &mut self.child;
        let ended = async {
            loop {
                if let Some(status) = child.try_wait().unwrap() {
                    return status;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(within, ended).await.ok()
    }

    /// What is measured of an instance, as the server shows it: milliseconds and value.
    async fn curve(&self, instance: &str) -> BTreeMap<i64, i64> {
        let path = "/api/v1/services/orders/series?metric=process.memory.rss";
        let answer = self.get(path).send().await.unwrap();
        if answer.status() == StatusCode::NOT_FOUND {
            return BTreeMap::new();
        }
        let found: Value = answer.json().await.unwrap();
        let mut curve = BTreeMap::new();
        for life in found["series"].as_array().unwrap() {
            let points: Vec<(f64, f64)> = serde_json::from_value(life["points"].clone()).unwrap();
            for (secs, value) in points.into_iter().filter(|_| life["instance"] == instance) {
                let millis = (secs * 1000.0).round() as i64;
                assert_eq!(curve.insert(millis, value as i64), None, "{millis} is there twice");
            }
        }
        curve
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn now_millis() -> i64 {
    std::time::UNIX_EPOCH.elapsed().unwrap().as_millis() as i64
}

/// One batch: samples of one instance at these milliseconds, all with one value.
fn batch(instance: &str, millis: impl Iterator<Item = i64>, value: i64) -> Value {
    let text = |key: &str, value: &str| json!({"key": key, "value": {"stringValue": value}});
    let point = |at: i64| json!({"timeUnixNano": (at * 1_000_000).to_string(), "asDouble": value});
    let points: Vec<_> = millis.map(point).collect();
    json!({"resourceMetrics": [{
        "resource": {"attributes": [
            text("service.name", "orders"), text("service.instance.id", instance),
        ]},
        "scopeMetrics": [{"metrics": [
            {"name": "process.memory.rss", "gauge": {"dataPoints": points}}
        ]}],
    }]})
}

fn verify_audit(dir: &Path) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_plimsoll"));
    let output = command.args(["audit", "verify", "--format", "json"]).arg(dir).output().unwrap();
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(output.status.success() && found["verified"] == true, "{found}");
    assert!(found["entries"].as_u64().unwrap() > 0, "{found}");
}
