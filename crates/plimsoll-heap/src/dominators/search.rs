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
    /// References to nodes that were met before: number of the target, and of who refers to it.
    again: Vec<(u32, u32)>,
    /// Nodes without references, with a number that refers to them besides the first.
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
        let (nodes, parents) = (vec![0], vec![0]);
        let mut search = Self { numbers, nodes, parents, again: Vec::new(), shared: Vec::new() };
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
            if self.is_new(target, number) {
                later.push(place);
                number = self.meet(target, number);
                place = edges.begin(target);
            }
        }
    }

    /// Notes a reference; whether its target is to be met by it.
    #[inline]
    fn is_new(&mut self, target: u32, number: u32) -> bool {
        let Some(found) = self.numbers.get_mut(target as usize) else { return false };
        match *found {
            UNREACHED => return true,
            SINK_UNREACHED => *found = SINK | number,
            ROOT_UNREACHED => {}
            sink if sink & SINK != 0 => {
                let first = sink & !SINK;
                if first != 0 && first != number {
                    self.shared.push((target, number));
                }
            }
            met => self.again.push((met, number)),
        }
        false
    }

    fn meet(&mut self, node: u32, parent: u32) -> u32 {
        let number = self.nodes.len() as u32;
        self.numbers[node as usize] = number;
        self.nodes.push(node);
        self.parents.push(parent);
        number
    }

    /// By number, with one more: where its referrers begin in the second list. Those that it was
    /// met from are left out, and roots have none.
    pub(super) fn referrers(&mut self) -> (Vec<u32>, Vec<u32>) {
        let parents = &self.parents;
        self.again.retain(|(target, from)| {
            let parent = parents[*target as usize];
            parent != 0 && parent != *from && target != from
        });
        let mut starts = vec![0_u32; parents.len() + 1];
        for (target, _) in &self.again {
            starts[*target as usize] += 1;
        }
        let mut sum = 0_u32;
        for start in &mut starts {
            sum += std::mem::replace(start, sum);
        }
        let mut from = vec![0_u32; self.again.len()];
        for (target, number) in std::mem::take(&mut self.again) {
            let place = &mut starts[target as usize];
            from[*place as usize] = number;
            *place += 1;
        }
        // Each start has moved to its end, which is where the next one begins.
        starts.rotate_right(1);
        starts[0] = 0;
        (starts, from)
    }
}
