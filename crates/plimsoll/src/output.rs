//! Writing answers to standard output and remarks to standard error, and the layout of tables.
//!
//! A reader that closes the pipe is not an error; any other failure to write is, because an answer
//! that nobody can read was not given. Used by every command.

use std::io::{self, IsTerminal, Write};

use serde::Serialize;

use crate::exit::Failure;

/// Columns of text that tables are laid out for.
pub(crate) const WIDTH: usize = 100;

/// How an answer is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Table,
    /// For programs.
    Json,
}

/// The answer could not be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write the answer to standard output; is the disk full?")]
struct WriteError(#[source] io::Error);

/// Prints the whole answer.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    print_part(text).map(drop)
}

/// Prints one of many answers; whether anyone still reads them.
pub(crate) fn print_part(text: &str) -> Result<bool, Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(Failure::failed(WriteError(error))),
    }
}

/// Prints the answer as one JSON object.
pub(crate) fn print_json(answer: &impl Serialize) -> Result<(), Failure> {
    let mut text = serde_json::to_string_pretty(answer).map_err(Failure::failed)?;
    text.push('\n');
    print(&text)
}

/// Prints one of many answers as JSON in a line; whether anyone still reads them.
pub(crate) fn print_part_json(answer: &impl Serialize) -> Result<bool, Failure> {
    let mut text = serde_json::to_string(answer).map_err(Failure::failed)?;
    text.push('\n');
    print_part(&text)
}

/// A remark for the person at the terminal. Losing one is better than failing for it.
pub(crate) fn say(text: &str) {
    drop(writeln!(io::stderr(), "{text}"));
}

/// A line on standard error that is written over, where there is a terminal to see it.
#[derive(Debug)]
pub(crate) struct Progress {
    terminal: bool,
}

impl Progress {
    pub(crate) fn new() -> Self {
        Self { terminal: io::stderr().is_terminal() }
    }

    /// Names in it may come from outside.
    pub(crate) fn show(&self, text: &str) {
        if self.terminal {
            drop(io::stderr().write_all(line_over(text).as_bytes()));
        }
    }
}

/// The line as a terminal takes it instead of the one before: its own commands, and no others.
fn line_over(text: &str) -> String {
    format!("\r\x1b[K{}", printable(text))
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.show("");
    }
}

/// Rows under their headings, in columns as wide as their widest cell. Text
/// comes from outside: control characters are shown, not obeyed.
pub(crate) fn table<const N: usize>(headings: [&str; N], rows: &[[String; N]]) -> Vec<String> {
    let widths: [usize; N] = std::array::from_fn(|column| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| width(cell));
        cells.chain([width(headings[column])]).max().unwrap_or(0)
    });
    let line = |cells: &[String; N]| {
        let padded = cells.iter().zip(widths).map(|(cell, wide)| {
            let fill = wide.saturating_sub(width(cell));
            format!("{}{}", printable(cell), " ".repeat(fill))
        });
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    let head = line(&headings.map(|heading| heading.to_uppercase()));
    std::iter::once(head).chain(rows.iter().map(line)).collect()
}

/// Rows under their headings, in columns of fixed widths; a cell that is longer goes on below itself.
pub(crate) fn narrow_table<const N: usize>(
    headings: [&str; N],
    widths: [usize; N],
    rows: &[[String; N]],
) -> Vec<String> {
    let head = headings.map(str::to_uppercase);
    let mut lines = Vec::new();
    for row in std::iter::once(&head).chain(rows) {
        let cells: [Vec<String>; N] =
            std::array::from_fn(|column| folded(&row[column], widths[column]));
        let height = cells.iter().map(Vec::len).max().unwrap_or(0);
        for line in 0..height {
            let parts = cells.iter().zip(widths).map(|(cell, wide)| {
                let text = cell.get(line).map_or("", String::as_str);
                format!("{text}{}", " ".repeat(wide.saturating_sub(width(text))))
            });
            lines.push(parts.collect::<Vec<_>>().join("  ").trim_end().to_owned());
        }
    }
    lines
}

/// The text in lines of at most `wide` characters; a longer word is cut.
fn folded(text: &str, wide: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in printable(text).split_whitespace() {
        let word = clip(word, wide);
        match lines.last_mut() {
            Some(line) if width(line) + 1 + width(&word) <= wide => {
                line.push(' ');
                line.push_str(&word);
            }
            Some(_) | None => lines.push(word),
        }
    }
    lines
}

/// The text without control characters.
pub(crate) fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

/// The start of a text, and a mark where it was cut.
pub(crate) fn clip(text: &str, chars_max: usize) -> String {
    if width(text) <= chars_max {
        return text.to_owned();
    }
    let start: String = text.chars().take(chars_max.saturating_sub(2)).collect();
    format!("{start}..")
}

/// The text in lines of at most [`WIDTH`], each behind `indent` spaces. A word that is longer than
/// a line stands on its own line, whole.
pub(crate) fn wrap(text: &str, indent: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in printable(text).split_whitespace() {
        match lines.last_mut() {
            Some(line) if width(line) + 1 + width(word) <= WIDTH => {
                line.push(' ');
                line.push_str(word);
            }
            Some(_) | None => lines.push(format!("{}{word}", " ".repeat(indent))),
        }
    }
    lines
}

fn width(text: &str) -> usize {
    text.chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_as_wide_as_its_cells_and_obeys_no_control_character() {
        let rows = [["orders".into(), "leaking".into()], ["a\x1b[2Jb".into(), "ok".into()]];
        let lines = table(["service", "verdict"], &rows);
        assert_eq!(lines[0], "SERVICE  VERDICT");
        assert_eq!(lines[1], "orders   leaking");
        assert!(lines.iter().all(|line| !line.contains('\x1b')), "{lines:?}");
    }

    #[test]
    fn a_line_of_progress_commands_nothing_but_its_own_place() {
        assert_eq!(line_over("read 5"), "\r\x1b[Kread 5");
        assert_eq!(line_over(""), "\r\x1b[K");
        let text = line_over("x\x1b]0;title\x07\ny\u{9b}2J");
        assert_eq!(text.chars().filter(|c| c.is_control()).count(), 2, "{text:?}");
    }

    #[test]
    fn a_narrow_table_folds_its_cells_and_keeps_its_columns() {
        let rows = [["12 s".to_owned(), "a long reason in words".to_owned()]];
        let lines = narrow_table(["after", "why"], [6, 10], &rows);
        assert_eq!(lines, ["AFTER   WHY", "12 s    a long", "        reason in", "        words"]);
    }

    #[test]
    fn wrapped_lines_fit_and_lose_nothing() {
        let text = "word ".repeat(80);
        let lines = wrap(&text, 4);
        assert!(lines.iter().all(|line| line.len() <= WIDTH && line.starts_with("    word")));
        assert_eq!(lines.join(" ").split_whitespace().count(), 80);
        assert_eq!(wrap(&"x".repeat(200), 2), [format!("  {}", "x".repeat(200))]);
    }

    #[test]
    fn a_clipped_text_says_that_it_was_cut() {
        assert_eq!(clip("orders", 6), "orders");
        assert_eq!(clip("checkout-service", 8), "checko..");
    }
}
