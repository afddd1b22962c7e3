//! How it starts, why it does not, and how it ends.

use std::error::Error as _;
use std::net::TcpListener;
use std::time::Duration;

use plimsoll_server::ServeError;
use serde_json::json;

use crate::server::{Server, options};
use crate::{check_refusal, fresh};

/// What the issue grants a server to end in, with a long poll open.
const END: Duration = Duration::from_secs(3);

#[tokio::test]
async fn a_second_server_on_one_directory_is_told_who_has_it() {
    let (dir, _server) = fresh().await;
    let error = Server::start(options(dir.path())).await.err().unwrap();
    let cause = error.source().unwrap().to_string();
    assert!(matches!(error, ServeError::Open(_)), "{error:?}");
    assert!(cause.contains(&format!("in use by process {}", std::process::id())), "{cause}");
}

#[tokio::test]
async fn a_port_that_is_taken_is_named_before_anything_is_opened() {
    let holder = TcpListener::bind("127.0.0.1:0").unwrap();
    let dir = tempfile::tempdir().unwrap();
    let mut options = options(dir.path());
    options.listen = holder.local_addr().unwrap();
    let error = Server::start(options).await.err().unwrap().to_string();
    assert!(error.contains(&holder.local_addr().unwrap().to_string()), "{error}");
    assert!(error.contains("--listen"), "{error}");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn an_address_that_others_reach_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let mut options = options(dir.path());
    options.listen = "0.0.0.0:0".parse().unwrap();
    let error = Server::start(options).await.err().unwrap();
    assert!(error.to_string().contains("0.0.0.0:0 is not a loopback address"), "{error}");
}

#[tokio::test]
async fn it_ends_within_three_seconds_while_an_agent_waits_for_orders() {
    let (dir, server) = fresh().await;
    let poll = json!({"agent": "node-1", "reach": [], "receipts": []});
    let request = server.post_as_agent("/api/v1/agent/poll").json(&poll);
    let polling = tokio::spawn(request.send());
    // The poll is open when the agent was seen: that is counted before it waits.
    let metrics = server.url("/metrics");
    loop {
        let text = server.http.get(&metrics).send().await.unwrap().text().await.unwrap();
        if text.contains("plimsoll_agent_polls_total 1\n") {
            break;
        }
    }
    // Neither a sender that stops in the middle of its request.
    let mut stuck = tokio::net::TcpStream::connect(server.address).await.unwrap();
    let head = b"POST /v1/metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n";
    tokio::io::AsyncWriteExt::write_all(&mut stuck, head).await.unwrap();

    let ended = tokio::time::timeout(END, server.stop()).await;
    ended.expect("it ends in time").unwrap();
    assert!(polling.await.unwrap().is_ok_and(|answer| answer.status() != 500));
    // What the stuck sender holds goes with its runtime, in a moment.
    let free = async { while Server::start(options(dir.path())).await.is_err() {} };
    tokio::time::timeout(END, free).await.expect("the directory is free again");
}

#[tokio::test]
async fn an_unknown_plan_cannot_be_approved() {
    let (_dir, server) = fresh().await;
    let digest = "ab".repeat(32);
    let body = json!({"digest": digest, "evidence": digest, "approver": "anna"});
    let request = server.post_as_person("/api/v1/plans/plan-1/approve").json(&body);
    check_refusal(request, reqwest::StatusCode::NOT_FOUND, "no_such_plan").await;
}
