//! What of a V8 heap is waste, or is held outside of it: the same text many times, and buffers.
//!
//! A snapshot has the texts of its strings, each once, up to a length; strings with the same text and
//! the same size are doubles. What lies behind is not in the file, so where a text may have been cut
//! the numbers are an estimate. Counts and bytes only.

use super::Snapshot;
use super::kind::NodeKind;
use crate::hprof::{Duplicate, Duplicates, Owned, Survey};

/// V8 cuts texts behind this many characters unless it is told otherwise.
const TEXT_CUT: usize = 1024;
/// Groups that are told one by one.
const TOLD_MAX: usize = 20;
/// Bytes outside of the heap.
const OUTSIDE: [&[u8]; 2] = [b"system / JSArrayBufferData", b"system / ExternalStringData"];

pub(super) fn of(snapshot: &Snapshot) -> Survey {
    Survey { duplicates: duplicates(snapshot), direct: outside(snapshot), ..Survey::default() }
}

fn duplicates(snapshot: &Snapshot) -> Duplicates {
    let all = 0..snapshot.nodes() as u32;
    let strings = all.filter(|node| snapshot.kind(*node) == NodeKind::String);
    let key = |node: u32| (snapshot.name_index(node), snapshot.self_size(node));
    let mut strings: Vec<(u32, u64)> = strings.map(key).collect();
    strings.sort_unstable();
    let mut found = Duplicates::default();
    for group in strings.chunk_by(|one, other| one == other).filter(|group| group.len() > 1) {
        let (name, size) = group[0];
        let length = snapshot.strings.of(name).map_or(0, <[u8]>::len);
        let (count, waste) = (group.len() as u64, size * (group.len() as u64 - 1));
        found.groups += 1;
        found.arrays += count;
        found.waste = found.waste.saturating_add(waste);
        found.is_estimate |= length >= TEXT_CUT;
        let length = u32::try_from(length).unwrap_or(u32::MAX);
        found.largest.push(Duplicate { class: "(string)".into(), length, count, waste });
        if found.largest.len() >= 2 * TOLD_MAX {
            keep_largest(&mut found.largest);
        }
    }
    keep_largest(&mut found.largest);
    found
}

fn keep_largest(groups: &mut Vec<Duplicate>) {
    groups.sort_by_key(|group| (std::cmp::Reverse(group.waste), group.length));
    groups.truncate(TOLD_MAX);
}

fn outside(snapshot: &Snapshot) -> Owned {
    let mut owned = Owned::default();
    for node in 0..snapshot.nodes() as u32 {
        if snapshot.kind(node) == NodeKind::Native
            && snapshot.raw_name(node).is_some_and(|name| OUTSIDE.contains(&name))
        {
            owned.pieces += 1;
            owned.bytes = owned.bytes.saturating_add(snapshot.self_size(node));
        }
    }
    owned
}
