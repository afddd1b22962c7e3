//! Telemetry as Parquet: the columns of the CSV form, in row groups that are read one at a time.
//!
//! Streams as `csv` does: samples go to the caller some thousand rows at a time, and a row that
//! cannot be used is counted and never stops the rest. What is damaged does stop it. Not here:
//! opening files, deciding which row groups to read again.

mod cells;
mod dictionary;
mod pages;
mod rows;
mod runs;
mod schema;
mod texts;

use std::fs::File;

use parquet::errors::ParquetError as Source;
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};
use plimsoll_model::Timestamp;

use self::pages::Pages;
use self::schema::Columns;
use crate::batch::Batch;
use crate::catalogue::Catalogue;
use crate::rejection::{Rejection, Rejections};

/// A cell, or why it cannot be used.
type Taken<T> = Result<T, Rejection>;

/// What a Parquet file begins with.
pub const MAGIC: [u8; 4] = *b"PAR1";

/// Why a file cannot be read, or not further.
#[derive(Debug, thiserror::Error)]
pub enum ParquetError {
    #[error("it is not a whole Parquet file; was it written and copied to its end?")]
    Unreadable(#[source] Source),
    #[error(
        "there is no column `{0}`; the columns ts, service, version, instance, metric and value \
         are needed"
    )]
    MissingColumn(&'static str),
    #[error("there are two columns `{0}`; rename one of them")]
    RepeatedColumn(&'static str),
    #[error("the column `{column}` is {found}; it must be {wanted}")]
    ColumnType { column: &'static str, found: String, wanted: &'static str },
    #[error("row group {group} cannot be read; is the file damaged?")]
    Damaged {
        group: usize,
        #[source]
        source: Source,
    },
}

/// What was in the row groups that were read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ParquetSummary {
    /// Taken, left out or rejected.
    pub rows: u64,
    /// Samples given to the sink.
    pub readings: u64,
    /// Rows that were understood and left out, as in CSV.
    pub ignored: u64,
    /// Places are rows of the file, counted from 1.
    pub rejections: Rejections,
}

/// A file whose columns are those of telemetry.
#[derive(Debug)]
pub struct ParquetFile {
    pages: Pages,
    metadata: ParquetMetaData,
    columns: Columns,
}

impl ParquetFile {
    /// Reads what the end of the file says of its content.
    pub fn open(file: File) -> Result<Self, ParquetError> {
        let metadata = pages::unharmed(|| ParquetMetaDataReader::new().parse_and_finish(&file))
            .map_err(ParquetError::Unreadable)?;
        let columns = Columns::find(metadata.file_metadata().schema_descr())?;
        Ok(Self { pages: Pages::new(file), metadata, columns })
    }

    /// Row groups, each of which can be read on its own.
    pub fn groups(&self) -> usize {
        self.metadata.num_row_groups()
    }

    /// Rows that the file says it has.
    pub fn rows(&self) -> u64 {
        self.rows_before(self.groups())
    }

    /// Reads one row group to its end; several may be read at once. With `now`, rows from the future (over 5 minutes ahead) are
    /// rejected.
    pub fn read(
        &self,
        group: usize,
        catalogue: &Catalogue,
        now: Option<Timestamp>,
        sink: &mut dyn FnMut(&Batch),
    ) -> Result<ParquetSummary, ParquetError> {
        let damaged = |source| ParquetError::Damaged { group, source };
        let before = self.rows_before(group);
        let Self { pages, metadata, columns } = self;
        let batches = rows::Batches::open(pages, metadata, group, columns, catalogue);
        let mut batches = batches.map_err(damaged)?;
        let mut rows = rows::Rows::new(now, before);
        while batches.fill().map_err(damaged)? {
            rows.take(&mut batches, sink);
        }
        Ok(rows.summary)
    }

    fn rows_before(&self, group: usize) -> u64 {
        let earlier = self.metadata.row_groups().iter().take(group);
        let rows = earlier.map(|group| u64::try_from(group.num_rows()).unwrap_or(0));
        rows.fold(0, u64::saturating_add)
    }
}

#[cfg(test)]
mod tests;
