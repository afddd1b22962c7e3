//! The repository speaks of the program: no paths of the machine it was written on, and no words
//! about the work on it, which mean nothing to a reader a year later.

use super::Finding;
use crate::tree::{File, Tree};

/// Folders of one person's machine. A path under one of these works nowhere else.
const MACHINE_PATHS: &[&str] = &["/work/", "/root/", "/home/"];

/// Phrases about who wrote something or when it will be done. An issue tracker holds those.
const PHRASES: &[&str] = &[
    "shared/design",
    "this session",
    "this issue",
    "later issue",
    "next issue",
    "previous issue",
    "the brief",
    "language model",
    "co-authored-by",
];

/// This file names what it looks for.
const THIS_FILE: &str = "xtask/src/tidy/origin.rs";

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let files = tree.files().filter(|file| file.path != THIS_FILE && file.path != "Cargo.lock");
    files.flat_map(check_file).collect()
}

fn check_file(file: &File) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (number, line) in file.lines() {
        if let Some(path) = MACHINE_PATHS.iter().find(|path| names_machine(line, path)) {
            let what = format!("`{path}` is a path of one machine; take it as an argument");
            findings.push(Finding::new(&file.path, number, what));
        }
        let lower = line.to_lowercase();
        if let Some(phrase) = PHRASES.iter().find(|phrase| lower.contains(*phrase)) {
            let what = format!("\"{phrase}\" is about the work, not the program; reword");
            findings.push(Finding::new(&file.path, number, what));
        }
    }
    findings
}

/// Whether an absolute path starts here: `$HOME/work/` or `src/root/` is some other folder.
fn names_machine(line: &str, path: &str) -> bool {
    line.match_indices(path).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '}' | '*'))
    })
}

#[cfg(test)]
mod tests {
    use super::super::assert_lines;
    use super::*;

    #[test]
    fn paths_of_one_machine_are_found() {
        let text = "cd /work/x\n\"/root/.cargo\"\n/home/someone/x\nsrc/work/x $HOME/root/\n";
        assert_lines(check, &[("docs/a.md", text)], &[1, 2, 3]);
    }

    #[test]
    fn words_about_the_work_are_found() {
        assert_lines(check, &[("a.rs", "// A later issue\n// fills this.\n")], &[1]);
    }
}
