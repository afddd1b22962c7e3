//! A heap as a graph: nodes with a type and a size, references between them, and roots.
//!
//! Columns, not objects: a heap has tens of millions of nodes. The same graph for every runtime that
//! has one; what a reference is called stays with the reader of its format. Not here: who dominates
//! whom (`dominators`).

use std::collections::BTreeMap;

use thiserror::Error;

/// Nodes of a graph at most: places have 32 bits, of which the highest is a mark.
pub const NODES_MAX: usize = (1 << 31) - 8;

/// The graph has more than the columns can count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the heap has {what} that fit into 32 bits; take a histogram of it instead")]
pub struct TooLarge {
    what: &'static str,
}

/// Marks the last reference of a list.
const LAST: u32 = 1 << 31;
/// Where the list of a node without references would be.
const NOWHERE: u32 = u32::MAX;

/// The references of one hand's nodes, one list behind the other.
#[derive(Clone, Debug, Default)]
pub struct Arena {
    targets: Vec<u32>,
    open: usize,
}

impl Arena {
    /// Adds a reference to the list that is open.
    pub fn push(&mut self, target: u32) {
        self.targets.push(target & !LAST);
    }

    /// Ends the list; says where it is, as [`Edges`] counts places in this hand's arena.
    ///
    /// # Errors
    /// When the place cannot be counted any more.
    pub fn close(&mut self, hand: usize, hands: usize) -> Result<u32, TooLarge> {
        let begins = std::mem::replace(&mut self.open, self.targets.len());
        let Some(last) = self.targets.last_mut().filter(|_| self.open > begins) else {
            return Ok(NOWHERE);
        };
        *last |= LAST;
        let place = begins * hands.next_power_of_two() + hand;
        let place = u32::try_from(place).ok().filter(|place| *place < NOWHERE);
        place.ok_or(TooLarge { what: "more references than" })
    }
}

/// Who refers to whom.
#[derive(Clone, Debug, Default)]
pub struct Edges {
    starts: Vec<u32>,
    arenas: Vec<Arena>,
    hand_bits: u32,
}

impl Edges {
    /// Of the places that the arenas gave for each node.
    pub fn new(starts: Vec<u32>, arenas: Vec<Arena>) -> Self {
        let hand_bits = arenas.len().next_power_of_two().trailing_zeros();
        Self { starts, arenas, hand_bits }
    }

    /// Of lists, in the order of nodes.
    ///
    /// # Errors
    /// When there are more than can be counted.
    pub fn of_lists<L: IntoIterator<Item = u32>>(
        lists: impl IntoIterator<Item = L>,
    ) -> Result<Self, TooLarge> {
        let mut arena = Arena::default();
        let starts = lists.into_iter().map(|list| {
            list.into_iter().for_each(|target| arena.push(target));
            arena.close(0, 1)
        });
        let starts = starts.collect::<Result<_, _>>()?;
        Ok(Self::new(starts, vec![arena]))
    }

    /// Nodes that may have references.
    pub fn nodes(&self) -> usize {
        self.starts.len()
    }

    /// References in all.
    pub fn count(&self) -> u64 {
        self.arenas.iter().map(|arena| arena.targets.len() as u64).sum()
    }

    /// Where the list of a node begins; None of a node without references.
    pub(crate) fn begin(&self, node: u32) -> Option<u32> {
        self.starts.get(node as usize).copied().filter(|place| *place != NOWHERE)
    }

    /// The reference at a place, and the place of the next one in the same list.
    pub(crate) fn at(&self, place: u32) -> (u32, Option<u32>) {
        let arena = place as usize & ((1 << self.hand_bits) - 1);
        let target = self.arenas[arena].targets[place as usize >> self.hand_bits];
        let next = (target & LAST == 0).then(|| place + (1 << self.hand_bits));
        (target & !LAST, next)
    }

    /// What a node refers to, in the order in which it was added.
    pub fn of(&self, node: u32) -> impl Iterator<Item = u32> + '_ {
        let mut place = self.begin(node);
        std::iter::from_fn(move || {
            let (target, next) = self.at(place?);
            place = next;
            Some(target)
        })
    }

    /// Replaces the list of a node; the old one stays behind, unused.
    ///
    /// # Errors
    /// When there are more than can be counted.
    pub fn replace(
        &mut self,
        node: u32,
        list: impl IntoIterator<Item = u32>,
    ) -> Result<(), TooLarge> {
        let hands = self.arenas.len();
        if let (Some(arena), Some(start)) =
            (self.arenas.first_mut(), self.starts.get_mut(node as usize))
        {
            list.into_iter().for_each(|target| arena.push(target));
            *start = arena.close(0, hands)?;
        }
        Ok(())
    }
}

/// What each node takes by itself, in bytes.
#[derive(Clone, Debug, Default)]
pub struct Sizes {
    small: Vec<u32>,
    /// Of nodes of 4 GiB and more, whose column says `u32::MAX`.
    large: BTreeMap<u32, u64>,
}

impl Sizes {
    pub fn new(small: Vec<u32>, large: BTreeMap<u32, u64>) -> Self {
        Self { small, large }
    }

    pub fn of(&self, node: u32) -> u64 {
        match self.small.get(node as usize) {
            Some(&u32::MAX) => {
                self.large.get(&node).copied().unwrap_or_else(|| u64::from(u32::MAX))
            }
            Some(&size) => u64::from(size),
            None => 0,
        }
    }

    pub fn nodes(&self) -> usize {
        self.small.len()
    }

    pub(crate) fn set(&mut self, node: u32, size: u64) {
        if let Some(small) = self.small.get_mut(node as usize) {
            *small = u32::try_from(size).unwrap_or(u32::MAX);
            if *small == u32::MAX {
                self.large.insert(node, size);
            }
        }
    }
}

impl FromIterator<u64> for Sizes {
    fn from_iter<I: IntoIterator<Item = u64>>(sizes: I) -> Self {
        let mut all = Self::default();
        for (node, size) in sizes.into_iter().enumerate() {
            match u32::try_from(size).ok().filter(|size| *size != u32::MAX) {
                Some(size) => all.small.push(size),
                None => {
                    all.small.push(u32::MAX);
                    all.large.insert(u32::try_from(node).unwrap_or(u32::MAX), size);
                }
            }
        }
        all
    }
}

/// A heap, with references that keep their target alive.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    /// By node: the number of its type.
    pub types: Vec<u32>,
    pub sizes: Sizes,
    pub edges: Edges,
    /// Nodes that are alive whoever refers to them; in any order, without doubles.
    pub roots: Vec<u32>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_several_hands_are_found_again() {
        let mut one = Arena::default();
        let mut two = Arena::default();
        let mut starts = Vec::new();
        for (node, list) in [vec![1, 2], vec![], vec![0], vec![3, 1, 3]].iter().enumerate() {
            let (hand, arena) = if node % 2 == 0 { (0, &mut one) } else { (1, &mut two) };
            list.iter().for_each(|target| arena.push(*target));
            starts.push(arena.close(hand, 2).unwrap());
        }
        let mut edges = Edges::new(starts, vec![one, two]);
        let all = |edges: &Edges| {
            (0..5).map(|node| edges.of(node).collect::<Vec<u32>>()).collect::<Vec<_>>()
        };
        assert_eq!(all(&edges), [vec![1, 2], vec![], vec![0], vec![3, 1, 3], vec![]]);
        edges.replace(2, [3, 2]).unwrap();
        edges.replace(3, []).unwrap();
        assert_eq!(all(&edges), [vec![1, 2], vec![], vec![3, 2], vec![], vec![]]);
    }

    #[test]
    fn a_node_of_many_gigabytes_keeps_its_size() {
        let sizes: Sizes = [24, u64::from(u32::MAX), 1 << 40].into_iter().collect();
        let found = [0, 1, 2, 3].map(|node| sizes.of(node));
        assert_eq!(found, [24, u64::from(u32::MAX), 1 << 40, 0]);
    }
}
