//! A dependency that a crate's sources never name is build time and attack surface for nothing.

use super::Finding;
use crate::text::code::tokens;
use crate::text::manifest::{dependencies, workspace_dependencies};
use crate::tree::{File, Tree};

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut wanted: Vec<String> = Vec::new();
    for manifest in tree.manifests() {
        for dependency in dependencies(manifest) {
            if !is_named(tree, manifest.folder(), &dependency.name.replace('-', "_")) {
                let what = format!("no source of the crate names `{}`; remove it", dependency.name);
                findings.push(Finding::new(&manifest.path, dependency.line, what));
            }
            wanted.push(dependency.name);
        }
    }
    let all = tree.get("Cargo.toml").map_or_else(Vec::new, workspace_dependencies);
    for dependency in all.into_iter().filter(|dependency| !wanted.contains(&dependency.name)) {
        let what = format!("no crate depends on `{}`; remove it", dependency.name);
        findings.push(Finding::new("Cargo.toml", dependency.line, what));
    }
    findings
}

fn is_named(tree: &Tree, folder: &str, name: &str) -> bool {
    let inside = |file: &&File| {
        file.path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
            && file.code.contains(name)
    };
    tree.rust().filter(inside).any(|file| tokens(&file.code).iter().any(|token| token.text == name))
}

#[cfg(test)]
mod tests {
    use super::super::assert_lines;
    use super::*;

    #[test]
    fn a_dependency_that_no_source_names_is_found() {
        let manifest = "[dependencies]\nfutures-util.workspace = true\ncsv.workspace = true\n";
        let files = [
            ("crates/a/Cargo.toml", manifest),
            ("crates/a/src/lib.rs", "//! csv\nuse futures_util::Stream;\n"),
            ("crates/ab/src/lib.rs", "use csv::Reader;\n"),
        ];
        assert_lines(check, &files, &[3]);
    }

    #[test]
    fn a_dependency_that_no_crate_wants_is_found() {
        assert_lines(check, &[("Cargo.toml", "[workspace.dependencies]\ncsv = \"1\"\n")], &[2]);
    }
}
