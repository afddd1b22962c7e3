//! Nodes and references of a snapshot, a column for each field, and their reading.
//!
//! Not here: which references keep something alive (`strong`). Used by the reader of snapshots.

use std::collections::BTreeMap;

use super::kind::{Detachedness, EdgeKind, NodeKind};
use super::meta::Layout;
use super::scan::{NO_NUMBER, ROW_MAX, Scanner};
use super::{SnapshotError, TooMany};
use crate::graph::{NODES_MAX, Sizes};

/// The kind of a node takes these bits, its detachedness those above.
const KIND_BITS: u32 = 5;
/// The kind of an edge takes the bits above these, its name or index these.
const LABEL_BITS: u32 = 29;
/// Stands for a name or index that has more bits, and is kept apart.
const LABEL_LARGE: u32 = (1 << LABEL_BITS) - 1;

#[derive(Clone, Debug, Default)]
pub(super) struct Nodes {
    kinds: Vec<u8>,
    pub names: Vec<u32>,
    pub ids: Vec<u32>,
    pub sizes: Sizes,
    /// Where the edges of a node begin; one more than there are nodes.
    starts: Vec<u32>,
}

impl Nodes {
    pub(super) fn read(scanner: &mut Scanner<'_>, layout: &Layout) -> Result<Self, SnapshotError> {
        let guess = guess(layout.node_count, scanner.size(), layout.node_row);
        let mut nodes = Self {
            kinds: Vec::with_capacity(guess),
            names: Vec::with_capacity(guess),
            ids: Vec::with_capacity(guess),
            sizes: Sizes::default(),
            starts: Vec::with_capacity(guess + 1),
        };
        let mut small = Vec::with_capacity(guess);
        let mut large = BTreeMap::new();
        let mut edges = 0_u32;
        nodes.starts.push(0);
        rows(scanner, layout.node_row, |scanner, row| {
            let number = small.len();
            if number >= NODES_MAX {
                return Err(TooMany::Nodes.at(scanner.offset()));
            }
            nodes.kinds.push(kind_of(layout, row));
            nodes.names.push(fits(scanner, row[layout.name], "the name of a node")?);
            nodes.ids.push(fits(scanner, row[layout.id], "the id of a node")?);
            let size = row[layout.self_size];
            if size == NO_NUMBER {
                return Err(out_of_range(scanner, "the size of a node"));
            }
            small.push(size.min(u64::from(u32::MAX)) as u32);
            if size >= u64::from(u32::MAX) {
                large.insert(number as u32, size);
            }
            let more = fits(scanner, row[layout.edge_count], "the count of a node's edges")?;
            let sum = edges.checked_add(more);
            edges = sum.ok_or_else(|| TooMany::Edges.at(scanner.offset()))?;
            nodes.starts.push(edges);
            Ok(())
        })?;
        nodes.sizes = Sizes::new(small, large);
        Ok(nodes)
    }

    pub(super) fn count(&self) -> usize {
        self.kinds.len()
    }

    pub(super) fn kind(&self, node: u32) -> NodeKind {
        NodeKind::of_packed(self.kinds.get(node as usize).copied().unwrap_or(u8::MAX))
    }

    pub(super) fn detachedness(&self, node: u32) -> Detachedness {
        match self.kinds.get(node as usize).map_or(0, |packed| packed >> KIND_BITS) {
            1 => Detachedness::Attached,
            2 => Detachedness::Detached,
            _ => Detachedness::Unknown,
        }
    }

    /// The numbers of the edges of a node.
    pub(super) fn edges(&self, node: u32) -> std::ops::Range<usize> {
        let at = |node: usize| self.starts.get(node).map_or(0, |start| *start as usize);
        at(node as usize)..at(node as usize + 1)
    }
}

impl NodeKind {
    pub(super) fn of_packed(packed: u8) -> Self {
        Self::of_number(packed & ((1 << KIND_BITS) - 1))
    }
}

/// The kind of a node with its detachedness above it.
pub(super) fn kind_of(layout: &Layout, row: &[u64]) -> u8 {
    let kind = usize::try_from(row[layout.kind]).ok().and_then(|kind| layout.node_kinds.get(kind));
    let detached = layout.detachedness.map_or(0, |place| row[place]);
    let detached = if detached == NO_NUMBER { 0 } else { (detached & 3) as u8 };
    *kind.unwrap_or(&NodeKind::Other) as u8 | detached << KIND_BITS
}

#[derive(Clone, Debug, Default)]
pub(super) struct Links {
    pub targets: Vec<u32>,
    labels: Vec<u32>,
    large: BTreeMap<u32, u32>,
}

impl Links {
    /// The edges of `nodes`, whose number is known from them.
    pub(super) fn read(
        scanner: &mut Scanner<'_>,
        layout: &Layout,
        nodes: &Nodes,
    ) -> Result<Self, SnapshotError> {
        let wanted = nodes.starts.last().map_or(0, |end| *end as usize);
        let guess =
            guess(layout.edge_count_total.max(wanted as u64), scanner.size(), layout.edge_row);
        let guess = guess.min(wanted);
        let mut links = Self {
            targets: Vec::with_capacity(guess),
            labels: Vec::with_capacity(guess),
            large: BTreeMap::new(),
        };
        let node_row = layout.node_row as u64;
        let places = nodes.count() as u64 * node_row;
        rows(scanner, layout.edge_row, |scanner, row| {
            let to = row[layout.to_node];
            if to >= places || !to.is_multiple_of(node_row) {
                return Err(out_of_range(scanner, "the target of an edge"));
            }
            if links.targets.len() == wanted {
                return Err(SnapshotError::EdgeCount {
                    at: scanner.offset(),
                    wanted: wanted as u64,
                });
            }
            links.push(layout, row, (to / node_row) as u32);
            Ok(())
        })?;
        if links.targets.len() < wanted {
            return Err(SnapshotError::EdgeCount { at: scanner.offset(), wanted: wanted as u64 });
        }
        Ok(links)
    }

    fn push(&mut self, layout: &Layout, row: &[u64], target: u32) {
        let kind = usize::try_from(row[layout.edge_kind]).ok();
        let kind = kind.and_then(|kind| layout.edge_kinds.get(kind)).unwrap_or(&EdgeKind::Other);
        let value = u32::try_from(row[layout.edge_name]).unwrap_or(u32::MAX);
        if value >= LABEL_LARGE {
            self.large.insert(self.targets.len() as u32, value);
        }
        self.labels.push((*kind as u32) << LABEL_BITS | value.min(LABEL_LARGE));
        self.targets.push(target);
    }

    pub(super) fn kind(&self, edge: usize) -> EdgeKind {
        EdgeKind::of_number(self.labels[edge] >> LABEL_BITS)
    }

    /// The name of an edge that has one, by its index; the index of another.
    pub(super) fn name_or_index(&self, edge: usize) -> u32 {
        match self.labels[edge] & LABEL_LARGE {
            LABEL_LARGE => self.large.get(&(edge as u32)).copied().unwrap_or(LABEL_LARGE),
            small => small,
        }
    }
}

/// Tells each row of an array of numbers.
pub(super) fn rows(
    scanner: &mut Scanner<'_>,
    columns: usize,
    mut tell: impl FnMut(&Scanner<'_>, &[u64]) -> Result<(), SnapshotError>,
) -> Result<(), SnapshotError> {
    let mut row = [0; ROW_MAX];
    let row = &mut row[..columns];
    scanner.take(b'[', "an array of numbers")?;
    if scanner.takes(b']')? {
        return Ok(());
    }
    loop {
        let goes_on = scanner.row(row)?;
        tell(scanner, row)?;
        if !goes_on {
            return Ok(());
        }
    }
}

/// Rows to make room for: what the header says, unless the file is too short for so many.
fn guess(said: u64, size: u64, columns: usize) -> usize {
    let fit = size / (2 * columns.max(1) as u64);
    usize::try_from(said.min(fit)).unwrap_or(0)
}

fn fits(scanner: &Scanner<'_>, value: u64, what: &'static str) -> Result<u32, SnapshotError> {
    u32::try_from(value).map_err(|_| out_of_range(scanner, what))
}

fn out_of_range(scanner: &Scanner<'_>, what: &'static str) -> SnapshotError {
    SnapshotError::OutOfRange { at: scanner.offset(), what }
}
