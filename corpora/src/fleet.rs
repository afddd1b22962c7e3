//! Draws a fleet as one Parquet file, for measuring `plimsoll scan`: mostly flat, some of it moving
//! as the families of the corpus do.
//!
//! Not here: truths. Nothing is scored on it.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parquet::basic::Compression;
use parquet::data_type::{ByteArray, ByteArrayType, DataType, DoubleType, Int64Type};
use parquet::errors::{ParquetError, Result};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;
use plimsoll_model::Metric;
use plimsoll_sim::corpus::{self, Family};

/// Written by every tool that writes telemetry in this form.
const SCHEMA: &str = "message telemetry {
    REQUIRED INT64 ts (TIMESTAMP(MILLIS, true));
    REQUIRED BYTE_ARRAY service (UTF8);
    OPTIONAL BYTE_ARRAY version (UTF8);
    REQUIRED BYTE_ARRAY instance (UTF8);
    REQUIRED BYTE_ARRAY metric (UTF8);
    REQUIRED DOUBLE value;
}";

/// What each instance tells, with an ordinary value of it.
const METRICS: [(Metric, f64); 5] = [
    (Metric::ContainerMemoryAnon, 3.0e8),
    (Metric::ProcessMemoryRss, 4.0e8),
    (Metric::RuntimeHeapUsed, 2.0e8),
    (Metric::ProcessFds, 120.0),
    (Metric::ProcessThreads, 40.0),
];

const INSTANCES: usize = 4;
const SERIES_OF_A_SERVICE: usize = INSTANCES * METRICS.len();

/// One service in so many moves: 5 %.
const MOVING_EVERY: usize = 20;

/// Rows of a row group: what writers take by default.
const GROUP_ROWS: usize = 1_000_000;

const FIRST_MILLIS: i64 = 1_779_000_000_000;
const STEP_MILLIS: i64 = 300_000;

/// How much is drawn.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    pub(crate) series: usize,
    pub(crate) samples: usize,
}

/// Why there is no file, or only a part of one.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FleetError {
    #[error("cannot create `{}`; it must be a new file", path.display())]
    Create { path: PathBuf, source: io::Error },
    #[error("cannot write `{}`; delete it and try again", path.display())]
    Write { path: PathBuf, source: ParquetError },
}

/// Writes the fleet into a new file, with progress on standard error. The same size gives the same
/// file.
pub(crate) fn fleet(path: &Path, size: Size) -> std::result::Result<(), FleetError> {
    let file = File::create_new(path)
        .map_err(|source| FleetError::Create { path: path.to_owned(), source })?;
    write(file, size).map_err(|source| FleetError::Write { path: path.to_owned(), source })
}

fn write(file: File, size: Size) -> Result<()> {
    let schema = Arc::new(parse_message_type(SCHEMA)?);
    let properties = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_column_dictionary_enabled("value".into(), false)
        .build();
    let mut writer = SerializedFileWriter::new(file, schema, Arc::new(properties))?;
    let curves: Vec<Curves> = corpus::families().iter().map(Curves::draw).collect();
    let services = size.series.div_ceil(SERIES_OF_A_SERVICE);
    let mut rows = Rows::default();
    for service in 0..services {
        let series = (size.series - service * SERIES_OF_A_SERVICE).min(SERIES_OF_A_SERVICE);
        rows.service(service, series, size.samples, &curves);
        if rows.ts.len() >= GROUP_ROWS || service + 1 == services {
            rows.write(writer.next_row_group()?)?;
            eprintln!("{:6} of {services} services", service + 1);
        }
    }
    writer.close().map(|_| ())
}

/// What the series of one case of a family did, by metric.
struct Curves(BTreeMap<Metric, Vec<Vec<f64>>>);

impl Curves {
    fn draw(family: &Family) -> Self {
        let mut by_series: BTreeMap<_, Vec<f64>> = BTreeMap::new();
        for reading in corpus::draw(family, 1).readings {
            by_series.entry((reading.metric, reading.instance)).or_default().push(reading.value);
        }
        let mut curves: BTreeMap<Metric, Vec<Vec<f64>>> = BTreeMap::new();
        for ((metric, _), values) in by_series {
            curves.entry(metric).or_default().push(values);
        }
        Self(curves)
    }

    /// The value at a share of the whole time.
    fn value(&self, metric: Metric, instance: usize, at: f64) -> Option<f64> {
        let curves = self.0.get(&metric)?;
        let curve = curves.get(instance % curves.len())?;
        curve.get((at * curve.len() as f64) as usize).copied()
    }
}

/// Rows that are not written yet, column by column.
#[derive(Default)]
struct Rows {
    ts: Vec<i64>,
    service: Vec<ByteArray>,
    version: Vec<ByteArray>,
    instance: Vec<ByteArray>,
    metric: Vec<ByteArray>,
    value: Vec<f64>,
}

impl Rows {
    /// One service, in order of time.
    fn service(&mut self, number: usize, series: usize, samples: usize, curves: &[Curves]) {
        let name = format!("service-{number:05}");
        let service = ByteArray::from(name.as_str());
        let version = ByteArray::from("1.0.0");
        let instances: Vec<_> = (0..INSTANCES)
            .map(|instance| ByteArray::from(format!("{name}-{instance}").as_str()))
            .collect();
        let metrics = METRICS.map(|(metric, _)| ByteArray::from(metric.name()));
        let moving = number.is_multiple_of(MOVING_EVERY);
        let curves = curves.get(number / MOVING_EVERY % curves.len().max(1)).filter(|_| moving);
        let mut noise = Noise(number as u64);
        for sample in 0..samples {
            let at = sample as f64 / samples as f64;
            for one in 0..series {
                let (instance, place) = (one / METRICS.len(), one % METRICS.len());
                let (metric, ordinary) = METRICS[place];
                let moved = curves.and_then(|curves| curves.value(metric, instance, at));
                self.ts.push(FIRST_MILLIS + sample as i64 * STEP_MILLIS);
                self.service.push(service.clone());
                self.version.push(version.clone());
                self.instance.push(instances[instance].clone());
                self.metric.push(metrics[place].clone());
                let flat = || (ordinary * (1.0 + 0.05 * noise.next())).round();
                self.value.push(moved.unwrap_or_else(flat));
            }
        }
    }

    fn write(&mut self, mut group: SerializedRowGroupWriter<'_, File>) -> Result<()> {
        column::<Int64Type>(&mut group, &mut self.ts, false)?;
        column::<ByteArrayType>(&mut group, &mut self.service, false)?;
        column::<ByteArrayType>(&mut group, &mut self.version, true)?;
        column::<ByteArrayType>(&mut group, &mut self.instance, false)?;
        column::<ByteArrayType>(&mut group, &mut self.metric, false)?;
        column::<DoubleType>(&mut group, &mut self.value, false)?;
        group.close().map(|_| ())
    }
}

fn column<T: DataType>(
    group: &mut SerializedRowGroupWriter<'_, File>,
    values: &mut Vec<T::T>,
    optional: bool,
) -> Result<()> {
    let missing = || ParquetError::General("the schema has fewer columns than a row".into());
    let mut column = group.next_column()?.ok_or_else(missing)?;
    let levels = optional.then(|| vec![1; values.len()]);
    column.typed::<T>().write_batch(values, levels.as_deref(), None)?;
    values.clear();
    column.close()
}

/// Splitmix64: enough to look like noise, and the same everywhere.
struct Noise(u64);

impl Noise {
    /// From 0 to 1.
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use parquet::file::reader::{FileReader, SerializedFileReader};
    use parquet::record::RowAccessor;

    use super::*;

    #[test]
    fn every_row_can_be_read_and_the_same_size_gives_the_same_file() {
        let folder = tempfile::tempdir().unwrap();
        let size = Size { series: 50, samples: 30 };
        let paths = ["one", "other"].map(|name| folder.path().join(name));
        paths.iter().for_each(|path| fleet(path, size).unwrap());
        let bytes = paths.each_ref().map(|path| std::fs::read(path).unwrap());
        assert_eq!(bytes[0], bytes[1]);
        let file = SerializedFileReader::new(File::open(&paths[0]).unwrap()).unwrap();
        let mut series = BTreeSet::new();
        let mut rows = 0;
        for row in file.get_row_iter(None).unwrap() {
            let row = row.unwrap();
            let text = |column| row.get_string(column).unwrap().clone();
            assert!(row.get_double(5).unwrap() >= 0.0);
            assert!(text(4).parse::<Metric>().is_ok());
            series.insert((text(1), text(3), text(4)));
            rows += 1;
        }
        assert_eq!((rows, series.len()), (50 * 30, 50));
        assert!(fleet(&paths[0], size).is_err(), "an existing file is left alone");
    }
}
