//! Protobuf on the wire: fields of a message, one after the other, without copying any.
//!
//! `prost` would make owned messages of all of it, a multiple of the file, before anything could be
//! refused; the format is four rules, and here each is bounded by the bytes that are there. Not
//! here: what the fields mean (`pprof`).

use thiserror::Error;

/// Why bytes are not protobuf.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum WireError {
    #[error("the message ends within a field that begins at byte {at}")]
    Cut { at: usize },
    #[error("a number at byte {at} is longer than 64 bits")]
    Long { at: usize },
    #[error(
        "the field at byte {at} has number {number} and wire type {wire}, which no profile has"
    )]
    Foreign { at: usize, number: u64, wire: u64 },
}

/// One field, and where it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Field<'a> {
    pub(super) at: usize,
    pub(super) number: u64,
    pub(super) value: Value<'a>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Value<'a> {
    Number(u64),
    /// A string, a message within, or numbers in a row; `Reader::at` tells where it begins.
    Bytes(Reader<'a>),
    /// Four or eight bytes, which no field of a profile has.
    Fixed,
}

/// A message, or numbers in a row, from some byte on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reader<'a> {
    rest: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, at: 0 }
    }

    pub(super) const fn bytes(self) -> &'a [u8] {
        self.rest
    }

    pub(super) const fn at(self) -> usize {
        self.at
    }

    /// The next field; `None` behind the last.
    pub(super) fn field(&mut self) -> Result<Option<Field<'a>>, WireError> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let at = self.at;
        let tag = self.number()?;
        let (number, wire) = (tag >> 3, tag & 7);
        let value = match wire {
            0 => Value::Number(self.number()?),
            1 => self.skip(8, at)?,
            2 => {
                let length = self.number()?;
                Value::Bytes(self.take(length, at)?)
            }
            5 => self.skip(4, at)?,
            _ => return Err(WireError::Foreign { at, number, wire }),
        };
        if number == 0 {
            return Err(WireError::Foreign { at, number, wire });
        }
        Ok(Some(Field { at, number, value }))
    }

    /// A number of variable length, seven bits to a byte.
    pub(super) fn number(&mut self) -> Result<u64, WireError> {
        const BITS: u32 = 7;
        let at = self.at;
        let mut number = 0_u64;
        for (index, byte) in self.rest.iter().enumerate() {
            let shift = BITS * index as u32;
            if shift > 63 || (shift == 63 && *byte > 1) {
                return Err(WireError::Long { at });
            }
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                self.advance(index + 1);
                return Ok(number);
            }
        }
        Err(WireError::Cut { at })
    }

    fn take(&mut self, length: u64, at: usize) -> Result<Self, WireError> {
        let length = usize::try_from(length).map_err(|_| WireError::Cut { at })?;
        let bytes = self.rest.get(..length).ok_or(WireError::Cut { at })?;
        let inner = Self { rest: bytes, at: self.at };
        self.advance(length);
        Ok(inner)
    }

    fn skip(&mut self, length: u64, at: usize) -> Result<Value<'a>, WireError> {
        self.take(length, at)?;
        Ok(Value::Fixed)
    }

    fn advance(&mut self, count: usize) {
        self.rest = &self.rest[count..];
        self.at += count;
    }
}

impl<'a> Field<'a> {
    pub(super) const fn number(self) -> Option<u64> {
        match self.value {
            Value::Number(number) => Some(number),
            Value::Bytes(_) | Value::Fixed => None,
        }
    }

    pub(super) const fn message(self) -> Option<Reader<'a>> {
        match self.value {
            Value::Bytes(reader) => Some(reader),
            Value::Number(_) | Value::Fixed => None,
        }
    }

    /// A repeated number, alone or in a row.
    pub(super) fn each_number(self, mut take: impl FnMut(u64)) -> Result<(), WireError> {
        match self.value {
            Value::Number(number) => take(number),
            Value::Bytes(mut row) => {
                while !row.bytes().is_empty() {
                    take(row.number()?);
                }
            }
            Value::Fixed => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read_with_their_place() {
        let mut reader = Reader::new(&[0x08, 0x96, 0x01, 0x12, 0x02, b'h', b'i', 0x0d, 1, 2, 3, 4]);
        let first = reader.field().unwrap().unwrap();
        assert_eq!((first.at, first.number, first.number()), (0, 1, Some(150)));
        let second = reader.field().unwrap().unwrap();
        let text = second.message().unwrap();
        assert_eq!((second.at, text.at(), text.bytes()), (3, 5, &b"hi"[..]));
        assert_eq!(reader.field().unwrap().unwrap().value, Value::Fixed);
        assert_eq!(reader.field(), Ok(None));
    }

    #[test]
    fn what_is_cut_or_foreign_is_refused_where_it_begins() {
        let check = |bytes: &[u8], want| {
            let mut reader = Reader::new(bytes);
            let found = std::iter::from_fn(|| reader.field().transpose()).find_map(Result::err);
            assert_eq!(found, Some(want), "{bytes:x?}");
        };
        check(&[0x08, 0x01, 0x12, 0x05, b'h'], WireError::Cut { at: 2 });
        check(&[0x08, 0x80], WireError::Cut { at: 1 });
        check(&[0x0b], WireError::Foreign { at: 0, number: 1, wire: 3 });
        check(&[0x00, 0x00], WireError::Foreign { at: 0, number: 0, wire: 0 });
        let mut long = vec![0x08];
        long.extend([0xff; 10]);
        check(&long, WireError::Long { at: 1 });
    }
}
