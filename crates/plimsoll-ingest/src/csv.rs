//! Telemetry as CSV, the long form that `plimsoll scan` reads: one value a line, columns `ts`,
//! `service`, `version`, `instance`, `metric`, `value` in any order.
//!
//! Streams: a reading goes to the caller as soon as its line is read, so memory is the caller's
//! decision. A line that cannot be used is counted and never stops the rest. Not here: opening
//! files, other formats.

use std::io::{self, BufRead};

use csv_core::ReadRecordResult;
use plimsoll_model::{Reading, Timestamp};

use crate::catalogue::Catalogue;
use crate::lines::{Line, Lines};
use crate::metric_name;
use crate::moment;
use crate::names::Names;
use crate::rejection::{Reason, Rejection, Rejections};

/// Longest line that is read, in bytes. Six columns of at most 256 bytes and labels fit many
/// times; a file without line ends must not fill memory.
const LINE_BYTES_MAX: usize = 64 * 1024;

/// Columns that a file may have, the unused ones included.
const COLUMNS_MAX: usize = 256;

const COLUMNS: [&str; 6] = ["ts", "service", "version", "instance", "metric", "value"];

/// Why a file as a whole cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum CsvError {
    #[error(
        "the telemetry is empty; its first line must name the columns ts, service, version, \
         instance, metric and value"
    )]
    Empty,
    #[error(
        "the header has no column `{0}`; the first line must name the columns ts, service, \
         version, instance, metric and value"
    )]
    MissingColumn(&'static str),
    #[error("the header has the column `{0}` twice; rename one of them")]
    RepeatedColumn(&'static str),
    #[error("the header is not readable as CSV; is this a text file in UTF-8?")]
    UnreadableHeader,
    #[error("the telemetry could not be read further after line {line}")]
    Interrupted {
        line: u64,
        #[source]
        source: io::Error,
    },
}

/// What was in a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CsvSummary {
    /// Lines that are neither empty nor the header: taken, left out or rejected.
    pub rows: u64,
    /// Readings given to the sink.
    pub readings: u64,
    /// Rows that were understood and left out: metrics that the catalogue ignores, and values
    /// that say "there is none".
    pub ignored: u64,
    pub rejections: Rejections,
}

/// Reads to the end. With `now`, lines from the future (over 5 minutes ahead) are rejected.
pub fn read(
    input: impl BufRead,
    catalogue: &Catalogue,
    now: Option<Timestamp>,
    sink: &mut dyn FnMut(Reading),
) -> Result<CsvSummary, CsvError> {
    let mut lines = Lines::new(input, LINE_BYTES_MAX);
    let mut fields = Fields::new();
    let columns = read_header(&mut lines, &mut fields)?;
    let mut rows = Rows { catalogue, now, columns, names: Names::default() };
    let mut summary = CsvSummary::default();
    let mut last = 1;
    loop {
        let next = lines.next().map_err(|source| CsvError::Interrupted { line: last, source })?;
        let Some((number, line)) = next else { return Ok(summary) };
        last = number;
        if matches!(&line, Line::Whole(bytes) if bytes.trim_ascii().is_empty()) {
            continue;
        }
        summary.rows += 1;
        match rows.reading(&line, &mut fields) {
            Ok(Some(reading)) => {
                summary.readings += 1;
                sink(reading);
            }
            Ok(None) => summary.ignored += 1,
            Err(rejection) => summary.rejections.add(Some(number), rejection),
        }
    }
}

/// Where each needed column stands, and how many there are.
#[derive(Clone, Copy, Debug)]
struct Columns {
    ts: usize,
    service: usize,
    version: usize,
    instance: usize,
    metric: usize,
    value: usize,
    count: usize,
}

struct Rows<'a> {
    catalogue: &'a Catalogue,
    now: Option<Timestamp>,
    columns: Columns,
    names: Names,
}

impl Rows<'_> {
    fn reading(
        &mut self,
        line: &Line<'_>,
        fields: &mut Fields,
    ) -> Result<Option<Reading>, Rejection> {
        let columns = self.columns;
        fields.split(line)?;
        if fields.count != columns.count {
            let detail = format!("{} columns instead of {}", fields.count, columns.count);
            return Err(Rejection::new(Reason::ColumnCount, &detail));
        }
        let at = moment::parse(fields.get(columns.ts)?)?;
        self.now.map_or(Ok(()), |now| moment::not_in_future(at, now))?;
        let service = self.names.service(fields.get(columns.service)?)?;
        let version = self.names.version(fields.get(columns.version)?)?;
        let instance = self.names.instance(fields.get(columns.instance)?)?;
        let resolved = metric_name::resolve(self.catalogue, fields.get(columns.metric)?)?;
        let given = number(fields.get(columns.value)?)?;
        let Some(resolved) = resolved else { return Ok(None) };
        let value = resolved.value(given, at, 1.0)?;
        let metric = resolved.metric;
        Ok(value.map(|value| Reading { at, service, version, instance, metric, value }))
    }
}

fn number(text: &str) -> Result<f64, Rejection> {
    let unreadable = |_| Rejection::new(Reason::UnreadableValue, &format!("`{text}`"));
    text.trim().parse().map_err(unreadable)
}

fn read_header<R: BufRead>(lines: &mut Lines<R>, fields: &mut Fields) -> Result<Columns, CsvError> {
    let next = lines.next().map_err(|source| CsvError::Interrupted { line: 0, source })?;
    let Some((_, line)) = next else { return Err(CsvError::Empty) };
    if matches!(&line, Line::Whole(bytes) if bytes.trim_ascii().is_empty()) {
        return Err(CsvError::Empty);
    }
    fields.split(&line).map_err(|_| CsvError::UnreadableHeader)?;
    let mut places = [0; COLUMNS.len()];
    for (place, name) in places.iter_mut().zip(COLUMNS) {
        *place = find_column(fields, name)?;
    }
    let [ts, service, version, instance, metric, value] = places;
    Ok(Columns { ts, service, version, instance, metric, value, count: fields.count })
}

fn find_column(fields: &Fields, name: &'static str) -> Result<usize, CsvError> {
    let is_it = |index: &usize| {
        fields.get(*index).is_ok_and(|field| field.trim().eq_ignore_ascii_case(name))
    };
    let mut found = (0..fields.count).filter(is_it);
    match (found.next(), found.next()) {
        (None, _) => Err(CsvError::MissingColumn(name)),
        (Some(place), None) => Ok(place),
        (Some(_), Some(_)) => Err(CsvError::RepeatedColumn(name)),
    }
}

/// The fields of one line, in buffers that are used again for every line.
struct Fields {
    parser: csv_core::Reader,
    text: Vec<u8>,
    ends: Vec<usize>,
    count: usize,
}

impl Fields {
    fn new() -> Self {
        Self {
            parser: csv_core::Reader::new(),
            // Unquoting only shortens, so a line's fields fit where the line fits.
            text: vec![0; LINE_BYTES_MAX + 1],
            ends: vec![0; COLUMNS_MAX],
            count: 0,
        }
    }

    /// Each line is parsed on its own, so an unclosed quote costs one line and not the rest of
    /// the file. Names may not hold line ends anyway.
    fn split(&mut self, line: &Line<'_>) -> Result<(), Rejection> {
        self.count = 0;
        let Line::Whole(line) = line else {
            let detail = format!("more than {LINE_BYTES_MAX} bytes");
            return Err(Rejection::new(Reason::LineTooLong, &detail));
        };
        let unreadable = |why: &str| Err(Rejection::new(Reason::Unreadable, why));
        if std::str::from_utf8(line).is_err() {
            return unreadable("not UTF-8");
        }
        if line.iter().filter(|byte| **byte == b'"').count() % 2 == 1 {
            return unreadable("a quote is not closed");
        }
        self.parser.reset();
        let (first, used, written, ended) =
            self.parser.read_record(line, &mut self.text, &mut self.ends);
        self.count = ended;
        let rest = line.get(used..).unwrap_or(&[]);
        let result = match (first, rest) {
            (ReadRecordResult::InputEmpty, _) => self.finish(written, ended),
            (other, []) => other,
            (_, [_, ..]) => return unreadable("it holds a line end, or too many columns"),
        };
        match result {
            ReadRecordResult::Record | ReadRecordResult::End => Ok(()),
            ReadRecordResult::InputEmpty
            | ReadRecordResult::OutputFull
            | ReadRecordResult::OutputEndsFull => unreadable("too many columns"),
        }
    }

    /// Tells the parser that the line ends here.
    fn finish(&mut self, written: usize, ended: usize) -> ReadRecordResult {
        let text = self.text.get_mut(written..).unwrap_or_default();
        let ends = self.ends.get_mut(ended..).unwrap_or_default();
        let (result, _, _, more) = self.parser.read_record(&[], text, ends);
        self.count = ended + more;
        result
    }

    fn get(&self, index: usize) -> Result<&str, Rejection> {
        let start = match index.checked_sub(1) {
            Some(before) => self.ends.get(before).copied(),
            None => Some(0),
        };
        let end = self.ends.get(index).copied().filter(|_| index < self.count);
        let bytes = start.zip(end).and_then(|(start, end)| self.text.get(start..end));
        let text = bytes.and_then(|bytes| std::str::from_utf8(bytes).ok());
        text.ok_or_else(|| Rejection::new(Reason::Unreadable, "a column is missing"))
    }
}

#[cfg(test)]
mod tests;
