//! The collector against a real JVM and a real Node.js. Skipped, and said so, where a machine has
//! none.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails where it stands")]

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::routing::post;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use plimsoll_agent::collect::{CollectOptions, Collector, Watch};
use plimsoll_agent::{AgentOptions, run_collector};
use plimsoll_model::{InstanceName, Metric, Reading, Timestamp};
use prost::Message as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

const NOW: Timestamp = Timestamp::from_secs(4_000_000_000);
const POLL: Duration = Duration::from_millis(100);
const POLLS_MAX: usize = 300;

/// Keeps 24 MiB, and collects now and then.
const KEEPER: &str = "public class Keeper {
    static java.util.List<byte[]> kept = new java.util.ArrayList<>();
    public static void main(String[] args) throws Exception {
        for (int i = 0; i < 24; i++) kept.add(new byte[1 << 20]);
        while (true) { System.gc(); Thread.sleep(200); }
    }
}";

struct Service(Child);

impl Service {
    fn start(mut command: Command, service: &str) -> Option<Self> {
        command.env("OTEL_SERVICE_NAME", service);
        command.env("OTEL_RESOURCE_ATTRIBUTES", format!("service.instance.id={service}-0"));
        match command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn() {
            Ok(child) => Some(Self(child)),
            Err(error) => {
                eprintln!("skipped: {service} cannot be started ({error})");
                None
            }
        }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

fn value(readings: &[Reading], service: &str, metric: Metric) -> Option<f64> {
    let of_service = |reading: &&Reading| reading.service.as_str() == service;
    let mut found = readings.iter().filter(of_service);
    found.find(|reading| reading.metric == metric).map(|reading| reading.value)
}

#[test]
fn the_live_set_of_a_jvm_is_seen_after_a_collection() {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("Keeper.java");
    std::fs::write(&source, KEEPER).unwrap();
    let mut java = Command::new("java");
    java.args(["-Xmx128m", "-XX:+UseSerialGC"]).arg(&source);
    let Some(_jvm) = Service::start(java, "live-jvm") else { return };
    let node = InstanceName::new("here").unwrap();
    let options = CollectOptions::this_machine(Watch::Labelled, node);
    let mut collector = Collector::new(options).unwrap();
    for _ in 0..POLLS_MAX {
        let readings = collector.round(NOW).readings;
        let of = |metric| value(&readings, "live-jvm", metric);
        if let Some(live) = of(Metric::RuntimeHeapLive).filter(|live| *live > 24e6) {
            assert!(live < of(Metric::RuntimeHeapLimit).unwrap());
            assert!(of(Metric::RuntimeHeapCommitted).unwrap() >= live);
            assert!(of(Metric::RuntimeGcCount).unwrap() > 0.9);
            assert!(of(Metric::RuntimeGcPause).unwrap() > 0.0);
            assert!(of(Metric::RuntimeClasses).unwrap() > 100.0);
            assert!(of(Metric::RuntimeNonheapUsed).unwrap() > 1e5);
            return;
        }
        std::thread::sleep(POLL);
    }
    panic!("no live set of 24 MiB was seen in {:?}", POLL * POLLS_MAX as u32);
}

/// A server that hands on the names of the metrics it is given.
async fn serve() -> (String, mpsc::Receiver<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let (sender, names) = mpsc::channel(1000);
    let take = move |body: Bytes| {
        let sender = sender.clone();
        async move {
            let request = ExportMetricsServiceRequest::decode(body).unwrap();
            let scopes = request.resource_metrics.into_iter().flat_map(|one| one.scope_metrics);
            let names = scopes.flat_map(|scope| scope.metrics).map(|metric| metric.name);
            drop(sender.send(names.collect()).await);
        }
    };
    let router = Router::new().route("/v1/metrics", post(take));
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (address, names)
}

/// A `/proc` in which one process exists: an agent that inspects sends signals, and may only reach
/// the process that its test started.
fn proc_with_only(pid: u32) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    for name in ["stat", "mounts", "meminfo", "self", &pid.to_string()] {
        std::os::unix::fs::symlink(format!("/proc/{name}"), root.path().join(name)).unwrap();
    }
    root
}

#[tokio::test]
async fn a_node_process_is_asked_for_its_heap_and_its_inspector_is_closed_again() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let mut node = Command::new("node");
    node.arg(format!("--inspect-port={port}")).args(["-e", "setInterval(() => {}, 1000)"]);
    let Some(node) = Service::start(node, "live-node") else { return };
    let (server, mut names) = serve().await;
    let here = InstanceName::new("here").unwrap();
    let root = proc_with_only(node.0.id());
    let mut options = AgentOptions::new(&server, Watch::Labelled, here);
    options.interval = POLL;
    options.collect.inspect_v8 = true;
    options.collect.proc_root = root.path().to_owned();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let agent = tokio::spawn(run_collector(options, async { drop(stopped.await) }));
    let heap_used = async {
        while let Some(found) = names.recv().await {
            if found.iter().all(|name| name.starts_with("runtime.heap.")) && !found.is_empty() {
                return;
            }
        }
    };
    let deadline = POLL * POLLS_MAX as u32;
    tokio::time::timeout(deadline, heap_used).await.expect("the heap is told");
    assert!(TcpStream::connect(("127.0.0.1", port)).await.is_ok(), "the inspector is open");
    drop((stop, names));
    tokio::time::timeout(deadline, agent).await.unwrap().unwrap().unwrap();
    let closed = async {
        while TcpStream::connect(("127.0.0.1", port)).await.is_ok() {
            tokio::time::sleep(POLL).await;
        }
    };
    tokio::time::timeout(deadline, closed).await.expect("the inspector is closed");
}
