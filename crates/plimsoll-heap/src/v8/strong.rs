//! Which references of a snapshot keep their target alive, by the rules of Chrome's developer tools,
//! so that retained sizes are the ones that people know from there.
//!
//! Weak references and shortcuts keep nothing, except that a shortcut of the root marks what belongs
//! to the program; nothing that does not belong to the program keeps what does, because a debugger's
//! hold is no leak; of the two references to the value of a `WeakMap`, only that of its key counts.
//! What only weak references lead to is alive for now and hangs under the root. Used by
//! `Snapshot::graph`.

use std::collections::BTreeMap;

use super::Snapshot;
use super::bits::Bits;
use super::kind::{EdgeKind, NodeKind};
use crate::graph::{Arena, Edges, TooLarge};

/// A synthetic node of Chrome under which documents hang.
const DOCUMENTS: &[u8] = b"(Document DOM trees)";

pub(super) struct Strong<'a> {
    snapshot: &'a Snapshot,
    /// Nodes that belong to the program.
    owned: Bits,
    /// Those of them that strong references lead to from the root.
    reached: Bits,
    /// Names of references that say "part of a pair in a WeakMap": the id of its table.
    tables: BTreeMap<u32, u32>,
    is_table: Bits,
}

impl<'a> Strong<'a> {
    pub(super) fn new(snapshot: &'a Snapshot) -> Self {
        let strings = &snapshot.strings;
        let mut tables = BTreeMap::new();
        let mut is_table = Bits::new(strings.count());
        for (index, string) in (0_u32..).zip(strings.all()) {
            if let Some(table) = table_of_pair(string) {
                tables.insert(index, table);
                is_table.set(index);
            }
        }
        let (owned, reached) = (Bits::default(), Bits::default());
        let mut strong = Self { snapshot, owned, reached, tables, is_table };
        strong.own();
        strong
    }

    /// Marks what shortcuts of the root and the documents lead to, other than weakly.
    fn own(&mut self) {
        let snapshot = self.snapshot;
        let mut reached = Bits::new(snapshot.nodes());
        let mut open: Vec<u32> = Vec::new();
        let mut later: Vec<u32> = Vec::new();
        for edge in snapshot.nodes.edges(snapshot.root()) {
            let target = snapshot.links.targets[edge];
            let is_entry = match snapshot.links.kind(edge) {
                EdgeKind::Shortcut => true,
                EdgeKind::Element => is_documents(snapshot, target),
                EdgeKind::Context
                | EdgeKind::Property
                | EdgeKind::Internal
                | EdgeKind::Hidden
                | EdgeKind::Weak
                | EdgeKind::Other => false,
            };
            if is_entry && target != snapshot.root() && !reached.get(target) {
                reached.set(target);
                open.push(target);
            }
        }
        while let Some(node) = open.pop() {
            for edge in snapshot.nodes.edges(node) {
                let target = snapshot.links.targets[edge];
                if !reached.get(target) {
                    match self.hold(node, edge) {
                        Hold::Strong => {
                            reached.set(target);
                            open.push(target);
                        }
                        Hold::Owning => later.push(target),
                        Hold::None => {}
                    }
                }
            }
        }
        let mut owned = reached.clone();
        while let Some(node) = later.pop() {
            if owned.get(node) {
                continue;
            }
            owned.set(node);
            let edges = snapshot.nodes.edges(node);
            let strong = edges.filter(|edge| snapshot.links.kind(*edge) != EdgeKind::Weak);
            later.extend(strong.map(|edge| snapshot.links.targets[edge]));
        }
        (self.owned, self.reached) = (owned, reached);
    }

    /// What a reference from another node than the root does.
    fn hold(&self, node: u32, edge: usize) -> Hold {
        match self.snapshot.links.kind(edge) {
            EdgeKind::Weak => Hold::None,
            EdgeKind::Shortcut => Hold::Owning,
            EdgeKind::Internal => {
                let name = self.snapshot.links.name_or_index(edge);
                let is_own = |table| self.snapshot.id(node) == table;
                let of_table =
                    self.is_table.get(name) && self.tables.get(&name).copied().is_some_and(is_own);
                if of_table { Hold::Owning } else { Hold::Strong }
            }
            EdgeKind::Context
            | EdgeKind::Element
            | EdgeKind::Property
            | EdgeKind::Hidden
            | EdgeKind::Other => Hold::Strong,
        }
    }

    /// All of them, and what nothing strong leads to under the root.
    pub(super) fn edges(&self) -> Result<Edges, TooLarge> {
        let snapshot = self.snapshot;
        let count = snapshot.nodes() as u32;
        let mut arena = Arena::default();
        let mut starts = Vec::with_capacity(snapshot.nodes());
        let mut held = Bits::new(snapshot.nodes());
        for node in 0..count {
            for edge in snapshot.nodes.edges(node) {
                if self.is_strong(node, edge) {
                    let target = snapshot.links.targets[edge];
                    held.set(target);
                    arena.push(target);
                }
            }
            starts.push(arena.close(0, 1)?);
        }
        let mut edges = Edges::new(starts, vec![arena]);
        let root = snapshot.root();
        let loose: Vec<u32> = (0..count).filter(|node| *node != root && !held.get(*node)).collect();
        let lost = lost(&edges, root, &loose, self.reached.clone());
        if !loose.is_empty() || !lost.is_empty() {
            let all: Vec<u32> = edges.of(root).chain(loose).chain(lost).collect();
            edges.replace(root, all)?;
        }
        Ok(edges)
    }

    fn is_strong(&self, node: u32, edge: usize) -> bool {
        let links = &self.snapshot.links;
        let target = links.targets[edge];
        let is_root = node == self.snapshot.root();
        let is_held = match self.hold(node, edge) {
            Hold::Strong => true,
            Hold::Owning => is_root && links.kind(edge) == EdgeKind::Shortcut,
            Hold::None => false,
        };
        let is_foreign = !is_root && self.owned.get(target) && !self.owned.get(node);
        is_held && node != target && !is_foreign
    }
}

/// What a reference does for its target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hold {
    /// Keeps it alive.
    Strong,
    /// Does not, and yet makes it the program's if its source is.
    Owning,
    None,
}

pub(super) fn is_documents(snapshot: &Snapshot, node: u32) -> bool {
    snapshot.kind(node) == NodeKind::Synthetic && snapshot.raw_name(node) == Some(DOCUMENTS)
}

/// Of each circle that nothing leads into, the node that comes first. What was reached before is not
/// left again.
fn lost(edges: &Edges, root: u32, loose: &[u32], mut reached: Bits) -> Vec<u32> {
    let mut lost = Vec::new();
    let mut open = vec![root];
    open.extend(loose);
    open.iter().for_each(|node| reached.set(*node));
    for first in 0..edges.nodes() as u32 {
        while let Some(node) = open.pop() {
            for target in edges.of(node) {
                if !reached.get(target) {
                    reached.set(target);
                    open.push(target);
                }
            }
        }
        if !reached.get(first) {
            reached.set(first);
            lost.push(first);
            open.push(first);
        }
    }
    lost
}

/// The id at the end of `N / part of key (.. @I) -> value (.. @I) pair in WeakMap (table @I)`.
pub(crate) fn table_of_pair(name: &[u8]) -> Option<u32> {
    let rest = name.strip_suffix(b")")?;
    let digits = rest.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    let (rest, id) = rest.split_at(rest.len() - digits);
    let rest = rest.strip_suffix(b" pair in WeakMap (table @")?;
    let number = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let rest = rest.get(number..).filter(|_| number > 0)?;
    let inner = rest.strip_prefix(b" / part of key (")?.strip_suffix(b")")?;
    let value = inner.windows(VALUE.len()).any(|window| window == VALUE);
    let id = std::str::from_utf8(id).ok()?.parse().ok()?;
    value.then_some(id)
}

const VALUE: &[u8] = b") -> value (";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_a_pair_is_read_and_other_names_have_none() {
        let check = |name: &str, want| assert_eq!(table_of_pair(name.as_bytes()), want, "{name}");
        let pair = " / part of key (Key @71) -> value (a (b) @9) pair in WeakMap (table @345)";
        check(&format!("2{pair}"), Some(345));
        check(pair, None);
        check("2 / part of key (Key @71) pair in WeakMap (table @345)", None);
        check("2 / part of key (K @7) -> value (v @9) pair in WeakMap (table @)", None);
        check("table", None);
        check("", None);
    }
}
