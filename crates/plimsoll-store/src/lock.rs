//! One server owns a data directory. The kernel gives the lock back when its process ends, however
//! it ends, so nothing stale is ever left to be removed by hand.

use std::fs::{File, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::Path;

use crate::error::OpenError;
use crate::files;

const LOCK_FILE: &str = "lock";

/// Longest text that is read from the file of somebody else's lock, in bytes: a process id is
/// short, and the file could hold anything.
const HOLDER_BYTES_MAX: u64 = 32;

/// Held as long as it lives.
#[derive(Debug)]
pub(crate) struct DirLock {
    _file: File,
}

impl DirLock {
    pub(crate) fn take(dir: &Path) -> Result<Self, OpenError> {
        let path = dir.join(LOCK_FILE);
        let failed = |attempt| {
            let path = path.clone();
            move |source| OpenError::Files { attempt, path, source }
        };
        let mut file = files::open_file(&path).map_err(failed("open the lock file"))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(OpenError::Locked { dir: dir.to_owned(), holder: holder(&mut file) });
            }
            Err(TryLockError::Error(source)) => return Err(failed("lock")(source)),
        }
        note_holder(&mut file).map_err(failed("write the lock file"))?;
        Ok(Self { _file: file })
    }
}

fn note_holder(file: &mut File) -> std::io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{}", std::process::id())
}

fn holder(file: &mut File) -> String {
    let mut text = String::new();
    let pid = match file.take(HOLDER_BYTES_MAX).read_to_string(&mut text) {
        Ok(_) => text.trim().parse::<u32>().ok(),
        Err(_) => None,
    };
    pid.map_or_else(|| "another process".into(), |pid| format!("process {pid}"))
}
