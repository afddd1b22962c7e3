//! Where the texts of a column stand, one by one or in its dictionary, and what they mean.
//!
//! Not here: which row has which (`texts`, which uses this).

use std::ops::Range;

use parquet::basic::Encoding;
use parquet::errors::{ParquetError as Source, Result};
use prost::bytes::Bytes;

use super::Taken;
use crate::rejection::{Reason, Rejection};

/// Stands for a text of the dictionary that nobody has looked at.
pub(super) const UNKNOWN: u32 = u32::MAX;

/// What a text means; null is none.
pub(super) type Meaning<'a, Name> = &'a mut dyn FnMut(Option<&str>) -> Taken<Name>;

/// Texts behind each other, each behind its length.
pub(super) struct Plain {
    bytes: Bytes,
    at: usize,
    pub(super) last: Option<(Range<usize>, u32)>,
}

pub(super) struct Dictionary {
    bytes: Bytes,
    /// Where each text begins: at its length.
    begins: Vec<u32>,
    /// The place of each among the known names.
    pub(super) places: Vec<u32>,
}

pub(super) struct Known<Name> {
    pub(super) names: Vec<Taken<Name>>,
    pub(super) null: Option<u32>,
}

impl Plain {
    pub(super) const fn new(bytes: Bytes) -> Self {
        Self { bytes, at: 0, last: None }
    }

    /// The place of the next text.
    pub(super) fn next<Name>(
        &mut self,
        names: &mut Known<Name>,
        meaning: Meaning<'_, Name>,
    ) -> Result<u32> {
        let range = text_at(&self.bytes, self.at)?;
        self.at = range.end;
        let text = self.bytes.get(range.clone()).unwrap_or_default();
        if let Some((last, place)) = &self.last
            && self.bytes.get(last.clone()) == Some(text)
        {
            return Ok(*place);
        }
        let place = names.learn(meaning_of(text, meaning));
        self.last = Some((range, place));
        Ok(place)
    }
}

impl Dictionary {
    pub(super) fn new(bytes: Bytes, count: u32, encoding: Encoding) -> Result<Self> {
        if !matches!(encoding, Encoding::PLAIN | Encoding::PLAIN_DICTIONARY) {
            return Err(Source::NYI(format!("a dictionary in the encoding {encoding}")));
        }
        let mut begins = Vec::new();
        let mut at = 0;
        for _ in 0..count {
            begins.push(u32::try_from(at)?);
            at = text_at(&bytes, at)?.end;
        }
        let places = vec![UNKNOWN; begins.len()];
        Ok(Self { bytes, begins, places })
    }

    /// The place of one of its texts.
    pub(super) fn place<Name>(
        &mut self,
        number: u32,
        names: &mut Known<Name>,
        meaning: Meaning<'_, Name>,
    ) -> Result<u32> {
        let missing = || Source::General(format!("a dictionary has no text {number}"));
        let number = number as usize;
        let place = self.places.get_mut(number).ok_or_else(missing)?;
        if *place == UNKNOWN {
            let begin = self.begins.get(number).copied().ok_or_else(missing)?;
            let text = self.bytes.get(text_at(&self.bytes, begin as usize)?).unwrap_or_default();
            *place = names.learn(meaning_of(text, meaning));
        }
        Ok(*place)
    }
}

impl<Name> Known<Name> {
    pub(super) fn learn(&mut self, name: Taken<Name>) -> u32 {
        self.names.push(name);
        u32::try_from(self.names.len() - 1).expect("they are forgotten long before")
    }
}

fn meaning_of<Name>(text: &[u8], meaning: Meaning<'_, Name>) -> Taken<Name> {
    let text = std::str::from_utf8(text)
        .map_err(|_| Rejection::new(Reason::Unreadable, "a text is not UTF-8"))?;
    meaning(Some(text))
}

/// Where a text is whose length stands at a place.
fn text_at(bytes: &[u8], at: usize) -> Result<Range<usize>> {
    let short = || Source::EOF("a text goes on behind its page".into());
    let (length, after) =
        bytes.get(at..).unwrap_or_default().split_first_chunk().ok_or_else(short)?;
    let length = u32::from_le_bytes(*length) as usize;
    if length > after.len() {
        return Err(short());
    }
    let begin = bytes.len() - after.len();
    Ok(begin..begin + length)
}
