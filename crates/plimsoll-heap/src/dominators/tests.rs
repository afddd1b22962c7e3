//! The tree is that of a definition which is slow and plain.

use proptest::prelude::*;

use super::*;
use crate::graph::Edges;
use crate::source::Silent;

fn graph(lists: &[Vec<u32>], roots: &[u32]) -> Graph {
    Graph {
        types: vec![0; lists.len()],
        sizes: (0..lists.len() as u64).map(|node| node + 1).collect(),
        edges: Edges::of_lists(lists.iter().cloned()).unwrap(),
        roots: roots.to_vec(),
    }
}

/// What can be reached without a node.
fn reach(lists: &[Vec<u32>], roots: &[u32], without: Option<u32>) -> Vec<bool> {
    let mut reached = vec![false; lists.len()];
    let mut open: Vec<u32> = roots.to_vec();
    while let Some(node) = open.pop() {
        if Some(node) != without && !std::mem::replace(&mut reached[node as usize], true) {
            open.extend(&lists[node as usize]);
        }
    }
    reached
}

fn check(lists: &[Vec<u32>], roots: &[u32]) {
    let mut graph = graph(lists, roots);
    let found = Dominators::of(&mut graph, &Silent);
    let all = reach(lists, roots, None);
    let lost = |node| {
        let rest = reach(lists, roots, Some(node));
        (0..lists.len()).filter(|at| all[*at] && !rest[*at]).collect::<Vec<_>>()
    };
    let lost: Vec<Vec<usize>> = (0..lists.len() as u32).map(lost).collect();
    let mut alive = 0;
    for node in 0..lists.len() {
        let retained: u64 = lost[node].iter().map(|at| *at as u64 + 1).sum();
        assert_eq!(found.retained(node as u32, &graph.sizes), retained, "retained by {node}");
        alive += if all[node] { node as u64 + 1 } else { 0 };
        // The nearest of those that dominate it is dominated by all the others.
        let over = (0..lists.len()).filter(|at| *at != node && lost[*at].contains(&node));
        let nearest = over.min_by_key(|at| lost[*at].len());
        let want = match nearest {
            _ if !all[node] => Above::Nothing,
            None => Above::Roots,
            Some(nearest) => Above::Node(nearest as u32),
        };
        assert_eq!(found.above(node as u32), want, "above {node}");
    }
    assert_eq!(found.retained_by_all(), alive);
}

#[test]
fn of_two_ways_down_neither_dominates_the_end() {
    check(&[vec![1, 2], vec![3], vec![3], vec![4], vec![]], &[0]);
    check(&[vec![1], vec![2], vec![0], vec![2]], &[0]);
    check(&[vec![], vec![0, 1], vec![1, 0]], &[1, 2]);
    check(&[vec![1], vec![0]], &[]);
}

proptest! {
    #[test]
    fn dominators_are_those_of_the_definition(
        lists in prop::collection::vec(prop::collection::vec(0_u32..24, 0..4), 24),
        roots in prop::collection::btree_set(0_u32..24, 0..4),
    ) {
        check(&lists, &roots.into_iter().collect::<Vec<_>>());
    }
}
