//! The bytes of a Parquet file, page by page, so that no file can fill memory or end the program.
//!
//! The `parquet` crate believes what a page says of its size, and panics on some damage. Both stop
//! here. Used for everything that is read from a file.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::os::unix::fs::FileExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use parquet::basic::Encoding;
use parquet::column::page::{Page, PageMetadata, PageReader};
use parquet::errors::{ParquetError as Source, Result};
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::reader::{ChunkReader, Length, SerializedPageReader};
use prost::bytes::Bytes;

/// Largest page that is unpacked. Writers cut pages at 1 MiB, a few at 100 MB; a page of a few
/// kilobytes can say that it unpacks to 2 GiB, and there are six columns.
const PAGE_BYTES_MAX: i64 = 128 * 1024 * 1024;

/// How much is read ahead for the header of a page: with statistics of long texts, a kilobyte.
const HEADER_BYTES: usize = 4096;

/// Runs what decodes bytes from outside. The `parquet` crate has assertions and slices in its
/// decoders that damaged bytes reach; there is no way to know beforehand. It keeps no state outside
/// of what is dropped with the error, so going on is sound.
pub(super) fn unharmed<T>(decode: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(decode))
        .unwrap_or_else(|_| Err(Source::General("the bytes make no sense to the decoder".into())))
}

/// A file of which parts are read at any place.
#[derive(Clone, Debug)]
pub(super) struct Pages {
    file: Arc<File>,
    length: u64,
}

impl Pages {
    pub(super) fn new(file: File) -> Self {
        let length = Length::len(&file);
        Self { file: Arc::new(file), length }
    }

    /// The pages of one column in one row group.
    pub(super) fn of(&self, chunk: &ColumnChunkMetaData, rows: usize) -> Result<Checked> {
        let pages = SerializedPageReader::new(Arc::new(self.clone()), chunk, rows, None)?;
        Ok(Checked(pages))
    }
}

impl Length for Pages {
    fn len(&self) -> u64 {
        self.length
    }
}

impl ChunkReader for Pages {
    type T = BufReader<Part>;

    /// Every page is begun here, at its header.
    fn get_read(&self, start: u64) -> Result<Self::T> {
        let mut header = [0; 64];
        let read = self.file.read_at(&mut header, start)?;
        let size = unpacked_size(header.get(..read).unwrap_or_default());
        let size = size.ok_or_else(|| Source::EOF("a page has no readable header".into()))?;
        if size > PAGE_BYTES_MAX {
            return Err(Source::General(format!(
                "a page has {size} bytes, at most {PAGE_BYTES_MAX} are read; write smaller pages"
            )));
        }
        let part = Part { file: Arc::clone(&self.file), at: start };
        Ok(BufReader::with_capacity(HEADER_BYTES, part))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes> {
        if start.checked_add(length as u64).is_none_or(|end| end > self.length) {
            return Err(Source::EOF("a page goes on behind the end of the file".into()));
        }
        let mut bytes = vec![0; length];
        self.file.read_exact_at(&mut bytes, start)?;
        Ok(bytes.into())
    }
}

/// A file from one place on.
#[derive(Debug)]
pub(super) struct Part {
    file: Arc<File>,
    at: u64,
}

impl Read for Part {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(buffer, self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

/// How large a page says that it is unpacked: the second field of its header, which is Thrift's
/// compact protocol. Both fields before the third are required, and written in their order.
fn unpacked_size(header: &[u8]) -> Option<i64> {
    const INT_AFTER_THE_FIELD_BEFORE: u8 = 0x15;
    let mut rest = header;
    let mut field = || {
        let (kind, after) = rest.split_first()?;
        let (value, after) = (*kind == INT_AFTER_THE_FIELD_BEFORE).then(|| varint(after))??;
        rest = after;
        Some((value >> 1) as i64 ^ -((value & 1) as i64))
    };
    let _kind = field()?;
    field()
}

/// A number of seven bits a byte, and what follows it.
pub(super) fn varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut value = 0;
    for (index, byte) in bytes.iter().enumerate().take(9) {
        value |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Some((value, bytes.get(index + 1..)?));
        }
    }
    None
}

/// Pages of which no number would make a decoder take more memory than the page.
pub(super) struct Checked(SerializedPageReader<Pages>);

impl Iterator for Checked {
    type Item = Result<Page>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}

impl PageReader for Checked {
    fn get_next_page(&mut self) -> Result<Option<Page>> {
        let page = self.0.get_next_page()?;
        page.as_ref().map_or(Ok(()), check)?;
        Ok(page)
    }

    fn peek_next_page(&mut self) -> Result<Option<PageMetadata>> {
        self.0.peek_next_page()
    }

    fn skip_next_page(&mut self) -> Result<()> {
        self.0.skip_next_page()
    }
}

fn check(page: &Page) -> Result<()> {
    if let Page::DictionaryPage { buf, num_values, .. } = page
        && buf.len() < *num_values as usize
    {
        return Err(Source::General("a dictionary has fewer bytes than entries".into()));
    }
    match page.encoding() {
        // Their lengths stand apart from their bytes, so a small page can hold endless texts. They
        // are written on request only.
        Encoding::DELTA_BYTE_ARRAY | Encoding::DELTA_LENGTH_BYTE_ARRAY => Err(Source::NYI(
            format!("the encoding {}; write text plain or as a dictionary", page.encoding()),
        )),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_size_of_a_page_is_read_before_the_page_is() {
        assert_eq!(unpacked_size(&[0x15, 0x00, 0x15, 0x14, 0x15, 0x02]), Some(10));
        assert_eq!(
            unpacked_size(&[0x15, 0x00, 0x15, 0xfe, 0xff, 0xff, 0xff, 0x0f]),
            Some(0x7fff_ffff)
        );
        for wrong in [&[][..], &[0x15], &[0x15, 0x00, 0x16, 0x02], &[0x15; 3], &[0xff; 64]] {
            assert_eq!(unpacked_size(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn a_decoder_that_panics_is_an_error() {
        let result: Result<()> = unharmed(|| panic!("as on damaged bytes"));
        assert!(result.is_err());
    }
}
