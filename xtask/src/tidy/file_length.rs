//! How long a file may be: over 400 lines it needs a reason here, over 800 it is too long.

use super::Finding;
use crate::tree::Tree;

/// Lines. A longer file is usually two topics; one long topic is fine if someone can say why.
const THINK_ABOVE: usize = 400;
/// Lines. Nobody holds more in mind.
const LIMIT: usize = 800;

const SOURCES: &[&str] = &["rs", "java", "js", "mjs", "ts", "py", "html", "css", "sh"];

/// Files over `THINK_ABOVE` that stay whole, each with its reason.
const LONG_FOR_A_REASON: &[(&str, &str)] = &[
    (
        "crates/plimsoll-detect/src/thresholds.rs",
        "one table of every number that decides; the documents are made from it",
    ),
    ("heaps/java/Faults.java", "Java runs one file without a build; each fault is by itself in it"),
    ("heaps/python/faults.py", "one service with a list of faults; each is by itself in it"),
];

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    check_with(tree, LONG_FOR_A_REASON)
}

fn check_with(tree: &Tree, reasons: &[(&str, &str)]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.files() {
        let is_source = SOURCES.iter().any(|extension| file.has_extension(extension));
        if !is_source || file.path.contains("/fixtures/") {
            continue;
        }
        let length = file.text.lines().count();
        let has_reason = reasons.iter().any(|(path, _)| *path == file.path);
        let what = if length > LIMIT {
            format!("{length} lines; {LIMIT} is the limit: split it by topic")
        } else if length > THINK_ABOVE && !has_reason {
            format!("{length} lines; split it by topic, or add its reason to {}", file!())
        } else if length <= THINK_ABOVE && has_reason {
            format!("{length} lines need no reason; remove it from {}", file!())
        } else {
            continue;
        };
        findings.push(Finding::new(&file.path, length, what));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::assert_lines;
    use super::*;

    fn check_length(lines: usize, expected: &[usize]) {
        assert_lines(check, &[("crates/a/src/b.rs", &"x\n".repeat(lines))], expected);
    }

    #[test]
    fn a_long_file_without_a_reason_is_found() {
        check_length(400, &[]);
        check_length(401, &[401]);
        check_length(801, &[801]);
    }

    #[test]
    fn a_reason_helps_up_to_the_limit_and_is_found_when_it_is_not_needed() {
        let found = |lines: usize| {
            let tree = Tree::of(&[("a.rs", &"x\n".repeat(lines))]);
            check_with(&tree, &[("a.rs", "one table")]).len()
        };
        assert_eq!([found(500), found(900), found(100)], [0, 1, 1]);
    }
}
