//! Reads and writes the limit files of memory cgroups. Lowering a limit makes the kernel reclaim
//! inside the write, for as long as that takes: so each write has a thread of its own and a time
//! limit, and what then stands in the file is read back, not assumed.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use nix::unistd::{SysconfVar, sysconf};
use plimsoll_model::Bytes;
use tokio::sync::oneshot;
use tokio::time::timeout;

/// A reclaim that takes longer goes on in its thread; the limit stands by then in any case.
const WRITE_LIMIT: Duration = Duration::from_secs(5);

/// Limit files hold one number; more is not one.
const CONTENT_BYTES_MAX: usize = 64;

/// The file's content, byte for byte.
pub(crate) fn read(file: &Path) -> io::Result<String> {
    let content = fs::read_to_string(file)?;
    if content.len() > CONTENT_BYTES_MAX {
        return Err(io::Error::other("it does not hold a limit"));
    }
    Ok(content)
}

/// How the kernel will print a limit: in whole pages, rounded down.
pub(crate) fn as_printed(limit: Bytes) -> String {
    let page = sysconf(SysconfVar::PAGE_SIZE).ok().flatten();
    let page = page.and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or(4096).max(1);
    format!("{}\n", limit.0 / page * page)
}

/// Writes, waits for at most [`WRITE_LIMIT`], and says what stands in the file then.
pub(crate) async fn write(file: &Path, content: &str) -> io::Result<String> {
    let (done, finished) = oneshot::channel();
    let (target, content): (PathBuf, _) = (file.to_owned(), content.to_owned());
    thread::Builder::new()
        .name("limit".into())
        .spawn(move || drop(done.send(write_existing(&target, &content))))?;
    match timeout(WRITE_LIMIT, finished).await {
        Ok(Ok(written)) => written?,
        Ok(Err(_)) => return Err(io::Error::other("the writing thread ended early")),
        Err(_) => tracing::warn!(file = %file.display(), "the kernel still reclaims"),
    }
    read(file)
}

/// In one write, and never by making a file: a group that is gone must stay an error.
fn write_existing(file: &Path, content: &str) -> io::Result<()> {
    use std::io::Write;
    let mut file = fs::OpenOptions::new().write(true).truncate(true).open(file)?;
    file.write_all(content.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_printed_in_whole_pages() {
        assert_eq!(as_printed(Bytes(100_000)), "98304\n");
        assert_eq!(as_printed(Bytes::from_mib(64)), "67108864\n");
    }

    #[tokio::test]
    async fn a_file_that_is_gone_is_not_made_anew() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("memory.high");
        let error = write(&file, "4096\n").await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        fs::write(&file, "max\n").unwrap();
        assert_eq!(write(&file, "4096\n").await.unwrap(), "4096\n");
    }
}
