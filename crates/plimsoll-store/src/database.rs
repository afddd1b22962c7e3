//! The SQLite database: how it is opened and brought up to date, one writer at a time, several
//! readers beside it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use plimsoll_model::{InstanceName, Metric, ServiceName, Version};
use plimsoll_wire::ShapeError;
use serde::de::DeserializeOwned;
use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteRow, SqliteSynchronous,
};
use sqlx::{Connection, Row, SqlSafeStr, SqliteConnection, SqlitePool};
use tokio::sync::{Mutex, MutexGuard};

use crate::error::{OpenError, ReadError, WriteError};
use crate::files;

pub(crate) const DATABASE_FILE: &str = "plimsoll.db";

/// How long a statement waits for another connection's lock. Only a connection that is just being
/// closed can hold one, so this is generous.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// Connections that read at the same time: a page of the UI asks for a few curves at once.
const READERS_MAX: u32 = 4;

/// With less free space than this, an error of the disk is blamed on the space: the shared memory
/// file alone takes 32 KiB.
const FREE_BYTES_MIN: u64 = 65_536;

/// Series whose row number is remembered. A fleet of 1000 instances with 40 metrics fits; beyond it
/// the cache starts again, which costs one query a series.
const SERIES_CACHED_MAX: usize = 50_000;

/// What names a series.
pub(crate) type SeriesKey = (ServiceName, Metric, InstanceName, Option<Version>);

/// What is remembered of a series: its row, and the day of its newest sample as the row has it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KnownSeries {
    pub(crate) id: i64,
    pub(crate) last_day: i64,
}

/// The database of one data directory.
#[derive(Debug)]
pub(crate) struct Database {
    dir: PathBuf,
    options: SqliteConnectOptions,
    writer: Mutex<Writer>,
    readers: SqlitePool,
}

/// The connection that writes. It is taken out while it works and put back by a commit alone: after
/// any error, or when the caller goes away in the middle, the connection is closed, which rolls
/// back, and the next writer starts with a new one.
#[derive(Debug, Default)]
struct Writer {
    connection: Option<SqliteConnection>,
    series: HashMap<SeriesKey, KnownSeries>,
}

/// One transaction in hand. Dropped without a commit, it leaves nothing behind.
#[derive(Debug)]
pub(crate) struct Writing<'a> {
    dir: &'a Path,
    writer: MutexGuard<'a, Writer>,
    pub(crate) connection: SqliteConnection,
    new_series: HashMap<SeriesKey, KnownSeries>,
}

impl Database {
    pub(crate) async fn open(dir: &Path) -> Result<Self, OpenError> {
        let path = dir.join(DATABASE_FILE);
        // Made here and not by SQLite, which would make it for everybody to read; its other files
        // take the mode of this one.
        files::open_file(&path).map_err(|source| OpenError::Files {
            attempt: "open the database file",
            path: path.clone(),
            source,
        })?;
        let options = SqliteConnectOptions::new()
            .filename(&path)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(BUSY_TIMEOUT);
        let mut connection = SqliteConnection::connect_with(&options)
            .await
            .map_err(|source| open_error(dir, &path, source))?;
        migrate(dir, &path, &mut connection).await?;
        let readers = SqlitePoolOptions::new()
            .max_connections(READERS_MAX)
            .connect_lazy_with(options.clone().read_only(true));
        let writer = Writer { connection: Some(connection), series: HashMap::new() };
        Ok(Self { dir: dir.to_owned(), options, writer: Mutex::new(writer), readers })
    }

    pub(crate) async fn begin(&self) -> Result<Writing<'_>, WriteError> {
        let mut writer = self.writer.lock().await;
        let failed = |source| write_error(&self.dir, source);
        let mut connection = match writer.connection.take() {
            Some(connection) => connection,
            None => SqliteConnection::connect_with(&self.options).await.map_err(failed)?,
        };
        sqlx::query("BEGIN IMMEDIATE").execute(&mut connection).await.map_err(failed)?;
        Ok(Writing { dir: &self.dir, writer, connection, new_series: HashMap::new() })
    }

    pub(crate) fn readers(&self) -> &SqlitePool {
        &self.readers
    }

    /// Ends all reading and writing, and folds the write-ahead log into the database.
    pub(crate) async fn close(&self) {
        self.readers.close().await;
        let connection = self.writer.lock().await.connection.take();
        if let Some(connection) = connection
            && let Err(_unimportant) = connection.close().await
        {
            // Everything acknowledged is in the write-ahead log; the next opening folds it in.
        }
    }
}

impl Writing<'_> {
    pub(crate) fn known_series(&self, key: &SeriesKey) -> Option<KnownSeries> {
        self.new_series.get(key).or_else(|| self.writer.series.get(key)).copied()
    }

    /// Remembers a series, for good once this transaction is committed.
    pub(crate) fn remember_series(&mut self, key: SeriesKey, known: KnownSeries) {
        self.new_series.insert(key, known);
    }

    /// Forgets what is remembered, because rows are removed.
    pub(crate) fn forget_series(&mut self) {
        self.new_series.clear();
        self.writer.series.clear();
    }

    pub(crate) fn error(&self, source: sqlx::Error) -> WriteError {
        write_error(self.dir, source)
    }

    pub(crate) async fn commit(mut self) -> Result<(), WriteError> {
        let committed = sqlx::query("COMMIT").execute(&mut self.connection).await;
        committed.map_err(|source| write_error(self.dir, source))?;
        self.writer.connection = Some(self.connection);
        if self.writer.series.len() + self.new_series.len() > SERIES_CACHED_MAX {
            self.writer.series.clear();
        }
        self.writer.series.extend(self.new_series);
        Ok(())
    }
}

async fn migrate(
    dir: &Path,
    path: &Path,
    connection: &mut SqliteConnection,
) -> Result<(), OpenError> {
    let path = || path.to_owned();
    match migrations().run_direct(None, connection, false).await {
        Ok(()) => Ok(()),
        Err(MigrateError::VersionMissing(migration)) => {
            Err(OpenError::Newer { path: path(), migration })
        }
        Err(MigrateError::Execute(source) | MigrateError::ExecuteMigration(source, _)) => {
            Err(open_error(dir, &path(), source))
        }
        Err(source) => Err(OpenError::Migrate { path: path(), source }),
    }
}

/// Forward only, in order, never changed once released: `sqlx` keeps the digest of each in the
/// table `_sqlx_migrations`, and refuses a database with one that it does not know.
fn migrations() -> Migrator {
    const SCRIPTS: [(&str, &str); 3] = [
        ("first", include_str!("../migrations/0001_first.sql")),
        ("outlines", include_str!("../migrations/0002_outlines.sql")),
        ("alerts", include_str!("../migrations/0003_alerts.sql")),
    ];
    let migration = |(number, (name, script)): (i64, (&'static str, &'static str))| {
        let up = MigrationType::Simple;
        Migration::new(number, name.into(), up, script.into_sql_str(), false)
    };
    Migrator::with_migrations((1..).zip(SCRIPTS).map(migration).collect())
}

fn open_error(dir: &Path, path: &Path, source: sqlx::Error) -> OpenError {
    let path = path.to_owned();
    match Trouble::of(dir, &source) {
        Trouble::DiskFull => OpenError::DiskFull { path, source },
        Trouble::Corrupt => OpenError::Corrupt { path, source },
        Trouble::Other => OpenError::Database { path, source },
    }
}

fn write_error(dir: &Path, source: sqlx::Error) -> WriteError {
    match Trouble::of(dir, &source) {
        Trouble::DiskFull => WriteError::DiskFull(source),
        Trouble::Corrupt => WriteError::Corrupt(source),
        Trouble::Other => WriteError::Database(source),
    }
}

pub(crate) fn read_error(source: sqlx::Error) -> ReadError {
    match code_of(&source) {
        Some(code::CORRUPT | code::NOT_A_DATABASE) => ReadError::Corrupt(source),
        Some(_) | None => ReadError::Database(source),
    }
}

/// What a row of a name and a record holds.
pub(crate) fn record_in<S, T>(row: &SqliteRow) -> Result<T, ReadError>
where
    S: DeserializeOwned,
    T: TryFrom<S, Error = ShapeError>,
{
    let id = || row.try_get::<String, _>(0).map_err(read_error);
    let text: &str = row.try_get(1).map_err(read_error)?;
    match serde_json::from_str::<S>(text) {
        Err(source) => Err(ReadError::Json { id: id()?, source }),
        Ok(shape) => match T::try_from(shape) {
            Err(source) => Err(ReadError::Record { id: id()?, source }),
            Ok(held) => Ok(held),
        },
    }
}

/// Primary result codes: <https://www.sqlite.org/rescode.html>.
mod code {
    pub(super) const IO: u32 = 10;
    pub(super) const CORRUPT: u32 = 11;
    pub(super) const FULL: u32 = 13;
    pub(super) const CANNOT_OPEN: u32 = 14;
    pub(super) const NOT_A_DATABASE: u32 = 26;
}

enum Trouble {
    DiskFull,
    Corrupt,
    Other,
}

impl Trouble {
    /// SQLite says "full" of a write, but only "input/output error" or "cannot open" where it could
    /// not grow its shared memory or make its log, so there the disk itself is asked.
    fn of(dir: &Path, error: &sqlx::Error) -> Self {
        match code_of(error) {
            Some(code::FULL) => Self::DiskFull,
            Some(code::CORRUPT | code::NOT_A_DATABASE) => Self::Corrupt,
            Some(code::IO | code::CANNOT_OPEN)
                if files::free_bytes(dir).is_some_and(|free| free < FREE_BYTES_MIN) =>
            {
                Self::DiskFull
            }
            Some(_) | None => Self::Other,
        }
    }
}

/// The primary code is the low byte of the extended one that `sqlx` gives.
fn code_of(error: &sqlx::Error) -> Option<u32> {
    let extended: u32 = error.as_database_error()?.code()?.parse().ok()?;
    Some(extended & 0xff)
}
