//! OTLP: what is taken is seen, what is not is counted or refused.

use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsServiceRequest, ExportMetricsServiceResponse,
};
use plimsoll_model::{InstanceName, Metric, Reading, ServiceName, Timestamp, Version};
use prost::Message as _;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::server::{Server, otlp};
use crate::{check_refusal, fresh};

const PROTOBUF: &str = "application/x-protobuf";

fn now() -> Timestamp {
    let since = std::time::UNIX_EPOCH.elapsed().unwrap();
    Timestamp::from_millis(since.as_millis() as i64)
}

fn reading(at: Timestamp, metric: Metric, value: f64) -> Reading {
    Reading {
        at,
        service: ServiceName::new("orders").unwrap(),
        version: Version::new("1.0.0").ok(),
        instance: InstanceName::new("orders-0").unwrap(),
        metric,
        value,
    }
}

/// The same request in protobuf: the JSON of OTLP is that of its messages.
fn protobuf(request: &Value) -> Vec<u8> {
    let message: ExportMetricsServiceRequest = serde_json::from_value(request.clone()).unwrap();
    message.encode_to_vec()
}

async fn curve(server: &Server, metric: Metric) -> Vec<(f64, f64)> {
    let found = server.get(&format!("/api/v1/services/orders/series?metric={metric}")).await;
    assert_eq!(found["series"].as_array().unwrap().len(), 1, "{found}");
    assert_eq!(found["series"][0]["instance"], "orders-0");
    serde_json::from_value(found["series"][0]["points"].clone()).unwrap()
}

async fn seen(server: &Server) -> bool {
    let found = server.get("/api/v1/services").await;
    found["services"].as_array().unwrap().iter().any(|service| service["service"] == "orders")
}

#[tokio::test]
async fn metrics_in_json_and_in_protobuf_are_stored_and_shown_and_outlive_the_server() {
    let (dir, server) = fresh().await;
    let at = now();
    server.measure(&[reading(at, Metric::ProcessMemoryRss, 5e6)]).await;
    let request = otlp(&[reading(at, Metric::ProcessFds, 40.0)]);
    let request = server.http.post(server.url("/v1/metrics")).body(protobuf(&request));
    let answer = request.header("content-type", PROTOBUF).send().await.unwrap();
    assert_eq!(
        (answer.status(), &answer.headers()["content-type"]),
        (StatusCode::OK, PROTOBUF.try_into().as_ref().unwrap())
    );
    let said = ExportMetricsServiceResponse::decode(answer.bytes().await.unwrap()).unwrap();
    assert_eq!(said.partial_success, None);

    let point = |value| vec![(at.as_secs_f64(), value)];
    assert_eq!(curve(&server, Metric::ProcessMemoryRss).await, point(5e6));
    assert_eq!(curve(&server, Metric::ProcessFds).await, point(40.0));
    server.stop().await.unwrap();
    let server = Server::start(crate::options(dir.path())).await.unwrap();
    assert_eq!(curve(&server, Metric::ProcessMemoryRss).await, point(5e6));
    // Assessed with every tick: the next one comes within a second, and is asked for by nobody.
    let deadline = std::time::Duration::from_secs(10);
    let assessed = async {
        while !seen(&server).await {
            tokio::task::yield_now().await
        }
    };
    tokio::time::timeout(deadline, assessed).await.expect("the service is assessed");
}

#[tokio::test]
async fn points_that_are_not_taken_are_counted_and_the_others_are_taken() {
    let (_dir, server) = fresh().await;
    let at = now();
    let later = Timestamp::from_millis(at.as_millis() + 3_600_000);
    let mut request = otlp(&[
        reading(at, Metric::ProcessMemoryRss, 5e6),
        reading(later, Metric::ProcessMemoryRss, 6e6),
        reading(at, Metric::ProcessFds, 40.0),
    ]);
    request["resourceMetrics"][2]["scopeMetrics"][0]["metrics"][0]["name"] = "my.own".into();
    let send = server.http.post(server.url("/v1/metrics"));
    let said: Value = send.json(&request).send().await.unwrap().json().await.unwrap();
    let partial = &said["partialSuccess"];
    assert!(partial["rejectedDataPoints"] == "2" || partial["rejectedDataPoints"] == 2, "{said}");
    let why = partial["errorMessage"].as_str().unwrap();
    assert!(why.contains("my.own") && why.contains("future"), "{why}");
    assert_eq!(curve(&server, Metric::ProcessMemoryRss).await.len(), 1);
    let text = server.http.get(server.url("/metrics")).send().await.unwrap().text().await.unwrap();
    for row in ["{reason=\"unknown_metric\"} 1", "{reason=\"time_in_future\"} 1"] {
        assert!(text.contains(row), "{row}: {text}");
    }
}

#[tokio::test]
async fn what_cannot_be_read_is_refused_with_the_reason() {
    let (_dir, server) = fresh().await;
    let post = |kind: &str, body: &'static [u8]| {
        server.http.post(server.url("/v1/metrics")).header("content-type", kind).body(body)
    };
    let bad = StatusCode::BAD_REQUEST;
    check_refusal(post(PROTOBUF, b"\xff\xff\xff"), bad, "bad_request").await;
    check_refusal(post("application/json", b"{\"resourceMetrics\": 7}"), bad, "bad_request").await;
    let wrong = StatusCode::UNSUPPORTED_MEDIA_TYPE;
    check_refusal(post("text/plain", b"{}"), wrong, "unsupported_media_type").await;
    let untyped = server.http.post(server.url("/v1/traces"));
    check_refusal(untyped, wrong, "unsupported_media_type").await;
    let packed = post(PROTOBUF, b"\x1f\x8b").header("content-encoding", "gzip");
    let said = check_refusal(packed, wrong, "unsupported_encoding").await;
    assert!(said.contains("compression"), "{said}");
    let large = server.http.post(server.url("/v1/metrics")).body(vec![0; (8 << 20) + 1]);
    let large = large.header("content-type", PROTOBUF);
    check_refusal(large, StatusCode::PAYLOAD_TOO_LARGE, "too_large").await;
    assert_eq!(server.get("/api/v1/services").await["inputs"]["samples"], 0);
}

#[tokio::test]
async fn spans_are_counted_and_bad_ones_rejected() {
    let (_dir, server) = fresh().await;
    let nanos = |millis: i64| ((now().as_millis() + millis) * 1_000_000).to_string();
    let span = |start: i64, end: i64| {
        json!({
            "traceId": "5b8aa5a2d2c872e8321cf37308d69df2", "spanId": "051581bf3cb55c13",
            "name": "GET /", "kind": 2,
            "startTimeUnixNano": nanos(start), "endTimeUnixNano": nanos(end),
        })
    };
    let text = |key: &str, value: &str| json!({"key": key, "value": {"stringValue": value}});
    let request = json!({"resourceSpans": [{
        "resource": {"attributes": [
            text("service.name", "orders"), text("service.instance.id", "orders-0"),
        ]},
        "scopeSpans": [{"spans": [span(-20, -10), span(-10, -20)]}],
    }]});
    let send = server.http.post(server.url("/v1/traces")).json(&request);
    let said: Value = send.send().await.unwrap().json().await.unwrap();
    let rejected = &said["partialSuccess"]["rejectedSpans"];
    assert!(*rejected == "1" || *rejected == 1, "{said}");
    let text = server.http.get(server.url("/metrics")).send().await.unwrap().text().await.unwrap();
    assert!(text.contains("\nplimsoll_traffic_instances 1\n"), "{text}");
}

#[tokio::test]
async fn a_curve_of_what_is_not_there_is_refused_and_names_nothing() {
    let (_dir, server) = fresh().await;
    let get = |path: &str| server.http.get(server.url(path));
    let missing = StatusCode::NOT_FOUND;
    check_refusal(get("/api/v1/services/nobody/series"), missing, "not_found").await;
    check_refusal(get("/api/v1/incidents/inc-0"), missing, "not_found").await;
    server.measure(&[reading(now(), Metric::ProcessMemoryRss, 5e6)]).await;
    let bad = StatusCode::BAD_REQUEST;
    let path = "/api/v1/services/orders/series";
    check_refusal(get(&format!("{path}?metric=my.own")), bad, "bad_request").await;
    check_refusal(get(&format!("{path}?since=yesterday")), bad, "bad_request").await;
    for since in ["1e300", "-1e300", "NaN", "inf"] {
        let answer = get(&format!("{path}?since={since}")).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{since}");
    }
}
