//! A scanner over the bytes of a JSON text that is too large to hold: windows of bounded size, rows
//! of numbers without a look at each byte's neighbours, strings into an arena.
//!
//! It reads the JSON that V8 writes, and refuses other bytes with their place; it is no validator of
//! JSON in what it skips. Used by the reader of snapshots only.

use super::SnapshotError;
use crate::source::{Progress, Source};

/// Bytes that are read at a time: they stay in the cache of one core.
const WINDOW: usize = 256 << 10;

/// Numbers of a row at most. V8 writes 7; a header that names more is not one of a snapshot.
pub(super) const ROW_MAX: usize = 16;

/// Digits of a number at most: the largest number of 64 bits has 20, and the largest that V8
/// writes has 16.
const DIGITS_MAX: usize = 19;

/// Bytes that are looked at without asking whether they are there: a row, with a separator of up to
/// three bytes behind each number. Zeros stand there at the end of the text.
const MARGIN: usize = ROW_MAX * (DIGITS_MAX + 4);

/// Stands in a row for what is not a whole number that fits.
pub(super) const NO_NUMBER: u64 = u64::MAX;

pub(super) struct Scanner<'a> {
    source: &'a dyn Source,
    progress: &'a dyn Progress,
    /// What the present part of the text is, for messages.
    pub part: &'static str,
    size: u64,
    /// The window, and `MARGIN` zeros behind it.
    buffer: Vec<u8>,
    at: usize,
    end: usize,
    /// Where in the source the window ends.
    read: u64,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(source: &'a dyn Source, progress: &'a dyn Progress) -> Self {
        let buffer = vec![0; MARGIN];
        let size = source.size();
        Self { source, progress, part: "beginning", size, buffer, at: 0, end: 0, read: 0 }
    }

    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// Where the next byte stands.
    pub(super) fn offset(&self) -> u64 {
        self.read - (self.end - self.at) as u64
    }

    /// Reads on, so that a margin of text is there unless the text ends before.
    #[cold]
    fn fill(&mut self) -> Result<(), SnapshotError> {
        let kept = self.end - self.at;
        self.buffer.copy_within(self.at..self.end, 0);
        let more = WINDOW.min(usize::try_from(self.size - self.read).unwrap_or(WINDOW));
        self.buffer.resize(kept + more + MARGIN, 0);
        let failed = |source| SnapshotError::Read { at: self.read, source };
        self.source.read_at(self.read, &mut self.buffer[kept..kept + more]).map_err(failed)?;
        self.buffer[kept + more..].fill(0);
        (self.at, self.end) = (0, kept + more);
        self.read += more as u64;
        self.progress.tell(self.part, self.read, self.size);
        Ok(())
    }

    fn ready(&mut self) -> Result<(), SnapshotError> {
        if self.end - self.at < MARGIN && self.read < self.size { self.fill() } else { Ok(()) }
    }

    /// The next byte, which stays; None at the end of the text.
    fn peek(&mut self) -> Result<Option<u8>, SnapshotError> {
        self.ready()?;
        Ok((self.at < self.end).then(|| self.buffer[self.at]))
    }

    /// What is wrong with the byte that comes next.
    pub(super) fn unexpected(&self, wanted: &'static str) -> SnapshotError {
        let (at, part) = (self.offset(), self.part);
        if at >= self.size {
            SnapshotError::Cut { at, part }
        } else {
            SnapshotError::Unexpected { at, part, wanted }
        }
    }

    fn skip_space(&mut self) -> Result<Option<u8>, SnapshotError> {
        loop {
            match self.peek()? {
                Some(b' ' | b'\n' | b'\r' | b'\t') => self.at += 1,
                other => return Ok(other),
            }
        }
    }

    /// Takes one byte, after any space.
    pub(super) fn take(&mut self, byte: u8, wanted: &'static str) -> Result<(), SnapshotError> {
        if self.skip_space()? != Some(byte) {
            return Err(self.unexpected(wanted));
        }
        self.at += 1;
        Ok(())
    }

    /// Whether a byte comes next, after any space; it is taken if so.
    pub(super) fn takes(&mut self, byte: u8) -> Result<bool, SnapshotError> {
        let comes = self.skip_space()? == Some(byte);
        self.at += usize::from(comes);
        Ok(comes)
    }

    /// Whether an array or object goes on behind one of its members.
    pub(super) fn goes_on(&mut self, close: u8) -> Result<bool, SnapshotError> {
        if self.takes(b',')? {
            return Ok(true);
        }
        self.take(close, "a comma or a closing bracket")?;
        Ok(false)
    }

    /// Whether an array comes next.
    pub(super) fn is_array(&mut self) -> Result<bool, SnapshotError> {
        Ok(self.skip_space()? == Some(b'['))
    }

    /// One number, after any space; `NO_NUMBER` if it has a sign, a fraction or too many digits.
    pub(super) fn number(&mut self) -> Result<u64, SnapshotError> {
        self.skip_space()?;
        let (value, end) = digits(&self.buffer, self.at);
        if end > self.at && !is_number_byte(self.buffer[end]) {
            self.at = end;
            return Ok(value);
        }
        self.odd_number()
    }

    /// Passes over a number that is not a plain whole one.
    #[cold]
    fn odd_number(&mut self) -> Result<u64, SnapshotError> {
        let begin = self.offset();
        while self.peek()?.is_some_and(is_number_byte) {
            self.at += 1;
        }
        if self.offset() == begin { Err(self.unexpected("a number")) } else { Ok(NO_NUMBER) }
    }

    /// Fills a row with numbers of an array; says whether the array goes on behind it.
    #[inline]
    pub(super) fn row(&mut self, row: &mut [u64]) -> Result<bool, SnapshotError> {
        self.ready()?;
        let (last, others) = row.split_last_mut().expect("a row has a column");
        let mut at = self.at;
        for place in others {
            let (value, end) = digits(&self.buffer, at);
            if end == at || self.buffer[end] != b',' {
                return self.odd_row(row);
            }
            *place = value;
            at = end + 1;
        }
        let (value, mut end) = digits(&self.buffer, at);
        if end == at {
            return self.odd_row(row);
        }
        *last = value;
        if self.buffer[end] == b'\n' {
            end += 1;
        }
        let goes_on = match self.buffer[end] {
            b',' => true,
            b']' => false,
            _ => return self.odd_row(row),
        };
        self.at = end + 1;
        Ok(goes_on)
    }

    /// A row with space, signs, fractions or an end in it.
    #[cold]
    fn odd_row(&mut self, row: &mut [u64]) -> Result<bool, SnapshotError> {
        let (last, others) = row.split_last_mut().expect("a row has a column");
        for place in others {
            *place = self.number()?;
            self.take(b',', "the rest of a row")?;
        }
        *last = self.number()?;
        self.goes_on(b']')
    }

    /// Adds a string to some bytes, its escapes undone.
    pub(super) fn string(&mut self, into: &mut Vec<u8>) -> Result<(), SnapshotError> {
        self.take(b'"', "a string")?;
        loop {
            self.ready()?;
            let window = &self.buffer[self.at..self.end];
            let plain = window.iter().position(|byte| matches!(byte, b'"' | b'\\'));
            let plain = plain.unwrap_or(window.len());
            into.extend_from_slice(&window[..plain]);
            self.at += plain;
            match self.peek()? {
                Some(b'"') => break self.at += 1,
                Some(b'\\') => self.escape(into)?,
                Some(_) => {}
                None => return Err(self.unexpected("the rest of a string")),
            }
        }
        Ok(())
    }

    fn escape(&mut self, into: &mut Vec<u8>) -> Result<(), SnapshotError> {
        self.ready()?;
        let escape = self.buffer[self.at + 1];
        let plain = match escape {
            b'"' | b'\\' | b'/' => escape,
            b'n' => b'\n',
            b't' => b'\t',
            b'r' => b'\r',
            b'b' => 8,
            b'f' => 12,
            b'u' => return self.escaped_unit(into),
            _ if self.at + 1 >= self.end => {
                self.at = self.end;
                return Err(self.unexpected("the rest of an escape"));
            }
            _ => return Err(self.unexpected("an escape that JSON knows")),
        };
        into.push(plain);
        self.at += 2;
        Ok(())
    }

    /// One or two units of UTF-16. What is half of a pair becomes a replacement character.
    fn escaped_unit(&mut self, into: &mut Vec<u8>) -> Result<(), SnapshotError> {
        let Some(first) = hex(&self.buffer[self.at..self.at + 6]) else {
            if self.at + 6 > self.end {
                self.at = self.end;
            }
            return Err(self.unexpected("four hexadecimal digits"));
        };
        self.at += 6;
        let second = hex(&self.buffer[self.at..self.at + 6]);
        let pair = second.and_then(|second| {
            let is_pair = (0xD800..0xDC00).contains(&first) && (0xDC00..0xE000).contains(&second);
            is_pair.then(|| 0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00))
        });
        self.at += if pair.is_some() { 6 } else { 0 };
        let c = char::from_u32(pair.unwrap_or(first)).unwrap_or(char::REPLACEMENT_CHARACTER);
        into.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
        Ok(())
    }

    /// Passes over any value, however deep it is nested.
    pub(super) fn skip_value(&mut self) -> Result<(), SnapshotError> {
        let mut depth = 0_u64;
        loop {
            match self.skip_space()? {
                Some(b'"') => self.skip_string()?,
                Some(b'[' | b'{') => {
                    depth += 1;
                    self.at += 1;
                    continue;
                }
                Some(b']' | b'}') if depth > 0 => {
                    depth -= 1;
                    self.at += 1;
                }
                Some(b',' | b':') if depth > 0 => {
                    self.at += 1;
                    continue;
                }
                Some(byte) if is_number_byte(byte) || byte.is_ascii_alphabetic() => {
                    self.skip_word()?;
                }
                Some(_) | None => return Err(self.unexpected("a value")),
            }
            if depth == 0 {
                return Ok(());
            }
        }
    }

    fn skip_word(&mut self) -> Result<(), SnapshotError> {
        while self.peek()?.is_some_and(|byte| is_number_byte(byte) || byte.is_ascii_alphabetic()) {
            self.at += 1;
        }
        Ok(())
    }

    fn skip_string(&mut self) -> Result<(), SnapshotError> {
        self.at += 1;
        loop {
            match self.peek()? {
                Some(b'"') => break self.at += 1,
                Some(b'\\') if self.at + 1 < self.end => self.at += 2,
                Some(b'\\') => self.at = self.end,
                Some(_) => self.at += 1,
                None => return Err(self.unexpected("the rest of a string")),
            }
        }
        Ok(())
    }
}

/// The number of the digits from a place on, and where they end. There are never more digits than
/// the margin has bytes; a number that does not fit is none.
#[inline]
fn digits(buffer: &[u8], begin: usize) -> (u64, usize) {
    let mut value = 0_u64;
    let mut at = begin;
    loop {
        let digit = buffer[at].wrapping_sub(b'0');
        if digit > 9 {
            return (value, at);
        }
        value = value.wrapping_mul(10).wrapping_add(u64::from(digit));
        at += 1;
        if at - begin > DIGITS_MAX {
            return (NO_NUMBER, begin);
        }
    }
}

fn is_number_byte(byte: u8) -> bool {
    byte.is_ascii_digit() || matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E')
}

/// The number of `\uXXXX`.
fn hex(bytes: &[u8]) -> Option<u32> {
    let digits = bytes.strip_prefix(b"\\u").filter(|digits| digits.len() == 4)?;
    digits.iter().try_fold(0, |value, byte| Some(value << 4 | char::from(*byte).to_digit(16)?))
}
