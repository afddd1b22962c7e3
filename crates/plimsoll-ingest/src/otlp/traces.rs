//! `ExportTraceServiceRequest` to the spans that say how much a service is asked: server spans,
//! and client spans with their peer. Everything else of a trace is left out here.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind as SentKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, Span as Sent};
use plimsoll_model::{InstanceName, ServiceName, Timestamp, Version};

use super::source::{Source, find};
use super::{Encoding, OtlpError, budget, decode};
use crate::moment;
use crate::names::Names;
use crate::rejection::{Reason, Rejection, Rejections};

/// Spans that are taken from one request. The SDKs send 512 at once, collectors 8,192.
pub const SPANS_MAX: u64 = 20_000;

/// Longest request that is believed, in nanoseconds: a day. A span that claims more comes from a
/// clock that jumped, and would count as work in flight all the time.
const DURATION_NANOS_MAX: u64 = 24 * 3600 * 1_000_000_000;

/// The lowest HTTP status that is the server's own failure.
const SERVER_ERROR_MIN: u32 = 500;

/// What a request held.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TracesBatch {
    pub spans: Vec<SpanSeen>,
    /// Spans of other kinds (internal, messaging), which are not counted as requests.
    pub ignored: u64,
    pub rejections: Rejections,
}

/// Which side of a call a span was seen from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpanKind {
    /// The service was asked.
    Server,
    /// The service asked another.
    Client,
}

/// One call as one of its two sides saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpanSeen {
    pub service: ServiceName,
    pub version: Option<Version>,
    pub instance: InstanceName,
    pub kind: SpanKind,
    /// Nanoseconds since the Unix epoch: milliseconds would round fast requests to nothing.
    pub start_nanos: u64,
    /// Not before `start_nanos`.
    pub end_nanos: u64,
    pub error: bool,
    /// The service that a client span called, where the sender names it.
    pub peer: Option<ServiceName>,
}

/// Reads one request. Cost: linear in its size, with bounds on bytes, messages and spans.
pub fn decode_traces(
    bytes: &[u8],
    encoding: Encoding,
    now: Timestamp,
) -> Result<TracesBatch, OtlpError> {
    let request: ExportTraceServiceRequest = decode(bytes, encoding, &budget::TRACES)?;
    let mut reader =
        Reader { now, names: Names::default(), seen: 0, batch: TracesBatch::default() };
    for resource in &request.resource_spans {
        reader.resource(resource);
    }
    Ok(reader.batch)
}

struct Reader {
    now: Timestamp,
    names: Names,
    seen: u64,
    batch: TracesBatch,
}

impl Reader {
    fn resource(&mut self, resource: &ResourceSpans) {
        let source = Source::of(resource.resource.as_ref(), &mut self.names);
        for span in resource.scope_spans.iter().flat_map(|scope| &scope.spans) {
            self.seen += 1;
            if self.seen > SPANS_MAX {
                self.batch.rejections.add_many(Reason::TooManyPoints, 1);
                continue;
            }
            match self.span(&source, span) {
                Ok(Some(span)) => self.batch.spans.push(span),
                Ok(None) => self.batch.ignored += 1,
                Err(rejection) => self.batch.rejections.add(None, rejection),
            }
        }
    }

    fn span(
        &mut self,
        source: &Result<Source, Rejection>,
        span: &Sent,
    ) -> Result<Option<SpanSeen>, Rejection> {
        let Some(kind) = kind(span) else { return Ok(None) };
        let Source { service, version, instance } = source.clone()?;
        let refuse = |reason| Rejection::new(reason, &span.name);
        let (start, end) = (span.start_time_unix_nano, span.end_time_unix_nano);
        let moments = moment::from_unix_nanos(start).zip(moment::from_unix_nanos(end));
        let (_, ended_at) = moments.ok_or_else(|| refuse(Reason::TimeMissing))?;
        if end.checked_sub(start).is_none_or(|nanos| nanos > DURATION_NANOS_MAX) {
            return Err(refuse(Reason::ImpossibleSpan));
        }
        moment::believable(ended_at, self.now)?;
        let error = is_error(span);
        let peer = self.peer(kind, span);
        let (start_nanos, end_nanos) = (start, end);
        Ok(Some(SpanSeen { service, version, instance, kind, start_nanos, end_nanos, error, peer }))
    }

    fn peer(&mut self, kind: SpanKind, span: &Sent) -> Option<ServiceName> {
        let key = ["peer.service", "service.peer.name"];
        match kind {
            SpanKind::Client => {
                let name = key.iter().find_map(|key| find(&span.attributes, key))?;
                self.names.service(&name).ok()
            }
            SpanKind::Server => None,
        }
    }
}

fn kind(span: &Sent) -> Option<SpanKind> {
    match SentKind::try_from(span.kind) {
        Ok(SentKind::Server) => Some(SpanKind::Server),
        Ok(SentKind::Client) => Some(SpanKind::Client),
        Ok(
            SentKind::Unspecified | SentKind::Internal | SentKind::Producer | SentKind::Consumer,
        )
        | Err(_) => None,
    }
}

/// A server span's status is left unset by many hand-written instrumentations, so the HTTP status
/// counts as well.
fn is_error(span: &Sent) -> bool {
    let failed = span.status.as_ref().is_some_and(|status| status.code == StatusCode::Error as i32);
    let keys = ["http.response.status_code", "http.status_code"];
    let http = keys.iter().find_map(|key| find(&span.attributes, key));
    let http_failed =
        http.and_then(|code| code.parse::<u32>().ok()).is_some_and(|code| code >= SERVER_ERROR_MIN);
    failed || http_failed
}
