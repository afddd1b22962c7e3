//! The directory and its files: made for their owner only, and synced so that they survive a
//! power cut.

use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

const DIR_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;

/// Makes the directory for its owner only. One that is there already keeps its mode unless it is
/// empty or ours: a mistyped path must not close `/tmp` to everybody else.
pub(crate) fn make_dir(dir: &Path, ours: &str) -> io::Result<()> {
    if !dir.exists() {
        if let Some(parent) = dir.parent() {
            std::fs::create_dir_all(parent)?;
        }
        DirBuilder::new().mode(DIR_MODE).create(dir)?;
        return dir.parent().map_or(Ok(()), sync_dir);
    }
    let is_empty = std::fs::read_dir(dir)?.next().is_none();
    if is_empty || dir.join(ours).exists() {
        std::fs::set_permissions(dir, Permissions::from_mode(DIR_MODE))?;
    }
    Ok(())
}

/// Opens a file for reading and writing, and makes it if it is not there.
pub(crate) fn open_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    let file =
        options.read(true).write(true).create(true).truncate(false).mode(FILE_MODE).open(path)?;
    file.set_permissions(Permissions::from_mode(FILE_MODE))?;
    Ok(file)
}

/// Makes the names in a directory durable: a new or renamed file is only safe after this.
pub(crate) fn sync_dir(dir: &Path) -> io::Result<()> {
    // The parent of a relative path is the empty path, which cannot be opened.
    let dir = if dir.as_os_str().is_empty() { Path::new(".") } else { dir };
    File::open(dir)?.sync_all()
}

/// Bytes that the disk of `path` still takes; none when it cannot be asked.
pub(crate) fn free_bytes(path: &Path) -> Option<u64> {
    let disk = nix::sys::statvfs::statvfs(path).ok()?;
    Some(disk.blocks_available().saturating_mul(disk.fragment_size()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        path.metadata().unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn what_is_made_is_for_its_owner_only() {
        let home = tempfile::tempdir().unwrap();
        let dir = home.path().join("a/b");
        make_dir(&dir, "ours").unwrap();
        open_file(&dir.join("file")).unwrap();
        assert_eq!((mode(&dir), mode(&dir.join("file"))), (0o700, 0o600));
    }

    #[test]
    fn a_directory_of_somebody_else_keeps_its_mode() {
        let home = tempfile::tempdir().unwrap();
        std::fs::set_permissions(home.path(), Permissions::from_mode(0o755)).unwrap();
        open_file(&home.path().join("theirs")).unwrap();
        make_dir(home.path(), "ours").unwrap();
        assert_eq!(mode(home.path()), 0o755);
        open_file(&home.path().join("ours")).unwrap();
        make_dir(home.path(), "ours").unwrap();
        assert_eq!(mode(home.path()), 0o700);
    }
}
