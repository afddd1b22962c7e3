//! Readings as OTLP protobuf, changes as lines of JSON: the bytes that leave the agent.
//!
//! Names of metrics are the canonical ones, so the server needs no catalogue for them. Pure.

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value};
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Gauge, Metric as OtlpMetric, NumberDataPoint, ResourceMetrics,
    ScopeMetrics, Sum, metric, number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use plimsoll_model::{Change, Kind, Reading, Timestamp, Unit};
use plimsoll_wire::event::ChangeShape;
use prost::Message as _;

use crate::push::queue::Payload;

/// Readings in one request. At about 90 bytes each this stays below 1 MiB, and so below what OTLP
/// servers take by default (4 MiB).
const READINGS_PER_BATCH_MAX: usize = 8000;

/// Who speaks, for people who look at the telemetry of several senders.
const SCOPE_NAME: &str = "plimsoll-agent";

/// The readings of one round, as few batches as will do. Order is kept.
pub fn metrics(readings: &[Reading]) -> Vec<Payload> {
    readings
        .chunks(READINGS_PER_BATCH_MAX)
        .map(|readings| Payload::Metrics(request(readings).encode_to_vec().into()))
        .collect()
}

/// The changes of one round; nothing when there are none.
pub fn events(changes: &[Change]) -> Option<Payload> {
    if changes.is_empty() {
        return None;
    }
    let mut lines = Vec::new();
    for change in changes {
        serde_json::to_writer(&mut lines, &ChangeShape::from(change))
            .expect("a shape of finite numbers and texts is always JSON");
        lines.push(b'\n');
    }
    Some(Payload::Events(lines.into()))
}

fn request(readings: &[Reading]) -> ExportMetricsServiceRequest {
    let same_resource = |a: &Reading, b: &Reading| {
        a.instance == b.instance && a.service == b.service && a.version == b.version
    };
    let resource_metrics = readings.chunk_by(same_resource).filter_map(of_one_resource).collect();
    ExportMetricsServiceRequest { resource_metrics }
}

fn of_one_resource(readings: &[Reading]) -> Option<ResourceMetrics> {
    let first = readings.first()?;
    let version = first.version.as_ref().map(|version| ("service.version", version.as_str()));
    let names = [
        ("service.name", first.service.as_str()),
        ("service.instance.id", first.instance.as_str()),
    ];
    let attributes = names.into_iter().chain(version).map(|(key, value)| attribute(key, value));
    Some(ResourceMetrics {
        resource: Some(Resource { attributes: attributes.collect(), ..Resource::default() }),
        scope_metrics: vec![ScopeMetrics {
            scope: Some(InstrumentationScope {
                name: SCOPE_NAME.to_owned(),
                version: env!("CARGO_PKG_VERSION").to_owned(),
                ..InstrumentationScope::default()
            }),
            metrics: readings.iter().map(of_one_reading).collect(),
            schema_url: String::new(),
        }],
        schema_url: String::new(),
    })
}

fn attribute(key: &str, value: &str) -> KeyValue {
    let value = AnyValue { value: Some(any_value::Value::StringValue(value.to_owned())) };
    KeyValue { key: key.to_owned(), value: Some(value), ..KeyValue::default() }
}

fn of_one_reading(reading: &Reading) -> OtlpMetric {
    let data_points = vec![NumberDataPoint {
        time_unix_nano: unix_nanos(reading.at),
        value: Some(number_data_point::Value::AsDouble(reading.value)),
        ..NumberDataPoint::default()
    }];
    let data = match reading.metric.kind() {
        Kind::Gauge => metric::Data::Gauge(Gauge { data_points }),
        // Where the counter began is not known here, which OTLP writes as a start time of zero.
        Kind::Counter => metric::Data::Sum(Sum {
            data_points,
            aggregation_temporality: AggregationTemporality::Cumulative as i32,
            is_monotonic: true,
        }),
    };
    OtlpMetric {
        name: reading.metric.name().to_owned(),
        unit: unit(reading.metric.unit()).to_owned(),
        data: Some(data),
        ..OtlpMetric::default()
    }
}

/// Units as UCUM writes them, which OTLP asks for.
const fn unit(unit: Unit) -> &'static str {
    match unit {
        Unit::Bytes => "By",
        Unit::Count => "1",
        Unit::Seconds => "s",
        Unit::PerSecond => "1/s",
    }
}

fn unix_nanos(at: Timestamp) -> u64 {
    u64::try_from(at.as_millis()).unwrap_or(0).saturating_mul(1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use plimsoll_model::{ChangeKind, InstanceName, Metric, ServiceName, Version};

    fn reading(instance: &str, metric: Metric, value: f64) -> Reading {
        Reading {
            at: Timestamp::from_millis(1_780_000_000_250),
            service: ServiceName::new("orders").unwrap(),
            version: Version::new("1.1.0").ok(),
            instance: InstanceName::new(instance).unwrap(),
            metric,
            value,
        }
    }

    #[test]
    fn readings_are_grouped_by_instance_and_keep_their_order() {
        let start = Metric::ProcessStartTime;
        let pause = Metric::RuntimeGcPause;
        let readings =
            [reading("a", start, 5.0), reading("a", pause, 0.25), reading("b", start, 6.0)];
        let payload = metrics(&readings).remove(0);
        let Payload::Metrics(bytes) = payload else { panic!("readings are metrics") };
        let request = ExportMetricsServiceRequest::decode(bytes.as_ref()).unwrap();
        assert_eq!(request.resource_metrics.len(), 2);
        let of_a = &request.resource_metrics[0].scope_metrics[0].metrics;
        assert_eq!((of_a[0].name.as_str(), of_a[0].unit.as_str()), ("process.start_time", "s"));
        let Some(metric::Data::Sum(sum)) = &of_a[1].data else { panic!("a counter is a sum") };
        assert!(sum.is_monotonic);
        assert_eq!(sum.data_points[0].time_unix_nano, 1_780_000_000_250_000_000);
        let keys = request.resource_metrics[0].resource.as_ref().unwrap().attributes.iter();
        let keys: Vec<_> = keys.map(|pair| pair.key.as_str()).collect();
        assert_eq!(keys, ["service.name", "service.instance.id", "service.version"]);
    }

    #[test]
    fn a_large_round_becomes_several_batches_below_the_usual_limit() {
        let readings = vec![reading("orders-with-a-long-name-0", Metric::ProcessFds, 1.0); 20_000];
        let batches = metrics(&readings);
        assert_eq!(batches.len(), 3);
        assert!(metrics(&[]).is_empty());
    }

    #[test]
    fn a_change_is_one_line_of_the_events_format() {
        let change = Change {
            at: Timestamp::from_millis(1_780_000_000_500),
            kind: ChangeKind::Restart,
            service: ServiceName::new("orders").unwrap(),
            instance: InstanceName::new("orders-0").ok(),
            version: None,
            attributes: [("pid".to_owned(), "7".to_owned())].into(),
        };
        let Some(Payload::Events(bytes)) = events(std::slice::from_ref(&change)) else {
            panic!("one event")
        };
        let line = bytes.strip_suffix(b"\n").unwrap();
        let shape: ChangeShape = serde_json::from_slice(line).unwrap();
        assert_eq!(Change::try_from(shape).unwrap(), change);
        assert_eq!(events(&[]), None);
    }
}
