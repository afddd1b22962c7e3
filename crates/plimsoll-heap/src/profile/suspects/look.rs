//! A profile that is ranked, with what is found once for all of its stacks; and which stacks are
//! followed through the source.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use super::super::growth::Site;
use super::super::growth::sites::{SiteKey, Totals, sampled};
use super::super::nearest::{Nearest, ranks};
use super::super::{Granularity, Listing, Measure, NameId, Profile, Whose};
use super::{Listings, ranked_by};

/// Stacks whose way is followed through the source, the heaviest first; those behind hold next to
/// nothing and keep their nearest own frame.
const FOLLOWED_MAX: usize = 1024;
/// Source files that a profile may ask for, those of the heaviest stacks first.
const SOURCES_MAX: usize = 64;

/// One profile of those that are ranked together.
pub(super) struct Look<'a> {
    pub(super) profile: &'a Profile,
    pub(super) column: usize,
    pub(super) nearest: Nearest,
    /// Of the profile's names, among those of all looks.
    pub(super) ranks: Vec<u32>,
    pub(super) total: Totals,
    /// Every stack with what it has, the heaviest first.
    pub(super) stacks: Vec<(Option<u32>, Totals)>,
}

impl<'a> Look<'a> {
    /// Looks in the order of these profiles, each with the column that it is ranked by.
    pub(super) fn all(profiles: &[(&'a Profile, usize)]) -> Vec<Self> {
        let only: Vec<&Profile> = profiles.iter().map(|(profile, _)| *profile).collect();
        let looks = profiles.iter().zip(ranks(&only));
        looks.map(|((profile, column), ranks)| Self::of(profile, *column, ranks)).collect()
    }

    fn of(profile: &'a Profile, column: usize, ranks: Vec<u32>) -> Self {
        let mut of_stack: HashMap<Option<u32>, Totals> = HashMap::new();
        let mut total = Totals::default();
        for sample in 0..profile.sample_count() {
            let found = sampled(profile, sample, column);
            total.add(&found);
            of_stack.entry(profile.stacks[sample]).or_default().add(&found);
        }
        let mut stacks: Vec<(Option<u32>, Totals)> = of_stack.into_iter().collect();
        stacks.sort_by_key(|(node, sum)| (Reverse(sum.value), *node));
        Self { profile, column, nearest: Nearest::of(profile), ranks, total, stacks }
    }

    pub(super) fn measure(&self) -> Measure {
        self.profile.columns[self.column].measure
    }

    /// The site that a stack is told by: the nearest frame of the program's own, or of a
    /// dependency, or the innermost.
    pub(super) fn key(&self, node: Option<u32>) -> SiteKey {
        let Some(node) = node else { return SiteKey::default() };
        let at = self.profile.nodes[self.nearest.place(node) as usize];
        let frame = &self.profile.frames[at.frame as usize];
        SiteKey::of(frame, &self.ranks, Granularity::Line)
    }

    /// The same in words.
    pub(super) fn site(&self, node: Option<u32>) -> Site {
        let Some(node) = node else { return Site::default() };
        let at = self.profile.nodes[self.nearest.place(node) as usize];
        let frame = self.profile.frame(at.frame);
        let owned = |text: Option<&str>| text.map(str::to_owned);
        Site {
            function: owned(frame.function),
            file: owned(frame.file),
            line: frame.line,
            module: owned(frame.module),
            address: frame.address,
        }
    }

    /// The frames of a stack, innermost first; functions that the profile does not name by the
    /// source.
    pub(super) fn stack(
        &self,
        node: Option<u32>,
        listings: &Listings,
        frames_max: usize,
    ) -> Vec<String> {
        let profile = self.profile;
        let nodes = std::iter::successors(node, |at| profile.nodes[*at as usize].caller);
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

    /// For each node, a number that is the same for the same stack in every look.
    fn numbers(&self) -> Vec<u64> {
        let rank = |id: Option<NameId>| id.map(|NameId(id)| self.ranks[id as usize]);
        let mut numbers: Vec<u64> = Vec::with_capacity(self.profile.nodes.len());
        for node in &self.profile.nodes {
            let frame = &self.profile.frames[node.frame as usize];
            let mut hasher = DefaultHasher::new();
            node.caller.map(|caller| numbers[caller as usize]).hash(&mut hasher);
            (rank(frame.function), rank(frame.file), rank(frame.module)).hash(&mut hasher);
            (frame.line, frame.address).hash(&mut hasher);
            numbers.push(hasher.finish());
        }
        numbers
    }
}

/// For each look, the nodes whose stacks are followed. The same stacks in every look: a stack that
/// is told by its field in one of them and by its line in the next would have grown from nothing.
pub(super) fn followed(looks: &[Look<'_>]) -> Vec<HashSet<u32>> {
    let nodes = |look: &Look<'_>| {
        let nodes = look.stacks.iter().filter_map(|(node, _)| *node);
        nodes.collect::<Vec<u32>>()
    };
    if looks.iter().all(|look| look.stacks.len() <= FOLLOWED_MAX) {
        return looks.iter().map(|look| nodes(look).into_iter().collect()).collect();
    }
    let numbers: Vec<Vec<u64>> = looks.iter().map(Look::numbers).collect();
    let mut weights: HashMap<u64, i64> = HashMap::new();
    for (look, numbers) in looks.iter().zip(&numbers) {
        for (node, sum) in look.stacks.iter().take(FOLLOWED_MAX) {
            let Some(node) = node else { continue };
            let weight = weights.entry(numbers[*node as usize]).or_insert(sum.value);
            *weight = sum.value.max(*weight);
        }
    }
    let mut heaviest: Vec<(u64, i64)> = weights.into_iter().collect();
    heaviest.sort_by_key(|(number, weight)| (Reverse(*weight), *number));
    let chosen: HashSet<u64> =
        heaviest.into_iter().take(FOLLOWED_MAX).map(|(number, _)| number).collect();
    let of_look = |(look, numbers): (&Look<'_>, &Vec<u64>)| {
        let is_chosen = |node: &u32| chosen.contains(&numbers[*node as usize]);
        nodes(look).into_iter().filter(is_chosen).collect()
    };
    looks.iter().zip(&numbers).map(of_look).collect()
}

/// The source files that say most of who keeps what: those of the program's own frames.
pub fn wanted_sources(profile: &Profile) -> Vec<String> {
    let Ok((_, column)) = ranked_by(profile) else { return Vec::new() };
    // Stacks share their callers, so each frame is asked once, with all that is below it.
    let mut below = vec![0_i64; profile.nodes.len()];
    for sample in 0..profile.sample_count() {
        if let Some(leaf) = profile.stacks[sample] {
            let below = &mut below[leaf as usize];
            *below = below.saturating_add(profile.values(sample)[column]);
        }
    }
    let nearest = Nearest::of(profile);
    let mut weight: HashMap<NameId, i64> = HashMap::new();
    for at in (0..below.len()).rev() {
        let node = profile.nodes[at];
        if let Some(caller) = node.caller {
            below[caller as usize] = below[caller as usize].saturating_add(below[at]);
        }
        let file = profile.frames[node.frame as usize].file;
        if let Some(file) = file.filter(|_| nearest.whose(node.frame) == Whose::Own) {
            let known = weight.entry(file).or_default();
            *known = known.saturating_add(below[at]);
        }
    }
    let files =
        weight.into_iter().map(|(NameId(id), weight)| (&*profile.names[id as usize], weight));
    let mut files: Vec<(&str, i64)> =
        files.filter(|(file, _)| Listing::is_readable(file)).collect();
    files.sort_by_key(|(file, weight)| (Reverse(*weight), *file));
    files.into_iter().take(SOURCES_MAX).map(|(file, _)| file.to_owned()).collect()
}
