//! Rows of a Parquet file become samples, or refusals that say why.
//!
//! Names are looked at once (`texts`), so a row is a few numbers: its moment, its value, and the
//! places of its names.

use parquet::data_type::{DoubleType, FloatType, Int32Type, Int64Type};
use parquet::errors::{ParquetError as Source, Result};
use parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};
use plimsoll_model::{InstanceName, ServiceName, Timestamp, Version};

use super::cells::Cells;
use super::pages::{self, Pages};
use super::schema::{Columns, NumberForm, Step, TimeForm};
use super::texts::Texts;
use super::{ParquetSummary, Taken};
use crate::batch::{Batch, Teller, Told, place};
use crate::catalogue::{Catalogue, Resolved};
use crate::metric_name;
use crate::moment;
use crate::names::Names;
use crate::rejection::{Reason, Rejection};

/// Rows that are decoded at once: enough that a batch costs nothing, few enough that six columns of
/// it stay in the cache.
const BATCH_ROWS: usize = 8192;

/// Places for tellers that were met in this batch; a power of two.
const MET: usize = 1024;

enum Times {
    Integer(Cells<Int64Type>, Step),
    Fraction(Cells<DoubleType>),
    Text(Texts<Timestamp>),
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
pub(super) struct Batches<'a> {
    catalogue: &'a Catalogue,
    shared: Names,
    times: Times,
    services: Texts<ServiceName>,
    versions: Texts<Option<Version>>,
    instances: Texts<InstanceName>,
    metrics: Texts<Option<Resolved<'a>>>,
    numbers: Numbers,
    rows: usize,
    missing: usize,
}

impl<'a> Batches<'a> {
    pub(super) fn open(
        pages: &Pages,
        metadata: &ParquetMetaData,
        group: usize,
        columns: &Columns,
        catalogue: &'a Catalogue,
    ) -> Result<Self> {
        let group = metadata.row_groups().get(group);
        let group = group.ok_or_else(|| Source::General("there is no such row group".into()))?;
        pages::unharmed(|| {
            Ok(Self {
                catalogue,
                shared: Names::default(),
                times: Times::open(pages, group, columns.ts)?,
                services: Texts::open(pages, group, columns.service)?,
                versions: Texts::open(pages, group, columns.version)?,
                instances: Texts::open(pages, group, columns.instance)?,
                metrics: Texts::open(pages, group, columns.metric)?,
                numbers: Numbers::open(pages, group, columns.value)?,
                rows: 0,
                missing: usize::try_from(group.num_rows())?,
            })
        })
    }

    /// Decodes the next rows; false at the end.
    pub(super) fn fill(&mut self) -> Result<bool> {
        let wanted = BATCH_ROWS.min(self.missing);
        let Self { catalogue, shared, .. } = self;
        let rows = pages::unharmed(|| {
            Ok([
                self.times.fill(wanted)?,
                self.services.fill(wanted, &mut |text| shared.service(text.unwrap_or("")))?,
                self.versions.fill(wanted, &mut |text| shared.version(text.unwrap_or("")))?,
                self.instances.fill(wanted, &mut |text| shared.instance(text.unwrap_or("")))?,
                self.metrics.fill(wanted, &mut |text| {
                    metric_name::resolve(catalogue, text.unwrap_or(""))
                })?,
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
    fn open(
        pages: &Pages,
        group: &RowGroupMetaData,
        (column, form): (usize, TimeForm),
    ) -> Result<Self> {
        Ok(match form {
            TimeForm::Integer(step) => Self::Integer(Cells::open(pages, group, column)?, step),
            TimeForm::Fraction => Self::Fraction(Cells::open(pages, group, column)?),
            TimeForm::Text => Self::Text(Texts::open(pages, group, column)?),
        })
    }

    fn fill(&mut self, rows: usize) -> Result<usize> {
        match self {
            Self::Integer(cells, _) => cells.fill(rows),
            Self::Fraction(cells) => cells.fill(rows),
            Self::Text(texts) => {
                texts.fill(rows, &mut |text| moment::parse(text.ok_or_else(no_time)?))
            }
        }
    }

    #[inline]
    fn moment(&mut self, row: usize) -> Taken<Timestamp> {
        match self {
            Self::Integer(cells, step) => {
                let time = *cells.cell(row).ok_or_else(no_time)?;
                match step {
                    Step::Second => moment::from_unix_secs(time as f64),
                    Step::Millisecond => moment::from_unix_millis(time),
                    Step::Microsecond => moment::from_unix_millis(rounded(time, 1000)),
                    Step::Nanosecond => moment::from_unix_millis(rounded(time, 1_000_000)),
                }
            }
            Self::Fraction(cells) => moment::from_unix_secs(*cells.cell(row).ok_or_else(no_time)?),
            Self::Text(texts) => match texts.places().get(row) {
                Some(place) => texts.name(*place).copied(),
                None => Err(no_time()),
            },
        }
    }
}

fn no_time() -> Rejection {
    Rejection::new(Reason::TimeMissing, "the time is null")
}

fn rounded(time: i64, steps: i64) -> i64 {
    time.saturating_add(steps / 2).div_euclid(steps)
}

impl Numbers {
    fn open(
        pages: &Pages,
        group: &RowGroupMetaData,
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

/// What turns batches into samples, over one row group.
pub(super) struct Rows {
    pub(super) summary: ParquetSummary,
    now: Option<Timestamp>,
    /// Rows of the file before this row group.
    before: u64,
    batch: Batch,
    met: Met,
}

/// The places of the service, the version and the instance of a row.
type Names3 = [u32; 3];

/// Tellers that were met in this batch, by the places of their names. One that is pushed out of its
/// slot is told of again.
struct Met {
    last: Option<(Names3, u32)>,
    slots: Vec<Option<(Names3, u32)>>,
}

impl Met {
    fn slot(&mut self, names: Names3) -> Option<&mut Option<(Names3, u32)>> {
        let [service, version, instance] = names.map(|place| place as usize);
        self.slots.get_mut((instance ^ (service << 5) ^ (version << 8)) % MET)
    }

    #[inline]
    fn find(&mut self, names: Names3) -> Option<u32> {
        if let Some((last, teller)) = self.last
            && last == names
        {
            return Some(teller);
        }
        self.last = self.slot(names).copied()?.filter(|(known, _)| *known == names);
        self.last.map(|(_, teller)| teller)
    }

    fn remember(&mut self, names: Names3, teller: u32) {
        self.last = Some((names, teller));
        if let Some(slot) = self.slot(names) {
            *slot = Some((names, teller));
        }
    }

    fn forget(&mut self) {
        self.last = None;
        self.slots.fill(None);
    }
}

impl Rows {
    pub(super) fn new(now: Option<Timestamp>, before: u64) -> Self {
        Self {
            summary: ParquetSummary::default(),
            now,
            before,
            batch: Batch::default(),
            met: Met { last: None, slots: vec![None; MET] },
        }
    }

    pub(super) fn take(&mut self, batches: &mut Batches<'_>, sink: &mut dyn FnMut(&Batch)) {
        // Names have other places in another batch.
        self.met.forget();
        self.batch.clear();
        for row in 0..batches.rows {
            match self.sample(batches, row) {
                Ok(Some(told)) => self.batch.samples.push(told),
                Ok(None) => self.summary.ignored += 1,
                Err(rejection) => {
                    let place = self.before.saturating_add(self.summary.rows + row as u64 + 1);
                    self.summary.rejections.add(Some(place), rejection);
                }
            }
        }
        self.summary.rows += batches.rows as u64;
        self.summary.readings += self.batch.samples.len() as u64;
        if !self.batch.samples.is_empty() {
            sink(&self.batch);
        }
    }

    #[inline]
    fn sample(&mut self, batches: &mut Batches<'_>, row: usize) -> Taken<Option<Told>> {
        // Both give their cells before anything is refused: they are asked for in order.
        let (at, given) = (batches.times.moment(row), batches.numbers.value(row));
        let at = at?;
        self.now.map_or(Ok(()), |now| moment::not_in_future(at, now))?;
        let place_in = |places: &[u32]| places.get(row).copied().expect("every column was filled");
        let names = [
            place_in(batches.services.places()),
            place_in(batches.versions.places()),
            place_in(batches.instances.places()),
        ];
        let met = self.met.find(names);
        if met.is_none() {
            // One that was met has all of its names.
            let [service, version, instance] = names;
            batches.services.name(service)?;
            batches.versions.name(version)?;
            batches.instances.name(instance)?;
        }
        let resolved = batches.metrics.name(place_in(batches.metrics.places()))?;
        let given = given?;
        let Some(resolved) = resolved else { return Ok(None) };
        let Some(value) = resolved.value(given, at, 1.0)? else { return Ok(None) };
        let teller = met.map_or_else(|| self.meet(batches, names), Ok)?;
        Ok(Some(Told { at, value, teller, metric: resolved.metric }))
    }

    fn meet(&mut self, batches: &Batches<'_>, names: Names3) -> Taken<u32> {
        let [service, version, instance] = names;
        let teller = place(self.batch.tellers.len());
        self.batch.tellers.push(Teller {
            service: batches.services.name(service)?.clone(),
            version: batches.versions.name(version)?.clone(),
            instance: batches.instances.name(instance)?.clone(),
        });
        self.met.remember(names, teller);
        Ok(teller)
    }
}
