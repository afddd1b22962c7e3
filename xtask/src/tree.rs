//! The repository's files as text, as `git` would commit them now. What the rules of `tidy` read.
//!
//! Not here: any judgement. Files that are not text are known by their path only.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use crate::text::code;

/// All files of a repository.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    files: Vec<File>,
    /// Every file and every folder, without a slash at the end.
    paths: BTreeSet<String>,
}

/// One text file.
#[derive(Debug)]
pub(crate) struct File {
    /// From the root of the repository, with forward slashes.
    pub(crate) path: String,
    pub(crate) text: String,
    /// Rust only: the text with comments and the contents of literals blanked, line for line.
    pub(crate) code: String,
}

impl Tree {
    /// Reads what is tracked and what would be: ignored files are nobody's business here.
    pub(crate) fn load(root: &Path) -> Result<Self, String> {
        let listing = Command::new("git")
            .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
            .current_dir(root)
            .output()
            .map_err(|error| format!("git lists the files to check, and could not run: {error}"))?;
        if !listing.status.success() {
            let said = String::from_utf8_lossy(&listing.stderr);
            return Err(format!("git could not list the files to check: {}", said.trim()));
        }
        let mut tree = Self::default();
        for path in String::from_utf8_lossy(&listing.stdout).split('\0') {
            // A file that was deleted and not yet committed is still listed.
            if let Ok(bytes) = std::fs::read(root.join(path)) {
                tree.add(path, bytes);
            }
        }
        Ok(tree)
    }

    /// A small tree for the tests of the rules.
    #[cfg(test)]
    pub(crate) fn of(files: &[(&str, &str)]) -> Self {
        let mut tree = Self::default();
        for (path, text) in files {
            tree.add(path, text.as_bytes().to_vec());
        }
        tree
    }

    pub(crate) fn files(&self) -> impl Iterator<Item = &File> {
        self.files.iter()
    }

    pub(crate) fn rust(&self) -> impl Iterator<Item = &File> {
        self.files().filter(|file| file.has_extension("rs"))
    }

    pub(crate) fn documents(&self) -> impl Iterator<Item = &File> {
        self.files().filter(|file| file.has_extension("md"))
    }

    /// The manifests of the workspace's crates, not the root's.
    pub(crate) fn manifests(&self) -> impl Iterator<Item = &File> {
        self.files().filter(|file| file.path.ends_with("/Cargo.toml"))
    }

    pub(crate) fn get(&self, path: &str) -> Option<&File> {
        self.files().find(|file| file.path == path)
    }

    /// Whether there is a file or a folder of this path.
    pub(crate) fn has(&self, path: &str) -> bool {
        self.paths.contains(path.trim_end_matches('/'))
    }

    pub(crate) fn paths(&self) -> impl Iterator<Item = &str> {
        self.paths.iter().map(String::as_str)
    }

    fn add(&mut self, path: &str, bytes: Vec<u8>) {
        let folders = path.match_indices('/').map(|(end, _)| path[..end].to_owned());
        self.paths.extend(folders);
        self.paths.insert(path.to_owned());
        if let Ok(text) = String::from_utf8(bytes) {
            let code = if path.ends_with(".rs") { code::blanked(&text) } else { String::new() };
            self.files.push(File { path: path.to_owned(), text, code });
        }
    }
}

impl File {
    pub(crate) fn has_extension(&self, extension: &str) -> bool {
        self.path.rsplit_once('.').is_some_and(|(_, own)| own == extension)
    }

    pub(crate) fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }

    /// The path of the folder, empty at the root.
    pub(crate) fn folder(&self) -> &str {
        self.path.rsplit_once('/').map_or("", |(folder, _)| folder)
    }

    /// The short name of the crate that the file belongs to: `crates/plimsoll-<name>`, or the
    /// folder's own name where there is no such prefix. A file elsewhere gets its folder's name,
    /// which no table of crates holds.
    pub(crate) fn crate_name(&self) -> Option<&str> {
        let mut parts = self.path.split('/');
        let top = parts.next()?;
        let folder = if matches!(top, "crates" | "demo") { parts.next()? } else { top };
        Some(folder.strip_prefix("plimsoll-").unwrap_or(folder))
    }

    /// Lines with their numbers, from 1.
    pub(crate) fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().enumerate().map(|(index, line)| (index + 1, line))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_exist_as_soon_as_a_file_in_them_does() {
        let tree = Tree::of(&[("crates/plimsoll-model/src/lib.rs", "//! x\n")]);
        assert!(tree.has("crates/plimsoll-model/"));
        assert!(tree.has("crates/plimsoll-model/src/lib.rs"));
        assert!(!tree.has("crates/plimsoll"));
    }

    #[test]
    fn a_crate_is_known_by_its_short_name() {
        let tree = Tree::of(&[
            ("crates/plimsoll-model/src/lib.rs", ""),
            ("crates/plimsoll/src/main.rs", ""),
            ("demo/ledger/Cargo.toml", ""),
            ("xtask/src/main.rs", ""),
        ]);
        let names: Vec<_> = tree.files().filter_map(File::crate_name).collect();
        assert_eq!(names, ["model", "plimsoll", "ledger", "xtask"]);
    }
}
