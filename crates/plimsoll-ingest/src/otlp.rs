//! OTLP requests, protobuf and JSON: metrics to canonical readings, traces to the spans that
//! [`crate::traffic`] counts.
//!
//! Not here: HTTP, decompression (the server does both, with its own cap), logs. A request is
//! either refused as a whole, because it cannot be read, or taken with its bad points counted, as
//! OTLP's partial success wants it.

mod budget;
mod metrics;
mod source;
mod traces;

use opentelemetry_proto::tonic::collector::metrics::v1 as metrics_v1;
use opentelemetry_proto::tonic::collector::trace::v1 as trace_v1;
use prost::Message;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::rejection::Rejections;

pub use metrics::{MetricsBatch, POINTS_MAX, decode_metrics};
pub use traces::{SPANS_MAX, SpanKind, SpanSeen, TracesBatch, decode_traces};

/// Largest request that is read, in bytes, after decompression. A full batch of a collector's
/// default 8,192 points takes about 2 MB.
pub const REQUEST_BYTES_MAX: usize = 8 << 20;

/// How a request is written; the answer is written alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// `application/x-protobuf`
    Protobuf,
    /// `application/json`
    Json,
}

/// Why a request is refused as a whole. Sending it again does not help.
#[derive(Debug, thiserror::Error)]
pub enum OtlpError {
    #[error(
        "the request has {bytes} bytes, at most {REQUEST_BYTES_MAX} are read; send less at once"
    )]
    TooLarge { bytes: usize },
    #[error("the request has over {} nested messages; send smaller batches", budget::MESSAGES_MAX)]
    TooManyMessages,
    #[error("the request is not OTLP in protobuf; check the content type and the sender's version")]
    NotProtobuf(#[source] Option<prost::DecodeError>),
    #[error("the request is not OTLP in JSON; check the content type and the sender's version")]
    NotJson(#[source] serde_json::Error),
}

/// The answer to a metrics request: all taken, or how many points were not, and why.
pub fn metrics_response(rejections: &Rejections, encoding: Encoding) -> Vec<u8> {
    let partial_success =
        (!rejections.is_empty()).then(|| metrics_v1::ExportMetricsPartialSuccess {
            rejected_data_points: signed(rejections.total()),
            error_message: rejections.to_string(),
        });
    encode(&metrics_v1::ExportMetricsServiceResponse { partial_success }, encoding)
}

/// The answer to a traces request: all taken, or how many spans were not, and why.
pub fn traces_response(rejections: &Rejections, encoding: Encoding) -> Vec<u8> {
    let partial_success = (!rejections.is_empty()).then(|| trace_v1::ExportTracePartialSuccess {
        rejected_spans: signed(rejections.total()),
        error_message: rejections.to_string(),
    });
    encode(&trace_v1::ExportTraceServiceResponse { partial_success }, encoding)
}

fn encode<Answer: Message + Serialize>(answer: &Answer, encoding: Encoding) -> Vec<u8> {
    match encoding {
        Encoding::Protobuf => answer.encode_to_vec(),
        Encoding::Json => {
            serde_json::to_vec(answer).expect("numbers and texts always have a form in JSON")
        }
    }
}

fn decode<Request: Message + Default + DeserializeOwned>(
    bytes: &[u8],
    encoding: Encoding,
    shape: &budget::Shape,
) -> Result<Request, OtlpError> {
    if bytes.len() > REQUEST_BYTES_MAX {
        return Err(OtlpError::TooLarge { bytes: bytes.len() });
    }
    match encoding {
        Encoding::Protobuf => {
            budget::check_protobuf(bytes, shape)?;
            Request::decode(bytes).map_err(|error| OtlpError::NotProtobuf(Some(error)))
        }
        Encoding::Json => {
            budget::check_json(bytes)?;
            serde_json::from_slice(bytes).map_err(OtlpError::NotJson)
        }
    }
}

fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
