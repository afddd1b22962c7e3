//! A real server in this process, on a port and a runtime of its own, and how to talk to it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use plimsoll_ingest::catalogue::Catalogue;
use plimsoll_model::{Kind, Reading};
use plimsoll_server::{
    AGENT_TOKEN_FILE, Clock, OPERATOR_TOKEN_FILE, ServeError, ServerOptions, Settings, serve,
};
use reqwest::{Client, RequestBuilder};
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

/// Dropping it ends it where it stands, as a kill does.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) dir: PathBuf,
    pub(crate) http: Client,
    stop: watch::Sender<bool>,
    ended: Option<JoinHandle<Result<(), ServeError>>>,
    runtime: Option<Runtime>,
}

pub(crate) fn options(dir: &Path) -> ServerOptions {
    ServerOptions {
        dir: dir.to_owned(),
        listen: "127.0.0.1:0".parse().unwrap(),
        settings: Settings::default(),
        catalogue: Catalogue::built_in(),
        clock: Clock::Machine,
    }
}

impl Server {
    pub(crate) async fn start(options: ServerOptions) -> Result<Self, ServeError> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let (stop, shutdown) = watch::channel(false);
        let (told, started) = oneshot::channel();
        let dir = options.dir.clone();
        let started_at = move |address| told.send(address).unwrap();
        let ended = runtime.spawn(serve(options, started_at, shutdown));
        let runtime = Some(runtime);
        let http = Client::builder().no_proxy().build().unwrap();
        match started.await {
            Ok(address) => Ok(Self { address, dir, http, stop, ended: Some(ended), runtime }),
            Err(_) => {
                let error = ended.await.unwrap().unwrap_err();
                runtime.into_iter().for_each(Runtime::shutdown_background);
                Err(error)
            }
        }
    }

    /// Ends it as a signal does, and says how that went.
    pub(crate) async fn stop(mut self) -> Result<(), ServeError> {
        self.stop.send_replace(true);
        self.ended.take().expect("it is stopped once").await.unwrap()
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        let answer = self.http.get(self.url(path)).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
        answer.json().await.unwrap()
    }

    pub(crate) fn post_as_agent(&self, path: &str) -> RequestBuilder {
        self.http.post(self.url(path)).bearer_auth(self.token(AGENT_TOKEN_FILE))
    }

    pub(crate) fn post_as_person(&self, path: &str) -> RequestBuilder {
        self.http.post(self.url(path)).bearer_auth(self.token(OPERATOR_TOKEN_FILE))
    }

    /// Sends readings as OTLP in JSON; all of them must be taken.
    pub(crate) async fn measure(&self, readings: &[Reading]) {
        let request = self.post_as_agent("/v1/metrics").json(&otlp(readings));
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 200);
        let said: Value = answer.json().await.unwrap();
        let partial = said.get("partialSuccess").filter(|partial| !partial.is_null());
        assert!(partial.is_none(), "{partial:?}");
    }

    fn token(&self, file: &str) -> String {
        std::fs::read_to_string(self.dir.join(file)).unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.runtime.take().into_iter().for_each(Runtime::shutdown_background);
    }
}

/// An `ExportMetricsServiceRequest` in JSON, one resource for each reading.
pub(crate) fn otlp(readings: &[Reading]) -> Value {
    let resource = |reading: &Reading| {
        let text = |key: &str, value: &str| json!({"key": key, "value": {"stringValue": value}});
        let mut attributes = vec![
            text("service.name", reading.service.as_str()),
            text("service.instance.id", reading.instance.as_str()),
        ];
        attributes.extend(reading.version.iter().map(|v| text("service.version", v.as_str())));
        let nanos = (reading.at.as_millis() * 1_000_000).to_string();
        let points = json!([{"timeUnixNano": nanos, "asDouble": reading.value}]);
        let name = reading.metric.name();
        let metric = match reading.metric.kind() {
            Kind::Gauge => json!({"name": name, "gauge": {"dataPoints": points}}),
            Kind::Counter => json!({"name": name, "sum": {
                "aggregationTemporality": 2, "isMonotonic": true, "dataPoints": points
            }}),
        };
        json!({"resource": {"attributes": attributes}, "scopeMetrics": [{"metrics": [metric]}]})
    };
    json!({"resourceMetrics": readings.iter().map(resource).collect::<Vec<_>>()})
}
