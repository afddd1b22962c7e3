//! The program's source files that a profile names, read within bounds, so that the lines that
//! allocate can say what keeps what they make.
//!
//! Paths come from a profile, so they are not trusted: only files whose name tells of a language
//! that is understood, only regular ones of bounded size, and never one that would block. What is
//! read leaves as names of fields and variables only. What lines mean is `plimsoll-heap`'s.

use std::fs::OpenOptions;
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;

use plimsoll_heap::profile::{Listing, Listings, Profile, SOURCE_BYTES_MAX, wanted_sources};

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
        let read = |file: String| Some((file.clone(), Listing::read(&file, &text(&file)?)?));
        wanted_sources(profile).into_iter().filter_map(read).collect()
    }
}

/// The text of a file; `None` where it is not there, too long, or not a file.
fn text(file: &str) -> Option<String> {
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
        let path = |name: &str| folder.path().join(name).display().to_string();
        std::fs::write(path("a.py"), "x = 1\n").unwrap();
        assert_eq!(text(&path("a.py")).as_deref(), Some("x = 1\n"));
        assert_eq!(text(&path("missing.py")), None);
        assert_eq!(text("/dev/zero"), None);
        assert_eq!(text(&folder.path().display().to_string()), None);
        std::fs::write(path("huge.py"), "#".repeat(SOURCE_BYTES_MAX + 1)).unwrap();
        assert_eq!(text(&path("huge.py")), None);
        nix::unistd::mkfifo(folder.path().join("pipe.py").as_path(), nix::sys::stat::Mode::S_IRWXU)
            .unwrap();
        assert_eq!(text(&path("pipe.py")), None);
    }
}
