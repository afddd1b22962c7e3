//! Why the store could not be opened, written or read. Errors of the journal are its own.

use std::path::PathBuf;

use plimsoll_wire::ShapeError;

/// Why a data directory could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error(
        "the data directory `{}` is in use by {holder}; stop that server, or choose another \
         directory", dir.display()
    )]
    Locked { dir: PathBuf, holder: String },
    #[error("could not {attempt} `{}`", path.display())]
    Files { attempt: &'static str, path: PathBuf, source: std::io::Error },
    #[error(
        "`{}` is damaged or is not a database of plimsoll; move it away to begin a new one (the \
         journal beside it is not affected)", path.display()
    )]
    Corrupt { path: PathBuf, source: sqlx::Error },
    #[error("the disk of `{}` is full; make space and start again", path.display())]
    DiskFull { path: PathBuf, source: sqlx::Error },
    #[error(
        "`{}` was written by a newer plimsoll (it has migration {migration}); use that version, or \
         another directory", path.display()
    )]
    Newer { path: PathBuf, migration: i64 },
    #[error("the tables of `{}` could not be brought up to date", path.display())]
    Migrate { path: PathBuf, source: sqlx::migrate::MigrateError },
    #[error("the database `{}` could not be opened", path.display())]
    Database { path: PathBuf, source: sqlx::Error },
}

/// Why something was not written. Nothing of it was.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    #[error(
        "the disk of the data directory is full; nothing was written, make space and send again"
    )]
    DiskFull(#[source] sqlx::Error),
    #[error("reading {index} of the batch has no finite value; nothing of the batch was written")]
    NotFinite { index: usize },
    #[error("the database of the data directory is damaged; nothing was written")]
    Corrupt(#[source] sqlx::Error),
    #[error("the database did not take what was written; nothing of it was")]
    Database(#[source] sqlx::Error),
}

/// Why something could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error("the database of the data directory is damaged")]
    Corrupt(#[source] sqlx::Error),
    #[error("the database could not be read")]
    Database(#[source] sqlx::Error),
    #[error("the record `{id}` is not JSON")]
    Json { id: String, source: serde_json::Error },
    #[error("the record `{id}` cannot be understood")]
    Record { id: String, source: ShapeError },
    #[error("series {id} has a name that is not one")]
    Name { id: i64, source: plimsoll_model::IdError },
    #[error("`{text}` does not name a service")]
    Service { text: String, source: plimsoll_model::IdError },
    #[error("what arrived as number {number} cannot be understood")]
    Arrival { number: i64, source: plimsoll_wire::arrivals::Damaged },
    #[error("there are more than {max} samples in this time; ask for a shorter one")]
    TooMany { max: usize },
}
