//! Tests of the Parquet reader: what is taken, what is counted, and what stops it.

use std::io::{Seek, Write};
use std::sync::{Arc, LazyLock};

use parquet::basic::{Compression, ZstdLevel};
use parquet::data_type::{ByteArray, ByteArrayType, DataType, DoubleType, Int64Type};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;
use plimsoll_model::{Metric, Reading};

use super::*;
use crate::rejection::Reason;

static CATALOGUE: LazyLock<Catalogue> = LazyLock::new(Catalogue::built_in);

const TEXTS: [&str; 4] = ["service", "version", "instance", "metric"];

/// A file of which each column may be of another type.
struct Table {
    ts: &'static str,
    value: &'static str,
    texts: [Vec<Option<&'static str>>; 4],
    compression: Compression,
    dictionary: bool,
    groups: usize,
}

impl Table {
    fn new(rows: usize) -> Self {
        let texts = ["orders", "1.0", "orders-0", "process.fds"];
        Self {
            ts: "REQUIRED INT64 ts (TIMESTAMP(MILLIS, true))",
            value: "REQUIRED DOUBLE value",
            texts: texts.map(|text| vec![Some(text); rows]),
            compression: Compression::SNAPPY,
            dictionary: true,
            groups: 1,
        }
    }

    fn write(
        &self,
        ts: impl Fn(&mut SerializedRowGroupWriter<'_, &mut File>),
        value: impl Fn(&mut SerializedRowGroupWriter<'_, &mut File>),
    ) -> File {
        let texts = TEXTS.map(|name| format!("OPTIONAL BYTE_ARRAY {name} (UTF8);")).concat();
        let schema = format!("message m {{ {}; {texts} {}; }}", self.ts, self.value);
        let schema = Arc::new(parse_message_type(&schema).unwrap());
        let properties = WriterProperties::builder()
            .set_compression(self.compression)
            .set_dictionary_enabled(self.dictionary)
            .build();
        let mut file = tempfile::tempfile().unwrap();
        let mut writer =
            SerializedFileWriter::new(&mut file, schema, Arc::new(properties)).unwrap();
        for _ in 0..self.groups {
            let mut group = writer.next_row_group().unwrap();
            ts(&mut group);
            for texts in &self.texts {
                let levels: Vec<i16> = texts.iter().map(|text| text.is_some().into()).collect();
                let there: Vec<_> =
                    texts.iter().flatten().map(|text| ByteArray::from(*text)).collect();
                put::<ByteArrayType>(&mut group, &there, Some(&levels));
            }
            value(&mut group);
            group.close().unwrap();
        }
        writer.close().unwrap();
        file
    }

    fn plain(&self, ts: &[i64], values: &[f64]) -> File {
        self.write(
            |group| put::<Int64Type>(group, ts, None),
            |group| put::<DoubleType>(group, values, None),
        )
    }
}

fn put<T: DataType>(
    group: &mut SerializedRowGroupWriter<'_, &mut File>,
    values: &[T::T],
    levels: Option<&[i16]>,
) {
    let mut column = group.next_column().unwrap().unwrap();
    column.typed::<T>().write_batch(values, levels, None).unwrap();
    column.close().unwrap();
}

fn read_all(file: File) -> Result<(Vec<Reading>, Rejections), ParquetError> {
    let mut readings = Vec::new();
    let mut rejections = Rejections::default();
    let file = ParquetFile::open(file)?;
    for group in 0..file.groups() {
        let summary =
            file.read(group, &CATALOGUE, None, &mut |batch| readings.extend(batch.readings()))?;
        rejections.merge(summary.rejections);
    }
    Ok((readings, rejections))
}

const NOON: i64 = 1_780_000_000;

#[test]
fn a_row_becomes_a_reading_whatever_the_packing() {
    let zstd = Compression::ZSTD(ZstdLevel::default());
    for compression in [Compression::UNCOMPRESSED, Compression::SNAPPY, zstd] {
        for dictionary in [false, true] {
            let table = Table { compression, dictionary, groups: 2, ..Table::new(2) };
            let (readings, rejections) =
                read_all(table.plain(&[NOON * 1000 + 250, NOON * 1000], &[7.0, 8.0])).unwrap();
            assert!(rejections.is_empty(), "{rejections}");
            assert_eq!(readings.len(), 4);
            let first = &readings[0];
            assert_eq!(first.at, Timestamp::from_millis(NOON * 1000 + 250));
            assert_eq!(first.service.as_str(), "orders");
            assert_eq!(first.version.as_ref().unwrap().as_str(), "1.0");
            assert_eq!(first.instance.as_str(), "orders-0");
            assert_eq!((first.metric, first.value), (Metric::ProcessFds, 7.0));
        }
    }
}

#[test]
fn times_are_read_as_they_are_declared() {
    let check = |ts: &'static str, time: i64| {
        let (readings, rejections) =
            read_all(Table { ts, ..Table::new(1) }.plain(&[time], &[1.0])).unwrap();
        assert!(rejections.is_empty(), "{ts}: {rejections}");
        assert_eq!(readings[0].at, Timestamp::from_secs(NOON), "{ts}");
    };
    check("REQUIRED INT64 ts", NOON);
    check("REQUIRED INT64 ts (INTEGER(64, false))", NOON);
    check("REQUIRED INT64 ts (TIMESTAMP_MILLIS)", NOON * 1000);
    check("REQUIRED INT64 ts (TIMESTAMP(MICROS, false))", NOON * 1_000_000 + 499);
    check("REQUIRED INT64 ts (TIMESTAMP(NANOS, true))", NOON * 1_000_000_000 - 499_999);
    let text = Table { ts: "OPTIONAL BYTE_ARRAY ts (UTF8)", ..Table::new(1) };
    let file = text.write(
        |group| put::<ByteArrayType>(group, &["2026-05-28T20:26:40Z".into()], Some(&[1])),
        |group| put::<DoubleType>(group, &[1.0], None),
    );
    assert_eq!(read_all(file).unwrap().0[0].at, Timestamp::from_secs(NOON));
}

#[test]
fn a_row_that_cannot_be_used_is_counted_with_its_number() {
    let check = |column: usize, text: Option<&'static str>, want: Reason| {
        let mut table = Table::new(3);
        table.texts[column][1] = text;
        let (readings, rejections) =
            read_all(table.plain(&[NOON * 1000; 3], &[1.0, 2.0, 3.0])).unwrap();
        let values: Vec<f64> = readings.iter().map(|reading| reading.value).collect();
        assert_eq!(values, [1.0, 3.0], "the rows around it are taken as they are");
        assert_eq!(rejections.counts().collect::<Vec<_>>(), [(want, 1)], "{text:?}");
        assert_eq!(rejections.examples(want)[0].line, Some(2));
    };
    check(0, None, Reason::MissingService);
    check(0, Some(""), Reason::MissingService);
    check(2, None, Reason::MissingInstance);
    check(2, Some("a\0b"), Reason::BadName);
    check(3, Some("my.metric"), Reason::UnknownMetric);
    check(3, Some("jvm_memory_used_bytes"), Reason::NeedsAttributes);
    let numbers = |ts: i64, value: f64| {
        let (_, rejections) = read_all(Table::new(1).plain(&[ts], &[value])).unwrap();
        rejections.counts().next()
    };
    assert_eq!(numbers(NOON * 1000, f64::NAN), Some((Reason::NotFinite, 1)));
    assert_eq!(numbers(NOON * 1000, -1.0), Some((Reason::Negative, 1)));
    assert_eq!(numbers(-1, 1.0), Some((Reason::UnreadableTime, 1)));
    assert_eq!(numbers(i64::MAX, 1.0), Some((Reason::UnreadableTime, 1)));
}

#[test]
fn a_version_may_be_null() {
    let mut table = Table::new(1);
    table.texts[1][0] = None;
    let (readings, _) = read_all(table.plain(&[NOON * 1000], &[1.0])).unwrap();
    assert_eq!(readings[0].version, None);
}

#[test]
fn a_file_of_other_columns_is_refused_by_name() {
    let check = |ts: &'static str, value: &'static str, told: &[&str]| {
        let file = Table { ts, value, ..Table::new(1) }.plain(&[NOON], &[1.0]);
        let error = read_all(file).unwrap_err().to_string();
        assert!(told.iter().all(|part| error.contains(part)), "{error}");
    };
    let value = "REQUIRED DOUBLE value";
    check("REQUIRED INT64 when", value, &["no column `ts`"]);
    check("REQUIRED INT64 ts (TIME(MICROS, true))", value, &["`ts`", "INT64", "RFC 3339"]);
    check("REQUIRED INT64 ts (DECIMAL(18, 3))", value, &["`ts`", "DECIMAL"]);
    check("REQUIRED INT64 ts", "REQUIRED DOUBLE service", &["two columns `service`"]);
}

fn sound_file() -> Vec<u8> {
    use std::io::Read;
    let rows = 300;
    let mut table = Table { groups: 2, ..Table::new(rows) };
    table.texts[2].iter_mut().step_by(3).for_each(|instance| *instance = Some("orders-1"));
    let ts: Vec<i64> = (0..).map(|row| NOON * 1000 + row * 1000).take(rows).collect();
    let values: Vec<f64> = (0..rows).map(|row| row as f64).collect();
    let mut file = table.plain(&ts, &values);
    file.rewind().unwrap();
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).unwrap();
    bytes
}

fn of_bytes(bytes: &[u8]) -> File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    file
}

#[test]
fn a_file_that_was_cut_is_refused_wherever_it_ends() {
    let whole = sound_file();
    assert_eq!(read_all(of_bytes(&whole)).unwrap().0.len(), 600);
    for length in (0..whole.len()).step_by(7) {
        assert!(read_all(of_bytes(&whole[..length])).is_err(), "{length} of {}", whole.len());
    }
}

/// Every byte is damaged in one of the ways that hurt most. What is asserted is that it ends: with
/// an error, or with no more rows than there were.
#[test]
fn damage_never_ends_the_program() {
    let whole = sound_file();
    let (mut refused, mut read) = (0, 0);
    for (place, flip) in (0..whole.len()).zip([0x01, 0x80, 0xff].into_iter().cycle()) {
        let mut bytes = whole.clone();
        bytes[place] ^= flip;
        match read_all(of_bytes(&bytes)) {
            Ok((readings, _)) => {
                assert!(readings.len() <= 600, "byte {place}");
                read += 1;
            }
            Err(_) => refused += 1,
        }
    }
    assert!(refused > 0 && read > 0, "{refused} refused, {read} read");
}

/// So many tellers that they push each other out of what is remembered of a batch.
#[test]
fn rows_say_in_parquet_what_they_say_in_csv() {
    let name = |prefix: &str, number: usize| -> &'static str {
        if number == 0 { "" } else { format!("{prefix}-{number}").leak() }
    };
    let metrics = ["process.fds", "my.metric", "process.threads", "jvm_memory_used_bytes"];
    let rows = 20_000;
    let mut random = 7_u64;
    let mut draw = |end: usize| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (random >> 33) as usize % end
    };
    let (mut table, mut lines) = (Table::new(rows), String::new());
    let (mut times, mut values) = (Vec::new(), Vec::new());
    for row in 0..rows {
        let instance = if row % 3 == 0 { draw(3000) } else { row / 500 };
        let texts = [
            name("service", draw(1 + row / 5000)),
            name("version", draw(3)),
            name("instance", instance),
            metrics[draw(4)],
        ];
        for (column, text) in table.texts.iter_mut().zip(texts) {
            column[row] = (!text.is_empty() || row % 2 == 0).then_some(text);
        }
        times.push((NOON - 20 + draw(100) as i64) * if draw(50) == 0 { -1000 } else { 1000 });
        values.push(draw(1000) as f64 - 10.0);
        let (time, value) = (times[row] as f64 / 1000.0, values[row]);
        lines.push_str(&format!("{time},{},{value}\n", texts.join(",")));
    }
    let header = "ts,service,version,instance,metric,value\n";
    let mut want = Vec::new();
    let text = format!("{header}{lines}");
    let csv = crate::csv::read(text.as_bytes(), &CATALOGUE, None, &mut |one| want.push(one));
    let refused = csv.unwrap().rejections;
    let (readings, rejections) = read_all(table.plain(&times, &values)).unwrap();
    assert!(readings == want, "{} readings, {} in CSV", readings.len(), want.len());
    let told = |rejections: &Rejections, header: u64| {
        let one = |(reason, count)| {
            let lines = rejections.examples(reason).iter().map(|one| one.line.unwrap() - header);
            (reason, count, lines.collect::<Vec<_>>())
        };
        rejections.counts().map(one).collect::<Vec<_>>()
    };
    assert_eq!(told(&rejections, 0), told(&refused, 1));
    assert!(refused.counts().count() > 5, "{refused}");
}
