//! Who is let in: loopback hosts only, and what changes something needs a token.

use reqwest::StatusCode;
use serde_json::json;

use crate::{check_refusal, fresh};

#[tokio::test]
async fn a_request_for_another_host_is_refused_whatever_it_asks() {
    let (_dir, server) = fresh().await;
    for path in ["/", "/healthz", "/api/v1/services", "/v1/metrics", "/nowhere"] {
        for host in ["evil.example", "127.0.0.1.evil.example:7300", "10.0.0.1:7300"] {
            let request = server.http.get(server.url(path)).header("host", host);
            check_refusal(request, StatusCode::BAD_REQUEST, "bad_request").await;
        }
        let local = server.http.get(server.url(path)).header("host", "localhost:7300");
        assert_ne!(local.send().await.unwrap().status(), StatusCode::BAD_REQUEST, "{path}");
    }
}

#[tokio::test]
async fn what_changes_something_needs_the_token_of_whoever_may() {
    let (_dir, server) = fresh().await;
    let body = json!({"digest": "", "evidence": "", "approver": "anna"});
    let approve = "/api/v1/plans/plan-1/approve";
    let (poll, events) = ("/api/v1/agent/poll", "/api/v1/events");
    let denied = StatusCode::UNAUTHORIZED;
    for path in [approve, poll, events] {
        let url = server.url(path);
        for request in [
            server.http.post(&url),
            server.http.post(&url).bearer_auth("guessed"),
            server.http.post(&url).bearer_auth("0".repeat(64)),
            server.http.post(&url).header("authorization", "Basic YTpi"),
        ] {
            let said = check_refusal(request.json(&body), denied, "unauthorized").await;
            assert!(said.contains("token") && said.contains("Authorization: Bearer"), "{said}");
        }
    }
    // An agent cannot consent, and a person is no agent.
    check_refusal(server.post_as_agent(approve).json(&body), denied, "unauthorized").await;
    check_refusal(server.post_as_person(poll).json(&body), denied, "unauthorized").await;
}

#[tokio::test]
async fn a_poll_that_is_not_understood_is_refused_and_not_waited_for() {
    let (_dir, server) = fresh().await;
    let poll = || server.post_as_agent("/api/v1/agent/poll");
    let unfit = StatusCode::UNPROCESSABLE_ENTITY;
    check_refusal(poll().json(&json!({"agent": 7})), unfit, "bad_request").await;
    let text = poll().header("content-type", "application/json").body("{");
    check_refusal(text, StatusCode::BAD_REQUEST, "bad_request").await;
    for agent in ["", "a\nb", "a".repeat(200).as_str()] {
        let nobody = json!({"agent": agent, "reach": [], "receipts": []});
        check_refusal(poll().json(&nobody), StatusCode::BAD_REQUEST, "bad_request").await;
    }
    let reach = |count: usize| {
        let one = json!({"service": "", "instance": "a", "version": null, "abilities": [],
                         "missing": [], "versions": [], "predicted_pause": null});
        json!({"agent": "node-1", "reach": vec![one; count], "receipts": []})
    };
    let said = check_refusal(poll().json(&reach(1)), StatusCode::BAD_REQUEST, "bad_request").await;
    assert!(said.contains("reach.service"), "{said}");
    let said =
        check_refusal(poll().json(&reach(5000)), StatusCode::BAD_REQUEST, "bad_request").await;
    assert!(said.contains("4096"), "{said}");
}
