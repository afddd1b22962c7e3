//! Telemetry in a file or on standard input, in either form, read once or part by part.
//!
//! Not here: what is kept of it (`telemetry`, `passes`).

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use plimsoll_ingest::Rejections;
use plimsoll_ingest::catalogue::Catalogue;
use plimsoll_ingest::csv::{self, CsvError};
use plimsoll_ingest::parquet::{MAGIC, ParquetError, ParquetFile};
use plimsoll_model::Reading;

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

    /// Reads one part to its end.
    pub(crate) fn read(
        &mut self,
        group: usize,
        catalogue: &Catalogue,
        sink: &mut dyn FnMut(Reading),
    ) -> Result<Rejections, SourceError> {
        let path = || self.path.clone();
        match &mut self.form {
            Form::Csv => {
                let input = open(&self.path);
                let input = input.map_err(|source| SourceError::Open { path: path(), source })?;
                let (start, input) = beginning(input)
                    .map_err(|source| SourceError::Open { path: path(), source })?;
                if start == MAGIC {
                    return Err(SourceError::ParquetOnStdin);
                }
                let read = csv::read(input, catalogue, None, sink);
                read.map(|summary| summary.rejections)
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
