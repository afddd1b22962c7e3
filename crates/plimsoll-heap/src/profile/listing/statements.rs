//! The statements of a function: lines that belong together by their brackets.

use super::{Language, Listing};

/// Lines of one statement that are put together; longer ones are tables of data.
const LINES_MAX: u32 = 60;
/// Longest statement that is put together, in bytes; the rest of it is passed over.
const BYTES_MAX: usize = 4000;

/// A statement, or the head of one that has a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::profile) struct Statement {
    /// From 1.
    pub(in crate::profile) first: u32,
    pub(in crate::profile) last: u32,
    /// On one line.
    pub(in crate::profile) text: String,
}

/// What a line of Go begins with when the brace at its end opens a block.
const GO_BLOCKS: [&str; 9] =
    ["if ", "for ", "for{", "switch ", "select ", "} else", "func ", "type ", "case "];

impl Listing {
    /// All statements in these lines, numbered from 1; those inside of a function literal come
    /// behind the statement that it is part of.
    pub(in crate::profile) fn statements(&self, first: u32, last: u32) -> Vec<Statement> {
        let mut found = Vec::new();
        let mut line = first;
        while line <= last {
            let statement = self.statement(line, last);
            line = statement.last + 1;
            let (from, to) = (statement.first + 1, statement.last.saturating_sub(1));
            let has_body = statement.text.contains("func(") && from <= to;
            if !statement.text.is_empty() {
                found.push(statement);
            }
            if has_body {
                found.extend(self.statements(from, to));
            }
        }
        found
    }

    /// The statement that begins in a line.
    pub(super) fn statement(&self, first: u32, last_max: u32) -> Statement {
        let mut text = self.line(first).trim().to_owned();
        let mut last = first;
        let opens_block =
            self.language == Language::Go && GO_BLOCKS.iter().any(|start| text.starts_with(start));
        let braces = self.language == Language::Python || !opens_block;
        let mut open = depth(&text, braces);
        while last < last_max && last - first < LINES_MAX && open > 0 && text.len() < BYTES_MAX {
            last += 1;
            let line = self.line(last).trim();
            open += depth(line, braces);
            text.push(' ');
            text.push_str(line);
        }
        Statement { first, last, text }
    }
}

fn depth(text: &str, braces: bool) -> i32 {
    let count = |c: char| match c {
        '(' | '[' => 1,
        ')' | ']' => -1,
        '{' if braces => 1,
        '}' if braces => -1,
        _ => 0,
    };
    text.chars().map(count).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_belong_together_are_one_statement_and_literals_have_their_own() {
        let source = "x := f(\n\ta,\n)\nif ok {\n\tgo func() {\n\t\t<-done\n\t}()\n}\n";
        let listing = Listing::read("a.go", source).unwrap();
        let found = listing.statements(1, 8);
        let texts: Vec<_> = found.iter().map(|one| (one.first, &*one.text)).collect();
        let want = [
            (1, "x := f( a, )"),
            (4, "if ok {"),
            (5, "go func() { <-done }()"),
            (6, "<-done"),
            (8, "}"),
        ];
        assert_eq!(texts, want);
    }
}
