//! What a profile holds by place: samples of one stack together, and stacks of one place.

use std::collections::{BTreeMap, HashMap};

use super::super::growth::Site;
use super::super::growth::sites::{Totals, sampled};
use super::super::ways::{Place, Ways};
use super::super::{Measure, Profile, Whose};
use super::Listings;

/// Stacks whose way is followed through the source, the heaviest first; those behind hold next to
/// nothing and keep their nearest own frame.
const FOLLOWED_MAX: usize = 1024;

/// Everything of a profile, by place.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) places: BTreeMap<Key, Held>,
    pub(super) total: Totals,
    /// Bytes outside of the heap, of all places.
    pub(super) outside: u64,
}

/// What makes two places the same: who keeps it, or where it was allocated.
pub(super) type Key = (String, String);

/// One place.
#[derive(Clone, Debug)]
pub(super) struct Held {
    pub(super) place: Place,
    pub(super) sum: Totals,
    pub(super) outside: u64,
    /// The innermost node of the stack with most of it.
    pub(super) node: Option<u32>,
    pub(super) most: i64,
}

impl Tally {
    pub(super) fn of(profile: &Profile, column: usize, listings: &Listings) -> Self {
        let mut of_stack: HashMap<Option<u32>, Totals> = HashMap::new();
        let mut tally = Self::default();
        for sample in 0..profile.sample_count() {
            let found = sampled(profile, sample, column);
            tally.total.add(&found);
            of_stack.entry(profile.stacks[sample]).or_default().add(&found);
        }
        let mut stacks: Vec<(Option<u32>, Totals)> = of_stack.into_iter().collect();
        stacks.sort_by_key(|(node, sum)| (std::cmp::Reverse(sum.value), *node));
        let nothing = Listings::new();
        let mut with_source = Ways::new(profile, listings);
        let mut without = Ways::new(profile, &nothing);
        let waits = profile.columns[column].measure == Measure::Goroutines;
        for (at, (node, sum)) in stacks.into_iter().enumerate() {
            let ways = if at < FOLLOWED_MAX { &mut with_source } else { &mut without };
            let place = if waits { ways.waiting(node) } else { ways.place(node) };
            tally.add(profile, node, place, sum);
        }
        tally
    }

    fn add(&mut self, profile: &Profile, node: Option<u32>, place: Place, sum: Totals) {
        let objects = sum.objects.max(0) as u64;
        let outside = place.outside_each.map_or(0, |each| each.saturating_mul(objects));
        self.outside = self.outside.saturating_add(outside);
        let new = Held { place, sum, outside, node, most: 0 };
        let key = new.key(profile);
        let most = sum.value.saturating_add_unsigned(outside);
        match self.places.get_mut(&key) {
            Some(known) => {
                known.sum.add(&sum);
                known.outside = known.outside.saturating_add(outside);
                if most > known.most {
                    (known.most, known.node, known.place) = (most, node, new.place);
                }
            }
            None => drop(self.places.insert(key, Held { most, ..new })),
        }
    }
}

impl Held {
    fn key(&self, profile: &Profile) -> Key {
        let wait = self.place.wait.map_or(String::new(), |wait| format!("{wait:?}"));
        match &self.place.field {
            Some(field) => (self.place.owner.clone(), format!("{field} {wait}")),
            None => (self.site(profile).to_string(), wait),
        }
    }

    /// The nearest frame of the program's own, or of a dependency, or the innermost.
    pub(super) fn site(&self, profile: &Profile) -> Site {
        let nodes = || std::iter::successors(self.node, |at| profile.nodes[*at as usize].caller);
        let frames = || nodes().map(|at| profile.frame(profile.nodes[at as usize].frame));
        let of = |whose| frames().find(|frame| Whose::of(frame) == whose);
        let frame = of(Whose::Own).or_else(|| of(Whose::Dependency)).or_else(|| frames().next());
        let Some(frame) = frame else { return Site::default() };
        let owned = |text: Option<&str>| text.map(str::to_owned);
        Site {
            function: owned(frame.function),
            file: owned(frame.file),
            line: frame.line,
            module: owned(frame.module),
            address: frame.address,
        }
    }

    /// What it holds, with what comes with it outside of the heap.
    pub(super) fn weight(&self) -> i64 {
        self.sum.value.saturating_add_unsigned(self.outside)
    }

    /// The frames of the heaviest stack, innermost first; functions that the profile does not name
    /// by the source.
    pub(super) fn stack(
        &self,
        profile: &Profile,
        listings: &Listings,
        frames_max: usize,
    ) -> Vec<String> {
        let nodes = std::iter::successors(self.node, |at| profile.nodes[*at as usize].caller);
        let frames = nodes.map(|at| profile.frame(profile.nodes[at as usize].frame));
        let told = frames.map(|frame| {
            let owned = |text: Option<&str>| text.map(str::to_owned);
            let named = || listings.get(frame.file?)?.function_at(frame.line);
            let function = owned(frame.function).or_else(|| named().map(|of| of.full_name()));
            let (file, module) = (owned(frame.file), owned(frame.module));
            Site { function, file, line: frame.line, module, address: frame.address }.to_string()
        });
        told.take(frames_max).collect()
    }
}
