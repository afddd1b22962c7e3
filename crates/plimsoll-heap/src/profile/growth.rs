//! What grew between two profiles of one program, by allocation site; written once for all formats.
//!
//! Own growth is that of the site that allocates, cumulative growth that of all stacks it is in.
//! Sampled profiles are estimates: every change carries its standard error. Not here: why something
//! is still held, which no profile knows.

pub(super) mod sites;

use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroU64;

use plimsoll_model::Bytes;
use thiserror::Error;

use super::nearest::ranks;
use super::room::Room;
use super::{Measure, Profile, Sampling, Unit};
use sites::{SiteKey, SiteRow, Totals, site, totals};

/// Changes of less than so many standard errors are within what sampling alone makes. Two leave
/// one of twenty that is chance, in a list that a person reads; three would hide slow leaks.
const STANDARD_ERRORS_SURE: f64 = 2.0;

/// Periods of growth that one site can show without one sample: `exp(-3)` is 5 %.
const PERIODS_UNSEEN: u64 = 3;

/// What is one site.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Granularity {
    /// A function, whatever its lines; a line or an address where no function is known.
    Function,
    /// A line of a function.
    Line,
}

/// A place in the program that allocates, or calls what does.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Site {
    pub function: Option<String>,
    pub file: Option<String>,
    /// 0 where it is not known, or does not matter.
    pub line: u32,
    pub module: Option<String>,
    pub address: u64,
}

impl Site {
    /// Bytes of its names.
    pub(super) fn text_bytes(&self) -> usize {
        [&self.function, &self.file, &self.module].into_iter().flatten().map(String::len).sum()
    }
}

impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.function, &self.file, &self.module) {
            (Some(function), Some(file), _) => write!(f, "{function} ({file}:{})", self.line),
            (Some(function), None, _) => f.write_str(function),
            (None, Some(file), _) => write!(f, "{file}:{}", self.line),
            (None, None, Some(module)) => write!(f, "{module}+{:#x}", self.address),
            (None, None, None) if self.address == 0 => f.write_str("(no stack)"),
            (None, None, None) => write!(f, "{:#x}", self.address),
        }
    }
}

/// A value before and after.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Change {
    pub before: i64,
    pub after: i64,
    /// After less before.
    pub grown: i64,
    /// Objects after less objects before; 0 where they are not counted.
    pub objects_grown: i64,
    /// One standard error of `grown`, in its unit; 0 where nothing was sampled. It takes the two
    /// profiles as drawn apart, which is an upper bound: objects that both hold were drawn once.
    pub error: u64,
}

impl Change {
    fn between(before: &Totals, after: &Totals) -> Self {
        Self {
            before: before.value,
            after: after.value,
            grown: after.value.saturating_sub(before.value),
            objects_grown: after.objects.saturating_sub(before.objects),
            error: (before.variance + after.variance).sqrt().ceil() as u64,
        }
    }

    /// Whether this is more than sampling alone would make.
    pub fn is_sure(self) -> bool {
        self.grown.unsigned_abs() as f64 > STANDARD_ERRORS_SURE * self.error as f64
    }
}

/// One site that changed, itself or below.
#[derive(Clone, Debug, PartialEq)]
pub struct SiteGrowth {
    pub site: Site,
    /// Of the stacks whose innermost frame outside the allocator is this site.
    pub own: Change,
    /// Of all stacks that this site is in, each counted once.
    pub cumulative: Change,
    /// Own growth as part of that of all sites that grew, from 0 to 1; 0 for one that shrank.
    pub share: f64,
}

/// What changed, most own growth first.
#[derive(Clone, Debug, PartialEq)]
pub struct ProfileGrowth {
    pub measure: Measure,
    pub unit: Unit,
    pub rows: Vec<SiteGrowth>,
    /// Sites with the least growth that are not among the rows: there is a bound of them.
    pub left_out: usize,
    pub total: Change,
    /// The own growth of all sites that grew: what shares are shares of.
    pub grown: u64,
    /// What all sites that shrank gave back.
    pub shrunk: u64,
    /// Growth that one site may have without one sample, in one case of twenty; 0 where every
    /// allocation was seen, `None` where the profiles do not say how they were sampled.
    pub unseen: Option<Bytes>,
    /// Whether both profiles were complete.
    pub complete: bool,
}

/// Why two profiles cannot be compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum DifferenceError {
    #[error("the {which} profile does not have {measure:?}; compare a measure that both have")]
    NoMeasure { which: &'static str, measure: Measure },
    #[error("the profiles count {measure:?} in different units, {before:?} and {after:?}")]
    Units { measure: Measure, before: Unit, after: Unit },
}

/// Compares two profiles of one program, the earlier one first. Cost: one pass over each.
///
/// # Errors
/// When one of them does not have the measure, or has it in another unit.
pub fn difference(
    before: &Profile,
    after: &Profile,
    measure: Measure,
    granularity: Granularity,
) -> Result<ProfileGrowth, DifferenceError> {
    let column = |which, profile: &Profile| {
        profile.column(measure).ok_or(DifferenceError::NoMeasure { which, measure })
    };
    let (earlier, later) = (column("earlier", before)?, column("later", after)?);
    let unit = after.columns[later].unit;
    if before.columns[earlier].unit != unit {
        let before = before.columns[earlier].unit;
        return Err(DifferenceError::Units { measure, before, after: unit });
    }
    let ranks = ranks(&[before, after]);
    let earlier = totals(before, earlier, granularity, &ranks[0]);
    let later = totals(after, later, granularity, &ranks[1]);
    let total = Change::between(&earlier.total, &later.total);
    let mut sites: BTreeMap<SiteKey, [Option<SiteRow>; 2]> = BTreeMap::new();
    for (index, of) in [earlier, later].into_iter().enumerate() {
        for row in of.sites {
            sites.entry(row.key).or_default()[index] = Some(row);
        }
    }
    let (changed, grown, shrunk) = ranked(sites.into_values().filter_map(Changed::of).collect());
    let mut room = Room::new();
    let rows = changed.iter().map(|row| row.named([before, after], granularity));
    let rows: Vec<SiteGrowth> = rows.take_while(|row| room.takes(row.site.text_bytes())).collect();
    let left_out = changed.len() - rows.len();
    let unseen = match unit {
        Unit::Bytes => unseen(before.sampling).zip(unseen(after.sampling)),
        Unit::Count | Unit::Other => Some((0, 0)),
    };
    let unseen = unseen.map(|(before, after)| Bytes(before.max(after)));
    let complete = before.complete && after.complete;
    Ok(ProfileGrowth { measure, unit, rows, left_out, total, grown, shrunk, unseen, complete })
}

/// Growth for each unit of work that was done between two looks: requests, messages, runs.
pub fn per_unit_of_work(grown: i64, units: NonZeroU64) -> f64 {
    grown as f64 / units.get() as f64
}

fn unseen(sampling: Sampling) -> Option<u64> {
    match sampling {
        Sampling::Exact => Some(0),
        Sampling::EveryBytes { period, .. } => Some(period.get().saturating_mul(PERIODS_UNSEEN)),
        Sampling::Unknown => None,
    }
}

/// A site that changed, without its text.
struct Changed {
    key: SiteKey,
    /// A frame of the site, and the profile that it is of.
    frame: (usize, Option<u32>),
    own: Change,
    cumulative: Change,
    share: f64,
}

impl Changed {
    /// `None` where nothing changed.
    fn of(rows: [Option<SiteRow>; 2]) -> Option<Self> {
        let at = usize::from(rows[1].is_some());
        let SiteRow { key, frame, .. } = rows[at]?;
        let [earlier, later] = rows.map(|row| row.map(|row| row.totals).unwrap_or_default());
        let own = Change::between(&earlier.own, &later.own);
        let cumulative = Change::between(&earlier.cumulative, &later.cumulative);
        let same =
            [own, cumulative].iter().all(|change| change.grown == 0 && change.objects_grown == 0);
        (!same).then_some(Self { key, frame: (at, frame), own, cumulative, share: 0.0 })
    }

    fn named(&self, looks: [&Profile; 2], granularity: Granularity) -> SiteGrowth {
        let (look, frame) = self.frame;
        let site = frame.map(|frame| site(&looks[look].frame(frame), granularity));
        let Self { own, cumulative, share, .. } = *self;
        SiteGrowth { site: site.unwrap_or_default(), own, cumulative, share }
    }
}

fn ranked(mut rows: Vec<Changed>) -> (Vec<Changed>, u64, u64) {
    let (mut grown, mut shrunk) = (0_u64, 0_u64);
    for row in &rows {
        let by = row.own.grown.unsigned_abs();
        let side = if row.own.grown > 0 { &mut grown } else { &mut shrunk };
        *side = side.saturating_add(by);
    }
    for row in rows.iter_mut().filter(|row| row.own.grown > 0) {
        row.share = row.own.grown as f64 / grown as f64;
    }
    rows.sort_by(|a, b| {
        let key = |row: &Changed| (row.own.grown, row.cumulative.grown);
        key(b).cmp(&key(a)).then_with(|| a.key.cmp(&b.key))
    });
    (rows, grown, shrunk)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile(rows: &str) -> Profile {
        let text = format!("heap profile: 0: 0 [0: 0] @ heap_v2/1000\n{rows}");
        super::super::heap_text::read(&text).unwrap()
    }

    fn row(objects: i64, bytes: i64, frames: &[&str]) -> String {
        let mut text = format!("{objects}: {bytes} [{objects}: {bytes}] @ 0x1\n");
        for frame in frames {
            text.push_str(&format!("#\t0x1\t{frame}+0x1\t/a.go:7\n"));
        }
        text
    }

    #[test]
    fn growth_is_of_the_site_that_allocates_and_of_those_above_it() {
        let large = 1_000_000;
        let before = profile(&row(1, large, &["malloc", "main.leak", "main.main"]));
        let after = profile(
            &[
                row(3, 3 * large, &["malloc", "main.leak", "main.main"]),
                row(1, large, &["main.leak", "main.leak", "main.main"]),
                row(1, large, &["main.cache", "main.main"]),
            ]
            .concat(),
        );
        let growth =
            difference(&before, &after, Measure::InuseSpace, Granularity::Function).unwrap();
        let told = growth
            .rows
            .iter()
            .map(|row| (row.site.to_string(), row.own.grown / large, row.cumulative.grown / large));
        let told: Vec<_> = told.collect();
        let want =
            [("main.leak", 3, 3), ("main.cache", 1, 1), ("main.main", 0, 4), ("malloc", 0, 2)];
        assert_eq!(told, want.map(|(site, own, all)| (site.to_owned(), own, all)));
        assert!((growth.rows[0].share - 0.75).abs() < 1e-9);
        assert_eq!(growth.unseen, Some(Bytes(3000)));
        assert_eq!((growth.grown, growth.shrunk), (4_000_000, 0));
    }

    #[test]
    fn growth_within_the_error_of_sampling_is_not_sure() {
        let before = profile(&row(4, 400, &["main.small"]));
        let after = profile(&row(5, 500, &["main.small"]));
        let growth = difference(&before, &after, Measure::InuseSpace, Granularity::Line).unwrap();
        let own = growth.rows[0].own;
        // Of objects of a tenth of the period about one in ten is seen, so one more that was
        // seen stands for ten, give or take thirty.
        assert!(own.grown > 1000 && own.error as f64 > 2.0 * own.grown as f64, "{own:?}");
        assert!(!own.is_sure());
        assert_eq!(growth.rows[0].site.to_string(), "main.small (/a.go:7)");
        let leak = profile(&row(500, 50_000, &["main.small"]));
        let growth = difference(&before, &leak, Measure::InuseSpace, Granularity::Line).unwrap();
        assert!(growth.rows[0].own.is_sure());
    }

    #[test]
    fn what_cannot_be_compared_is_refused() {
        let held = profile("");
        let error = difference(&held, &held, Measure::PeakSpace, Granularity::Line).unwrap_err();
        assert!(error.to_string().contains("earlier profile does not have PeakSpace"), "{error}");
        let same = difference(&held, &held, Measure::InuseSpace, Granularity::Line).unwrap();
        assert_eq!((same.rows.len(), same.grown, same.shrunk), (0, 0, 0));
    }

    #[test]
    fn growth_is_told_for_each_unit_of_work() {
        let each = per_unit_of_work(48_000, NonZeroU64::new(12_000).unwrap());
        assert!((each - 4.0).abs() < 1e-9);
    }
}
