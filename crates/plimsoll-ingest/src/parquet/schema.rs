//! Which columns of a Parquet file are the telemetry's, and of which types.
//!
//! Used when a file is opened: what is accepted here is what `cells` can read.

use parquet::basic::{ConvertedType, LogicalType, TimeUnit, Type};
use parquet::schema::types::{ColumnDescriptor, SchemaDescriptor};

use super::ParquetError;

/// What a step of an integer time is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Second,
    Millisecond,
    Microsecond,
    Nanosecond,
}

/// How the time is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TimeForm {
    Integer(Step),
    Fraction,
    Text,
}

/// How the value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NumberForm {
    Double,
    Float,
    Long,
    UnsignedLong,
    Int,
    UnsignedInt,
}

/// Where each needed column stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Columns {
    pub(super) ts: (usize, TimeForm),
    pub(super) service: usize,
    pub(super) version: usize,
    pub(super) instance: usize,
    pub(super) metric: usize,
    pub(super) value: (usize, NumberForm),
}

const TIME_WANTED: &str = "a timestamp, whole Unix seconds, seconds as DOUBLE, or RFC 3339 as text";
const TEXT_WANTED: &str = "text";
const NUMBER_WANTED: &str = "DOUBLE, FLOAT or an integer";

impl Columns {
    pub(super) fn find(schema: &SchemaDescriptor) -> Result<Self, ParquetError> {
        let text = |name| find_text(schema, name);
        Ok(Self {
            ts: find(schema, "ts", TIME_WANTED, time_form)?,
            service: text("service")?,
            version: text("version")?,
            instance: text("instance")?,
            metric: text("metric")?,
            value: find(schema, "value", NUMBER_WANTED, number_form)?,
        })
    }
}

fn find_text(schema: &SchemaDescriptor, name: &'static str) -> Result<usize, ParquetError> {
    let is_text = |column: &ColumnDescriptor| {
        (column.physical_type() == Type::BYTE_ARRAY && !is_decimal(column)).then_some(())
    };
    find(schema, name, TEXT_WANTED, is_text).map(|(place, ())| place)
}

fn find<Form>(
    schema: &SchemaDescriptor,
    name: &'static str,
    wanted: &'static str,
    form: fn(&ColumnDescriptor) -> Option<Form>,
) -> Result<(usize, Form), ParquetError> {
    let is_it = |column: &ColumnDescriptor| match column.path().parts() {
        [only] => only.trim().eq_ignore_ascii_case(name),
        _ => false,
    };
    let mut found = schema.columns().iter().enumerate().filter(|(_, column)| is_it(column));
    let (place, column) = found.next().ok_or(ParquetError::MissingColumn(name))?;
    if found.next().is_some() {
        return Err(ParquetError::RepeatedColumn(name));
    }
    match form(column) {
        Some(form) if column.max_rep_level() == 0 => Ok((place, form)),
        Some(_) | None => {
            Err(ParquetError::ColumnType { column: name, found: told(column), wanted })
        }
    }
}

fn time_form(column: &ColumnDescriptor) -> Option<TimeForm> {
    let step = match (column.logical_type_ref(), column.converted_type()) {
        (Some(LogicalType::Timestamp(stamp)), _) => match stamp.unit {
            TimeUnit::MILLIS => Step::Millisecond,
            TimeUnit::MICROS => Step::Microsecond,
            TimeUnit::NANOS => Step::Nanosecond,
        },
        (_, ConvertedType::TIMESTAMP_MILLIS) => Step::Millisecond,
        (_, ConvertedType::TIMESTAMP_MICROS) => Step::Microsecond,
        // A time of day, a date and a decimal are integers too, and not Unix seconds.
        (None | Some(LogicalType::Integer(_)), _) if is_plain(column) => Step::Second,
        _ => return text_or_fraction(column),
    };
    if column.physical_type() == Type::INT64 {
        Some(TimeForm::Integer(step))
    } else {
        text_or_fraction(column)
    }
}

fn text_or_fraction(column: &ColumnDescriptor) -> Option<TimeForm> {
    match column.physical_type() {
        Type::DOUBLE => Some(TimeForm::Fraction),
        Type::BYTE_ARRAY if !is_decimal(column) => Some(TimeForm::Text),
        _ => None,
    }
}

fn number_form(column: &ColumnDescriptor) -> Option<NumberForm> {
    let unsigned = matches!(
        column.logical_type_ref(),
        Some(LogicalType::Integer(integer)) if !integer.is_signed
    ) || matches!(
        column.converted_type(),
        ConvertedType::UINT_8
            | ConvertedType::UINT_16
            | ConvertedType::UINT_32
            | ConvertedType::UINT_64
    );
    let plain = is_plain(column);
    match column.physical_type() {
        Type::DOUBLE => Some(NumberForm::Double),
        Type::FLOAT => Some(NumberForm::Float),
        Type::INT64 if plain && unsigned => Some(NumberForm::UnsignedLong),
        Type::INT64 if plain => Some(NumberForm::Long),
        Type::INT32 if plain && unsigned => Some(NumberForm::UnsignedInt),
        Type::INT32 if plain => Some(NumberForm::Int),
        _ => None,
    }
}

/// A number that means itself: not scaled, not a day or an hour.
fn is_plain(column: &ColumnDescriptor) -> bool {
    let logical = matches!(column.logical_type_ref(), None | Some(LogicalType::Integer(_)));
    logical
        && matches!(
            column.converted_type(),
            ConvertedType::NONE
                | ConvertedType::INT_8
                | ConvertedType::INT_16
                | ConvertedType::INT_32
                | ConvertedType::INT_64
                | ConvertedType::UINT_8
                | ConvertedType::UINT_16
                | ConvertedType::UINT_32
                | ConvertedType::UINT_64
        )
}

fn is_decimal(column: &ColumnDescriptor) -> bool {
    matches!(column.logical_type_ref(), Some(LogicalType::Decimal(_)))
        || column.converted_type() == ConvertedType::DECIMAL
}

fn told(column: &ColumnDescriptor) -> String {
    let list = if column.max_rep_level() > 0 { "a list of " } else { "" };
    match column.converted_type() {
        ConvertedType::NONE => format!("{list}{}", column.physical_type()),
        converted => format!("{list}{} ({converted})", column.physical_type()),
    }
}
