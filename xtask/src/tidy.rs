//! `cargo xtask tidy`: the rules that neither the compiler nor clippy knows, one file each.
//!
//! A rule takes the whole tree and returns findings; it reads nothing else and changes nothing.
//! To add one: a file in `tidy/` with a test that shows it firing, and a line in `RULES`.

use std::path::Path;

use crate::tree::Tree;

mod ascii;
mod banned_names;
mod decisions;
mod dependencies;
mod directions;
mod doc_commands;
mod doc_links;
mod doc_metrics;
mod doc_paths;
mod file_length;
mod function_length;
mod header;
mod leftovers;
mod lints;
mod origin;
mod purity;
mod serialisation;
mod unused;

/// Something to put right.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Finding {
    path: String,
    line: usize,
    /// What is wrong, and what to do.
    what: String,
}

type Rule = fn(&Tree) -> Vec<Finding>;

const RULES: &[(&str, Rule)] = &[
    ("ascii", ascii::check),
    ("banned-names", banned_names::check),
    ("decisions", decisions::check),
    ("dependencies", dependencies::check),
    ("directions", directions::check),
    ("doc-commands", doc_commands::check),
    ("doc-links", doc_links::check),
    ("doc-metrics", doc_metrics::check),
    ("doc-paths", doc_paths::check),
    ("file-length", file_length::check),
    ("function-length", function_length::check),
    ("header", header::check),
    ("leftovers", leftovers::check),
    ("lints", lints::check),
    ("origin", origin::check),
    ("purity", purity::check),
    ("serialisation", serialisation::check),
    ("unused", unused::check),
];

/// Applies every rule and prints `path:line: rule: what is wrong, what to do`.
pub(crate) fn run(root: &Path) -> Result<(), String> {
    let tree = Tree::load(root)?;
    let mut count = 0usize;
    for (name, rule) in RULES {
        let mut findings = rule(&tree);
        findings.sort();
        findings.dedup();
        count += findings.len();
        for finding in findings {
            println!("{}:{}: {name}: {}", finding.path, finding.line, finding.what);
        }
    }
    eprintln!("   {}", function_length::summary(&tree));
    if count == 0 { Ok(()) } else { Err(format!("tidy: {count} findings")) }
}

impl Finding {
    fn new(path: &str, line: usize, what: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, what: what.into() }
    }
}

/// The jig of every rule's tests: these files yield findings at exactly these lines, in order.
#[cfg(test)]
fn assert_lines(rule: Rule, files: &[(&str, &str)], expected: &[usize]) {
    let mut findings = rule(&Tree::of(files));
    findings.sort();
    findings.dedup();
    let lines: Vec<usize> = findings.iter().map(|finding| finding.line).collect();
    assert_eq!(lines, expected, "{findings:#?}");
}
