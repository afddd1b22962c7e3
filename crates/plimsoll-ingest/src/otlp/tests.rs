//! Tests of the OTLP decoders: the requests that they are built from, and hostile bytes. What
//! honest requests mean is in `tests/metrics.rs` and `tests/traces.rs`.

mod metrics;
mod traces;

use std::sync::LazyLock;

use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsServiceRequest, ExportMetricsServiceResponse,
};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Text;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
use opentelemetry_proto::tonic::metrics::v1::{
    Gauge, Histogram, HistogramDataPoint, Metric as Sent, NumberDataPoint, ResourceMetrics,
    ScopeMetrics, Sum,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span as SentSpan, Status};
use plimsoll_model::{Metric, Span, Timestamp};
use proptest::prelude::*;

use super::*;
use crate::catalogue::Catalogue;
use crate::rejection::Reason;

const NOW: Timestamp = Timestamp::from_secs(1_780_000_000);
const NOW_NANOS: u64 = 1_780_000_000_000_000_000;
static CATALOGUE: LazyLock<Catalogue> = LazyLock::new(Catalogue::built_in);
const BOTH: [Encoding; 2] = [Encoding::Protobuf, Encoding::Json];

fn attribute(key: &str, text: &str) -> KeyValue {
    let value = Some(AnyValue { value: Some(Text::StringValue(text.into())) });
    KeyValue { key: key.into(), value, ..KeyValue::default() }
}

fn orders() -> Resource {
    let attributes = vec![
        attribute("service.name", "orders"),
        attribute("service.version", "1.1.0"),
        attribute("service.instance.id", "orders-0"),
    ];
    Resource { attributes, ..Resource::default() }
}

fn point(value: Value, attributes: &[(&str, &str)]) -> NumberDataPoint {
    NumberDataPoint {
        attributes: attributes.iter().map(|(key, text)| attribute(key, text)).collect(),
        time_unix_nano: NOW_NANOS,
        value: Some(value),
        ..NumberDataPoint::default()
    }
}

fn gauge(name: &str, unit: &str, data_points: Vec<NumberDataPoint>) -> Sent {
    let data = Some(Data::Gauge(Gauge { data_points }));
    Sent { name: name.into(), unit: unit.into(), data, ..Sent::default() }
}

fn sum(name: &str, temporality: i32, is_monotonic: bool, point: NumberDataPoint) -> Sent {
    let data_points = vec![point];
    let sum = Sum { data_points, aggregation_temporality: temporality, is_monotonic };
    Sent { name: name.into(), data: Some(Data::Sum(sum)), ..Sent::default() }
}

fn metrics_request(resource: Option<Resource>, metrics: Vec<Sent>) -> ExportMetricsServiceRequest {
    let scope_metrics = vec![ScopeMetrics { metrics, ..ScopeMetrics::default() }];
    let resource_metrics = vec![ResourceMetrics { resource, scope_metrics, ..Default::default() }];
    ExportMetricsServiceRequest { resource_metrics }
}

fn sent_span(kind: i32) -> SentSpan {
    SentSpan {
        name: "GET /orders".into(),
        kind,
        trace_id: vec![1; 16],
        span_id: vec![2; 8],
        start_time_unix_nano: NOW_NANOS - 2_500_000,
        end_time_unix_nano: NOW_NANOS,
        attributes: vec![attribute("peer.service", "catalog")],
        ..SentSpan::default()
    }
}

fn traces_request(spans: Vec<SentSpan>) -> ExportTraceServiceRequest {
    let scope_spans = vec![ScopeSpans { spans, ..ScopeSpans::default() }];
    let resource = Some(orders());
    let resource_spans = vec![ResourceSpans { resource, scope_spans, ..ResourceSpans::default() }];
    ExportTraceServiceRequest { resource_spans }
}

#[test]
fn a_request_that_would_explode_in_memory_is_refused_before_it_is_built() {
    let points = vec![HistogramDataPoint::default(); 300_000];
    let data = Histogram { data_points: points, aggregation_temporality: 2 };
    let bomb = Sent { data: Some(Data::Histogram(data)), ..Sent::default() };
    let bytes = metrics_request(None, vec![bomb]).encode_to_vec();
    assert!(bytes.len() < 1_000_000);
    let decode =
        |bytes: &[u8], encoding| decode_metrics(bytes, encoding, &CATALOGUE, NOW).unwrap_err();
    let refused = decode(&bytes, Encoding::Protobuf);
    assert!(matches!(refused, OtlpError::TooManyMessages), "{refused}");
    let text = format!(r#"{{"resourceMetrics":[{}{{}}]}}"#, "{},".repeat(300_000));
    let refused = decode(text.as_bytes(), Encoding::Json);
    assert!(matches!(refused, OtlpError::TooManyMessages), "{refused}");
    let refused = decode(&vec![0; REQUEST_BYTES_MAX + 1], Encoding::Protobuf);
    assert!(matches!(refused, OtlpError::TooLarge { .. }), "{refused}");
    // A group (field 3, start and end) would hide what follows it from the count.
    let refused = decode(&[&[0x1b, 0x1c][..], &bytes].concat(), Encoding::Protobuf);
    assert!(matches!(refused, OtlpError::NotProtobuf(_)), "{refused}");
    let refused = decode("[".repeat(1_000_000).as_bytes(), Encoding::Json);
    assert!(matches!(refused, OtlpError::NotJson(_)), "{refused}");
}

#[test]
fn endless_nesting_is_refused() {
    let mut value = AnyValue { value: Some(Text::BoolValue(true)) };
    for _ in 0..60 {
        value = AnyValue { value: Some(Text::ArrayValue(ArrayValue { values: vec![value] })) };
    }
    let attribute = KeyValue { key: "a".into(), value: Some(value), ..KeyValue::default() };
    let resource = Resource { attributes: vec![attribute], ..Resource::default() };
    let bytes = metrics_request(Some(resource), vec![]).encode_to_vec();
    let refused = decode_metrics(&bytes, Encoding::Protobuf, &CATALOGUE, NOW);
    assert!(matches!(refused, Err(OtlpError::NotProtobuf(_))), "{refused:?}");
}

#[test]
fn every_cut_of_a_request_is_refused_or_read_without_harm() {
    let points = vec![point(Value::AsInt(1), &[("a", "b")])];
    let request = metrics_request(Some(orders()), vec![gauge("process.fds", "", points)]);
    for encoding in BOTH {
        let bytes = encode(&request, encoding);
        for cut in 0..bytes.len() {
            let batch = decode_metrics(&bytes[..cut], encoding, &CATALOGUE, NOW);
            assert!(batch.map_or(true, |batch| batch.readings.is_empty()), "cut at {cut}");
        }
    }
}

proptest! {
    #[test]
    fn no_bytes_make_a_decoder_panic(input in proptest::collection::vec(any::<u8>(), 0..500)) {
        for encoding in BOTH {
            let batch = decode_metrics(&input, encoding, &CATALOGUE, NOW);
            prop_assert!(batch.map_or(true, |batch| batch.readings.is_empty()));
            let batch = decode_traces(&input, encoding, NOW);
            prop_assert!(batch.map_or(true, |batch| batch.spans.is_empty()));
        }
    }

    #[test]
    fn no_flipped_byte_makes_a_decoder_panic(
        place in any::<prop::sample::Index>(),
        byte in any::<u8>(),
        ahead in any::<i64>(),
    ) {
        let points = vec![point(Value::AsDouble(1.5), &[("a", "b")])];
        let metrics = metrics_request(Some(orders()), vec![gauge("process.fds", "", points)]);
        let now = NOW + Span::from_millis(ahead);
        for encoding in BOTH {
            let mut bytes = encode(&metrics, encoding);
            *place.get_mut(&mut bytes) = byte;
            if let Ok(batch) = decode_metrics(&bytes, encoding, &CATALOGUE, now) {
                prop_assert!(batch.readings.iter().all(|reading| reading.value.is_finite()));
            }
            let mut bytes = encode(&traces_request(vec![sent_span(2)]), encoding);
            *place.get_mut(&mut bytes) = byte;
            if let Ok(batch) = decode_traces(&bytes, encoding, now) {
                prop_assert!(batch.spans.iter().all(|span| span.start_nanos <= span.end_nanos));
            }
        }
    }
}
