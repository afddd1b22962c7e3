//! Delivery against a real HTTP server that goes away, refuses, and comes back.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails where it stands")]

#[path = "shared/port.rs"]
mod port;
#[path = "shared/proxy.rs"]
mod proxy;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsPartialSuccess, ExportMetricsServiceRequest, ExportMetricsServiceResponse,
};
use opentelemetry_proto::tonic::metrics::v1::{metric, number_data_point};
use plimsoll_agent::collect::Watch;
use plimsoll_agent::counters::Counters;
use plimsoll_agent::push::queue::{Queue, QueueLimit};
use plimsoll_agent::push::{Backoff, Pusher, Token, encode};
use plimsoll_agent::{AgentOptions, run_collector};
use plimsoll_model::{Change, ChangeKind, InstanceName, Metric, Reading, ServiceName, Timestamp};
use port::Port;
use prost::Message as _;
use tokio::sync::oneshot;

const DEADLINE: Duration = Duration::from_secs(20);

/// What the server was given, and how it answers.
#[derive(Default)]
struct Sink {
    /// Values of metrics, and times of events, in order of arrival.
    taken: Mutex<Vec<i64>>,
    names: Mutex<Vec<String>>,
    authorization: Mutex<Option<String>>,
    /// Answers that are given before batches are taken.
    refusals: Mutex<Vec<StatusCode>>,
    rejected_data_points: i64,
}

impl Sink {
    fn refuses(&self, headers: &HeaderMap) -> Option<StatusCode> {
        let token = headers.get("authorization").map(|value| value.to_str().unwrap().to_owned());
        *self.authorization.lock().unwrap() = token;
        self.refusals.lock().unwrap().pop()
    }

    fn taken(&self) -> Vec<i64> {
        self.taken.lock().unwrap().clone()
    }
}

async fn metrics(
    State(sink): State<Arc<Sink>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Vec<u8>, StatusCode> {
    sink.refuses(&headers).map_or(Ok(()), Err)?;
    let request = ExportMetricsServiceRequest::decode(body).unwrap();
    let all = request.resource_metrics.iter().flat_map(|resource| &resource.scope_metrics);
    for found in all.flat_map(|scope| &scope.metrics) {
        sink.names.lock().unwrap().push(found.name.clone());
        if let Some(metric::Data::Gauge(gauge)) = &found.data
            && let Some(number_data_point::Value::AsDouble(value)) = gauge.data_points[0].value
        {
            sink.taken.lock().unwrap().push(value as i64);
        }
    }
    let partial = ExportMetricsPartialSuccess {
        rejected_data_points: sink.rejected_data_points,
        error_message: String::new(),
    };
    Ok(ExportMetricsServiceResponse { partial_success: Some(partial) }.encode_to_vec())
}

async fn events(
    State(sink): State<Arc<Sink>>,
    headers: HeaderMap,
    body: String,
) -> Result<(), StatusCode> {
    sink.refuses(&headers).map_or(Ok(()), Err)?;
    for line in body.lines() {
        let event: serde_json::Value = serde_json::from_str(line).unwrap();
        sink.taken.lock().unwrap().push(event["ts"].as_f64().unwrap() as i64);
    }
    Ok(())
}

/// Serves until the sender is dropped; then the task ends when all answers are given.
fn serve(sink: &Arc<Sink>, port: &Port) -> (oneshot::Sender<()>, tokio::task::JoinHandle<()>) {
    let listener = port.listen();
    let router = Router::new()
        .route("/v1/metrics", post(metrics))
        .route("/api/v1/events", post(events))
        .with_state(Arc::clone(sink));
    let (stop, stopped) = oneshot::channel::<()>();
    let task = tokio::spawn(async move {
        let until = async { drop(stopped.await) };
        axum::serve(listener, router).with_graceful_shutdown(until).await.unwrap();
    });
    (stop, task)
}

async fn wait_for(holds: impl Fn() -> bool) {
    let poll = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(DEADLINE, poll).await.expect("the condition comes true in time");
}

fn reading(value: i64) -> Reading {
    Reading {
        at: Timestamp::from_secs(value),
        service: ServiceName::new("orders").unwrap(),
        version: None,
        instance: InstanceName::new("orders-0").unwrap(),
        metric: Metric::ProcessFds,
        value: value as f64,
    }
}

fn restart(at: i64) -> Change {
    Change {
        at: Timestamp::from_secs(at),
        kind: ChangeKind::Restart,
        service: ServiceName::new("orders").unwrap(),
        instance: None,
        version: None,
        attributes: [].into(),
    }
}

/// Every tenth batch holds an event, the others a reading; each carries its number.
fn enqueue(queue: &Queue, numbers: std::ops::Range<i64>) {
    for number in numbers {
        if number % 10 == 9 {
            queue.push(encode::events(&[restart(number)]).unwrap());
        } else {
            encode::metrics(&[reading(number)]).into_iter().for_each(|payload| queue.push(payload));
        }
    }
}

fn pusher(port: &Port, limit: QueueLimit) -> (Arc<Queue>, Arc<Counters>, Pusher) {
    let counters = Arc::new(Counters::default());
    let queue = Arc::new(Queue::new(limit, Arc::clone(&counters)));
    let backoff = Backoff { first: Duration::from_millis(5), longest: Duration::from_millis(20) };
    let server = format!("http://{}/", port.address());
    let parts = (Arc::clone(&queue), Arc::clone(&counters));
    let pusher = Pusher::new(&server, Token::new("s3cret"), backoff, parts.0, parts.1).unwrap();
    (queue, counters, pusher)
}

#[tokio::test]
async fn a_server_that_was_away_gets_every_batch_in_order() {
    let port = Port::any();
    let (queue, counters, pusher) = pusher(&port, QueueLimit::default());
    let pushing = tokio::spawn(async move { pusher.run().await });
    enqueue(&queue, 0..50);
    wait_for(|| counters.deliveries_failed() >= 3).await;

    let sink = Arc::new(Sink::default());
    let busy = [StatusCode::SERVICE_UNAVAILABLE, StatusCode::TOO_MANY_REQUESTS];
    sink.refusals.lock().unwrap().extend(busy.into_iter().cycle().take(5));
    let (stop, serving) = serve(&sink, &port);
    wait_for(|| sink.taken().len() == 50).await;
    drop(stop);
    serving.await.unwrap();

    let failed = counters.deliveries_failed();
    enqueue(&queue, 50..80);
    wait_for(|| counters.deliveries_failed() >= failed + 2).await;
    let (stop, _) = serve(&sink, &port);
    queue.close();
    tokio::time::timeout(DEADLINE, pushing).await.unwrap().unwrap();
    drop(stop);

    assert_eq!(sink.taken(), (0..80).collect::<Vec<_>>());
    assert_eq!(counters.batches_delivered(), 80);
    assert_eq!(counters.batches_dropped() + counters.batches_refused(), 0);
    assert_eq!((counters.queue_batches(), counters.queue_bytes()), (0, 0));
    assert_eq!(sink.authorization.lock().unwrap().as_deref(), Some("Bearer s3cret"));
}

#[tokio::test]
async fn after_a_long_outage_the_newest_batches_are_there() {
    let port = Port::any();
    let (queue, counters, pusher) = pusher(&port, QueueLimit { batches: 5, bytes: 1 << 20 });
    enqueue(&queue, 0..23);
    let sink = Arc::new(Sink::default());
    let (_stop, _) = serve(&sink, &port);
    queue.close();
    tokio::time::timeout(DEADLINE, pusher.run()).await.unwrap();
    assert_eq!(sink.taken(), [18, 19, 20, 21, 22]);
    assert_eq!(counters.batches_dropped(), 18);
}

#[tokio::test]
async fn what_the_server_refuses_is_counted_and_does_not_block_the_rest() {
    let sink = Arc::new(Sink { rejected_data_points: 1, ..Sink::default() });
    sink.refusals.lock().unwrap().push(StatusCode::BAD_REQUEST);
    let port = Port::any();
    let (_stop, _) = serve(&sink, &port);
    let (queue, counters, pusher) = pusher(&port, QueueLimit::default());
    enqueue(&queue, 0..4);
    queue.close();
    tokio::time::timeout(DEADLINE, pusher.run()).await.unwrap();
    assert_eq!(sink.taken(), [1, 2, 3]);
    assert_eq!(counters.batches_refused(), 1);
    assert_eq!(counters.readings_refused(), 3);
}

#[tokio::test]
async fn a_running_agent_delivers_this_machine_and_stops_when_told() {
    let sink = Arc::new(Sink::default());
    let port = Port::any();
    let (_stop, _) = serve(&sink, &port);
    let node = InstanceName::new("here").unwrap();
    let options = AgentOptions {
        interval: Duration::from_millis(50),
        ..AgentOptions::new(&format!("http://{}", port.address()), Watch::Labelled, node)
    };
    let counters = Arc::clone(&options.counters);
    let (stop, stopped) = oneshot::channel::<()>();
    let agent = tokio::spawn(run_collector(options, async { drop(stopped.await) }));
    wait_for(|| counters.batches_delivered() >= 3).await;
    drop(stop);
    tokio::time::timeout(DEADLINE, agent).await.unwrap().unwrap().unwrap();
    let names = sink.names.lock().unwrap();
    assert!(names.iter().any(|name| name == "node.memory.available"));
    assert_eq!(counters.queue_batches(), 0);
}

#[tokio::test]
async fn an_address_that_is_none_is_refused_at_the_start() {
    let node = InstanceName::new("here").unwrap();
    let options = AgentOptions::new("127.0.0.1:1", Watch::Labelled, node);
    let error = run_collector(options, std::future::pending()).await.unwrap_err();
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert!(source.contains("http://127.0.0.1:7300"), "{source}");
}

#[test]
fn readings_go_to_the_server_whatever_proxy_is_named() {
    proxy::passes_and_ignores_the_proxy(
        "a_running_agent_delivers_this_machine_and_stops_when_told",
    );
}
