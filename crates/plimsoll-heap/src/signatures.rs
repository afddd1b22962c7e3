//! A heap as a table that can be compared with that of another moment: objects counted by who
//! dominates them, type by type up to a class, a scope or a root.
//!
//! Addresses change with each collection, so objects of two dumps of a JVM cannot be told to be the
//! same. What stays is the way down to them: `class Store -> SESSIONS -> ConcurrentHashMap -> Node[]
//! -> Node -> Session`. Used by `difference`.

use std::hash::{DefaultHasher, Hash, Hasher};

use crate::by_id::ById;
use crate::shape::{Role, Shape};

/// Ways that are told apart, at most; what comes then is counted where it hangs.
const WAYS_MAX: usize = 1 << 20;

/// Types below one another that are told apart. Deeper ones are nested data of one kind.
const DEPTH_MAX: u8 = 48;

/// Names a way, in every heap alike.
pub(crate) type Key = u64;

/// What stands above everything.
pub(crate) const TOP: Key = 0;

/// All objects at the end of one way.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Signature {
    pub above: Key,
    pub name: String,
    /// The static field or variable at which the way leaves its scope.
    pub field: Option<String>,
    pub role: Role,
    pub is_own: bool,
    /// Whether it is of the program itself, as its code is.
    pub is_program: bool,
    /// Whether a running method holds it.
    pub is_in_flight: bool,
    pub count: u64,
    /// What they take by themselves, in bytes.
    pub bytes: u64,
    /// One of them, in its own heap.
    pub example: u32,
    depth: u8,
}

/// A heap by ways.
#[derive(Clone, Debug, Default)]
pub struct Signatures {
    pub(crate) all: ById<Signature>,
    /// What all that is alive takes, in bytes.
    pub alive: u64,
}

impl Signatures {
    pub fn of(shape: &dyn Shape) -> Self {
        let mut counter = Counter {
            shape,
            roles: (0..shape.types() as u32).map(|number| shape.role(number)).collect(),
            hashes: (0..shape.types() as u32).map(|kind| hash(&shape.type_name(kind))).collect(),
            found: Self { all: ById::default(), alive: shape.dominators().retained_by_all() },
            last: (u64::MAX, 0, 0),
            plain: ById::default(),
        };
        counter.count();
        counter.found
    }

    pub(crate) fn get(&self, key: Key) -> Option<&Signature> {
        self.all.get(&key)
    }
}

fn hash(value: &impl Hash) -> u64 {
    // The keys of this hasher are fixed, so that two heaps agree.
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish().max(1)
}

struct Counter<'a> {
    shape: &'a dyn Shape,
    roles: Vec<Role>,
    hashes: Vec<u64>,
    found: Signatures,
    /// The way that was asked for last, with the question: siblings stand behind one another.
    last: (Key, u32, Key),
    /// By a hash of the question, ways to plain nodes below plain ones: nothing else decides them.
    plain: ById<Key>,
}

impl Counter<'_> {
    fn count(&mut self) {
        let dominators = self.shape.dominators();
        let mut keys: Vec<Key> = vec![TOP; dominators.count_met()];
        for met in dominators.met() {
            let above = dominators.node_of(met.above);
            keys[met.number as usize] = self.add(keys[met.above as usize], above, met.node);
        }
        for (node, above) in dominators.sinks() {
            self.add(keys[above as usize], dominators.node_of(above), node);
        }
    }

    fn kind(&self, node: u32) -> u32 {
        self.shape.graph().types[node as usize]
    }

    /// Counts a node; gives its key.
    fn add(&mut self, above: Key, above_node: Option<u32>, node: u32) -> Key {
        let kind = self.kind(node);
        let role = self.roles[kind as usize];
        let above_kind = above_node.map(|node| self.kind(node));
        let above_role = above_kind.map(|kind| self.roles[kind as usize]);
        let is_plain =
            role != Role::Scope && !matches!(above_role, None | Some(Role::Scope | Role::Thread));
        let key = if is_plain && above_kind == Some(kind) {
            // A chain of one type is one way, however long.
            above
        } else if is_plain && self.last.0 == above && self.last.1 == kind {
            self.last.2
        } else if is_plain {
            let key = self.plain_key(above, above_node, node);
            self.last = (above, kind, key);
            key
        } else {
            self.key(above, above_node, node)
        };
        if let Some(signature) = self.found.all.get_mut(&key) {
            signature.count += 1;
            signature.bytes += self.shape.graph().sizes.of(node);
        }
        key
    }

    fn plain_key(&mut self, above: Key, above_node: Option<u32>, node: u32) -> Key {
        let question = self.hashes[self.kind(node) as usize] ^ above.rotate_left(32);
        if let Some(key) = self.plain.get(&question) {
            return *key;
        }
        let key = self.key(above, above_node, node);
        if self.plain.len() < WAYS_MAX {
            self.plain.insert(question, key);
        }
        key
    }

    #[inline(never)]
    fn key(&mut self, above: Key, above_node: Option<u32>, node: u32) -> Key {
        let kind = self.kind(node);
        let role = self.roles[kind as usize];
        let over = above_node.filter(|_| role != Role::Scope);
        let over_role = over.map(|over| self.roles[self.kind(over) as usize]);
        let field = over.filter(|_| over_role == Some(Role::Scope));
        let field = field.and_then(|scope| self.shape.static_name(scope, node));
        let is_of_thread = over_role == Some(Role::Thread)
            && over.is_some_and(|thread| self.shape.is_in_flight(thread, node));
        let is_in_flight =
            is_of_thread || over.is_some_and(|over| self.shape.is_work(self.kind(over)));
        let key = match role {
            // A class is known by its name, wherever it hangs.
            Role::Scope => hash(&(1, self.shape.node_name(node))),
            _ => hash(&(2, above, self.hashes[kind as usize], &field, is_in_flight)),
        };
        let outer = self.found.all.get(&above);
        let depth = outer.map_or(0, |outer| outer.depth + 1);
        if !self.found.all.contains_key(&key) {
            if self.found.all.len() >= WAYS_MAX || depth > DEPTH_MAX && role != Role::Scope {
                return above;
            }
            let is_in_flight = is_in_flight || outer.is_some_and(|outer| outer.is_in_flight);
            let signature = Signature {
                above: if role == Role::Scope { TOP } else { above },
                name: self.shape.node_name(node).into_owned(),
                field: field.map(|field| field.into_owned()),
                role,
                is_own: self.shape.is_own(node),
                is_program: self.shape.is_program(kind),
                is_in_flight: is_in_flight && role != Role::Scope,
                count: 0,
                bytes: 0,
                example: node,
                depth: if role == Role::Scope { 0 } else { depth },
            };
            self.found.all.insert(key, signature);
        }
        key
    }
}
