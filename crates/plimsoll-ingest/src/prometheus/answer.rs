//! The JSON of the query API, read: names, label sets, curves, and refusals. Bodies come from
//! outside and are bounded by whoever received them.

use std::collections::BTreeMap;
use std::fmt;

use plimsoll_model::Timestamp;
use serde::de::{DeserializeOwned, Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::moment;

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
    /// In order of time; values may be NaN or infinite.
    pub points: Vec<(Timestamp, f64)>,
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
    result: Vec<MatrixCurve>,
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
    open(body)
}

/// Label sets, from `/api/v1/series`.
pub fn series(body: &[u8]) -> Result<Vec<Labels>, AnswerError> {
    open(body)
}

/// Curves, from `/api/v1/query_range`.
pub fn matrix(body: &[u8]) -> Result<Vec<Curve>, AnswerError> {
    let Matrix { kind, result } = open(body)?;
    if kind != "matrix" {
        return Err(AnswerError::NotCurves(kind));
    }
    Ok(result.into_iter().map(curve).collect())
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
        Envelope { status, error, .. } if status == "error" => Err(AnswerError::Refused(error)),
        Envelope { .. } => Err(AnswerError::NoData),
    }
}

fn curve(raw: MatrixCurve) -> Curve {
    let point = |Point(secs, value)| Some((moment::from_unix_secs(secs).ok()?, value));
    Curve { labels: raw.metric, points: raw.values.into_iter().filter_map(point).collect() }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn curves_are_read_with_the_values_that_json_has_no_numbers_for() {
        let body = br#"{"status":"success","data":{"resultType":"matrix","result":[
            {"metric":{"__name__":"up","job":"a"},
             "values":[[1780000000,"1"],[1780000000.25,"NaN"],[1780000001,"+Inf"],[1e99,"1"]]},
            {"metric":{},"histograms":[[1780000000,{"count":"1"}]]}]},"warnings":["w"]}"#;
        let curves = matrix(body).unwrap();
        assert_eq!(curves.len(), 2);
        let points = &curves[0].points;
        assert_eq!(points[0], (Timestamp::from_secs(1_780_000_000), 1.0));
        assert_eq!(points[1].0, Timestamp::from_millis(1_780_000_000_250));
        assert!(points[1].1.is_nan() && points[2].1.is_infinite());
        assert_eq!((points.len(), curves[1].points.len()), (3, 0));
    }

    #[test]
    fn what_is_not_an_answer_is_told_apart() {
        let check = |body: &str, want: &str| {
            let error = matrix(body.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(want), "{error}");
        };
        check("<html>", "not that of a Prometheus");
        check(r#"{"status":"success","data":{"resultType":"vector","result":[]}}"#, "`vector`");
        check(r#"{"status":"error","errorType":"bad_data","error":"no such"}"#, "no such");
        check(r#"{"status":"success"}"#, "without data");
        let point = r#"{"status":"success","data":{"resultType":"matrix","result":[
            {"metric":{},"values":[[1,"x"]]}]}}"#;
        check(point, "not that of a Prometheus");
    }

    #[test]
    fn names_and_label_sets_are_read() {
        let body = br#"{"status":"success","data":["a","b"]}"#;
        assert_eq!(names(body).unwrap(), ["a", "b"]);
        let body = br#"{"status":"success","data":[{"__name__":"a","pod":"x"}]}"#;
        assert_eq!(series(body).unwrap()[0]["pod"], "x");
    }

    #[test]
    fn an_answer_that_was_too_large_is_asked_for_in_pieces_and_a_mistake_is_not() {
        let said = |text: &str| format!(r#"{{"status":"error","error":"{text}"}}"#).into_bytes();
        let many = said("query processing would load too many samples into memory");
        assert!(wants_smaller(422, &many));
        let fine = said("exceeded maximum resolution of 11,000 points per timeseries");
        assert!(wants_smaller(400, &fine));
        assert!(wants_smaller(503, &said("query timed out in expression evaluation")));
        assert!(wants_smaller(504, b"<html>gateway</html>"));
        assert!(!wants_smaller(400, &said("parse error: unexpected character")));
        assert!(!wants_smaller(401, b"timeout"));
    }
}
