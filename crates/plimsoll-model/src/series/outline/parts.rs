//! An outline taken apart: to be written down, put together again, and cut where a life ended.
//!
//! Not here: the written form (`plimsoll-wire`). Parts that no outline can have are refused, so that
//! what a damaged disk gives back cannot break an invariant.

use super::{CELLS, Cell, Outline, Sample, WAITING, ticks};
use crate::time::Timestamp;

/// All that an outline holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OutlineParts {
    /// None while all samples wait.
    pub drawn: Option<Drawn>,
    /// Later than what is drawn, in order of time.
    pub waiting: Vec<Sample>,
}

/// What is in the cells.
#[derive(Clone, Debug, PartialEq)]
pub struct Drawn {
    pub cells: Vec<OutlineCell>,
    pub first: Sample,
    pub last: Sample,
    pub samples: u64,
    /// Samples of a full cell, and of the last one.
    pub full: u32,
    pub open: u32,
    pub deepest_fall: f32,
    pub before: f32,
}

/// One cell; its place in steps of a tenth of a second since the first sample.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OutlineCell {
    pub from: u32,
    pub lowest: f32,
    pub mean: f32,
}

impl Outline {
    pub fn to_parts(&self) -> OutlineParts {
        let cell = |Cell { from, lowest, mean }| OutlineCell { from, lowest, mean };
        let drawn = self.ends.map(|(first, last)| Drawn {
            cells: self.cells.iter().copied().map(cell).collect(),
            first,
            last,
            samples: self.samples,
            full: self.full,
            open: self.open,
            deepest_fall: self.deepest_fall,
            before: self.before,
        });
        OutlineParts { drawn, waiting: self.waiting.clone() }
    }

    /// None where no outline has such parts.
    pub fn from_parts(parts: OutlineParts) -> Option<Self> {
        let OutlineParts { drawn, mut waiting } = parts;
        let mut outline = match drawn {
            Some(drawn) => from_drawn(drawn)?,
            None => Self::default(),
        };
        let drawn_until = outline.ends.map(|(_, last)| last.at);
        let times = drawn_until.into_iter().chain(waiting.iter().map(|sample| sample.at));
        let finite = waiting.iter().all(|sample| sample.value.is_finite());
        if waiting.len() > WAITING || !finite || !times.is_sorted_by(|one, next| one < next) {
            return None;
        }
        waiting.shrink_to(WAITING);
        outline.waiting = waiting;
        Some(outline)
    }

    /// Cuts the outline at a moment, and gives the part from then on. Exact among the samples that
    /// wait. Of what is drawn, the cell in which the moment lies is dropped where it holds several
    /// samples, because its floor is of both parts; falls are forgotten, because the deepest may be
    /// the cut itself.
    #[must_use]
    pub(in crate::series) fn split_off(&mut self, at: Timestamp) -> Self {
        let Some((first, last)) = self.ends.filter(|(_, last)| last.at >= at) else {
            let place = self.waiting.partition_point(|sample| sample.at < at);
            return Self { waiting: self.waiting.split_off(place), ..Self::default() };
        };
        if first.at >= at {
            return std::mem::take(self);
        }
        let tick = ticks(at, first.at);
        let begin = self.cells.partition_point(|cell| cell.from < tick).max(1);
        let mut later = Self { waiting: std::mem::take(&mut self.waiting), ..Self::default() };
        later.cells = self.cells.split_off(begin);
        if let Some(cell) = later.cells.first().copied() {
            later.cells.iter_mut().for_each(|other| other.from -= cell.from);
            let value = f64::from(cell.mean);
            later.ends = Some((Sample { at: self.moment(cell.from), value }, last));
            (later.full, later.open) = (self.full, self.open);
            let whole = later.cells.len() as u64 - 1;
            later.samples = whole * u64::from(self.full) + u64::from(self.open);
            later.before = value as f32;
        }
        self.end_before(first);
        later
    }

    /// Sheds the newest cell where it may hold samples of after the cut, and ends with what is left.
    fn end_before(&mut self, first: Sample) {
        let mut ended = first.at;
        if self.full > 1 && self.cells.len() > 1 {
            ended = self.cells.pop().map_or(ended, |cell| self.moment(cell.from));
        } else if let Some(cell) = self.cells.last() {
            ended = self.moment(cell.from);
        }
        let value = self.cells.last().map_or(first.value, |cell| f64::from(cell.mean));
        self.ends = Some((first, Sample { at: ended, value }));
        self.open = self.full;
        self.samples = self.cells.len() as u64 * u64::from(self.full);
        (self.deepest_fall, self.before) = (0.0, value as f32);
    }
}

fn from_drawn(drawn: Drawn) -> Option<Outline> {
    let Drawn { cells, first, last, samples, full, open, deepest_fall, before } = drawn;
    let whole = (cells.len() as u64).checked_sub(1)?.checked_mul(u64::from(full))?;
    let counted = whole.checked_add(u64::from(open))? == samples;
    let bounded = cells.len() <= CELLS && (1..=full).contains(&open) && first.at <= last.at;
    let ordered = cells.is_sorted_by(|one, next| one.from <= next.from);
    let cell_is_finite = |cell: &OutlineCell| cell.lowest.is_finite() && cell.mean.is_finite();
    let finite = cells.iter().all(cell_is_finite)
        && [first.value, last.value].iter().all(|value| value.is_finite())
        && [deepest_fall, before].iter().all(|value| value.is_finite());
    if !(counted && bounded && ordered && finite) {
        return None;
    }
    let cell = |OutlineCell { from, lowest, mean }| Cell { from, lowest, mean };
    let cells = cells.into_iter().map(cell).collect();
    let ends = Some((first, last));
    let waiting = Vec::new();
    Some(Outline { cells, ends, samples, full, open, deepest_fall, before, waiting })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outline(secs: impl Iterator<Item = i64>) -> Outline {
        let mut outline = Outline::default();
        let value = |at: i64| 100.0 + (at * 31 % 17) as f64;
        secs.for_each(|at| {
            outline.trace(Sample { at: Timestamp::from_secs(at), value: value(at) })
        });
        outline
    }

    #[test]
    fn parts_make_the_same_outline_and_it_goes_on_the_same() {
        for count in [0, 1, 8, 9, 500, 5000] {
            let mut whole = outline(0..count);
            let mut again = Outline::from_parts(whole.to_parts()).unwrap();
            assert_eq!(again, whole);
            for at in count..count + 700 {
                let sample = Sample { at: Timestamp::from_secs(at), value: 1.0 };
                whole.trace(sample);
                again.trace(sample);
            }
            assert_eq!(again, whole);
        }
    }

    #[test]
    fn parts_that_no_outline_has_are_refused() {
        let check = |spoil: fn(&mut Drawn)| {
            let mut parts = outline(0..1000).to_parts();
            spoil(parts.drawn.as_mut().unwrap());
            assert_eq!(Outline::from_parts(parts), None);
        };
        check(|drawn| drawn.samples += 1);
        check(|drawn| drawn.cells.clear());
        check(|drawn| drawn.cells.extend(drawn.cells.clone()));
        check(|drawn| drawn.open = drawn.full + 1);
        check(|drawn| (drawn.full, drawn.samples) = (u32::MAX, u64::MAX));
        check(|drawn| drawn.cells.reverse());
        check(|drawn| drawn.cells[3].mean = f32::NAN);
        check(|drawn| drawn.last.at = Timestamp::from_secs(-1));
        check(|drawn| drawn.last.at = Timestamp::from_secs(10_000));
        let mut parts = outline(0..1000).to_parts();
        parts.waiting.reverse();
        assert_eq!(Outline::from_parts(parts), None);
    }

    #[test]
    fn a_cut_among_the_newest_samples_is_exact() {
        for cut in 993..=1000 {
            let mut before = outline(0..1000);
            let after = before.split_off(Timestamp::from_secs(cut));
            assert_eq!(after, outline(cut..1000));
            assert_eq!(before.samples(), cut as u64);
            assert_eq!(before.stretches().collect::<Vec<_>>(), {
                outline(0..cut).stretches().collect::<Vec<_>>()
            });
        }
    }

    #[test]
    fn a_cut_in_the_past_is_at_a_cell_and_leaves_two_outlines_that_go_on() {
        for (count, cut) in [(1000, 500), (1000, 3), (200, 100), (5000, 4990), (5000, 1)] {
            let mut before = outline(0..count);
            let mut after = before.split_off(Timestamp::from_secs(cut));
            assert_eq!(Outline::from_parts(before.to_parts()).as_ref(), Some(&before));
            assert_eq!(Outline::from_parts(after.to_parts()).as_ref(), Some(&after));
            assert!(before.last().unwrap().at < Timestamp::from_secs(cut), "{count} {cut}");
            assert!(after.first().unwrap().at >= Timestamp::from_secs(cut), "{count} {cut}");
            assert!(before.samples() + after.samples() + 32 > count as u64);
            after.trace(Sample { at: Timestamp::from_secs(count), value: 1.0 });
            assert_eq!(after.last().unwrap().value.to_bits(), 1.0_f64.to_bits());
        }
        let mut all = outline(0..1000);
        assert_eq!(all.split_off(Timestamp::from_secs(0)), outline(0..1000));
        assert_eq!(all, Outline::default());
    }
}
