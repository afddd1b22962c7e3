//! Sends finished spans as OTLP/HTTP JSON, once a second, from its own thread. A request never waits
//! for it: the queue is bounded, the oldest span is dropped and counted, and a batch that the
//! endpoint did not take is tried again a second later.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::hash::{BuildHasher, RandomState};
use std::io::{self, BufRead, BufReader, Write as _};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use crate::clock;
use crate::options::Telemetry;

/// About 30 s of this service's spans at the demo's load.
const QUEUE_MAX: usize = 2048;
const BATCH_MAX: usize = 512;
const EXPORT_EVERY: Duration = Duration::from_secs(1);
const TIMEOUT: Duration = Duration::from_secs(1);

pub(crate) struct Spans {
    /// `None` when nobody asked for spans.
    queue: Option<Arc<Mutex<Queue>>>,
}

#[derive(Default)]
struct Queue {
    finished: VecDeque<Finished>,
    dropped: u64,
}

pub(crate) struct Span {
    trace_id: String,
    span_id: String,
    parent_id: String,
    name: &'static str,
    start: u128,
}

struct Finished {
    span: Span,
    end: u128,
    status: u16,
}

impl Spans {
    pub(crate) fn start(telemetry: Telemetry) -> io::Result<Self> {
        let Some(endpoint) = telemetry.endpoint else { return Ok(Self { queue: None }) };
        let authority = endpoint.trim_start_matches("http://").trim_end_matches('/').to_owned();
        let resource: Vec<_> = telemetry.resource.iter().map(|(k, v)| attribute(k, v)).collect();
        let queue = Arc::new(Mutex::new(Queue::default()));
        let shared = Arc::clone(&queue);
        let export = move || export_forever(&shared, &authority, &resource.join(","));
        thread::Builder::new().name("spans".into()).spawn(export)?;
        Ok(Self { queue: Some(queue) })
    }

    pub(crate) fn begin(&self, traceparent: Option<&str>, name: &'static str) -> Span {
        let (trace_id, parent_id) = traceparent
            .and_then(parse_traceparent)
            .unwrap_or_else(|| (random_id() + &random_id(), String::new()));
        Span { trace_id, span_id: random_id(), parent_id, name, start: clock::unix_nanos() }
    }

    pub(crate) fn end(&self, span: Span, status: u16) {
        let Some(queue) = &self.queue else { return };
        let mut queue = lock(queue);
        queue.finished.push_back(Finished { span, end: clock::unix_nanos(), status });
        queue.trim();
    }

    pub(crate) fn dropped(&self) -> u64 {
        self.queue.as_ref().map_or(0, |queue| lock(queue).dropped)
    }
}

impl Queue {
    fn trim(&mut self) {
        let excess = self.finished.len().saturating_sub(QUEUE_MAX);
        self.finished.drain(..excess);
        self.dropped += excess as u64;
    }

    fn put_back(&mut self, batch: Vec<Finished>) {
        batch.into_iter().rev().for_each(|span| self.finished.push_front(span));
        self.trim();
    }
}

fn lock(queue: &Mutex<Queue>) -> MutexGuard<'_, Queue> {
    queue.lock().unwrap_or_else(PoisonError::into_inner)
}

fn export_forever(queue: &Mutex<Queue>, authority: &str, resource: &str) {
    loop {
        thread::sleep(EXPORT_EVERY);
        loop {
            let batch: Vec<_> = {
                let mut queue = lock(queue);
                let count = queue.finished.len().min(BATCH_MAX);
                queue.finished.drain(..count).collect()
            };
            if batch.is_empty() {
                break;
            }
            // A process without free handles cannot connect either; that too is tried again.
            if !send(authority, &body(resource, &batch)).is_ok_and(is_done_with) {
                lock(queue).put_back(batch);
                break;
            }
        }
    }
}

/// What the endpoint calls our mistake would be refused again, so it counts as taken.
fn is_done_with(status: u16) -> bool {
    status < 500 && status != 429
}

fn send(authority: &str, body: &str) -> io::Result<u16> {
    let address: SocketAddr = authority.to_socket_addrs()?.next().ok_or(io::ErrorKind::NotFound)?;
    let mut stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    let head = format!(
        "POST /v1/traces HTTP/1.1\r\nHost: {authority}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes())?;
    stream.write_all(body.as_bytes())?;
    let mut line = String::new();
    BufReader::new(io::Read::take(stream, 4096)).read_line(&mut line)?;
    let status = line.split_ascii_whitespace().nth(1).and_then(|status| status.parse().ok());
    status.ok_or_else(|| io::ErrorKind::InvalidData.into())
}

fn body(resource: &str, batch: &[Finished]) -> String {
    let spans: Vec<_> = batch.iter().map(json).collect();
    let scope = format!(r#"{{"scope":{{"name":"ledger"}},"spans":[{}]}}"#, spans.join(","));
    let resource = format!(r#""resource":{{"attributes":[{resource}]}}"#);
    format!(r#"{{"resourceSpans":[{{{resource},"scopeSpans":[{scope}]}}]}}"#)
}

fn json(finished: &Finished) -> String {
    let Finished { span, end, status } = finished;
    let code = if *status >= 500 { 2 } else { 1 };
    let mut text = String::with_capacity(400);
    let fields = [
        ("traceId", quoted(&span.trace_id)),
        ("spanId", quoted(&span.span_id)),
        ("parentSpanId", quoted(&span.parent_id)),
        ("name", quoted(span.name)),
        ("kind", "2".into()),
        ("startTimeUnixNano", quoted(&span.start.to_string())),
        ("endTimeUnixNano", quoted(&end.to_string())),
        ("status", format!(r#"{{"code":{code}}}"#)),
    ];
    for (key, value) in fields {
        // Writing to a String cannot fail.
        write!(text, r#""{key}":{value},"#).ok();
    }
    let key = r#""key":"http.response.status_code""#;
    format!(r#"{{{text}"attributes":[{{{key},"value":{{"intValue":"{status}"}}}}]}}"#)
}

fn attribute(key: &str, value: &str) -> String {
    format!(r#"{{"key":{},"value":{{"stringValue":{}}}}}"#, quoted(key), quoted(value))
}

/// The text as a JSON string.
pub(crate) fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// Trace and parent of a W3C `traceparent`; `None` when it is malformed.
fn parse_traceparent(header: &str) -> Option<(String, String)> {
    let [version, trace, parent, flags] = header.split('-').collect::<Vec<_>>().try_into().ok()?;
    let is_id = |id: &str, digits: usize| {
        let hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        id.len() == digits && id.bytes().all(hex) && id.bytes().any(|b| b != b'0')
    };
    let well_formed = version == "00" && is_id(trace, 32) && is_id(parent, 16) && flags.len() == 2;
    well_formed.then(|| (trace.to_owned(), parent.to_owned()))
}

/// The standard library has no random numbers, but its hash keys are random.
fn random_id() -> String {
    format!("{:016x}", RandomState::new().hash_one(clock::unix_nanos()).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_malformed_traceparent_starts_a_new_trace() {
        let check = |header, expected| {
            assert_eq!(parse_traceparent(header).is_some(), expected, "{header:?}");
        };
        check("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", true);
        check("00-00000000000000000000000000000000-b7ad6b7169203331-01", false);
        check("00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", false);
        check("00-0af7651916cd43dd8448eb211c80319c-01", false);
        check("", false);
    }

    #[test]
    fn the_oldest_span_makes_room_and_is_counted() {
        let spans = Spans { queue: Some(Arc::default()) };
        for _ in 0..QUEUE_MAX + 3 {
            spans.end(spans.begin(None, "POST /book"), 200);
        }
        assert_eq!(spans.dropped(), 3);
    }
}
