//! Every path and every crate that a document names in backticks exists.

use super::Finding;
use super::doc_links::resolved;
use crate::text::markdown;
use crate::tree::{File, Tree};

/// Folders that a path of this repository starts with, whether or not they exist yet: a document
/// that runs ahead of the tree is what this rule is for.
const TOP: &[&str] =
    &[".cargo", ".ci", "benches", "crates", "demo", "docs", "fuzz", "scenarios", "web", "xtask"];

/// A path with one of these is a pattern, a placeholder or a command, not a path.
const NOT_IN_A_PATH: &[char] = &[' ', '<', '>', '{', '}', '$', '|', '\n', '"', '(', '='];

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for document in tree.documents().filter(|document| describes_now(&document.path)) {
        for span in markdown::read(&document.text).spans {
            if let Some(what) = complaint(tree, document, span.text) {
                findings.push(Finding::new(&document.path, span.line, what));
            }
        }
    }
    findings
}

/// Whether a document speaks of the tree as it is. The changelog and the decision records speak of
/// the day they were written.
pub(super) fn describes_now(path: &str) -> bool {
    let is_record = path.starts_with("docs/decisions/") && path != "docs/decisions/README.md";
    path != "CHANGELOG.md" && !is_record
}

fn complaint(tree: &Tree, document: &File, span: &str) -> Option<String> {
    if let Some(name) = span.strip_prefix("plimsoll-").filter(|name| is_crate_name(name)) {
        let known = tree.has(&format!("crates/plimsoll-{name}"));
        return (!known).then(|| format!("there is no crate `{span}`; correct the document"));
    }
    let path = repository_path(span)?;
    let beside = resolved(document, path).is_some_and(|beside| tree.has(&beside));
    let known = beside || tree.has(path);
    (!known).then(|| format!("there is no `{path}` in the repository; correct the document"))
}

fn is_crate_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_lowercase() || c == '-')
}

/// The path in the span, without a line number, an anchor or what follows a `*`.
fn repository_path(span: &str) -> Option<&str> {
    if span.contains(NOT_IN_A_PATH) || span.starts_with(['/', '~', '-']) || span.contains("://") {
        return None;
    }
    let path = span.split(['#', ':']).next().unwrap_or(span);
    let path = match path.find('*') {
        Some(star) => path[..star].rsplit_once('/')?.0,
        None => path,
    };
    let is_document = !path.contains('/') && path.ends_with(".md");
    let (first, _) = path.split_once('/').unwrap_or((path, ""));
    let in_tree = span.contains('/') && TOP.contains(&first);
    (is_document || in_tree).then_some(path)
}

#[cfg(test)]
mod tests {
    use super::super::assert_lines;
    use super::*;

    const MODEL: (&str, &str) = ("crates/plimsoll-model/src/lib.rs", "");

    #[test]
    fn a_path_that_is_not_there_is_found() {
        let text = "`crates/plimsoll-model/src/lib.rs:3`\n`crates/plimsoll-model/`\n`docs/gone.md`\n\
                    `scenarios/*.scn`\n`crates/*`\n`GONE.md`\n`README.md`\n";
        assert_lines(check, &[MODEL, ("README.md", text)], &[3, 4, 6]);
    }

    #[test]
    fn a_crate_that_is_not_there_is_found() {
        let text = "`plimsoll-model`\n`plimsoll-gone`\n`plimsoll-agent.service`\n";
        assert_lines(check, &[MODEL, ("README.md", text)], &[2]);
    }

    #[test]
    fn what_only_looks_like_a_path_is_left_alone() {
        let text = "`/api/v1/services` `text/plain` `crates/<name>/x` `and/or` `https://a/b`";
        assert_lines(check, &[("README.md", text)], &[]);
    }

    #[test]
    fn history_may_name_what_is_gone() {
        let text = "`docs/gone.md`";
        assert_lines(check, &[("CHANGELOG.md", text), ("docs/decisions/0001-a.md", text)], &[]);
        assert_lines(check, &[("docs/decisions/README.md", text)], &[1]);
    }
}
