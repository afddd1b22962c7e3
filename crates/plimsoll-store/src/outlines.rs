//! Outlines, and what arrived since they were kept: enough to go on after a kill with the very
//! pictures that there were before it.
//!
//! Every batch is written twice in one transaction: as samples, for curves, and packed as it came,
//! 11 bytes a sample, to be taken in again in the same order. Keeping the outlines of a service
//! removes the arrivals that all outlines have in them. Not here: when that is worth it.

use futures_util::TryStreamExt;
use plimsoll_model::{Change, Reading, Sample, ServiceHistory, ServiceName, Timestamp};
use plimsoll_wire::event::ChangeShape;
use plimsoll_wire::outlines::OutlinesError;
use plimsoll_wire::{arrivals, canonical, outlines};
use sqlx::Row;

use crate::database::{Writing, read_error};
use crate::error::{ReadError, WriteError};
use crate::store::Store;
use crate::telemetry::reading_of;

const SAMPLES: &str = "samples";
const CHANGES: &str = "changes";

/// Which arrival: a later one has a higher number. The default is before all of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Arrival(i64);

/// What arrived at once.
#[derive(Clone, Debug, PartialEq)]
pub enum Arrived {
    Readings(Vec<Reading>),
    Changes(Vec<Change>),
}

/// The outlines of a service, ready to be kept.
#[derive(Clone, Debug)]
pub struct PackedOutlines {
    pub service: ServiceName,
    /// When the service was last heard of.
    pub newest_at: Timestamp,
    pub record: Vec<u8>,
}

impl PackedOutlines {
    pub fn of(history: &ServiceHistory) -> Self {
        let newest_at = history.last_seen().unwrap_or_default();
        Self { service: history.service.clone(), newest_at, record: outlines::pack(history) }
    }
}

/// The outlines of a service as they were kept.
#[derive(Debug)]
pub struct KeptOutlines {
    pub service: ServiceName,
    /// All arrivals up to this one are in them.
    pub covered: Arrival,
    /// Without its changes; or why it cannot be read.
    pub history: Result<ServiceHistory, OutlinesError>,
}

impl Arrival {
    /// The one before it.
    #[must_use]
    pub const fn before(self) -> Self {
        Self(self.0.saturating_sub(1))
    }

    /// How many there were from `first` to this one, both counted.
    pub const fn count_from(self, first: Self) -> u64 {
        (self.0.saturating_sub(first.0).saturating_add(1)).cast_unsigned()
    }
}

impl Store {
    /// Replaces the outlines of some services, all of them or none, durable when this returns.
    /// They hold every arrival up to `covered`. Arrivals up to `needless` are forgotten: they are
    /// in the kept outlines of every service.
    pub async fn keep_outlines(
        &self,
        packed: &[PackedOutlines],
        covered: Arrival,
        needless: Arrival,
    ) -> Result<(), WriteError> {
        let mut writing = self.database.begin().await?;
        for one in packed {
            let written = sqlx::query(
                "INSERT INTO outlines (service, covered, newest_at, record) \
                 VALUES (?1, ?2, ?3, ?4) \
                 ON CONFLICT DO UPDATE SET covered = excluded.covered, \
                 newest_at = excluded.newest_at, record = excluded.record",
            )
            .bind(one.service.as_str())
            .bind(covered.0)
            .bind(one.newest_at.as_millis())
            .bind(one.record.as_slice())
            .execute(&mut writing.connection)
            .await;
            written.map_err(|source| writing.error(source))?;
        }
        let done = sqlx::query("DELETE FROM arrivals WHERE number <= ?1")
            .bind(needless.0)
            .execute(&mut writing.connection)
            .await;
        done.map_err(|source| writing.error(source))?;
        writing.commit().await
    }

    /// The outlines of the `max` services that were heard of last, the last one first.
    pub async fn outlines(&self, max: usize) -> Result<Vec<KeptOutlines>, ReadError> {
        let mut rows = sqlx::query(
            "SELECT service, covered, record FROM outlines \
             ORDER BY newest_at DESC, service LIMIT ?1",
        )
        .bind(i64::try_from(max).unwrap_or(i64::MAX))
        .fetch(self.database.readers());
        let mut kept = Vec::new();
        while let Some(row) = rows.try_next().await.map_err(read_error)? {
            let name: &str = row.try_get(0).map_err(read_error)?;
            let service = ServiceName::new(name)
                .map_err(|source| ReadError::Service { text: name.to_owned(), source })?;
            let covered = Arrival(row.try_get(1).map_err(read_error)?);
            let record: &[u8] = row.try_get(2).map_err(read_error)?;
            let history = outlines::unpack(service.clone(), record);
            kept.push(KeptOutlines { service, covered, history });
        }
        Ok(kept)
    }

    /// The services whose outlines are kept beside those of the `max` that were heard of last, with
    /// the newest arrival in them.
    pub async fn outlines_beyond(
        &self,
        max: usize,
    ) -> Result<Vec<(ServiceName, Arrival)>, ReadError> {
        let rows: Vec<(String, i64)> = sqlx::query_as(
            "SELECT service, covered FROM outlines \
             ORDER BY newest_at DESC, service LIMIT -1 OFFSET ?1",
        )
        .bind(i64::try_from(max).unwrap_or(i64::MAX))
        .fetch_all(self.database.readers())
        .await
        .map_err(read_error)?;
        let named = |(text, covered): (String, i64)| match ServiceName::new(&text) {
            Ok(service) => Ok((service, Arrival(covered))),
            Err(source) => Err(ReadError::Service { text, source }),
        };
        rows.into_iter().map(named).collect()
    }

    /// Gives everything that arrived and is still kept as such to `sink`, in order, or why it cannot
    /// be understood.
    pub async fn arrivals(
        &self,
        mut sink: impl FnMut(Arrival, Result<Arrived, ReadError>),
    ) -> Result<(), ReadError> {
        let names = self.series_names().await?;
        let mut rows = sqlx::query("SELECT number, kind, record FROM arrivals ORDER BY number")
            .fetch(self.database.readers());
        while let Some(row) = rows.try_next().await.map_err(read_error)? {
            let number: i64 = row.try_get(0).map_err(read_error)?;
            let kind: &str = row.try_get(1).map_err(read_error)?;
            let record: &[u8] = row.try_get(2).map_err(read_error)?;
            if kind == CHANGES {
                sink(Arrival(number), changes_of(number, record).map(Arrived::Changes));
                continue;
            }
            let samples = match arrivals::unpack(record) {
                Ok(samples) => samples,
                Err(source) => {
                    sink(Arrival(number), Err(ReadError::Arrival { number, source }));
                    continue;
                }
            };
            let named = samples.into_iter().filter_map(|(series, sample)| {
                // None for a metric that this version does not know.
                let key = names.get(&series)?.as_ref()?;
                Some(reading_of(key, sample))
            });
            sink(Arrival(number), Ok(Arrived::Readings(named.collect())));
        }
        Ok(())
    }

    /// The newest arrival that there ever was.
    pub async fn newest_arrival(&self) -> Result<Arrival, ReadError> {
        let number: Option<i64> =
            sqlx::query_scalar("SELECT seq FROM sqlite_sequence WHERE name = 'arrivals'")
                .fetch_optional(self.database.readers())
                .await
                .map_err(read_error)?;
        Ok(Arrival(number.unwrap_or_default()))
    }
}

/// Notes samples as they came, with the numbers of their series.
pub(crate) async fn note_samples(
    writing: &mut Writing<'_>,
    samples: &[(i64, Sample)],
) -> Result<Arrival, WriteError> {
    note(writing, SAMPLES, &arrivals::pack(samples)).await
}

/// Notes changes as they came.
pub(crate) async fn note_changes(
    writing: &mut Writing<'_>,
    changes: &[ChangeShape],
) -> Result<Arrival, WriteError> {
    note(writing, CHANGES, canonical::text_of(&changes).as_bytes()).await
}

async fn note(writing: &mut Writing<'_>, kind: &str, record: &[u8]) -> Result<Arrival, WriteError> {
    let number =
        sqlx::query_scalar("INSERT INTO arrivals (kind, record) VALUES (?1, ?2) RETURNING number")
            .bind(kind)
            .bind(record)
            .fetch_one(&mut writing.connection)
            .await;
    number.map(Arrival).map_err(|source| writing.error(source))
}

fn changes_of(number: i64, record: &[u8]) -> Result<Vec<Change>, ReadError> {
    let id = || format!("arrival {number}");
    let shapes: Vec<ChangeShape> =
        serde_json::from_slice(record).map_err(|source| ReadError::Json { id: id(), source })?;
    let changes = shapes.into_iter().map(Change::try_from).collect::<Result<_, _>>();
    changes.map_err(|source| ReadError::Record { id: id(), source })
}
