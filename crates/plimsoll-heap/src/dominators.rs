//! Who keeps whom alive: the dominator tree of a heap, and what each node retains.
//!
//! A node dominates another if every way from a root to the other leads through it; what a node
//! retains would be free without it. Found by semi-NCA (Georgiadis, *Linear-Time Algorithms for
//! Dominators and Related Problems*, 2005), on the nodes that refer to something: the others, a third
//! to a half of a heap, dominate nobody, and hang where those that refer to them meet. Exact.
//!
//! Not here: readers of dumps; what the tree says about leaks (`suspects`).

mod search;
mod semi;

use self::search::Search;
use crate::graph::{Graph, Sizes};
use crate::source::Progress;

/// Marks a node that refers to nothing; the rest is the number of its dominator.
const SINK: u32 = 1 << 31;
/// A node that no way from a root leads to.
const UNREACHED: u32 = u32::MAX;
/// A node that refers to nothing, and was not reached yet.
const SINK_UNREACHED: u32 = u32::MAX - 1;

/// The dominator tree. Nodes that refer to something have a number from 1 in the order in which
/// they were met; 0 is what stands above all roots.
#[derive(Clone, Debug)]
pub struct Dominators {
    /// By node: its number, or the marks above.
    numbers: Vec<u32>,
    /// By number: its node. The first is meaningless.
    nodes: Vec<u32>,
    /// By number: the number of its dominator.
    above: Vec<u32>,
    /// By number: what it retains, in bytes.
    retained: Vec<u64>,
    referrers: Referrers,
}

/// What dominates a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Above {
    /// No way from a root leads to it: garbage.
    Nothing,
    /// It is a root, or held by several.
    Roots,
    Node(u32),
}

/// A node that refers to something and is alive.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Met {
    pub number: u32,
    pub node: u32,
    /// The number of the node above it; 0 for none.
    pub above: u32,
    pub retained: u64,
}

/// By number, the numbers of those that refer to it, but for the one that it was met from.
#[derive(Clone, Debug, Default)]
struct Referrers {
    starts: Vec<u32>,
    from: Vec<u32>,
    /// The number that each was met from.
    parents: Vec<u32>,
}

impl Referrers {
    fn of(&self, number: u32) -> &[u32] {
        let at = |number: u32| self.starts.get(number as usize).map_or(0, |at| *at as usize);
        self.from.get(at(number)..at(number + 1)).unwrap_or_default()
    }
}

impl Dominators {
    /// Takes the references of a graph apart; its other columns stay.
    pub fn of(graph: &mut Graph, progress: &dyn Progress) -> Self {
        let edges = std::mem::take(&mut graph.edges);
        progress.tell("following references", 0, 3);
        let mut search = Search::run(&edges, &graph.roots);
        drop(edges);
        progress.tell("gathering referrers", 1, 3);
        let (starts, from) = search.referrers();
        progress.tell("finding dominators", 2, 3);
        let Search { mut numbers, nodes, parents, shared, .. } = search;
        let referrers = Referrers { starts, from, parents };
        let above = semi::dominators(&referrers);
        for (sink, number) in shared {
            let place = &mut numbers[sink as usize];
            *place = SINK | meet(&above, *place & !SINK, number);
        }
        let retained = retained(&numbers, &nodes, &above, &graph.sizes);
        progress.tell("finding dominators", 3, 3);
        Self { numbers, nodes, above, retained, referrers }
    }

    /// What dominates a node directly.
    pub fn above(&self, node: u32) -> Above {
        let number = match self.numbers.get(node as usize) {
            None | Some(&(UNREACHED | SINK_UNREACHED)) => return Above::Nothing,
            Some(&place) if place & SINK != 0 => place & !SINK,
            Some(&number) => self.above[number as usize],
        };
        if number == 0 { Above::Roots } else { Above::Node(self.nodes[number as usize]) }
    }

    /// What would be free without this node, in bytes; 0 of what is garbage already.
    pub fn retained(&self, node: u32, sizes: &Sizes) -> u64 {
        match self.numbers.get(node as usize) {
            None | Some(&(UNREACHED | SINK_UNREACHED)) => 0,
            Some(&place) if place & SINK != 0 => sizes.of(node),
            Some(&number) => self.retained[number as usize],
        }
    }

    /// What all roots retain together, in bytes: all that is alive.
    pub fn retained_by_all(&self) -> u64 {
        self.retained.first().copied().unwrap_or(0)
    }

    pub fn is_reachable(&self, node: u32) -> bool {
        self.above(node) != Above::Nothing
    }

    /// Nodes that refer to this one and to something else's way: all of them, for nodes that refer
    /// to something; of others only the dominator is known.
    pub fn referrers(&self, node: u32) -> Vec<u32> {
        match self.numbers.get(node as usize) {
            None | Some(&(UNREACHED | SINK_UNREACHED)) => Vec::new(),
            Some(&place) if place & SINK != 0 => self.node_of(place & !SINK).into_iter().collect(),
            Some(&number) => {
                let parent = self.referrers.parents[number as usize];
                let others = self.referrers.of(number).iter().copied();
                let all = std::iter::once(parent).chain(others);
                all.filter_map(|number| self.node_of(number)).collect()
            }
        }
    }

    /// Nodes that refer to something, each after the one above it.
    pub(crate) fn met(&self) -> impl Iterator<Item = Met> + '_ {
        let met = (0_u32..).zip(&self.nodes).skip(1);
        met.map(|(number, node)| Met {
            number,
            node: *node,
            above: self.above[number as usize],
            retained: self.retained[number as usize],
        })
    }

    /// Nodes that refer to nothing, with the number of the one above them.
    pub(crate) fn sinks(&self) -> impl Iterator<Item = (u32, u32)> + '_ {
        let sinks = (0_u32..).zip(&self.numbers);
        let sinks = sinks.filter(|(_, place)| **place & SINK != 0 && **place < SINK_UNREACHED);
        sinks.map(|(node, place)| (node, *place & !SINK))
    }

    /// Numbers of nodes that refer to something, with 0 for what is above all.
    pub(crate) fn count_met(&self) -> usize {
        self.nodes.len()
    }

    pub(crate) fn number_above(&self, number: u32) -> u32 {
        self.above[number as usize]
    }

    pub(crate) fn retained_by_number(&self, number: u32) -> u64 {
        self.retained[number as usize]
    }

    pub(crate) fn node_of(&self, number: u32) -> Option<u32> {
        (number != 0).then(|| self.nodes[number as usize])
    }
}

/// Where the ways up from two numbers meet. What is above has the smaller number.
fn meet(above: &[u32], mut one: u32, mut other: u32) -> u32 {
    while one != other {
        if one > other {
            one = above[one as usize];
        } else {
            other = above[other as usize];
        }
    }
    one
}

fn retained(numbers: &[u32], nodes: &[u32], above: &[u32], sizes: &Sizes) -> Vec<u64> {
    let mut retained: Vec<u64> = nodes.iter().map(|node| sizes.of(*node)).collect();
    if let Some(all) = retained.first_mut() {
        *all = 0;
    }
    for (node, place) in (0_u32..).zip(numbers) {
        if *place & SINK != 0 && *place < SINK_UNREACHED {
            retained[(*place & !SINK) as usize] += sizes.of(node);
        }
    }
    for number in (1..retained.len()).rev() {
        retained[above[number] as usize] += retained[number];
    }
    retained
}

#[cfg(test)]
mod tests;
