//! The second reading of a dump's objects: what each is, what it takes, and whom it refers to.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU32, Ordering};

use super::addresses::Addresses;
use super::classes::Classes;
use super::index::{self, Index};
use super::record::{ClassDump, Kind, Root, Visitor};
use super::top::Top;
use super::window::id;
use super::{HprofError, RootKind, Strength};
use crate::graph::{Arena, Edges, Graph, Sizes};
use crate::source::{Hands, Progress, Source};

/// What a dump is as a graph, and what else its roots tell.
#[derive(Debug, Default)]
pub(super) struct Linked {
    pub graph: Graph,
    /// Of each root, in the order of nodes.
    pub root_kinds: Vec<(u32, RootKind)>,
    pub threads: Vec<Thread>,
    /// References that do not keep their target alive, in order: from and to.
    pub weak: Vec<(u32, u32)>,
}

/// A thread that was alive.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Thread {
    pub node: u32,
    pub stack: u32,
    /// What its frames hold: the number of the frame, and a node.
    pub locals: Vec<(u32, u32)>,
}

struct Columns {
    types: Vec<AtomicU32>,
    sizes: Vec<AtomicU32>,
    starts: Vec<AtomicU32>,
}

fn column(count: usize, first: u32) -> Vec<AtomicU32> {
    std::iter::repeat_with(|| AtomicU32::new(first)).take(count).collect()
}

fn plain(column: Vec<AtomicU32>) -> Vec<u32> {
    column.into_iter().map(AtomicU32::into_inner).collect()
}

/// What one hand does.
struct Linker<'a> {
    hand: usize,
    hands: usize,
    columns: &'a Columns,
    addresses: &'a Addresses,
    classes: &'a Classes,
    /// By class: its node, if instances keep it alive and nothing else does for sure.
    held_classes: &'a [Option<u32>],
    strength: Strength,
    arena: Arena,
    large: BTreeMap<u32, u64>,
    weak: Vec<(u32, u32)>,
    is_too_large: bool,
    last_class: (u64, u32),
    /// The array that is being told.
    array: Option<u32>,
}

impl Linker<'_> {
    #[inline]
    fn class(&mut self, id: u64) -> u32 {
        if self.last_class.0 != id {
            self.last_class = (id, self.classes.find(id).unwrap_or(self.classes.unknown));
        }
        self.last_class.1
    }

    /// Begins the node of an object.
    #[inline]
    fn begin(&mut self, id: u64, class: u32, size: u64) -> Option<u32> {
        let node = self.addresses.number(id)?;
        let at = node as usize;
        self.columns.types[at].store(class, Ordering::Relaxed);
        let small = u32::try_from(size).unwrap_or(u32::MAX);
        self.columns.sizes[at].store(small, Ordering::Relaxed);
        if small == u32::MAX {
            self.large.insert(node, size);
        }
        if let Some(held) = self.held_classes[class as usize] {
            self.arena.push(held);
        }
        Some(node)
    }

    #[inline]
    fn refer(&mut self, target: u64) {
        if target != 0
            && let Some(target) = self.addresses.number(target)
        {
            self.arena.push(target);
        }
    }

    #[inline]
    fn end(&mut self, node: u32) {
        match self.arena.close(self.hand, self.hands) {
            Ok(start) => self.columns.starts[node as usize].store(start, Ordering::Relaxed),
            Err(_) => self.is_too_large = true,
        }
    }

    /// Follows all references of an instance but the weak one, which is told by itself.
    fn reference_object<const W: usize>(&mut self, node: u32, class: u32, fields: &[u8]) {
        let class = self.classes.of(class);
        for at in &class.references {
            let Some(bytes) = fields.get(*at as usize..*at as usize + W) else { return };
            if Some(*at) != class.referent {
                self.refer(id::<W>(bytes));
            } else if let Some(target) = self.addresses.number(id::<W>(bytes)) {
                self.weak.push((node, target));
                if self.strength == Strength::All {
                    self.arena.push(target);
                }
            }
        }
    }

    #[inline]
    fn fields<const W: usize>(&mut self, node: u32, class: u32, fields: &[u8]) {
        let found = self.classes.of(class);
        if found.referent.is_some() {
            return self.reference_object::<W>(node, class, fields);
        }
        for at in &found.references {
            let Some(bytes) = fields.get(*at as usize..*at as usize + W) else { return };
            self.refer(id::<W>(bytes));
        }
    }
}

impl Visitor for Linker<'_> {
    #[inline]
    fn instance(&mut self, id: u64, class: u64, fields: &[u8]) {
        let class = self.class(class);
        let size = self.classes.of(class).instance_size;
        let Some(node) = self.begin(id, class, size) else { return };
        match self.classes.widths.pointer {
            4 => self.fields::<4>(node, class, fields),
            _ => self.fields::<8>(node, class, fields),
        }
        self.end(node);
    }

    fn array_begins(&mut self, id: u64, class: u64, length: u32) {
        let class = self.class(class);
        self.array = self.begin(id, class, self.classes.widths.references(length));
    }

    fn array_part(&mut self, ids: &[u8]) {
        if self.array.is_none() {
            return;
        }
        match self.classes.widths.pointer {
            4 => ids.chunks_exact(4).for_each(|bytes| self.refer(id::<4>(bytes))),
            _ => ids.chunks_exact(8).for_each(|bytes| self.refer(id::<8>(bytes))),
        }
    }

    fn array_ends(&mut self) {
        if let Some(node) = self.array.take() {
            self.end(node);
        }
    }

    #[inline]
    fn primitives(&mut self, id: u64, kind: Kind, length: u32) {
        let class = self.classes.of_primitives(kind);
        let size = self.classes.widths.primitives(kind, length);
        if let Some(node) = self.begin(id, class, size) {
            self.end(node);
        }
    }

    fn class(&mut self, _: ClassDump) {}

    fn root(&mut self, _: Root) {}
}

impl Linked {
    pub(super) fn read(
        source: &dyn Source,
        top: &Top,
        index: &Index,
        strength: Strength,
        (hands, progress): (&dyn Hands, &dyn Progress),
    ) -> Result<Self, HprofError> {
        let count = index.addresses.count();
        let (roots, threads) = roots(index);
        let held_classes = held_classes(index, &roots);
        let columns = Columns {
            types: column(count, index.classes.unknown),
            sizes: column(count, 0),
            starts: column(count, u32::MAX),
        };
        let begin = |hand| Linker {
            hand,
            hands: hands.count(),
            columns: &columns,
            addresses: &index.addresses,
            classes: &index.classes,
            held_classes: &held_classes,
            strength,
            arena: Arena::default(),
            large: BTreeMap::new(),
            weak: Vec::new(),
            is_too_large: false,
            last_class: (0, index.classes.unknown),
            array: None,
        };
        // An array that a damaged place cut off is no one's.
        let begin_part = |linker: &mut Linker<'_>| linker.array_ends();
        let told = (progress, "reading references");
        let (mut linkers, _) = index::read(source, top, hands, told, begin, begin_part)?;
        if linkers.iter().any(|linker| linker.is_too_large) {
            return Err(HprofError::TooManyReferences);
        }
        linkers.sort_by_key(|linker| linker.hand);
        let (mut arenas, mut large, mut weak) = (Vec::new(), BTreeMap::new(), Vec::new());
        for mut linker in linkers {
            linker.array_ends();
            arenas.push(linker.arena);
            large.append(&mut linker.large);
            weak.append(&mut linker.weak);
        }
        weak.sort_unstable();
        let Columns { types, sizes, starts } = columns;
        let mut linked = Self {
            graph: Graph {
                types: plain(types),
                sizes: Sizes::new(plain(sizes), large),
                edges: Edges::new(plain(starts), arenas),
                roots: roots.iter().map(|(node, _)| *node).collect(),
            },
            root_kinds: roots,
            threads,
            weak,
        };
        linked.add_classes(index).map_err(|_| HprofError::TooManyReferences)?;
        linked.add_locals().map_err(|_| HprofError::TooManyReferences)?;
        Ok(linked)
    }

    /// Gives each class its references and its size: most dumps have no other record of the object.
    fn add_classes(&mut self, index: &Index) -> Result<(), crate::graph::TooLarge> {
        let number = |id: &u64| index.addresses.number(*id).filter(|_| *id != 0);
        for (at, class) in (0_u32..).zip(&index.classes.all) {
            let dump = &class.dump;
            let Some(node) = number(&dump.id) else { continue };
            let of_class = index.classes.class.filter(|_| !self.has_record(index, node));
            if let Some(of_class) = of_class {
                self.graph.types[node as usize] = of_class;
            }
            self.graph.sizes.set(node, index.classes.size_of_class(at));
            let class = of_class.and_then(|class| number(&index.classes.of(class).dump.id));
            let targets = [dump.above, dump.loader].into_iter().chain(dump.others);
            let statics = dump.statics.iter().map(|(_, target)| *target);
            let constants = dump.constants.iter().map(|(_, target)| *target);
            let targets = targets.chain(statics).chain(constants);
            let targets = targets.filter_map(|target| number(&target)).chain(class);
            let all: Vec<u32> = self.graph.edges.of(node).chain(targets).collect();
            self.graph.edges.replace(node, all)?;
        }
        Ok(())
    }

    /// Whether the class was told as an instance as well (Android does).
    fn has_record(&self, index: &Index, node: u32) -> bool {
        self.graph.types[node as usize] != index.classes.unknown
    }

    /// What a thread's frames hold hangs below the thread.
    fn add_locals(&mut self) -> Result<(), crate::graph::TooLarge> {
        for thread in &self.threads {
            let locals = thread.locals.iter().map(|(_, local)| *local);
            let all: Vec<u32> = self.graph.edges.of(thread.node).chain(locals).collect();
            self.graph.edges.replace(thread.node, all)?;
        }
        Ok(())
    }
}

/// Nodes that are held from outside, with the first kind in the order of [`RootKind`]; and threads.
fn roots(index: &Index) -> (Vec<(u32, RootKind)>, Vec<Thread>) {
    let number = |id: u64| index.addresses.number(id);
    let mut threads: BTreeMap<u32, Thread> = BTreeMap::new();
    let mut nodes = BTreeSet::new();
    for root in index.roots.iter().filter(|root| root.kind == RootKind::Thread) {
        if let (Some(serial), Some(node)) = (root.thread, number(root.id))
            && !threads.contains_key(&serial)
            // No object is two threads: its references would be copied for each.
            && nodes.insert(node)
        {
            threads.insert(serial, Thread { node, stack: root.frame, locals: Vec::new() });
        }
    }
    let mut kinds: BTreeMap<u32, RootKind> = BTreeMap::new();
    for root in &index.roots {
        let Some(node) = number(root.id) else { continue };
        let thread = root.thread.filter(|_| root.kind.is_of_thread());
        if let Some(thread) = thread.and_then(|serial| threads.get_mut(&serial)) {
            thread.locals.push((root.frame, node));
            continue;
        }
        let kind = kinds.entry(node).or_insert(root.kind);
        *kind = root.kind.min(*kind);
    }
    if !kinds.values().any(|kind| *kind == RootKind::SystemClass) {
        // Some dumps do not say it of the classes that come with the JVM.
        let system = index.classes.all.iter().filter(|class| {
            class.dump.id != 0 && class.dump.loader == 0 && !class.name.ends_with("[]")
        });
        for node in system.filter_map(|class| number(class.dump.id)) {
            kinds.entry(node).or_insert(RootKind::SystemClass);
        }
    }
    // The same stack may hold an object many times.
    let mut threads: Vec<Thread> = threads.into_values().collect();
    for thread in &mut threads {
        thread.locals.sort_unstable();
        thread.locals.dedup();
    }
    (kinds.into_iter().collect(), threads)
}

/// By class: its node, where the references of its instances to it say anything. They do not where
/// the class is held from outside, as those are that come with the JVM: most references of a heap.
fn held_classes(index: &Index, roots: &[(u32, RootKind)]) -> Vec<Option<u32>> {
    let is_root = |node: &u32| roots.binary_search_by_key(node, |(root, _)| *root).is_ok();
    let node = |id: u64| index.addresses.number(id).filter(|_| id != 0);
    let nodes = index.classes.all.iter().map(|class| node(class.dump.id));
    nodes.map(|node| node.filter(|node| !is_root(node))).collect()
}
