//! Incidents: the newest state of each, complete, so that a restarted server goes on where the last
//! one stopped.

use plimsoll_model::Incident;
use plimsoll_wire::canonical;
use plimsoll_wire::incident::IncidentRecord;

use crate::database::{read_error, record_in};
use crate::error::{ReadError, WriteError};
use crate::store::Store;

/// Closed incidents that are read back at most, the newest ones; open ones always are. All stay in
/// the database.
pub const INCIDENTS_MAX: usize = 1000;

impl Store {
    /// Replaces what is kept of an incident; durable when this returns.
    pub async fn save_incident(&self, incident: &Incident) -> Result<(), WriteError> {
        let record = canonical::text_of(&IncidentRecord::from(incident));
        let mut writing = self.database.begin().await?;
        let written = sqlx::query(
            "INSERT INTO incidents (id, opened_at, is_open, record) VALUES (?1, ?2, ?3, ?4) \
             ON CONFLICT DO UPDATE SET opened_at = excluded.opened_at, \
             is_open = excluded.is_open, record = excluded.record",
        )
        .bind(incident.id.as_str())
        .bind(incident.opened_at.as_millis())
        .bind(incident.is_open())
        .bind(record)
        .execute(&mut writing.connection)
        .await;
        written.map_err(|source| writing.error(source))?;
        writing.commit().await
    }

    /// The incidents, oldest first. One that cannot be understood is an error that names it: to go
    /// on without it would forget what was done to a service.
    pub async fn incidents(&self) -> Result<Vec<Incident>, ReadError> {
        let rows = sqlx::query(
            "SELECT id, record FROM incidents WHERE is_open OR id IN \
             (SELECT id FROM incidents WHERE NOT is_open ORDER BY opened_at DESC, id LIMIT ?1) \
             ORDER BY opened_at, id",
        )
        .bind(INCIDENTS_MAX as i64)
        .fetch_all(self.database.readers())
        .await
        .map_err(read_error)?;
        rows.iter().map(record_in::<IncidentRecord, _>).collect()
    }
}
