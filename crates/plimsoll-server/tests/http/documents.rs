//! What the server says of itself: health, self-telemetry, the OpenAPI document, the page.

use std::collections::BTreeSet;

use reqwest::{Method, StatusCode};

use crate::{check_refusal, fresh};

#[tokio::test]
async fn a_server_that_answers_is_alive_and_ready() {
    let (_dir, server) = fresh().await;
    for (path, want) in [("/healthz", "ok\n"), ("/readyz", "ready\n")] {
        let answer = server.http.get(server.url(path)).send().await.unwrap();
        assert_eq!((answer.status(), answer.text().await.unwrap()), (StatusCode::OK, want.into()));
    }
}

/// `name{label="value"} number`, or a comment that Prometheus knows.
fn is_exposition(line: &str) -> bool {
    if let Some(comment) = line.strip_prefix("# ") {
        return comment.starts_with("HELP plimsoll_") || comment.starts_with("TYPE plimsoll_");
    }
    let Some((series, value)) = line.rsplit_once(' ') else { return false };
    let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
    let plain = |text: &str| text.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    let labelled = labels.strip_suffix('}').is_some_and(|labels| match labels.split_once('=') {
        None => labels.is_empty(),
        Some((key, value)) => plain(key) && plain(value.trim_matches('"')),
    });
    name.starts_with("plimsoll_") && plain(name) && labelled && value.parse::<f64>().is_ok()
}

#[tokio::test]
async fn every_line_of_the_self_telemetry_is_of_the_exposition_format() {
    let (_dir, server) = fresh().await;
    let refused = server.post_as_agent("/api/v1/events").body("nonsense").send().await.unwrap();
    assert_eq!(refused.status(), StatusCode::BAD_REQUEST);
    let answer = server.http.get(server.url("/metrics")).send().await.unwrap();
    assert_eq!(answer.headers()["content-type"], "text/plain; version=0.0.4");
    let text = answer.text().await.unwrap();
    assert!(text.ends_with('\n') && text.contains("plimsoll_rejected_total{reason="), "{text}");
    let mut named = BTreeSet::new();
    for line in text.lines() {
        assert!(is_exposition(line), "{line}");
        if let Some(kind) = line.strip_prefix("# TYPE ") {
            assert!(kind.ends_with(" counter") || kind.ends_with(" gauge"), "{line}");
            assert!(named.insert(kind.split(' ').next().unwrap()), "{line} is there twice");
        }
    }
}

#[tokio::test]
async fn every_route_is_in_the_openapi_document_and_every_path_of_it_answers() {
    let (_dir, server) = fresh().await;
    let document = server.get("/api/openapi.json").await;
    assert!(document["openapi"].as_str().unwrap().starts_with("3."), "{document}");
    let paths = document["paths"].as_object().unwrap();
    // The routes as the router declares them: one that is added there is missed here.
    let routes: BTreeSet<&str> = include_str!("../../src/serve.rs")
        .split(".route(\"")
        .skip(1)
        .map(|rest| rest.split('"').next().unwrap())
        .collect();
    assert!(routes.len() >= 12, "{routes:?}");
    assert_eq!(paths.keys().map(String::as_str).collect::<BTreeSet<_>>(), routes);
    for (path, methods) in paths {
        for method in methods.as_object().unwrap().keys() {
            let method: Method = method.to_uppercase().parse().unwrap();
            // Nothing is called so: what is asked for by name is missing, its route is not.
            let url = server.url(&path.replace("{name}", "nobody").replace("{id}", "nothing"));
            let answer = server.http.request(method.clone(), url).send().await.unwrap();
            let (status, text) = (answer.status(), answer.text().await.unwrap());
            let routed = status != StatusCode::METHOD_NOT_ALLOWED
                && (status != StatusCode::NOT_FOUND || text.contains("there is no "));
            assert!(routed, "{method} {path}: {status} {text}");
        }
    }
}

#[tokio::test]
async fn what_is_not_there_is_refused_in_the_shape_of_all_refusals() {
    let (_dir, server) = fresh().await;
    let get = |path: &str| server.http.get(server.url(path));
    check_refusal(get("/api/v2/services"), StatusCode::NOT_FOUND, "not_found").await;
    let wrong = StatusCode::METHOD_NOT_ALLOWED;
    check_refusal(server.http.post(server.url("/healthz")), wrong, "method_not_allowed").await;
}

/// Scripts and styles that a text names, as paths.
fn named_by(text: &str) -> Vec<String> {
    let is_asset = |name: &&str| [".js", ".css"].iter().any(|end| name.ends_with(end));
    let path = |name: &str| format!("/{}", name.trim_start_matches(['.', '/']));
    text.split(['"', '\'']).filter(is_asset).map(path).collect()
}

#[tokio::test]
async fn the_page_runs_nothing_but_itself() {
    let (_dir, server) = fresh().await;
    let mut seen = BTreeSet::new();
    let mut open = vec!["/".to_owned()];
    while let Some(path) = open.pop() {
        let answer = server.http.get(server.url(&path)).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
        let policy = header("content-security-policy");
        assert!(policy.contains("default-src 'none'"), "{path}: {policy}");
        assert!(policy.contains("script-src 'self';") && policy.contains("frame-ancestors 'none'"));
        assert!(!policy.contains("unsafe"), "{path}: {policy}");
        assert_eq!(header("x-content-type-options"), "nosniff");
        assert_eq!(header("referrer-policy"), "no-referrer");
        let text = answer.text().await.unwrap();
        assert!(
            !text.contains("style=\"") && !text.contains("onclick="),
            "the policy forbids them"
        );
        if seen.insert(path) {
            open.extend(named_by(&text));
        }
    }
    assert!(seen.len() >= 3, "the page names its scripts and its style: {seen:?}");
}
