//! What the types of a V8 heap are to someone who looks for an owner: data by name, and by what V8
//! and Node.js put into their objects.
//!
//! V8 names an object by its constructor alone, so a table of a million names and a point in a plane
//! are both an `Object`; what tells them apart is how many properties they have. Not here: how
//! references are called, and whose code something is (`look`, `origin`).

use std::collections::{HashMap, HashSet};

use super::kind::{EdgeKind, NodeKind};
use super::{Snapshot, TypeNames, origin};
use crate::shape::Role;

/// Properties or elements from which an object is a table or a list, whatever its class: source text
/// rarely writes that many, and what has fewer holds too little to matter.
const ENTRIES_MIN: usize = 64;

/// What a node is, closer than V8 says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Nature {
    /// An instance of a class.
    Instance,
    /// An object without a class.
    Record,
    Collection,
    /// What an emitter of events calls.
    Listeners,
    /// Bytes outside of the heap, or what owns or shows them.
    Buffer,
    Value,
    /// A function, or what keeps one to call it: a timer, a promise.
    Function,
    /// A function that Node.js calls once when something ends: work that is going on.
    Pending,
    /// What running code and native calls hold.
    Running,
    /// The variables of a function.
    Variables,
    /// The variables of a file.
    Module,
    Class,
    Global,
    /// What the loader of modules knows of one: the program itself.
    Loaded,
    /// What the engine makes of the program: code, shapes of objects.
    Engine,
}

impl Nature {
    pub(super) const fn role(self) -> Role {
        match self {
            Self::Collection | Self::Listeners => Role::Plumbing,
            Self::Buffer | Self::Value | Self::Running | Self::Engine => Role::Value,
            Self::Module | Self::Class | Self::Global => Role::Scope,
            Self::Instance
            | Self::Record
            | Self::Function
            | Self::Pending
            | Self::Variables
            | Self::Loaded => Role::Object,
        }
    }

    /// Of objects of V8's and of Node.js' own classes, and of parts of the engine.
    fn of_class(name: &str) -> Self {
        match name {
            "Array" | "Arguments" => Self::Collection,
            "Object" => Self::Record,
            "Timeout" | "Promise" => Self::Function,
            "Immediate" | "FSReqCallback" | "FSReqPromise" | "WriteWrap" | "ShutdownWrap"
            | "TCPConnectWrap" | "PipeConnectWrap" | "GetAddrInfoReqWrap" => Self::Pending,
            "Module" | "SourceTextModule" | "SyntheticModule" | "ModuleWrap" | "ModuleJob" => {
                Self::Loaded
            }
            "String" | "Number" | "Boolean" | "Date" | "Symbol" | "BigInt" | "RegExp" => {
                Self::Value
            }
            "system / Context" => Self::Variables,
            "system / JSArrayBufferData" | "system / ExternalStringData" => Self::Buffer,
            _ if name.starts_with("Node / ") || name.starts_with("system / ") => Self::Value,
            _ => Self::Instance,
        }
    }

    fn of_kind(kind: NodeKind) -> Self {
        match kind {
            NodeKind::Array => Self::Collection,
            NodeKind::Closure => Self::Function,
            NodeKind::Hidden | NodeKind::Code | NodeKind::ObjectShape => Self::Engine,
            NodeKind::String
            | NodeKind::Regexp
            | NodeKind::Number
            | NodeKind::Synthetic
            | NodeKind::ConcatenatedString
            | NodeKind::SlicedString
            | NodeKind::Symbol
            | NodeKind::Bigint
            | NodeKind::Other => Self::Value,
            NodeKind::Object | NodeKind::Native | NodeKind::WasmObject => Self::Instance,
        }
    }

    fn of_synthetic(name: &str) -> Self {
        let is_running = ["(Stack roots)", "(Handle scope)", "(Thread manager)"].contains(&name);
        let is_request = name.starts_with("Node / ") && name.contains("Req");
        if is_running || is_request { Self::Running } else { Self::Value }
    }
}

/// Types by number: their names, and what they are.
#[derive(Clone, Debug, Default)]
pub(super) struct Types(Vec<(String, Nature)>);

impl Types {
    /// Tells the types of a graph apart further; writes the new ones into it.
    pub(super) fn of(snapshot: &Snapshot, names: &TypeNames, types: &mut [u32]) -> Self {
        let mut all = Vec::with_capacity(names.count());
        for (node, number) in (0_u32..).zip(types.iter()) {
            if *number as usize == all.len() {
                // Types are numbered in the order in which they are met.
                let name = names.name(snapshot, *number).into_owned();
                let nature = match snapshot.kind(node) {
                    NodeKind::Object | NodeKind::Native => Nature::of_class(&name),
                    kind => Nature::of_kind(kind),
                };
                all.push((name, nature));
            }
        }
        let mut sorter = Sorter {
            snapshot,
            words: Words::of(snapshot),
            types: Self(all),
            special: HashMap::new(),
            listeners: Vec::new(),
        };
        sorter.sort(types);
        sorter.types
    }

    pub(super) fn count(&self) -> usize {
        self.0.len()
    }

    pub(super) fn name(&self, number: u32) -> &str {
        self.0.get(number as usize).map_or("(unknown)", |(name, _)| name)
    }

    pub(super) fn nature(&self, number: u32) -> Nature {
        self.0.get(number as usize).map_or(Nature::Value, |(_, nature)| *nature)
    }
}

/// What the root refers to by a shortcut: global objects.
pub(super) fn globals(snapshot: &Snapshot) -> HashSet<u32> {
    let Snapshot { nodes, links, .. } = snapshot;
    let edges = nodes.edges(snapshot.root());
    let entries = edges.filter(|edge| links.kind(*edge) == EdgeKind::Shortcut);
    entries.map(|edge| links.targets[edge]).collect()
}

/// Names of references that tell what something is, by the number of the string.
struct Words {
    table: Option<u32>,
    previous: Option<u32>,
    backing_store: Option<u32>,
    buffer: Option<u32>,
    events: Option<u32>,
    target_events: Option<u32>,
    repeat: Option<u32>,
}

impl Words {
    fn of(snapshot: &Snapshot) -> Self {
        let find = |word: &str| snapshot.number_of(word.as_bytes());
        Self {
            table: find("table"),
            previous: find("previous"),
            backing_store: find("backing_store"),
            buffer: find("buffer"),
            events: find("_events"),
            target_events: find("<symbol kEvents>"),
            repeat: find("_repeat"),
        }
    }
}

struct Sorter<'a> {
    snapshot: &'a Snapshot,
    words: Words,
    types: Types,
    /// By a type and what some of it are: the number of those. Groups of roots by their names.
    special: HashMap<(u32, Nature, u32), u32>,
    /// Objects that an emitter calls its events.
    listeners: Vec<u32>,
}

impl Sorter<'_> {
    fn sort(&mut self, types: &mut [u32]) {
        let globals = globals(self.snapshot);
        for (node, number) in (0_u32..).zip(types.iter_mut()) {
            match self.snapshot.kind(node) {
                NodeKind::Object if globals.contains(&node) => {
                    *number = self.number(*number, Nature::Global, None);
                }
                NodeKind::Object => {
                    let nature = self.object(node, self.types.nature(*number));
                    *number = self.number(*number, nature, None);
                }
                NodeKind::Closure if self.is_class(node) => {
                    *number = self.number(*number, Nature::Class, None);
                }
                NodeKind::Synthetic => {
                    let name = self.snapshot.name(node).unwrap_or_default();
                    let nature = Nature::of_synthetic(&name);
                    *number = self.number(*number, nature, Some(node));
                }
                _ => {}
            }
        }
        for node in std::mem::take(&mut self.listeners) {
            if let Some(number) = types.get_mut(node as usize)
                && self.snapshot.kind(node) == NodeKind::Object
            {
                *number = self.number(*number, Nature::Listeners, None);
            }
        }
    }

    /// The number of those of a type that are what is said.
    fn number(&mut self, number: u32, nature: Nature, group: Option<u32>) -> u32 {
        if group.is_none() && self.types.nature(number) == nature {
            return number;
        }
        let name_index = group.map_or(u32::MAX, |node| self.snapshot.name_index(node));
        let key = (number, nature, name_index);
        if let Some(special) = self.special.get(&key) {
            return *special;
        }
        let own = group.and_then(|node| self.snapshot.name(node)).filter(|name| !name.is_empty());
        let name = match (nature, own) {
            (_, Some(name)) => name.into_owned(),
            (Nature::Module, None) => "(module)".to_owned(),
            (Nature::Listeners, None) => "EventListeners".to_owned(),
            (_, None) => self.types.name(number).to_owned(),
        };
        let special = self.types.0.len() as u32;
        self.types.0.push((name, nature));
        self.special.insert(key, special);
        special
    }

    /// What an object is by what it refers to.
    fn object(&mut self, node: u32, by_name: Nature) -> Nature {
        let Snapshot { nodes, links, .. } = self.snapshot;
        let (mut properties, mut elements, mut variables) = (0, 0, 0);
        let (mut is_table, mut is_buffer, mut is_outermost, mut is_once) = Default::default();
        for edge in nodes.edges(node) {
            let word = Some(links.name_or_index(edge));
            let target = links.targets[edge];
            match links.kind(edge) {
                EdgeKind::Property => {
                    properties += 1;
                    if word == self.words.events || word == self.words.target_events {
                        self.listeners.push(target);
                    }
                    // A number that it is repeated after is none of its properties' nodes, or one
                    // of its own.
                    let is_null = self.snapshot.kind(target) == NodeKind::Hidden;
                    is_once |= word == self.words.repeat && is_null;
                }
                EdgeKind::Element => elements += 1,
                EdgeKind::Context => variables += 1,
                EdgeKind::Internal => {
                    is_table |= word == self.words.table;
                    is_buffer |= word == self.words.backing_store || word == self.words.buffer;
                    is_outermost |= word == self.words.previous && self.is_native_context(target);
                }
                EdgeKind::Hidden | EdgeKind::Shortcut | EdgeKind::Weak | EdgeKind::Other => {}
            }
        }
        match by_name {
            Nature::Variables if is_outermost && variables > 0 => Nature::Module,
            Nature::Variables => Nature::Variables,
            Nature::Function if is_once => Nature::Pending,
            Nature::Loaded if origin::is_own(self.snapshot, node) => Nature::Instance,
            Nature::Instance | Nature::Record if is_table => Nature::Collection,
            Nature::Instance | Nature::Record if is_buffer => Nature::Buffer,
            Nature::Instance | Nature::Record if properties.max(elements) >= ENTRIES_MIN => {
                Nature::Collection
            }
            other => other,
        }
    }

    fn is_native_context(&self, node: u32) -> bool {
        let name = self.snapshot.raw_name(node);
        name.is_some_and(|name| name.ends_with(b"NativeContext"))
    }

    /// V8 notes for each class where its source text stands.
    fn is_class(&self, node: u32) -> bool {
        let Snapshot { nodes, links, .. } = self.snapshot;
        let mut notes = nodes.edges(node).filter(|edge| links.kind(*edge) == EdgeKind::Property);
        notes.any(|edge| {
            let target = links.targets[edge];
            self.snapshot.kind(target) == NodeKind::Hidden
                && self.snapshot.raw_name(target) == Some(b"system / ClassPositions")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_of_the_runtime_are_known_by_name() {
        let check = |name: &str, want| assert_eq!(Nature::of_class(name).role(), want, "{name}");
        check("Array", Role::Plumbing);
        check("Timeout", Role::Object);
        check("system / JSArrayBufferData", Role::Value);
        check("Node / Environment", Role::Value);
        check("Session", Role::Object);
        assert_eq!(Nature::of_synthetic("(Stack roots)"), Nature::Running);
        assert_eq!(Nature::of_synthetic("Node / FSReqCallback"), Nature::Running);
        assert_eq!(Nature::of_synthetic("(Global handles)"), Nature::Value);
    }
}
