//! One connection to a Prometheus-compatible server: bounded answers, patience with a busy server,
//! and words for what goes wrong. The server need not be what it was taken for.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use plimsoll_ingest::prometheus::{AnswerError, refusal_of, wants_smaller};
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::{Response, StatusCode, Url};
use tokio::runtime::{self, Runtime};

use crate::output::{clip, printable};

/// Prometheus itself gives up on a query after two minutes; one that takes as long as this is
/// better asked in pieces.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Largest answer in bytes, unpacked: the label sets of some 150 000 series. What is packed small
/// and unpacks large is cut off here too.
const ANSWER_BYTES_MAX: usize = 64 << 20;

/// Times that a busy server is asked the same thing, and the waits between: 0.5, 1, 2, 4, 8 s.
const ATTEMPTS_MAX: u32 = 6;
const FIRST_WAIT: Duration = Duration::from_millis(500);

/// Longest wait that a server may ask for. Whoever scans sits in front of it.
const WAIT_MAX: Duration = Duration::from_secs(30);

/// Characters of foreign text that an error repeats.
const QUOTED_CHARS_MAX: usize = 300;

/// Why the server gave no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AskError {
    #[error("`{0}` is not the address of a server; write it as http://127.0.0.1:9090")]
    BadUrl(String),
    #[error(
        "https is not spoken yet; forward a local port to the server (`kubectl port-forward`, \
         `ssh -L`) and give its address"
    )]
    Https,
    #[error("`{0}` is not a header; write it as `Name: value`")]
    BadHeader(String),
    #[error("cannot read the token in `{}`; check that it exists and may be read", path.display())]
    TokenFile { path: PathBuf, source: io::Error },
    #[error("the token in `{}` is empty or holds control characters", .0.display())]
    BadToken(PathBuf),
    #[error("cannot start the client")]
    Start(#[source] io::Error),
    #[error("cannot make the client")]
    Make(#[source] reqwest::Error),
    #[error("no server answers at {at}; check the address, and that the server runs")]
    Unreachable { at: String, source: reqwest::Error },
    #[error("the server's answer broke off; ask again")]
    Interrupted(#[source] reqwest::Error),
    #[error(
        "the server at {at} wants to know who asks (401); give --bearer-token-file or --header"
    )]
    Unauthorized { at: String },
    #[error("the server at {at} does not let this caller read (403); ask whoever runs it")]
    Forbidden { at: String },
    #[error("the server at {at} points elsewhere ({to}); give that address")]
    Moved { at: String, to: String },
    #[error("{at} has no query API; is it a Prometheus-compatible server, and the whole address?")]
    NoApi { at: String },
    #[error("the server at {at} is too busy ({status}); ask later, or for less with --since")]
    Busy { at: String, status: StatusCode },
    #[error("the server refused ({status}): {said}")]
    Refused { status: StatusCode, said: String },
    #[error("the answer of the server at {at} is not understood; is it Prometheus-compatible?")]
    NotUnderstood { at: String, source: AnswerError },
    /// Worth asking in smaller pieces.
    #[error("the answer is too large or takes too long: {0}")]
    TooLarge(String),
}

/// A server, and how to ask it.
#[derive(Debug)]
pub(super) struct Client {
    base: Url,
    http: reqwest::Client,
    runtime: Runtime,
    has_secret: bool,
}

/// What one attempt came to.
enum Attempt {
    Answer(Vec<u8>),
    /// Ask again, after this wait if the server named one.
    Again(Option<Duration>, AskError),
}

impl Client {
    pub(super) fn new(
        server: &str,
        headers: &[String],
        token_file: Option<&Path>,
    ) -> Result<Self, AskError> {
        let base = address(server)?;
        let mut all = HeaderMap::new();
        for text in headers {
            let (name, value) = header(text).ok_or_else(|| {
                // The value may be a secret.
                let name = text.split(':').next().unwrap_or_default();
                AskError::BadHeader(clip(&printable(name), QUOTED_CHARS_MAX))
            })?;
            all.append(name, value);
        }
        if let Some(path) = token_file {
            all.insert(AUTHORIZATION, token(path)?);
        }
        // Any header may be a key of somebody's proxy, and a user alone may be a token.
        let named = !base.username().is_empty() || base.password().is_some();
        let has_secret = !all.is_empty() || named;
        let http = reqwest::Client::builder()
            .timeout(ANSWER_TIMEOUT)
            .connect_timeout(CONNECT_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .default_headers(all)
            .no_proxy()
            .build()
            .map_err(AskError::Make)?;
        let runtime = runtime::Builder::new_current_thread().enable_all().build();
        Ok(Self { base, http, runtime: runtime.map_err(AskError::Start)?, has_secret })
    }

    /// Whether somebody on the way can read a secret.
    pub(super) fn shows_a_secret_openly(&self) -> bool {
        let host = self.base.host_str().unwrap_or_default();
        let here = ["localhost", "127.0.0.1", "[::1]"].contains(&host);
        self.has_secret && !here
    }

    /// The body that the API gives for this path below `/api/v1/`.
    pub(super) fn get(&self, path: &[&str], query: &[(&str, &str)]) -> Result<Vec<u8>, AskError> {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(["api", "v1"]).extend(path);
        }
        url.query_pairs_mut().extend_pairs(query);
        self.runtime.block_on(self.ask(&url))
    }

    /// What is asked of a server that answered something else.
    pub(super) fn not_understood(&self, source: AnswerError) -> AskError {
        AskError::NotUnderstood { at: self.at(), source }
    }

    async fn ask(&self, url: &Url) -> Result<Vec<u8>, AskError> {
        let mut wait = FIRST_WAIT;
        let mut attempts = 1;
        loop {
            match self.attempt(url).await? {
                Attempt::Answer(body) => return Ok(body),
                Attempt::Again(_, error) if attempts >= ATTEMPTS_MAX => return Err(error),
                Attempt::Again(asked, _) => {
                    tokio::time::sleep(asked.unwrap_or(wait).min(WAIT_MAX)).await;
                    wait *= 2;
                    attempts += 1;
                }
            }
        }
    }

    async fn attempt(&self, url: &Url) -> Result<Attempt, AskError> {
        let response = match self.http.get(url.clone()).send().await {
            Ok(response) => response,
            Err(slow) if slow.is_timeout() && !slow.is_connect() => {
                return Err(AskError::TooLarge("no answer in time".into()));
            }
            Err(source) => {
                let source = source.without_url();
                return Err(AskError::Unreachable { at: self.at(), source });
            }
        };
        let status = response.status();
        let wait = retry_after(&response);
        let moved = response.headers().get("location").map(|to| format!("{to:?}"));
        let body = read_bounded(response).await?;
        if status.is_success() {
            return Ok(Attempt::Answer(body));
        }
        if wants_smaller(status.as_u16(), &body) {
            return Err(AskError::TooLarge(said(&body)));
        }
        let at = self.at();
        match status {
            StatusCode::TOO_MANY_REQUESTS
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::BAD_GATEWAY => Ok(Attempt::Again(wait, AskError::Busy { at, status })),
            StatusCode::UNAUTHORIZED => Err(AskError::Unauthorized { at }),
            StatusCode::FORBIDDEN => Err(AskError::Forbidden { at }),
            StatusCode::NOT_FOUND if refusal_of(&body).is_none() => Err(AskError::NoApi { at }),
            _ if status.is_redirection() => {
                let to = clip(&printable(&moved.unwrap_or_default()), QUOTED_CHARS_MAX);
                Err(AskError::Moved { at, to })
            }
            _ => Err(AskError::Refused { status, said: said(&body) }),
        }
    }

    /// The address without what is secret in it.
    fn at(&self) -> String {
        let mut url = self.base.clone();
        let cleared = url.set_username("").and_then(|()| url.set_password(None));
        if cleared.is_err() {
            return "that address".into();
        }
        url.to_string()
    }
}

fn address(server: &str) -> Result<Url, AskError> {
    let url = Url::parse(server).ok().filter(Url::has_host);
    // What does not parse may hold a password anywhere, and is shown only up to an `@`.
    let shown = server.rsplit('@').next().unwrap_or_default();
    let bad = || AskError::BadUrl(clip(&printable(shown), QUOTED_CHARS_MAX));
    let mut url = url.ok_or_else(bad)?;
    match url.scheme() {
        "http" => {
            url.set_query(None);
            url.set_fragment(None);
            Ok(url)
        }
        "https" => Err(AskError::Https),
        _ => Err(bad()),
    }
}

fn header(text: &str) -> Option<(HeaderName, HeaderValue)> {
    let (name, value) = text.split_once(':')?;
    let mut value = HeaderValue::from_str(value.trim()).ok()?;
    value.set_sensitive(true);
    Some((name.trim().parse().ok()?, value))
}

fn token(path: &Path) -> Result<HeaderValue, AskError> {
    let unreadable = |source| AskError::TokenFile { path: path.to_owned(), source };
    let text = fs::read_to_string(path).map_err(unreadable)?;
    let value = HeaderValue::from_str(&format!("Bearer {}", text.trim())).ok();
    let value = value.filter(|_| !text.trim().is_empty());
    let mut value = value.ok_or_else(|| AskError::BadToken(path.to_owned()))?;
    value.set_sensitive(true);
    Ok(value)
}

/// Seconds; the form with a date is not worth a calendar here.
fn retry_after(response: &Response) -> Option<Duration> {
    let text = response.headers().get(RETRY_AFTER)?.to_str().ok()?;
    text.trim().parse().ok().map(Duration::from_secs)
}

fn said(body: &[u8]) -> String {
    let text = refusal_of(body).unwrap_or_else(|| String::from_utf8_lossy(body).into_owned());
    clip(&printable(text.trim()), QUOTED_CHARS_MAX)
}

async fn read_bounded(mut response: Response) -> Result<Vec<u8>, AskError> {
    let mut body = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if body.len() + chunk.len() > ANSWER_BYTES_MAX => {
                return Err(AskError::TooLarge(format!("over {} MiB", ANSWER_BYTES_MAX >> 20)));
            }
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) => return Ok(body),
            Err(slow) if slow.is_timeout() => {
                return Err(AskError::TooLarge("no answer in time".into()));
            }
            Err(source) => return Err(AskError::Interrupted(source.without_url())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_says_who_asks_is_a_secret_on_the_way() {
        let check = |url: &str, headers: &[&str], want: bool| {
            let headers: Vec<_> = headers.iter().map(|header| (*header).to_owned()).collect();
            let client = Client::new(url, &headers, None).unwrap();
            assert_eq!(client.shows_a_secret_openly(), want, "{url} {headers:?}");
        };
        check("http://metrics.example:9090", &[], false);
        check("http://metrics.example:9090", &["X-Api-Key: s3cret"], true);
        check("http://metrics.example:9090", &["Cookie: session=s3cret"], true);
        check("http://s3cret@metrics.example:9090", &[], true);
        check("http://user:s3cret@metrics.example:9090", &[], true);
        check("http://:s3cret@metrics.example:9090", &[], true);
        check("http://127.0.0.1:9090", &["X-Api-Key: s3cret"], false);
        check("http://user:s3cret@localhost:9090", &[], false);
    }
}
