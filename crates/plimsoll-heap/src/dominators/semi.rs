//! Semi-NCA: immediate dominators of numbered nodes, from who refers to whom.
//!
//! Used by `dominators` only.

use super::Referrers;

/// By number: the number of its dominator.
pub(super) fn dominators(referrers: &Referrers) -> Vec<u32> {
    let parents = &referrers.parents;
    let mut semi = parents.clone();
    let mut forest = Forest::new(parents);
    for number in (1..parents.len() as u32).rev() {
        let mut best = parents[number as usize];
        for from in referrers.of(number) {
            best = best.min(forest.lowest(*from, number, &semi));
        }
        semi[number as usize] = best;
    }
    drop(forest);
    let mut above = semi;
    // Those above have smaller numbers, so theirs are known already.
    for number in 1..parents.len() {
        let highest = above[number];
        let mut candidate = parents[number];
        while candidate > highest {
            candidate = above[candidate as usize];
        }
        above[number] = candidate;
    }
    above
}

/// The nodes whose semidominator is known, as trees whose ways up are shortened when walked.
struct Forest {
    ancestors: Vec<u32>,
    /// By number: whose semidominator is the lowest on the shortened way.
    labels: Vec<u32>,
    way: Vec<u32>,
}

impl Forest {
    fn new(parents: &[u32]) -> Self {
        let labels = (0..parents.len() as u32).collect();
        Self { ancestors: parents.to_vec(), labels, way: Vec::new() }
    }

    /// The lowest semidominator on the way up from `from`, as far as it was linked: to numbers above
    /// `linked`.
    fn lowest(&mut self, from: u32, linked: u32, semi: &[u32]) -> u32 {
        if from <= linked {
            return from;
        }
        let mut at = from;
        while self.ancestors[at as usize] > linked {
            self.way.push(at);
            at = self.ancestors[at as usize];
        }
        let mut best = self.labels[at as usize];
        let end = self.ancestors[at as usize];
        while let Some(below) = self.way.pop() {
            let label = self.labels[below as usize];
            if semi[label as usize] < semi[best as usize] {
                best = label;
            } else {
                self.labels[below as usize] = best;
            }
            self.ancestors[below as usize] = end;
        }
        semi[best as usize]
    }
}
