//! Rows of a Parquet file become readings, or refusals that say why.
//!
//! Names repeat in almost every row, and a dictionary hands out the same bytes for the same name:
//! where those are known, the name is not looked at again.

use parquet::data_type::{ByteArray, ByteArrayType, DoubleType, FloatType, Int32Type, Int64Type};
use parquet::errors::{ParquetError as Source, Result};
use parquet::file::metadata::ParquetMetaData;
use plimsoll_model::{InstanceName, Reading, ServiceName, Timestamp, Version};

use super::ParquetSummary;
use super::cells::Cells;
use super::pages::{self, Pages};
use super::schema::{Columns, NumberForm, Step, TimeForm};
use crate::catalogue::{Catalogue, Resolved};
use crate::metric_name;
use crate::moment;
use crate::names::Names;
use crate::rejection::{Reason, Rejection};

/// Rows that are decoded at once: enough that a batch costs nothing, few enough that six columns of
/// it stay in the cache.
const BATCH_ROWS: usize = 8192;

/// Places for names whose bytes were seen in this batch; a power of two.
const SEEN: usize = 256;

type Taken<T> = std::result::Result<T, Rejection>;

enum Times {
    Integer(Cells<Int64Type>, Step),
    Fraction(Cells<DoubleType>),
    Text(Cells<ByteArrayType>),
}

enum Numbers {
    Double(Cells<DoubleType>),
    Float(Cells<FloatType>),
    Long(Cells<Int64Type>),
    UnsignedLong(Cells<Int64Type>),
    Int(Cells<Int32Type>),
    UnsignedInt(Cells<Int32Type>),
}

/// One row group, a batch of rows at a time.
pub(super) struct Batches {
    times: Times,
    services: Cells<ByteArrayType>,
    versions: Cells<ByteArrayType>,
    instances: Cells<ByteArrayType>,
    metrics: Cells<ByteArrayType>,
    numbers: Numbers,
    rows: usize,
    missing: usize,
}

impl Batches {
    pub(super) fn open(
        pages: &Pages,
        metadata: &ParquetMetaData,
        group: usize,
        columns: &Columns,
    ) -> Result<Self> {
        let group = metadata.row_groups().get(group);
        let group = group.ok_or_else(|| Source::General("there is no such row group".into()))?;
        let text = |column| Cells::open(pages, group, column);
        let (time, form) = columns.ts;
        pages::unharmed(|| {
            Ok(Self {
                times: match form {
                    TimeForm::Integer(step) => {
                        Times::Integer(Cells::open(pages, group, time)?, step)
                    }
                    TimeForm::Fraction => Times::Fraction(Cells::open(pages, group, time)?),
                    TimeForm::Text => Times::Text(text(time)?),
                },
                services: text(columns.service)?,
                versions: text(columns.version)?,
                instances: text(columns.instance)?,
                metrics: text(columns.metric)?,
                numbers: Numbers::open(pages, group, columns.value)?,
                rows: 0,
                missing: usize::try_from(group.num_rows())?,
            })
        })
    }

    /// Decodes the next rows; false at the end.
    pub(super) fn fill(&mut self) -> Result<bool> {
        let wanted = BATCH_ROWS.min(self.missing);
        let rows = pages::unharmed(|| {
            Ok([
                self.times.fill(wanted)?,
                self.services.fill(wanted)?,
                self.versions.fill(wanted)?,
                self.instances.fill(wanted)?,
                self.metrics.fill(wanted)?,
                self.numbers.fill(wanted)?,
            ])
        })?;
        if rows.iter().any(|rows| *rows != wanted) {
            return Err(Source::EOF("a column has fewer rows than the row group".into()));
        }
        self.missing -= wanted;
        self.rows = wanted;
        Ok(wanted > 0)
    }
}

impl Times {
    fn fill(&mut self, rows: usize) -> Result<usize> {
        match self {
            Self::Integer(cells, _) => cells.fill(rows),
            Self::Fraction(cells) => cells.fill(rows),
            Self::Text(cells) => cells.fill(rows),
        }
    }

    fn moment(&mut self, row: usize) -> Taken<Timestamp> {
        let none = || Rejection::new(Reason::TimeMissing, "the time is null");
        match self {
            Self::Integer(cells, step) => {
                let time = *cells.cell(row).ok_or_else(none)?;
                match step {
                    Step::Second => moment::from_unix_secs(time as f64),
                    Step::Millisecond => moment::from_unix_millis(time),
                    Step::Microsecond => moment::from_unix_millis(rounded(time, 1000)),
                    Step::Nanosecond => moment::from_unix_millis(rounded(time, 1_000_000)),
                }
            }
            Self::Fraction(cells) => moment::from_unix_secs(*cells.cell(row).ok_or_else(none)?),
            Self::Text(cells) => moment::parse(text(cells.cell(row).ok_or_else(none)?)?),
        }
    }
}

fn rounded(time: i64, steps: i64) -> i64 {
    time.saturating_add(steps / 2).div_euclid(steps)
}

impl Numbers {
    fn open(
        pages: &Pages,
        group: &parquet::file::metadata::RowGroupMetaData,
        (column, form): (usize, NumberForm),
    ) -> Result<Self> {
        Ok(match form {
            NumberForm::Double => Self::Double(Cells::open(pages, group, column)?),
            NumberForm::Float => Self::Float(Cells::open(pages, group, column)?),
            NumberForm::Long => Self::Long(Cells::open(pages, group, column)?),
            NumberForm::UnsignedLong => Self::UnsignedLong(Cells::open(pages, group, column)?),
            NumberForm::Int => Self::Int(Cells::open(pages, group, column)?),
            NumberForm::UnsignedInt => Self::UnsignedInt(Cells::open(pages, group, column)?),
        })
    }

    fn fill(&mut self, rows: usize) -> Result<usize> {
        match self {
            Self::Double(cells) => cells.fill(rows),
            Self::Float(cells) => cells.fill(rows),
            Self::Long(cells) | Self::UnsignedLong(cells) => cells.fill(rows),
            Self::Int(cells) | Self::UnsignedInt(cells) => cells.fill(rows),
        }
    }

    fn value(&mut self, row: usize) -> Taken<f64> {
        let value = match self {
            Self::Double(cells) => cells.cell(row).copied(),
            Self::Float(cells) => cells.cell(row).map(|value| f64::from(*value)),
            Self::Long(cells) => cells.cell(row).map(|value| *value as f64),
            Self::UnsignedLong(cells) => cells.cell(row).map(|value| value.cast_unsigned() as f64),
            Self::Int(cells) => cells.cell(row).map(|value| f64::from(*value)),
            Self::UnsignedInt(cells) => {
                cells.cell(row).map(|value| f64::from(value.cast_unsigned()))
            }
        };
        value.ok_or_else(|| Rejection::new(Reason::UnreadableValue, "the value is null"))
    }
}

/// Names whose bytes were seen lately, by the place of the bytes. Holds on to the bytes, so that no
/// others can come to lie in that place.
struct Seen<Name>(Vec<Option<(ByteArray, Taken<Name>)>>);

impl<Name: Clone> Seen<Name> {
    fn new() -> Self {
        Self(vec![None; SEEN])
    }

    fn forget(&mut self) {
        self.0.fill(None);
    }

    fn find(
        &mut self,
        bytes: Option<&ByteArray>,
        name: impl FnOnce(&str) -> Taken<Name>,
    ) -> Taken<Name> {
        let Some(bytes) = bytes else { return name("") };
        let place = bytes.data().as_ptr() as usize;
        // Texts of a page lie behind one another, so their places differ in the lower bits.
        let slot = self.0.get_mut((place ^ (place >> 8)) % SEEN);
        let Some(slot) = slot else { return name(text(bytes)?) };
        if let Some((known, found)) = slot
            && std::ptr::eq(known.data(), bytes.data())
        {
            return found.clone();
        }
        let found = text(bytes).and_then(name);
        *slot = Some((bytes.clone(), found.clone()));
        found
    }
}

/// What turns batches into readings, over one row group.
pub(super) struct Rows<'a> {
    pub(super) summary: ParquetSummary,
    catalogue: &'a Catalogue,
    now: Option<Timestamp>,
    names: &'a mut Names,
    /// Rows of the file before this row group.
    before: u64,
    services: Seen<ServiceName>,
    versions: Seen<Option<Version>>,
    instances: Seen<InstanceName>,
    metrics: Seen<Option<Resolved<'a>>>,
}

impl<'a> Rows<'a> {
    pub(super) fn new(
        catalogue: &'a Catalogue,
        now: Option<Timestamp>,
        names: &'a mut Names,
        before: u64,
    ) -> Self {
        Self {
            summary: ParquetSummary::default(),
            catalogue,
            now,
            names,
            before,
            services: Seen::new(),
            versions: Seen::new(),
            instances: Seen::new(),
            metrics: Seen::new(),
        }
    }

    pub(super) fn take(&mut self, batches: &mut Batches, sink: &mut dyn FnMut(Reading)) {
        for row in 0..batches.rows {
            self.summary.rows += 1;
            match self.reading(batches, row) {
                Ok(Some(reading)) => {
                    self.summary.readings += 1;
                    sink(reading);
                }
                Ok(None) => self.summary.ignored += 1,
                Err(rejection) => {
                    let place = self.before.saturating_add(self.summary.rows);
                    self.summary.rejections.add(Some(place), rejection);
                }
            }
        }
        // Their pages may not be needed any more.
        self.services.forget();
        self.versions.forget();
        self.instances.forget();
        self.metrics.forget();
    }

    fn reading(&mut self, batches: &mut Batches, row: usize) -> Taken<Option<Reading>> {
        let Self { catalogue, names, .. } = self;
        // Every column gives its cell before anything is refused: they are asked for in order.
        let at = batches.times.moment(row);
        let service = self.services.find(batches.services.cell(row), |text| names.service(text));
        let version = self.versions.find(batches.versions.cell(row), |text| names.version(text));
        let instance =
            self.instances.find(batches.instances.cell(row), |text| names.instance(text));
        let metric = batches.metrics.cell(row);
        let resolved = self.metrics.find(metric, |text| metric_name::resolve(catalogue, text));
        let given = batches.numbers.value(row);
        let at = at?;
        self.now.map_or(Ok(()), |now| moment::not_in_future(at, now))?;
        let (service, version, instance) = (service?, version?, instance?);
        let (resolved, given) = (resolved?, given?);
        let Some(resolved) = resolved else { return Ok(None) };
        let value = resolved.value(given, at, 1.0)?;
        let metric = resolved.metric;
        Ok(value.map(|value| Reading { at, service, version, instance, metric, value }))
    }
}

fn text(bytes: &ByteArray) -> Taken<&str> {
    std::str::from_utf8(bytes.data())
        .map_err(|_| Rejection::new(Reason::Unreadable, "a text is not UTF-8"))
}
