//! Which places of a program hold suspiciously much by one profile, or grew between profiles, with
//! the mistake that it looks like, in words.
//!
//! One profile cannot tell growth from size: only what is large in itself and a good part of all is
//! suspected. Where a place gets its name from is in `ways`; reading sources is the caller's.

mod growth;
mod look;
mod tally;

use std::collections::BTreeMap;

use thiserror::Error;

use super::growth::Site;
use super::growth::sites::{SiteRow, SiteTotals, Totals, site, totals};
use super::room::Room;
use super::{Granularity, Listing, Measure, Profile, Unit, Wait};
use crate::faults::Fault;
use crate::report::{ACCUSED_MAX, thousands};
use crate::suspects::BYTES_MIN;
pub use growth::ProfileChange;
pub use look::wanted_sources;
use look::{Look, followed};
use tally::{Held, Key, Tally};

/// Sources by the file names that a profile has for them.
pub type Listings = BTreeMap<String, Listing>;

/// A suspected place holds at least this share. More than of a dump's holders: a place that
/// allocates is no holder, and the data that a healthy program is there to hold is often a fifth.
const SHARE_MIN: f64 = 0.25;
/// Goroutines that wait in one place, from which they are suspected: pools of workers have a few
/// hundred.
const WAITING_MIN: i64 = 1000;
/// Objects that a suspected place holds, where a profile counts nothing else; the smallest take
/// some hundred thousand bytes.
const OBJECTS_MIN: i64 = 10_000;
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
    /// Places with least that are not among them: there is a bound of rows.
    pub places_left_out: usize,
    /// By what is allocated in them.
    pub functions: Vec<FunctionRow>,
    /// As of places.
    pub functions_left_out: usize,
}

impl ProfileReport {
    /// Ranks what a profile has. Listings are those of [`wanted_sources`] that could be read, or
    /// none.
    ///
    /// # Errors
    /// When the profile has nothing to rank.
    pub fn of(profile: &Profile, listings: &Listings) -> Result<Self, CannotRank> {
        let (measure, column) = ranked_by(profile)?;
        let looks = Look::all(&[(profile, column)]);
        let (Some(look), Some(chosen)) = (looks.first(), followed(&looks).pop()) else {
            return Err(CannotRank::NoMeasure { columns: "none".into() });
        };
        let tally = Tally::of(look, listings, &chosen);
        let total = look.total.value;
        let all = total.max(0) as f64 + tally.outside as f64;
        let mut ranked: Vec<(&Key, &Held)> =
            tally.places.iter().filter(|(_, held)| held.weight() > 0).collect();
        ranked.sort_by(|(a, one), (b, other)| {
            other.weight().cmp(&one.weight()).then_with(|| a.cmp(b))
        });
        let mut room = Room::new();
        let places = ranked.iter().map(|(_, held)| {
            suspect(&tally, held, (held.sum, held.outside), all).if_many(measure, WAITING_MIN)
        });
        let places: Vec<SiteSuspect> =
            places.take_while(|place| room.takes(place.text_bytes())).collect();
        let is_suspected =
            |place: &SiteSuspect| is_held_now(measure) && place.is_suspicious(measure);
        let suspected = places.iter().zip(&ranked).filter(|(place, _)| is_suspected(place));
        let suspected = suspected.take(ACCUSED_MAX).map(|(place, (_, held))| SiteSuspect {
            stack: look.stack(held.node, listings, STACK_MAX),
            ..place.clone()
        });
        let suspects = suspected.collect();
        let places_left_out = ranked.len() - places.len();
        let (functions, functions_left_out) = functions(look);
        let unit = profile.columns[column].unit;
        let objects = look.total.objects;
        Ok(Self {
            measure,
            unit,
            total,
            objects,
            suspects,
            places,
            places_left_out,
            functions,
            functions_left_out,
        })
    }

    /// Whether the profile tells what is held now, and not only what was ever allocated.
    pub const fn tells_what_is_held(&self) -> bool {
        is_held_now(self.measure)
    }
}

/// Whether a measure counts objects instead of bytes.
const fn counts_objects(measure: Measure) -> bool {
    match measure {
        Measure::InuseObjects | Measure::AllocObjects | Measure::PeakObjects => true,
        Measure::InuseSpace
        | Measure::AllocSpace
        | Measure::PeakSpace
        | Measure::Goroutines
        | Measure::Other => false,
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

/// A place with what it holds, or holds more: `sum` and `outside`.
fn suspect(tally: &Tally<'_>, held: &Held, (sum, outside): (Totals, u64), all: f64) -> SiteSuspect {
    let place = tally.place(held);
    let weight = sum.value.max(0) as f64 + outside as f64;
    SiteSuspect {
        fault: place.fault,
        owner: place.owner,
        field: place.field,
        is_static: place.is_static,
        site: tally.look.site(held.node),
        value: sum.value,
        objects: sum.objects,
        outside,
        error: sum.variance.sqrt().ceil() as u64,
        share: if all > 0.0 { weight / all } else { 0.0 },
        stack: Vec::new(),
        read_at: place.read_at,
        wait: place.wait,
        is_own: place.is_own,
        is_single: place.is_single,
    }
}

/// The heaviest functions, and how many are left out.
fn functions(look: &Look<'_>) -> (Vec<FunctionRow>, usize) {
    let found = totals(look.profile, look.column, Granularity::Function, &look.ranks);
    let mut rows = found.sites;
    rows.retain(|row| row.totals.own.value != 0 || row.totals.cumulative.value != 0);
    rows.sort_by(|a, b| {
        let key = |row: &SiteRow| (row.totals.own.value, row.totals.cumulative.value);
        key(b).cmp(&key(a)).then_with(|| a.key.cmp(&b.key))
    });
    let mut room = Room::new();
    let named = rows.iter().map(|row| {
        let frame = row.frame.map(|frame| look.profile.frame(frame));
        let site = frame.map(|frame| site(&frame, Granularity::Function)).unwrap_or_default();
        let SiteTotals { own, cumulative } = row.totals;
        FunctionRow { site, flat: own.value, cumulative: cumulative.value }
    });
    let kept: Vec<FunctionRow> =
        named.take_while(|row| room.takes(row.site.text_bytes())).collect();
    let left_out = rows.len() - kept.len();
    (kept, left_out)
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
            // Servers have a goroutine for each connection, and it waits in a select.
            let tells = self.wait.is_some_and(|wait| wait != Wait::Select);
            return tells && self.value >= WAITING_MIN;
        }
        let least = if counts_objects(measure) { OBJECTS_MIN } else { BYTES_MIN as i64 };
        let is_sure = self.weight() as f64 > 2.0 * self.error as f64;
        let is_large = self.share >= SHARE_MIN && self.weight() >= least;
        is_large && is_sure && !self.is_single
    }

    /// Goroutines that leak are many. What a few of them hold in their variables is what a pool of
    /// workers is there to have, and a heap does not tell whether they wait.
    fn if_many(self, measure: Measure, waiting_min: i64) -> Self {
        let is_guessed = measure != Measure::Goroutines
            && self.fault == Some(Fault::BlockedGoroutine)
            && self.objects < waiting_min;
        if is_guessed { Self { fault: None, is_single: true, ..self } } else { self }
    }

    /// Bytes of its texts.
    fn text_bytes(&self) -> usize {
        let field = self.field.as_ref().map_or(0, String::len);
        let read_at = self.read_at.as_ref().map_or(0, |(file, _)| file.len());
        self.owner.len() + field + read_at + self.site.text_bytes()
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
            _ => {
                ", at most: part of it is outside of what the profile counts, reckoned from the line"
            }
        };
        format!("{by}{place} {verb} {percent} % {of}{outside}; allocated at {site}")
    }
}

#[cfg(test)]
mod tests;
