//! Names that say nothing: type suffixes and module names that fit everything.

use super::Finding;
use crate::text::code::tokens;
use crate::tree::{File, Tree};

const SUFFIXES: &[&str] =
    &["Manager", "Helper", "Util", "Utils", "Common", "Data", "Info", "Wrapper", "Factory"];
const MODULES: &[&str] = &["common", "util", "utils", "helper", "helpers", "misc"];

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.rust() {
        findings.extend(modules(file));
        findings.extend(types(file));
    }
    findings
}

fn modules(file: &File) -> Option<Finding> {
    let mut parts = file.path.split(['/', '.']);
    let module = parts.find(|part| MODULES.contains(part))?;
    let what = format!("a module named `{module}` holds anything; name what is in it");
    Some(Finding::new(&file.path, 1, what))
}

fn types(file: &File) -> Vec<Finding> {
    let tokens = tokens(&file.code);
    let mut findings = Vec::new();
    for pair in tokens.windows(2) {
        let declares = match pair[0].text {
            "struct" | "enum" | "trait" | "union" => true,
            // Inside an impl block the trait has chosen the name.
            "type" => at_top(file, pair[0].line),
            _ => false,
        };
        let suffix = SUFFIXES.iter().find(|suffix| pair[1].text.ends_with(*suffix));
        if let Some(suffix) = suffix.filter(|_| declares) {
            let what = format!("`{}` ends in {suffix}; name what it is", pair[1].text);
            findings.push(Finding::new(&file.path, pair[1].line, what));
        }
    }
    findings
}

fn at_top(file: &File, line: usize) -> bool {
    file.code.lines().nth(line - 1).is_some_and(|text| !text.starts_with(' '))
}

#[cfg(test)]
mod tests {
    use super::super::assert_lines;
    use super::*;

    #[test]
    fn a_type_that_ends_in_a_banned_word_is_found() {
        let text = "//! a\nstruct LeaseManager;\nenum HeapInfo {}\nstruct Metadata;\n\
                    // struct XHelper\ntype RowData = u8;\n";
        assert_lines(check, &[("crates/a/src/b.rs", text)], &[2, 3, 6]);
    }

    #[test]
    fn an_associated_type_is_named_by_its_trait() {
        let text = "impl Body for X {\n    type Data = u8;\n}\n";
        assert_lines(check, &[("crates/a/src/b.rs", text)], &[]);
    }

    #[test]
    fn a_module_for_anything_is_found() {
        assert_lines(check, &[("crates/a/src/util.rs", ""), ("a/tests/common/b.rs", "")], &[1, 1]);
    }
}
