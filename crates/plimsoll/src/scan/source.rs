//! Telemetry in a file or on standard input, in either form, read once or part by part.
//!
//! Not here: what is kept of it (`telemetry`, `passes`).

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use plimsoll_ingest::catalogue::Catalogue;
use plimsoll_ingest::csv::{self, CsvError};
use plimsoll_ingest::parquet::{MAGIC, ParquetError, ParquetFile};
use plimsoll_ingest::{Batch, Rejections};

use crate::cores::on_cores;

/// Parts that are read side by side at most. Each may need six columns' pages at once: some 10 MB
/// as files are usually written, a gigabyte where every page is as large as pages may be.
const READERS_MAX: NonZeroUsize = NonZeroUsize::new(2).expect("two");

/// Samples of a file of lines that are handed on together.
const BATCH_SAMPLES: usize = 4096;

/// The path that stands for standard input.
const STDIN: &str = "-";

/// Where the samples are.
#[derive(Debug)]
pub(crate) struct Source {
    path: PathBuf,
    form: Form,
}

#[derive(Debug)]
enum Form {
    Csv,
    Parquet(Box<ParquetFile>),
}

/// Why samples cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SourceError {
    #[error("cannot open `{}`; check that it exists and may be read", path.display())]
    Open { path: PathBuf, source: io::Error },
    #[error("`{}` is not telemetry that can be read; correct the file", path.display())]
    Csv { path: PathBuf, source: CsvError },
    #[error("`{}` is not telemetry that can be read; write it again", path.display())]
    Parquet { path: PathBuf, source: ParquetError },
    #[error("Parquet cannot be read from standard input; name the file")]
    ParquetOnStdin,
}

impl Source {
    /// Looks at the file's first bytes: a name says little of what is inside.
    pub(crate) fn open(path: &Path) -> Result<Self, SourceError> {
        let owned = || path.to_owned();
        if is_stdin(path) {
            return Ok(Self { path: owned(), form: Form::Csv });
        }
        let opening = |source| SourceError::Open { path: owned(), source };
        // A pipe has only one beginning, and Parquet is read from its end.
        if !fs::metadata(path).map_err(opening)?.is_file() {
            return Ok(Self { path: owned(), form: Form::Csv });
        }
        let mut file = File::open(path).map_err(opening)?;
        let mut start = [0; MAGIC.len()];
        if file.read_exact(&mut start).is_err() || start != MAGIC {
            return Ok(Self { path: owned(), form: Form::Csv });
        }
        let parquet = ParquetFile::open(file);
        let parquet = parquet.map_err(|source| SourceError::Parquet { path: owned(), source })?;
        let form = Form::Parquet(Box::new(parquet));
        Ok(Self { path: owned(), form })
    }

    /// Whether it can be read more than once.
    pub(crate) fn is_repeatable(&self) -> bool {
        !is_stdin(&self.path) && self.path.is_file()
    }

    /// Parts that can be read on their own.
    pub(crate) fn groups(&self) -> usize {
        match &self.form {
            Form::Csv => 1,
            Form::Parquet(file) => file.groups(),
        }
    }

    /// How many samples there are, at most, where the file says it.
    pub(crate) fn samples(&self) -> Option<u64> {
        match &self.form {
            Form::Csv => None,
            Form::Parquet(file) => Some(file.rows()),
        }
    }

    /// Reads some parts to their ends, side by side. Samples come in any order of parts; what is
    /// refused, and the error if there are several, is as if they had been read in order.
    pub(crate) fn read(
        &self,
        groups: Vec<usize>,
        catalogue: &Catalogue,
        sink: &mut (dyn FnMut(usize, &Batch) + Send),
    ) -> Result<Rejections, SourceError> {
        let sink = Mutex::new(sink);
        // Parts are begun in order, so each before one that fails is read to its own end.
        let failed = Mutex::new(None::<(usize, SourceError)>);
        let read = on_cores(READERS_MAX, groups, |group| {
            let read = self.read_one(group, catalogue, &mut |batch| locked(&sink)(group, batch));
            read.map(|refused| (group, refused)).map_err(|error| {
                let mut failed = locked(&failed);
                if failed.as_ref().is_none_or(|(other, _)| group < *other) {
                    *failed = Some((group, error));
                }
            })
        });
        if let Some((_, error)) = failed.into_inner().unwrap_or_else(PoisonError::into_inner) {
            return Err(error);
        }
        let mut read = read.unwrap_or_default();
        read.sort_unstable_by_key(|(group, _)| *group);
        let mut all = Rejections::default();
        read.into_iter().for_each(|(_, refused)| all.merge(refused));
        Ok(all)
    }

    fn read_one(
        &self,
        group: usize,
        catalogue: &Catalogue,
        sink: &mut dyn FnMut(&Batch),
    ) -> Result<Rejections, SourceError> {
        let path = || self.path.clone();
        match &self.form {
            Form::Csv => {
                let input = open(&self.path);
                let input = input.map_err(|source| SourceError::Open { path: path(), source })?;
                let (start, input) = beginning(input)
                    .map_err(|source| SourceError::Open { path: path(), source })?;
                if start == MAGIC {
                    return Err(SourceError::ParquetOnStdin);
                }
                read_lines(input, catalogue, sink)
                    .map_err(|source| SourceError::Csv { path: path(), source })
            }
            Form::Parquet(file) => {
                let read = file.read(group, catalogue, None, sink);
                read.map(|summary| summary.rejections)
                    .map_err(|source| SourceError::Parquet { path: path(), source })
            }
        }
    }

    /// What a place in this source is called.
    pub(crate) const fn unit(&self) -> &'static str {
        match self.form {
            Form::Csv => "line",
            Form::Parquet(_) => "row",
        }
    }
}

fn read_lines(
    input: impl BufRead,
    catalogue: &Catalogue,
    sink: &mut dyn FnMut(&Batch),
) -> Result<Rejections, CsvError> {
    let mut batch = Batch::default();
    let summary = csv::read(input, catalogue, None, &mut |reading| {
        batch.add(reading);
        if batch.samples().len() >= BATCH_SAMPLES {
            sink(&batch);
            batch.clear();
        }
    })?;
    if !batch.samples().is_empty() {
        sink(&batch);
    }
    Ok(summary.rejections)
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The first bytes, which are still to be read.
fn beginning(mut input: Box<dyn BufRead>) -> io::Result<(Vec<u8>, impl BufRead)> {
    let mut start = Vec::new();
    input.by_ref().take(MAGIC.len() as u64).read_to_end(&mut start)?;
    let whole = io::Cursor::new(start.clone()).chain(input);
    Ok((start, whole))
}

pub(crate) fn is_stdin(path: &Path) -> bool {
    path == Path::new(STDIN)
}

/// A file, or standard input for `-`.
pub(crate) fn open(path: &Path) -> io::Result<Box<dyn BufRead>> {
    if is_stdin(path) {
        return Ok(Box::new(io::stdin().lock()));
    }
    Ok(Box::new(BufReader::with_capacity(1 << 16, File::open(path)?)))
}
