//! The class histogram of a HotSpot JVM: the text of `GC.class_histogram`, as numbers.
//!
//! Not here: taking one (`plimsoll-runtime`), and comparing two (`growth`). The text comes from
//! another process, so it is taken as hostile: what is not a row is counted and left out, and
//! nothing grows beyond the bounds below.

use std::collections::HashMap;

use plimsoll_model::Bytes;
use thiserror::Error;

use crate::class_name::readable;

/// Most classes that are kept of one histogram. Large services load 50 000 classes; beyond this
/// bound the rows are the smallest ones, because the JVM writes them largest first.
const ROWS_MAX: usize = 200_000;

/// Longest class name that is taken, in bytes. The class file format ends at 65 535, and the
/// longest names of real programs, generated ones, stay below 500.
const CLASS_NAME_BYTES_MAX: usize = 1024;

/// Most leading lines that may stand before the header (`jcmd` prints its process first).
const LINES_BEFORE_HEADER_MAX: usize = 16;

/// One class and what its instances take, without what they refer to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClassRow {
    /// In the form of [`readable`]; classes of the same name in several loaders are one row.
    pub class: String,
    pub instances: u64,
    pub bytes: Bytes,
}

/// What all instances take together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HistogramTotal {
    pub instances: u64,
    pub bytes: Bytes,
}

/// What a heap holds, by class, largest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClassHistogram {
    pub rows: Vec<ClassRow>,
    /// The sum of `rows`.
    pub total: HistogramTotal,
    /// Lines that stood among the rows and were none.
    pub rejected: usize,
    /// Whether the JVM's own total ended the text and equals the sum of the rows. When not, the
    /// text was cut, or lines of it were rejected: a difference then sees too little growth.
    pub complete: bool,
}

/// Why a text is not a class histogram.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum HistogramError {
    #[error(
        "the text is not a class histogram: no line `num #instances #bytes class name` in its \
         first {LINES_BEFORE_HEADER_MAX} lines; it starts with `{start}`"
    )]
    NoHeader { start: String },
    #[error("the class histogram has a header and no rows: the capture was cut; take it again")]
    NoRows,
}

impl ClassHistogram {
    /// Reads the text of `GC.class_histogram` or `jmap -histo`, of any JDK since 8: columns of any
    /// width, with or without the module behind the class, with or without a total.
    ///
    /// # Errors
    /// When the text has no header of a histogram, or nothing under it.
    pub fn parse(text: &str) -> Result<Self, HistogramError> {
        let mut lines = text.lines();
        if !lines.by_ref().take(LINES_BEFORE_HEADER_MAX).any(is_header) {
            return Err(HistogramError::NoHeader { start: start_of(text) });
        }
        let mut reader = RowReader::default();
        lines.for_each(|line| reader.take(line));
        reader.finish()
    }
}

/// Whether the first bytes of a file are those of a histogram.
pub(crate) fn begins(bytes: &[u8]) -> bool {
    let lines = bytes.split(|byte| *byte == b'\n').take(LINES_BEFORE_HEADER_MAX);
    lines.map(String::from_utf8_lossy).any(|line| is_header(&line))
}

fn is_header(line: &str) -> bool {
    let mut words = line.split_whitespace();
    words.next() == Some("num")
        && words.next() == Some("#instances")
        && words.next() == Some("#bytes")
}

/// Enough of a foreign text to recognise it (an error of the JVM, a page of HTML), on one line.
fn start_of(text: &str) -> String {
    const CHARS_SHOWN: usize = 60;
    text.chars().filter(|c| !c.is_control()).take(CHARS_SHOWN).collect()
}

#[derive(Default)]
struct RowReader {
    rows: Vec<ClassRow>,
    row_of_class: HashMap<String, usize>,
    rejected: usize,
    stated: Option<HistogramTotal>,
}

impl RowReader {
    fn take(&mut self, line: &str) {
        let line = line.trim();
        if line.is_empty() || line.bytes().all(|byte| byte == b'-') {
            return;
        }
        if let Some(total) = parse_total(line) {
            self.stated = Some(total);
        } else if let Some(row) = parse_row(line) {
            self.add(row);
        } else {
            self.rejected += 1;
        }
    }

    fn add(&mut self, row: ClassRow) {
        if let Some(&index) = self.row_of_class.get(&row.class) {
            let known = &mut self.rows[index];
            known.instances = known.instances.saturating_add(row.instances);
            known.bytes = Bytes(known.bytes.0.saturating_add(row.bytes.0));
        } else if self.rows.len() < ROWS_MAX {
            self.row_of_class.insert(row.class.clone(), self.rows.len());
            self.rows.push(row);
        } else {
            self.rejected += 1;
        }
    }

    fn finish(mut self) -> Result<ClassHistogram, HistogramError> {
        if self.rows.is_empty() {
            return Err(HistogramError::NoRows);
        }
        self.rows.sort_by(|a, b| b.bytes.cmp(&a.bytes).then_with(|| a.class.cmp(&b.class)));
        let total = sum(&self.rows);
        let complete = self.stated == Some(total);
        Ok(ClassHistogram { rows: self.rows, total, rejected: self.rejected, complete })
    }
}

fn sum(rows: &[ClassRow]) -> HistogramTotal {
    rows.iter().fold(HistogramTotal::default(), |sum, row| HistogramTotal {
        instances: sum.instances.saturating_add(row.instances),
        bytes: Bytes(sum.bytes.0.saturating_add(row.bytes.0)),
    })
}

/// `Total 53645 32437104`.
fn parse_total(line: &str) -> Option<HistogramTotal> {
    let mut words = line.strip_prefix("Total")?.split_whitespace();
    let instances = words.next()?.parse().ok()?;
    let bytes = Bytes(words.next()?.parse().ok()?);
    words.next().is_none().then_some(HistogramTotal { instances, bytes })
}

/// `1: 37431 31048160 [B (java.base@17.0.15)`.
fn parse_row(line: &str) -> Option<ClassRow> {
    let (number, rest) = line.split_once(':')?;
    number.parse::<u32>().ok()?;
    let (instances, rest) = rest.trim_start().split_once(char::is_whitespace)?;
    let (bytes, name) = rest.trim_start().split_once(char::is_whitespace)?;
    let name = without_module(name.trim());
    let is_name = !name.is_empty()
        && name.len() <= CLASS_NAME_BYTES_MAX
        && !name.contains(|c: char| c.is_control() || c.is_whitespace());
    if !is_name {
        return None;
    }
    Some(ClassRow {
        class: readable(name),
        instances: instances.parse().ok()?,
        bytes: Bytes(bytes.parse().ok()?),
    })
}

/// JDK 9 and later write the module behind the class, in parentheses.
fn without_module(name: &str) -> &str {
    match name.rsplit_once(" (") {
        Some((class, module)) if module.ends_with(')') => class.trim_end(),
        Some(_) | None => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(class: &str, instances: u64, bytes: u64) -> ClassRow {
        ClassRow { class: class.into(), instances, bytes: Bytes(bytes) }
    }

    #[test]
    fn a_histogram_of_jdk_8_and_one_of_jdk_17_read_alike() {
        let old = " num     #instances         #bytes  class name\n\
                   ----------------------------------------------\n   \
                   1:            10            400  [B\n   \
                   2:             3             72  com.shop.Order\n\
                   Total            13            472\n";
        let new = "10764:\n num #instances #bytes class name (module)\n-----\n\
                   1: 10 400 [B (java.base@17.0.15)\n2: 3 72 com.shop.Order\n\
                   Total 13 472\n";
        let parsed = ClassHistogram::parse(old).unwrap();
        assert_eq!(parsed.rows, [row("byte[]", 10, 400), row("com.shop.Order", 3, 72)]);
        assert_eq!(parsed.total, HistogramTotal { instances: 13, bytes: Bytes(472) });
        assert!(parsed.complete);
        assert_eq!(ClassHistogram::parse(new), Ok(parsed));
    }

    #[test]
    fn a_class_in_two_loaders_is_one_row() {
        let text = "num #instances #bytes class name\n1: 1 16 a.B\n2: 2 32 a.B (app@1)\nTotal 3 48";
        let parsed = ClassHistogram::parse(text).unwrap();
        assert_eq!(parsed.rows, [row("a.B", 3, 48)]);
        assert!(parsed.complete);
    }

    #[test]
    fn a_cut_text_gives_what_it_has_and_says_that_it_is_cut() {
        let text = "num #instances #bytes class name\n1: 10 400 [B\n2: 3 7";
        let parsed = ClassHistogram::parse(text).unwrap();
        assert_eq!(parsed.rows, [row("byte[]", 10, 400)]);
        assert_eq!((parsed.rejected, parsed.complete), (1, false));
    }

    #[test]
    fn lines_that_are_no_rows_are_counted() {
        let text = "num #instances #bytes class name\n1: 10 400 [B\n2: -3 72 a.B\n\
                    3: 1 99999999999999999999 a.C\n4: 1 16 \u{1b}[31m\nx: 1 1 a.D\nTotal 10 400\n";
        let parsed = ClassHistogram::parse(text).unwrap();
        assert_eq!((parsed.rows.len(), parsed.rejected), (1, 4));
    }

    #[test]
    fn sums_that_overflow_saturate() {
        let max = u64::MAX;
        let text = format!("num #instances #bytes class name\n1: {max} {max} a.B\n2: 5 5 a.C");
        assert_eq!(ClassHistogram::parse(&text).unwrap().total.bytes, Bytes(max));
    }

    #[test]
    fn another_text_is_refused_with_its_beginning() {
        let error =
            ClassHistogram::parse("java.lang.IllegalArgumentException: Unknown").unwrap_err();
        assert!(error.to_string().contains("Unknown"), "{error}");
        let empty = ClassHistogram::parse("num #instances #bytes class name\n----\n");
        assert_eq!(empty, Err(HistogramError::NoRows));
    }
}
