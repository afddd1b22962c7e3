//! Every crate takes the workspace's lints, and nothing shadows the one `clippy.toml`.

use super::Finding;
use crate::tree::Tree;

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for manifest in tree.manifests() {
        if !manifest.text.contains("[lints]\nworkspace = true") {
            let what = "the workspace's lints are not on; add `[lints]` with `workspace = true`";
            findings.push(Finding::new(&manifest.path, 1, what));
        }
    }
    for path in tree.paths().filter(|path| path.ends_with("/clippy.toml")) {
        let what = "replaces the root's clippy.toml for this crate, bans included; remove it";
        findings.push(Finding::new(path, 1, what));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::assert_lines;
    use super::*;

    #[test]
    fn a_crate_without_the_lints_and_a_second_clippy_toml_are_found() {
        let good = ("crates/a/Cargo.toml", "[lints]\nworkspace = true\n");
        assert_lines(check, &[good, ("clippy.toml", "")], &[]);
        assert_lines(check, &[("crates/b/Cargo.toml", ""), ("crates/b/clippy.toml", "")], &[1, 1]);
    }
}
