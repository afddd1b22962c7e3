//! What a node takes by itself, with what only it uses: backing stores and the engine's own parts are
//! counted as the object's that they belong to, as Chrome's developer tools do it.
//!
//! A store that several use keeps its size. Used by `Snapshot::graph`.

use std::collections::BTreeMap;

use super::Snapshot;
use super::kind::{EdgeKind, NodeKind};
use super::strong::is_documents;
use crate::graph::Sizes;

const NOBODY: u32 = u32::MAX;
const SEVERAL: u32 = u32::MAX - 1;
/// Bytes of a string that lie outside of the heap.
const EXTERNAL: &[u8] = b"system / ExternalStringData";

/// The sizes of all nodes after each owned one has given its size to its owner.
pub(super) fn sizes(snapshot: &Snapshot) -> Sizes {
    // Without a root of the program, somebody asked V8 for its internals, and gets them as they are.
    if !has_program_root(snapshot) {
        return snapshot.nodes.sizes.clone();
    }
    let owners = owners(snapshot);
    let mut given: Vec<(u32, u64)> = Vec::new();
    for (node, owner) in (0_u32..).zip(&owners) {
        if gives(snapshot, node, *owner) {
            given.push((*owner, snapshot.self_size(node)));
        }
    }
    given.sort_unstable_by_key(|(owner, _)| *owner);
    let mut given = given.into_iter().peekable();
    let mut small = Vec::with_capacity(owners.len());
    let mut large = BTreeMap::new();
    for (node, owner) in (0_u32..).zip(&owners) {
        let mut size = if gives(snapshot, node, *owner) { 0 } else { snapshot.self_size(node) };
        while let Some((_, more)) = given.next_if(|(owner, _)| *owner == node) {
            size = size.saturating_add(more);
        }
        small.push(size.min(u64::from(u32::MAX)) as u32);
        if size >= u64::from(u32::MAX) {
            large.insert(node, size);
        }
    }
    Sizes::new(small, large)
}

fn gives(snapshot: &Snapshot, node: u32, owner: u32) -> bool {
    owner != node
        && owner != NOBODY
        && owner != SEVERAL
        && owner != snapshot.root()
        && snapshot.kind(owner) != NodeKind::Synthetic
}

fn has_program_root(snapshot: &Snapshot) -> bool {
    let mut targets =
        snapshot.nodes.edges(snapshot.root()).map(|edge| snapshot.links.targets[edge]);
    targets.any(|node| snapshot.kind(node) != NodeKind::Synthetic || is_documents(snapshot, node))
}

fn is_part(snapshot: &Snapshot, node: u32) -> bool {
    match snapshot.kind(node) {
        NodeKind::Hidden | NodeKind::Array => true,
        NodeKind::Native => snapshot.raw_name(node) == Some(EXTERNAL),
        _ => false,
    }
}

/// Who uses each node: itself if it is no part of anything.
fn owners(snapshot: &Snapshot) -> Vec<u32> {
    let count = snapshot.nodes() as u32;
    let own = |node: u32| if is_part(snapshot, node) { NOBODY } else { node };
    let mut owners: Vec<u32> = (0..count).map(own).collect();
    let mut open = Vec::new();
    for first in 0..count {
        if owners[first as usize] != first {
            continue;
        }
        open.push(first);
        while let Some(node) = open.pop() {
            let owner = owners[node as usize];
            for edge in snapshot.nodes.edges(node) {
                let target = snapshot.links.targets[edge];
                let found = owners[target as usize];
                if found == target
                    || found == owner
                    || found == SEVERAL
                    || snapshot.links.kind(edge) == EdgeKind::Weak
                {
                    continue;
                }
                owners[target as usize] = if found == NOBODY { owner } else { SEVERAL };
                open.push(target);
            }
        }
    }
    owners
}
