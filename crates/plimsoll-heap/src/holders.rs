//! Who holds memory in collections: each collection that holds much, with what is in it, and who
//! owns it.
//!
//! A dominator tree alone names a table of a map, or a class loader that dominates the program. Here
//! the parts of collections are seen through: whatever hangs below a collection's parts is its
//! content, and the object or class above is its owner. A collection inside of an element of another
//! is counted once, for itself.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::io;

use crate::dominators::{Above, Met};
use crate::shape::{Label, Role, Shape};

/// Collections that are looked at retain at least this share of what is alive: enough that a hundred
/// threads with a map each are seen, few enough that names can be had for all.
const SHARE_MIN: f64 = 0.001;
/// And at least this, in bytes.
const BYTES_MIN: u64 = 64 << 10;

/// Objects of one type in one place that are looked at as a crowd, at least: fewer are parts of
/// something else.
const CROWD_MIN: u64 = 50;

/// Something that holds memory for its owner.
#[derive(Clone, Debug)]
pub struct Holder {
    /// The collection, or the large object itself.
    pub node: u32,
    /// Who refers to it from outside, if one node alone does.
    pub owner: Option<u32>,
    /// How the owner refers to it.
    pub label: Option<Label>,
    /// What is in it: types of elements, by the bytes that they retain.
    pub elements: Vec<Elements>,
    /// What it retains, in bytes.
    pub retained: u64,
    /// The holder that it is inside of.
    pub inside: Option<u32>,
    /// Class loaders inside of it.
    pub loaders: u64,
    /// Whether it is objects that several collections hold, of which `node` is one.
    pub is_crowd: bool,
    /// The part of it that no other holder inside of it accounts for.
    pub weight: u64,
}

/// Elements of one type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Elements {
    pub kind: u32,
    pub count: u64,
    pub retained: u64,
    /// One of them.
    pub example: u32,
}

/// Types of elements that are kept of each holder.
const KINDS_MAX: usize = 8;

/// Marks a node that is a part of its holder, not one of its elements or below them.
const PART: u32 = 1 << 31;

struct Search<'a> {
    shape: &'a dyn Shape,
    roles: Vec<Role>,
    /// By type: whether objects of it may follow one another in a chain. Functions within functions
    /// are a program.
    chains: Vec<bool>,
    least: u64,
    /// By number of a node: the number of the holder that it is inside of, with [`PART`] where it is
    /// a part of it; 0 for none.
    places: Vec<u32>,
    /// By number of a holder, and by type.
    found: HashMap<u32, HashMap<u32, Elements>>,
    /// By number of a holder: class loaders inside of it.
    loaders: HashMap<u32, u64>,
    /// Small objects that several collections hold: by the number of what dominates them, and type.
    /// With what the largest retains, which stands for all.
    crowds: HashMap<(u32, u32), (Elements, u64)>,
    /// Large objects that no holder holds, or that are most of what it holds: its number.
    single: Vec<(u32, u64, u32)>,
}

/// Finds all holders of much, the heaviest first.
///
/// # Errors
/// When the names of references cannot be read from the dump.
pub fn holders(shape: &dyn Shape) -> io::Result<Vec<Holder>> {
    let dominators = shape.dominators();
    let alive = dominators.retained_by_all();
    let types = 0..shape.types() as u32;
    let is_chain = |number| !shape.is_function(shape.type_name(number));
    let mut search = Search {
        shape,
        roles: types.clone().map(|number| shape.role(number)).collect(),
        chains: types.map(is_chain).collect(),
        least: BYTES_MIN.max((alive as f64 * SHARE_MIN) as u64),
        places: vec![0; dominators.count_met()],
        found: HashMap::new(),
        loaders: HashMap::new(),
        crowds: HashMap::new(),
        single: Vec::new(),
    };
    search.walk();
    let mut holders = search.holders();
    let owned = |holder: &Holder| holder.owner.map(|owner| (owner, holder.node));
    let asked: Vec<_> = holders.iter().filter_map(owned).collect();
    let mut labels = shape.labels(&asked)?.into_iter();
    for holder in holders.iter_mut().filter(|holder| holder.owner.is_some()) {
        holder.label = labels.next().flatten();
    }
    holders.sort_by_key(|holder| (Reverse(holder.weight), holder.node));
    Ok(holders)
}

impl Search<'_> {
    fn kind(&self, node: u32) -> u32 {
        self.shape.graph().types.get(node as usize).copied().unwrap_or(0)
    }

    fn role(&self, kind: u32) -> Role {
        self.roles.get(kind as usize).copied().unwrap_or(Role::Object)
    }

    /// Whether a large object is most of what the holder around it has, if there is one.
    fn is_most(&self, above: u32, size: u64) -> bool {
        let outer = self.places[above as usize] & !PART;
        outer == 0 || size >= self.shape.dominators().retained_by_number(outer) / 2
    }

    /// The holder that a number is a part of; 0 for none.
    fn part_of(&self, number: u32) -> u32 {
        let place = self.places[number as usize];
        if place & PART != 0 { place & !PART } else { 0 }
    }

    fn walk(&mut self) {
        let dominators = self.shape.dominators();
        for met in dominators.met() {
            let kind = self.kind(met.node);
            let is_same = self.chains.get(kind as usize).is_some_and(|is_chain| *is_chain)
                && dominators.node_of(met.above).is_some_and(|node| self.kind(node) == kind);
            let above = self.places[met.above as usize] & !PART;
            self.places[met.number as usize] = match self.part(&met, kind, is_same) {
                0 => above,
                part => part | PART,
            };
            if self.role(kind) == Role::Loader && above != 0 {
                *self.loaders.entry(above).or_default() += 1;
            }
        }
        let sizes = &self.shape.graph().sizes;
        for (node, above) in dominators.sinks() {
            let (kind, size) = (self.kind(node), sizes.of(node));
            match self.part_of(above) {
                0 if size >= self.least && self.is_most(above, size) => {
                    self.single.push((node, size, self.places[above as usize] & !PART));
                }
                0 => self.crowd(above, kind, node, size),
                part_of if self.role(kind) != Role::Plumbing => {
                    self.add(part_of, kind, node, size);
                }
                _ => {}
            }
        }
    }

    /// The holder that a node is a part of: collections are made of parts, and so are chains of
    /// objects of one type.
    fn part(&mut self, met: &Met, kind: u32, is_same: bool) -> u32 {
        let above = self.part_of(met.above);
        let dominators = self.shape.dominators();
        let is_much = |number| dominators.retained_by_number(number) >= self.least;
        if self.role(kind) == Role::Plumbing {
            return if above == 0 && is_much(met.number) { met.number } else { above };
        }
        let holder = match above {
            0 if is_same && is_much(met.above) => met.above,
            above => above,
        };
        if holder != 0 {
            // What hangs further down in a chain is in what its first object retains.
            let is_first = !is_same || above == 0 || met.above == holder;
            self.add(holder, kind, met.node, if is_first { met.retained } else { 0 });
        } else if met.retained < self.least {
            self.crowd(met.above, kind, met.node, met.retained);
        }
        if is_same { holder } else { 0 }
    }

    /// Adds an object to those of its type that hang in the same place without a collection of their
    /// own: two maps that hold the same objects dominate none of them.
    fn crowd(&mut self, above: u32, kind: u32, example: u32, retained: u64) {
        let is_much = above == 0 || self.shape.dominators().retained_by_number(above) >= self.least;
        if is_much && self.role(kind) == Role::Object {
            let none = Elements { kind, count: 0, retained: 0, example };
            let (crowd, most) = self.crowds.entry((above, kind)).or_insert((none, 0));
            crowd.count += 1;
            crowd.retained += retained;
            if retained > *most {
                (crowd.example, *most) = (example, retained);
            }
        }
    }

    fn add(&mut self, holder: u32, kind: u32, example: u32, retained: u64) {
        let elements = self.found.entry(holder).or_default().entry(kind).or_insert(Elements {
            kind,
            count: 0,
            retained: 0,
            example,
        });
        elements.count += 1;
        elements.retained += retained;
    }

    fn holders(&mut self) -> Vec<Holder> {
        let dominators = self.shape.dominators();
        let mut found = std::mem::take(&mut self.found);
        // What lies inside of each, by number.
        let mut inner: HashMap<u32, u64> = HashMap::new();
        for number in found.keys() {
            let outer = self.places[dominators.number_above(*number) as usize] & !PART;
            if outer != 0 {
                *inner.entry(outer).or_default() += dominators.retained_by_number(*number);
            }
        }
        for (_, size, outer) in &self.single {
            *inner.entry(*outer).or_default() += size;
        }
        let mut holders = Vec::new();
        for met in dominators.met() {
            let Some(elements) = self.elements(&met, &mut found) else { continue };
            let mut elements: Vec<Elements> = elements.into_values().collect();
            elements.sort_by_key(|elements| (Reverse(elements.retained), elements.kind));
            elements.truncate(KINDS_MAX);
            let inner = inner.get(&met.number).copied().unwrap_or(0);
            let weight = met.retained.saturating_sub(inner);
            let loaders = self.loaders.get(&met.number).copied().unwrap_or(0);
            let outer = self.places[dominators.number_above(met.number) as usize] & !PART;
            let inside = dominators.node_of(outer);
            let holder = self.holder(met.node, elements, met.retained);
            holders.push(Holder { inside, loaders, weight, ..holder });
        }
        for (crowd, _) in std::mem::take(&mut self.crowds).into_values() {
            if crowd.retained >= self.least && crowd.count >= CROWD_MIN {
                let holder = self.holder(crowd.example, vec![crowd], crowd.retained);
                holders.push(Holder { owner: None, is_crowd: true, ..holder });
            }
        }
        for (node, size, outer) in std::mem::take(&mut self.single) {
            let kind = self.kind(node);
            let own = Elements { kind, count: 1, retained: size, example: node };
            let inside = dominators.node_of(outer);
            holders.push(Holder { inside, ..self.holder(node, vec![own], size) });
        }
        holders
    }

    /// What is in a holder, by type; None if this is no holder. A list of numbers
    /// has nothing else in it, and a few objects of one type in a row are no chain.
    fn elements(
        &self,
        met: &Met,
        found: &mut HashMap<u32, HashMap<u32, Elements>>,
    ) -> Option<HashMap<u32, Elements>> {
        let kind = self.kind(met.node);
        let is_part = self.role(kind) == Role::Plumbing;
        let Some(elements) = found.remove(&met.number) else {
            let is_holder = is_part && self.part_of(met.number) == met.number;
            return is_holder.then(HashMap::new);
        };
        let is_long = |own: &Elements| own.count >= CROWD_MIN;
        (is_part || elements.get(&kind).is_some_and(is_long)).then_some(elements)
    }

    fn holder(&self, node: u32, elements: Vec<Elements>, retained: u64) -> Holder {
        let owner = match self.shape.dominators().above(node) {
            Above::Node(owner) => Some(owner),
            Above::Roots | Above::Nothing => None,
        };
        Holder {
            node,
            owner,
            label: None,
            elements,
            retained,
            inside: None,
            loaders: 0,
            weight: retained,
            is_crowd: false,
        }
    }
}
