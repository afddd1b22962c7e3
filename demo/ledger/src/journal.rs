//! The journal: one line for each booking, in a file that starts over when it is large. The demo
//! must not fill the disk of the machine that it runs on.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// The journal and its predecessor together take at most twice this.
const JOURNAL_BYTES_MAX: u64 = 8 * 1024 * 1024;

pub(crate) struct Journal {
    path: PathBuf,
    state: Mutex<Open>,
}

struct Open {
    file: File,
    bytes: u64,
}

impl Journal {
    pub(crate) fn open(directory: &Path) -> io::Result<Self> {
        let path = directory.join("journal.log");
        let file = OpenOptions::new().create(true).append(true).open(&path)?;
        let bytes = file.metadata()?.len();
        Ok(Self { path, state: Mutex::new(Open { file, bytes }) })
    }

    pub(crate) fn append(&self, line: &str) -> io::Result<()> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.bytes >= JOURNAL_BYTES_MAX {
            fs::rename(&self.path, self.path.with_extension("log.1"))?;
            state.file = OpenOptions::new().create(true).append(true).open(&self.path)?;
            state.bytes = 0;
        }
        state.file.write_all(format!("{line}\n").as_bytes())?;
        state.bytes += line.len() as u64 + 1;
        Ok(())
    }
}
