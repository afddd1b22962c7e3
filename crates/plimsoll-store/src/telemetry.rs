//! Readings: taken in batches, given back in the order of time or as curves, forgotten when they
//! are old.

use std::collections::HashMap;

use futures_util::TryStreamExt;
use plimsoll_model::{
    InstanceName, Metric, Reading, Sample, Series, ServiceName, Timestamp, Version,
};
use sqlx::{QueryBuilder, Row, Sqlite};

use crate::database::{KnownSeries, SeriesKey, Writing, read_error};
use crate::error::{ReadError, WriteError};
use crate::outlines::{self, Arrival};
use crate::store::Store;

/// Samples of one statement. SQLite takes 32766 values a statement, and gains little beyond a few
/// hundred rows.
const ROWS_OF_STATEMENT: usize = 256;

/// The unit that samples are stored in, and that a replay sorts at once: 60 thousand rows at 1000
/// samples a second. Longer ones make the pages that a batch touches more, shorter ones the seeks
/// that a curve takes.
const MINUTE_MILLIS: i64 = 60_000;

const DAY_MILLIS: i64 = 86_400_000;

/// Minutes that one transaction of [`Store::forget_before`] removes: appends wait for it.
const FORGET_MINUTES_OF_TRANSACTION: i64 = 10;

/// Samples that [`Store::series`] gives at most, over all instances: a day of 11 instances at 5 s.
pub const SERIES_SAMPLES_MAX: usize = 200_000;

/// The curve of one version of one instance.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredSeries {
    pub instance: InstanceName,
    pub version: Option<Version>,
    pub series: Series,
}

/// What one reading takes on the disk, measured.
const READING_BYTES: u64 = 20;

/// What a replay gave.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Replayed {
    pub readings: u64,
    /// Samples of metrics that this version does not know: a newer one wrote them.
    pub unknown: u64,
}

impl Store {
    /// Keeps a batch, all of it or nothing. It is durable when this returns, for one `fsync` a
    /// batch, so batches should be what an agent sends at once and not single readings. A reading
    /// with the same service, instance, metric, version and time as one before replaces it, so a
    /// batch may be sent again after an error or a crash. Gives its place in the order of arrivals.
    pub async fn append(&self, readings: &[Reading]) -> Result<Arrival, WriteError> {
        if let Some(index) = readings.iter().position(|reading| !reading.value.is_finite()) {
            return Err(WriteError::NotFinite { index });
        }
        if readings.is_empty() {
            return Ok(Arrival::default());
        }
        let mut writing = self.database.begin().await?;
        let mut samples = Vec::with_capacity(readings.len());
        for reading in readings {
            let sample = Sample { at: reading.at, value: reading.value };
            samples.push((series_id(&mut writing, reading).await?, sample));
        }
        for chunk in samples.chunks(ROWS_OF_STATEMENT) {
            write_samples(&mut writing, chunk).await?;
        }
        let arrival = outlines::note_samples(&mut writing, &samples).await?;
        writing.commit().await?;
        Ok(arrival)
    }

    /// Gives every reading from `since` on to `sink`, in the order of time; of one moment the start
    /// times and the restarts first, because a history tells lives apart by them. Memory is that of
    /// one window of a minute. What is appended meanwhile may or may not be among it.
    pub async fn replay(
        &self,
        since: Timestamp,
        sink: impl FnMut(Reading),
    ) -> Result<Replayed, ReadError> {
        self.replay_thinned(since, |_| true, sink).await
    }

    /// The same of those stored minutes only that `wanted` takes, asked in order of time. A minute
    /// that is left out costs one look-up, whatever it holds.
    pub async fn replay_thinned(
        &self,
        since: Timestamp,
        mut wanted: impl FnMut(Timestamp) -> bool,
        mut sink: impl FnMut(Reading),
    ) -> Result<Replayed, ReadError> {
        let names = self.series_names().await?;
        let mut replayed = Replayed::default();
        let mut next = minute_of(since);
        while let Some(minute) = self.first_minute_from(next).await? {
            next = minute + 1;
            if !wanted(Timestamp::from_secs(minute.saturating_mul(60))) {
                continue;
            }
            let mut rows = sqlx::query(
                "SELECT series, at, value FROM samples WHERE minute = ?1 AND at >= ?2 \
                 ORDER BY at, series NOT IN \
                 (SELECT id FROM series \
                 WHERE metric IN ('process.start_time', 'container.restarts')), series",
            )
            .bind(minute)
            .bind(since.as_millis())
            .fetch(self.database.readers());
            while let Some(row) = rows.try_next().await.map_err(read_error)? {
                let series: i64 = row.try_get(0).map_err(read_error)?;
                let sample = sample_of(&row, 1)?;
                match names.get(&series) {
                    Some(Some(key)) => {
                        replayed.readings += 1;
                        sink(reading_of(key, sample));
                    }
                    Some(None) => replayed.unknown += 1,
                    // It began after the names were read: whoever appended it knows it.
                    None => {}
                }
            }
        }
        Ok(replayed)
    }

    /// How many readings are kept, roughly, from the size of the database: counting them would read
    /// all of it.
    pub async fn readings_about(&self) -> Result<u64, ReadError> {
        let bytes: i64 = sqlx::query_scalar(
            "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()",
        )
        .fetch_one(self.database.readers())
        .await
        .map_err(read_error)?;
        Ok(u64::try_from(bytes).unwrap_or(0) / READING_BYTES)
    }

    /// The curves of one metric of one service with `from <= at < to`, in order of instance and
    /// version. More than [`SERIES_SAMPLES_MAX`] samples are an error, never a curve with a hole.
    pub async fn series(
        &self,
        service: &ServiceName,
        metric: Metric,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<StoredSeries>, ReadError> {
        let mut rows = sqlx::query(
            // Steps from one stored minute to the next, so that neither a gap nor one sample of a
            // clock that was years off costs a step a minute.
            "WITH RECURSIVE minutes(minute) AS ( \
                 SELECT min(minute) FROM samples WHERE minute >= ?5 UNION ALL \
                 SELECT (SELECT min(p.minute) FROM samples p WHERE p.minute > m.minute) \
                 FROM minutes m WHERE m.minute < ?6) \
             SELECT s.id, s.instance, s.version, p.at, p.value FROM minutes m \
             CROSS JOIN series s CROSS JOIN samples p \
             ON p.minute = m.minute AND p.series = s.id AND p.at >= ?3 AND p.at < ?4 \
             WHERE s.service = ?1 AND s.metric = ?2 \
             ORDER BY s.instance, s.version, p.at LIMIT ?7",
        )
        .bind(service.as_str())
        .bind(metric.name())
        .bind(from.as_millis())
        .bind(to.as_millis())
        .bind(minute_of(from))
        .bind(minute_of(to))
        .bind(SERIES_SAMPLES_MAX as i64 + 1)
        .fetch(self.database.readers());
        let mut curves: Vec<(i64, InstanceName, Option<Version>, Vec<Sample>)> = Vec::new();
        let mut samples = 0;
        while let Some(row) = rows.try_next().await.map_err(read_error)? {
            samples += 1;
            if samples > SERIES_SAMPLES_MAX {
                return Err(ReadError::TooMany { max: SERIES_SAMPLES_MAX });
            }
            let id: i64 = row.try_get(0).map_err(read_error)?;
            if curves.last().is_none_or(|(last, ..)| *last != id) {
                let (instance, version) = replica_of(&row, id, 1)?;
                curves.push((id, instance, version, Vec::new()));
            }
            let sample = sample_of(&row, 3)?;
            curves.iter_mut().next_back().into_iter().for_each(|curve| curve.3.push(sample));
        }
        let curves = curves.into_iter();
        Ok(curves
            .map(|(_, instance, version, samples)| StoredSeries {
                instance,
                version,
                series: Series::from_unsorted(samples),
            })
            .collect())
    }

    /// Forgets samples and changes before a moment, and says how many samples. Works in several
    /// transactions, so that appends are not held up for long.
    pub async fn forget_before(&self, moment: Timestamp) -> Result<u64, WriteError> {
        let mut forgotten = 0;
        loop {
            let mut writing = self.database.begin().await?;
            let (samples, more) = forget_some(&mut writing, moment).await?;
            if !more {
                forget_rest(&mut writing, moment).await?;
            }
            writing.commit().await?;
            forgotten += samples;
            if !more {
                return Ok(forgotten);
            }
        }
    }

    async fn first_minute_from(&self, minute: i64) -> Result<Option<i64>, ReadError> {
        let row = sqlx::query("SELECT min(minute) FROM samples WHERE minute >= ?1")
            .bind(minute)
            .fetch_one(self.database.readers())
            .await
            .map_err(read_error)?;
        row.try_get(0).map_err(read_error)
    }

    /// The name of every series; none for a metric that this version does not know.
    pub(crate) async fn series_names(&self) -> Result<HashMap<i64, Option<SeriesKey>>, ReadError> {
        let mut rows = sqlx::query("SELECT id, service, metric, instance, version FROM series")
            .fetch(self.database.readers());
        let mut names = HashMap::new();
        while let Some(row) = rows.try_next().await.map_err(read_error)? {
            let id: i64 = row.try_get(0).map_err(read_error)?;
            let service: &str = row.try_get(1).map_err(read_error)?;
            let metric: &str = row.try_get(2).map_err(read_error)?;
            let service =
                ServiceName::new(service).map_err(|source| ReadError::Name { id, source })?;
            let (instance, version) = replica_of(&row, id, 3)?;
            let key = |metric| (service, metric, instance, version);
            names.insert(id, metric.parse::<Metric>().ok().map(key));
        }
        Ok(names)
    }
}

async fn write_samples(
    writing: &mut Writing<'_>,
    rows: &[(i64, Sample)],
) -> Result<(), WriteError> {
    let is_full = rows.len() == ROWS_OF_STATEMENT;
    let mut statement: QueryBuilder<Sqlite> =
        QueryBuilder::new("INSERT INTO samples (minute, series, at, value) ");
    statement.push_values(rows, |mut row, (series, sample)| {
        row.push_bind(minute_of(sample.at)).push_bind(*series);
        row.push_bind(sample.at.as_millis()).push_bind(sample.value);
    });
    statement.push(" ON CONFLICT DO UPDATE SET value = excluded.value");
    // Only the full size is kept prepared: each rest would be a statement of its own.
    let written = statement.build().persistent(is_full).execute(&mut writing.connection).await;
    written.map_err(|source| writing.error(source))?;
    Ok(())
}

async fn series_id(writing: &mut Writing<'_>, reading: &Reading) -> Result<i64, WriteError> {
    let Reading { service, metric, instance, version, at, value: _ } = reading;
    let key = (service.clone(), *metric, instance.clone(), version.clone());
    let day = at.as_millis().div_euclid(DAY_MILLIS);
    if let Some(known) = writing.known_series(&key)
        && known.last_day >= day
    {
        return Ok(known.id);
    }
    let found = sqlx::query(
        "INSERT INTO series (service, metric, instance, version, last_day) \
         VALUES (?1, ?2, ?3, ?4, ?5) \
         ON CONFLICT DO UPDATE SET last_day = max(last_day, excluded.last_day) \
         RETURNING id, last_day",
    )
    .bind(service.as_str())
    .bind(metric.name())
    .bind(instance.as_str())
    .bind(version.as_ref().map_or("", Version::as_str))
    .bind(day)
    .fetch_one(&mut writing.connection)
    .await
    .and_then(|row| Ok(KnownSeries { id: row.try_get(0)?, last_day: row.try_get(1)? }));
    let known = found.map_err(|source| writing.error(source))?;
    writing.remember_series(key, known);
    Ok(known.id)
}

/// Removes the oldest few minutes. Says how many samples went, and whether there are more to go.
async fn forget_some(
    writing: &mut Writing<'_>,
    moment: Timestamp,
) -> Result<(u64, bool), WriteError> {
    let done = sqlx::query(
        "DELETE FROM samples WHERE at < ?1 AND minute < ?2 + \
         (SELECT min(minute) FROM samples)",
    )
    .bind(moment.as_millis())
    .bind(FORGET_MINUTES_OF_TRANSACTION)
    .execute(&mut writing.connection)
    .await;
    let forgotten = done.map_err(|source| writing.error(source))?.rows_affected();
    Ok((forgotten, forgotten > 0))
}

/// Removes the series that ended on a day before, all of whose samples are gone, the changes, and
/// the outlines of services that were silent since.
async fn forget_rest(writing: &mut Writing<'_>, moment: Timestamp) -> Result<(), WriteError> {
    writing.forget_series();
    let done = sqlx::query("DELETE FROM series WHERE last_day < ?1")
        .bind(moment.as_millis().div_euclid(DAY_MILLIS))
        .execute(&mut writing.connection)
        .await;
    done.map_err(|source| writing.error(source))?;
    let done = sqlx::query("DELETE FROM changes WHERE at < ?1")
        .bind(moment.as_millis())
        .execute(&mut writing.connection)
        .await;
    done.map_err(|source| writing.error(source))?;
    let done = sqlx::query("DELETE FROM outlines WHERE newest_at < ?1")
        .bind(moment.as_millis())
        .execute(&mut writing.connection)
        .await;
    done.map_err(|source| writing.error(source))?;
    Ok(())
}

const fn minute_of(at: Timestamp) -> i64 {
    at.as_millis().div_euclid(MINUTE_MILLIS)
}

pub(crate) fn reading_of(key: &SeriesKey, sample: Sample) -> Reading {
    let (service, metric, instance, version) = key.clone();
    Reading { at: sample.at, service, version, instance, metric, value: sample.value }
}

/// The time and the value in two columns that follow each other.
fn sample_of(row: &sqlx::sqlite::SqliteRow, column: usize) -> Result<Sample, ReadError> {
    let at: i64 = row.try_get(column).map_err(read_error)?;
    let value: f64 = row.try_get(column + 1).map_err(read_error)?;
    Ok(Sample { at: Timestamp::from_millis(at), value })
}

/// The instance and the version in two columns that follow each other.
fn replica_of(
    row: &sqlx::sqlite::SqliteRow,
    id: i64,
    column: usize,
) -> Result<(InstanceName, Option<Version>), ReadError> {
    let instance: &str = row.try_get(column).map_err(read_error)?;
    let version: &str = row.try_get(column + 1).map_err(read_error)?;
    let named = |source| ReadError::Name { id, source };
    let instance = InstanceName::new(instance).map_err(named)?;
    let version = match version {
        "" => None,
        version => Some(Version::new(version).map_err(named)?),
    };
    Ok((instance, version))
}
