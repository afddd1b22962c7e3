//! A column of texts, each of which is looked at once however many rows have it.
//!
//! A row becomes the place of its name among those that are known: with a dictionary, which is how
//! every writer writes names, without a look at the text. The `parquet` crate hands out a text for
//! every row instead, which cost more than all else together. Pages are still its work (`pages`),
//! and of encodings there are no others than these two: those with lengths apart are refused there.

use std::ops::Range;

use parquet::basic::Encoding;
use parquet::column::page::{Page, PageReader};
use parquet::errors::{ParquetError as Source, Result};
use parquet::file::metadata::RowGroupMetaData;
use prost::bytes::Bytes;

use super::Taken;
use super::dictionary::{Dictionary, Known, Meaning, Plain, UNKNOWN};
use super::pages::{Checked, Pages};
use super::runs::{Next, Runs};

/// Names that are remembered before all are forgotten: more than a row group of a large fleet has,
/// and a few megabytes.
const KNOWN_MAX: usize = 65_536;

/// The texts of one column in one row group, a batch of rows at a time.
pub(super) struct Texts<Name> {
    pages: Checked,
    nullable: bool,
    dictionary: Option<Dictionary>,
    page: TextPage,
    names: Known<Name>,
    /// Of the rows of the batch.
    places: Vec<u32>,
    /// Used again and again.
    levels: Vec<u32>,
    numbers: Vec<u32>,
}

/// A page that is read in part.
struct TextPage {
    rows_left: usize,
    levels: Option<Runs>,
    texts: Encoded,
}

enum Encoded {
    /// Places in the dictionary.
    Listed(Runs),
    Plain(Plain),
}

impl<Name> Texts<Name> {
    pub(super) fn open(pages: &Pages, group: &RowGroupMetaData, column: usize) -> Result<Self> {
        let chunk = group.column(column);
        let pages = pages.of(chunk, usize::try_from(group.num_rows())?)?;
        // A column that is not in another one has one level at most: whether there is a text.
        let nullable = match chunk.column_descr().max_def_level() {
            0 => false,
            1 => true,
            more => return Err(Source::NYI(format!("{more} levels of what may be null"))),
        };
        Ok(Self {
            pages,
            nullable,
            dictionary: None,
            page: TextPage { rows_left: 0, levels: None, texts: plain(Bytes::new()) },
            names: Known { names: Vec::new(), null: None },
            places: Vec::new(),
            levels: Vec::new(),
            numbers: Vec::new(),
        })
    }

    /// Takes the next rows, up to a number; says how many there were.
    pub(super) fn fill(&mut self, rows_max: usize, meaning: Meaning<'_, Name>) -> Result<usize> {
        self.places.clear();
        if self.names.names.len() > KNOWN_MAX {
            self.forget();
        }
        while self.places.len() < rows_max {
            if self.page.rows_left == 0 {
                if !self.turn()? {
                    break;
                }
                continue;
            }
            let rows = self.page.rows_left.min(rows_max - self.places.len());
            self.take(rows, meaning)?;
            self.page.rows_left -= rows;
        }
        Ok(self.places.len())
    }

    /// The places of the batch's rows, which [`Self::name`] knows until the next batch.
    pub(super) fn places(&self) -> &[u32] {
        &self.places
    }

    pub(super) fn name(&self, place: u32) -> Taken<&Name> {
        let name = self.names.names.get(place as usize);
        name.expect("a place is of a name that is known").as_ref().map_err(Clone::clone)
    }

    fn forget(&mut self) {
        self.names = Known { names: Vec::new(), null: None };
        if let Some(dictionary) = &mut self.dictionary {
            dictionary.places.fill(UNKNOWN);
        }
        if let Encoded::Plain(plain) = &mut self.page.texts {
            plain.last = None;
        }
    }

    /// Goes to the next page of texts; false behind the last.
    fn turn(&mut self) -> Result<bool> {
        loop {
            match self.pages.get_next_page()? {
                None => return Ok(false),
                Some(Page::DictionaryPage { buf, num_values, encoding, .. }) => {
                    if self.dictionary.is_some() {
                        return Err(Source::General("a column has two dictionaries".into()));
                    }
                    self.dictionary = Some(Dictionary::new(buf, num_values, encoding)?);
                }
                Some(page) => {
                    self.page = TextPage::new(page, self.nullable, self.dictionary.is_some())?;
                    return Ok(true);
                }
            }
        }
    }

    /// Takes rows of this page.
    fn take(&mut self, rows: usize, meaning: Meaning<'_, Name>) -> Result<()> {
        let Self { dictionary, page, names, places, levels, numbers, .. } = self;
        let dictionary = dictionary.as_mut();
        let mut texts = Reading { dictionary, texts: &mut page.texts, names, places, numbers };
        let Some(runs) = &mut page.levels else { return texts.present(rows, meaning) };
        let mut missing = rows;
        while missing > 0 {
            let short = || Source::EOF("a page tells of fewer rows than it has".into());
            match runs.next(missing, levels)?.ok_or_else(short)? {
                Next::Same(level, count) => {
                    texts.level(level, count, meaning)?;
                    missing -= count;
                }
                Next::Listed => {
                    for same in levels.chunk_by(|one, other| one == other) {
                        let level = same.first().copied().unwrap_or_default();
                        texts.level(level, same.len(), meaning)?;
                    }
                    missing -= levels.len();
                }
            }
        }
        Ok(())
    }
}

/// What is needed to read on in a page.
struct Reading<'a, Name> {
    dictionary: Option<&'a mut Dictionary>,
    texts: &'a mut Encoded,
    names: &'a mut Known<Name>,
    places: &'a mut Vec<u32>,
    numbers: &'a mut Vec<u32>,
}

impl<Name> Reading<'_, Name> {
    fn level(&mut self, level: u32, rows: usize, meaning: Meaning<'_, Name>) -> Result<()> {
        if level == 1 {
            return self.present(rows, meaning);
        }
        let null = match self.names.null {
            Some(null) => null,
            None => self.names.learn(meaning(None)),
        };
        self.names.null = Some(null);
        self.places.extend(std::iter::repeat_n(null, rows));
        Ok(())
    }

    /// Takes rows that have a text.
    fn present(&mut self, rows: usize, meaning: Meaning<'_, Name>) -> Result<()> {
        match self.texts {
            Encoded::Plain(plain) => {
                for _ in 0..rows {
                    let place = plain.next(self.names, meaning)?;
                    self.places.push(place);
                }
                Ok(())
            }
            Encoded::Listed(_) => self.listed(rows, meaning),
        }
    }

    fn listed(&mut self, rows: usize, meaning: Meaning<'_, Name>) -> Result<()> {
        let Self { dictionary: Some(dictionary), texts: Encoded::Listed(runs), .. } = self else {
            return Err(Source::General("a page needs a dictionary, and there is none".into()));
        };
        let mut missing = rows;
        while missing > 0 {
            let short = || Source::EOF("a page has fewer texts than rows".into());
            match runs.next(missing, self.numbers)?.ok_or_else(short)? {
                Next::Same(number, count) => {
                    let place = dictionary.place(number, self.names, meaning)?;
                    self.places.extend(std::iter::repeat_n(place, count));
                    missing -= count;
                }
                Next::Listed => {
                    for number in self.numbers.iter() {
                        let place = match dictionary.places.get(*number as usize) {
                            Some(place) if *place != UNKNOWN => *place,
                            Some(_) | None => dictionary.place(*number, self.names, meaning)?,
                        };
                        self.places.push(place);
                    }
                    missing -= self.numbers.len();
                }
            }
        }
        Ok(())
    }
}

impl TextPage {
    fn new(page: Page, nullable: bool, has_dictionary: bool) -> Result<Self> {
        let (rows, encoding) = (page.num_values() as usize, page.encoding());
        let (levels, texts) = match page {
            Page::DataPage { buf, .. } if !nullable => (None, buf),
            Page::DataPage { buf, def_level_encoding, .. } => {
                let (levels, texts) = first_levels(&buf, rows, def_level_encoding)?;
                (Some(levels), texts)
            }
            Page::DataPageV2 {
                buf,
                num_values,
                num_nulls,
                def_levels_byte_len,
                rep_levels_byte_len,
                ..
            } => {
                if num_nulls > num_values {
                    return Err(Source::General("a page has more nulls than rows".into()));
                }
                let begin = rep_levels_byte_len as usize;
                let end = begin.saturating_add(def_levels_byte_len as usize);
                let levels = part(&buf, begin..end)?;
                let levels = nullable.then(|| Runs::new(levels, 1)).transpose()?;
                (levels, part(&buf, end..buf.len())?)
            }
            Page::DictionaryPage { .. } => {
                return Err(Source::General("a dictionary has no rows".into()));
            }
        };
        let texts = match encoding {
            Encoding::PLAIN => plain(texts),
            Encoding::RLE_DICTIONARY | Encoding::PLAIN_DICTIONARY if has_dictionary => {
                // Where every row is null there may be nothing at all.
                let width = texts.first().copied().unwrap_or_default();
                Encoded::Listed(Runs::new(part(&texts, texts.len().min(1)..texts.len())?, width)?)
            }
            Encoding::RLE_DICTIONARY | Encoding::PLAIN_DICTIONARY => {
                return Err(Source::General("a page is before its dictionary".into()));
            }
            other => return Err(Source::NYI(format!("texts in the encoding {other}"))),
        };
        Ok(Self { rows_left: rows, levels, texts })
    }
}

/// The levels of a page of the first version, and what follows them.
fn first_levels(page: &Bytes, rows: usize, encoding: Encoding) -> Result<(Runs, Bytes)> {
    const LENGTH: usize = size_of::<u32>();
    #[expect(deprecated, reason = "files of old writers have it: one bit a row, without runs")]
    let is_listed = encoding == Encoding::BIT_PACKED;
    if is_listed {
        let end = rows.div_ceil(8);
        return Ok((Runs::listed(part(page, 0..end)?, 1)?, part(page, end..page.len())?));
    }
    if encoding != Encoding::RLE {
        return Err(Source::NYI(format!("levels in the encoding {encoding}")));
    }
    let length = page.first_chunk::<LENGTH>();
    let length = length.ok_or_else(|| Source::EOF("a page ends before its levels".into()))?;
    let end = LENGTH.saturating_add(u32::from_le_bytes(*length) as usize);
    Ok((Runs::new(part(page, LENGTH..end)?, 1)?, part(page, end..page.len())?))
}

/// A part of a page, if it has one there.
fn part(page: &Bytes, range: Range<usize>) -> Result<Bytes> {
    if range.start > range.end || range.end > page.len() {
        return Err(Source::EOF("a page is shorter than its parts".into()));
    }
    Ok(page.slice(range))
}

const fn plain(bytes: Bytes) -> Encoded {
    Encoded::Plain(Plain::new(bytes))
}

#[cfg(test)]
mod tests;
