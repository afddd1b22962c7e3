//! Every Rust file opens by saying what it is.

use super::Finding;
use crate::tree::Tree;

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    tree.rust()
        .filter(|file| file.name() != "build.rs" && !file.path.contains("/tests/fixtures/"))
        .filter(|file| !file.text.starts_with("//! "))
        .map(|file| {
            let what =
                "the first line is not `//!`; say what the file is, what it is not, who uses it";
            Finding::new(&file.path, 1, what)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::assert_lines;
    use super::*;

    #[test]
    fn a_file_that_does_not_introduce_itself_is_found() {
        assert_lines(check, &[("a.rs", "use x;\n")], &[1]);
        assert_lines(check, &[("a.rs", "//! What it is.\n")], &[]);
        assert_lines(check, &[("a/build.rs", ""), ("a/tests/fixtures/b.rs", "")], &[]);
    }
}
