//! Changes: deploys, restarts and the other events that explain a curve.

use plimsoll_model::{Change, Timestamp};
use plimsoll_wire::digest::digest_of;
use plimsoll_wire::event::ChangeShape;

use crate::database::{read_error, record_in};
use crate::error::{ReadError, WriteError};
use crate::outlines::{self, Arrival};
use crate::store::Store;

/// Changes that are read back at most, the newest ones: a fleet of 1000 services with 50 deploys
/// and restarts each.
const CHANGES_MAX: i64 = 50_000;

impl Store {
    /// Keeps changes, all or nothing, durable when this returns. The same change twice is one.
    /// Gives their place in the order of arrivals.
    pub async fn append_changes(&self, changes: &[Change]) -> Result<Arrival, WriteError> {
        if changes.is_empty() {
            return Ok(Arrival::default());
        }
        let mut writing = self.database.begin().await?;
        let shapes: Vec<_> = changes.iter().map(ChangeShape::from).collect();
        for (change, shape) in changes.iter().zip(&shapes) {
            let record = plimsoll_wire::canonical::text_of(shape);
            let written = sqlx::query(
                "INSERT INTO changes (digest, at, record) VALUES (?1, ?2, ?3) \
                 ON CONFLICT DO NOTHING",
            )
            .bind(digest_of(shape).to_string())
            .bind(change.at.as_millis())
            .bind(record)
            .execute(&mut writing.connection)
            .await;
            written.map_err(|source| writing.error(source))?;
        }
        let arrival = outlines::note_changes(&mut writing, &shapes).await?;
        writing.commit().await?;
        Ok(arrival)
    }

    /// The changes at or after a moment, oldest first.
    pub async fn changes_since(&self, since: Timestamp) -> Result<Vec<Change>, ReadError> {
        let rows = sqlx::query(
            "SELECT digest, record FROM changes WHERE at >= ?1 ORDER BY at DESC, digest LIMIT ?2",
        )
        .bind(since.as_millis())
        .bind(CHANGES_MAX)
        .fetch_all(self.database.readers())
        .await
        .map_err(read_error)?;
        rows.iter().rev().map(record_in::<ChangeShape, _>).collect()
    }
}
