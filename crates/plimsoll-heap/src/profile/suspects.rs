//! Which places of a program hold suspiciously much by one profile, or grew between profiles, with
//! the mistake that it looks like, in words.
//!
//! One profile cannot tell growth from size: only what is large in itself and a good part of all is
//! suspected. Where a place gets its name from is in `ways`; reading sources is the caller's.

mod growth;
mod tally;

use std::collections::BTreeMap;

use thiserror::Error;

use super::growth::Site;
use super::growth::sites::totals;
use super::{Granularity, Listing, Measure, Profile, Unit, Wait, Whose};
use crate::faults::Fault;
use crate::report::{ACCUSED_MAX, thousands};
use crate::suspects::BYTES_MIN;
pub use growth::ProfileChange;
use tally::{Held, Tally};

/// Sources by the file names that a profile has for them.
pub type Listings = BTreeMap<String, Listing>;

/// Source files that a profile may ask for, those of the heaviest stacks first.
const SOURCES_MAX: usize = 64;
/// A suspected place holds at least this share. More than of a dump's holders: a place that
/// allocates is no holder, and the data that a healthy program is there to hold is often a fifth.
const SHARE_MIN: f64 = 0.25;
/// Goroutines that wait in one place, from which they are suspected: pools of workers have a few
/// hundred.
const WAITING_MIN: i64 = 1000;
/// Frames of a stack that are told.
const STACK_MAX: usize = 12;

/// Why a profile cannot be ranked.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CannotRank {
    #[error("the profile has no column that tells of memory or of goroutines; it has {columns}")]
    NoMeasure { columns: String },
    #[error("{at} has no {measure:?}, which the others have; compare profiles of one kind")]
    Differs { at: String, measure: Measure },
}

/// A place in a program with what it holds; of growth, what it holds more.
#[derive(Clone, Debug, PartialEq)]
pub struct SiteSuspect {
    /// The mistake that it looks like; `None` where neither the stack nor the source tells.
    pub fault: Option<Fault>,
    /// A function, or a class of Python.
    pub owner: String,
    /// What the source says keeps it.
    pub field: Option<String>,
    pub is_static: bool,
    /// Where most of it was allocated: the nearest frame of the program's own.
    pub site: Site,
    /// In the profile's measure.
    pub value: i64,
    /// 0 where the profile does not count objects.
    pub objects: i64,
    /// Bytes that the runtime does not count, reckoned from what the line asks for.
    pub outside: u64,
    /// One standard error of `value`; 0 where nothing was sampled.
    pub error: u64,
    /// Of all, what is outside included; 0 to 1.
    pub share: f64,
    /// The heaviest stack, innermost frame first; told of suspects only.
    pub stack: Vec<String>,
    /// The file and the line that named the field.
    pub read_at: Option<(String, u32)>,
    pub wait: Option<Wait>,
    /// Whether a frame of the program's own is in the stack.
    pub is_own: bool,
    /// Whether the source says that one variable or field holds it, and no collection: it may be
    /// large, and grows only as itself.
    pub is_single: bool,
}

/// A function as `pprof -top` lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionRow {
    pub site: Site,
    /// Where it is the innermost.
    pub flat: i64,
    /// Where it is anywhere.
    pub cumulative: i64,
}

/// One profile.
#[derive(Clone, Debug, PartialEq)]
pub struct ProfileReport {
    pub measure: Measure,
    pub unit: Unit,
    pub total: i64,
    /// 0 where they are not counted.
    pub objects: i64,
    /// At most three, the heaviest first.
    pub suspects: Vec<SiteSuspect>,
    /// Every place, the heaviest first.
    pub places: Vec<SiteSuspect>,
    /// By what is allocated in them.
    pub functions: Vec<FunctionRow>,
}

impl ProfileReport {
    /// Ranks what a profile has. Listings are those of [`wanted_sources`] that could be read, or
    /// none.
    ///
    /// # Errors
    /// When the profile has nothing to rank.
    pub fn of(profile: &Profile, listings: &Listings) -> Result<Self, CannotRank> {
        let (measure, column) = ranked_by(profile)?;
        let tally = Tally::of(profile, column, listings);
        let total = tally.total.value;
        let all = total.max(0) as f64 + tally.outside as f64;
        let holding = tally.places.values().filter(|held| held.weight() > 0);
        let mut ranked: Vec<(SiteSuspect, &Held)> =
            holding.map(|held| (suspect(profile, held, all), held)).collect();
        ranked.sort_by(|(a, _), (b, _)| {
            b.weight().cmp(&a.weight()).then_with(|| a.owner.cmp(&b.owner))
        });
        let held_now = is_held_now(measure);
        let is_suspected = |place: &SiteSuspect| held_now && place.is_suspicious(measure);
        let suspected = ranked.iter().filter(|(place, _)| is_suspected(place)).take(ACCUSED_MAX);
        let suspected = suspected.map(|(place, held)| SiteSuspect {
            stack: held.stack(profile, listings, STACK_MAX),
            ..place.clone()
        });
        let suspects = suspected.collect();
        let places = ranked.into_iter().map(|(place, _)| place).collect();
        let mut functions: Vec<FunctionRow> =
            totals(profile, column, Granularity::Function).sites.into_iter().map(row).collect();
        functions.retain(|row| row.flat != 0 || row.cumulative != 0);
        functions.sort_by(|a, b| {
            (b.flat, b.cumulative).cmp(&(a.flat, a.cumulative)).then_with(|| a.site.cmp(&b.site))
        });
        let unit = profile.columns[column].unit;
        let objects = tally.total.objects;
        Ok(Self { measure, unit, total, objects, suspects, places, functions })
    }

    /// Whether the profile tells what is held now, and not only what was ever allocated.
    pub const fn tells_what_is_held(&self) -> bool {
        is_held_now(self.measure)
    }
}

const fn is_held_now(measure: Measure) -> bool {
    match measure {
        Measure::InuseObjects
        | Measure::InuseSpace
        | Measure::PeakObjects
        | Measure::PeakSpace
        | Measure::Goroutines => true,
        Measure::AllocObjects | Measure::AllocSpace | Measure::Other => false,
    }
}

/// The measure that tells most of what is held, and its column.
fn ranked_by(profile: &Profile) -> Result<(Measure, usize), CannotRank> {
    const BY: [Measure; 7] = [
        Measure::InuseSpace,
        Measure::Goroutines,
        Measure::PeakSpace,
        Measure::AllocSpace,
        Measure::InuseObjects,
        Measure::PeakObjects,
        Measure::AllocObjects,
    ];
    let found = BY.iter().find_map(|measure| Some((*measure, profile.column(*measure)?)));
    found.ok_or_else(|| {
        let names: Vec<&str> = profile.columns.iter().map(|column| &*column.name).collect();
        CannotRank::NoMeasure { columns: names.join(", ") }
    })
}

/// The source files that say most of who keeps what: those of the program's own frames.
pub fn wanted_sources(profile: &Profile) -> Vec<String> {
    let Ok((_, column)) = ranked_by(profile) else { return Vec::new() };
    let is_own = |frame: &super::Frame<'_>| {
        frame.file.is_some_and(Listing::is_readable) && Whose::of(frame) == Whose::Own
    };
    // Stacks share their callers, so each frame is asked once, with all that is below it.
    let mut below = vec![0_i64; profile.nodes.len()];
    for sample in 0..profile.sample_count() {
        if let Some(leaf) = profile.stacks[sample] {
            let below = &mut below[leaf as usize];
            *below = below.saturating_add(profile.values(sample)[column]);
        }
    }
    let mut weight: BTreeMap<&str, i64> = BTreeMap::new();
    for at in (0..below.len()).rev() {
        let node = profile.nodes[at];
        if let Some(caller) = node.caller {
            below[caller as usize] = below[caller as usize].saturating_add(below[at]);
        }
        let frame = profile.frame(node.frame);
        if let Some(file) = frame.file.filter(|_| is_own(&frame)) {
            let known = weight.entry(file).or_default();
            *known = known.saturating_add(below[at]);
        }
    }
    let mut files: Vec<(&str, i64)> = weight.into_iter().collect();
    files.sort_by_key(|(_, weight)| std::cmp::Reverse(*weight));
    files.into_iter().take(SOURCES_MAX).map(|(file, _)| file.to_owned()).collect()
}

fn row((site, totals): (Site, super::growth::sites::SiteTotals)) -> FunctionRow {
    FunctionRow { site, flat: totals.own.value, cumulative: totals.cumulative.value }
}

fn suspect(profile: &Profile, held: &Held, all: f64) -> SiteSuspect {
    let place = &held.place;
    let weight = held.sum.value.max(0) as f64 + held.outside as f64;
    SiteSuspect {
        fault: place.fault,
        owner: place.owner.clone(),
        field: place.field.clone(),
        is_static: place.is_static,
        site: held.site(profile),
        value: held.sum.value,
        objects: held.sum.objects,
        outside: held.outside,
        error: held.sum.variance.sqrt().ceil() as u64,
        share: if all > 0.0 { weight / all } else { 0.0 },
        stack: Vec::new(),
        read_at: place.read_at.clone(),
        wait: place.wait,
        is_own: place.is_own,
        is_single: place.is_single,
    }
}

impl SiteSuspect {
    fn weight(&self) -> i64 {
        self.value.saturating_add_unsigned(self.outside)
    }

    fn is_suspicious(&self, measure: Measure) -> bool {
        if !self.is_own {
            return false;
        }
        if measure == Measure::Goroutines {
            return self.wait.is_some() && self.value >= WAITING_MIN;
        }
        let is_sure = self.weight() as f64 > 2.0 * self.error as f64;
        let is_large = self.share >= SHARE_MIN && self.weight() >= BYTES_MIN as i64;
        is_large && is_sure && !self.is_single
    }

    /// Who, as `openSessions in main.(*Registry).login`.
    pub fn place(&self) -> String {
        match &self.field {
            Some(field) if self.owner == *field => format!("the kept results of {field}"),
            Some(field) => format!("{field} in {}", self.owner),
            None => self.owner.clone(),
        }
    }

    /// What is suspicious, as one sentence; `has_grown` when it is told of growth.
    pub fn words(&self, has_grown: bool) -> String {
        let place = self.place();
        let percent = (self.share * 100.0).round();
        let site = &self.site;
        if let Some(wait) = self.wait {
            let more = if has_grown { "more " } else { "" };
            let channel = self.field.as_ref().map_or(String::new(), |field| format!(" ({field})"));
            return format!(
                "{} {more}goroutines wait in {}, {percent} % of all, {}{channel}, at {site}",
                thousands(self.value.unsigned_abs()),
                self.owner,
                wait.words()
            );
        }
        let verb = if has_grown { "grew by" } else { "holds" };
        let of = if has_grown { "of all growth" } else { "of what is in use" };
        let by = if self.field.is_some() { "" } else { "what is allocated in " };
        let outside = match self.outside {
            0 => "",
            _ => ", most of it outside of what the profile counts, reckoned from the line",
        };
        format!("{by}{place} {verb} {percent} % {of}{outside}; allocated at {site}")
    }
}

#[cfg(test)]
mod tests;
