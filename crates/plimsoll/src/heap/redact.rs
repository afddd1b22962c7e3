//! `plimsoll heap redact`: a dump that can be given away, because no value is in it.
//!
//! What is a value, and what is left in its place, is `plimsoll-heap`'s. Here: files, and that none
//! is left behind half written.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::bufread::MultiGzDecoder;
use plimsoll_heap::{Level, Progress as Told, RedactError, Redacted, redact};
use serde::Serialize;
use tempfile::NamedTempFile;

use crate::exit::{Exit, Failure};
use crate::output::{Format, Progress, print, print_json, say};

const EXAMPLE: &str = "\
Exit codes: 0 the redacted dump was written; 2 the dump cannot be read as one; 4 the output could not
be written.

Example:
  plimsoll heap redact orders.hprof orders-redacted.hprof
  plimsoll heap redact --level values-and-names app.heapsnapshot.gz app-redacted.heapsnapshot";

/// Bytes that a packed dump may unpack to, unless told otherwise: a small file may unpack to all of
/// the disk.
const UNPACK_MAX: u64 = 64 << 30;

/// What gzip begins with.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Write a copy of a heap dump without the values in it: same graph, same sizes, same ids.
///
/// Values of strings, arrays of primitives and primitive fields are erased; in a V8 snapshot, a
/// string becomes its length. Names of classes, functions, fields and properties stay, so that
/// every report says the same of the copy. A property of a JavaScript object may be called by a key
/// that came from outside: `--level values-and-names` hides those, too.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLE)]
pub(crate) struct Args {
    /// The dump: HPROF of any version, or a V8 heap snapshot; packed with gzip or not.
    #[arg(value_name = "IN")]
    input: PathBuf,
    /// The copy, which only its owner may read.
    #[arg(value_name = "OUT")]
    output: PathBuf,
    /// What is hidden.
    #[arg(long, value_enum, default_value_t = LevelArg::Values)]
    level: LevelArg,
    /// Write over the copy if it exists.
    #[arg(long)]
    force: bool,
    /// Bytes that a packed dump may unpack to.
    #[arg(long, value_name = "BYTES", default_value_t = UNPACK_MAX)]
    unpack_max: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum LevelArg {
    /// Values. Names stay.
    Values,
    /// Values and the program's own names. Those of the platform stay.
    ValuesAndNames,
}

impl From<LevelArg> for Level {
    fn from(level: LevelArg) -> Self {
        match level {
            LevelArg::Values => Self::Values,
            LevelArg::ValuesAndNames => Self::ValuesAndNames,
        }
    }
}

#[derive(Debug, thiserror::Error)]
enum RedactFileError {
    #[error("cannot open `{}`; check that it exists and may be read", path.display())]
    Open { path: PathBuf, source: io::Error },
    #[error("`{}` is not a file", .0.display())]
    NoFile(PathBuf),
    #[error("`{}` exists already; name another file, or write over it with --force", .0.display())]
    Exists(PathBuf),
    #[error("cannot make a file beside `{}`; check that its folder exists and may be written", path.display())]
    Make { path: PathBuf, source: io::Error },
    #[error("`{}` was not redacted, and nothing was written", path.display())]
    Redact { path: PathBuf, source: RedactError },
    #[error("cannot finish `{}`; is the disk full? Nothing was left behind", path.display())]
    Finish { path: PathBuf, source: io::Error },
}

/// The answer of `--format json`.
#[derive(Debug, Serialize)]
struct Answer {
    input: PathBuf,
    output: PathBuf,
    input_bytes: u64,
    output_bytes: u64,
    strings_erased: u64,
    names_hidden: u64,
    classes: u64,
    instances: u64,
    arrays: u64,
    instances_blanked: u64,
    unknown_records: u64,
    cut_at: Option<u64>,
}

pub(crate) fn run(args: &Args, format: Format) -> Result<Exit, Failure> {
    let Args { input, output, .. } = args;
    let opening = |source| RedactFileError::Open { path: input.clone(), source };
    let file = File::open(input).map_err(opening).map_err(Failure::bad_input)?;
    let about = file.metadata().map_err(opening).map_err(Failure::bad_input)?;
    if !about.is_file() {
        return Err(Failure::bad_input(RedactFileError::NoFile(input.clone())));
    }
    if !args.force && output.symlink_metadata().is_ok() {
        return Err(Failure::bad_input(RedactFileError::Exists(output.clone())));
    }
    let mut beside = beside(output)?;
    let progress = Progress::new();
    let mut from = opened(file, args.unpack_max).map_err(opening).map_err(Failure::bad_input)?;
    let told = Terminal { progress: &progress, packed: from.is_packed };
    let done = redact(&mut from.bytes, &mut beside, args.level.into(), (about.len(), &told))
        .map_err(|source| failure(input, source))?;
    drop(progress);
    let output_bytes = keep(beside, args)?;
    let answer = answer(args, about.len(), output_bytes, done);
    remark(&done);
    match format {
        Format::Json => print_json(&answer)?,
        Format::Table => print(&sentence(&answer))?,
    }
    Ok(Exit::NothingWrong)
}

/// A file in the folder of the output that only its owner may read, and that is gone unless kept.
fn beside(output: &Path) -> Result<NamedTempFile, Failure> {
    let folder = output.parent().filter(|folder| !folder.as_os_str().is_empty());
    let made = NamedTempFile::new_in(folder.unwrap_or_else(|| Path::new(".")));
    let making = |source| RedactFileError::Make { path: output.to_owned(), source };
    made.map_err(making).map_err(Failure::failed)
}

/// Gives the finished file its name; says how long it is.
fn keep(beside: NamedTempFile, args: &Args) -> Result<u64, Failure> {
    let path = &args.output;
    let finishing =
        |source| Failure::failed(RedactFileError::Finish { path: path.clone(), source });
    beside.as_file().sync_all().map_err(finishing)?;
    let bytes = beside.as_file().metadata().map_err(finishing)?.len();
    let kept = if args.force { beside.persist(path) } else { beside.persist_noclobber(path) };
    kept.map_err(|error| finishing(error.error))?;
    Ok(bytes)
}

struct Opened {
    bytes: Box<dyn Read>,
    is_packed: bool,
}

/// The bytes of the dump, unpacked as they are read.
fn opened(file: File, unpack_max: u64) -> io::Result<Opened> {
    use std::os::unix::fs::FileExt;
    let mut start = [0; 2];
    let is_packed = file.read_exact_at(&mut start, 0).is_ok() && start == GZIP;
    let bytes: Box<dyn Read> = if is_packed {
        let unpacked = MultiGzDecoder::new(BufReader::with_capacity(1 << 20, file));
        Box::new(Bounded { bytes: unpacked, left: unpack_max })
    } else {
        Box::new(file)
    };
    Ok(Opened { bytes, is_packed })
}

/// Bytes that fail where there are too many. A packed file that was cut ends where it was cut.
struct Bounded<R> {
    bytes: R,
    left: u64,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = match self.bytes.read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => 0,
            other => other?,
        };
        let left = self.left.checked_sub(read as u64);
        let too_large = "it unpacks to more than --unpack-max; say a larger number if it should";
        self.left = left.ok_or_else(|| io::Error::other(too_large))?;
        Ok(read)
    }
}

fn failure(input: &Path, source: RedactError) -> Failure {
    let is_ours = matches!(source, RedactError::Write { .. });
    let error = RedactFileError::Redact { path: input.to_owned(), source };
    if is_ours { Failure::failed(error) } else { Failure::bad_input(error) }
}

fn answer(args: &Args, input_bytes: u64, output_bytes: u64, done: Redacted) -> Answer {
    Answer {
        input: args.input.clone(),
        output: args.output.clone(),
        input_bytes,
        output_bytes,
        strings_erased: done.strings,
        names_hidden: done.names,
        classes: done.classes,
        instances: done.instances,
        arrays: done.arrays,
        instances_blanked: done.blanked,
        unknown_records: done.unknown_records,
        cut_at: done.cut_at,
    }
}

fn sentence(answer: &Answer) -> String {
    let hidden = match answer.names_hidden {
        0 => String::new(),
        names => format!(", {names} names hidden"),
    };
    format!(
        "wrote `{}`: {} bytes, {} strings erased{hidden}\n",
        answer.output.display(),
        answer.output_bytes,
        answer.strings_erased,
    )
}

/// What a person should know of the copy.
fn remark(done: &Redacted) {
    if let Some(at) = done.cut_at {
        say(&format!("the dump ends too early, at offset {at}; the copy ends there, too"));
    }
    if done.blanked > 0 {
        say(&format!(
            "{} instances came too long before their class, and lost their references: the copy \
             retains less",
            done.blanked
        ));
    }
    if done.unknown_records > 0 {
        say(&format!("{} records of unknown kinds were erased whole", done.unknown_records));
    }
}

struct Terminal<'a> {
    progress: &'a Progress,
    packed: bool,
}

impl Told for Terminal<'_> {
    fn tell(&self, stage: &'static str, done: u64, of: u64) {
        // How much a packed file unpacks to is not known before.
        let percent = done.saturating_mul(100).checked_div(of).filter(|_| !self.packed);
        self.progress.show(&match percent {
            Some(percent) => format!("{stage}: {percent} %"),
            None => format!("{stage}: {} MB", done / 1_000_000),
        });
    }
}
