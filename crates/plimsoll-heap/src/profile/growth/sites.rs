//! What one profile holds by site: of its own, and together with what is called from there.
//!
//! Stacks are a tree, so sums run from its leaves to its root once, and a site that calls itself is
//! counted where it is met first. Not here: the comparison.

use std::collections::HashMap;

use super::super::unsample::variance;
use super::super::{Frame, Profile, Sampling};
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

#[derive(Clone, Debug, Default)]
pub(in crate::profile) struct ProfileTotals {
    pub(in crate::profile) total: Totals,
    pub(in crate::profile) sites: HashMap<Site, SiteTotals>,
}

pub(in crate::profile) fn totals(
    profile: &Profile,
    column: usize,
    granularity: Granularity,
) -> ProfileTotals {
    let sites = Sites::of(profile, granularity);
    let mut of_site = vec![SiteTotals::default(); sites.names.len()];
    let mut of_node = vec![Totals::default(); profile.nodes.len()];
    let mut total = Totals::default();
    let mut without_stack = Totals::default();
    for sample in 0..profile.sample_count() {
        let found = sampled(profile, sample, column);
        total.add(&found);
        if let Some(leaf) = profile.stacks[sample] {
            of_node[leaf as usize].add(&found);
            of_site[sites.allocating(profile, leaf) as usize].own.add(&found);
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
    let mut named: HashMap<Site, SiteTotals> = sites.names.into_iter().zip(of_site).collect();
    if without_stack != Totals::default() {
        let entry = named.entry(Site::default()).or_default();
        entry.own.add(&without_stack);
        entry.cumulative.add(&without_stack);
    }
    ProfileTotals { total, sites: named }
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
    names: Vec<Site>,
    of_frame: Vec<u32>,
    in_allocator: Vec<bool>,
}

impl Sites {
    fn of(profile: &Profile, granularity: Granularity) -> Self {
        let mut ids: HashMap<Site, u32> = HashMap::new();
        let mut sites = Self { names: Vec::new(), of_frame: Vec::new(), in_allocator: Vec::new() };
        for frame in 0..profile.frames.len() {
            let frame = profile.frame(frame as u32);
            let site = site(&frame, granularity);
            let next = sites.names.len() as u32;
            let id = *ids.entry(site).or_insert_with_key(|site| {
                sites.names.push(site.clone());
                next
            });
            sites.of_frame.push(id);
            sites.in_allocator.push(is_allocator(&frame));
        }
        sites
    }

    /// The site of the innermost frame that is not the allocator's; of the leaf where all are.
    fn allocating(&self, profile: &Profile, leaf: u32) -> u32 {
        let mut node = profile.nodes[leaf as usize];
        let innermost = node.frame;
        while self.in_allocator[node.frame as usize] {
            match node.caller {
                Some(caller) => node = profile.nodes[caller as usize],
                None => return self.of_frame[innermost as usize],
            }
        }
        self.of_frame[node.frame as usize]
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
        let mut above = vec![0_u32; self.names.len()];
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

fn site(frame: &Frame<'_>, granularity: Granularity) -> Site {
    let owned = |name: Option<&str>| name.map(str::to_owned);
    let whole = Site {
        function: owned(frame.function),
        file: owned(frame.file),
        line: frame.line,
        module: None,
        address: 0,
    };
    if frame.function.is_none() && frame.file.is_none() {
        return Site { module: owned(frame.module), address: frame.address, ..Site::default() };
    }
    match granularity {
        Granularity::Line => whole,
        Granularity::Function if frame.function.is_some() => Site { file: None, line: 0, ..whole },
        Granularity::Function => whole,
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

fn is_allocator(frame: &Frame<'_>) -> bool {
    if let Some(function) = frame.function {
        let bare = function.split('(').next().unwrap_or_default().trim_end_matches("[]");
        return ALLOCATORS.contains(&bare) || bare.starts_with("je_") || bare.starts_with("tc_");
    }
    let file = frame.module.and_then(|module| module.rsplit('/').next()).unwrap_or_default();
    ALLOCATOR_FILES.iter().any(|name| file.starts_with(name))
}
