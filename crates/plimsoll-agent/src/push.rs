//! Delivers batches to the server, in order, one at a time: a batch leaves the queue when the
//! server has acknowledged or refused it, so an outage delays and never reorders.
//!
//! Delivery is at least once: when an answer is lost the batch is sent again, and the server
//! recognises its samples by series and time. Used by `lib`.

pub mod encode;
pub mod queue;

use std::sync::Arc;
use std::time::Duration;

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceResponse;
use prost::Message as _;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use reqwest::{Client, Response, StatusCode};

use crate::counters::Counters;
use queue::{Batch, Payload, Queue};

/// Most of an answer that is read. Answers are a few bytes; more comes from something that is not
/// our server.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// How long a server may take to accept a connection, and to answer.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);

/// A secret that proves who the agent is. Never printed.
#[derive(Clone)]
pub struct Token(HeaderValue);

impl Token {
    /// `None` when the text cannot stand in a header.
    pub fn new(text: &str) -> Option<Self> {
        let mut value = HeaderValue::from_str(&format!("Bearer {text}")).ok()?;
        value.set_sensitive(true);
        Some(Self(value))
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(hidden)")
    }
}

/// How long to wait between attempts while the server is away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    pub first: Duration,
    pub longest: Duration,
}

impl Default for Backoff {
    /// Half a second bridges a restart of the server; half a minute does not hurt one that a
    /// thousand agents wait for.
    fn default() -> Self {
        Self { first: Duration::from_millis(500), longest: Duration::from_secs(30) }
    }
}

impl Backoff {
    /// Doubles with each failed attempt. A random share is left out, so that agents that lost
    /// their server together do not come back together.
    fn wait(&self, failures: u32, asked: Option<Duration>) -> Duration {
        let factor = 1_u32.checked_shl(failures.min(16)).unwrap_or(u32::MAX);
        let wait = self.first.saturating_mul(factor).min(self.longest);
        let jittered = wait.mul_f64(0.5 + fastrand::f64() / 2.0);
        jittered.max(asked.unwrap_or_default()).min(self.longest)
    }
}

/// Why the pusher cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum PushError {
    #[error("the server's address `{url}` is not one: give it as http://127.0.0.1:7300")]
    Address { url: String },
    #[error("the HTTP client could not be set up")]
    Client(#[source] reqwest::Error),
}

/// What became of one attempt.
#[derive(Debug)]
enum Attempt {
    Delivered {
        readings_refused: u64,
        message: String,
    },
    /// The server will never take this batch.
    Refused {
        status: StatusCode,
    },
    /// Nobody is there, or somebody who asks to come again.
    Away {
        why: String,
        asked: Option<Duration>,
    },
}

/// Sends what is in a queue.
#[derive(Debug)]
pub struct Pusher {
    client: Client,
    metrics_url: String,
    events_url: String,
    token: Option<Token>,
    backoff: Backoff,
    queue: Arc<Queue>,
    counters: Arc<Counters>,
}

impl Pusher {
    pub fn new(
        server: &str,
        token: Option<Token>,
        backoff: Backoff,
        queue: Arc<Queue>,
        counters: Arc<Counters>,
    ) -> Result<Self, PushError> {
        let base = server.trim_end_matches('/');
        if reqwest::Url::parse(base).ok().is_none_or(|url| !url.has_host()) {
            return Err(PushError::Address { url: server.to_owned() });
        }
        let client = Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(ANSWER_TIMEOUT)
            .pool_max_idle_per_host(1)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .map_err(PushError::Client)?;
        Ok(Self {
            client,
            metrics_url: format!("{base}/v1/metrics"),
            events_url: format!("{base}/api/v1/events"),
            token,
            backoff,
            queue,
            counters,
        })
    }

    /// Sends until the queue is closed and empty. Cancel it to stop at once.
    pub async fn run(&self) {
        let mut failures = 0;
        while let Some(batch) = self.queue.first().await {
            match self.attempt(&batch).await {
                Attempt::Delivered { readings_refused, message } => {
                    if readings_refused > 0 {
                        tracing::warn!(readings_refused, message, "the server left readings out");
                    }
                    self.counters.delivered(readings_refused);
                    self.queue.settle(batch.number);
                    failures = 0;
                }
                Attempt::Refused { status } => {
                    tracing::warn!(%status, "the server refused a batch for good; it is dropped");
                    self.counters.refused();
                    self.queue.settle(batch.number);
                    failures = 0;
                }
                Attempt::Away { why, asked } => {
                    self.counters.delivery_failed();
                    report_absence(failures, &why);
                    tokio::time::sleep(self.backoff.wait(failures, asked)).await;
                    failures = failures.saturating_add(1);
                }
            }
        }
    }

    async fn attempt(&self, batch: &Batch) -> Attempt {
        let (url, content_type) = match batch.payload {
            Payload::Metrics(_) => (&self.metrics_url, "application/x-protobuf"),
            Payload::Events(_) => (&self.events_url, "application/x-ndjson"),
        };
        let mut request = self.client.post(url).header(CONTENT_TYPE, content_type);
        if let Some(Token(value)) = &self.token {
            request = request.header(AUTHORIZATION, value.clone());
        }
        match request.body(batch.payload.body()).send().await {
            Ok(response) => judge(response, &batch.payload).await,
            // Without the address: people write passwords into addresses.
            Err(error) => Attempt::Away { why: chain(&error.without_url()), asked: None },
        }
    }
}

/// The first failure of an outage is a warning; a long outage does not fill the log.
fn report_absence(failures: u32, why: &str) {
    if failures == 0 {
        tracing::warn!(why, "the server cannot be reached; readings are kept until it can");
    } else {
        tracing::debug!(why, failures, "the server is still away");
    }
}

async fn judge(response: Response, payload: &Payload) -> Attempt {
    let status = response.status();
    if status.is_success() {
        return acknowledged(response, payload).await;
    }
    let asked =
        response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    match status {
        // Those that OTLP calls retryable, and those that an operator will put right while the
        // agent waits: a wrong token, a proxy without its server behind it.
        StatusCode::TOO_MANY_REQUESTS
        | StatusCode::BAD_GATEWAY
        | StatusCode::SERVICE_UNAVAILABLE
        | StatusCode::GATEWAY_TIMEOUT
        | StatusCode::REQUEST_TIMEOUT
        | StatusCode::UNAUTHORIZED
        | StatusCode::FORBIDDEN
        | StatusCode::NOT_FOUND => Attempt::Away {
            why: format!("it answered {status}"),
            asked: asked.map(Duration::from_secs),
        },
        _ => Attempt::Refused { status },
    }
}

/// Reads which part of the batch was left out. An answer that cannot be read is still a yes.
async fn acknowledged(mut response: Response, payload: &Payload) -> Attempt {
    let mut answer = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        if answer.len() + chunk.len() > ANSWER_BYTES_MAX {
            break;
        }
        answer.extend_from_slice(&chunk);
    }
    let partial = match payload {
        Payload::Metrics(_) => ExportMetricsServiceResponse::decode(answer.as_slice()).ok(),
        Payload::Events(_) => None,
    };
    let partial = partial.and_then(|answer| answer.partial_success).unwrap_or_default();
    Attempt::Delivered {
        readings_refused: u64::try_from(partial.rejected_data_points).unwrap_or(0),
        message: partial.error_message,
    }
}

/// The whole reason of a failed request in one line; the outermost error only says that it failed.
fn chain(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        source = inner.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_doubles_up_to_the_longest() {
        let backoff =
            Backoff { first: Duration::from_millis(100), longest: Duration::from_secs(2) };
        let check = |failures, low: u64, high: u64| {
            let wait = backoff.wait(failures, None);
            assert!(wait >= Duration::from_millis(low), "{wait:?}");
            assert!(wait <= Duration::from_millis(high), "{wait:?}");
        };
        check(0, 50, 100);
        check(2, 200, 400);
        check(40, 1000, 2000);
        assert_eq!(backoff.wait(0, Some(Duration::from_secs(3600))), backoff.longest);
    }

    #[test]
    fn a_token_is_not_printed() {
        let token = Token::new("s3cret").unwrap();
        assert!(!format!("{token:?} {:?}", token.0).contains("s3cret"));
        assert!(Token::new("a\nb").is_none());
    }
}
