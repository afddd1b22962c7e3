//! What keeps an object alive: the shortest ways to it from the roots of a heap, over references
//! that hold.

use std::collections::{HashMap, VecDeque};
use std::io;

use crate::shape::{Label, Shape};

/// Nodes that are looked at on the way back to a root, at most. Ways of a real program are short, but
/// a shared object may have millions of referrers.
const NODES_MAX: usize = 5_000_000;

/// A way from a root to an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    /// From the root to the object.
    pub steps: Vec<Step>,
    /// Why the root is alive.
    pub root: &'static str,
}

/// A node of a way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    pub node: u32,
    /// How the node before refers to it; None of the first, and where the name is not known.
    pub label: Option<Label>,
}

/// The shortest ways to a node, from as many roots; the shortest first. None when it is alive by
/// references alone that do not hold, or not at all.
///
/// # Errors
/// When names cannot be read from the dump.
pub fn paths(shape: &dyn Shape, node: u32, count: usize) -> io::Result<Vec<Path>> {
    named(shape, ways(shape, node, count))
}

/// The shortest way to each of several nodes; none of one that has none. Names are read once.
pub(crate) fn shortest(shape: &dyn Shape, nodes: &[u32]) -> io::Result<Vec<Option<Path>>> {
    let found: Vec<Option<_>> =
        nodes.iter().map(|node| ways(shape, *node, 1).into_iter().next()).collect();
    let has_way: Vec<bool> = found.iter().map(Option::is_some).collect();
    let mut paths = named(shape, found.into_iter().flatten().collect())?.into_iter();
    Ok(has_way.into_iter().map(|has| if has { paths.next() } else { None }).collect())
}

/// Gives ways the names of their references.
fn named(shape: &dyn Shape, ways: Vec<(Vec<u32>, &'static str)>) -> io::Result<Vec<Path>> {
    let asked: Vec<(u32, u32)> =
        ways.iter().flat_map(|(way, _)| way.windows(2).map(|pair| (pair[0], pair[1]))).collect();
    let mut labels = shape.labels(&asked)?.into_iter();
    let path = |(way, root): (Vec<u32>, &'static str)| {
        let steps = way.into_iter().enumerate().map(|(at, node)| Step {
            node,
            label: if at == 0 { None } else { labels.next().flatten() },
        });
        Path { steps: steps.collect(), root }
    };
    Ok(ways.into_iter().map(path).collect())
}

/// The nodes of ways, without names.
pub(crate) fn ways(shape: &dyn Shape, node: u32, count: usize) -> Vec<(Vec<u32>, &'static str)> {
    // By node: the next one towards the object.
    let mut towards: HashMap<u32, u32> = HashMap::from([(node, node)]);
    let mut open = VecDeque::from([node]);
    let mut found = Vec::new();
    while let Some(at) = open.pop_front() {
        if let Some(root) = shape.root(at) {
            found.push((way(&towards, at), root));
            if found.len() >= count {
                break;
            }
            continue;
        }
        for from in shape.dominators().referrers(at) {
            if towards.len() < NODES_MAX && !towards.contains_key(&from) && !shape.is_weak(from, at)
            {
                towards.insert(from, at);
                open.push_back(from);
            }
        }
    }
    found
}

fn way(towards: &HashMap<u32, u32>, root: u32) -> Vec<u32> {
    let next = |at: &u32| towards.get(at).copied().filter(|next| next != at);
    std::iter::successors(Some(root), next).collect()
}
