//! What a file is, by its first bytes; through gzip where it is packed.
//!
//! Not here: whether the file is whole, or right; its reader says that. Used by whoever is handed a
//! file without being told what it is.

use std::fmt;

use thiserror::Error;

use crate::unpack::{is_zstd, peek};
use crate::{gc_log, histogram, profile};

/// Bytes that are looked at. Before the first collection a JVM may log its flags, some 8 kB.
const LOOKED_AT: usize = 64 << 10;

/// Every kind of file that this crate reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    Hprof,
    V8Snapshot,
    Pprof,
    HeapText,
    Jemalloc,
    Heaptrack,
    Tracemalloc,
    GcLog,
    ClassHistogram,
}

/// No kind that is known begins like this.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum UnknownKind {
    #[error("the file is empty")]
    Empty,
    #[error(
        "the file is packed with zstd, which is not read here (heaptrack packs so); unpack it \
         first: zstd -d FILE"
    )]
    Zstd,
    #[error(
        "the file begins with {start}, and that is none of: an HPROF dump (`JAVA PROFILE`), a V8 \
         heap snapshot (`{{\"snapshot\":`), a pprof profile (protobuf), a heap profile (`heap \
         profile:`), one of jemalloc (`heap_v2/`), one of heaptrack (`v `), a tracemalloc snapshot \
         (pickle), a GC log, a class histogram (`num #instances #bytes`)"
    )]
    None { start: String },
}

impl Kind {
    /// Tells what a file is. The first 64 KiB are enough; more are not looked at.
    ///
    /// # Errors
    /// When it is none of them, with what it begins with.
    pub fn of(first: &[u8]) -> Result<Self, UnknownKind> {
        if first.is_empty() {
            return Err(UnknownKind::Empty);
        }
        if is_zstd(first) {
            return Err(UnknownKind::Zstd);
        }
        let first = peek(first, LOOKED_AT);
        of_unpacked(&first).ok_or_else(|| UnknownKind::None { start: shown(&first) })
    }

    /// Whether [`crate::profile::Profile::read`] takes it.
    pub const fn is_profile(self) -> bool {
        match self {
            Self::Pprof | Self::HeapText | Self::Jemalloc | Self::Heaptrack | Self::Tracemalloc => {
                true
            }
            Self::Hprof | Self::V8Snapshot | Self::GcLog | Self::ClassHistogram => false,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Hprof => "an HPROF heap dump",
            Self::V8Snapshot => "a V8 heap snapshot",
            Self::Pprof => "a pprof profile",
            Self::HeapText => "a heap profile in text",
            Self::Jemalloc => "a heap profile of jemalloc",
            Self::Heaptrack => "a data file of heaptrack",
            Self::Tracemalloc => "a tracemalloc snapshot",
            Self::GcLog => "a log of garbage collections",
            Self::ClassHistogram => "a class histogram",
        })
    }
}

/// Those with a mark of their own first; protobuf has none, so it comes last.
fn of_unpacked(first: &[u8]) -> Option<Kind> {
    type Begins = fn(&[u8]) -> bool;
    const KINDS: [(Kind, Begins); 9] = [
        (Kind::Hprof, |first| first.starts_with(b"JAVA PROFILE ")),
        (Kind::V8Snapshot, is_v8_snapshot),
        (Kind::HeapText, profile::is_heap_text),
        (Kind::Jemalloc, profile::is_jemalloc),
        (Kind::Heaptrack, profile::is_heaptrack),
        (Kind::Tracemalloc, profile::is_tracemalloc),
        (Kind::ClassHistogram, histogram::begins),
        (Kind::GcLog, gc_log::begins),
        (Kind::Pprof, profile::is_pprof),
    ];
    KINDS.iter().find(|(_, begins)| begins(first)).map(|(kind, _)| *kind)
}

fn is_v8_snapshot(first: &[u8]) -> bool {
    let mut words = first.iter().copied().filter(|byte| !byte.is_ascii_whitespace());
    b"{\"snapshot\":".iter().all(|byte| words.next() == Some(*byte))
}

/// Enough of a foreign file to recognise it, on one line.
fn shown(first: &[u8]) -> String {
    const BYTES_SHOWN: usize = 24;
    let start = first.get(..BYTES_SHOWN).unwrap_or(first);
    format!("`{}`", start.escape_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_told_by_how_it_begins() {
        let check = |first: &[u8], want| assert_eq!(Kind::of(first), Ok(want), "{first:?}");
        check(b"JAVA PROFILE 1.0.2\0\0\0\0\x08", Kind::Hprof);
        check(b"{ \"snapshot\" :{\"meta\"", Kind::V8Snapshot);
        check(b"heap profile: 1: 2 [3: 4] @ heap/1", Kind::HeapText);
        check(b"goroutine profile: total 4\n", Kind::HeapText);
        check(b"heap_v2/524288\n", Kind::Jemalloc);
        check(b"v 10400 3\nX ./a\n", Kind::Heaptrack);
        check(b"\x80\x05\x95\0\0\0\0\0\0\0\0\x8c\x0btracemalloc\x94", Kind::Tracemalloc);
        check(b"10764:\n num #instances #bytes class name\n", Kind::ClassHistogram);
        check(b"[0.1s][info][gc] GC(0) Pause Young (Normal) 2M->1M(9M) 1.5ms\n", Kind::GcLog);
        check(b"0.288: [GC 17024K->13057K(83008K), 0.0441346 secs]\n", Kind::GcLog);
        check(&[0x0a, 4, 0x08, 1, 0x10, 2], Kind::Pprof);
    }

    #[test]
    fn what_is_unknown_is_shown() {
        let check = |first: &[u8], want: &str| {
            let error = Kind::of(first).unwrap_err().to_string();
            assert!(error.contains(want), "{error}");
        };
        check(b"", "empty");
        check(b"<html>\n<body>", "begins with `<html>\\n<body>`, and that is none of");
        check(&[0x28, 0xb5, 0x2f, 0xfd], "zstd -d");
        check(b"\x80\x04K\x01.", "none of");
        check(b"PK\x03\x04", "none of");
    }
}
