//! Reading the files of the sets: lines, plain or gzip, and tables with a header.
//!
//! None of the sets quotes a field that is read here, so a comma always separates. Not here: what
//! the columns mean.

use std::fmt;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;
use plimsoll_model::Timestamp;

use super::AdaptError;
use super::harvest::Harvest;

/// Bytes of one file after decompression. The largest of the sets has 15 MB; what is beyond this is
/// a bomb or another file.
const FILE_BYTES_MAX: u64 = 1 << 30;
/// Bytes of one line. The widest header of the sets has 10 KB.
const LINE_BYTES_MAX: u64 = 1 << 20;

/// Why one line is not used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Misfit {
    Missing,
    Number(String),
    Time(String),
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("the line has fewer fields than the header"),
            Self::Number(text) => write!(f, "`{text}` is not a finite number"),
            Self::Time(text) => write!(f, "`{text}` is not a time"),
        }
    }
}

/// The files of a folder whose names end in one of `endings`, in order of name.
pub(super) fn files(folder: &Path, endings: &[&str]) -> Result<Vec<PathBuf>, AdaptError> {
    let fail = |source| AdaptError::Read(folder.into(), source);
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(fail)? {
        let path = entry.map_err(fail)?.path();
        let fits = endings.iter().any(|ending| path.to_string_lossy().ends_with(ending));
        if path.is_file() && fits {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// The folders in a folder, in order of name.
pub(super) fn folders(folder: &Path) -> Result<Vec<PathBuf>, AdaptError> {
    let fail = |source| AdaptError::Read(folder.into(), source);
    let mut folders = Vec::new();
    for entry in fs::read_dir(folder).map_err(fail)? {
        let path = entry.map_err(fail)?.path();
        if path.is_dir() {
            folders.push(path);
        }
    }
    folders.sort();
    Ok(folders)
}

/// The file's name up to its first dot: `vm_5` of `vm_5.csv.gz`.
pub(super) fn stem(path: &Path) -> String {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
    let name = name.unwrap_or_default();
    name.split('.').next().unwrap_or_default().to_owned()
}

/// The lines of a file, with their numbers. Bytes that are not UTF-8 are replaced.
pub(super) struct Lines {
    path: PathBuf,
    reader: Box<dyn BufRead>,
    number: u64,
    bytes: u64,
}

impl Lines {
    pub(super) fn open(path: &Path) -> Result<Self, AdaptError> {
        let file = File::open(path).map_err(|source| AdaptError::Read(path.into(), source))?;
        let zipped = path.extension().is_some_and(|extension| extension == "gz");
        let reader: Box<dyn BufRead> = if zipped {
            Box::new(BufReader::new(MultiGzDecoder::new(file)))
        } else {
            Box::new(BufReader::new(file))
        };
        Ok(Self { path: path.into(), reader, number: 0, bytes: 0 })
    }

    #[cfg(test)]
    pub(super) fn of_text(name: &str, text: &'static str) -> Self {
        Self { path: name.into(), reader: Box::new(text.as_bytes()), number: 0, bytes: 0 }
    }

    pub(super) fn next_line(&mut self) -> Result<Option<(u64, String)>, AdaptError> {
        let mut line = Vec::new();
        let mut bounded = (&mut self.reader).take(LINE_BYTES_MAX);
        let fail = |source| AdaptError::Read(self.path.clone(), source);
        let read = bounded.read_until(b'\n', &mut line).map_err(fail)? as u64;
        if read == 0 {
            return Ok(None);
        }
        self.number += 1;
        self.bytes += read;
        if self.bytes > FILE_BYTES_MAX {
            return Err(AdaptError::TooLarge { path: self.path.clone(), bytes: FILE_BYTES_MAX });
        }
        let whole = line.pop_if(|byte| *byte == b'\n').is_some();
        if !whole && read == LINE_BYTES_MAX {
            let (path, line) = (self.path.clone(), self.number);
            return Err(AdaptError::LongLine { path, line, bytes: LINE_BYTES_MAX });
        }
        line.pop_if(|byte| *byte == b'\r');
        Ok(Some((self.number, String::from_utf8_lossy(&line).into_owned())))
    }
}

/// A file whose first line names its columns.
pub(super) struct Table {
    columns: Vec<String>,
    lines: Lines,
}

impl Table {
    pub(super) fn open(path: &Path) -> Result<Self, AdaptError> {
        Self::of_lines(Lines::open(path)?)
    }

    #[cfg(test)]
    pub(super) fn of_text(text: &'static str) -> Self {
        Self::of_lines(Lines::of_text("inline.csv", text)).expect("inline text has a header")
    }

    fn of_lines(mut lines: Lines) -> Result<Self, AdaptError> {
        let header = lines.next_line()?;
        let (_, header) = header.ok_or_else(|| AdaptError::Unusable(lines.path.clone()))?;
        Ok(Self { columns: header.split(',').map(str::to_owned).collect(), lines })
    }

    pub(super) fn columns(&self) -> &[String] {
        &self.columns
    }

    pub(super) fn find(&self, column: &str) -> Option<usize> {
        self.columns.iter().position(|name| name == column)
    }

    pub(super) fn column(&self, column: &str) -> Result<usize, AdaptError> {
        let missing =
            || AdaptError::Column { path: self.lines.path.clone(), column: column.into() };
        self.find(column).ok_or_else(missing)
    }

    /// Gives every row to `take`; a row that it refuses is counted and named. An error when none
    /// was taken.
    pub(super) fn each(
        mut self,
        harvest: &mut Harvest,
        mut take: impl FnMut(&Row<'_>) -> Result<(), Misfit>,
    ) -> Result<(), AdaptError> {
        let (mut taken, mut refused) = (false, 0);
        while let Some((number, line)) = self.lines.next_line()? {
            if line.trim().is_empty() {
                continue;
            }
            let fields: Vec<&str> = line.split(',').collect();
            match take(&Row { fields }) {
                Ok(()) => taken = true,
                Err(misfit) => {
                    refused += 1;
                    harvest.reject(&self.lines.path, number, &misfit, refused);
                }
            }
        }
        if taken { Ok(()) } else { Err(AdaptError::Unusable(self.lines.path)) }
    }
}

/// One line of a table.
pub(super) struct Row<'a> {
    fields: Vec<&'a str>,
}

impl<'a> Row<'a> {
    pub(super) fn text(&self, column: usize) -> Result<&'a str, Misfit> {
        self.fields.get(column).copied().ok_or(Misfit::Missing)
    }

    pub(super) fn number(&self, column: usize) -> Result<f64, Misfit> {
        let text = self.text(column)?;
        let number = text.trim().parse().ok().filter(|number: &f64| number.is_finite());
        number.ok_or_else(|| Misfit::Number(text.into()))
    }

    /// None where the field is empty or `NaN`: nothing was measured.
    pub(super) fn number_opt(&self, column: usize) -> Result<Option<f64>, Misfit> {
        if matches!(self.text(column)?, "" | "NaN") {
            return Ok(None);
        }
        self.number(column).map(Some)
    }

    pub(super) fn time(
        &self,
        column: usize,
        read: fn(&str) -> Option<Timestamp>,
    ) -> Result<Timestamp, Misfit> {
        let text = self.text(column)?;
        read(text).ok_or_else(|| Misfit::Time(text.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_that_cannot_be_read_is_counted_and_the_others_are_taken() {
        let table = Table::of_text("a,b\n1,2\n1\nx,4\r\n\n5,6");
        let (a, b) = (table.column("a").unwrap(), table.column("b").unwrap());
        let mut harvest = Harvest::scratch();
        let mut taken = Vec::new();
        let rows = table.each(&mut harvest, |row| {
            taken.push((row.number(a)?, row.number(b)?));
            Ok(())
        });
        rows.unwrap();
        assert_eq!(taken, [(1.0, 2.0), (5.0, 6.0)]);
        assert_eq!(harvest.rejected(), 2);
    }

    #[test]
    fn a_column_that_is_not_there_is_named_with_its_file() {
        let error = Table::of_text("a,b\n").column("memory").unwrap_err().to_string();
        assert!(error.contains("inline.csv") && error.contains("`memory`"), "{error}");
    }

    #[test]
    fn a_field_says_whether_it_is_missing_or_not_a_number() {
        let row = Row { fields: vec!["", "inf", "7", "NaN"] };
        assert_eq!(row.number_opt(0), Ok(None));
        assert_eq!(row.number(1), Err(Misfit::Number("inf".into())));
        assert_eq!(row.number_opt(1), Err(Misfit::Number("inf".into())));
        assert_eq!(row.number(2), Ok(7.0));
        assert_eq!(row.number(3), Err(Misfit::Number("NaN".into())));
        assert_eq!(row.number_opt(3), Ok(None));
        assert_eq!(row.number(4), Err(Misfit::Missing));
    }
}
