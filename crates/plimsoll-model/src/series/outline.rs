//! The outline of a series: its whole course since it began, in a bounded number of cells.
//!
//! Each cell holds the lowest and the mean value of the same number of samples. When the cells are
//! full, neighbours are merged and each holds twice as many: ten minutes at one a second and two
//! weeks at one in five minutes are the same picture, in the same few kilobytes, and a sample costs
//! a few additions. The newest few samples wait before they are drawn, so that those that come out
//! of order make the same picture as if they had come in order. Not here: what the picture means
//! (`plimsoll-detect`), and how it is written down (`plimsoll-wire`).

mod parts;

pub use parts::{Drawn, OutlineCell, OutlineParts};

use super::Sample;
use crate::time::{Span, Timestamp};

/// Cells of one outline. More would not change a verdict; with this many an outline stays below
/// 4 KiB. Even, because cells are merged in pairs.
const CELLS: usize = 320;

/// Newest samples that wait for earlier ones: a sender that repeats what was not taken is a few
/// samples late. All that still fits into 4 KiB.
const WAITING: usize = 8;

/// What one step of a cell's place is: a resolution that collectors do not reach, and an axis of 13
/// years.
const TICK: Span = Span::from_millis(100);

/// A series that was silent for so long has no course that goes on: its outline begins anew. A row
/// with the time of a clock that was never set must not stretch the axis of all others.
const SILENT_MAX: Span = Span::from_hours(30 * 24);

/// A bounded picture of a series.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outline {
    cells: Vec<Cell>,
    /// The first and the last sample in the cells; as the number of them, without those that wait.
    ends: Option<(Sample, Sample)>,
    samples: u64,
    /// Samples of a full cell, and of the last one.
    full: u32,
    open: u32,
    deepest_fall: f32,
    /// The value before the last one; 0 where there is none.
    before: f32,
    /// In order of time, later than all that is drawn.
    waiting: Vec<Sample>,
}

/// Neighbouring samples.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Cell {
    /// Ticks since the first sample.
    from: u32,
    lowest: f32,
    mean: f32,
}

/// Neighbouring samples as they are told.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stretch {
    pub from: Timestamp,
    /// Where the next one begins; at the end, the last sample.
    pub to: Timestamp,
    pub samples: u32,
    pub lowest: f64,
    pub mean: f64,
}

impl Outline {
    /// Samples that were taken in; repeats, and those that come too late, are not counted again.
    pub const fn samples(&self) -> u64 {
        self.samples + self.waiting.len() as u64
    }

    pub fn first(&self) -> Option<Sample> {
        self.ends.map(|(first, _)| first).or_else(|| self.waiting.first().copied())
    }

    pub fn last(&self) -> Option<Sample> {
        self.waiting.last().copied().or_else(|| self.ends.map(|(_, last)| last))
    }

    /// The most that a sample lay below the one before it, as a share of that one.
    pub fn deepest_fall(&self) -> f64 {
        let newest = self.ends.map(|(_, last)| last.value as f32);
        let mut deepest = newest.map_or(0.0, |last| self.deepest_fall.max(fall(self.before, last)));
        let mut before = newest.unwrap_or(0.0);
        for sample in &self.waiting {
            deepest = deepest.max(fall(before, sample.value as f32));
            before = sample.value as f32;
        }
        f64::from(deepest)
    }

    /// The cells, oldest first. Costs a copy of them.
    pub fn stretches(&self) -> impl ExactSizeIterator<Item = Stretch> + use<> {
        let mut whole = self.clone();
        std::mem::take(&mut whole.waiting).into_iter().for_each(|sample| whole.draw(sample));
        (0..whole.cells.len()).map(move |index| whole.stretch(index))
    }

    fn stretch(&self, index: usize) -> Stretch {
        let is_last = index + 1 == self.cells.len();
        let cell = self.cells[index];
        Stretch {
            from: self.moment(cell.from),
            to: match self.cells.get(index + 1) {
                Some(next) => self.moment(next.from),
                None => self.last().map_or_else(Timestamp::default, |sample| sample.at),
            },
            samples: if is_last { self.open } else { self.full },
            lowest: f64::from(cell.lowest),
            mean: f64::from(cell.mean),
        }
    }

    /// Takes a sample in. Whatever order samples come in, the outline is that of their order in
    /// time, as long as none comes after eight that are later than it. Of one time the lowest
    /// counts. One that is later still lowers the cell of its time and is not counted: it may be a
    /// repeat, which must not count twice.
    pub fn trace(&mut self, sample: Sample) {
        let (Some(first), Some(last)) = (self.first(), self.last()) else {
            self.waiting.push(sample);
            return;
        };
        if sample.at.since(last.at) > SILENT_MAX {
            *self = Self { waiting: vec![sample], ..Self::default() };
        } else if first.at.since(sample.at) > SILENT_MAX {
            // Older than anything that could belong to it.
        } else if let Some((first, drawn)) = self.ends
            && sample.at <= drawn.at
        {
            self.come_late(first, drawn, sample);
        } else {
            self.wait(sample);
        }
    }

    fn wait(&mut self, sample: Sample) {
        let place = self.waiting.partition_point(|other| other.at < sample.at);
        if let Some(same) = self.waiting.get_mut(place)
            && same.at == sample.at
        {
            same.value = same.value.min(sample.value);
        } else if self.waiting.len() < WAITING {
            self.waiting.insert(place, sample);
        } else if place == 0 {
            self.draw(sample);
        } else {
            let oldest = self.waiting.remove(0);
            self.draw(oldest);
            self.waiting.insert(place - 1, sample);
        }
    }

    /// Adds a sample that is later than all that are drawn to the cells.
    fn draw(&mut self, sample: Sample) {
        match self.ends {
            Some((first, last)) => self.follow(first, last, sample),
            None => self.begin(sample),
        }
    }

    fn begin(&mut self, sample: Sample) {
        self.ends = Some((sample, sample));
        (self.samples, self.full, self.open) = (1, 1, 1);
        self.cells.push(Cell { from: 0, lowest: sample.value as f32, mean: sample.value as f32 });
    }

    fn follow(&mut self, first: Sample, last: Sample, sample: Sample) {
        self.deepest_fall = self.deepest_fall.max(fall(self.before, last.value as f32));
        self.before = last.value as f32;
        self.ends = Some((first, sample));
        self.samples += 1;
        if self.open == self.full {
            self.open_cell(ticks(sample.at, first.at));
        }
        self.open += 1;
        let share = 1.0 / self.open as f32;
        if let Some(cell) = self.cells.last_mut() {
            let value = sample.value as f32;
            cell.lowest = cell.lowest.min(value);
            cell.mean += (value - cell.mean) * share;
        }
    }

    fn open_cell(&mut self, from: u32) {
        if self.cells.len() >= CELLS {
            let merged = self.cells.chunks(2).map(|pair| match pair {
                [one, other] => Cell {
                    from: one.from,
                    lowest: one.lowest.min(other.lowest),
                    mean: 0.5 * (one.mean + other.mean),
                },
                rest => rest[0],
            });
            self.cells = merged.collect();
            self.full = self.full.saturating_mul(2);
        }
        if self.cells.len() == self.cells.capacity() {
            // No more than will ever be used: this is most of what a series costs.
            self.cells.reserve_exact(self.cells.len().min(CELLS - self.cells.len()));
        }
        self.cells.push(Cell { from, lowest: f32::INFINITY, mean: 0.0 });
        self.open = 0;
    }

    fn come_late(&mut self, first: Sample, last: Sample, sample: Sample) {
        if sample.at < first.at {
            let earlier = ticks(first.at, sample.at);
            self.cells.iter_mut().for_each(|cell| cell.from = cell.from.saturating_add(earlier));
            self.ends = Some((sample, last));
        }
        let origin = first.at.min(sample.at);
        let place = ticks(sample.at, origin);
        let index = self.cells.partition_point(|cell| cell.from <= place).saturating_sub(1);
        if let Some(cell) = self.cells.get_mut(index) {
            cell.from = cell.from.min(place);
            cell.lowest = cell.lowest.min(sample.value as f32);
        }
    }

    fn moment(&self, from: u32) -> Timestamp {
        let origin = self.ends.map_or_else(Timestamp::default, |(first, _)| first.at);
        origin + Span::from_millis(i64::from(from) * TICK.as_millis())
    }
}

/// How far the second value lies below the first, as a share of the first.
fn fall(from: f32, to: f32) -> f32 {
    if from > 0.0 { (from - to) / from } else { 0.0 }
}

fn ticks(at: Timestamp, origin: Timestamp) -> u32 {
    let ticks = at.since(origin).as_millis() / TICK.as_millis();
    u32::try_from(ticks.max(0)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(secs: i64, value: f64) -> Sample {
        Sample { at: Timestamp::from_secs(secs), value }
    }

    fn outline(samples: impl IntoIterator<Item = Sample>) -> Outline {
        let mut outline = Outline::default();
        samples.into_iter().for_each(|sample| outline.trace(sample));
        outline
    }

    #[test]
    fn a_short_series_is_kept_as_it_is() {
        let drawn = outline((0..100).map(|i| sample(i, i as f64)));
        let values: Vec<f64> = drawn.stretches().map(|stretch| stretch.lowest).collect();
        assert_eq!(values, (0..100).map(f64::from).collect::<Vec<_>>());
    }

    #[test]
    fn a_long_series_stays_small_and_keeps_its_floor_and_its_mean() {
        let value = |i: i64| 100.0 + i as f64 / 1000.0 + (i % 10) as f64;
        let drawn = outline((0..1_000_000).map(|i| sample(i, value(i))));
        let stretches: Vec<_> = drawn.stretches().collect();
        assert!((CELLS / 2..=CELLS).contains(&stretches.len()));
        let held = drawn.cells.capacity() * size_of::<Cell>()
            + drawn.waiting.capacity() * size_of::<Sample>();
        assert!(held + size_of::<Outline>() <= 4096, "{held}");
        for stretch in &stretches {
            let begin = stretch.from.as_secs_f64();
            assert!((stretch.lowest - (100.0 + begin / 1000.0)).abs() < 0.1, "{stretch:?}");
            assert!(stretch.mean > stretch.lowest + 4.0);
        }
        let counted: u64 = stretches.iter().map(|stretch| u64::from(stretch.samples)).sum();
        assert_eq!(counted, drawn.samples());
    }

    #[test]
    fn repeats_come_to_the_same_in_any_order() {
        let one = outline([sample(0, 5.0), sample(1, 3.0), sample(1, 4.0), sample(2, 9.0)]);
        let other = outline([sample(0, 5.0), sample(1, 4.0), sample(1, 3.0), sample(2, 9.0)]);
        assert_eq!(one, other);
        assert_eq!(one.samples(), 3);
    }

    #[test]
    fn a_late_sample_lowers_the_floor_of_its_time() {
        let mut drawn = outline((10..20).map(|i| sample(i, 50.0)));
        drawn.trace(sample(15, 7.0));
        drawn.trace(sample(3, 40.0));
        let lowest: Vec<_> = drawn.stretches().map(|s| (s.from.as_secs_f64(), s.lowest)).collect();
        assert_eq!(lowest[0], (3.0, 40.0));
        assert_eq!(lowest[5], (15.0, 7.0));
        assert_eq!(drawn.samples(), 10);
    }

    /// Samples in another order, each at most eight places from its own.
    fn jumbled(samples: &[Sample], seed: u64) -> Vec<Sample> {
        let mut state = seed | 1;
        let mut keyed: Vec<_> = samples
            .iter()
            .enumerate()
            .map(|(index, sample)| {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                (index + (state >> 60) as usize % (WAITING + 1), *sample)
            })
            .collect();
        keyed.sort_by_key(|(place, _)| *place);
        keyed.into_iter().map(|(_, sample)| sample).collect()
    }

    #[test]
    fn samples_that_come_a_little_late_make_the_same_outline() {
        for count in [5, 300, 328, 329, 5000] {
            let value = |i: i64| 100.0 + ((i * 7919) % 97) as f64;
            let samples: Vec<_> = (0..count).map(|i| sample(i * 15, value(i))).collect();
            for seed in 1..20 {
                let late = jumbled(&samples, seed);
                assert!(count < 300 || late != samples);
                let again = late.iter().flat_map(|one| [*one, *one]);
                assert_eq!(outline(again), outline(samples.clone()), "{count} samples, {seed}");
            }
        }
    }

    #[test]
    fn a_clock_that_was_never_set_does_not_stretch_the_axis() {
        let good = || (0..100).map(|i| sample(1_780_000_000 + i, i as f64));
        let drawn = outline([sample(5, 1.0)].into_iter().chain(good()));
        assert_eq!(drawn, outline(good()));
        assert_eq!(outline(good().chain([sample(5, 1.0)])), outline(good()));
    }

    #[test]
    fn the_deepest_fall_is_seen_between_neighbours() {
        let drawn = outline([sample(0, 100.0), sample(1, 90.0), sample(2, 45.0), sample(3, 60.0)]);
        assert!((drawn.deepest_fall() - 0.5).abs() < 1e-6);
    }
}
