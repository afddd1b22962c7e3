//! Small numbers as Parquet packs them: runs of one number, and stretches of numbers of a few bits.
//! Dictionary places and definition levels are written so.
//!
//! <https://parquet.apache.org/docs/file-format/data-pages/encodings/>. Used by `texts`: the
//! `parquet` crate has such a decoder and does not give it out.

use parquet::errors::{ParquetError as Source, Result};
use prost::bytes::Bytes;

/// Bits of one number at most.
const WIDTH_MAX: u8 = 32;

/// Numbers that are not read yet.
#[derive(Debug)]
pub(super) struct Runs {
    bytes: Bytes,
    /// Where the next run begins.
    at: usize,
    width: u8,
    run: Run,
}

#[derive(Clone, Copy, Debug)]
enum Run {
    Same {
        number: u32,
        left: u64,
    },
    /// From a bit on.
    Listed {
        bit: usize,
        left: u64,
    },
}

/// What came next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// One number so many times.
    Same(u32, usize),
    /// Numbers, as many as there are in the list that was given.
    Listed,
}

impl Runs {
    pub(super) fn new(bytes: Bytes, width: u8) -> Result<Self> {
        if width > WIDTH_MAX {
            return Err(Source::General(format!("a number has {width} bits, at most {WIDTH_MAX}")));
        }
        Ok(Self { bytes, at: 0, width, run: Run::Same { number: 0, left: 0 } })
    }

    /// Numbers of as many bits without runs.
    pub(super) fn listed(bytes: Bytes, width: u8) -> Result<Self> {
        let mut runs = Self::new(bytes, width)?;
        runs.run = runs.list(u64::MAX);
        Ok(runs)
    }

    /// Takes numbers of one run, up to some; none at the end. The list is emptied first.
    pub(super) fn next(&mut self, wanted: usize, list: &mut Vec<u32>) -> Result<Option<Next>> {
        list.clear();
        loop {
            let taken = |left: u64| usize::try_from(left).map_or(wanted, |left| wanted.min(left));
            match &mut self.run {
                Run::Same { left: 0, .. } | Run::Listed { left: 0, .. } => {
                    if !self.begin()? {
                        return Ok(None);
                    }
                }
                Run::Same { number, left } => {
                    let count = taken(*left);
                    *left -= count as u64;
                    return Ok(Some(Next::Same(*number, count)));
                }
                Run::Listed { bit, left } => {
                    let count = taken(*left);
                    unpack(&self.bytes, *bit, self.width, count, list);
                    *bit += count * usize::from(self.width);
                    *left -= count as u64;
                    return Ok(Some(Next::Listed));
                }
            }
        }
    }

    /// Reads how the next run begins; false at the end.
    fn begin(&mut self) -> Result<bool> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        if rest.is_empty() {
            return Ok(false);
        }
        let cut = || Source::EOF("a run ends in its first bytes".into());
        let (head, after) = super::pages::varint(rest).ok_or_else(cut)?;
        self.at = self.bytes.len() - after.len();
        if head & 1 == 1 {
            self.run = self.list((head >> 1).saturating_mul(8));
        } else {
            let bytes = usize::from(self.width.div_ceil(8));
            let number = word(after.get(..bytes).ok_or_else(cut)?) as u32;
            self.at += bytes;
            self.run = Run::Same { number, left: head >> 1 };
        }
        Ok(true)
    }

    /// A stretch of numbers. Some writers leave out the end of the last one.
    fn list(&mut self, count: u64) -> Run {
        if self.width == 0 {
            return Run::Same { number: 0, left: count };
        }
        let begin = self.at;
        let rest = (self.bytes.len() - begin) as u64;
        let width = u64::from(self.width);
        let left = count.min(rest * 8 / width);
        // Stretches are of eights, so one ends where a byte does.
        let bytes = (count / 8).saturating_mul(width).min(rest);
        self.at += usize::try_from(bytes).expect("no more than there are");
        Run::Listed { bit: begin * 8, left }
    }
}

/// Adds numbers that stand behind one another from a bit on. Those that there are no bytes for are
/// zero; nobody asks for them.
fn unpack(bytes: &[u8], first: usize, width: u8, count: usize, list: &mut Vec<u32>) {
    let mask = (1_u64 << width) - 1;
    list.extend((0..count).map(|index| {
        let bit = first + index * usize::from(width);
        let from = bytes.get(bit / 8..).unwrap_or_default();
        ((word(from) >> (bit % 8)) & mask) as u32
    }));
}

/// The first eight bytes, or as many as there are.
#[inline]
fn word(bytes: &[u8]) -> u64 {
    match bytes.first_chunk() {
        Some(whole) => u64::from_le_bytes(*whole),
        None => bytes.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(bytes: &[u8], width: u8, wanted: usize) -> Result<Vec<u32>> {
        let mut runs = Runs::new(Bytes::copy_from_slice(bytes), width)?;
        let (mut all, mut list) = (Vec::new(), Vec::new());
        while let Some(next) = runs.next(wanted, &mut list)? {
            match next {
                Next::Same(number, count) => all.extend(std::iter::repeat_n(number, count)),
                Next::Listed => all.append(&mut list),
            }
            assert!(all.len() < 10_000);
        }
        Ok(all)
    }

    #[test]
    fn numbers_are_read_as_the_specification_writes_them() {
        let check = |bytes: &[u8], width: u8, want: &[u32]| {
            for wanted in [1, 3, 8, 1000] {
                assert_eq!(all(bytes, width, wanted).unwrap(), want, "{bytes:?}, {wanted} at once");
            }
        };
        // The example of the specification: 0 to 7 in three bits each.
        check(&[0x03, 0x88, 0xc6, 0xfa], 3, &[0, 1, 2, 3, 4, 5, 6, 7]);
        check(&[0x0a, 0x02], 3, &[2; 5]);
        check(&[0x04, 0x01, 0x02, 0x03, 0x02, 0xff, 0x00, 0x00], 24, &[0x03_0201, 0x03_0201, 0xff]);
        check(&[0x00, 0x07, 0x06, 0x07], 3, &[7; 3]);
        check(&[0x06, 0x03], 0, &[0; 11]);
        check(&[], 5, &[]);
        // Sixteen were promised; bytes for ten are there.
        check(&[0x05, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10], 8, &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
        let wide = [0x03, 0xff, 0xff, 0xff, 0xff, 1, 0, 0, 0];
        check(&wide, 32, &[u32::MAX, 1]);
    }

    #[test]
    fn what_is_no_run_is_refused() {
        assert!(all(&[0x04], 3, 8).is_err());
        assert!(all(&[0x04, 0x01], 9, 8).is_err());
        assert!(all(&[0xff; 3], 3, 8).is_err());
        assert!(all(&[0xff; 20], 3, 8).is_err());
        assert!(all(&[0x02, 0x01], 33, 8).is_err());
    }

    #[test]
    fn a_promise_without_end_costs_no_more_than_what_is_asked_for() {
        let mut runs = Runs::new(Bytes::from_static(&[0xff; 9]), 0);
        let mut list = Vec::new();
        assert!(runs.as_mut().unwrap().next(10, &mut list).is_err());
        let endless = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f];
        for width in [0, 1] {
            let mut runs = Runs::new(Bytes::copy_from_slice(&endless), width).unwrap();
            for _ in 0..3 {
                let next = runs.next(10, &mut list).unwrap();
                assert!(matches!(next, None | Some(Next::Same(0, 10))), "{next:?}");
            }
        }
    }
}
