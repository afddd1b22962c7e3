//! `ExportMetricsServiceRequest` to canonical readings.
//!
//! Parts of one total (the pools of a heap) are added up within one metric of one request; an SDK
//! sends them together. A collector that splits a metric over two requests breaks such a total.

use std::collections::BTreeMap;

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, DataPointFlags, Metric as Sent, NumberDataPoint, ResourceMetrics,
};
use plimsoll_model::{Kind, Metric, Reading, Timestamp, Unit};

use super::source::{Source, texts};
use super::{Encoding, OtlpError, budget, decode};
use crate::catalogue::{Catalogue, Resolution, Resolved};
use crate::moment;
use crate::names::Names;
use crate::rejection::{Reason, Rejection, Rejections};

/// Data points that are taken from one request. The collector's batches have 8,192 by default;
/// what is beyond is counted as rejected, so the sender learns of it.
pub const POINTS_MAX: u64 = 20_000;

/// What a request held.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MetricsBatch {
    /// In order of time; at one moment the start of a process comes first, as
    /// `ServiceHistory::record` wants it.
    pub readings: Vec<Reading>,
    pub rejections: Rejections,
}

/// Reads one request. Cost: linear in its size, with bounds on bytes, messages and points.
pub fn decode_metrics(
    bytes: &[u8],
    encoding: Encoding,
    catalogue: &Catalogue,
    now: Timestamp,
) -> Result<MetricsBatch, OtlpError> {
    let request: ExportMetricsServiceRequest = decode(bytes, encoding, &budget::METRICS)?;
    let mut reader = Reader {
        catalogue,
        now,
        names: Names::default(),
        points: 0,
        batch: MetricsBatch::default(),
    };
    for resource in &request.resource_metrics {
        reader.resource(resource);
    }
    let mut batch = reader.batch;
    batch.readings.sort_by_key(|one| (one.at, one.metric.rank()));
    Ok(batch)
}

struct Reader<'a> {
    catalogue: &'a Catalogue,
    now: Timestamp,
    names: Names,
    points: u64,
    batch: MetricsBatch,
}

/// How a metric was sent, where that matters for its meaning.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    State,
    Counter,
}

/// One point in canonical terms.
struct Taken {
    metric: Metric,
    at: Timestamp,
    value: f64,
    part: bool,
}

/// One canonical value that is being put together.
#[derive(Default)]
struct Total {
    whole: Option<f64>,
    parts: Option<f64>,
}

impl Reader<'_> {
    fn resource(&mut self, resource: &ResourceMetrics) {
        let source = Source::of(resource.resource.as_ref(), &mut self.names);
        for metric in resource.scope_metrics.iter().flat_map(|scope| &scope.metrics) {
            match &source {
                Ok(source) => self.metric(source, metric),
                Err(rejection) => self.reject_all(rejection, points_of(metric)),
            }
        }
    }

    fn metric(&mut self, source: &Source, metric: &Sent) {
        let refuse = |reason| Rejection::new(reason, &metric.name);
        match &metric.data {
            Some(Data::Gauge(gauge)) => {
                self.numbers(source, metric, Shape::State, &gauge.data_points);
            }
            Some(Data::Sum(sum)) => {
                let cumulative = AggregationTemporality::Cumulative as i32;
                let shape = if sum.is_monotonic { Shape::Counter } else { Shape::State };
                if sum.aggregation_temporality == cumulative {
                    self.numbers(source, metric, shape, &sum.data_points);
                } else {
                    self.reject_all(&refuse(Reason::DeltaTemporality), points_of(metric));
                }
            }
            Some(Data::Histogram(_) | Data::ExponentialHistogram(_) | Data::Summary(_)) => {
                self.reject_all(&refuse(Reason::UnsupportedShape), points_of(metric));
            }
            None => {}
        }
    }

    fn numbers(
        &mut self,
        source: &Source,
        metric: &Sent,
        shape: Shape,
        points: &[NumberDataPoint],
    ) {
        let mut totals: BTreeMap<(Metric, Timestamp), Total> = BTreeMap::new();
        for point in points {
            self.points += 1;
            if self.points > POINTS_MAX {
                self.batch.rejections.add_many(Reason::TooManyPoints, 1);
                continue;
            }
            let taken = self.point(metric, shape, point).and_then(|taken| match taken {
                Some(taken) => totals.entry((taken.metric, taken.at)).or_default().add(&taken),
                None => Ok(()),
            });
            if let Err(rejection) = taken {
                self.batch.rejections.add(None, rejection);
            }
        }
        for ((metric, at), total) in totals {
            let Some(value) = total.whole.or(total.parts) else { continue };
            let Source { service, version, instance } = source.clone();
            self.batch.readings.push(Reading { at, service, version, instance, metric, value });
        }
    }

    /// The canonical value of one point; none for what is deliberately left out.
    fn point(
        &self,
        metric: &Sent,
        shape: Shape,
        point: &NumberDataPoint,
    ) -> Result<Option<Taken>, Rejection> {
        if point.flags & DataPointFlags::NoRecordedValueMask as u32 != 0 {
            return Ok(None);
        }
        let attributes = texts(&point.attributes)?;
        let pairs: Vec<_> = attributes.iter().map(|(key, text)| (*key, text.as_ref())).collect();
        let refuse = |reason| Err(Rejection::new(reason, &metric.name));
        let resolved = match self.catalogue.resolve(&metric.name, &pairs) {
            Resolution::Resolved(resolved) => resolved,
            Resolution::Ignored => return Ok(None),
            Resolution::NeedsAttributes => return refuse(Reason::NeedsAttributes),
            Resolution::Unknown => return refuse(Reason::UnknownMetric),
        };
        if !kind_fits(&resolved, shape) {
            return refuse(Reason::WrongKind);
        }
        let Some(unit) = unit_scale(&metric.unit, resolved.metric.unit()) else {
            return refuse(Reason::WrongUnit);
        };
        let Some(at) = moment::from_unix_nanos(point.time_unix_nano) else {
            return refuse(Reason::TimeMissing);
        };
        moment::believable(at, self.now)?;
        let given = match point.value {
            Some(Value::AsDouble(value)) => value,
            Some(Value::AsInt(value)) => value as f64,
            None => return refuse(Reason::UnreadableValue),
        };
        let Resolved { metric, part, .. } = resolved;
        let value = resolved.value(given, at, unit)?;
        Ok(value.map(|value| Taken { metric, at, value, part }))
    }

    fn reject_all(&mut self, rejection: &Rejection, points: usize) {
        if let Some(rest) = (points as u64).checked_sub(1) {
            self.batch.rejections.add(None, rejection.clone());
            self.batch.rejections.add_many(rejection.reason, rest);
        }
    }
}

impl Total {
    /// Where a whole and its parts come together, the whole is believed and nothing is added.
    fn add(&mut self, taken: &Taken) -> Result<(), Rejection> {
        if taken.part {
            self.parts = Some(self.parts.unwrap_or(0.0) + taken.value);
        } else if self.whole.is_some() {
            return Err(Rejection::new(Reason::Ambiguous, taken.metric.name()));
        } else {
            self.whole = Some(taken.value);
        }
        Ok(())
    }
}

/// A canonical name promises its kind. `container.cpu.usage` shows why it must be asked: in
/// OpenTelemetry it is a gauge of cores, here a counter of seconds. For names in the catalogue the
/// entry vouches, because exporters and collectors declare kinds carelessly.
fn kind_fits(resolved: &Resolved<'_>, shape: Shape) -> bool {
    let wanted = match resolved.metric.kind() {
        Kind::Counter => Shape::Counter,
        Kind::Gauge => Shape::State,
    };
    !resolved.canonical || shape == wanted
}

/// What a value in the declared unit (UCUM) is multiplied with to be in the canonical one; none
/// where they do not fit. An undeclared unit is the canonical one.
fn unit_scale(declared: &str, canonical: Unit) -> Option<f64> {
    let declared = declared.trim();
    if declared.is_empty() || declared == "1" || declared.starts_with('{') {
        return Some(1.0);
    }
    match (canonical, declared) {
        (Unit::Bytes, "By" | "bytes" | "B") => Some(1.0),
        (Unit::Bytes, "kBy") => Some(1e3),
        (Unit::Bytes, "MBy") => Some(1e6),
        (Unit::Bytes, "GBy") => Some(1e9),
        (Unit::Bytes, "KiBy") => Some(1024.0),
        (Unit::Bytes, "MiBy") => Some(1_048_576.0),
        (Unit::Bytes, "GiBy") => Some(1_073_741_824.0),
        (Unit::Seconds, "s" | "seconds") => Some(1.0),
        (Unit::Seconds, "ms" | "milliseconds") => Some(1e-3),
        (Unit::Seconds, "us") => Some(1e-6),
        (Unit::Seconds, "ns") => Some(1e-9),
        (Unit::PerSecond, "1/s" | "Hz") => Some(1.0),
        (Unit::Bytes | Unit::Seconds | Unit::PerSecond, _) => None,
        // Counts are declared as whatever is counted: `threads`, `files`, `connections`.
        (Unit::Count, "By" | "s" | "ms" | "%") => None,
        (Unit::Count, _) => Some(1.0),
    }
}

fn points_of(metric: &Sent) -> usize {
    match &metric.data {
        Some(Data::Gauge(gauge)) => gauge.data_points.len(),
        Some(Data::Sum(sum)) => sum.data_points.len(),
        Some(Data::Histogram(histogram)) => histogram.data_points.len(),
        Some(Data::ExponentialHistogram(histogram)) => histogram.data_points.len(),
        Some(Data::Summary(summary)) => summary.data_points.len(),
        None => 0,
    }
}
