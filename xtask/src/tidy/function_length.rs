//! How long a function may be, counted from its name's line to its closing brace.
//!
//! Clippy counts statements and skips what it is told to; this counts what a reader scrolls.

use super::Finding;
use crate::text::code::{closing, tokens};
use crate::tree::{File, Tree};

/// Lines: a screen.
const LIMIT: usize = 70;
/// Lines. Below this a function reads at a glance; the share above it is worth watching.
const LONG: usize = 40;

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.rust() {
        for function in functions(file).filter(|function| function.length > LIMIT) {
            let what = format!(
                "`{}` has {} lines; {LIMIT} is the limit: branch here, compute in its own functions",
                function.name, function.length
            );
            findings.push(Finding::new(&file.path, function.line, what));
        }
    }
    findings
}

/// One line about all functions of the tree.
pub(super) fn summary(tree: &Tree) -> String {
    let mut lengths: Vec<usize> =
        tree.rust().flat_map(functions).map(|function| function.length).collect();
    lengths.sort_unstable();
    let count = lengths.len();
    let long = lengths.iter().filter(|length| **length > LONG).count();
    let median = lengths.get(count / 2).copied().unwrap_or(0);
    let per_mille = (long * 1000).checked_div(count).unwrap_or(0);
    format!(
        "{count} functions, median {median} lines; {long} ({}.{} %) over {LONG}",
        per_mille / 10,
        per_mille % 10
    )
}

struct Function {
    name: String,
    line: usize,
    length: usize,
}

/// Functions that have a body.
fn functions(file: &File) -> impl Iterator<Item = Function> {
    let tokens = tokens(&file.code);
    let mut found = Vec::new();
    for at in 0..tokens.len() {
        let Some(name) = tokens.get(at + 1).filter(|name| {
            tokens[at].text == "fn"
                && name.text.starts_with(|c: char| c.is_alphabetic() || c == '_')
        }) else {
            continue;
        };
        let mut open = at + 2;
        while let Some(token) = tokens.get(open).filter(|token| !matches!(token.text, "{" | ";")) {
            let skips = matches!(token.text, "(" | "[");
            open = if skips { closing(&tokens, open) + 1 } else { open + 1 };
        }
        if tokens.get(open).is_some_and(|token| token.text == "{") {
            let last = tokens[closing(&tokens, open)].line;
            let line = tokens[at].line;
            found.push(Function { name: name.text.to_owned(), line, length: last - line + 1 });
        }
    }
    found.into_iter()
}

#[cfg(test)]
mod tests {
    use super::super::assert_lines;
    use super::*;

    fn source(lines: usize) -> String {
        let body = "    let x = \"}\"; // }\n".repeat(lines - 2);
        format!(
            "trait T {{\n    fn none(&self) -> [u8; 2];\n}}\nfn long<'a>(x: &'a u8) {{\n{body}}}\n"
        )
    }

    #[test]
    fn a_function_longer_than_a_screen_is_found_where_it_starts() {
        assert_lines(check, &[("a.rs", &source(70))], &[]);
        assert_lines(check, &[("a.rs", &source(71))], &[4]);
    }

    #[test]
    fn the_summary_counts_what_is_over_forty_lines() {
        let tree = Tree::of(&[("a.rs", &source(41)), ("b.rs", &source(40))]);
        assert_eq!(summary(&tree), "2 functions, median 41 lines; 1 (50.0 %) over 40");
    }
}
