//! What one profile holds by site: of its own, and together with what is called from there.
//!
//! Stacks are a tree, so sums run from its leaves to its root once, and a site that calls itself is
//! counted where it is met first. Not here: the comparison.

use std::collections::HashMap;

use super::super::unsample::variance;
use super::super::{Frame, FrameKey, NameId, Profile, Sampling};
use super::{Granularity, Site};

/// Sums over samples.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(in crate::profile) struct Totals {
    pub(in crate::profile) value: i64,
    pub(in crate::profile) objects: i64,
    /// Of `value`, in its unit squared.
    pub(in crate::profile) variance: f64,
}

impl Totals {
    pub(in crate::profile) fn add(&mut self, other: &Self) {
        self.value = self.value.saturating_add(other.value);
        self.objects = self.objects.saturating_add(other.objects);
        self.variance += other.variance;
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(in crate::profile) struct SiteTotals {
    pub(in crate::profile) own: Totals,
    pub(in crate::profile) cumulative: Totals,
}

/// A site as numbers that are the same in all profiles that are compared, in the order of what
/// they stand for; 0 where something is not known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::profile) struct SiteKey {
    function: u32,
    file: u32,
    line: u32,
    module: u32,
    address: u64,
}

/// One site, and a frame of the profile that is in it; none where samples have no stack.
#[derive(Clone, Copy, Debug)]
pub(in crate::profile) struct SiteRow {
    pub(in crate::profile) key: SiteKey,
    pub(in crate::profile) frame: Option<u32>,
    pub(in crate::profile) totals: SiteTotals,
}

#[derive(Clone, Debug, Default)]
pub(in crate::profile) struct ProfileTotals {
    pub(in crate::profile) total: Totals,
    pub(in crate::profile) sites: Vec<SiteRow>,
}

/// `ranks` are those of the profile's names.
pub(in crate::profile) fn totals(
    profile: &Profile,
    column: usize,
    granularity: Granularity,
    ranks: &[u32],
) -> ProfileTotals {
    let sites = Sites::of(profile, granularity, ranks);
    let allocating = sites.allocating(profile);
    let mut of_site = vec![SiteTotals::default(); sites.keys.len()];
    let mut of_node = vec![Totals::default(); profile.nodes.len()];
    let mut total = Totals::default();
    let mut without_stack = Totals::default();
    for sample in 0..profile.sample_count() {
        let found = sampled(profile, sample, column);
        total.add(&found);
        if let Some(leaf) = profile.stacks[sample] {
            of_node[leaf as usize].add(&found);
            of_site[allocating[leaf as usize] as usize].own.add(&found);
        } else {
            without_stack.add(&found);
        }
    }
    // A caller's number is less than those of its callees.
    for index in (0..of_node.len()).rev() {
        let sum = of_node[index];
        if let Some(caller) = profile.nodes[index].caller {
            of_node[caller as usize].add(&sum);
        }
    }
    sites.each_outermost(profile, |node, site| {
        of_site[site as usize].cumulative.add(&of_node[node])
    });
    let row = |((key, frame), totals)| SiteRow { key, frame: Some(frame), totals };
    let mut rows: Vec<SiteRow> = sites.keys.into_iter().zip(of_site).map(row).collect();
    if without_stack != Totals::default() {
        let nowhere = SiteKey::default();
        let totals = SiteTotals { own: without_stack, cumulative: without_stack };
        match rows.iter_mut().find(|row| row.key == nowhere) {
            Some(row) => {
                row.totals.own.add(&without_stack);
                row.totals.cumulative.add(&without_stack);
            }
            None => rows.push(SiteRow { key: nowhere, frame: None, totals }),
        }
    }
    ProfileTotals { total, sites: rows }
}

pub(in crate::profile) fn sampled(profile: &Profile, sample: usize, column: usize) -> Totals {
    let values = profile.values(sample);
    let counted = profile.columns[column].measure.objects();
    let objects = counted.and_then(|measure| profile.column(measure));
    let objects = objects.map_or(0, |column| values[column]);
    let value = values[column];
    let variance = match profile.sampling {
        Sampling::EveryBytes { period, .. } if counted.is_some() => {
            variance(objects, value, period.get())
        }
        Sampling::EveryBytes { .. } | Sampling::Exact | Sampling::Unknown => 0.0,
    };
    Totals { value, objects, variance }
}

/// The sites of a profile, numbered.
struct Sites {
    /// With the first frame that is in it.
    keys: Vec<(SiteKey, u32)>,
    of_frame: Vec<u32>,
    in_allocator: Vec<bool>,
}

impl Sites {
    fn of(profile: &Profile, granularity: Granularity, ranks: &[u32]) -> Self {
        let mut ids: HashMap<SiteKey, u32> = HashMap::new();
        let in_allocator = in_allocator(profile);
        let mut sites = Self { keys: Vec::new(), of_frame: Vec::new(), in_allocator };
        for (frame, key) in profile.frames.iter().enumerate() {
            let key = SiteKey::of(key, ranks, granularity);
            let next = sites.keys.len() as u32;
            let id = *ids.entry(key).or_insert(next);
            if id == next {
                sites.keys.push((key, frame as u32));
            }
            sites.of_frame.push(id);
        }
        sites
    }

    /// For each node, the site of the innermost frame that is not the allocator's; its own where
    /// all are.
    fn allocating(&self, profile: &Profile) -> Vec<u32> {
        const ALL: u32 = u32::MAX;
        let mut found: Vec<u32> = Vec::with_capacity(profile.nodes.len());
        for node in &profile.nodes {
            let above = node.caller.map_or(ALL, |caller| found[caller as usize]);
            let in_allocator = self.in_allocator[node.frame as usize];
            found.push(if in_allocator { above } else { self.of_frame[node.frame as usize] });
        }
        for (site, node) in found.iter_mut().zip(&profile.nodes).filter(|(site, _)| **site == ALL) {
            *site = self.of_frame[node.frame as usize];
        }
        found
    }

    /// Visits each node that has its site nowhere above it.
    fn each_outermost(&self, profile: &Profile, mut visit: impl FnMut(usize, u32)) {
        let nodes = &profile.nodes;
        let mut first_callee = vec![u32::MAX; nodes.len()];
        let mut next_sibling = vec![u32::MAX; nodes.len()];
        let mut walk = Vec::new();
        for (index, node) in nodes.iter().enumerate() {
            match node.caller {
                Some(caller) => {
                    next_sibling[index] = first_callee[caller as usize];
                    first_callee[caller as usize] = index as u32;
                }
                None => walk.push((index as u32, false)),
            }
        }
        let mut above = vec![0_u32; self.keys.len()];
        while let Some((node, done)) = walk.pop() {
            let site = self.of_frame[nodes[node as usize].frame as usize];
            if done {
                above[site as usize] -= 1;
                continue;
            }
            if above[site as usize] == 0 {
                visit(node as usize, site);
            }
            above[site as usize] += 1;
            walk.push((node, true));
            let mut callee = first_callee[node as usize];
            while callee != u32::MAX {
                walk.push((callee, false));
                callee = next_sibling[callee as usize];
            }
        }
    }
}

impl SiteKey {
    pub(in crate::profile) fn of(
        frame: &FrameKey,
        ranks: &[u32],
        granularity: Granularity,
    ) -> Self {
        let name = |id: Option<NameId>| id.map_or(0, |NameId(id)| ranks[id as usize] + 1);
        let (function, file) = (name(frame.function), name(frame.file));
        if frame.function.is_none() && frame.file.is_none() {
            let (module, address) = (name(frame.module), frame.address);
            return Self { module, address, ..Self::default() };
        }
        let by_function = granularity == Granularity::Function && frame.function.is_some();
        let (file, line) = if by_function { (0, 0) } else { (file, frame.line) };
        Self { function, file, line, ..Self::default() }
    }
}

/// The site of a frame, in words.
pub(in crate::profile) fn site(frame: &Frame<'_>, granularity: Granularity) -> Site {
    let owned = |name: Option<&str>| name.map(str::to_owned);
    if frame.function.is_none() && frame.file.is_none() {
        return Site { module: owned(frame.module), address: frame.address, ..Site::default() };
    }
    let function = owned(frame.function);
    match granularity {
        Granularity::Function if function.is_some() => Site { function, ..Site::default() },
        Granularity::Function | Granularity::Line => {
            Site { function, file: owned(frame.file), line: frame.line, ..Site::default() }
        }
    }
}

/// Libraries that allocators come as.
const ALLOCATOR_FILES: [&str; 3] = ["libjemalloc", "libtcmalloc", "libmimalloc"];

/// Functions that allocate for whoever calls them, in C and C++. Go leaves its own out of profiles.
const ALLOCATORS: [&str; 12] = [
    "malloc",
    "calloc",
    "realloc",
    "reallocarray",
    "memalign",
    "aligned_alloc",
    "posix_memalign",
    "valloc",
    "__libc_malloc",
    "__libc_calloc",
    "__libc_realloc",
    "operator new",
];

/// By frame. Each name is looked through once, however many frames have it.
fn in_allocator(profile: &Profile) -> Vec<bool> {
    let mut functions: HashMap<NameId, bool> = HashMap::new();
    let mut modules: HashMap<NameId, bool> = HashMap::new();
    let found = profile.frames.iter().enumerate().map(|(at, key)| {
        let frame = profile.frame(at as u32);
        if let Some((id, function)) = key.function.zip(frame.function) {
            return *functions.entry(id).or_insert_with(|| is_allocator(function));
        }
        let Some((id, module)) = key.module.zip(frame.module) else { return false };
        *modules.entry(id).or_insert_with(|| {
            let file = module.rsplit('/').next().unwrap_or_default();
            ALLOCATOR_FILES.iter().any(|name| file.starts_with(name))
        })
    });
    found.collect()
}

fn is_allocator(function: &str) -> bool {
    let bare = function.split('(').next().unwrap_or_default().trim_end_matches("[]");
    ALLOCATORS.contains(&bare) || bare.starts_with("je_") || bare.starts_with("tc_")
}
