//! Asking a running server, over plain HTTP: it listens on this machine only.

use std::time::Duration;

use plimsoll_wire::api::ErrorBody;
use reqwest::{Response, StatusCode, Url};
use serde::de::DeserializeOwned;
use tokio::runtime::{self, Runtime};

use crate::exit::Failure;
use crate::output::{clip, printable};

/// A server on this machine answers in milliseconds; one that computes may take seconds.
const TIMEOUT: Duration = Duration::from_secs(15);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// Largest answer in bytes: some hundreds of incidents with their captures. What listens there
/// need not be our server.
const ANSWER_BYTES_MAX: usize = 64 << 20;

/// Characters of foreign text that an error repeats.
const QUOTED_CHARS_MAX: usize = 300;

/// Why the server gave no answer.
#[derive(Debug, thiserror::Error)]
enum AskError {
    #[error("`{0}` is not the address of a server; write it as http://127.0.0.1:7300")]
    BadUrl(String),
    #[error("cannot start the client")]
    Start(#[source] std::io::Error),
    #[error(
        "no server answers at {url}; start one with `plimsoll up`, or say where it is with --server"
    )]
    Unreachable { url: Url, source: reqwest::Error },
    #[error("the server's answer broke off; ask again")]
    Interrupted(#[source] reqwest::Error),
    #[error("the answer has more than {ANSWER_BYTES_MAX} bytes; is {url} a Plimsoll server?")]
    TooLarge { url: Url },
    #[error("the answer is not understood; is {url} a Plimsoll server of this version?")]
    NotUnderstood { url: Url, source: serde_json::Error },
    #[error("{message}; {what_now}")]
    Refused { message: String, what_now: String },
    #[error("the server answered {status} to {url}; is it a Plimsoll server?")]
    Status { status: StatusCode, url: Url },
}

/// A connection to one server.
#[derive(Debug)]
pub(super) struct Client {
    base: Url,
    http: reqwest::Client,
    runtime: Runtime,
}

impl Client {
    pub(super) fn new(server: &str) -> Result<Self, Failure> {
        let bad =
            || Failure::bad_input(AskError::BadUrl(clip(&printable(server), QUOTED_CHARS_MAX)));
        let base = Url::parse(server).map_err(|_| bad())?;
        if base.scheme() != "http" || base.cannot_be_a_base() {
            return Err(bad());
        }
        let http = reqwest::Client::builder()
            .timeout(TIMEOUT)
            .connect_timeout(CONNECT_TIMEOUT)
            .no_proxy()
            .build()
            .map_err(Failure::failed)?;
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|source| Failure::failed(AskError::Start(source)))?;
        Ok(Self { base, http, runtime })
    }

    /// Reads `/api/v1/` with these segments behind it.
    pub(super) fn get<T: DeserializeOwned>(&self, path: &[&str]) -> Result<T, Failure> {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(["api", "v1"]).extend(path);
        }
        let (status, body) = self.runtime.block_on(self.ask(&url)).map_err(Failure::failed)?;
        if !status.is_success() {
            return Err(refusal(status, &body, url));
        }
        serde_json::from_slice(&body)
            .map_err(|source| Failure::failed(AskError::NotUnderstood { url, source }))
    }

    async fn ask(&self, url: &Url) -> Result<(StatusCode, Vec<u8>), AskError> {
        let unreachable = |source| AskError::Unreachable { url: url.clone(), source };
        let response = self.http.get(url.clone()).send().await.map_err(unreachable)?;
        Ok((response.status(), read_bounded(response, url).await?))
    }
}

async fn read_bounded(mut response: Response, url: &Url) -> Result<Vec<u8>, AskError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(AskError::Interrupted)? {
        if body.len() + chunk.len() > ANSWER_BYTES_MAX {
            return Err(AskError::TooLarge { url: url.clone() });
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// What the server does not have is the asker's mistake; anything else is the server's.
fn refusal(status: StatusCode, body: &[u8], url: Url) -> Failure {
    let error = match serde_json::from_slice::<ErrorBody>(body) {
        Ok(ErrorBody { error }) => AskError::Refused {
            message: clip(&printable(&error.message), QUOTED_CHARS_MAX),
            what_now: clip(&printable(&error.what_now), QUOTED_CHARS_MAX),
        },
        Err(_) => return Failure::failed(AskError::Status { status, url }),
    };
    if status.is_client_error() { Failure::bad_input(error) } else { Failure::failed(error) }
}
