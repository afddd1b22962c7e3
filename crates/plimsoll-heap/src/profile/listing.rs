//! The text of a source file of Go or Python, as far as it tells where an allocated value goes:
//! functions, statements and names, without what stands in texts and comments.
//!
//! Not a parser of either language: it takes code as formatters leave it, and whoever asks gets no
//! answer where it does not understand. Reading files is the shell's. Used by `flow`.

mod functions;
mod statements;
mod text;

pub(super) use functions::{Function, Parameter};
pub(super) use statements::Statement;
pub(super) use text::{Target, argument_lists, assignment, call, mentions, place, uses};

/// Longest source that is taken: hand-written files end far below, generated ones tell nothing.
pub const SOURCE_BYTES_MAX: usize = 2 << 20;
/// Longest part of a line that is looked at; longer ones are data.
const LINE_BYTES_MAX: usize = 400;

/// The languages whose lines are understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Language {
    Go,
    Python,
}

/// A source file.
#[derive(Clone, Debug)]
pub struct Listing {
    pub(super) language: Language,
    /// Without comments, and with every text empty; numbered from 0.
    lines: Vec<String>,
}

impl Listing {
    /// Whether a file of this name would be understood.
    pub fn is_readable(file: &str) -> bool {
        language(file).is_some()
    }

    /// Takes the text of a file; `None` where its name tells of no language that is understood.
    pub fn read(file: &str, source: &str) -> Option<Self> {
        let language = language(file)?;
        let end = source.floor_char_boundary(SOURCE_BYTES_MAX.min(source.len()));
        Some(Self { language, lines: text::bare(&source[..end], language, LINE_BYTES_MAX) })
    }

    /// The line, from 1; empty where there is none.
    pub(super) fn line(&self, number: u32) -> &str {
        let at = (number as usize).checked_sub(1);
        at.and_then(|at| self.lines.get(at)).map_or("", String::as_str)
    }

    /// The lines of the file itself: what stands in no function and no class, in Python.
    pub(super) fn of_module(&self) -> impl Iterator<Item = &str> {
        let starts = |line: &&String| line.starts_with(|c: char| c.is_alphabetic() || c == '_');
        self.lines.iter().filter(starts).map(String::as_str)
    }
}

fn language(file: &str) -> Option<Language> {
    let end = file.rsplit_once('.')?.1;
    match end {
        "go" => Some(Language::Go),
        "py" => Some(Language::Python),
        _ => None,
    }
}
