//! Changes: deploys, restarts and the other events that explain a curve.

use plimsoll_model::{Change, Timestamp};
use plimsoll_wire::digest::digest_of;
use plimsoll_wire::event::ChangeShape;

use crate::database::{read_error, record_in};
use crate::error::{ReadError, WriteError};
use crate::outlines::{self, Arrival};
use crate::store::Store;

/// Changes that are read back at most: a fleet of 1000 services with 50 deploys and restarts each.
/// The newest ones, and lines of logs, of which there may be many, only where there is room.
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
        self.dearest_changes(since, CHANGES_MAX).await
    }

    async fn dearest_changes(&self, since: Timestamp, max: i64) -> Result<Vec<Change>, ReadError> {
        let rows = sqlx::query(
            "SELECT digest, record FROM (SELECT digest, at, record FROM changes WHERE at >= ?1 \
             ORDER BY json_extract(record, '$.kind') = 'log', at DESC, digest LIMIT ?2) \
             ORDER BY at, digest DESC",
        )
        .bind(since.as_millis())
        .bind(max)
        .fetch_all(self.database.readers())
        .await
        .map_err(read_error)?;
        rows.iter().map(record_in::<ChangeShape, _>).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use plimsoll_model::{ChangeKind, ServiceName};

    use super::*;

    #[tokio::test]
    async fn lines_of_logs_keep_out_no_deploy_that_came_before_them() {
        let home = tempfile::tempdir().unwrap();
        let store = Store::open(home.path()).await.unwrap();
        let change = |at, kind| Change {
            at: Timestamp::from_secs(at),
            kind,
            service: ServiceName::new("orders").unwrap(),
            instance: None,
            version: None,
            attributes: BTreeMap::new(),
        };
        let (deploy, log) = (ChangeKind::Deploy, ChangeKind::Log);
        let told = [(1, deploy), (2, deploy), (3, log), (4, log), (5, deploy), (6, log)];
        let told = told.map(|(at, kind)| change(at, kind));
        store.append_changes(&told).await.unwrap();
        let read = async |max| {
            let changes = store.dearest_changes(Timestamp::from_secs(2), max).await.unwrap();
            changes.iter().map(|change| change.at.as_millis() / 1000).collect::<Vec<_>>()
        };
        assert_eq!(read(9).await, [2, 3, 4, 5, 6]);
        assert_eq!(read(3).await, [2, 5, 6]);
        assert_eq!(read(1).await, [5]);
    }
}
