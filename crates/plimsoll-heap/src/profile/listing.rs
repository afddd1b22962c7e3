//! The text of a source file of Go or Python, as far as it tells where an allocated value goes:
//! functions, statements and names, without what stands in texts and comments.
//!
//! Not a parser of either language: it takes code as formatters leave it, and whoever asks gets no
//! answer where it does not understand. Reading files is the shell's. Used by `flow`.

mod functions;
mod module;
mod statements;
mod text;

use std::sync::Arc;

pub(super) use functions::{Function, Parameter};
pub(super) use module::Module;
pub(super) use module::caches_without_limit;
pub(super) use statements::Statement;
pub(super) use text::{
    Target, after_arguments, argument_lists, assignment, call, mentions, place, uses,
};

/// Longest source that is taken: hand-written files end far below, generated ones tell nothing.
pub const SOURCE_BYTES_MAX: usize = 2 << 20;
/// Source that is kept of all files of one profile together: 400 000 lines.
pub const ALL_SOURCES_BYTES_MAX: usize = 16 << 20;
/// Longest part of a line that is kept; longer ones are data.
const LINE_BYTES_MAX: usize = 400;

/// The languages whose lines are understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Language {
    Go,
    Python,
}

/// A source file. Copies of one share its text.
#[derive(Clone, Debug)]
pub struct Listing {
    pub(super) language: Language,
    lines: Arc<Lines>,
}

/// What is kept of the text of a file.
#[derive(Debug, Default)]
struct Lines {
    /// Without comments, and with every text empty; one line after the other.
    text: String,
    /// Where each line ends in it.
    ends: Vec<u32>,
    /// For each line of Python, the one above that is set in less, from 1; 0 where there is none.
    outer: Vec<u32>,
    module: Module,
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
        let mut lines = Lines::default();
        let mut above: Vec<(usize, u32)> = Vec::new();
        text::bare(&source[..end], language, LINE_BYTES_MAX, |line| {
            lines.text.push_str(line);
            lines.ends.push(lines.text.len() as u32);
            if language == Language::Python {
                lines.outer.push(outer(line, lines.ends.len() as u32, &mut above));
                lines.module.learn(line, lines.ends.len() as u32);
            }
        });
        Some(Self { language, lines: Arc::new(lines) })
    }

    /// The line, from 1; empty where there is none.
    pub(super) fn line(&self, number: u32) -> &str {
        let Some(at) = (number as usize).checked_sub(1) else { return "" };
        let Some(end) = self.lines.ends.get(at) else { return "" };
        let start = at.checked_sub(1).map_or(0, |before| self.lines.ends[before]);
        &self.lines.text[start as usize..*end as usize]
    }

    pub(super) fn line_count(&self) -> u32 {
        self.lines.ends.len() as u32
    }

    /// The head of the block that a line of Python stands in.
    pub(super) fn outer(&self, line: u32) -> Option<u32> {
        let at = (line as usize).checked_sub(1)?;
        self.lines.outer.get(at).copied().filter(|outer| *outer > 0)
    }

    /// What the lines tell that stand in no function of Python.
    pub(super) fn module(&self) -> &Module {
        &self.lines.module
    }
}

/// `above` are the lines that a line may stand in, the innermost last. Empty lines and those that
/// begin with what closes a bracket stand in none, and none in them.
fn outer(line: &str, number: u32, above: &mut Vec<(usize, u32)>) -> u32 {
    let text = line.trim_start();
    if text.is_empty() || text.starts_with([')', ']', '}']) {
        return 0;
    }
    let indent = line.len() - text.len();
    while above.last().is_some_and(|(of, _)| *of >= indent) {
        above.pop();
    }
    let found = above.last().map_or(0, |(_, line)| *line);
    above.push((indent, number));
    found
}

fn language(file: &str) -> Option<Language> {
    let end = file.rsplit_once('.')?.1;
    match end {
        "go" => Some(Language::Go),
        "py" => Some(Language::Python),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_ends_far_to_the_right_does_not_turn_the_rest_inside_out() {
        let source = format!("A = \"\"\"{}\"\"\"\nB = 1  # x\n", "x".repeat(LINE_BYTES_MAX));
        let listing = Listing::read("a.py", &source).unwrap();
        assert_eq!((listing.line(1), listing.line(2), listing.line(3)), ("A = \"\"", "B = 1", ""));
        let long = format!("a := {}\n", "f()+".repeat(LINE_BYTES_MAX));
        assert_eq!(Listing::read("a.go", &long).unwrap().line(1).len(), LINE_BYTES_MAX);
    }
}
