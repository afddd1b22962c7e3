//! A dump read whole, of whatever runtime, and asked as a shape.
//!
//! Used by the commands that need who keeps whom alive.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use plimsoll_heap::{
    Hprof, HprofError, HprofShape, Kind, Shape, SnapshotError, Source, Strength, Tally, V8Error,
    V8Heap, Wish,
};

use super::dump::{Cores, Dump, Terminal};
use crate::exit::Failure;
use crate::output::{Progress, say};

/// How dumps are read; the same for every command.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Reading {
    /// Leave out what only soft, weak and phantom references keep.
    #[arg(long)]
    strong: bool,
    /// Threads that read at once; all cores unless said otherwise.
    #[arg(long, value_name = "COUNT")]
    threads: Option<NonZeroUsize>,
    /// Memory that may be taken, as `512M` or `4G`.
    #[arg(long, value_name = "SIZE", value_parser = size)]
    memory: Option<u64>,
    /// What a packed dump may unpack to.
    #[arg(long, value_name = "SIZE", value_parser = size, default_value = "64G")]
    unpack_max: u64,
}

/// What could not be read of a dump.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Flaws {
    pub(super) cut_at: Option<u64>,
    pub(super) damaged_parts: u64,
}

/// Why a dump cannot be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReadError {
    #[error("cannot read the heap dump `{}`", path.display())]
    Dump { path: PathBuf, source: HprofError },
    #[error("cannot read the heap snapshot `{}`", path.display())]
    Snapshot { path: PathBuf, source: V8Error },
}

/// Bytes by which a file's kind is told.
const FIRST_MAX: u64 = 64 << 10;

impl Reading {
    pub(super) fn cores(&self) -> Cores {
        Cores::asked(self.threads)
    }

    fn open(&self, path: &Path, progress: &Progress) -> Result<Dump, Failure> {
        Dump::open(path, self.unpack_max, progress)
    }

    /// Only counts what a dump has, by type.
    pub(super) fn tally(&self, path: &Path, progress: &Progress) -> Result<Tally, Failure> {
        let dump = self.open(path, progress)?;
        let (cores, terminal) = (self.cores(), Terminal(progress));
        if is_snapshot(&dump) {
            let tally = Tally::of_snapshot(&dump, &terminal);
            return tally.map_err(|source| wrong_snapshot(path, V8Error::Snapshot(source)));
        }
        Tally::read(&dump, &cores, &terminal).map_err(|source| wrong(path, source))
    }

    /// Reads a dump and asks something of it.
    pub(super) fn ask<T>(
        &self,
        path: &Path,
        progress: &Progress,
        question: impl FnOnce(&dyn Shape, Flaws) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        self.read(path, false, progress, question)
    }

    /// As [`Reading::ask`], of a dump whose waste is surveyed too.
    pub(super) fn ask_all<T>(
        &self,
        path: &Path,
        progress: &Progress,
        question: impl FnOnce(&dyn Shape, Flaws) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        self.read(path, true, progress, question)
    }

    fn read<T>(
        &self,
        path: &Path,
        survey: bool,
        progress: &Progress,
        question: impl FnOnce(&dyn Shape, Flaws) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let dump = self.open(path, progress)?;
        let (cores, terminal) = (self.cores(), Terminal(progress));
        let strength = if self.strong { Strength::Strong } else { Strength::All };
        let wish = Wish { strength, memory: self.memory, survey };
        if is_snapshot(&dump) {
            let heap = V8Heap::read(&dump, wish, &cores, &terminal);
            let heap = heap.map_err(|source| wrong_snapshot(path, source))?;
            let flaws = Flaws { cut_at: heap.cut_at(), damaged_parts: 0 };
            say_flaws(path, flaws);
            return question(&heap, flaws);
        }
        let wrong = |source| wrong(path, source);
        let hprof = Hprof::read(&dump, wish, &cores, &terminal).map_err(wrong)?;
        let flaws = Flaws {
            cut_at: hprof.cut().map(|end| end.at),
            damaged_parts: hprof.damaged_parts() as u64,
        };
        say_flaws(path, flaws);
        let shape = HprofShape { hprof: &hprof, source: &dump, hands: &cores, progress: &terminal };
        question(&shape, flaws)
    }
}

/// Whether a file begins as V8 heap snapshots do. Everything else is read as an HPROF dump, whose
/// reader says what is wrong with it.
fn is_snapshot(dump: &Dump) -> bool {
    let mut first = vec![0; usize::try_from(dump.size().min(FIRST_MAX)).unwrap_or(0)];
    dump.read_at(0, &mut first).is_ok() && Kind::of(&first) == Ok(Kind::V8Snapshot)
}

fn wrong(path: &Path, source: HprofError) -> Failure {
    let unreadable = matches!(source, HprofError::Unreadable(_));
    let error = ReadError::Dump { path: path.to_owned(), source };
    if unreadable { Failure::failed(error) } else { Failure::bad_input(error) }
}

fn wrong_snapshot(path: &Path, source: V8Error) -> Failure {
    let unreadable = matches!(source, V8Error::Snapshot(SnapshotError::Read { .. }));
    let error = ReadError::Snapshot { path: path.to_owned(), source };
    if unreadable { Failure::failed(error) } else { Failure::bad_input(error) }
}

/// Whether the memory that may be taken is all that was missing.
pub(super) fn is_too_little_memory(failure: &Failure) -> bool {
    failure.is(|error| matches!(error, HprofError::Memory { .. }))
        || failure.is(|error| matches!(error, V8Error::Memory { .. }))
}

/// What is missing is said before what was found.
pub(super) fn say_flaws(path: &Path, flaws: Flaws) {
    let path = path.display();
    if let Some(at) = flaws.cut_at {
        say(&format!("plimsoll: `{path}` ends early: what stands at offset {at} is not whole"));
    }
    if flaws.damaged_parts > 0 {
        let parts = flaws.damaged_parts;
        say(&format!("plimsoll: {parts} parts of `{path}` are damaged; their rest is left out"));
    }
}

/// `512M`, `4G`, or bytes.
fn size(text: &str) -> Result<u64, String> {
    const WRONG: &str = "write a size as 512M, 4G, or in bytes";
    let (digits, unit) = match text.char_indices().last() {
        Some((at, 'k' | 'K')) => (&text[..at], 1 << 10),
        Some((at, 'm' | 'M')) => (&text[..at], 1 << 20),
        Some((at, 'g' | 'G')) => (&text[..at], 1 << 30),
        _ => (text, 1),
    };
    let count: u64 = digits.parse().map_err(|_| WRONG)?;
    count.checked_mul(unit).ok_or_else(|| WRONG.into())
}

/// Bytes as people write them.
pub(super) fn human(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["B", "kB", "MB", "GB"];
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 1000.0 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    if unit == 0 { format!("{bytes} B") } else { format!("{value:.1} {}", UNITS[unit]) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_and_written_as_people_do() {
        assert_eq!(size("512M"), Ok(512 << 20));
        assert_eq!(size("4g"), Ok(4 << 30));
        assert_eq!(size("1000"), Ok(1000));
        assert!(size("M").is_err() && size("").is_err() && size("99999999999G").is_err());
        assert_eq!(human(999), "999 B");
        assert_eq!(human(1_234_567), "1.2 MB");
    }
}
