//! A V8 heap as a shape: roles of its types, and names of its references, which the snapshot has in
//! memory.
//!
//! What a property is called is a name from the program's source only where the object is no table;
//! the keys of a table are values, and are not told. Used by whoever asks a heap of any runtime.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::io;

use thiserror::Error;

use super::kind::{EdgeKind, NodeKind};
use super::meta::Layout;
use super::roles::{Nature, Types, globals};
use super::{EdgeName, Snapshot, SnapshotError, origin, survey};
use crate::dominators::Dominators;
use crate::faults::Fault;
use crate::graph::{Graph, TooLarge};
use crate::hprof::{Survey, Wish};
use crate::shape::{Label, Role, Shape};
use crate::source::{Hands, Progress, Source, beside};

/// Memory for each node and each reference at the highest point, in bytes: what stays of a snapshot,
/// its graph and the search for dominators. Strings come on top, and take no more than they take in
/// the file.
const BYTES_A_NODE: u64 = 45;
const BYTES_AN_EDGE: u64 = 17;
/// Digits, commas and line ends of a node and of a reference in a large file, at least: the rest are
/// strings.
const DIGITS_A_NODE: u64 = 20;
const DIGITS_AN_EDGE: u64 = 12;

/// Why a snapshot cannot be looked at as a whole.
#[derive(Debug, Error)]
pub enum V8Error {
    #[error("the snapshot cannot be read")]
    Snapshot(#[source] SnapshotError),
    #[error(
        "the snapshot has {nodes} objects, which need about {needed} bytes of memory; {given} may be taken"
    )]
    Memory { nodes: u64, needed: u64, given: u64 },
    #[error("the snapshot cannot be counted")]
    TooLarge(#[source] TooLarge),
}

/// A snapshot with its graph and who dominates whom.
#[derive(Debug)]
pub struct V8Heap {
    snapshot: Snapshot,
    graph: Graph,
    dominators: Dominators,
    types: Types,
    /// Why nodes are alive that the engine or native code holds.
    roots: BTreeMap<u32, &'static str>,
    /// Variables of a file: its script.
    scripts: HashMap<u32, u32>,
    survey: Option<Survey>,
}

impl V8Heap {
    /// Reads a snapshot, in no more memory than may be taken. All references count: none of a snapshot
    /// is weaker than another.
    ///
    /// # Errors
    /// When it would need more, or is no whole graph.
    pub fn read(
        source: &dyn Source,
        wish: Wish,
        hands: &dyn Hands,
        progress: &dyn Progress,
    ) -> Result<Self, V8Error> {
        if let Some(given) = wish.memory {
            fits(source, given, progress)?;
        }
        let snapshot = Snapshot::read(source, progress).map_err(V8Error::Snapshot)?;
        let (mut graph, names) = snapshot.graph().map_err(V8Error::TooLarge)?;
        let types = Types::of(&snapshot, &names, &mut graph.types);
        let (dominators, survey) = beside(
            hands,
            || Dominators::of(&mut graph, progress),
            || wish.survey.then(|| survey::of(&snapshot)),
        );
        let (roots, scripts) = (roots(&snapshot), HashMap::new());
        let mut heap = Self { snapshot, graph, dominators, types, roots, scripts, survey };
        heap.scripts = heap.scripts();
        Ok(heap)
    }

    /// Where the file ends before its end; names beyond are missing.
    pub fn cut_at(&self) -> Option<u64> {
        self.snapshot.cut_at()
    }

    fn nature(&self, node: u32) -> Nature {
        self.graph.types.get(node as usize).map_or(Nature::Value, |kind| self.types.nature(*kind))
    }

    /// Of the variables of each file, the script that its functions are from.
    fn scripts(&self) -> HashMap<u32, u32> {
        let mut scripts = HashMap::new();
        for node in 0..self.snapshot.nodes() as u32 {
            if self.snapshot.kind(node) == NodeKind::Closure
                && let Some(variables) = origin::variables(&self.snapshot, node)
                && self.nature(variables) == Nature::Module
                && !scripts.contains_key(&variables)
                && let Some(script) = origin::script_of_function(&self.snapshot, node)
            {
                scripts.insert(variables, script);
            }
        }
        scripts
    }

    /// The path of the script that variables belong to.
    fn script(&self, variables: u32) -> Option<&str> {
        let is_module = |node| self.nature(node) == Nature::Module;
        let module = origin::outermost(&self.snapshot, variables, is_module)?;
        origin::name(&self.snapshot, *self.scripts.get(&module)?)
    }

    fn in_script(&self, what: &str, variables: u32) -> Cow<'_, str> {
        match self.script(variables) {
            Some(script) => format!("{what} {}", origin::short(script)).into(),
            None => what.to_owned().into(),
        }
    }

    fn label(&self, from: u32, to: u32) -> Option<Label> {
        let label = self.snapshot.label(from, to)?;
        let nature = self.nature(from);
        let name = match label.what {
            EdgeName::Name(name) => name.into_owned(),
            EdgeName::Index(at) if label.kind == EdgeKind::Element => {
                return Some(Label::Element(at.into()));
            }
            EdgeName::Index(_) if nature == Nature::Variables => {
                return Some(Label::Hidden("a variable"));
            }
            EdgeName::Index(_) | EdgeName::Missing => return Some(Label::Hidden("refers to")),
        };
        Some(match label.kind {
            EdgeKind::Context | EdgeKind::Property => match (nature, name.as_str()) {
                (_, "__proto__") => Label::Hidden("prototype"),
                (_, "this") if label.kind == EdgeKind::Context => Label::Hidden("this"),
                (_, "_events" | "<symbol kEvents>") => Label::Hidden("listeners"),
                (Nature::Collection | Nature::Listeners, _) => Label::Hidden("an entry"),
                (_, name) if !is_name(name) => Label::Hidden("an entry"),
                (Nature::Module | Nature::Class | Nature::Global, _) => Label::Static(name),
                _ => Label::Field { name, class: self.node_name(from).into_owned() },
            },
            EdgeKind::Internal => Label::Hidden(internal(&name)),
            EdgeKind::Element
            | EdgeKind::Hidden
            | EdgeKind::Shortcut
            | EdgeKind::Weak
            | EdgeKind::Other => Label::Hidden("refers to"),
        })
    }
}

impl Shape for V8Heap {
    fn graph(&self) -> &Graph {
        &self.graph
    }

    fn dominators(&self) -> &Dominators {
        &self.dominators
    }

    fn types(&self) -> usize {
        self.types.count()
    }

    fn type_name(&self, number: u32) -> &str {
        self.types.name(number)
    }

    fn role(&self, number: u32) -> Role {
        self.types.nature(number).role()
    }

    fn is_own(&self, node: u32) -> bool {
        match self.nature(node) {
            Nature::Module | Nature::Variables => {
                self.script(node).is_some_and(origin::is_own_name)
            }
            Nature::Global | Nature::Record | Nature::Value | Nature::Running | Nature::Engine => {
                false
            }
            Nature::Instance
            | Nature::Collection
            | Nature::Listeners
            | Nature::Buffer
            | Nature::Function
            | Nature::Pending
            | Nature::Class
            | Nature::Loaded => origin::is_own(&self.snapshot, node),
        }
    }

    fn is_function(&self, type_name: &str) -> bool {
        type_name == "Function"
    }

    fn node_name(&self, node: u32) -> Cow<'_, str> {
        let own = || self.snapshot.name(node).filter(|name| !name.is_empty());
        let type_name = || {
            let kind = self.graph.types.get(node as usize).copied();
            Cow::Borrowed(kind.map_or("(unknown)", |kind| self.types.name(kind)))
        };
        match self.nature(node) {
            Nature::Module => self.in_script("(module)", node),
            Nature::Variables => self.in_script("(closure)", node),
            Nature::Class => match own() {
                Some(name) => format!("class {name}").into(),
                None => "class without a name".into(),
            },
            Nature::Function if self.snapshot.kind(node) == NodeKind::Closure => match own() {
                Some(name) => format!("function {name}").into(),
                None => "function".into(),
            },
            _ => type_name(),
        }
    }

    fn labels(&self, references: &[(u32, u32)]) -> io::Result<Vec<Option<Label>>> {
        Ok(references.iter().map(|(from, to)| self.label(*from, *to)).collect())
    }

    fn root(&self, node: u32) -> Option<&'static str> {
        self.roots.get(&node).copied()
    }

    fn static_name(&self, scope: u32, node: u32) -> Option<Cow<'_, str>> {
        match self.label(scope, node)? {
            Label::Static(name) => Some(name.into()),
            Label::Field { .. } | Label::Element(_) | Label::Local { .. } | Label::Hidden(_) => {
                None
            }
        }
    }

    /// V8 has no threads in a heap; work is known by its type.
    fn is_in_flight(&self, _: u32, _: u32) -> bool {
        false
    }

    fn is_work(&self, number: u32) -> bool {
        matches!(self.types.nature(number), Nature::Pending | Nature::Running)
    }

    fn survey(&self) -> Option<&Survey> {
        self.survey.as_ref()
    }

    /// What buffers own is in the snapshot, and retained by them.
    fn buffer_type(&self) -> Option<&'static str> {
        None
    }

    fn weak_target(&self, _: u32) -> Option<u32> {
        None
    }

    fn tells(&self, number: u32) -> Option<Fault> {
        match self.types.nature(number) {
            Nature::Listeners => Some(Fault::Listener),
            Nature::Buffer => Some(Fault::OffHeap),
            Nature::Function | Nature::Pending => Some(Fault::Closure),
            Nature::Instance
            | Nature::Record
            | Nature::Collection
            | Nature::Value
            | Nature::Running
            | Nature::Variables
            | Nature::Module
            | Nature::Class
            | Nature::Global
            | Nature::Loaded
            | Nature::Engine => None,
        }
    }

    fn is_program(&self, number: u32) -> bool {
        matches!(self.types.nature(number), Nature::Loaded | Nature::Engine)
    }

    fn is_nameless(&self, node: u32) -> bool {
        self.nature(node) == Nature::Record
    }
}

/// Whether source text may have it as the name of a property. Keys that tables of any size get from
/// elsewhere, as addresses and tokens, are values.
fn is_name(name: &str) -> bool {
    let is_word = |name: &str| {
        let begins = name.starts_with(|first: char| !first.is_ascii_digit());
        let is_part = |letter: char| letter.is_alphanumeric() || matches!(letter, '_' | '$');
        begins && name.chars().all(is_part)
    };
    name.starts_with("<symbol") || is_word(name.strip_prefix('#').unwrap_or(name))
}

/// What the engine's own references are called, in words.
fn internal(name: &str) -> &'static str {
    const NAMES: [(&str, &str); 12] = [
        ("context", "variables"),
        ("previous", "outer variables"),
        ("table", "table"),
        ("elements", "elements"),
        ("properties", "properties"),
        ("buffer", "buffer"),
        ("backing_store", "bytes"),
        ("native_to_javascript", "object"),
        ("javascript_to_native", "native part"),
        ("reactions_or_result", "waiting"),
        ("bound_function", "bound function"),
        ("bound_this", "bound this"),
    ];
    let known = NAMES.iter().find(|(own, _)| *own == name);
    match known {
        Some((_, words)) => words,
        None if name.contains("part of key") => "a WeakMap's entry",
        None => "refers to",
    }
}

/// What groups of roots hold, in words. What is in several groups is told by the first of this list.
const ROOTS: [(&str, &str); 10] = [
    ("(Stack roots)", "a variable of a running function"),
    ("(Handle scope)", "native code that runs"),
    ("(Global handles)", "a global handle of native code"),
    ("(Eternal handles)", "a handle of native code that is never given back"),
    ("(Traced handles)", "an object of the embedder"),
    ("(Document DOM trees)", "a document"),
    ("(Debugger)", "a debugger"),
    ("C++ roots", "an object of the embedder"),
    ("Node / ", "a native object of Node.js"),
    ("", "the engine"),
];

fn roots(snapshot: &Snapshot) -> BTreeMap<u32, &'static str> {
    let mut ranks: BTreeMap<u32, usize> = BTreeMap::new();
    let mut note = |node: u32, rank: usize| {
        let known = ranks.entry(node).or_insert(rank);
        *known = rank.min(*known);
    };
    for group in 0..snapshot.nodes() as u32 {
        if snapshot.kind(group) != NodeKind::Synthetic {
            continue;
        }
        let name = snapshot.name(group).unwrap_or_default();
        let rank = ROOTS.iter().position(|(begins, _)| name.starts_with(begins));
        for edge in snapshot.nodes.edges(group) {
            let target = snapshot.links.targets[edge];
            let kind = snapshot.links.kind(edge);
            let is_entry = group == snapshot.root() || kind != EdgeKind::Shortcut;
            let is_weak = kind == EdgeKind::Weak || !is_entry;
            if let Some(rank) = rank.filter(|_| !is_weak)
                && snapshot.kind(target) != NodeKind::Synthetic
            {
                note(target, rank);
            }
        }
    }
    let globals = globals(snapshot);
    let words = |(node, rank): (u32, usize)| {
        let words = if globals.contains(&node) { "the global object" } else { ROOTS[rank].1 };
        (node, words)
    };
    ranks.into_iter().map(words).collect()
}

fn fits(source: &dyn Source, given: u64, progress: &dyn Progress) -> Result<(), V8Error> {
    let layout = Layout::of_snapshot(source, progress).map_err(V8Error::Snapshot)?;
    let (nodes, edges) = (layout.node_count, layout.edge_count_total);
    let digits =
        nodes.saturating_mul(DIGITS_A_NODE).saturating_add(edges.saturating_mul(DIGITS_AN_EDGE));
    let needed = nodes
        .saturating_mul(BYTES_A_NODE)
        .saturating_add(edges.saturating_mul(BYTES_AN_EDGE))
        .saturating_add(source.size().saturating_sub(digits));
    if given < needed { Err(V8Error::Memory { nodes, needed, given }) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_source_text_does_not_have_are_values() {
        for name in ["sessions", "_events", "$scope", "#hidden", "<symbol kHandle>", "x2"] {
            assert!(is_name(name), "{name}");
        }
        for value in ["", "ann@example.org", "token-7", "2026", "a b", "/cart"] {
            assert!(!is_name(value), "{value}");
        }
    }
}
