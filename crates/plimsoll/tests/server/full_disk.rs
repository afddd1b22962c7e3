//! A full disk: refused with the reason, seen from outside, and on it goes when there is space.
//! Needs to mount a small file system, so it is skipped, and says so, where it may not.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use nix::sys::signal::Signal;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::{Server, batch, now_millis, verify_audit};

/// Everything here is retried within seconds.
const DEADLINE: Duration = Duration::from_secs(15);

/// A file system of 16 MiB, gone when it is dropped.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn mount() -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=16m", "tmpfs"]).arg(dir.path());
        let mounted = mount.output().is_ok_and(|output| output.status.success());
        mounted.then(|| Self(dir))
    }

    fn dir(&self) -> &Path {
        self.0.path()
    }

    /// Takes all the space that is left.
    fn fill(&self) {
        let mut filler = File::options().create(true).append(true).open(self.filler()).unwrap();
        while filler.write_all(&[1; 4096]).is_ok() {}
        while filler.write_all(&[1]).is_ok() {}
    }

    fn make_space(&self) {
        std::fs::remove_file(self.filler()).unwrap();
    }

    fn filler(&self) -> std::path::PathBuf {
        self.dir().join("filler")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("-l").arg(self.dir()).output());
    }
}

struct Sender<'a> {
    server: &'a Server,
    start: i64,
    /// Numbers of the batches that were acknowledged.
    kept: Vec<i64>,
    next: i64,
}

impl Sender<'_> {
    /// Sends one batch; none when it was taken, else the refusal.
    async fn send(&mut self) -> Option<Value> {
        let number = self.next;
        self.next += 1;
        // One series a batch: new rows in two tables, so that the database cannot but grow.
        let instance = format!("orders-{number}");
        let body = batch(&instance, self.start..self.start + 300, number);
        let answer = self.server.post("/v1/metrics").json(&body).send().await.unwrap();
        let status = answer.status();
        let said: Value = answer.json().await.unwrap();
        if status == StatusCode::OK {
            self.kept.push(number);
            return None;
        }
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{said}");
        Some(said)
    }
}

/// Asks until it is answered so, and gives the body.
async fn until(server: &Server, path: &str, want: StatusCode) -> String {
    let asked = async {
        loop {
            let answer = server.get(path).send().await.unwrap();
            if answer.status() == want {
                return answer.text().await.unwrap();
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(DEADLINE, asked).await.unwrap_or_else(|_| panic!("{path} is never {want}"))
}

/// An agent that nobody knows yet: that it was seen has to be written down.
async fn meet(server: &Server, agent: &str) {
    let poll = json!({"agent": agent, "reach": [], "receipts": []});
    let request = server.post("/api/v1/agent/poll").json(&poll);
    // Whether it is answered does not matter, only that it is not waited for.
    drop(request.timeout(Duration::from_millis(300)).send().await);
}

/// A receipt is acknowledged when it is durable; here it cannot be.
async fn check_receipt_is_not_taken(server: &Server) {
    let at = "2026-01-05T00:00:00.000Z";
    let receipt = json!({
        "command": "cmd-1", "service": "orders", "instance": "orders-0",
        "action": {"kind": "process.restart"}, "started_at": at, "ended_at": at,
        "result": {"kind": "refused", "reason": "it is not here"},
    });
    let poll = json!({"agent": "node-1", "reach": [], "receipts": [receipt]});
    let answer = server.post("/api/v1/agent/poll").json(&poll).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(answer.headers().contains_key("retry-after"));
}

#[tokio::test]
async fn a_full_disk_is_told_and_nothing_is_lost_and_it_goes_on_when_there_is_space() {
    let Some(disk) = SmallDisk::mount() else {
        println!("skipped: a small file system could not be mounted here, which needs root");
        return;
    };
    let mut server = Server::start(disk.dir());
    let start = now_millis() - 600_000;
    let mut sender = Sender { server: &server, start, kept: Vec::new(), next: 0 };
    for round in 0..2 {
        assert_eq!(sender.send().await, None);
        disk.fill();
        let refused = loop {
            match sender.send().await {
                Some(refused) => break refused,
                None => assert!(sender.next < 1000, "the disk is never full"),
            }
        };
        assert!(refused["error"]["message"].as_str().unwrap().contains("disk"), "{refused}");
        assert!(refused["error"]["what_now"].is_string(), "{refused}");
        let why = until(&server, "/readyz", StatusCode::SERVICE_UNAVAILABLE).await;
        assert!(why.contains("disk"), "{why}");
        let alive = server.get("/healthz").send().await.unwrap();
        assert_eq!(alive.status(), StatusCode::OK, "full is not dead");

        meet(&server, &format!("node-{round}")).await;
        let why = until(&server, "/api/v1/services", StatusCode::SERVICE_UNAVAILABLE).await;
        assert!(why.contains("cannot_write") && why.contains("disk is full"), "{why}");

        check_receipt_is_not_taken(&server).await;

        disk.make_space();
        until(&server, "/api/v1/services", StatusCode::OK).await;
        assert_eq!(sender.send().await, None);
        until(&server, "/readyz", StatusCode::OK).await;
    }
    let kept = sender.kept.clone();

    // Told to stop while it cannot write: it says so and ends.
    disk.fill();
    meet(&server, "node-of-the-end").await;
    until(&server, "/readyz", StatusCode::SERVICE_UNAVAILABLE).await;
    server.signal(Signal::SIGTERM);
    let status = server.ended(Duration::from_secs(5)).await.expect("a full disk holds nobody up");
    assert_eq!(status.code(), Some(0));
    disk.make_space();
    verify_audit(disk.dir());

    let server = Server::start(disk.dir());
    for number in kept {
        let curve = server.curve(&format!("orders-{number}")).await;
        assert_eq!(curve.len(), 300, "the batch {number} was acknowledged");
    }
}
