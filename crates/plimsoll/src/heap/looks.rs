//! What a file is that is no heap dump: a profile, a class histogram, a GC log; and its bytes.
//!
//! Used by `report` and `diff`, which leave such files to `sites`, `classes` and `collections`.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use plimsoll_heap::Kind;
use plimsoll_heap::gc_log::{GcLog, GcLogError};
use plimsoll_heap::profile::{PROFILE_BYTES_MAX, Profile, ReadProfileError};
use plimsoll_heap::{ClassHistogram, HistogramError, UnpackError, unpack};

use crate::exit::Failure;

/// Bytes from which a kind is told.
const FIRST_BYTES: u64 = 64 << 10;

/// Why a file cannot be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum LookError {
    #[error("cannot open `{}`; check that it exists and may be read", path.display())]
    Open { path: PathBuf, source: io::Error },
    #[error("`{}` is not a file", .0.display())]
    NoFile(PathBuf),
    #[error("cannot read the profile `{}`", path.display())]
    Profile { path: PathBuf, source: ReadProfileError },
    #[error("cannot read the class histogram `{}`", path.display())]
    Histogram { path: PathBuf, source: HistogramError },
    #[error("cannot read the GC log `{}`", path.display())]
    GcLog { path: PathBuf, source: GcLogError },
    #[error("cannot unpack `{}`", path.display())]
    Unpack { path: PathBuf, source: UnpackError },
    #[error("`{}` has more than {PROFILE_BYTES_MAX} bytes, the most that is read of such a file", .0.display())]
    TooLarge(PathBuf),
    #[error(
        "`{}` is {kind}, and `{}` is not: compare files of one kind", path.display(), first.display()
    )]
    Kinds { path: PathBuf, kind: Kind, first: PathBuf },
    #[error(
        "`{}` is a log of garbage collections, which tells of all the time already; \
         `plimsoll heap report` shows it", .0.display()
    )]
    Log(PathBuf),
}

impl From<LookError> for Failure {
    fn from(error: LookError) -> Self {
        Self::bad_input(error)
    }
}

/// What a file is, if it is a profile, a histogram or a log. Everything else is left to the reader
/// of dumps, which says what is wrong with it.
pub(super) fn kind(path: &Path) -> Option<Kind> {
    let file = File::open(path).ok().filter(is_file)?;
    let mut first = Vec::new();
    file.take(FIRST_BYTES).read_to_end(&mut first).ok()?;
    Kind::of(&first).ok().filter(|kind| !matches!(kind, Kind::Hprof | Kind::V8Snapshot))
}

/// The kind of all of these, if they are profiles or histograms.
pub(super) fn kind_of_all(paths: &[PathBuf]) -> Result<Option<Kind>, LookError> {
    let Some((first, others)) = paths.split_first() else { return Ok(None) };
    let known = kind(first);
    if known == Some(Kind::GcLog) {
        return Err(LookError::Log(first.clone()));
    }
    for path in others {
        if let Some(found) = kind(path).filter(|found| Some(*found) != known) {
            return Err(LookError::Kinds { path: path.clone(), kind: found, first: first.clone() });
        }
    }
    Ok(known)
}

pub(super) fn profile(path: &Path) -> Result<Profile, LookError> {
    let read = Profile::read(&bytes(path)?);
    read.map_err(|source| LookError::Profile { path: path.to_owned(), source })
}

pub(super) fn histogram(path: &Path) -> Result<ClassHistogram, LookError> {
    let read = ClassHistogram::parse(&text(path)?);
    read.map_err(|source| LookError::Histogram { path: path.to_owned(), source })
}

pub(super) fn log(path: &Path) -> Result<GcLog, LookError> {
    let read = GcLog::parse(&text(path)?);
    read.map_err(|source| LookError::GcLog { path: path.to_owned(), source })
}

fn text(path: &Path) -> Result<String, LookError> {
    let packed = bytes(path)?;
    let unpacked = unpack(&packed, PROFILE_BYTES_MAX)
        .map_err(|source| LookError::Unpack { path: path.to_owned(), source })?;
    Ok(String::from_utf8_lossy(&unpacked.bytes).into_owned())
}

fn bytes(path: &Path) -> Result<Vec<u8>, LookError> {
    let open = |source| LookError::Open { path: path.to_owned(), source };
    let file = File::open(path).map_err(open)?;
    if !is_file(&file) {
        return Err(LookError::NoFile(path.to_owned()));
    }
    let mut bytes = Vec::new();
    file.take(PROFILE_BYTES_MAX as u64 + 1).read_to_end(&mut bytes).map_err(open)?;
    if bytes.len() > PROFILE_BYTES_MAX {
        return Err(LookError::TooLarge(path.to_owned()));
    }
    Ok(bytes)
}

fn is_file(file: &File) -> bool {
    file.metadata().is_ok_and(|about| about.is_file())
}
