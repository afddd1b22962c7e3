//! The file format of `hsperfdata`, version 2: a header and a list of named counters.
//!
//! Pure, and for hostile input: the bytes are another process's memory, are changed while they
//! are read, and every offset in them is checked. Not here: what the counters mean (`reading`).
//! Layout: `perfMemory.hpp` and `perfData.hpp` of OpenJDK.

use std::collections::HashMap;

use thiserror::Error;

const MAGIC: [u8; 4] = [0xca, 0xfe, 0xc0, 0xc0];
const HEADER_BYTES: usize = 32;
const ENTRY_HEADER_BYTES: usize = 20;

/// JVMs write 130 to 400 counters; more than this is not one.
const COUNTERS_MAX: usize = 4096;

/// Why bytes are not a counter file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum FormatError {
    #[error("the file has {bytes} bytes, less than its header")]
    TooShort { bytes: usize },
    #[error("the file does not start with the mark of hsperfdata")]
    NotPerfData,
    #[error("the file has version {major}, only 2 is known")]
    Version { major: u8 },
    #[error("the JVM is starting and has not filled its counters; ask again")]
    NotReady,
    #[error("counter {index} reaches outside of the file")]
    OutOfBounds { index: usize },
    #[error("the file promises {counters} counters, at most {COUNTERS_MAX} are taken")]
    TooMany { counters: i64 },
}

/// One value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Value<'a> {
    Long(i64),
    Text(&'a [u8]),
}

/// The counters of one file, by name.
#[derive(Clone, Debug)]
pub struct Counters<'a> {
    by_name: HashMap<&'a str, Value<'a>>,
}

impl<'a> Counters<'a> {
    /// Cost: microseconds for the usual 32 KiB. Counters of a kind that is not known are left out.
    ///
    /// # Errors
    /// When the bytes are not a filled counter file, or a counter reaches outside of them.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, FormatError> {
        let file = File::open(bytes)?;
        let mut offset = file.first_entry;
        let mut by_name = HashMap::with_capacity(file.entries);
        for index in 0..file.entries {
            let entry = file.entry(offset).ok_or(FormatError::OutOfBounds { index })?;
            by_name.extend(entry.named);
            offset = entry.next;
        }
        Ok(Self { by_name })
    }

    pub fn long(&self, name: &str) -> Option<i64> {
        match self.by_name.get(name)? {
            Value::Long(value) => Some(*value),
            Value::Text(_) => None,
        }
    }

    /// A text, up to its first NUL; `None` also when it is not UTF-8.
    pub fn text(&self, name: &str) -> Option<&'a str> {
        match self.by_name.get(name)? {
            Value::Long(_) => None,
            Value::Text(bytes) => std::str::from_utf8(bytes).ok(),
        }
    }

    pub fn len(&self) -> usize {
        self.by_name.len()
    }

    pub fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }
}

struct File<'a> {
    bytes: &'a [u8],
    is_little_endian: bool,
    first_entry: usize,
    entries: usize,
}

struct Entry<'a> {
    next: usize,
    named: Option<(&'a str, Value<'a>)>,
}

impl<'a> File<'a> {
    fn open(bytes: &'a [u8]) -> Result<Self, FormatError> {
        if bytes.len() < HEADER_BYTES {
            return Err(FormatError::TooShort { bytes: bytes.len() });
        }
        if bytes[..4] != MAGIC {
            return Err(FormatError::NotPerfData);
        }
        let [order, major, _minor, accessible] = [bytes[4], bytes[5], bytes[6], bytes[7]];
        if major != 2 {
            return Err(FormatError::Version { major });
        }
        if accessible == 0 {
            return Err(FormatError::NotReady);
        }
        let mut file = Self { bytes, is_little_endian: order == 1, first_entry: 0, entries: 0 };
        let outside = FormatError::OutOfBounds { index: 0 };
        file.first_entry = file.offset(24).ok_or(outside)?;
        let counters = i64::from(file.int(28).ok_or(outside)?);
        file.entries = usize::try_from(counters)
            .ok()
            .filter(|count| *count <= COUNTERS_MAX)
            .ok_or(FormatError::TooMany { counters })?;
        Ok(file)
    }

    /// `None` when any part of the entry lies outside of the file, or of the entry itself.
    fn entry(&self, start: usize) -> Option<Entry<'a>> {
        let length = self.offset(start)?;
        let next = start.checked_add(length)?;
        let entry = self.bytes.get(start..next).filter(|_| length >= ENTRY_HEADER_BYTES)?;
        let name = until_nul(entry.get(self.offset(start + 4)?..)?);
        let elements = self.offset(start + 8)?;
        let kind = entry[12];
        let data = self.offset(start + 16)?;
        let value = match (kind, elements) {
            (b'J', 0) => Some(Value::Long(self.long(start.checked_add(data)?)?)),
            (b'B', 1..) => {
                let text = entry.get(data..data.checked_add(elements)?)?;
                Some(Value::Text(until_nul(text)))
            }
            _ => None,
        };
        let named = std::str::from_utf8(name).ok().zip(value);
        Some(Entry { next, named })
    }

    fn array<const N: usize>(&self, at: usize) -> Option<[u8; N]> {
        self.bytes.get(at..at.checked_add(N)?)?.try_into().ok()
    }

    fn int(&self, at: usize) -> Option<i32> {
        let bytes = self.array(at)?;
        Some(if self.is_little_endian {
            i32::from_le_bytes(bytes)
        } else {
            i32::from_be_bytes(bytes)
        })
    }

    fn long(&self, at: usize) -> Option<i64> {
        let bytes = self.array(at)?;
        Some(if self.is_little_endian {
            i64::from_le_bytes(bytes)
        } else {
            i64::from_be_bytes(bytes)
        })
    }

    fn offset(&self, at: usize) -> Option<usize> {
        usize::try_from(self.int(at)?).ok()
    }
}

fn until_nul(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    &bytes[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file in the byte order that is asked for, with one long and one text.
    fn file(is_little_endian: bool) -> Vec<u8> {
        let int = |value: i32| {
            if is_little_endian { value.to_le_bytes() } else { value.to_be_bytes() }
        };
        let long = |value: i64| {
            if is_little_endian { value.to_le_bytes() } else { value.to_be_bytes() }
        };
        let mut bytes = MAGIC.to_vec();
        bytes.extend([u8::from(is_little_endian), 2, 0, 1]);
        bytes.extend([0; 16]);
        bytes.extend(int(32));
        bytes.extend(int(2));
        for part in [int(32), int(20), int(0), [b'J', 0, 1, 2], int(24)] {
            bytes.extend(part);
        }
        bytes.extend(b"a.b\0");
        bytes.extend(long(-7));
        for part in [int(32), int(20), int(8), [b'B', 0, 5, 1], int(24)] {
            bytes.extend(part);
        }
        bytes.extend(b"c.d\0text\0\0\0\0");
        bytes
    }

    #[test]
    fn both_byte_orders_are_read() {
        for order in [true, false] {
            let bytes = file(order);
            let counters = Counters::parse(&bytes).unwrap();
            assert_eq!(counters.long("a.b"), Some(-7));
            assert_eq!(counters.text("c.d"), Some("text"));
            assert_eq!((counters.text("a.b"), counters.long("none")), (None, None));
        }
    }

    #[test]
    fn each_lie_of_the_header_is_told_apart() {
        let check = |at: usize, byte: u8, want: FormatError| {
            let mut bytes = file(true);
            bytes[at] = byte;
            assert_eq!(Counters::parse(&bytes).unwrap_err(), want);
        };
        check(0, 0, FormatError::NotPerfData);
        check(5, 1, FormatError::Version { major: 1 });
        check(7, 0, FormatError::NotReady);
        check(28, 200, FormatError::OutOfBounds { index: 2 });
        check(31, 0xff, FormatError::TooMany { counters: -16_777_214 });
        check(32, 0, FormatError::OutOfBounds { index: 0 });
        check(37, 0xff, FormatError::OutOfBounds { index: 0 });
        check(48, 255, FormatError::OutOfBounds { index: 0 });
        check(72, 255, FormatError::OutOfBounds { index: 1 });
        assert_eq!(Counters::parse(&[0; 31]).unwrap_err(), FormatError::TooShort { bytes: 31 });
    }
}
