//! Many cheap looks at one process: what grew since the first, how fast, and whether in every step.
//!
//! A look is a class histogram, or a profile as one (`ClassHistogram` of allocation sites). Not here:
//! how looks are taken, and when; that is `plimsoll heap watch`.

use std::collections::HashMap;

use crate::class_name::Origin;
use crate::dominant::{Dominant, NoDominant, dominant};
use crate::growth::{GrowthRow, difference};
use crate::histogram::ClassHistogram;

/// Looks that are kept. Beyond it every second one between the first and the last is dropped: an hour
/// of looks and a week of them show steps as well, and a look may be some megabytes.
const LOOKS_MAX: usize = 32;

/// Rows of a look that are kept, the largest: what grows matters among the first, and names may be as
/// long as a kilobyte.
const ROWS_MAX: usize = 4096;

/// Rows of a growth that are told apart, beside the leader's.
const RISES_MAX: usize = 40;

const SECS_AN_HOUR: f64 = 3600.0;

/// One look.
#[derive(Clone, Debug, PartialEq)]
pub struct Look {
    /// Seconds since any moment before the first look; steady, whatever the wall clock does.
    pub at_secs: f64,
    /// A counter of work done, where one is read.
    pub work: Option<f64>,
    pub types: ClassHistogram,
}

/// The looks so far.
#[derive(Clone, Debug, Default)]
pub struct Watch {
    looks: Vec<Look>,
}

/// What grew from the first look to the last.
#[derive(Clone, Debug, PartialEq)]
pub struct WatchGrowth {
    pub secs: f64,
    /// Work done meanwhile. None where it is not read, and where its counter began again.
    pub work: Option<f64>,
    /// Steps between looks that are compared.
    pub steps: usize,
    /// Growth of all that grew, in bytes.
    pub grown: u64,
    /// What grew most first.
    pub rises: Vec<Rise>,
    /// The type that pulls the others along; or why none does.
    pub leader: Result<Dominant, NoDominant>,
}

/// One type that grew.
#[derive(Clone, Debug, PartialEq)]
pub struct Rise {
    pub kind: String,
    pub objects: i64,
    pub bytes: i64,
    /// Part of all growth, from 0 to 1.
    pub share: f64,
    pub bytes_per_hour: f64,
    pub bytes_per_work: Option<f64>,
    /// Steps in which it took more bytes after than before.
    pub steps_grown: usize,
}

impl Watch {
    /// Adds the newest look.
    pub fn add(&mut self, mut look: Look) {
        look.types.rows.sort_by_key(|row| std::cmp::Reverse(row.bytes));
        look.types.rows.truncate(ROWS_MAX);
        if self.looks.len() >= LOOKS_MAX {
            let last = self.looks.len() - 1;
            let mut at = 0;
            self.looks.retain(|_| {
                at += 1;
                (at - 1) % 2 == 0 || at - 1 == last
            });
        }
        self.looks.push(look);
    }

    /// What grew since the first look; None of fewer than two.
    pub fn growth(&self) -> Option<WatchGrowth> {
        let [first, .., last] = self.looks.as_slice() else { return None };
        let growth = difference(&first.types, &last.types);
        let secs = last.at_secs - first.at_secs;
        let work = first.work.zip(last.work).map(|(before, after)| after - before);
        let work = work.filter(|work| *work > 0.0);
        let leader = dominant(&growth);
        let is_leader =
            |row: &GrowthRow| leader.as_ref().is_ok_and(|leader| leader.class == row.class);
        let grew = growth.rows.iter().filter(|row| row.bytes_grown > 0).enumerate();
        let told = grew.filter(|(at, row)| *at < RISES_MAX || is_leader(row));
        let grew: Vec<&GrowthRow> = told.map(|(_, row)| row).collect();
        let steps_grown = self.steps_grown(&grew);
        let rise = |(row, steps_grown): (&GrowthRow, usize)| Rise {
            kind: row.class.clone(),
            objects: row.instances_grown,
            bytes: row.bytes_grown,
            share: row.share,
            bytes_per_hour: row.bytes_grown as f64 / secs.max(f64::MIN_POSITIVE) * SECS_AN_HOUR,
            bytes_per_work: work.map(|work| row.bytes_grown as f64 / work),
            steps_grown,
        };
        Some(WatchGrowth {
            secs,
            work,
            steps: self.looks.len() - 1,
            grown: growth.grown.0,
            rises: grew.into_iter().zip(steps_grown).map(rise).collect(),
            leader,
        })
    }

    fn steps_grown(&self, rows: &[&GrowthRow]) -> Vec<usize> {
        let number: HashMap<&str, usize> =
            rows.iter().enumerate().map(|(at, row)| (row.class.as_str(), at)).collect();
        let bytes = |look: &Look| {
            let mut bytes = vec![0; rows.len()];
            for row in &look.types.rows {
                if let Some(at) = number.get(row.class.as_str()) {
                    bytes[*at] = row.bytes.0;
                }
            }
            bytes
        };
        let courses: Vec<Vec<u64>> = self.looks.iter().map(bytes).collect();
        let grew = |at: usize| courses.windows(2).filter(|pair| pair[1][at] > pair[0][at]).count();
        (0..rows.len()).map(grew).collect()
    }
}

impl WatchGrowth {
    /// Looks that tell a growth from a wave: two steps up in a row are nothing special.
    pub const STEPS_MIN: usize = 3;

    /// The rise of the type that leads, if it is not the language's own, grew in every step, and there
    /// were enough of them.
    pub fn steady_leader(&self) -> Option<&Rise> {
        let leader = self.leader.as_ref().ok().filter(|leader| leader.origin != Origin::Jdk)?;
        let rise = self.rises.iter().find(|rise| rise.kind == leader.class)?;
        (self.steps >= Self::STEPS_MIN && rise.steps_grown == self.steps).then_some(rise)
    }
}

#[cfg(test)]
mod tests {
    use plimsoll_model::Bytes;

    use super::*;
    use crate::histogram::{ClassRow, HistogramTotal};

    fn look(at_secs: f64, work: f64, rows: &[(&str, u64, u64)]) -> Look {
        let rows = rows.iter().map(|(class, instances, bytes)| ClassRow {
            class: (*class).to_owned(),
            instances: *instances,
            bytes: Bytes(*bytes),
        });
        let types = ClassHistogram {
            rows: rows.collect(),
            total: HistogramTotal::default(),
            rejected: 0,
            complete: true,
        };
        Look { at_secs, work: Some(work), types }
    }

    fn watched(orders: &[u64]) -> Watch {
        let mut watch = Watch::default();
        for (at, orders) in orders.iter().enumerate() {
            let at = at as f64;
            let rows = [("com.shop.Order", *orders, orders * 100), ("byte[]", 50, 5000)];
            watch.add(look(at * 60.0, at * 30.0, &rows));
        }
        watch
    }

    #[test]
    fn growth_is_told_by_the_hour_and_by_the_request() {
        let growth = watched(&[100, 130, 160, 190]).growth().unwrap();
        let [rise] = &growth.rises[..] else { panic!("one class grew: {growth:?}") };
        assert_eq!((rise.objects, rise.bytes, rise.steps_grown), (90, 9000, 3));
        assert!((rise.bytes_per_hour - 180_000.0).abs() < 1e-6);
        assert!((rise.bytes_per_work.unwrap() - 100.0).abs() < 1e-9);
        assert_eq!(growth.steady_leader().unwrap().kind, "com.shop.Order");
    }

    #[test]
    fn what_went_down_once_is_no_steady_growth_and_neither_are_two_steps() {
        assert!(watched(&[100, 160, 130, 190]).growth().unwrap().steady_leader().is_none());
        assert!(watched(&[100, 130, 160]).growth().unwrap().steady_leader().is_none());
        assert!(watched(&[100]).growth().is_none());
    }

    #[test]
    fn growth_of_the_language_itself_accuses_nobody() {
        let mut watch = Watch::default();
        for at in 0..5 {
            watch.add(look(60.0 * at as f64, 0.0, &[("byte[]", 100 + at * 50, 5000 + at * 5000)]));
        }
        let growth = watch.growth().unwrap();
        assert_eq!(growth.leader.as_ref().unwrap().class, "byte[]");
        assert!(growth.steady_leader().is_none());
    }

    #[test]
    fn a_counter_that_began_again_tells_no_work() {
        let mut watch = watched(&[100, 130]);
        let rows = [("com.shop.Order", 400, 40_000)];
        watch.add(look(180.0, -5.0, &rows));
        assert_eq!(watch.growth().unwrap().work, None);
    }

    #[test]
    fn of_many_looks_the_first_and_the_newest_stay() {
        let orders: Vec<u64> = (0..1000).map(|look| 100 + look * 20).collect();
        let watch = watched(&orders);
        assert!(watch.looks.len() <= LOOKS_MAX);
        let growth = watch.growth().unwrap();
        assert!((growth.secs - 999.0 * 60.0).abs() < 1e-6);
        assert_eq!(growth.steady_leader().unwrap().objects, 999 * 20);
    }
}
