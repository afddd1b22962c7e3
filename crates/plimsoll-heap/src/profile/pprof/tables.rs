//! The tables of a pprof profile, and what it says of itself: kinds of values, sampling. Entries
//! stay bytes of the file until a sample needs them.

use std::borrow::Cow;
use std::collections::HashMap;
use std::num::NonZeroU64;

use super::super::build::Full;
use super::super::protobuf::{Field, Reader, WireError};
use super::super::{Column, Measure, Sampling, ScaledBy, Unit};
use super::PprofError;

/// Entries of one table (strings, functions, locations). The largest real profiles have some
/// 200 000; an entry takes up to 40 bytes of memory and as few as two of the file.
const TABLE_MAX: usize = 2 << 20;
/// Kinds of values. Go writes four; each is a column of every sample.
const COLUMNS_MAX: usize = 16;

/// Numbers of the fields, as `profile.proto` gives them.
pub(super) mod number {
    pub(in super::super) const SAMPLE_TYPE: u64 = 1;
    pub(in super::super) const SAMPLE: u64 = 2;
    pub(in super::super) const MAPPING: u64 = 3;
    pub(in super::super) const LOCATION: u64 = 4;
    pub(in super::super) const FUNCTION: u64 = 5;
    pub(in super::super) const STRING: u64 = 6;
    pub(in super::super) const PERIOD_TYPE: u64 = 11;
    pub(in super::super) const PERIOD: u64 = 12;
}

/// What samples refer to, still as bytes of the file.
#[derive(Default)]
pub(super) struct Tables<'a> {
    pub(super) types: Vec<Reader<'a>>,
    strings: Vec<&'a [u8]>,
    pub(super) functions: HashMap<u64, Reader<'a>>,
    pub(super) locations: HashMap<u64, Reader<'a>>,
    pub(super) mappings: Vec<Reader<'a>>,
    period_type: Option<Reader<'a>>,
    period: u64,
}

impl<'a> Tables<'a> {
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, PprofError> {
        let mut tables = Self::default();
        let mut reader = Reader::new(bytes);
        while let Some(field) = reader.field()? {
            tables.take(field)?;
        }
        Ok(tables)
    }

    fn take(&mut self, field: Field<'a>) -> Result<(), PprofError> {
        if field.number == number::PERIOD {
            self.period = field.number().unwrap_or(0);
            return Ok(());
        }
        let Some(message) = field.message() else { return Ok(()) };
        match field.number {
            number::SAMPLE_TYPE => within(&mut self.types, message, "kinds of values", COLUMNS_MAX),
            number::MAPPING => within(&mut self.mappings, message, "mappings", TABLE_MAX),
            number::STRING => within(&mut self.strings, message.bytes(), "strings", TABLE_MAX),
            number::LOCATION => by_id(&mut self.locations, message, "locations"),
            number::FUNCTION => by_id(&mut self.functions, message, "functions"),
            number::PERIOD_TYPE => {
                self.period_type = Some(message);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    pub(super) fn string(&self, index: u64, at: usize) -> Result<Cow<'a, str>, PprofError> {
        let index_in = usize::try_from(index).ok();
        let found = index_in.and_then(|index| self.strings.get(index));
        // Some writers leave the table out where all strings are empty.
        match found {
            Some(bytes) => Ok(String::from_utf8_lossy(bytes)),
            None if index == 0 => Ok("".into()),
            None => Err(PprofError::Missing { what: "string", id: index, at }),
        }
    }

    pub(super) fn columns(&self) -> Result<Vec<Column>, PprofError> {
        if self.types.is_empty() {
            return Err(PprofError::NoColumns);
        }
        self.types.iter().map(|message| self.column(*message)).collect()
    }

    /// A `ValueType`: 1 is what, 2 is the unit.
    fn column(&self, message: Reader<'a>) -> Result<Column, PprofError> {
        let [what, unit] = numbers(message, [1, 2])?;
        let name = self.string(what, message.at())?;
        let unit = self.string(unit, message.at())?;
        let kind = match &*unit {
            "bytes" | "byte" => Unit::Bytes,
            "count" | "objects" | "" => Unit::Count,
            _ => Unit::Other,
        };
        let name = match kind {
            Unit::Bytes | Unit::Count => name.into_owned(),
            Unit::Other => format!("{name}/{unit}"),
        };
        Ok(Column { measure: measure(&name, kind), unit: kind, name })
    }

    pub(super) fn sampling(&self) -> Result<Sampling, PprofError> {
        let Some(message) = self.period_type else { return Ok(Sampling::Unknown) };
        let column = self.column(message)?;
        Ok(match (column.unit, NonZeroU64::new(self.period)) {
            (Unit::Bytes, Some(period)) if period.get() > 1 => {
                Sampling::EveryBytes { period, scaled_by: ScaledBy::Producer }
            }
            (Unit::Bytes | Unit::Count, Some(period)) if period.get() == 1 => Sampling::Exact,
            (Unit::Bytes | Unit::Count | Unit::Other, _) => Sampling::Unknown,
        })
    }
}

fn measure(name: &str, unit: Unit) -> Measure {
    match (name, unit) {
        ("inuse_objects" | "objects", Unit::Count) => Measure::InuseObjects,
        ("inuse_space" | "space", Unit::Bytes) => Measure::InuseSpace,
        ("alloc_objects", Unit::Count) => Measure::AllocObjects,
        ("alloc_space", Unit::Bytes) => Measure::AllocSpace,
        ("goroutine" | "goroutines", Unit::Count) => Measure::Goroutines,
        (_, Unit::Bytes | Unit::Count | Unit::Other) => Measure::Other,
    }
}

fn within<T>(
    table: &mut Vec<T>,
    entry: T,
    what: &'static str,
    max: usize,
) -> Result<(), PprofError> {
    if table.len() >= max {
        return Err(Full { what, max }.into());
    }
    table.push(entry);
    Ok(())
}

/// Files entries under their field 1.
fn by_id<'a>(
    table: &mut HashMap<u64, Reader<'a>>,
    entry: Reader<'a>,
    what: &'static str,
) -> Result<(), PprofError> {
    if table.len() >= TABLE_MAX {
        return Err(Full { what, max: TABLE_MAX }.into());
    }
    let [id] = numbers(entry, [1])?;
    table.insert(id, entry);
    Ok(())
}

/// The values of these fields of a message; 0, protobuf's default, where one is absent.
pub(super) fn numbers<const N: usize>(
    mut message: Reader<'_>,
    wanted: [u64; N],
) -> Result<[u64; N], WireError> {
    let mut found = [0; N];
    while let Some(field) = message.field()? {
        let place = wanted.iter().position(|number| *number == field.number);
        if let (Some(place), Some(number)) = (place, field.number()) {
            found[place] = number;
        }
    }
    Ok(found)
}
