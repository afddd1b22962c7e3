//! Numbers the nodes of a graph in the order in which a search in depth meets them.
//!
//! Used by `dominators` only.

use super::{SINK, SINK_UNREACHED, UNREACHED};
use crate::graph::Edges;

/// A root that refers to something and was not met yet: no reference is followed to it.
const ROOT_UNREACHED: u32 = u32::MAX - 2;

/// What the search found.
pub(super) struct Search {
    /// By node, as in [`super::Dominators`]; of a node without references, one that refers to it.
    pub numbers: Vec<u32>,
    /// By number.
    pub nodes: Vec<u32>,
    /// By number: the number of the node that it was met from.
    pub parents: Vec<u32>,
}

/// Who refers to whom, besides those that nodes were met from.
pub(super) struct Others {
    /// By number, with one more: where its referrers begin in `from`.
    pub starts: Vec<u32>,
    pub from: Vec<u32>,
    /// Nodes without references, with a number that refers to them.
    pub shared: Vec<(u32, u32)>,
}

impl Search {
    pub(super) fn run(edges: &Edges, roots: &[u32]) -> Self {
        let mut numbers: Vec<u32> = (0..u32::try_from(edges.nodes()).unwrap_or(u32::MAX))
            .map(|node| if edges.begin(node).is_some() { UNREACHED } else { SINK_UNREACHED })
            .collect();
        // Whoever refers to a root does not hold it: it is held from above.
        for root in roots {
            match numbers.get_mut(*root as usize) {
                Some(place) if *place == SINK_UNREACHED => *place = SINK,
                Some(place) if *place == UNREACHED => *place = ROOT_UNREACHED,
                _ => {}
            }
        }
        let mut search = Self { numbers, nodes: vec![0], parents: vec![0] };
        for root in roots {
            if search.numbers.get(*root as usize) == Some(&ROOT_UNREACHED) {
                search.descend(edges, *root);
            }
        }
        search
    }

    /// Meets everything below a root that was not met from an earlier one.
    fn descend(&mut self, edges: &Edges, root: u32) {
        let mut number = self.meet(root, 0);
        // Where to go on in the lists of those above; the list of the present one is `place`.
        let mut later: Vec<Option<u32>> = Vec::new();
        let mut place = edges.begin(root);
        loop {
            let Some(at) = place else {
                let Some(above) = later.pop() else { return };
                number = self.parents[number as usize];
                place = above;
                continue;
            };
            let (target, next) = edges.at(at);
            place = next;
            let Some(found) = self.numbers.get_mut(target as usize) else { continue };
            if *found == SINK_UNREACHED {
                *found = SINK | number;
            } else if *found == UNREACHED {
                later.push(place);
                number = self.meet(target, number);
                place = edges.begin(target);
            }
        }
    }

    fn meet(&mut self, node: u32, parent: u32) -> u32 {
        let number = self.nodes.len() as u32;
        self.numbers[node as usize] = number;
        self.nodes.push(node);
        self.parents.push(parent);
        number
    }

    /// Tells each reference: the number that it comes from, its target, and the target's place.
    fn each(&self, edges: &Edges, mut tell: impl FnMut(u32, u32, u32)) {
        for (number, node) in (0_u32..).zip(&self.nodes).skip(1) {
            let mut place = edges.begin(*node);
            while let Some(at) = place {
                let (target, next) = edges.at(at);
                place = next;
                if let Some(found) = self.numbers.get(target as usize) {
                    tell(number, target, *found);
                }
            }
        }
    }

    pub(super) fn referrers(&self, edges: &Edges) -> Others {
        let mut starts = vec![0_u32; self.nodes.len() + 1];
        let mut shared = Vec::new();
        self.each(edges, |number, target, found| {
            if self.is_other(number, found) {
                starts[found as usize] += 1;
            } else if found & SINK != 0 && found & !SINK != 0 && found & !SINK != number {
                shared.push((target, number));
            }
        });
        let mut sum = 0_u32;
        for start in &mut starts {
            sum += std::mem::replace(start, sum);
        }
        let mut from = vec![0_u32; sum as usize];
        self.each(edges, |number, _, found| {
            if self.is_other(number, found) {
                from[starts[found as usize] as usize] = number;
                starts[found as usize] += 1;
            }
        });
        // Each start has moved to its end, which is where the next one begins.
        starts.rotate_right(1);
        starts[0] = 0;
        Others { starts, from, shared }
    }

    /// Whether a reference from a number says something about a number: roots are held from above,
    /// and who a node was met from is known.
    fn is_other(&self, number: u32, found: u32) -> bool {
        found & SINK == 0 && {
            let parent = self.parents[found as usize];
            parent != 0 && parent != number && found != number
        }
    }
}
