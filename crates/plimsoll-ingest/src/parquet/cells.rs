//! Cells of one column, a batch at a time, as plain values in memory.
//!
//! Not here: what they mean (`rows`).

use parquet::column::reader::{ColumnReaderImpl, get_column_reader, get_typed_column_reader};
use parquet::data_type::DataType;
use parquet::errors::Result;
use parquet::file::metadata::RowGroupMetaData;

use super::pages::Pages;

/// The cells of a batch in the order of rows; those that are null have none.
pub(super) struct Cells<T: DataType> {
    reader: ColumnReaderImpl<T>,
    values: Vec<T::T>,
    /// How much of the path to the value is there; empty where nothing may be null.
    levels: Vec<i16>,
    whole: i16,
    next: usize,
}

impl<T: DataType> Cells<T> {
    pub(super) fn open(pages: &Pages, group: &RowGroupMetaData, column: usize) -> Result<Self> {
        let chunk = group.column(column);
        let descriptor = chunk.column_descr_ptr();
        let whole = descriptor.max_def_level();
        let rows = usize::try_from(group.num_rows())?;
        let pages = Box::new(pages.of(chunk, rows)?);
        let reader = get_typed_column_reader::<T>(get_column_reader(descriptor, pages));
        Ok(Self { reader, values: Vec::new(), levels: Vec::new(), whole, next: 0 })
    }

    /// Takes the next rows, up to a number; says how many there were.
    pub(super) fn fill(&mut self, rows_max: usize) -> Result<usize> {
        self.values.clear();
        self.levels.clear();
        self.next = 0;
        let levels = Some(&mut self.levels);
        let (rows, _, _) = self.reader.read_records(rows_max, levels, None, &mut self.values)?;
        Ok(rows)
    }

    /// The cell of a row; rows are asked for one after the other.
    pub(super) fn cell(&mut self, row: usize) -> Option<&T::T> {
        if self.whole > 0 && self.levels.get(row) != Some(&self.whole) {
            return None;
        }
        self.next += 1;
        self.values.get(self.next - 1)
    }
}
