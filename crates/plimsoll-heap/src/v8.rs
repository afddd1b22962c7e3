//! V8 heap snapshots (`.heapsnapshot`), of Node.js and Chrome, old and new: a graph, and what its
//! nodes and references are called.
//!
//! Read in one pass in bounded windows. Nodes and references come before the strings in the file, so
//! a file that was cut within its strings is a whole graph with some names missing. Names of strings
//! and numbers are values: whoever prints must ask [`NodeKind::is_value`]. Not here: who retains what
//! (`dominators`).

mod bits;
mod columns;
mod kind;
mod look;
mod meta;
mod origin;
mod roles;
mod scan;
mod shallow;
mod strings;
mod strong;
mod survey;
mod tally;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io;

use thiserror::Error;

use self::columns::{Links, Nodes};
pub use self::kind::{Detachedness, EdgeKind, NodeKind};
pub use self::look::{V8Error, V8Heap};
pub(crate) use self::meta::Layout;
use self::scan::Scanner;
use self::strings::Strings;
#[cfg(test)]
pub(crate) use self::strong::table_of_pair;
use crate::graph::{Graph, TooLarge};
use crate::source::{Progress, Source};

/// Why bytes are not a snapshot.
#[derive(Debug, Error)]
pub enum SnapshotError {
    #[error("the snapshot cannot be read at offset {at}")]
    Read { at: u64, source: io::Error },
    #[error("the snapshot ends at offset {at}, within its {part}; capture it again")]
    Cut { at: u64, part: &'static str },
    #[error(
        "this is not a heap snapshot that can be read: at offset {at}, in its {part}, there is not \
         {wanted}"
    )]
    Unexpected { at: u64, part: &'static str, wanted: &'static str },
    #[error("the snapshot has no field `{field}` in its header, which ends at offset {at}")]
    NoField { at: u64, field: &'static str },
    #[error("the snapshot has no {part} up to offset {at}; capture it again")]
    Missing { at: u64, part: &'static str },
    #[error("the snapshot is damaged: {what} is out of range before offset {at}")]
    OutOfRange { at: u64, what: &'static str },
    #[error(
        "the snapshot is damaged: its nodes have {wanted} edges, and the list of edges, which ends \
         or goes on at offset {at}, has another number"
    )]
    EdgeCount { at: u64, wanted: u64 },
    #[error("the snapshot has more {what} than fit, at offset {at}")]
    TooMany { at: u64, what: &'static str },
}

/// What there may be too much of.
#[derive(Clone, Copy, Debug)]
enum TooMany {
    Nodes,
    Edges,
    Fields,
    Words,
}

impl TooMany {
    fn at(self, at: u64) -> SnapshotError {
        let what = match self {
            Self::Nodes => "nodes",
            Self::Edges => "edges",
            Self::Fields => "fields of a row",
            Self::Words => "kinds or fields",
        };
        SnapshotError::TooMany { at, what }
    }
}

/// A heap of V8. Nodes are numbered from 0 as in the file.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    nodes: Nodes,
    links: Links,
    strings: Strings,
    root: u32,
    cut_at: Option<u64>,
}

/// What a reference is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EdgeLabel<'a> {
    pub kind: EdgeKind,
    pub what: EdgeName<'a>,
}

/// A reference has a name or a number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EdgeName<'a> {
    Name(Cow<'a, str>),
    Index(u32),
    /// The file was cut before the name.
    Missing,
}

/// One reference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edge<'a> {
    pub label: EdgeLabel<'a>,
    pub to: u32,
}

impl Snapshot {
    /// Reads a snapshot from its first byte to its last.
    ///
    /// # Errors
    /// When the bytes are something else, damaged, or end before all references were read.
    pub fn read(source: &dyn Source, progress: &dyn Progress) -> Result<Self, SnapshotError> {
        let mut scanner = Scanner::new(source, progress);
        let mut layout = None;
        let mut snapshot = Self::default();
        let read = meta::members(&mut scanner, |scanner, key| {
            match key {
                b"snapshot" => {
                    scanner.part = "header";
                    layout = Some(Layout::read(scanner)?);
                }
                b"nodes" => {
                    scanner.part = "nodes";
                    let layout = layout.as_ref().ok_or_else(|| missing(scanner, "header"))?;
                    snapshot.nodes = Nodes::read(scanner, layout)?;
                    snapshot.root = root(layout, &snapshot.nodes, scanner)?;
                }
                b"edges" => {
                    scanner.part = "edges";
                    let layout = layout.as_ref().filter(|_| snapshot.nodes() > 0);
                    let layout = layout.ok_or_else(|| missing(scanner, "nodes"))?;
                    snapshot.links = Links::read(scanner, layout, &snapshot.nodes)?;
                    scanner.part = "parts between edges and strings";
                }
                b"strings" => {
                    scanner.part = "strings";
                    snapshot.strings = Strings::default();
                    snapshot.strings.read(scanner)?;
                }
                _ => scanner.skip_value()?,
            }
            Ok(())
        });
        let is_graph =
            snapshot.nodes() > 0 && snapshot.links.targets.len() == snapshot.edges_wanted();
        match read {
            Ok(()) if is_graph && snapshot.strings.count() > 0 => Ok(snapshot),
            Ok(()) if is_graph => Err(missing(&scanner, "strings")),
            Ok(()) => Err(missing(&scanner, "nodes and edges")),
            Err(SnapshotError::Cut { at, part })
                if is_graph && part != "edges" && part != "nodes" =>
            {
                snapshot.cut_at = Some(at);
                Ok(snapshot)
            }
            Err(error) => Err(error),
        }
    }

    fn edges_wanted(&self) -> usize {
        let last = (self.nodes() as u32).wrapping_sub(1);
        self.nodes.edges(last).end
    }

    /// Where the file ends before its end; names beyond are missing.
    pub fn cut_at(&self) -> Option<u64> {
        self.cut_at
    }

    pub fn nodes(&self) -> usize {
        self.nodes.count()
    }

    pub fn edges(&self) -> usize {
        self.links.targets.len()
    }

    pub fn strings(&self) -> usize {
        self.strings.count()
    }

    /// The node that everything else hangs under.
    pub fn root(&self) -> u32 {
        self.root
    }

    pub fn kind(&self, node: u32) -> NodeKind {
        self.nodes.kind(node)
    }

    pub fn detachedness(&self, node: u32) -> Detachedness {
        self.nodes.detachedness(node)
    }

    /// The number that V8 gave the object; the same in all snapshots of one process.
    pub fn id(&self, node: u32) -> u32 {
        self.nodes.ids.get(node as usize).copied().unwrap_or(0)
    }

    /// What the node takes by itself, in bytes, without the stores that are only its own.
    pub fn self_size(&self, node: u32) -> u64 {
        self.nodes.sizes.of(node)
    }

    /// The number of a node's name: nodes with the same name have the same number.
    pub fn name_index(&self, node: u32) -> u32 {
        self.nodes.names.get(node as usize).copied().unwrap_or(u32::MAX)
    }

    /// The name of a node: of an object the class, of a closure the function, of a string its VALUE.
    pub fn name(&self, node: u32) -> Option<Cow<'_, str>> {
        self.strings.text(self.name_index(node))
    }

    /// The string of a number.
    pub fn string(&self, index: u32) -> Option<Cow<'_, str>> {
        self.strings.text(index)
    }

    /// The number of a string.
    fn number_of(&self, text: &[u8]) -> Option<u32> {
        let mut all = (0_u32..).zip(self.strings.all());
        all.find(|(_, string)| *string == text).map(|(number, _)| number)
    }

    fn raw_name(&self, node: u32) -> Option<&[u8]> {
        self.strings.of(self.name_index(node))
    }

    /// What a node refers to, in the order of the file, weak references and all.
    pub fn edges_of(&self, node: u32) -> impl Iterator<Item = Edge<'_>> {
        self.nodes
            .edges(node)
            .map(|edge| Edge { label: self.label_of(edge), to: self.links.targets[edge] })
    }

    /// What the first reference of one node to another is called; a weak one only where there is no
    /// other.
    pub fn label(&self, from: u32, to: u32) -> Option<EdgeLabel<'_>> {
        let mut found = self.nodes.edges(from).filter(|edge| self.links.targets[*edge] == to);
        let first = found.next()?;
        let rank = |edge: &usize| match self.links.kind(*edge) {
            EdgeKind::Context | EdgeKind::Element | EdgeKind::Property => 0,
            EdgeKind::Internal | EdgeKind::Hidden | EdgeKind::Other => 1,
            EdgeKind::Shortcut => 2,
            EdgeKind::Weak => 3,
        };
        std::iter::once(first).chain(found).min_by_key(rank).map(|edge| self.label_of(edge))
    }

    fn label_of(&self, edge: usize) -> EdgeLabel<'_> {
        let kind = self.links.kind(edge);
        let value = self.links.name_or_index(edge);
        let what = if kind.has_name() {
            self.strings.text(value).map_or(EdgeName::Missing, EdgeName::Name)
        } else {
            EdgeName::Index(value)
        };
        EdgeLabel { kind, what }
    }

    /// The heap with what keeps things alive; its types are those of [`TypeNames`].
    ///
    /// # Errors
    /// When the references cannot be counted.
    pub fn graph(&self) -> Result<(Graph, TypeNames), TooLarge> {
        let edges = strong::Strong::new(self).edges()?;
        let (types, names) = self.types();
        let sizes = shallow::sizes(self);
        Ok((Graph { types, sizes, edges, roots: vec![self.root] }, names))
    }

    /// Objects by their class; other nodes by their kind, so that no value is a type.
    fn types(&self) -> (Vec<u32>, TypeNames) {
        let mut classes = vec![u32::MAX; self.strings.count()];
        let mut others = BTreeMap::new();
        let mut names = Vec::new();
        let mut number_of = |type_name| {
            names.push(type_name);
            (names.len() - 1) as u32
        };
        let types = (0..self.nodes() as u32).map(|node| match self.kind(node) {
            NodeKind::Object | NodeKind::Native => {
                let name = self.name_index(node);
                match classes.get_mut(name as usize) {
                    Some(number) if *number != u32::MAX => *number,
                    Some(number) => {
                        *number = number_of(TypeName::Class(name));
                        *number
                    }
                    None => {
                        let class = TypeName::Class(name);
                        *others.entry(class).or_insert_with(|| number_of(class))
                    }
                }
            }
            kind => {
                let kind = TypeName::Kind(kind);
                *others.entry(kind).or_insert_with(|| number_of(kind))
            }
        });
        (types.collect(), TypeNames(names))
    }
}

/// The types of a graph by number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TypeNames(Vec<TypeName>);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum TypeName {
    Class(u32),
    Kind(NodeKind),
}

impl TypeNames {
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// The name of a type, as Chrome's developer tools write it.
    pub fn name<'a>(&self, snapshot: &'a Snapshot, number: u32) -> Cow<'a, str> {
        let Some(type_name) = self.0.get(number as usize) else { return "(unknown)".into() };
        match type_name {
            TypeName::Class(index) => {
                snapshot.string(*index).unwrap_or_else(|| "(name cut off)".into())
            }
            TypeName::Kind(kind) => word(*kind),
        }
    }
}

/// What nodes of a kind are called that have no class.
fn word(kind: NodeKind) -> Cow<'static, str> {
    match kind {
        NodeKind::Hidden => "(system)".into(),
        NodeKind::Code => "(compiled code)".into(),
        NodeKind::Closure => "Function".into(),
        NodeKind::Regexp => "RegExp".into(),
        kind => format!("({})", kind.word()).into(),
    }
}

fn root(layout: &Layout, nodes: &Nodes, scanner: &Scanner<'_>) -> Result<u32, SnapshotError> {
    let root = layout.root_index / layout.node_row.max(1) as u64;
    let root = u32::try_from(root).ok().filter(|root| (*root as usize) < nodes.count().max(1));
    root.ok_or_else(|| SnapshotError::OutOfRange { at: scanner.offset(), what: "the root" })
}

fn missing(scanner: &Scanner<'_>, part: &'static str) -> SnapshotError {
    SnapshotError::Missing { at: scanner.offset(), part }
}

#[cfg(test)]
mod tests;
