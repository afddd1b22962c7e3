//! A heap dump as a file: opened, unpacked if it is packed, and read by all cores.
//!
//! What the bytes mean is `plimsoll-heap`'s. Used by the commands of `plimsoll heap`.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::thread;

use flate2::read::MultiGzDecoder;
use plimsoll_heap::{Hands, Progress as Told, Source};

use crate::exit::Failure;
use crate::output::Progress;

/// Unpacked bytes between two signs of life.
const PROGRESS_EVERY: u64 = 64 << 20;

/// What gzip begins with.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Why a dump cannot be opened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenError {
    #[error("cannot open `{}`; check that it exists and may be read", path.display())]
    Open { path: PathBuf, source: io::Error },
    #[error("`{}` is not a file", .0.display())]
    NoFile(PathBuf),
    #[error(
        "cannot unpack `{}` into a temporary file; is the disk full? TMPDIR names another place",
        path.display()
    )]
    Unpack { path: PathBuf, source: io::Error },
    #[error(
        "`{}` unpacks to more than {max} bytes; say `--unpack-max` if that is what you want",
        path.display()
    )]
    TooLarge { path: PathBuf, max: u64 },
}

/// The bytes of a dump on disk.
#[derive(Debug)]
pub(crate) struct Dump {
    file: File,
    size: u64,
}

impl Source for Dump {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&self, at: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(buffer, at)
    }
}

impl Dump {
    /// A packed dump is unpacked into a temporary file that has no name, and is gone with the
    /// process: all readers go over the bytes more than once.
    pub(crate) fn open(path: &Path, unpack_max: u64, progress: &Progress) -> Result<Self, Failure> {
        let opening = |source| OpenError::Open { path: path.to_owned(), source };
        let mut file = File::open(path).map_err(opening).map_err(Failure::bad_input)?;
        let about = file.metadata().map_err(opening).map_err(Failure::bad_input)?;
        if !about.is_file() {
            return Err(Failure::bad_input(OpenError::NoFile(path.to_owned())));
        }
        let mut start = [0; 2];
        let is_packed = file.read_exact_at(&mut start, 0).is_ok() && start == GZIP;
        if !is_packed {
            return Ok(Self { file, size: about.len() });
        }
        unpack(&mut file, path, unpack_max, progress)
    }
}

fn unpack(
    file: &mut File,
    path: &Path,
    unpack_max: u64,
    progress: &Progress,
) -> Result<Dump, Failure> {
    let unpacking = |source| Failure::failed(OpenError::Unpack { path: path.to_owned(), source });
    let mut unpacked = tempfile::tempfile().map_err(unpacking)?;
    let mut reader = MultiGzDecoder::new(file);
    let mut piece = vec![0; 1 << 20];
    let mut size = 0;
    let mut told = 0;
    loop {
        let taken = match reader.read(&mut piece) {
            Ok(0) => break,
            Ok(taken) => taken,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            // What was packed whole is used, as of any dump that was cut off.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof && size > 0 => break,
            Err(error) => {
                let source = error;
                let path = path.to_owned();
                return Err(Failure::bad_input(OpenError::Unpack { path, source }));
            }
        };
        size += taken as u64;
        if size > unpack_max {
            let path = path.to_owned();
            return Err(Failure::bad_input(OpenError::TooLarge { path, max: unpack_max }));
        }
        unpacked.write_all(&piece[..taken]).map_err(unpacking)?;
        if size - told >= PROGRESS_EVERY {
            told = size;
            progress.show(&format!("unpacked {} MB", size / 1_000_000));
        }
    }
    Ok(Dump { file: unpacked, size })
}

/// All cores of the machine, or as many as were asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cores(pub(crate) usize);

impl Cores {
    pub(crate) fn asked(count: Option<std::num::NonZeroUsize>) -> Self {
        let all = || thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
        Self(count.map_or_else(all, std::num::NonZeroUsize::get))
    }
}

impl Hands for Cores {
    fn count(&self) -> usize {
        self.0
    }

    fn all(&self, work: &(dyn Fn(usize) + Sync)) {
        thread::scope(|scope| {
            for hand in 1..self.0 {
                scope.spawn(move || work(hand));
            }
            work(0);
        });
    }
}

/// Progress on the terminal, from any thread.
#[derive(Debug)]
pub(crate) struct Terminal<'a>(pub(crate) &'a Progress);

impl Told for Terminal<'_> {
    fn tell(&self, stage: &'static str, done: u64, of: u64) {
        let percent = done.saturating_mul(100).checked_div(of).unwrap_or(0);
        self.0.show(&format!("{stage}: {percent} %"));
    }
}
