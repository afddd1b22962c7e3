//! The server over HTTP, as senders, agents, people and browsers meet it: a real one, on a port.
//!
//! What it says of a leak is tested in `scenarios.rs`; here stand what it takes, what it refuses
//! and in which words, and how it starts and ends.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails where it stands")]

#[path = "http/documents.rs"]
mod documents;
#[path = "http/events.rs"]
mod events;
#[path = "http/guards.rs"]
mod guards;
#[path = "http/lifecycle.rs"]
mod lifecycle;
#[path = "support/server.rs"]
mod server;
#[path = "http/telemetry.rs"]
mod telemetry;

use reqwest::{RequestBuilder, StatusCode};
use serde_json::Value;
use tempfile::TempDir;

use server::{Server, options};

/// A server on an empty directory, which lives as long as the first of the two.
async fn fresh() -> (TempDir, Server) {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(options(dir.path())).await.unwrap();
    (dir, server)
}

/// Every refusal says what, and what to do now, in one shape.
async fn check_refusal(request: RequestBuilder, status: StatusCode, code: &str) -> String {
    let answer = request.send().await.unwrap();
    let (got, kind) = (answer.status(), answer.headers().get("content-type").cloned());
    assert_eq!(kind.unwrap(), "application/json");
    let said: Value = answer.json().await.unwrap();
    assert_eq!((got, &said["error"]["code"]), (status, &code.into()), "{said}");
    let text = |field: &str| said["error"][field].as_str().unwrap().to_owned();
    assert!(!text("what_now").is_empty() && !text("message").is_empty(), "{said}");
    format!("{}; {}", text("message"), text("what_now"))
}
