//! Every dependency is argued for in `docs/dependencies.md`, and nothing else is listed there.

use super::Finding;
use crate::text::manifest::workspace_dependencies;
use crate::tree::{File, Tree};

const DOCUMENT: &str = "docs/dependencies.md";
const OUR_OWN: &str = "plimsoll";

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let Some(root) = tree.get("Cargo.toml") else { return Vec::new() };
    let entries = tree.get(DOCUMENT).map_or_else(Vec::new, entries);
    let mut findings = Vec::new();
    let used = workspace_dependencies(root);
    for dependency in used.iter().filter(|dependency| !dependency.name.starts_with(OUR_OWN)) {
        if !entries.iter().any(|(name, _)| *name == dependency.name) {
            let what = format!(
                "`{}` has no entry in {DOCUMENT}; say what for, why this one, what else was weighed",
                dependency.name
            );
            findings.push(Finding::new(&root.path, dependency.line, what));
        }
    }
    for (name, line) in &entries {
        if !used.iter().any(|dependency| dependency.name == *name) {
            let what = format!("`{name}` is not in [workspace.dependencies]; remove the entry");
            findings.push(Finding::new(DOCUMENT, *line, what));
        }
    }
    for pair in entries.windows(2).filter(|pair| pair[0].0 > pair[1].0) {
        let what = format!("`{}` belongs before `{}`; keep the table sorted", pair[1].0, pair[0].0);
        findings.push(Finding::new(DOCUMENT, pair[1].1, what));
    }
    findings.extend(own_versions(tree));
    findings
}

/// Versions and features are chosen once, in the root; a crate that chooses its own builds a
/// dependency a second time.
fn own_versions(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for manifest in tree.manifests().filter(|manifest| manifest.path.starts_with("crates/")) {
        for dependency in crate::text::manifest::dependencies(manifest) {
            let line = manifest.text.lines().nth(dependency.line - 1).unwrap_or("");
            if !line.contains("workspace = true") {
                let what = format!(
                    "`{}` is not taken from the workspace; write `{}.workspace = true`",
                    dependency.name, dependency.name
                );
                findings.push(Finding::new(&manifest.path, dependency.line, what));
            }
        }
    }
    findings
}

/// The names in the first column of the table, in its order.
fn entries(document: &File) -> Vec<(&str, usize)> {
    let first_column = |line: &'_ str| -> Option<(usize, usize)> {
        let start = line.strip_prefix("| `").map(|rest| line.len() - rest.len())?;
        let length = line.get(start..)?.find('`')?;
        Some((start, start + length))
    };
    document
        .lines()
        .filter_map(|(number, line)| {
            let (start, end) = first_column(line)?;
            Some((line.get(start..end)?, number))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::assert_lines;
    use super::*;

    const ROOT: (&str, &str) =
        ("Cargo.toml", "[workspace.dependencies]\nplimsoll-model = \"1\"\na = \"1\"\nb = \"1\"\n");

    #[test]
    fn a_dependency_without_an_entry_is_found() {
        let document = (DOCUMENT, "| crate | what for |\n|---|---|\n| `a` | x |\n");
        assert_lines(check, &[ROOT, document], &[4]);
    }

    #[test]
    fn an_entry_without_a_dependency_and_one_out_of_order_are_found() {
        let document = (DOCUMENT, "| `b` | x |\n| `a` | x |\n| `c` | x |\n");
        assert_lines(check, &[ROOT, document], &[2, 3]);
    }

    #[test]
    fn a_crate_that_chooses_its_own_version_is_found() {
        let manifest = ("crates/x/Cargo.toml", "[dependencies]\na.workspace = true\nb = \"2\"\n");
        let document = (DOCUMENT, "| `a` | x |\n| `b` | x |\n");
        assert_lines(check, &[ROOT, document, manifest], &[3]);
    }
}
