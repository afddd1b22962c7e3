//! Which places of a program grew between two profiles or more.

use std::collections::BTreeSet;

use super::super::growth::sites::Totals;
use super::super::{Measure, Profile, Unit};
use super::tally::{Held, Key, Tally};
use super::{CannotRank, Listings, STACK_MAX, SiteSuspect, ranked_by, suspect};
use crate::report::ACCUSED_MAX;

/// Of all growth, what a blamed place has at least. Below it is what every program does meanwhile.
const GROWTH_SHARE_MIN: f64 = 0.10;
/// Bytes that a blamed place has more: less comes from tables, buffers and caches of the runtime
/// that fill as a program goes.
const GROWN_BYTES_MIN: i64 = 64 << 10;
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
}

impl ProfileChange {
    /// Compares profiles of one program, in the order of time.
    ///
    /// # Errors
    /// When one of them has nothing to rank, or not what the first has.
    pub fn of(looks: &[Profile], listings: &Listings) -> Result<Self, CannotRank> {
        let nothing = || CannotRank::NoMeasure { columns: "none".into() };
        let last = looks.last().ok_or_else(nothing)?;
        let (measure, _) = ranked_by(last)?;
        let mut tallies = Vec::with_capacity(looks.len());
        for (at, look) in looks.iter().enumerate() {
            let at = format!("profile {}", at + 1);
            let column = look.column(measure).ok_or(CannotRank::Differs { at, measure })?;
            tallies.push(Tally::of(look, column, listings));
        }
        let column = last.column(measure).ok_or_else(nothing)?;
        let unit = last.columns[column].unit;
        let (Some(earliest), Some(latest)) = (tallies.first(), tallies.last()) else {
            return Err(nothing());
        };
        let grown = latest.total.value.saturating_sub(earliest.total.value);
        let objects_grown = latest.total.objects.saturating_sub(earliest.total.objects);
        let keys: BTreeSet<&Key> = tallies.iter().flat_map(|tally| tally.places.keys()).collect();
        let changed = keys.into_iter().filter_map(|key| changed(key, &tallies, looks));
        let mut ranked: Vec<Changed<'_>> = changed.collect();
        let all: f64 = ranked.iter().map(|one| one.place.weight().max(0) as f64).sum();
        for one in &mut ranked {
            one.place.share = one.place.weight().max(0) as f64 / all.max(1.0);
        }
        ranked.sort_by(|a, b| {
            let weight = b.place.weight().cmp(&a.place.weight());
            weight.then_with(|| a.place.owner.cmp(&b.place.owner))
        });
        let blamed = ranked.iter().filter(|one| one.is_steady && is_blamed(&one.place, measure));
        let blamed = blamed.take(ACCUSED_MAX).map(|one| SiteSuspect {
            stack: one.latest.stack(one.look, listings, STACK_MAX),
            ..one.place.clone()
        });
        let suspects = blamed.collect();
        let places = ranked.into_iter().map(|one| (one.place, one.is_steady)).collect();
        Ok(Self { measure, unit, grown, objects_grown, suspects, places })
    }
}

fn is_blamed(place: &SiteSuspect, measure: Measure) -> bool {
    let is_much = if measure == Measure::Goroutines {
        place.wait.is_some() && place.value >= GROWN_WAITING_MIN
    } else {
        let is_sure = place.weight() as f64 > 2.0 * place.error as f64;
        is_sure && place.weight() >= GROWN_BYTES_MIN
    };
    place.is_own && is_much && place.share >= GROWTH_SHARE_MIN
}

/// A place that changed.
struct Changed<'a> {
    place: SiteSuspect,
    /// Whether it grew in each step.
    is_steady: bool,
    /// As the latest look that has it tells.
    latest: &'a Held,
    look: &'a Profile,
}

/// A place that has not in the last look what it had in the first.
fn changed<'a>(key: &Key, tallies: &'a [Tally], looks: &'a [Profile]) -> Option<Changed<'a>> {
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
    let outside_grown = outside(last).saturating_sub(outside(first));
    if grown.value == 0 && grown.objects == 0 && outside_grown == 0 {
        return None;
    }
    let weight = |held: Option<&Held>| held.map_or(0, Held::weight);
    let is_steady = held.windows(2).all(|pair| weight(pair[1]) > weight(pair[0]));
    // Where most of it was allocated is told by the latest look that has the place.
    let (look, latest) =
        looks.iter().zip(&held).rev().find_map(|(look, at)| Some((look, (*at)?)))?;
    let of = Held { sum: grown, outside: outside_grown, ..latest.clone() };
    Some(Changed { place: suspect(look, &of, 1.0), is_steady, latest, look })
}
