//! A data directory that is open: the lock on it, and the database in it.

use std::path::{Path, PathBuf};

use crate::database::{DATABASE_FILE, Database};
use crate::error::OpenError;
use crate::files;
use crate::journal::{Journal, JournalError, Opened};
use crate::lock::DirLock;

/// The store of one server. Methods are in the modules that they are about: telemetry, changes,
/// incidents.
#[derive(Debug)]
pub struct Store {
    pub(crate) database: Database,
    dir: PathBuf,
    _lock: DirLock,
}

impl Store {
    /// Opens a data directory, and makes it if it is not there: locked against other servers, its
    /// tables brought up to date. Blocks for a few file operations before it waits.
    pub async fn open(dir: &Path) -> Result<Self, OpenError> {
        files::make_dir(dir, DATABASE_FILE).map_err(|source| OpenError::Files {
            attempt: "make the data directory",
            path: dir.to_owned(),
            source,
        })?;
        let lock = DirLock::take(dir)?;
        let database = Database::open(dir).await?;
        Ok(Self { database, dir: dir.to_owned(), _lock: lock })
    }

    /// Opens the journal of this directory. It has a lock of its own, so that it cannot be written
    /// by two even inside one process, and it may outlive the store. Blocks.
    pub fn open_journal(&self) -> Result<Opened, JournalError> {
        Journal::open(&self.dir)
    }

    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Ends reading and writing in order. Without it nothing acknowledged is lost; the next opening
    /// only takes a little longer.
    pub async fn close(self) {
        self.database.close().await;
    }
}
