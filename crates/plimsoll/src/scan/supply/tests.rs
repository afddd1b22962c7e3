//! Tests that a verdict depends on the samples alone: not on their order, their form, or how many
//! of them fit.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parquet::data_type::{ByteArray, ByteArrayType, DataType, DoubleType};
use parquet::file::properties::WriterProperties;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;
use plimsoll_ingest::Reason;
use plimsoll_model::{ChangeKind, Span};
use tempfile::TempDir;

use super::*;

const BEGIN: i64 = 1_779_000_000;
const END: Timestamp = Timestamp::from_secs(1_790_000_000);

type Row = [String; 5];

/// Three services of twelve instances, of which one leaks and one gets a new version on the way;
/// some samples are told twice.
fn rows() -> Vec<(f64, Row)> {
    let mut rows = Vec::new();
    for service in ["cart", "orders", "stock"] {
        for instance in 0..12 {
            for moment in 0..40 {
                let version = if service == "stock" && moment > 20 { "2" } else { "1" };
                let grown = if service == "orders" { f64::from(moment) * 4e6 } else { 0.0 };
                let values = [
                    ("process.memory.rss", 3e8 + grown + f64::from(moment * 7 % 5) * 1e5),
                    ("process.fds", 50.0 + f64::from(moment * 3 % 7)),
                ];
                for (metric, value) in values {
                    let at = (BEGIN + i64::from(moment) * 600).to_string();
                    let name = format!("{service}-{instance}");
                    let row = [at, service.into(), version.into(), name, metric.into()];
                    if moment % 9 == 0 {
                        rows.push((value + 1.0, row.clone()));
                    }
                    rows.push((value, row));
                }
            }
        }
    }
    rows
}

fn csv(folder: &Path, rows: &[(f64, Row)]) -> PathBuf {
    let lines = rows.iter().map(|(value, row)| format!("{},{value}\n", row.join(",")));
    let text = format!("ts,service,version,instance,metric,value\n{}", lines.collect::<String>());
    let path = folder.join("telemetry.csv");
    fs::write(&path, text).unwrap();
    path
}

/// In row groups of 500 rows.
fn as_parquet(folder: &Path, rows: &[(f64, Row)]) -> PathBuf {
    let texts = ["ts", "service", "version", "instance", "metric"];
    let texts = texts.map(|name| format!("REQUIRED BYTE_ARRAY {name} (UTF8);")).concat();
    let schema = format!("message m {{ {texts} REQUIRED DOUBLE value; }}");
    let path = folder.join("telemetry.any");
    let mut writer = SerializedFileWriter::new(
        File::create(&path).unwrap(),
        Arc::new(parse_message_type(&schema).unwrap()),
        Arc::new(WriterProperties::builder().build()),
    )
    .unwrap();
    for rows in rows.chunks(500) {
        let mut group = writer.next_row_group().unwrap();
        for column in 0..5 {
            let texts = rows.iter().map(|(_, row)| ByteArray::from(row[column].as_str()));
            put::<ByteArrayType>(&mut group, &texts.collect::<Vec<_>>());
        }
        put::<DoubleType>(&mut group, &rows.iter().map(|(value, _)| *value).collect::<Vec<_>>());
        group.close().unwrap();
    }
    writer.close().unwrap();
    path
}

fn put<T: DataType>(group: &mut SerializedRowGroupWriter<'_, File>, values: &[T::T]) {
    let mut column = group.next_column().unwrap().unwrap();
    column.typed::<T>().write_batch(values, None, None).unwrap();
    column.close().unwrap();
}

fn supply(path: &Path, samples_max: u64) -> Supply {
    let catalogue = Catalogue::built_in();
    let source = Source::open(path).unwrap();
    let mut first = First::new(&source, samples_max, END);
    let refused = first.read(&source, &catalogue, &Progress::new(), &mut |_| true).unwrap();
    assert!(refused.is_empty(), "{refused}");
    first.supply(source, catalogue).unwrap()
}

/// Everything that is said of every service.
fn report(path: &Path, samples_max: u64, at: Option<i64>) -> Vec<String> {
    let supply = supply(path, samples_max);
    let at = at.map_or_else(|| supply.newest().unwrap(), Timestamp::from_secs);
    let restart = Change {
        at: Timestamp::from_secs(BEGIN) + Span::from_mins(155),
        kind: ChangeKind::Restart,
        service: ServiceName::new("cart").unwrap(),
        instance: None,
        version: None,
        attributes: std::collections::BTreeMap::new(),
    };
    let ask = |history: &ServiceHistory| {
        format!("{history:?} {:?}", plimsoll_detect::assess(history, at))
    };
    let judged = supply.judge(vec![restart], at, &Progress::new(), &ask).unwrap();
    let told = |one: &Judged<String>| {
        format!("{} {} {} {:?} {}", one.service, one.series, one.samples, one.span, one.verdict)
    };
    judged.iter().map(told).collect()
}

#[test]
fn rows_in_any_order_and_form_and_number_of_passes_give_the_same_report() {
    let folder = TempDir::new().unwrap();
    let mut rows = rows();
    let want = report(&csv(folder.path(), &rows), 1_000_000, None);
    assert_eq!(want.len(), 3);
    assert!(want[2].contains("Version(\"2\")"), "a version began: {}", want[2]);
    let mut random = fastrand::Rng::with_seed(3);
    for round in 0..4 {
        // All at once; services one after the other; each service in pieces.
        for samples_max in [1_000_000, 700, 300] {
            let csv = report(&csv(folder.path(), &rows), samples_max, None);
            assert!(csv == want, "CSV, {samples_max} samples fit, order {round}");
            let parquet = report(&as_parquet(folder.path(), &rows), samples_max, None);
            assert!(parquet == want, "Parquet, {samples_max} samples fit, order {round}");
        }
        match round {
            0 => rows.sort_by(|(_, one), (_, other)| one[0].cmp(&other[0])),
            _ => random.shuffle(&mut rows),
        }
    }
}

#[test]
fn a_moment_in_the_past_sees_what_a_file_that_ends_there_shows() {
    let folder = TempDir::new().unwrap();
    let rows = rows();
    let middle = BEGIN + 18 * 600;
    let until = |secs: i64| {
        let early = |(_, row): &&(f64, Row)| row[0].parse::<i64>().unwrap() <= secs;
        rows.iter().filter(early).cloned().collect::<Vec<_>>()
    };
    let want = report(&csv(folder.path(), &until(middle)), 1_000_000, Some(middle));
    for samples_max in [1_000_000, 700, 300] {
        let got = report(&as_parquet(folder.path(), &rows), samples_max, Some(middle));
        assert!(got == want, "{samples_max} samples fit");
    }
    let before = report(&csv(folder.path(), &rows), 700, Some(BEGIN - 1));
    assert_eq!(before.len(), 3, "each service keeps its entry");
}

#[test]
fn an_instance_that_does_not_fit_alone_is_named() {
    let folder = TempDir::new().unwrap();
    let supply = supply(&csv(folder.path(), &rows()), 20);
    let error = supply.judge(Vec::new(), END, &Progress::new(), &|_| ()).unwrap_err();
    assert!(error.to_string().contains("`cart` alone"), "{error}");
}

#[test]
fn samples_from_the_future_are_left_out_in_passes_as_well() {
    let folder = TempDir::new().unwrap();
    let mut rows = rows();
    let want = report(&csv(folder.path(), &rows), 1_000_000, None);
    let late = END.as_millis() / 1000 + 1;
    let row = |service: &str| {
        let texts = [&late.to_string(), service, "1", &format!("{service}-0"), "process.fds"];
        (1.0, texts.map(str::to_owned))
    };
    rows.extend([row("cart"), row("ghost")]);
    for samples_max in [1_000_000, 700] {
        let mut supply = supply(&csv(folder.path(), &rows), samples_max);
        assert_eq!(supply.count_after(END), 2);
        supply.drop_after(END);
        assert_eq!(supply.services(), want.len());
        assert_eq!(supply.newest(), Some(Timestamp::from_secs(BEGIN + 39 * 600)));
    }
}

/// What the first reading of a file ends with, several times: parts are read side by side.
fn first_readings(path: &Path) -> Vec<Result<Rejections, String>> {
    let read = |_| {
        let source = Source::open(path).unwrap();
        let mut first = First::new(&source, 1_000_000, END);
        let read = first.read(&source, &Catalogue::built_in(), &Progress::new(), &mut |_| true);
        read.map_err(|error| std::error::Error::source(&error).unwrap().to_string())
    };
    (0..20).map(read).collect()
}

#[test]
fn what_is_refused_in_any_part_is_told_in_order() {
    let folder = TempDir::new().unwrap();
    let mut rows = rows();
    for (place, (_, row)) in rows.iter_mut().enumerate() {
        if place % 50 == 7 {
            row[4] = format!("unknown.{place}");
        }
    }
    let refused = rows.len().div_ceil(50) as u64;
    for read in first_readings(&as_parquet(folder.path(), &rows)) {
        let read = read.unwrap();
        assert_eq!(read.total(), refused);
        let examples = read.examples(Reason::UnknownMetric);
        let lines: Vec<_> = examples.iter().map(|example| example.line).collect();
        assert_eq!(lines, [Some(8), Some(58), Some(108)]);
    }
}

#[test]
fn of_damaged_parts_the_first_is_named() {
    let folder = TempDir::new().unwrap();
    let path = as_parquet(folder.path(), &rows());
    let damaged = |groups: &[usize]| {
        let reader = SerializedFileReader::new(File::open(&path).unwrap()).unwrap();
        let file = OpenOptions::new().write(true).open(&path).unwrap();
        for group in groups {
            let column = reader.metadata().row_group(*group).column(1);
            let page = column.dictionary_page_offset().unwrap();
            file.write_all_at(&[0xff; 16], page as u64).unwrap();
        }
        first_readings(&path)
    };
    for (groups, first) in [(&[4, 5][..], 4), (&[2], 2), (&[3], 2)] {
        for read in damaged(groups) {
            let told = read.unwrap_err();
            assert!(told.contains(&format!("row group {first} ")), "{told}");
        }
    }
}
