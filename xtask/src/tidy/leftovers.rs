//! What is left over: silenced lints, notes to oneself, `mod.rs`.

use super::Finding;
use crate::text::code::tokens;
use crate::tree::{File, Tree};

const MARKERS: &[&str] = &["TODO", "FIXME", "XXX"];
/// These files name what they look for.
const RULES_THEMSELVES: &str = "xtask/src/tidy/";

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.files().filter(|file| !file.path.starts_with(RULES_THEMSELVES)) {
        findings.extend(markers(file));
    }
    for file in tree.rust() {
        findings.extend(silenced(file));
        if file.name() == "mod.rs" {
            let what = "name the file after its module, beside its folder: `name.rs`, `name/`";
            findings.push(Finding::new(&file.path, 1, what));
        }
    }
    findings
}

fn silenced(file: &File) -> Vec<Finding> {
    let tokens = tokens(&file.code);
    let allows = tokens.windows(3).filter(|window| {
        matches!([window[0].text, window[1].text, window[2].text], ["#" | "!", "[", "allow"])
    });
    let what = "`allow` outlives its cause; write `#[expect(lint, reason = \"...\")]`";
    allows.map(|window| Finding::new(&file.path, window[2].line, what)).collect()
}

fn markers(file: &File) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (number, line) in file.lines() {
        let mut words = line.split(|c: char| !c.is_alphanumeric() && c != '_');
        if let Some(marker) = words.find(|word| MARKERS.contains(word)) {
            let what = format!("{marker} is left; do it now, or file an issue and remove the note");
            findings.push(Finding::new(&file.path, number, what));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::assert_lines;
    use super::*;

    #[test]
    fn a_silenced_lint_is_found_in_both_forms_and_not_in_a_comment() {
        let text = "#![allow(dead_code)]\n#[allow(x)]\n// #[allow(x)]\n#[expect(x)]\n";
        assert_lines(check, &[("a.rs", text)], &[1, 2]);
    }

    #[test]
    fn a_note_to_oneself_is_found_in_any_file() {
        let text = "a TODO\nb FIXME: c\nmktemp XXXXXX\n";
        assert_lines(check, &[("a.md", text), ("b.py", "# XXX")], &[1, 2, 1]);
    }

    #[test]
    fn a_module_file_without_a_name_is_found() {
        assert_lines(check, &[("a/src/b/mod.rs", "")], &[1]);
    }
}
