//! Reads a profile of any format: told apart by its first bytes, unpacked within a bound.
//!
//! Not here: the formats. Text is taken as UTF-8; bytes that are not become the replacement
//! character, so that one odd file name does not cost a profile.

use thiserror::Error;

use super::{
    HeapTextError, HeaptrackError, PprofError, Profile, TracemallocError, heap_text, heaptrack,
    jemalloc, pprof, tracemalloc,
};
use crate::kind::{Kind, UnknownKind};
use crate::unpack::{UnpackError, unpack};

/// Most bytes of a profile, unpacked. heaptrack writes most, about a megabyte a second; what stands
/// in memory is at most eight times this, and for the other formats less than it.
pub const PROFILE_BYTES_MAX: usize = 256 << 20;

/// Why a file is not a profile that can be read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ReadProfileError {
    #[error("it cannot be told what the file is")]
    Unknown(#[from] UnknownKind),
    #[error("the file is {kind}, which is not an allocation profile")]
    NotAProfile { kind: Kind },
    #[error("the profile cannot be unpacked")]
    Unpack(#[from] UnpackError),
    #[error("the pprof profile cannot be read")]
    Pprof(#[from] PprofError),
    #[error("the heap profile cannot be read")]
    HeapText(#[from] HeapTextError),
    #[error("the heaptrack file cannot be read")]
    Heaptrack(#[from] HeaptrackError),
    #[error("the tracemalloc snapshot cannot be read")]
    Tracemalloc(#[from] TracemallocError),
}

impl Profile {
    /// Reads a profile, packed with gzip or not, of at most [`PROFILE_BYTES_MAX`].
    ///
    /// # Errors
    /// When the file is something else, too large, or damaged, with the offset or the line.
    pub fn read(bytes: &[u8]) -> Result<Self, ReadProfileError> {
        Self::read_within(bytes, PROFILE_BYTES_MAX)
    }

    /// As [`Profile::read`], with another bound on the unpacked bytes.
    ///
    /// # Errors
    /// As [`Profile::read`].
    pub fn read_within(bytes: &[u8], bytes_max: usize) -> Result<Self, ReadProfileError> {
        let kind = Kind::of(bytes)?;
        if !kind.is_profile() {
            return Err(ReadProfileError::NotAProfile { kind });
        }
        let unpacked = unpack(bytes, bytes_max)?;
        let bytes = &*unpacked.bytes;
        let text = || String::from_utf8_lossy(bytes);
        let mut profile = match kind {
            Kind::Pprof => pprof::read(bytes)?,
            Kind::Tracemalloc => tracemalloc::read(bytes)?,
            Kind::HeapText => heap_text::read(&text())?,
            Kind::Jemalloc => jemalloc::read(&text())?,
            Kind::Heaptrack => heaptrack::read(&text())?,
            Kind::Hprof | Kind::V8Snapshot | Kind::GcLog | Kind::ClassHistogram => {
                return Err(ReadProfileError::NotAProfile { kind });
            }
        };
        profile.complete &= unpacked.complete;
        Ok(profile)
    }
}
