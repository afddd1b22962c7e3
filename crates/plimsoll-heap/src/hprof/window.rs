//! A part of a dump, read from front to end through a buffer of bounded size.
//!
//! Used by the readers of records; what the bytes mean is theirs.

use std::io;

use crate::source::Source;

/// Bytes that are held at once: HotSpot writes segments of 1 MiB, so most are read in one piece.
const BUFFER: usize = 1 << 20;

/// Bytes that are read first behind a long piece that was passed over, and twice as many each time
/// after: who only looks at heads of segments would otherwise read all of the dump for them.
const AHEAD_MIN: usize = 4 << 10;

/// Longest piece that can be had at once, in bytes. An instance has at most 65 535 fields of 8 bytes
/// a class, and real ones stay below a few kilobytes.
pub(super) const PIECE_MAX: usize = BUFFER / 2;

/// Why a part cannot be read on.
#[derive(Debug)]
pub(super) enum Stop {
    /// It ends in the middle of a record that begins here.
    Cut {
        at: u64,
    },
    /// What stands there is no record.
    Damaged {
        at: u64,
        what: &'static str,
    },
    Unreadable(io::Error),
}

/// A buffer that parts are read through, one after the other.
#[derive(Debug, Default)]
pub(super) struct Buffer(Vec<u8>);

pub(super) struct Window<'a> {
    source: &'a (dyn Source + 'a),
    buffer: &'a mut Vec<u8>,
    /// Where in the dump the buffer begins.
    base: u64,
    /// What of the buffer was taken, and what of it is filled.
    taken: usize,
    filled: usize,
    /// How many bytes are read next.
    ahead: usize,
    end: u64,
    record: u64,
}

impl<'a> Window<'a> {
    pub(super) fn new(
        source: &'a (dyn Source + 'a),
        buffer: &'a mut Buffer,
        from: u64,
        to: u64,
    ) -> Self {
        buffer.0.resize(BUFFER, 0);
        let end = to.min(source.size()).max(from);
        let buffer = &mut buffer.0;
        let (base, record) = (from, from);
        Self { source, buffer, base, taken: 0, filled: 0, ahead: BUFFER, end, record }
    }

    /// Where in the dump the next byte is.
    pub(super) fn at(&self) -> u64 {
        self.base + self.taken as u64
    }

    pub(super) fn left(&self) -> u64 {
        self.end - self.at()
    }

    /// Says that a record begins here.
    pub(super) fn begin_record(&mut self) {
        self.record = self.at();
    }

    pub(super) fn damaged(&self, what: &'static str) -> Stop {
        Stop::Damaged { at: self.record, what }
    }

    /// The next bytes, up to [`PIECE_MAX`].
    #[inline]
    pub(super) fn take(&mut self, count: usize) -> Result<&[u8], Stop> {
        if self.filled - self.taken < count {
            self.fill(count)?;
        }
        let from = self.taken;
        self.taken += count;
        Ok(&self.buffer[from..self.taken])
    }

    /// The next byte, which stays the next.
    pub(super) fn peek(&mut self) -> Result<u8, Stop> {
        let byte = self.u8()?;
        self.taken -= 1;
        Ok(byte)
    }

    #[inline]
    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], Stop> {
        let bytes = self.take(N)?;
        Ok(bytes.try_into().expect("as many bytes were taken"))
    }

    #[inline]
    pub(super) fn u8(&mut self) -> Result<u8, Stop> {
        Ok(self.array::<1>()?[0])
    }

    #[inline]
    pub(super) fn u16(&mut self) -> Result<u16, Stop> {
        Ok(u16::from_be_bytes(self.array()?))
    }

    #[inline]
    pub(super) fn u32(&mut self) -> Result<u32, Stop> {
        Ok(u32::from_be_bytes(self.array()?))
    }

    #[inline]
    pub(super) fn id<const W: usize>(&mut self) -> Result<u64, Stop> {
        Ok(id::<W>(self.take(W)?))
    }

    /// Passes over bytes without reading them.
    #[inline]
    pub(super) fn skip(&mut self, count: u64) -> Result<(), Stop> {
        let held = (self.filled - self.taken) as u64;
        if count <= held {
            self.taken += count as usize;
            return Ok(());
        }
        if count > self.left() {
            return Err(Stop::Cut { at: self.record });
        }
        self.base = self.at() + count;
        self.taken = 0;
        self.filled = 0;
        self.ahead = AHEAD_MIN;
        Ok(())
    }

    #[cold]
    fn fill(&mut self, count: usize) -> Result<(), Stop> {
        if count as u64 > self.left() {
            return Err(Stop::Cut { at: self.record });
        }
        if count > PIECE_MAX {
            return Err(self.damaged("a piece of it is larger than any real one"));
        }
        self.buffer.copy_within(self.taken..self.filled, 0);
        self.base += self.taken as u64;
        self.filled -= self.taken;
        self.taken = 0;
        let rest = self.end - self.base - self.filled as u64;
        let wanted = self.ahead.max(count - self.filled).min(BUFFER - self.filled);
        let more = usize::try_from(rest).unwrap_or(usize::MAX).min(wanted);
        let from = self.base + self.filled as u64;
        let free = &mut self.buffer[self.filled..self.filled + more];
        self.source.read_at(from, free).map_err(Stop::Unreadable)?;
        self.filled += more;
        self.ahead = BUFFER.min(self.ahead * 2);
        Ok(())
    }
}

/// An id of 4 or 8 bytes.
#[inline]
pub(super) fn id<const W: usize>(bytes: &[u8]) -> u64 {
    let mut whole = [0; 8];
    whole[8 - W..].copy_from_slice(&bytes[..W]);
    u64::from_be_bytes(whole)
}
