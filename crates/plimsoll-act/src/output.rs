//! What supervised programs print: one file each, bounded. A file that passes the bound is kept
//! once as `<name>.previous` and emptied in place; programs append, so that they go on from
//! there. A pipe with a pump was rejected: it costs the agent a read for every line printed.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

/// Size at which a file is turned over, looked at every few seconds. With its predecessor a
/// replica keeps at most twice this, and what it prints between two looks.
const FILE_BYTES_MAX: u64 = 4 << 20;

/// The output file of one replica.
#[derive(Clone, Debug)]
pub(crate) struct Output {
    path: PathBuf,
}

impl Output {
    pub(crate) fn new(folder: &Path, instance: &str) -> Self {
        Self { path: folder.join(format!("{instance}.log")) }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Opened for appending, which makes emptying it under a running program safe.
    pub(crate) fn open(&self) -> io::Result<File> {
        OpenOptions::new().create(true).append(true).open(&self.path)
    }

    pub(crate) fn bound(&self) -> io::Result<()> {
        if fs::metadata(&self.path)?.len() <= FILE_BYTES_MAX {
            return Ok(());
        }
        fs::copy(&self.path, self.path.with_added_extension("previous"))?;
        OpenOptions::new().write(true).open(&self.path)?.set_len(0)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_file_that_passes_the_bound_is_turned_over_under_its_writer() {
        let folder = tempfile::tempdir().unwrap();
        let output = Output::new(folder.path(), "orders-0");
        let mut writer = output.open().unwrap();
        writer.write_all(&vec![b'x'; 1 + (4 << 20)]).unwrap();
        output.bound().unwrap();
        writer.write_all(b"after").unwrap();
        output.bound().unwrap();
        assert_eq!(fs::read(output.path()).unwrap(), b"after");
        let previous = folder.path().join("orders-0.log.previous");
        assert_eq!(fs::metadata(previous).unwrap().len(), 1 + (4 << 20));
    }
}
