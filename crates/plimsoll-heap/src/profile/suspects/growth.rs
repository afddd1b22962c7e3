//! Which places of a program grew between two profiles or more.

use std::collections::BTreeSet;

use super::super::growth::sites::Totals;
use super::super::room::Room;
use super::super::{Measure, Profile, Unit};
use super::look::{Look, followed};
use super::tally::{Held, Key, Tally};
use super::{
    CannotRank, Listings, STACK_MAX, SiteSuspect, counts_objects, is_held_now, ranked_by, suspect,
};
use crate::report::ACCUSED_MAX;

/// Of all growth, what a blamed place has at least. Below it is what every program does meanwhile.
const GROWTH_SHARE_MIN: f64 = 0.10;
/// Bytes that a blamed place has more: less comes from tables, buffers and caches of the runtime
/// that fill as a program goes.
const GROWN_BYTES_MIN: i64 = 64 << 10;
/// Objects that a blamed place has more, where a profile counts nothing else.
const GROWN_OBJECTS_MIN: i64 = 1000;
/// Goroutines that wait in one place more: less is what load alone makes.
const GROWN_WAITING_MIN: i64 = 100;

/// What changed between the first profile and the last, by place.
#[derive(Clone, Debug, PartialEq)]
pub struct ProfileChange {
    pub measure: Measure,
    pub unit: Unit,
    /// Of all places.
    pub grown: i64,
    pub objects_grown: i64,
    /// At most three, most growth first.
    pub suspects: Vec<SiteSuspect>,
    /// Every place that changed, most growth first, and whether it grew in every step.
    pub places: Vec<(SiteSuspect, bool)>,
    /// Places with least growth that are not among them: there is a bound of rows.
    pub places_left_out: usize,
}

impl ProfileChange {
    /// Compares profiles of one program, in the order of time.
    ///
    /// # Errors
    /// When one of them has nothing to rank, or not what the first has.
    pub fn of(looks: &[Profile], listings: &Listings) -> Result<Self, CannotRank> {
        let nothing = || CannotRank::NoMeasure { columns: "none".into() };
        let last = looks.last().ok_or_else(nothing)?;
        let (measure, column) = ranked_by(last)?;
        let unit = last.columns[column].unit;
        let mut with_columns = Vec::with_capacity(looks.len());
        for (at, look) in looks.iter().enumerate() {
            let at = format!("profile {}", at + 1);
            let column = look.column(measure).ok_or(CannotRank::Differs { at, measure })?;
            with_columns.push((look, column));
        }
        let looks = Look::all(&with_columns);
        let tallies = looks.iter().zip(followed(&looks));
        let tallies: Vec<Tally<'_>> =
            tallies.map(|(look, chosen)| Tally::of(look, listings, &chosen)).collect();
        let (Some(earliest), Some(latest)) = (looks.first(), looks.last()) else {
            return Err(nothing());
        };
        let grown = latest.total.value.saturating_sub(earliest.total.value);
        let objects_grown = latest.total.objects.saturating_sub(earliest.total.objects);
        let keys: BTreeSet<&Key> = tallies.iter().flat_map(|tally| tally.places.keys()).collect();
        let changed = keys.into_iter().filter_map(|key| Changed::of(key, &tallies));
        let mut ranked: Vec<Changed<'_>> = changed.collect();
        let all: f64 = ranked.iter().map(|one| one.weight().max(0) as f64).sum();
        ranked.sort_by(|a, b| b.weight().cmp(&a.weight()).then_with(|| a.key.cmp(b.key)));
        let mut room = Room::new();
        let places = ranked.iter().map(|one| one.named(all).if_many(measure, GROWN_WAITING_MIN));
        let places: Vec<SiteSuspect> =
            places.take_while(|place| room.takes(place.text_bytes())).collect();
        let is_blamed = |place: &SiteSuspect, one: &Changed<'_>| {
            is_held_now(measure) && one.is_steady && is_blamed(place, measure)
        };
        let blamed = places.iter().zip(&ranked).filter(|(place, one)| is_blamed(place, one));
        let blamed = blamed.take(ACCUSED_MAX).map(|(place, one)| SiteSuspect {
            stack: one.tally.look.stack(one.latest.node, listings, STACK_MAX),
            ..place.clone()
        });
        let suspects = blamed.collect();
        let places_left_out = ranked.len() - places.len();
        let places = places.into_iter().zip(&ranked).map(|(place, one)| (place, one.is_steady));
        let places = places.collect();
        Ok(Self { measure, unit, grown, objects_grown, suspects, places, places_left_out })
    }

    /// Whether the profiles tell what is held, and not only what was ever allocated.
    pub const fn tells_what_is_held(&self) -> bool {
        is_held_now(self.measure)
    }
}

fn is_blamed(place: &SiteSuspect, measure: Measure) -> bool {
    let is_much = if measure == Measure::Goroutines {
        place.wait.is_some() && place.value >= GROWN_WAITING_MIN
    } else {
        let least = if counts_objects(measure) { GROWN_OBJECTS_MIN } else { GROWN_BYTES_MIN };
        let is_sure = place.weight() as f64 > 2.0 * place.error as f64;
        is_sure && place.weight() >= least
    };
    place.is_own && is_much && place.share >= GROWTH_SHARE_MIN
}

/// A place that changed, without its text.
struct Changed<'a> {
    key: &'a Key,
    grown: Totals,
    outside: u64,
    /// Whether it grew in each step.
    is_steady: bool,
    /// As the latest look that has it tells.
    latest: &'a Held,
    tally: &'a Tally<'a>,
}

impl<'a> Changed<'a> {
    /// `None` for a place that has in the last look what it had in the first.
    fn of(key: &'a Key, tallies: &'a [Tally<'a>]) -> Option<Self> {
        let held: Vec<Option<&Held>> = tallies.iter().map(|tally| tally.places.get(key)).collect();
        let sum = |held: Option<&Held>| held.map_or_else(Totals::default, |held| held.sum);
        let outside = |held: Option<&Held>| held.map_or(0, |held| held.outside);
        let (first, last) = (*held.first()?, *held.last()?);
        let (before, after) = (sum(first), sum(last));
        let grown = Totals {
            value: after.value.saturating_sub(before.value),
            objects: after.objects.saturating_sub(before.objects),
            variance: before.variance + after.variance,
        };
        let outside = outside(last).saturating_sub(outside(first));
        if grown.value == 0 && grown.objects == 0 && outside == 0 {
            return None;
        }
        let weight = |held: Option<&Held>| held.map_or(0, Held::weight);
        let is_steady = held.windows(2).all(|pair| weight(pair[1]) > weight(pair[0]));
        // Where most of it was allocated is told by the latest look that has the place.
        let (tally, latest) =
            tallies.iter().zip(&held).rev().find_map(|(tally, at)| Some((tally, (*at)?)))?;
        Some(Self { key, grown, outside, is_steady, latest, tally })
    }

    fn weight(&self) -> i64 {
        self.grown.value.saturating_add_unsigned(self.outside)
    }

    fn named(&self, all: f64) -> SiteSuspect {
        let share = self.weight().max(0) as f64 / all.max(1.0);
        SiteSuspect { share, ..suspect(self.tally, self.latest, (self.grown, self.outside), 1.0) }
    }
}
