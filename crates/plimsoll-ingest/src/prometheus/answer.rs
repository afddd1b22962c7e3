//! The JSON of the query API, read: names, label sets, curves, and refusals. Bodies come from
//! outside and are bounded by whoever received them.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use plimsoll_model::{Span, Timestamp};
use serde::de::{DeserializeOwned, Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::query::Window;
use crate::moment;
use crate::rejection::{Reason, Rejection, Rejections, quotable};

/// The labels of one series.
pub type Labels = BTreeMap<String, String>;

/// What a server says when an answer would be larger than it allows. Prometheus, Thanos, Mimir and
/// VictoriaMetrics word it differently, and agree on none of the status codes.
const TOO_LARGE_WORDS: [&str; 8] = [
    "too many samples",
    "exceeded maximum resolution",
    "too many points",
    "limit exceeded",
    "exceeds the limit",
    "exceeded the maximum",
    "timed out",
    "timeout",
];

/// Entries of one list of an answer. The largest answers that are taken hold 150 000 label sets as
/// servers have them; empty ones would be ten times as many, and in memory fifty times their text.
const LISTED_MAX: usize = 500_000;

/// Why an answer holds nothing that can be read.
#[derive(Debug, thiserror::Error)]
pub enum AnswerError {
    #[error("the answer is not that of a Prometheus-compatible server")]
    NotPrometheus(#[source] serde_json::Error),
    #[error("the server refused: {0}")]
    Refused(String),
    #[error("the answer is a success without data")]
    NoData,
    #[error("the answer is a `{0}` where curves were asked for")]
    NotCurves(String),
}

/// One series over time.
#[derive(Clone, Debug, PartialEq)]
pub struct Curve {
    pub labels: Labels,
    /// In order of time, one a moment; values may be NaN or infinite.
    pub points: Vec<(Timestamp, f64)>,
}

/// Curves, and how many points of them were none.
#[derive(Debug)]
pub struct Curves {
    pub curves: Vec<Curve>,
    pub rejections: Rejections,
}

#[derive(Deserialize)]
struct Envelope<Payload> {
    status: String,
    data: Option<Payload>,
    #[serde(default)]
    error: String,
}

#[derive(Deserialize)]
struct Matrix {
    #[serde(rename = "resultType")]
    kind: String,
    #[serde(default)]
    result: Listed<MatrixCurve>,
}

/// Native histograms come under another key, and are not read.
#[derive(Deserialize)]
struct MatrixCurve {
    metric: Labels,
    #[serde(default)]
    values: Vec<Point>,
}

struct Point(f64, f64);

/// The names of metrics, from `/api/v1/label/__name__/values`.
pub fn names(body: &[u8]) -> Result<Vec<String>, AnswerError> {
    open(body).map(|Listed(names)| names)
}

/// Label sets, from `/api/v1/series`.
pub fn series(body: &[u8]) -> Result<Vec<Labels>, AnswerError> {
    open(body).map(|Listed(series)| series)
}

/// Curves, from `/api/v1/query_range`. A point outside of the window that was asked about is not
/// taken: a single one of 1970 would be the begin of the outline of its series. A step beyond the
/// ends is none: VictoriaMetrics rounds the ends of a question outwards.
pub fn matrix(body: &[u8], asked: Window, step: Span) -> Result<Curves, AnswerError> {
    let Matrix { kind, result: Listed(result) } = open(body)?;
    if kind != "matrix" {
        return Err(AnswerError::NotCurves(quotable(&kind)));
    }
    let window = Window { from: asked.from - step, to: asked.to + step };
    let mut rejections = Rejections::default();
    let curves = result.into_iter().map(|raw| curve(raw, window, &mut rejections)).collect();
    Ok(Curves { curves, rejections })
}

/// What the server says of a question that it did not answer; none where the body is not its own.
pub fn refusal_of(body: &[u8]) -> Option<String> {
    let envelope: Envelope<serde::de::IgnoredAny> = serde_json::from_slice(body).ok()?;
    (envelope.status == "error").then_some(envelope.error)
}

/// Whether the same question in smaller pieces may be answered.
pub fn wants_smaller(status: u16, body: &[u8]) -> bool {
    let said = refusal_of(body).unwrap_or_default().to_lowercase();
    let says = TOO_LARGE_WORDS.iter().any(|words| said.contains(words));
    matches!(status, 413 | 504) || (matches!(status, 400 | 422 | 500 | 503) && says)
}

fn open<Payload: DeserializeOwned>(body: &[u8]) -> Result<Payload, AnswerError> {
    let envelope: Envelope<Payload> =
        serde_json::from_slice(body).map_err(AnswerError::NotPrometheus)?;
    match envelope {
        Envelope { status, data: Some(data), .. } if status == "success" => Ok(data),
        Envelope { status, error, .. } if status == "error" => {
            Err(AnswerError::Refused(quotable(&error)))
        }
        Envelope { .. } => Err(AnswerError::NoData),
    }
}

fn curve(raw: MatrixCurve, window: Window, rejections: &mut Rejections) -> Curve {
    let mut point = |Point(secs, value)| {
        let at = moment::from_unix_secs(secs).and_then(|at| within(at, window));
        at.map_err(|rejection| rejections.add(None, rejection)).ok().map(|at| (at, value))
    };
    let mut points: Vec<_> = raw.values.into_iter().filter_map(&mut point).collect();
    // Every such server gives them in order; what reads them must not depend on it.
    points.sort_by_key(|(at, _)| *at);
    points.dedup_by_key(|(at, _)| *at);
    Curve { labels: raw.metric, points }
}

fn within(at: Timestamp, window: Window) -> Result<Timestamp, Rejection> {
    if window.from <= at && at <= window.to {
        return Ok(at);
    }
    let detail = format!(
        "{} s is not in {} to {}",
        at.as_secs_f64(),
        window.from.as_secs_f64(),
        window.to.as_secs_f64()
    );
    Err(Rejection::new(Reason::OutsideWindow, &detail))
}

impl<'de> Deserialize<'de> for Point {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(PointVisitor)
    }
}

/// `[1780000000.5, "1.5e9"]`, without keeping the text: an answer has some hundred thousand.
struct PointVisitor;

impl<'de> Visitor<'de> for PointVisitor {
    type Value = Point;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a time and a value")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut pair: A) -> Result<Point, A::Error> {
        let missing = || A::Error::custom("a point has a time and a value");
        let secs = pair.next_element()?.ok_or_else(missing)?;
        let Number(value) = pair.next_element()?.ok_or_else(missing)?;
        Ok(Point(secs, value))
    }
}

/// A list of at most [`LISTED_MAX`] entries.
struct Listed<Entry>(Vec<Entry>);

impl<Entry> Default for Listed<Entry> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, Entry: Deserialize<'de>> Deserialize<'de> for Listed<Entry> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(ListVisitor(PhantomData))
    }
}

struct ListVisitor<Entry>(PhantomData<Entry>);

impl<'de, Entry: Deserialize<'de>> Visitor<'de> for ListVisitor<Entry> {
    type Value = Listed<Entry>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Listed<Entry>, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = list.next_element()? {
            if entries.len() >= LISTED_MAX {
                return Err(A::Error::custom("a list has more entries than any server's"));
            }
            entries.push(entry);
        }
        Ok(Listed(entries))
    }
}

struct Number(f64);

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(NumberVisitor)
    }
}

struct NumberVisitor;

impl Visitor<'_> for NumberVisitor {
    type Value = Number;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number as text")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Number, E> {
        text.parse().map(Number).map_err(|_| E::custom("a value is not a number"))
    }
}
