//! Standing alerts: a restarted server neither raises nor ends one because it was restarted.

use plimsoll_model::{Alert, ServiceName};
use plimsoll_wire::alert::AlertRecord;
use plimsoll_wire::canonical;

use crate::database::{read_error, record_in};
use crate::error::{ReadError, WriteError};
use crate::store::Store;

impl Store {
    /// Replaces the alert about a service, or ends it; durable when this returns.
    pub async fn save_alert(
        &self,
        service: &ServiceName,
        alert: Option<&Alert>,
    ) -> Result<(), WriteError> {
        let mut writing = self.database.begin().await?;
        let record = alert.map(|alert| canonical::text_of(&AlertRecord::from(alert)));
        let written = match record {
            Some(record) => sqlx::query(
                "INSERT INTO alerts (service, record) VALUES (?1, ?2) \
                 ON CONFLICT DO UPDATE SET record = excluded.record",
            )
            .bind(service.as_str())
            .bind(record),
            None => sqlx::query("DELETE FROM alerts WHERE service = ?1").bind(service.as_str()),
        }
        .execute(&mut writing.connection)
        .await;
        written.map_err(|source| writing.error(source))?;
        writing.commit().await
    }

    /// The standing alerts, in order of service.
    pub async fn alerts(&self) -> Result<Vec<Alert>, ReadError> {
        let rows = sqlx::query("SELECT service, record FROM alerts ORDER BY service")
            .fetch_all(self.database.readers())
            .await
            .map_err(read_error)?;
        rows.iter().map(record_in::<AlertRecord, _>).collect()
    }
}
