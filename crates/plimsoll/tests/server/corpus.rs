//! Cases of the corpus on their way into a server: all ending at one moment, in batches as they
//! arrived, with the changes between them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use plimsoll_model::{Change, Kind, Metric, Reading, Span, Timestamp};
use plimsoll_sim::corpus::{CorpusCase, draw, families};
use plimsoll_wire::event::ChangeShape;
use serde_json::{Value, json};

/// Readings of a request at most.
const BATCH: usize = 1000;

/// What is sent at once.
pub(crate) enum Parcel {
    Metrics(Value),
    /// One event a line.
    Events(String),
}

impl Parcel {
    pub(crate) fn path(&self) -> &'static str {
        match self {
            Self::Metrics(_) => "/v1/metrics",
            Self::Events(_) => "/api/v1/events",
        }
    }

    pub(crate) fn body(&self) -> String {
        match self {
            Self::Metrics(body) => body.to_string(),
            Self::Events(lines) => lines.clone(),
        }
    }
}

/// A case of every wanted family, moved so that its newest reading is of `end`.
pub(crate) fn cases(seed: u64, end: Timestamp, wanted: impl Fn(&str) -> bool) -> Vec<CorpusCase> {
    let wanted = families().iter().filter(|family| wanted(family.name));
    wanted.map(|family| ending_at(draw(family, seed), end)).collect()
}

fn ending_at(mut case: CorpusCase, end: Timestamp) -> CorpusCase {
    let newest = case.readings.iter().map(|reading| reading.at).max().unwrap();
    let later = Span::from_millis(end.since(newest).as_millis());
    for reading in &mut case.readings {
        reading.at = reading.at + later;
        if reading.metric == Metric::ProcessStartTime {
            reading.value += later.as_secs_f64();
        }
    }
    case.changes.iter_mut().for_each(|change| change.at = change.at + later);
    case.changes.retain(|change| change.at <= end);
    case
}

/// A case in the order in which it arrived: each change before the first reading of its time.
pub(crate) fn parcels(case: &CorpusCase) -> Vec<Parcel> {
    let mut parcels = Vec::new();
    let mut changes = case.changes.iter().peekable();
    let mut batch = Vec::new();
    let mut moments = BTreeSet::new();
    for reading in &case.readings {
        let mut told = String::new();
        while let Some(change) = changes.next_if(|change| change.at <= reading.at) {
            told += &line(change);
        }
        // Nobody sends two values of one moment at once.
        let again = !moments.insert((&reading.instance, reading.metric, reading.at));
        if batch.len() >= BATCH || !told.is_empty() || again {
            flush(&mut batch, &mut parcels);
            moments.clear();
            moments.insert((&reading.instance, reading.metric, reading.at));
        }
        if !told.is_empty() {
            parcels.push(Parcel::Events(told));
        }
        batch.push(reading);
    }
    flush(&mut batch, &mut parcels);
    let rest: String = changes.map(line).collect();
    if !rest.is_empty() {
        parcels.push(Parcel::Events(rest));
    }
    parcels
}

/// What a scan reads of the same.
pub(crate) fn files(cases: &[CorpusCase]) -> (String, String) {
    let mut rows = "ts,service,version,instance,metric,value\n".to_owned();
    for Reading { at, service, version, instance, metric, value } in
        cases.iter().flat_map(|case| &case.readings)
    {
        let version = version.as_ref().map_or("", |version| version.as_str());
        let (secs, millis) = (at.as_millis().div_euclid(1000), at.as_millis().rem_euclid(1000));
        writeln!(rows, "{secs}.{millis:03},{service},{version},{instance},{metric},{value}")
            .unwrap();
    }
    (rows, cases.iter().flat_map(|case| &case.changes).map(line).collect())
}

fn line(change: &Change) -> String {
    serde_json::to_string(&ChangeShape::from(change)).unwrap() + "\n"
}

fn flush(batch: &mut Vec<&Reading>, parcels: &mut Vec<Parcel>) {
    if !batch.is_empty() {
        parcels.push(Parcel::Metrics(otlp(batch)));
        batch.clear();
    }
}

/// As an exporter groups it: by replica, then by metric.
fn otlp(readings: &[&Reading]) -> Value {
    let mut replicas: BTreeMap<_, BTreeMap<Metric, Vec<Value>>> = BTreeMap::new();
    for reading in readings {
        let replica = (&reading.service, &reading.instance, &reading.version);
        let nanos = (reading.at.as_millis() * 1_000_000).to_string();
        let point = json!({"timeUnixNano": nanos, "asDouble": reading.value});
        replicas.entry(replica).or_default().entry(reading.metric).or_default().push(point);
    }
    let resources = replicas.into_iter().map(|((service, instance, version), metrics)| {
        let text = |key: &str, value: &str| json!({"key": key, "value": {"stringValue": value}});
        let mut attributes = vec![
            text("service.name", service.as_str()),
            text("service.instance.id", instance.as_str()),
        ];
        attributes.extend(version.iter().map(|name| text("service.version", name.as_str())));
        let metrics: Vec<_> = metrics.into_iter().map(metric_of).collect();
        json!({"resource": {"attributes": attributes}, "scopeMetrics": [{"metrics": metrics}]})
    });
    json!({"resourceMetrics": resources.collect::<Vec<_>>()})
}

fn metric_of((metric, points): (Metric, Vec<Value>)) -> Value {
    match metric.kind() {
        Kind::Gauge => json!({"name": metric.name(), "gauge": {"dataPoints": points}}),
        Kind::Counter => json!({"name": metric.name(), "sum": {
            "aggregationTemporality": 2, "isMonotonic": true, "dataPoints": points
        }}),
    }
}
