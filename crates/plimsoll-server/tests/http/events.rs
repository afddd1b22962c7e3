//! Deploys, restarts and changes of configuration, as a pipeline tells them.

use reqwest::StatusCode;
use serde_json::Value;

use crate::server::Server;
use crate::{check_refusal, fresh, options};

const DEPLOY: &str =
    r#"{"ts": 1780000000, "kind": "deploy", "service": "orders", "version": "1.1"}"#;

async fn told(server: &Server) -> usize {
    let found = server.get("/api/v1/events?service=orders").await;
    found["events"].as_array().unwrap().len()
}

#[tokio::test]
async fn good_lines_are_taken_beside_bad_ones_which_are_counted() {
    let (_dir, server) = fresh().await;
    let restart = DEPLOY.replace("deploy", "restart");
    let body = format!("{DEPLOY}\n{{\"kind\": \"deploy\"\n{restart}\n");
    let answer = server.post_as_person("/api/v1/events").body(body).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let said: Value = answer.json().await.unwrap();
    assert_eq!((&said["taken"], &said["rejected"]), (&2.into(), &1.into()));
    assert!(said["why"].as_str().unwrap().contains("line 2"), "{said}");
    assert_eq!(told(&server).await, 2);
    assert_eq!(server.get("/api/v1/events?service=catalog").await["events"], Value::Array(vec![]));
}

#[tokio::test]
async fn an_event_over_several_lines_is_one_and_outlives_the_server() {
    let (dir, server) = fresh().await;
    let since = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let body = DEPLOY.replace("1780000000", &since.to_string()).replace(',', ",\n  ");
    for _ in 0..2 {
        let request = server.post_as_agent("/api/v1/events").body(body.clone());
        let said: Value = request.send().await.unwrap().json().await.unwrap();
        assert_eq!((&said["taken"], &said["why"]), (&1.into(), &Value::Null));
    }
    assert_eq!(told(&server).await, 1, "the same event twice is one");
    drop(server.stop().await);
    let server = Server::start(options(dir.path())).await.unwrap();
    assert_eq!(told(&server).await, 1);
}

#[tokio::test]
async fn a_body_without_any_event_is_refused_with_what_was_expected() {
    let (_dir, server) = fresh().await;
    for body in ["[]", "\u{0}\u{1}", r#"{"kind": "party", "service": "orders"}"#] {
        let request = server.post_as_agent("/api/v1/events").body(body);
        let said = check_refusal(request, StatusCode::BAD_REQUEST, "bad_request").await;
        assert!(said.contains("one JSON object a line"), "{said}");
    }
}
