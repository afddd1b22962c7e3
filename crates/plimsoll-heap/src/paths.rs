//! What keeps an object alive: the shortest ways to it from the roots of a heap, over references
//! that hold.

use std::collections::{HashMap, VecDeque};
use std::io;

use crate::shape::{Label, Role, Shape};

/// Nodes that are looked at on the way back to a root, at most. Ways of a real program are short, but
/// a shared object may have millions of referrers.
const NODES_MAX: usize = 5_000_000;

/// The same where several ways are compared: those that lead farther say nothing better.
const NODES_NEAR_MAX: usize = 20_000;

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

/// Ways whose nodes are known, with their names, which are read once; None of no way.
///
/// # Errors
/// When names cannot be read from the dump.
pub(crate) fn paths_along(shape: &dyn Shape, ways: Vec<Vec<u32>>) -> io::Result<Vec<Option<Path>>> {
    let roots: Vec<Option<&'static str>> =
        ways.iter().map(|way| shape.root(*way.first()?)).collect();
    let rooted = ways.into_iter().zip(&roots).filter_map(|(way, root)| Some((way, (*root)?)));
    let mut paths = named(shape, rooted.collect())?.into_iter();
    Ok(roots.into_iter().map(|root| root.and_then(|_| paths.next())).collect())
}

/// The nodes of ways, without names: for several objects, whose names are read together.
pub(crate) fn ways(shape: &dyn Shape, node: u32, count: usize) -> Vec<(Vec<u32>, &'static str)> {
    let mut found = Vec::new();
    search(shape, node, (NODES_MAX, false), |way, root| {
        found.push((way, root));
        found.len() < count
    });
    found
}

/// What a way is worth to someone who looks for an owner; the best is last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Worth {
    Nothing,
    Something,
    Wanted,
}

/// The first of so many ways that is wanted, also beyond what is a root by itself, as the variable of
/// a running method is; else the shortest of the best; empty if there is none.
pub(crate) fn best_way(
    shape: &dyn Shape,
    node: u32,
    count: usize,
    worth: &dyn Fn(&[u32]) -> Worth,
) -> Vec<u32> {
    let mut seen = 0;
    let mut best: Option<(Worth, Vec<u32>)> = None;
    search(shape, node, (NODES_NEAR_MAX, true), |way, _| {
        seen += 1;
        let worth = worth(&way);
        if best.as_ref().is_none_or(|(best, _)| worth > *best) {
            best = Some((worth, way));
        }
        worth < Worth::Wanted && seen < count
    });
    let far = || ways(shape, node, 1).into_iter().next().map(|(way, _)| way);
    best.map(|(_, way)| way).or_else(far).unwrap_or_default()
}

/// Tells ways to a node, the shortest first, until it is told to stop; with a bound of nodes, and
/// whether to look beyond roots for who refers to those.
fn search(
    shape: &dyn Shape,
    node: u32,
    (nodes_max, is_beyond): (usize, bool),
    mut tell: impl FnMut(Vec<u32>, &'static str) -> bool,
) {
    // By node: the next one towards the object.
    let mut towards: HashMap<u32, u32> = HashMap::from([(node, node)]);
    let mut open = VecDeque::from([node]);
    while let Some(at) = open.pop_front() {
        if let Some(root) = shape.root(at) {
            if !tell(way(&towards, at), root) {
                return;
            }
            // What leads to a scope says less than the scope.
            if !is_beyond || shape.role_of(at) == Role::Scope {
                continue;
            }
        }
        for from in shape.dominators().referrers(at) {
            if towards.len() < nodes_max && !towards.contains_key(&from) && !shape.is_weak(from, at)
            {
                towards.insert(from, at);
                open.push_back(from);
            }
        }
    }
}

fn way(towards: &HashMap<u32, u32>, root: u32) -> Vec<u32> {
    let next = |at: &u32| towards.get(at).copied().filter(|next| next != at);
    std::iter::successors(Some(root), next).collect()
}
