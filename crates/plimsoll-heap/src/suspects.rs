//! What most likely leaks, from one look at a heap: who holds much, by the name of the owner and the
//! field, with what kind of mistake it looks like.
//!
//! One look cannot tell growth from size, so only what is large in itself and takes a good part of
//! the heap is suspected; two looks (`difference`) tell more.

use std::collections::BTreeMap;
use std::io;

use crate::dominators::Above;
use crate::faults::{Fault, is_resource, tells_of_caches, tells_of_listeners};
use crate::holders::{Holder, holders};
use crate::hprof::Survey;
use crate::paths::ways;
use crate::shape::{Label, Role, Shape};

/// A suspect holds at least this share of what is alive.
pub const SHARE_MIN: f64 = 0.10;
/// And at least this, in bytes: what a small program holds for good reasons stays below.
pub const BYTES_MIN: u64 = 4 << 20;
/// Class loaders of one type that are alive at once, from which they are suspected, whatever they
/// hold: programs that load code anew have a handful.
pub const LOADERS_MIN: u64 = 8;
/// Of what the heaviest suspect retains, this share in doubles of data makes them the mistake.
const DUPLICATES_SHARE_MIN: f64 = 0.5;
/// Buffers whose owners are looked for: enough to tell who has most of them.
const BUFFERS_MAX: usize = 256;
/// Objects above one another that are looked at between a thread's variable and what it holds.
const ANCESTORS_MAX: usize = 64;
/// Holders whose owners are looked for: those below hold next to nothing.
const OWNERS_MAX: usize = 400;

/// What stands for an object that has a finalizer: in a list of those alive, then in a queue.
const FINALIZER: &str = "java.lang.ref.Finalizer";

/// Who holds much, with all holders of the same owner and field together.
#[derive(Clone, Debug, PartialEq)]
pub struct Suspect {
    pub fault: Fault,
    /// The class that has the field, or whose static field it is; None when nobody is named.
    pub owner: Option<String>,
    pub field: Option<String>,
    pub is_static: bool,
    /// The type of what is held by the field.
    pub collection: String,
    /// What is in it, by the bytes that it retains.
    pub elements: Vec<Held>,
    /// How many such collections there are, each of another owner of the same type.
    pub holders: u64,
    /// Class loaders that are kept alive by them.
    pub loaders: u64,
    /// What they retain, without what other suspects inside of them do; in bytes.
    pub retained: u64,
    /// The same as a part of all that is alive.
    pub share: f64,
    /// One of the collections: where a way to the roots begins.
    pub example: u32,
}

/// Elements of one type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    pub kind: String,
    pub count: u64,
    pub retained: u64,
}

impl Suspect {
    /// Whether it is large enough to be accused.
    pub fn is_large(&self) -> bool {
        let loaders = self.fault == Fault::ClassLoader && self.loaders >= LOADERS_MIN;
        loaders || self.retained >= BYTES_MIN && self.share >= SHARE_MIN
    }

    /// As `static field SESSIONS of com.shop.Store`.
    pub fn place(&self) -> String {
        let of =
            |owner: &Option<String>| owner.as_ref().map_or(String::new(), |of| format!(" of {of}"));
        match (&self.field, self.is_static) {
            (Some(field), true) => format!("static field {field}{}", of(&self.owner)),
            (Some(field), false) => format!("field {field}{}", of(&self.owner)),
            (None, _) => self.owner.clone().unwrap_or_else(|| "something shared by several".into()),
        }
    }
}

/// Who a holder belongs to.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Owner {
    name: Option<String>,
    field: Option<String>,
    is_static: bool,
    is_thread_local: bool,
}

impl Owner {
    /// Lists of classes that a loader keeps are the program itself.
    fn is_of_loader(&self) -> bool {
        self.name.as_deref() == Some("java.lang.ClassLoader")
    }
}

/// All that hold much by owner and field, the heaviest first; [`Suspect::is_large`] tells which of
/// them are accused.
///
/// # Errors
/// When names cannot be read from the dump.
pub fn suspects(shape: &dyn Shape, survey: Option<&Survey>) -> io::Result<Vec<Suspect>> {
    let mut holders = holders(shape)?;
    holders.truncate(OWNERS_MAX);
    let owners = owners(shape, &holders)?;
    let mut groups: BTreeMap<Owner, Vec<&Holder>> = BTreeMap::new();
    for (holder, owner) in holders.iter().zip(owners).filter(|(_, owner)| !owner.is_of_loader()) {
        groups.entry(owner).or_default().push(holder);
    }
    let alive = shape.dominators().retained_by_all().max(1);
    let mut suspects: Vec<Suspect> =
        groups.into_iter().map(|(owner, holders)| suspect(shape, owner, &holders, alive)).collect();
    if let Some(survey) = survey {
        suspects.extend(off_heap(shape, survey.direct.bytes, alive)?);
    }
    suspects.sort_by(|one, other| {
        (other.retained, &one.owner, &one.field).cmp(&(one.retained, &other.owner, &other.field))
    });
    let waste = survey.map_or(0, |survey| survey.duplicates.waste);
    let is_collection = |fault| matches!(fault, Fault::StaticCollection | Fault::Collection);
    if let Some(first) = suspects.first_mut()
        && is_collection(first.fault)
        && waste as f64 >= DUPLICATES_SHARE_MIN * first.retained as f64
    {
        first.fault = Fault::Duplicates;
    }
    Ok(suspects)
}

/// Who holds the buffers whose memory is outside of the heap, by a sample of them.
fn off_heap(shape: &dyn Shape, bytes: u64, alive: u64) -> io::Result<Option<Suspect>> {
    let kind = shape.buffer_type();
    let number = (0..shape.types() as u32).find(|number| shape.type_name(*number) == kind);
    let Some(number) = number.filter(|_| bytes > 0) else { return Ok(None) };
    let nodes = (0_u32..).zip(&shape.graph().types).filter(|(_, kind)| **kind == number);
    let nodes: Vec<u32> = nodes.map(|(node, _)| node).collect();
    let step = nodes.len().div_ceil(BUFFERS_MAX).max(1);
    let sample: Vec<u32> = nodes.iter().copied().step_by(step).collect();
    let way = |node: &u32| Some((*node, ways(shape, *node, 1).into_iter().next()?.0));
    let (sample, found): (Vec<u32>, Vec<Vec<u32>>) = sample.iter().filter_map(way).unzip();
    let count = found.len();
    // By owner: how many, and the first of them.
    let mut groups: BTreeMap<Owner, (u64, u32)> = BTreeMap::new();
    let sought = found.into_iter().map(Sought::Way).collect();
    for (owner, node) in owners_of(shape, sought)?.into_iter().zip(sample) {
        groups.entry(owner).or_insert((0, node)).0 += 1;
    }
    let most = groups.into_iter().max_by_key(|(_, (held, _))| *held);
    Ok(most.map(|(owner, (held, example))| {
        let retained = (bytes as f64 * held as f64 / count as f64) as u64;
        let held = Held { kind: kind.into(), count: nodes.len() as u64, retained };
        Suspect {
            fault: Fault::OffHeap,
            owner: owner.name,
            field: owner.field,
            is_static: owner.is_static,
            collection: kind.into(),
            elements: vec![held],
            holders: 1,
            loaders: 0,
            retained,
            share: retained as f64 / (alive + bytes) as f64,
            example,
        }
    }))
}

fn suspect(shape: &dyn Shape, owner: Owner, holders: &[&Holder], alive: u64) -> Suspect {
    let mut elements: BTreeMap<u32, Held> = BTreeMap::new();
    for found in holders.iter().flat_map(|holder| &holder.elements) {
        let kind = shape.type_name(found.kind).to_owned();
        let held = elements.entry(found.kind).or_insert(Held { kind, count: 0, retained: 0 });
        held.count += found.count;
        held.retained += found.retained;
    }
    let fault = fault(shape, &owner, holders[0]);
    let mut elements: Vec<Held> = elements.into_values().collect();
    elements.sort_by_key(|held| std::cmp::Reverse(held.retained));
    let retained = holders.iter().map(|holder| holder.weight).sum();
    Suspect {
        fault,
        owner: owner.name,
        field: owner.field,
        is_static: owner.is_static,
        collection: shape.node_name(holders[0].node).into_owned(),
        elements,
        holders: holders.len() as u64,
        loaders: holders.iter().map(|holder| holder.loaders).sum(),
        retained,
        share: retained as f64 / alive as f64,
        example: holders[0].node,
    }
}

fn fault(shape: &dyn Shape, owner: &Owner, holder: &Holder) -> Fault {
    let first = holder.elements.first();
    let kind = first.map_or("", |held| shape.type_name(held.kind));
    let role = first.map_or(Role::Object, |held| shape.role(held.kind));
    let names = || [owner.name.as_deref(), owner.field.as_deref()].into_iter().flatten();
    let collection = shape.node_name(holder.node);
    let is_single = first.is_some_and(|held| held.example == holder.node && held.count == 1);
    if owner.is_thread_local {
        Fault::ThreadLocal
    } else if role == Role::Loader || holder.loaders >= LOADERS_MIN {
        Fault::ClassLoader
    } else if is_single {
        Fault::LargeObject
    } else if is_resource(kind) || kind == FINALIZER {
        Fault::Unclosed
    } else if owner.field.iter().any(|field| tells_of_listeners(field)) || tells_of_listeners(kind)
    {
        Fault::Listener
    } else if names().any(tells_of_caches) || tells_of_caches(&collection) {
        Fault::Cache
    } else if !holder.is_crowd && shape.role_of(holder.node) == Role::Object {
        Fault::Chain
    } else if shape.is_function(kind) {
        Fault::Closure
    } else if owner.is_static {
        Fault::StaticCollection
    } else {
        Fault::Collection
    }
}

/// The owners of holders, in their order.
fn owners(shape: &dyn Shape, holders: &[Holder]) -> io::Result<Vec<Owner>> {
    owners_of(shape, holders.iter().map(|holder| Sought::of(shape, holder)).collect())
}

fn owners_of(shape: &dyn Shape, sought: Vec<Sought>) -> io::Result<Vec<Owner>> {
    let asked: Vec<(u32, u32)> = sought.iter().flat_map(Sought::references).collect();
    let mut labels = shape.labels(&asked)?.into_iter();
    let mut owners = Vec::new();
    for one in sought {
        let labels: Vec<Option<Label>> = labels.by_ref().take(one.references().count()).collect();
        owners.push(one.owner(shape, labels));
    }
    Ok(owners)
}

/// Where the owner of a holder is looked for.
enum Sought {
    /// It is known and names the field.
    Known(u32, Label),
    /// The variable of a thread, and those who refer to it.
    ThreadLocal { variable: u32, from: Vec<u32> },
    /// Objects that wait for their finalizer, all over.
    Finalizers,
    /// On the shortest way from a root.
    Way(Vec<u32>),
}

impl Sought {
    fn of(shape: &dyn Shape, holder: &Holder) -> Self {
        if holder.elements.first().is_some_and(|held| shape.type_name(held.kind) == FINALIZER) {
            return Self::Finalizers;
        }
        if let Some(variable) = thread_local(shape, holder) {
            return Self::ThreadLocal { variable, from: shape.dominators().referrers(variable) };
        }
        if let (Some(owner), Some(label)) = (holder.owner, &holder.label)
            && shape.is_own(owner)
            && label.name().is_some()
        {
            return Self::Known(owner, label.clone());
        }
        let way = ways(shape, holder.node, 1).into_iter().next();
        Self::Way(way.map_or_else(Vec::new, |(way, _)| way))
    }

    /// References whose names are needed.
    fn references(&self) -> Box<dyn Iterator<Item = (u32, u32)> + '_> {
        match self {
            Self::Known(..) | Self::Finalizers => Box::new(std::iter::empty()),
            Self::ThreadLocal { variable, from } => {
                Box::new(from.iter().map(|from| (*from, *variable)))
            }
            Self::Way(way) => Box::new(way.windows(2).map(|pair| (pair[0], pair[1]))),
        }
    }

    fn owner(self, shape: &dyn Shape, labels: Vec<Option<Label>>) -> Owner {
        match self {
            Self::Known(owner, label) => named(shape, owner, &label),
            Self::Finalizers => Owner {
                name: Some(FINALIZER.into()),
                field: Some("queue".into()),
                is_static: true,
                ..Owner::default()
            },
            Self::ThreadLocal { from, .. } => {
                let mut all = from.iter().zip(&labels);
                let named_by = all.find_map(|(from, label)| {
                    let label = label.as_ref().filter(|label| label.name().is_some())?;
                    Some(named(shape, *from, label))
                });
                Owner { is_thread_local: true, ..named_by.unwrap_or_default() }
            }
            Self::Way(way) => owner_on(shape, &way, &labels),
        }
    }
}

/// The nearest to the end of a way that the program's authors wrote and named; else the nearest that
/// has a name at all.
fn owner_on(shape: &dyn Shape, way: &[u32], labels: &[Option<Label>]) -> Owner {
    let named_by = |is_wanted: &dyn Fn(u32) -> bool| {
        way.iter().zip(labels).rev().find_map(|(from, label)| {
            let label = label.as_ref().filter(|label| label.name().is_some())?;
            let is_part = matches!(shape.role_of(*from), Role::Plumbing | Role::Value);
            (!is_part && is_wanted(*from)).then(|| named(shape, *from, label))
        })
    };
    let found = named_by(&|from| shape.is_own(from)).or_else(|| named_by(&|_| true));
    found.unwrap_or_else(|| {
        let first = way.first().map(|root| shape.node_name(*root).into_owned());
        Owner { name: first, ..Owner::default() }
    })
}

fn named(shape: &dyn Shape, owner: u32, label: &Label) -> Owner {
    let name = shape.node_name(owner);
    let name = name.strip_prefix("class ").unwrap_or(&name).to_owned();
    let (name, is_static) = match label {
        // The class that declares the field, as the source text has it.
        Label::Field { class, .. } => (class.clone(), false),
        Label::Static(_) => (name, true),
        Label::Element(_) | Label::Local { .. } | Label::Hidden(_) => (name, false),
    };
    let field = label.name().map(str::to_owned);
    Owner { name: Some(name), field, is_static, is_thread_local: false }
}

/// The variable that most of a thread's own map belongs to.
fn thread_local(shape: &dyn Shape, holder: &Holder) -> Option<u32> {
    const MAP: &str = "java.lang.ThreadLocal$ThreadLocalMap";
    let is_map = |node: u32| shape.node_name(node).starts_with(MAP);
    let above = |node: &u32| match shape.dominators().above(*node) {
        Above::Node(above) => Some(above),
        Above::Roots | Above::Nothing => None,
    };
    // What a request left behind may itself be a collection, some objects below the variable.
    let first = if is_map(holder.node) { holder.elements.first()?.example } else { holder.node };
    let mut ancestors = std::iter::successors(Some(first), above).take(ANCESTORS_MAX);
    ancestors.find(|node| is_map(*node)).and_then(|entry| shape.weak_target(entry))
}
