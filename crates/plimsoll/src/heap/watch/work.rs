//! A counter of work done, read from an endpoint in Prometheus' text format.

use std::str::FromStr;
use std::time::Duration;

use reqwest::Url;

use crate::exit::Failure;

/// An endpoint of metrics answers in milliseconds; one that does not is not waited for at length.
const PATIENCE: Duration = Duration::from_secs(10);

/// Largest answer that is read, in bytes: an endpoint with a hundred thousand series has some 10 MB.
const ANSWER_BYTES_MAX: usize = 32 << 20;

/// Where the counter is.
#[derive(Clone, Debug)]
pub(super) struct WorkCounter {
    url: Url,
    metric: String,
}

impl FromStr for WorkCounter {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const WRONG: &str = "write it as http://127.0.0.1:8080/metrics#http_requests_total";
        let mut url = Url::parse(text).map_err(|_| WRONG)?;
        let metric = url.fragment().filter(|metric| !metric.is_empty()).ok_or(WRONG)?.to_owned();
        if !matches!(url.scheme(), "http" | "https") {
            return Err(WRONG.into());
        }
        url.set_fragment(None);
        Ok(Self { url, metric })
    }
}

/// Why the counter was not read.
#[derive(Debug, thiserror::Error)]
pub(super) enum WorkError {
    #[error("cannot read {url}; growth is not told by the request")]
    Ask { url: Url, source: reqwest::Error },
    #[error("{url} answers with more than {ANSWER_BYTES_MAX} bytes; name a smaller endpoint")]
    TooLong { url: Url },
    #[error("{url} has no metric `{metric}`; growth is not told by the request")]
    NoMetric { url: Url, metric: String },
}

/// Reads the counter.
pub(super) struct Counter {
    place: WorkCounter,
    client: reqwest::Client,
}

impl Counter {
    pub(super) fn new(place: &WorkCounter) -> Result<Self, Failure> {
        let client = reqwest::Client::builder().timeout(PATIENCE).no_proxy().build();
        Ok(Self { place: place.clone(), client: client.map_err(Failure::failed)? })
    }

    pub(super) async fn read(&self) -> Result<f64, WorkError> {
        let WorkCounter { url, metric } = &self.place;
        let shown = without_password(url);
        let asking = |source: reqwest::Error| WorkError::Ask {
            url: shown.clone(),
            source: source.without_url(),
        };
        let answer = self.client.get(url.clone()).send().await.map_err(asking)?;
        let mut answer = answer.error_for_status().map_err(asking)?;
        let mut body = Vec::new();
        while let Some(piece) = answer.chunk().await.map_err(asking)? {
            if body.len() + piece.len() > ANSWER_BYTES_MAX {
                return Err(WorkError::TooLong { url: shown });
            }
            body.extend_from_slice(&piece);
        }
        let sum = sum(&String::from_utf8_lossy(&body), metric);
        sum.ok_or_else(|| WorkError::NoMetric { url: shown, metric: metric.clone() })
    }
}

/// The address as it may be shown.
fn without_password(url: &Url) -> Url {
    let mut shown = url.clone();
    if shown.set_username("").and_then(|()| shown.set_password(None)).is_err() {
        // An address that can have neither has neither.
        return url.clone();
    }
    shown
}

/// The sum of all series of a metric; None where there is none.
fn sum(text: &str, metric: &str) -> Option<f64> {
    let value = |line: &str| {
        let rest = line.strip_prefix(metric)?;
        let rest = match rest.strip_prefix('{') {
            Some(labels) => behind_labels(labels)?,
            None => rest.strip_prefix([' ', '\t'])?,
        };
        let value: f64 = rest.split_ascii_whitespace().next()?.parse().ok()?;
        value.is_finite().then_some(value)
    };
    let values: Vec<f64> = text.lines().filter_map(value).collect();
    (!values.is_empty()).then(|| values.iter().sum())
}

/// What follows the labels of a series: their values are quoted, and may hold a brace.
fn behind_labels(text: &str) -> Option<&str> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'}' if !is_quoted => return text.get(at + 1..),
            b'"' if !is_escaped => is_quoted = !is_quoted,
            _ => {}
        }
        is_escaped = byte == b'\\' && !is_escaped;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_not_shown() {
        let url: Url = "http://me:secret@127.0.0.1:1/metrics".parse().unwrap();
        assert_eq!(without_password(&url).as_str(), "http://127.0.0.1:1/metrics");
    }

    #[test]
    fn the_series_of_a_metric_are_summed_and_no_others() {
        const TEXT: &str = "# TYPE http_requests_total counter\n\
            http_requests_total{path=\"/a}\",code=\"200\"} 10 1700000000000\n\
            http_requests_total{code=\"500\"} 2.5 # {trace_id=\"c\"} 99 1700000000\n\
            http_requests_total_created{code=\"500\"} 99\n\
            http_requests_total{code=\"404\"} NaN\n\
            jobs_total 7\n";
        assert_eq!(sum(TEXT, "http_requests_total"), Some(12.5));
        assert_eq!(sum(TEXT, "jobs_total"), Some(7.0));
        assert_eq!(sum(TEXT, "jobs"), None);
    }

    #[test]
    fn a_counter_is_a_place_and_a_name() {
        let place: WorkCounter = "http://127.0.0.1:1/metrics#done_total".parse().unwrap();
        assert_eq!(
            (place.url.as_str(), place.metric.as_str()),
            ("http://127.0.0.1:1/metrics", "done_total")
        );
        for wrong in ["http://127.0.0.1:1/metrics", "http://x/#", "file:///x#y", "metrics#x"] {
            assert!(wrong.parse::<WorkCounter>().is_err(), "{wrong}");
        }
    }
}
