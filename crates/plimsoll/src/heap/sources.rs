//! The program's source files that a profile names, read within bounds, so that the lines that
//! allocate can say what keeps what they make.
//!
//! Paths come from a profile, so they are not trusted: only files whose name tells of a language
//! that is understood, only regular ones of bounded size, and never one that would block. What is
//! read leaves as names of fields and variables only. What lines mean is `plimsoll-heap`'s.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use plimsoll_heap::profile::{
    ALL_SOURCES_BYTES_MAX, Listing, Listings, Profile, SOURCE_BYTES_MAX, wanted_sources,
};

/// Whether sources are read.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(super) struct Sources {
    /// Do not read the program's source files that a profile names.
    #[arg(long)]
    no_source: bool,
}

impl Sources {
    /// Those sources of a profile that are on this machine.
    pub(super) fn of(self, profile: &Profile) -> Listings {
        if self.no_source {
            return Listings::new();
        }
        read_all(wanted_sources(profile), ALL_SOURCES_BYTES_MAX)
    }
}

/// Files that are there, the first first, until they have so many bytes together. A file is read
/// once, whatever it is called.
fn read_all(files: Vec<String>, mut bytes_left: usize) -> Listings {
    let mut known: BTreeMap<PathBuf, Option<Listing>> = BTreeMap::new();
    let mut listings = Listings::new();
    for file in files {
        let Ok(path) = Path::new(&file).canonicalize() else { continue };
        let listing = known.entry(path).or_insert_with_key(|path| {
            let text = text(path).filter(|text| text.len() <= bytes_left)?;
            bytes_left -= text.len();
            Listing::read(&file, &text)
        });
        listings.extend(listing.clone().map(|listing| (file, listing)));
    }
    listings
}

/// The text of a file; `None` where it is not there, too long, or not a file.
fn text(file: &Path) -> Option<String> {
    // A pipe would keep the opening waiting for someone who writes.
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(nix::libc::O_NONBLOCK | nix::libc::O_NOCTTY)
        .open(file)
        .ok()?;
    let about = file.metadata().ok()?;
    if !about.is_file() || about.len() > SOURCE_BYTES_MAX as u64 {
        return None;
    }
    let mut bytes = Vec::new();
    // Some files are longer than they say.
    file.take(SOURCE_BYTES_MAX as u64).read_to_end(&mut bytes).ok()?;
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_regular_files_of_bounded_size_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        std::fs::write(path("a.py"), "x = 1\n").unwrap();
        assert_eq!(text(&path("a.py")).as_deref(), Some("x = 1\n"));
        assert_eq!(text(&path("missing.py")), None);
        assert_eq!(text(Path::new("/dev/zero")), None);
        assert_eq!(text(folder.path()), None);
        std::fs::write(path("huge.py"), "#".repeat(SOURCE_BYTES_MAX + 1)).unwrap();
        assert_eq!(text(&path("huge.py")), None);
        nix::unistd::mkfifo(folder.path().join("pipe.py").as_path(), nix::sys::stat::Mode::S_IRWXU)
            .unwrap();
        assert_eq!(text(&path("pipe.py")), None);
    }

    #[test]
    fn all_sources_of_a_profile_are_bounded_together_and_each_is_read_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).display().to_string();
        for name in ["a.py", "b.py", "c.py"] {
            std::fs::write(path(name), "x = 1\n".repeat(10)).unwrap();
        }
        let read = |files: &[String], bytes| {
            read_all(files.to_vec(), bytes).into_keys().collect::<Vec<String>>()
        };
        let all = ["a.py", "b.py", "c.py"].map(path);
        assert_eq!(read(&all, 180), all);
        assert_eq!(read(&all, 179), all[..2]);
        let spellings = [path("a.py"), path("./a.py"), path(".//a.py")];
        assert_eq!(read(&spellings, 60).len(), 3);
    }
}
