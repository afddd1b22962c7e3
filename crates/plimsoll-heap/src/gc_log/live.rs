//! What is alive in the heap, from the collections that take all garbage, and what is used after
//! any of them: series of canonical metrics, for the detector.
//!
//! Young collections are left out of the former: what they leave holds old garbage, and rises
//! between two old collections whether anything leaks or not.

use plimsoll_model::{Bytes, Sample, Span, Timestamp};

use super::{Collected, GcEvent, GcLog, trend};

/// An uptime below this part of the one before is that of another JVM: logs are appended to. Less
/// would take lines that two threads wrote in the wrong order for a restart.
const RESTART_PART: f64 = 0.5;

/// The heap of one JVM, from its start to its end. Each series is in order of time, and has one
/// sample for one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HeapSeries {
    /// `runtime.heap.live`: after collections that leave no garbage.
    pub live: Vec<Sample>,
    /// `runtime.heap.used`: after every collection.
    pub used: Vec<Sample>,
    /// `runtime.heap.committed`, after every collection that tells.
    pub committed: Vec<Sample>,
    /// Collections whose time is not known, and which are therefore left out.
    pub untimed: usize,
}

impl GcLog {
    /// The heap as series, for each JVM that wrote to the log. Times are those of the log where all
    /// its events have one, else `started_at`, the start of the JVM, and the uptime.
    pub fn heap_series(&self, started_at: Timestamp) -> Vec<HeapSeries> {
        let dated = self.is_dated();
        let lives = self.lives();
        lives.iter().map(|events| HeapSeries::of(events, dated, started_at)).collect()
    }

    /// Whether moments are those of a calendar, and not counted from the start of the JVM.
    pub fn is_dated(&self) -> bool {
        self.events.iter().all(|event| event.wall.is_some())
    }

    fn lives(&self) -> Vec<&[GcEvent]> {
        let mut lives = Vec::new();
        let (mut first, mut last) = (0, None::<f64>);
        for (index, event) in self.events.iter().enumerate() {
            let Some(uptime) = event.uptime else { continue };
            if last.is_some_and(|last| uptime < RESTART_PART * last) {
                lives.push(&self.events[first..index]);
                first = index;
            }
            last = Some(uptime);
        }
        lives.push(&self.events[first..]);
        lives
    }
}

impl HeapSeries {
    /// Bytes per hour by which what is alive grows; `None` of too few collections, or too short a time.
    pub fn live_per_hour(&self) -> Option<f64> {
        trend::per_hour(&self.live)
    }

    fn of(events: &[GcEvent], dated: bool, started_at: Timestamp) -> Self {
        let mut series = Self::default();
        for (index, event) in events.iter().enumerate() {
            let Some(heap) = event.heap.filter(|_| event.collected != Collected::Nothing) else {
                continue;
            };
            let at = match event.uptime {
                _ if dated => event.wall,
                uptime => uptime.map(|secs| started_at + Span::from_secs_f64(secs)),
            };
            let Some(at) = at else {
                series.untimed += 1;
                continue;
            };
            let sample = |bytes: Bytes| Sample { at, value: bytes.as_f64() };
            series.used.push(sample(heap.after));
            series.committed.extend(heap.committed.map(sample));
            series.live.extend(alive_after(event, &events[index + 1..]).map(sample));
        }
        for samples in [&mut series.live, &mut series.used, &mut series.committed] {
            samples.sort_by_key(|sample| sample.at);
            samples.dedup_by_key(|sample| sample.at);
        }
        series
    }
}

/// Bytes that are alive after an event; `None` where garbage is left among them.
fn alive_after(event: &GcEvent, later: &[GcEvent]) -> Option<Bytes> {
    let heap = event.heap?;
    Some(match event.collected {
        Collected::Full => heap.after,
        Collected::AfterSweep => event.old_after.unwrap_or(heap.after),
        // Old regions are cleaned a few at a time: the last of a run has the least garbage.
        Collected::Mixed => {
            let mut next = later.iter().map(|event| event.collected);
            let next = next.find(|collected| *collected != Collected::Nothing);
            (next != Some(Collected::Mixed)).then_some(heap.after)?
        }
        // Shenandoah cleans up twice in a cycle, before and after it moves what is alive.
        Collected::Concurrent => {
            let again = later.iter().find(|event| event.collected == Collected::Concurrent);
            let same = again.is_some_and(|later| later.id.is_some() && later.id == event.id);
            (!same).then_some(heap.after)?
        }
        Collected::Young | Collected::Nothing => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, want: &[&[(i64, u64)]]) {
        let log = GcLog::parse(text).unwrap();
        let lives = log.heap_series(Timestamp::from_secs(1000));
        let found = lives.iter().map(|life| {
            let samples = life.live.iter();
            samples
                .map(|sample| (sample.at.as_millis() / 1000, sample.value as u64 >> 20))
                .collect()
        });
        let found: Vec<Vec<_>> = found.collect();
        assert_eq!(found, want, "{text}");
    }

    #[test]
    fn only_collections_that_take_all_garbage_tell_what_is_alive() {
        check(
            "[1s] GC(0) Pause Young (x) 9M->8M(9M) 1ms\n[2s] GC(1) Pause Full (x) 9M->3M(9M) 1ms\n\
             [3s] GC(2) Pause Young (Mixed) (x) 9M->6M(9M) 1ms\n[4s] GC(3) Pause Remark 1ms\n\
             [5s] GC(4) Pause Young (Mixed) (x) 9M->5M(9M) 1ms\n\
             [6s] GC(5) Pause Young (x) 9M->8M(9M) 1ms\n\
             [7s] GC(6) Concurrent cleanup 9M->7M(9M) 1ms\n\
             [8s] GC(6) Concurrent cleanup 9M->4M(9M) 1ms\n",
            &[&[(1002, 3), (1005, 5), (1008, 4)]],
        );
    }

    #[test]
    fn a_log_of_two_jvms_is_two_series() {
        check(
            "500.0: [Full GC 9M->3M(9M), 1.0 secs]\n499.9: [Full GC 9M->4M(9M), 1.0 secs]\n\
             2.0: [Full GC 9M->1M(9M), 1.0 secs]\n",
            &[&[(1499, 4), (1500, 3)], &[(1002, 1)]],
        );
    }

    #[test]
    fn dates_are_taken_where_all_events_have_one() {
        check(
            "2014-11-29T06:23:55.892+0000: 126.8: [Full GC 9M->3M(9M), 0.1 secs]\n",
            &[&[(1_417_242_235, 3)]],
        );
        let log = GcLog::parse("[Full GC 9M->3M(9M), 1.0 secs]").unwrap();
        let lives = log.heap_series(Timestamp::from_secs(0));
        assert_eq!((lives[0].used.len(), lives[0].untimed), (0, 1));
    }
}
