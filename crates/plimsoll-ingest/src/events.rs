//! Events of services as JSON, one object each: lines of a file for `plimsoll scan`, or the body
//! of one request to the server.
//!
//! Not here: judging which event explains a curve. A line that cannot be used is counted and
//! never stops the rest.

use std::collections::BTreeMap;
use std::io::{self, BufRead};
use std::sync::LazyLock;

use plimsoll_model::{Change, ChangeKind, SIGNATURE_ATTRIBUTE, Timestamp};
use serde::Deserialize;
use serde_json::Value;

use crate::lines::{Line, Lines};
use crate::moment;
use crate::names::Names;
use crate::rejection::{Reason, Rejection, Rejections};
use crate::signatures::Signatures;

/// Longest event in bytes. A log message with its stack trace fits; a dump does not belong here.
pub const EVENT_BYTES_MAX: usize = 64 * 1024;

/// Attributes of one event. They are kept for as long as the event is.
const ATTRIBUTES_MAX: usize = 32;

/// Longest key of an attribute, in bytes.
const KEY_BYTES_MAX: usize = 128;

/// Longest value of an attribute, in bytes: a log line with the head of its stack trace.
const VALUE_BYTES_MAX: usize = 4096;

/// Where a `log` event holds its line.
const MESSAGE_ATTRIBUTE: &str = "message";

/// Why a stream of events could not be read to its end.
#[derive(Debug, thiserror::Error)]
#[error("the events could not be read further after line {line}")]
pub struct EventsError {
    pub line: u64,
    #[source]
    pub source: io::Error,
}

/// What was in a stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventsSummary {
    /// Events given to the sink.
    pub changes: u64,
    pub rejections: Rejections,
}

/// Reads JSON lines to the end. With `now`, events from the future are rejected.
pub fn read(
    input: impl BufRead,
    now: Option<Timestamp>,
    sink: &mut dyn FnMut(Change),
) -> Result<EventsSummary, EventsError> {
    let mut lines = Lines::new(input, EVENT_BYTES_MAX);
    let mut summary = EventsSummary::default();
    let mut last = 0;
    loop {
        let next = lines.next().map_err(|source| EventsError { line: last, source })?;
        let Some((number, line)) = next else { return Ok(summary) };
        last = number;
        let change = match line {
            Line::Whole(bytes) if bytes.trim_ascii().is_empty() => continue,
            Line::Whole(bytes) => parse(bytes, now),
            Line::TooLong => Err(too_long()),
        };
        match change {
            Ok(change) => {
                summary.changes += 1;
                sink(change);
            }
            Err(rejection) => summary.rejections.add(Some(number), rejection),
        }
    }
}

/// One event from one JSON object.
pub fn parse(bytes: &[u8], now: Option<Timestamp>) -> Result<Change, Rejection> {
    if bytes.len() > EVENT_BYTES_MAX {
        return Err(too_long());
    }
    let unreadable = |error| Rejection::new(Reason::Unreadable, &format!("{error}"));
    let event: Event = serde_json::from_slice(bytes).map_err(unreadable)?;
    let at = time(&event.ts)?;
    now.map_or(Ok(()), |now| moment::not_in_future(at, now))?;
    let unknown_kind = |_| Rejection::new(Reason::UnknownEventKind, &event.kind);
    let kind: ChangeKind = event.kind.parse().map_err(unknown_kind)?;
    let mut names = Names::default();
    let service = names.service(&event.service)?;
    let instance = match event.instance.as_deref().map(str::trim) {
        None | Some("") => None,
        Some(name) => Some(names.instance(name)?),
    };
    let version = names.version(event.version.as_deref().unwrap_or(""))?;
    let mut attributes = attributes(event.attributes.unwrap_or_default())?;
    if kind == ChangeKind::Log {
        name_signature(&mut attributes);
    }
    Ok(Change { at, kind, service, instance, version, attributes })
}

/// The shape as it is sent. Unknown fields are left out, so that senders may say more.
#[derive(Deserialize)]
struct Event {
    #[serde(default)]
    ts: Value,
    #[serde(default)]
    kind: String,
    #[serde(default)]
    service: String,
    instance: Option<String>,
    version: Option<String>,
    attributes: Option<serde_json::Map<String, Value>>,
}

fn time(ts: &Value) -> Result<Timestamp, Rejection> {
    match ts {
        Value::Null => Err(Rejection::new(Reason::TimeMissing, "no `ts`")),
        Value::Number(number) => moment::from_unix_secs(number.as_f64().unwrap_or(f64::NAN)),
        Value::String(text) => moment::parse(text),
        Value::Bool(_) | Value::Array(_) | Value::Object(_) => {
            Err(Rejection::new(Reason::UnreadableTime, &ts.to_string()))
        }
    }
}

fn attributes(
    given: serde_json::Map<String, Value>,
) -> Result<BTreeMap<String, String>, Rejection> {
    if given.len() > ATTRIBUTES_MAX {
        let detail = format!("{}, at most {ATTRIBUTES_MAX} are taken", given.len());
        return Err(Rejection::new(Reason::TooManyAttributes, &detail));
    }
    let text = |value| match value {
        Value::String(text) => text,
        other => Value::to_string(&other),
    };
    let attributes = given.into_iter().map(|(key, value)| (key, text(value)));
    attributes
        .map(|(key, value)| {
            if key.len() > KEY_BYTES_MAX || value.len() > VALUE_BYTES_MAX {
                return Err(Rejection::new(Reason::AttributeTooLong, &key));
            }
            Ok((key, value))
        })
        .collect()
}

/// What a line said is not kept where it is known what it means.
fn name_signature(attributes: &mut BTreeMap<String, String>) {
    static SIGNATURES: LazyLock<Signatures> = LazyLock::new(Signatures::built_in);
    let Some(message) = attributes.get(MESSAGE_ATTRIBUTE) else { return };
    if let Some(signature) = SIGNATURES.of(message) {
        attributes.remove(MESSAGE_ATTRIBUTE);
        attributes.insert(SIGNATURE_ATTRIBUTE.to_owned(), signature.name().to_owned());
    }
}

fn too_long() -> Rejection {
    Rejection::new(Reason::LineTooLong, &format!("more than {EVENT_BYTES_MAX} bytes"))
}

#[cfg(test)]
mod tests {
    use plimsoll_model::Span;
    use proptest::prelude::*;

    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_780_000_000);

    fn parse_text(text: &str) -> Result<Change, Rejection> {
        parse(text.as_bytes(), Some(NOW))
    }

    #[test]
    fn an_event_becomes_a_change() {
        let text = r#"{"ts": 1779999999.5, "kind": "deploy", "service": "orders",
            "instance": "orders-0", "version": "1.1.0",
            "attributes": {"by": "ci", "replicas": 3, "canary": {"share": 0.1}}}"#;
        let change = parse_text(text).unwrap();
        assert_eq!(change.at, NOW - Span::from_millis(500));
        assert_eq!(change.kind, ChangeKind::Deploy);
        assert_eq!(change.instance.unwrap().as_str(), "orders-0");
        assert_eq!(change.version.unwrap().as_str(), "1.1.0");
        let attributes: Vec<_> =
            change.attributes.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        let want = [("by", "ci"), ("canary", r#"{"share":0.1}"#), ("replicas", "3")];
        assert_eq!(attributes, want);
    }

    #[test]
    fn a_change_of_a_whole_service_has_no_instance() {
        let check = |rest: &str| {
            let text = format!(
                r#"{{"ts":"2026-05-28T20:26:40Z","kind":"scale","service":"orders"{rest}}}"#
            );
            let change = parse_text(&text).unwrap();
            assert_eq!((change.at, change.instance, change.version), (NOW, None, None));
        };
        check("");
        check(r#","instance":null,"version":null,"attributes":null,"more":[]"#);
        check(r#","instance":"","version":"","attributes":{}"#);
    }

    #[test]
    fn an_event_that_cannot_be_used_is_refused_with_its_reason() {
        let check = |text: &str, want: Reason| {
            assert_eq!(parse_text(text).unwrap_err().reason, want, "{text}");
        };
        let event = |fields: &str| format!(r#"{{"ts":1,"kind":"deploy","service":"a"{fields}}}"#);
        check("", Reason::Unreadable);
        check("[]", Reason::Unreadable);
        check("{\"ts\":1", Reason::Unreadable);
        check(&"[".repeat(60_000), Reason::Unreadable);
        check(&event(r#","instance":5"#), Reason::Unreadable);
        check(&event(r#","attributes":[]"#), Reason::Unreadable);
        check(r#"{"kind":"deploy","service":"a"}"#, Reason::TimeMissing);
        check(r#"{"ts":true,"kind":"deploy","service":"a"}"#, Reason::UnreadableTime);
        check(r#"{"ts":1780000000000,"kind":"deploy","service":"a"}"#, Reason::UnreadableTime);
        check(r#"{"ts":1780000301,"kind":"deploy","service":"a"}"#, Reason::TimeInFuture);
        check(r#"{"ts":1,"kind":"party","service":"a"}"#, Reason::UnknownEventKind);
        check(r#"{"ts":1,"kind":"deploy"}"#, Reason::MissingService);
        check(&event(&format!(r#","version":"{}""#, "1".repeat(300))), Reason::BadName);
        check(&" ".repeat(70_000), Reason::LineTooLong);
        let long = format!(r#","attributes":{{"m":"{}"}}"#, "x".repeat(5000));
        check(&event(&long), Reason::AttributeTooLong);
        let many: Vec<_> = (0..33).map(|key| format!(r#""k{key}":1"#)).collect();
        check(
            &event(&format!(r#","attributes":{{{}}}"#, many.join(","))),
            Reason::TooManyAttributes,
        );
    }

    #[test]
    fn a_line_of_a_log_whose_meaning_is_known_is_kept_as_that_alone() {
        let check = |kind: &str, message: &str, want: (&str, &str)| {
            let text = format!(
                r#"{{"ts":1,"kind":"{kind}","service":"a","attributes":{{"message":"{message}"}}}}"#
            );
            let attributes = parse_text(&text).unwrap().attributes;
            let found: Vec<_> = attributes.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
            assert_eq!(found, [want], "{message}");
        };
        check("log", "x: Too many open files", ("signature", "too_many_files"));
        check("log", "a person's note", ("message", "a person's note"));
        check("deploy", "Too many open files", ("message", "Too many open files"));
    }

    #[test]
    fn bad_lines_are_counted_and_the_rest_is_read() {
        let good = r#"{"ts":1,"kind":"deploy","service":"a"}"#;
        let huge = "x".repeat(200_000);
        let text = format!("{good}\r\n\nnonsense\n{huge}\n{good}");
        let mut changes = Vec::new();
        let summary = read(text.as_bytes(), None, &mut |change| changes.push(change)).unwrap();
        assert_eq!((changes.len(), summary.changes), (2, 2));
        assert_eq!(summary.rejections.total(), 2);
        assert_eq!(summary.rejections.examples(Reason::Unreadable)[0].line, Some(3));
        assert_eq!(summary.rejections.examples(Reason::LineTooLong)[0].line, Some(4));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(input in proptest::collection::vec(any::<u8>(), 0..500)) {
            prop_assert!(parse(&input, Some(NOW)).is_err());
            let summary = read(input.as_slice(), None, &mut |_| {}).unwrap();
            prop_assert!(summary.changes == 0);
        }

        #[test]
        fn no_number_as_time_makes_it_panic(ts in any::<f64>()) {
            let text = format!(r#"{{"ts":{ts:e},"kind":"log","service":"a"}}"#);
            let believable = (0.0..=1_780_000_300.0).contains(&ts);
            prop_assert_eq!(parse_text(&text).is_ok(), believable);
        }
    }
}
