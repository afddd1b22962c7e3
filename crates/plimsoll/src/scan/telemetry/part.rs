//! The samples of one service become its history: instance by instance, in order of time.
//!
//! Whatever order they came in, the history is the same. Used by whoever judges.

use std::cmp::Ordering;

use plimsoll_model::{
    Change, Life, Metric, Reading, Series, SeriesLimit, ServiceHistory, Timestamp,
};

use super::{Row, ServiceRows, Speaker};

/// The samples of one service with its changes, not yet in order.
#[derive(Debug)]
pub(crate) struct Part {
    pub(super) rows: ServiceRows,
    pub(super) changes: Vec<Change>,
}

/// One service, ready to be assessed.
#[derive(Debug)]
pub(crate) struct Gathered {
    pub(crate) history: ServiceHistory,
    /// Metrics of instances, whichever version ran.
    pub(crate) series: u64,
    pub(crate) samples: u64,
    /// The oldest and the newest row.
    pub(crate) span: Option<(Timestamp, Timestamp)>,
}

impl Part {
    /// The history up to a moment. One instance at a time, so that its life is always the last one
    /// and found at once.
    pub(crate) fn gather(mut self, limit: SeriesLimit, until: Option<Timestamp>) -> Gathered {
        if let Some(until) = until {
            self.rows.rows.retain(|row| row.at <= until);
        }
        let counts = self.rows.sort_speakers();
        let ServiceRows { service, speakers, rows, .. } = self.rows;
        let mut rows = grouped(rows, &speakers, &counts);
        let mut history = ServiceHistory::new(service);
        // Before the samples: a restart tells the life before it from the one after it.
        self.changes.into_iter().for_each(|change| history.change(change));
        let mut gathered = Gathered { history, series: 0, samples: 0, span: None };
        let mut lives = Vec::new();
        let mut rest = rows.as_mut_slice();
        for count in counts {
            let (own, others) = rest.split_at_mut(count);
            rest = others;
            gathered.feed(own, &speakers, limit);
            lives.append(&mut gathered.history.lives);
        }
        gathered.history.lives = lives;
        gathered.finish();
        gathered
    }
}

/// The rows of one instance behind those of another, each in the order in which they came: mostly
/// that of time, which is then seen in one look.
fn grouped(rows: Vec<Row>, speakers: &[Speaker], counts: &[usize]) -> Vec<Row> {
    if counts.len() <= 1 {
        return rows;
    }
    let mut next = Vec::with_capacity(speakers.len());
    let mut begin = 0;
    let same = speakers.chunk_by(|one, other| one.instance == other.instance);
    let mut places = Vec::with_capacity(counts.len());
    for (instance, (speakers, count)) in same.zip(counts).enumerate() {
        next.extend(std::iter::repeat_n(instance, speakers.len()));
        places.push(begin);
        begin += count;
    }
    let mut grouped = rows.clone();
    for row in rows {
        let instance = next.get(row.speaker as usize).copied().unwrap_or_default();
        if let Some(place) = places.get_mut(instance) {
            if let Some(slot) = grouped.get_mut(*place) {
                *slot = row;
            }
            *place += 1;
        }
    }
    grouped
}

/// Rows that may come in any order among themselves are equal.
fn in_time(one: &Row, other: &Row) -> Ordering {
    let key = |row: &Row| (row.at, row.metric.rank(), row.speaker);
    key(one).cmp(&key(other))
}

/// Of repeats the lowest is the last, which is the one that counts.
fn within_a_moment(one: &Row, other: &Row) -> Ordering {
    one.metric.cmp(&other.metric).then(other.value.total_cmp(&one.value))
}

impl Gathered {
    /// Takes in the rows of one instance.
    fn feed(&mut self, rows: &mut [Row], speakers: &[Speaker], limit: SeriesLimit) {
        rows.sort_by(in_time);
        for same in rows.chunk_by_mut(|one, other| in_time(one, other).is_eq()) {
            same.sort_unstable_by(within_a_moment);
        }
        let (Some(first), Some(last)) = (rows.first(), rows.last()) else { return };
        let (from, to) = self.span.unwrap_or((first.at, last.at));
        self.span = Some((from.min(first.at), to.max(last.at)));
        let mut seen = vec![false; Metric::ALL.len()];
        for same in rows.chunk_by(|one, other| one.speaker == other.speaker) {
            let speaker = same.first().and_then(|row| speakers.get(row.speaker as usize));
            let Some(Speaker { instance, version }) = speaker else { continue };
            let mut reading = Reading {
                at: first.at,
                service: self.history.service.clone(),
                version: version.clone(),
                instance: instance.clone(),
                metric: first.metric,
                value: first.value,
            };
            for row in same {
                (reading.at, reading.metric, reading.value) = (row.at, row.metric, row.value);
                self.history.record(&reading, limit);
                if let Some(seen) = seen.get_mut(row.metric as usize) {
                    *seen = true;
                }
            }
        }
        self.series += seen.iter().filter(|seen| **seen).count() as u64;
    }

    /// Takes in other instances of the same service.
    pub(crate) fn absorb(&mut self, other: Self) {
        self.series += other.series;
        self.history.lives.extend(other.history.lives);
        self.span = match (self.span, other.span) {
            (Some((from, to)), Some((begin, end))) => Some((from.min(begin), to.max(end))),
            (one, other) => one.or(other),
        };
        self.finish();
    }

    fn finish(&mut self) {
        let lives = &mut self.history.lives;
        lives.sort_by(|one, other| {
            first_seen(one).cmp(&first_seen(other)).then_with(|| one.instance.cmp(&other.instance))
        });
        let all = lives.iter().flat_map(|life| life.series.values());
        self.samples = all.map(|series| series.outline().samples()).sum();
    }
}

fn first_seen(life: &Life) -> Option<Timestamp> {
    let first = |series: &Series| series.outline().first().map(|sample| sample.at);
    life.series.values().filter_map(first).min()
}
