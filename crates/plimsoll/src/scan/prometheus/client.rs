//! One connection to a Prometheus-compatible server: bounded answers, patience with a busy server,
//! and words for what goes wrong. The server need not be what it was taken for.

use std::io::{self, Read};
use std::path::Path;
use std::thread;
use std::time::Duration;

use plimsoll_ingest::prometheus::{AnswerError, refusal_of, wants_smaller};
use reqwest::Url;
use ureq::http::header::{HeaderMap, RETRY_AFTER};
use ureq::http::{Response, StatusCode};
use ureq::tls::TlsConfig;
use ureq::{Agent, Body, Timeout};

use super::credentials::{CredentialError, Credentials};
use super::roots::{RootsError, roots};
use crate::output::{clip, printable};

const HTTPS: &str = "https";

/// Prometheus itself gives up on a query after two minutes; one that takes as long as this is
/// better asked in pieces.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Largest answer in bytes, unpacked: the label sets of some 150 000 series. What is packed small
/// and unpacks large is cut off here too.
const ANSWER_BYTES_MAX: u64 = 64 << 20;

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
    #[error(transparent)]
    Credentials(#[from] CredentialError),
    #[error(transparent)]
    Roots(#[from] RootsError),
    #[error("--ca-cert says who may vouch for a server, and http asks nobody; write https://")]
    NothingToVouchFor,
    #[error("no server answers at {at}; check the address, and that the server runs")]
    Unreachable { at: String, source: ureq::Error },
    #[error(
        "no secure connection to {at}; is it an https address, and is the authority of its \
         certificate known here? If not, give that authority's certificate with --ca-cert"
    )]
    NotSecure { at: String, source: ureq::Error },
    #[error("the server's answer broke off; ask again")]
    Interrupted(#[source] ureq::Error),
    #[error(
        "the server at {at} wants to know who asks (401); give --bearer-token-file, \
         --basic-auth-file or --header"
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
    /// Without a user.
    base: Url,
    headers: HeaderMap,
    agent: Agent,
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
        credentials: Credentials<'_>,
        ca_cert: Option<&Path>,
    ) -> Result<Self, AskError> {
        let mut base = address(server)?;
        let headers = credentials.headers(&mut base)?;
        let mut config = Agent::config_builder()
            .timeout_global(Some(ANSWER_TIMEOUT))
            .timeout_resolve(Some(CONNECT_TIMEOUT))
            .timeout_connect(Some(CONNECT_TIMEOUT))
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .user_agent(concat!("plimsoll/", env!("CARGO_PKG_VERSION")))
            .proxy(None);
        if base.scheme() == HTTPS {
            config = config.tls_config(TlsConfig::builder().root_certs(roots(ca_cert)?).build());
        } else if ca_cert.is_some() {
            return Err(AskError::NothingToVouchFor);
        }
        Ok(Self { base, headers, agent: config.build().new_agent() })
    }

    /// Whether somebody on the way can read a secret. Any header may be a key of somebody's proxy,
    /// and a user alone may be a token.
    pub(super) fn shows_a_secret_openly(&self) -> bool {
        let host = self.base.host_str().unwrap_or_default();
        let here = ["localhost", "127.0.0.1", "[::1]"].contains(&host);
        self.base.scheme() != HTTPS && !self.headers.is_empty() && !here
    }

    /// The body that the API gives for this path below `/api/v1/`.
    pub(super) fn get(&self, path: &[&str], query: &[(&str, &str)]) -> Result<Vec<u8>, AskError> {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(["api", "v1"]).extend(path);
        }
        url.query_pairs_mut().extend_pairs(query);
        self.ask(&url)
    }

    /// What is asked of a server that answered something else.
    pub(super) fn not_understood(&self, source: AnswerError) -> AskError {
        AskError::NotUnderstood { at: self.at(), source }
    }

    fn ask(&self, url: &Url) -> Result<Vec<u8>, AskError> {
        let mut wait = FIRST_WAIT;
        let mut attempts = 1;
        loop {
            match self.attempt(url)? {
                Attempt::Answer(body) => return Ok(body),
                Attempt::Again(_, error) if attempts >= ATTEMPTS_MAX => return Err(error),
                Attempt::Again(asked, _) => {
                    thread::sleep(asked.unwrap_or(wait).min(WAIT_MAX));
                    wait *= 2;
                    attempts += 1;
                }
            }
        }
    }

    fn attempt(&self, url: &Url) -> Result<Attempt, AskError> {
        let mut request = self.agent.get(url.as_str());
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let response = request.call().map_err(|error| self.unanswered(error))?;
        let status = response.status();
        let wait = retry_after(&response);
        let moved = response.headers().get("location").map(|to| format!("{to:?}"));
        let body = read_bounded(response)?;
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

    fn unanswered(&self, error: ureq::Error) -> AskError {
        let (at, source) = (self.at(), error);
        match &source {
            ureq::Error::Timeout(Timeout::Resolve | Timeout::Connect) => {
                AskError::Unreachable { at, source }
            }
            ureq::Error::Timeout(_) => AskError::TooLarge("no answer in time".into()),
            ureq::Error::Rustls(_) | ureq::Error::Tls(_) => AskError::NotSecure { at, source },
            // What TLS finds wrong with the other side comes as this.
            ureq::Error::Io(error)
                if self.base.scheme() == HTTPS && error.kind() == io::ErrorKind::InvalidData =>
            {
                AskError::NotSecure { at, source }
            }
            _ => AskError::Unreachable { at, source },
        }
    }

    fn at(&self) -> String {
        self.base.to_string()
    }
}

fn address(server: &str) -> Result<Url, AskError> {
    let url = Url::parse(server).ok().filter(Url::has_host);
    // What does not parse may hold a password anywhere, and is shown only up to an `@`.
    let shown = server.rsplit('@').next().unwrap_or_default();
    let bad = || AskError::BadUrl(quoted(shown));
    let mut url = url.ok_or_else(bad)?;
    if !["http", HTTPS].contains(&url.scheme()) {
        return Err(bad());
    }
    url.set_query(None);
    url.set_fragment(None);
    Ok(url)
}

/// Seconds; the form with a date is not worth a calendar here.
fn retry_after(response: &Response<Body>) -> Option<Duration> {
    let text = response.headers().get(RETRY_AFTER)?.to_str().ok()?;
    text.trim().parse().ok().map(Duration::from_secs)
}

fn said(body: &[u8]) -> String {
    let text = refusal_of(body).unwrap_or_else(|| String::from_utf8_lossy(body).into_owned());
    quoted(text.trim())
}

/// Foreign text as an error may repeat it.
pub(super) fn quoted(text: &str) -> String {
    clip(&printable(text), QUOTED_CHARS_MAX)
}

/// The bound counts what was unpacked.
fn read_bounded(response: Response<Body>) -> Result<Vec<u8>, AskError> {
    let mut body = Vec::new();
    let mut reader = response.into_body().into_reader().take(ANSWER_BYTES_MAX + 1);
    match reader.read_to_end(&mut body).map_err(ureq::Error::from) {
        Ok(_) if body.len() as u64 > ANSWER_BYTES_MAX => {
            Err(AskError::TooLarge(format!("over {} MiB", ANSWER_BYTES_MAX >> 20)))
        }
        Ok(_) => Ok(body),
        Err(ureq::Error::Timeout(_)) => Err(AskError::TooLarge("no answer in time".into())),
        Err(source) => Err(AskError::Interrupted(source)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_says_who_asks_is_a_secret_on_the_way() {
        let check = |url: &str, headers: &[&str], want: bool| {
            let headers: Vec<_> = headers.iter().map(|header| (*header).to_owned()).collect();
            let credentials = Credentials {
                headers: &headers,
                bearer_token_file: None,
                basic_auth_file: None,
                environment: (None, None),
            };
            let client = Client::new(url, credentials, None).unwrap();
            assert_eq!(client.shows_a_secret_openly(), want, "{url} {headers:?}");
            assert!(!format!("{client:?}").contains("s3cret"), "{client:?}");
        };
        check("http://metrics.example:9090", &[], false);
        check("http://metrics.example:9090", &["X-Api-Key: s3cret"], true);
        check("http://metrics.example:9090", &["Cookie: session=s3cret"], true);
        check("http://s3cret@metrics.example:9090", &[], true);
        check("http://user:s3cret@metrics.example:9090", &[], true);
        check("http://:s3cret@metrics.example:9090", &[], true);
        check("https://user:s3cret@metrics.example:9090", &[], false);
        check("http://127.0.0.1:9090", &["X-Api-Key: s3cret"], false);
        check("http://user:s3cret@localhost:9090", &[], false);
    }
}
