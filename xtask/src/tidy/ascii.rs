//! Sources are ASCII: what a reviewer sees is what the compiler reads.

use super::Finding;
use crate::tree::Tree;

/// Documents are not sources, and fixtures are what some other program wrote.
const SOURCES: &[&str] =
    &["rs", "toml", "sh", "java", "js", "mjs", "ts", "py", "html", "css", "scn", "sql"];

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.files().filter(|file| !file.path.contains("/fixtures/")) {
        if !SOURCES.iter().any(|extension| file.has_extension(extension)) {
            continue;
        }
        for (number, line) in file.lines() {
            if let Some(c) = line.chars().find(|c| !c.is_ascii()) {
                let what = format!("{} is not ASCII; escape it or reword", c.escape_unicode());
                findings.push(Finding::new(&file.path, number, what));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::assert_lines;
    use super::*;

    #[test]
    fn a_character_beyond_ascii_is_found_in_sources_and_not_in_documents() {
        let text = "//! a\n// \u{2192}\n";
        assert_lines(check, &[("crates/a/src/b.rs", text), ("README.md", text)], &[2]);
    }

    #[test]
    fn a_fixture_may_hold_what_another_program_wrote() {
        assert_lines(check, &[("crates/a/tests/fixtures/b.js", "\u{e9}")], &[]);
    }
}
