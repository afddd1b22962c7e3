//! Numbers and ids of an HPROF dump, which are big-endian. Used by redaction.

/// The number of some bytes at a place, if they are there.
pub(super) fn number(bytes: &[u8], at: usize, size: usize) -> Option<u64> {
    let found = bytes.get(at..at.checked_add(size)?)?;
    Some(found.iter().fold(0, |value, byte| value << 8 | u64::from(*byte)))
}

/// How wide ids are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ids(u8);

impl Ids {
    /// Of a size that the format has.
    pub(super) fn new(size: u64) -> Option<Self> {
        matches!(size, 4 | 8).then_some(Self(size as u8))
    }

    pub(super) fn size(self) -> usize {
        usize::from(self.0)
    }

    #[inline]
    pub(super) fn at(self, bytes: &[u8], at: usize) -> Option<u64> {
        let rest = bytes.get(at..)?;
        if self.0 == 8 {
            Some(u64::from_be_bytes(*rest.first_chunk()?))
        } else {
            Some(u64::from(u32::from_be_bytes(*rest.first_chunk()?)))
        }
    }

    /// Bytes of a value of a basic type.
    pub(super) fn size_of(self, kind: u8) -> Option<usize> {
        match kind {
            // Arrays have a type of their own in the oldest dumps.
            1 | 2 => Some(self.size()),
            4 | 8 => Some(1),
            5 | 9 => Some(2),
            6 | 10 => Some(4),
            7 | 11 => Some(8),
            _ => None,
        }
    }

    pub(super) fn is_reference(kind: u8) -> bool {
        matches!(kind, 1 | 2)
    }
}
