//! What most likely leaks, from one look at a heap: who holds much, by the name of the owner and the
//! field, with what kind of mistake it looks like.
//!
//! One look cannot tell growth from size, so only what is large in itself and takes a good part of
//! the heap is suspected; two looks (`difference`) tell more.

use std::collections::{BTreeMap, HashSet};
use std::io;

use crate::faults::{Fault, is_resource, tells_of_caches, tells_of_listeners};
use crate::holders::{Holder, holders};
use crate::hprof::Survey;
use crate::owners::{FINALIZER, Owner, Sought, owners, owners_of, within};
use crate::paths::ways;
use crate::shape::{Role, Shape};

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
/// Holders whose owners are looked for: those below hold next to nothing.
const OWNERS_MAX: usize = 400;

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
            (Some(field), _) if self.owner.as_deref().is_some_and(is_scope_of_code) => {
                format!("variable {field}{}", of(&self.owner))
            }
            (Some(field), true) => format!("static field {field}{}", of(&self.owner)),
            (Some(field), false) => format!("field {field}{}", of(&self.owner)),
            (None, _) => self.owner.clone().unwrap_or_else(|| "something shared by several".into()),
        }
    }
}

/// Whether a name is that of variables of code, as `(module) shop.js`.
pub(crate) fn is_scope_of_code(name: &str) -> bool {
    name.starts_with("(module)") || name.starts_with("(closure)")
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
    let is_program = |holder: &Holder| {
        let kind = holder.elements.first().map(|held| held.kind);
        kind.is_some_and(|kind| {
            // Where all functions are of one type, those that several refer to are code.
            let is_code = holder.is_crowd
                && shape.tells(kind) == Some(Fault::Closure)
                && shape.is_function(shape.type_name(kind));
            is_code || shape.is_program(kind)
        })
    };
    for (holder, owner) in holders.iter().zip(within(&holders, owners)) {
        if !owner.is_of_loader() && !is_program(holder) {
            groups.entry(owner).or_default().push(holder);
        }
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
    let Some(kind) = shape.buffer_type() else { return Ok(None) };
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
    let all: HashSet<u32> = holders.iter().map(|holder| holder.node).collect();
    let is_outermost = |holder: &&&Holder| holder.inside.is_none_or(|outer| !all.contains(&outer));
    Suspect {
        fault,
        owner: owner.name,
        field: owner.field,
        is_static: owner.is_static,
        collection: shape.node_name(holders[0].node).into_owned(),
        elements,
        holders: holders.iter().filter(is_outermost).count() as u64,
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
    let holds = shape.graph().types.get(holder.node as usize).and_then(|kind| shape.tells(*kind));
    let held = first.and_then(|held| shape.tells(held.kind));
    let is_single = first.is_some_and(|held| held.example == holder.node && held.count == 1);
    if owner.is_thread_local {
        Fault::ThreadLocal
    } else if role == Role::Loader || holder.loaders >= LOADERS_MIN {
        Fault::ClassLoader
    } else if is_single {
        Fault::LargeObject
    } else if is_resource(kind) || kind == FINALIZER {
        Fault::Unclosed
    } else if holds == Some(Fault::Listener)
        || owner.field.iter().any(|field| tells_of_listeners(field))
        || tells_of_listeners(kind)
    {
        Fault::Listener
    } else if names().any(tells_of_caches) || tells_of_caches(&collection) {
        Fault::Cache
    } else if !holder.is_crowd && shape.role_of(holder.node) == Role::Object {
        Fault::Chain
    } else if let Some(fault) = held {
        fault
    } else if shape.is_function(kind) {
        Fault::Closure
    } else if owner.is_static {
        Fault::StaticCollection
    } else {
        Fault::Collection
    }
}
