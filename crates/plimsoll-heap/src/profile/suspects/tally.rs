//! What a profile holds by place: samples of one stack together, and stacks of one place.

use std::collections::{BTreeMap, HashSet};

use super::super::growth::sites::{SiteKey, Totals};
use super::super::ways::{Place, Ways};
use super::super::{Measure, Unit, Wait};
use super::Listings;
use super::look::Look;

/// Everything of a profile, by place.
pub(super) struct Tally<'a> {
    pub(super) look: &'a Look<'a>,
    pub(super) places: BTreeMap<Key, Held>,
    /// Bytes outside of the heap, of all places.
    pub(super) outside: u64,
}

/// What makes two places the same, in every profile that is compared.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Key {
    /// Who keeps it: the owner, the field, and what is waited for.
    Kept(Box<(String, String, Option<Wait>)>),
    /// Where it was allocated. As numbers: there are as many as a profile has lines, and their
    /// names are as long as it likes.
    Allocated(SiteKey, Option<Wait>),
}

/// One place.
#[derive(Clone, Debug)]
pub(super) struct Held {
    /// What the source says of it; `None` where it was not followed.
    place: Option<Box<Place>>,
    pub(super) sum: Totals,
    pub(super) outside: u64,
    /// The innermost node of the stack with most of it.
    pub(super) node: Option<u32>,
    most: i64,
}

impl<'a> Tally<'a> {
    /// `followed` are the nodes whose stacks are followed through the source.
    pub(super) fn of(look: &'a Look<'a>, listings: &Listings, followed: &HashSet<u32>) -> Self {
        let mut tally = Self { look, places: BTreeMap::new(), outside: 0 };
        let mut ways = Ways::new(look.profile, listings, &look.nearest);
        let waits = look.measure() == Measure::Goroutines;
        for (node, sum) in look.stacks.iter().copied() {
            let is_followed = node.is_some_and(|node| followed.contains(&node));
            let way = |ways: &mut Ways<'_>| {
                if waits { ways.waiting(node) } else { ways.place(node) }
            };
            let place = is_followed.then(|| way(&mut ways));
            tally.add(node, place, sum);
        }
        tally
    }

    fn add(&mut self, node: Option<u32>, place: Option<Place>, sum: Totals) {
        let objects = sum.objects.max(0) as u64;
        let counts_bytes = self.look.profile.columns[self.look.column].unit == Unit::Bytes;
        let each = place.as_ref().and_then(|place| place.outside_each).filter(|_| counts_bytes);
        let outside = each.map_or(0, |each| each.saturating_mul(objects));
        self.outside = self.outside.saturating_add(outside);
        let key = self.key(node, place.as_ref());
        let most = sum.value.saturating_add_unsigned(outside);
        let place = place.map(Box::new);
        match self.places.get_mut(&key) {
            Some(known) => {
                known.sum.add(&sum);
                known.outside = known.outside.saturating_add(outside);
                if most > known.most {
                    (known.most, known.node, known.place) = (most, node, place);
                }
            }
            None => drop(self.places.insert(key, Held { place, sum, outside, node, most })),
        }
    }

    fn key(&self, node: Option<u32>, place: Option<&Place>) -> Key {
        let waits = self.look.measure() == Measure::Goroutines;
        let wait = node.filter(|_| waits).and_then(|node| self.look.nearest.wait(node));
        match place.and_then(|place| place.field.as_ref().map(|field| (&place.owner, field))) {
            Some((owner, field)) => Key::Kept(Box::new((owner.clone(), field.clone(), wait))),
            None => Key::Allocated(self.look.key(node), wait),
        }
    }

    /// What is known of a place: by the source, or by the stack alone.
    pub(super) fn place(&self, held: &Held) -> Place {
        if let Some(place) = &held.place {
            return (**place).clone();
        }
        let nothing = Listings::new();
        let mut ways = Ways::new(self.look.profile, &nothing, &self.look.nearest);
        if self.look.measure() == Measure::Goroutines {
            ways.waiting(held.node)
        } else {
            ways.place(held.node)
        }
    }
}

impl Held {
    /// What it holds, with what comes with it outside of the heap.
    pub(super) fn weight(&self) -> i64 {
        self.sum.value.saturating_add_unsigned(self.outside)
    }
}
