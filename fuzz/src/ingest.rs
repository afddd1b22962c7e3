//! Targets of `plimsoll-ingest`: telemetry, events, catalogue, answers of Prometheus.

use std::cell::RefCell;
use std::io::{BufReader, Seek, Write};
use std::sync::LazyLock;

use plimsoll_ingest::catalogue::{Catalogue, Resolution};
use plimsoll_ingest::otlp::{self, Encoding};
use plimsoll_ingest::parquet::ParquetFile;
use plimsoll_ingest::prometheus::{self as asked, Directory, Gatherer, Window};
use plimsoll_ingest::signatures::Signatures;
use plimsoll_ingest::traffic::{Traffic, TrafficLimits};
use plimsoll_ingest::{csv as csv_format, events as events_format, logs as logs_format};
use plimsoll_model::{COUNT_ATTRIBUTE, Observed, Reading, ServiceName, Span, Timestamp};
use plimsoll_wire::event::ChangeShape;

static CATALOGUE: LazyLock<Catalogue> = LazyLock::new(Catalogue::built_in);

/// The seeds lie before it.
const NOW: Timestamp = Timestamp::from_secs(1_780_000_300);

pub(crate) fn csv(bytes: &[u8]) {
    let mut readings = Vec::new();
    let whole = csv_format::read(bytes, &CATALOGUE, None, &mut |one| readings.push(one));
    let pieces = BufReader::with_capacity(3, bytes);
    let mut again = Vec::new();
    let in_pieces = csv_format::read(pieces, &CATALOGUE, None, &mut |one| again.push(one));
    assert_eq!(format!("{whole:?}"), format!("{in_pieces:?}"));
    assert_eq!(readings, again);
    let Ok(summary) = whole else { return };
    assert_eq!(summary.rows, summary.readings + summary.ignored + summary.rejections.total());
    assert_eq!(summary.readings, readings.len() as u64);
    assert_usable(&readings);
    let text = written(&readings);
    let mut again = Vec::new();
    let summary = csv_format::read(text.as_bytes(), &CATALOGUE, None, &mut |one| again.push(one));
    assert_eq!(again, readings, "{summary:?} of {text}");
}

fn written(readings: &[Reading]) -> String {
    let quoted = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
    let mut text = "ts,service,version,instance,metric,value\n".to_owned();
    for Reading { at, service, version, instance, metric, value } in readings {
        let version = version.as_ref().map_or("", |version| version.as_str());
        let names = [service.as_str(), version, instance.as_str()].map(quoted).join(",");
        let millis = at.as_millis();
        let line = format!("{}.{:03},{names},{metric},{value:?}\n", millis / 1000, millis % 1000);
        text.push_str(&line);
    }
    text
}

fn assert_usable(readings: &[Reading]) {
    for Reading { at, value, .. } in readings {
        assert!(value.is_finite() && *value >= 0.0, "a value of {value}");
        assert!(at.as_millis() >= 0, "a time of {at:?}");
    }
}

pub(crate) fn events(bytes: &[u8]) {
    let mut changes = Vec::new();
    let summary = events_format::read(bytes, None, &mut |change| changes.push(change))
        .expect("bytes in memory can be read to their end");
    let lines = bytes.split(|byte| *byte == b'\n');
    let bare = |line: &[u8]| line.trim_ascii().is_empty() || line == b"\xef\xbb\xbf";
    let full = lines.filter(|line| !bare(line)).count() as u64;
    let counted = summary.changes + summary.rejections.total();
    // A byte order mark with spaces behind it is the one line that is empty and looks full.
    assert!(counted == full || counted + 1 == full, "{counted} of {full} lines");
    assert_eq!(summary.changes, changes.len() as u64);
    for change in changes {
        let line = serde_json::to_vec(&ChangeShape::from(&change)).expect("shapes are JSON");
        assert_eq!(events_format::parse(&line, None).as_ref(), Ok(&change));
    }
}

pub(crate) fn logs(bytes: &[u8]) {
    static SIGNATURES: LazyLock<Signatures> = LazyLock::new(Signatures::built_in);
    let services = ["orders", "stock"].map(|name| ServiceName::new(name).expect("it is a name"));
    for service in [None, services.first().cloned()] {
        let whose = logs_format::Whose { service, instance: None };
        let mut counted = 0;
        let mut sink = |change: plimsoll_model::Change| {
            let observed = Observed::of(&change).expect("a change of a log is a signature");
            counted += observed.count;
            assert!(change.attributes.len() <= 2, "only signature and count: {change:?}");
            assert_eq!(change.attributes.contains_key(COUNT_ATTRIBUTE), observed.count > 1);
        };
        let summary = logs_format::read(bytes, &SIGNATURES, &whose, &services, &mut sink)
            .expect("bytes in memory can be read to their end");
        assert!(summary.taken <= summary.seen && summary.seen <= summary.lines);
        assert!(summary.seen - summary.taken <= summary.rejections.total());
        assert_eq!(counted, summary.taken);
    }
}

/// The first byte says how the rest is written.
fn encoding(bytes: &[u8]) -> Option<(Encoding, &[u8])> {
    let (first, rest) = bytes.split_first()?;
    let encoding = if *first == b'j' { Encoding::Json } else { Encoding::Protobuf };
    Some((encoding, rest))
}

pub(crate) fn otlp_metrics(bytes: &[u8]) {
    let Some((encoding, request)) = encoding(bytes) else { return };
    let Ok(batch) = otlp::decode_metrics(request, encoding, &CATALOGUE, NOW) else { return };
    assert_usable(&batch.readings);
    assert!(batch.readings.len() as u64 <= otlp::POINTS_MAX);
    assert!(batch.readings.is_sorted_by_key(|one| (one.at, one.metric.rank())));
    let answer = otlp::metrics_response(&batch.rejections, Encoding::Protobuf);
    assert_eq!(answer.is_empty(), batch.rejections.is_empty());
    assert!(!otlp::metrics_response(&batch.rejections, Encoding::Json).is_empty());
}

pub(crate) fn otlp_traces(bytes: &[u8]) {
    let Some((encoding, request)) = encoding(bytes) else { return };
    let Ok(batch) = otlp::decode_traces(request, encoding, NOW) else { return };
    assert!(batch.spans.len() as u64 <= otlp::SPANS_MAX);
    let limits = TrafficLimits::default();
    let mut traffic = Traffic::new(limits);
    for span in &batch.spans {
        assert!(span.start_nanos <= span.end_nanos);
        // A span that is too late or too many is refused, and that is an answer.
        drop(traffic.record(span, NOW));
    }
    assert!(traffic.instances() <= limits.instances.get());
    for secs in [0, 30, 600] {
        assert_usable(&traffic.settle(NOW + Span::from_secs(secs)));
    }
    assert_eq!(traffic.instances(), 0, "an instance that is silent is forgotten");
}

pub(crate) fn parquet(bytes: &[u8]) {
    let_panics_be_caught();
    thread_local! {
        static FILE: RefCell<std::fs::File> =
            RefCell::new(tempfile::tempfile().expect("a temporary file can be made"));
    }
    let file = FILE.with_borrow_mut(|file| {
        file.set_len(0).expect("it is ours");
        file.rewind().expect("it is ours");
        file.write_all(bytes).expect("it is ours");
        file.try_clone().expect("it is open")
    });
    let Ok(file) = ParquetFile::open(file) else { return };
    // A footer of a few bytes may promise a million groups: not all of them are tried.
    for group in 0..file.groups().min(16) {
        let mut samples = 0;
        let read = file.read(group, &CATALOGUE, None, &mut |batch| {
            let told = batch.samples().len();
            samples += told as u64;
            assert!(batch.tellers().len() <= told, "each teller told something");
            let readings: Vec<_> = batch.readings().take(100).collect();
            assert_eq!(readings.len(), told.min(100), "each sample has a teller");
            assert_usable(&readings);
        });
        if let Ok(summary) = read {
            let told = summary.readings + summary.ignored + summary.rejections.total();
            assert_eq!(summary.rows, told);
            assert_eq!(summary.readings, samples);
        }
    }
}

/// The reader catches panics of the `parquet` crate, and libFuzzer's hook would end the program
/// before it could. One that gets out of the reader ends it all the same.
fn let_panics_be_caught() {
    #[cfg(feature = "libfuzzer")]
    {
        static ONCE: std::sync::Once = std::sync::Once::new();
        ONCE.call_once(|| std::panic::set_hook(Box::new(|_| {})));
    }
}

pub(crate) fn catalogue(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(taken) = CATALOGUE.clone().extend(text) else { return };
    // A counter may be given a rate only once, so a file that does is not taken again.
    let taken = taken.clone().extend(text).unwrap_or(taken);
    for name in text.split(['"', '\'']).take(64) {
        if let Resolution::Resolved(resolved) = taken.resolve(name, &[("state", "used")]) {
            assert!(resolved.scale.is_finite());
            for given in [0.0, -1.0, 1e18, f64::INFINITY] {
                let value = resolved.value(given, NOW, 1.0);
                assert!(value.is_ok_and(|value| value.is_none_or(f64::is_finite)) || given != 0.0);
            }
        }
    }
}

/// Up to three answers behind each other, with a NUL between: names, label sets, curves.
pub(crate) fn prometheus(bytes: &[u8]) {
    let mut bodies = bytes.splitn(3, |byte| *byte == 0);
    let mut next = || bodies.next().unwrap_or_default();
    let (names, series, curves) = (next(), next(), next());
    drop((asked::refusal_of(names), asked::wants_smaller(422, names)));
    let sources = asked::sources(&CATALOGUE, &asked::names(names).unwrap_or_default());
    let series = asked::series(series).unwrap_or_default();
    let mut directory = Directory::new(&CATALOGUE, &sources);
    for source in 0..sources.len() {
        if directory.add(source, &series).is_err() {
            return;
        }
    }
    let mut fleet = directory.settle();
    let step = Span::from_secs(60);
    let window = Window { from: NOW - Span::from_hours(1), to: NOW };
    let Ok(found) = asked::matrix(curves, window, step) else { return };
    for curve in &found.curves {
        assert!(curve.points.is_sorted_by(|(a, _), (b, _)| a < b), "in order, one a moment");
        assert!(curve.points.iter().all(|(at, _)| *at >= window.from - step));
        assert!(curve.points.iter().all(|(at, _)| *at <= window.to + step));
    }
    for pull in fleet.witnesses() {
        fleet.learn(pull.source, &found.curves, step);
    }
    let mut gatherer = Gatherer::new(&fleet, &CATALOGUE, window.from);
    for pull in fleet.pulls() {
        let mut readings = Vec::new();
        gatherer.take(pull.source, found.curves.clone(), step, &mut |one| readings.push(one));
        assert_usable(&readings);
    }
    assert!(gatherer.finish().changes.is_sorted_by_key(|change| change.at));
}
