//! A history as it was at one moment after another: outlines grow sample by sample, as they do where
//! Plimsoll runs.
//!
//! Not here: what is concluded on the way.

use std::collections::BTreeMap;

use plimsoll_model::{Life, Metric, SeriesLimit, ServiceHistory, Timestamp};

/// A history that is told again.
#[derive(Debug)]
pub(crate) struct Replay<'a> {
    whole: &'a ServiceHistory,
    so_far: ServiceHistory,
    /// For each life of the whole that has begun: its place in `so_far`, and how many samples of
    /// each metric were told.
    told: BTreeMap<usize, (usize, BTreeMap<Metric, usize>)>,
}

impl<'a> Replay<'a> {
    pub(crate) fn of(whole: &'a ServiceHistory) -> Self {
        let so_far = ServiceHistory::new(whole.service.clone());
        Self { whole, so_far, told: BTreeMap::new() }
    }

    /// What was known at `now`, which is never before the one asked for last.
    pub(crate) fn until(&mut self, now: Timestamp) -> &ServiceHistory {
        let known = self.so_far.changes.len();
        let changes = self.whole.changes.iter().skip(known).take_while(|change| change.at <= now);
        self.so_far.changes.extend(changes.cloned());
        for (index, life) in self.whole.lives.iter().enumerate() {
            self.tell(index, life, now);
        }
        &self.so_far
    }

    fn tell(&mut self, index: usize, life: &Life, now: Timestamp) {
        let firsts = life.series.values().filter_map(|series| series.samples().first());
        if firsts.map(|sample| sample.at).min().is_none_or(|first| first > now) {
            return;
        }
        let next = self.so_far.lives.len();
        let (place, told) = self.told.entry(index).or_insert_with(|| (next, BTreeMap::new()));
        if *place == next {
            self.so_far.lives.push(Life {
                instance: life.instance.clone(),
                version: life.version.clone(),
                started_at: life.started_at,
                start_known: life.start_known,
                series: BTreeMap::new(),
            });
        }
        let Some(so_far) = self.so_far.lives.get_mut(*place) else { return };
        for (metric, series) in &life.series {
            let told = told.entry(*metric).or_insert(0);
            let rest = series.samples().get(*told..).unwrap_or(&[]);
            let fresh = rest.iter().take_while(|sample| sample.at <= now);
            for sample in fresh {
                let known = so_far.series.entry(*metric).or_default();
                known.insert(*sample, SeriesLimit::OUTLINES.samples);
                *told += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use plimsoll_model::{InstanceName, Reading, ServiceName};

    #[test]
    fn what_was_told_bit_by_bit_is_what_is_told_at_once() {
        let service = ServiceName::new("orders").unwrap();
        let mut whole = ServiceHistory::new(service.clone());
        let mut at_once = ServiceHistory::new(service.clone());
        for secs in 0..1000 {
            let reading = Reading {
                at: Timestamp::from_secs(secs),
                service: service.clone(),
                version: None,
                instance: InstanceName::new(if secs % 3 == 0 { "a" } else { "b" }).unwrap(),
                metric: Metric::ProcessMemoryRss,
                value: (secs * 7919 % 101 + 1) as f64,
            };
            whole.record(&reading, SeriesLimit::NONE);
            at_once.record(&reading, SeriesLimit::OUTLINES);
        }
        let mut replay = Replay::of(&whole);
        for secs in [0, 17, 400] {
            let seen = replay.until(Timestamp::from_secs(secs)).last_seen();
            assert_eq!(seen, Some(Timestamp::from_secs(secs)));
        }
        assert_eq!(*replay.until(Timestamp::from_secs(999)), at_once);
    }
}
