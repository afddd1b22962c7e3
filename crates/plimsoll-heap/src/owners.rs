//! Who a collection or a large object belongs to: the nearest that the program's authors wrote, by
//! its field, on the way from a root.
//!
//! Not here: what kind of mistake it looks like (`suspects`), and what is in it (`holders`). Used by
//! `suspects` and `report`.

use std::collections::HashMap;
use std::io;

use crate::dominators::Above;
use crate::holders::Holder;
use crate::paths::{Worth, best_way};
use crate::shape::{Label, Role, Shape};

/// Objects above one another that are looked at between a thread's variable and what it holds.
const ANCESTORS_MAX: usize = 64;
/// Fields of objects without a class that are told with the field that leads to them.
const FIELDS_MAX: usize = 3;
/// Ways to a holder that are looked at for an owner.
const WAYS_MAX: usize = 16;

/// What stands for an object that has a finalizer: in a list of those alive, then in a queue.
pub(crate) const FINALIZER: &str = "java.lang.ref.Finalizer";

/// Who a holder belongs to.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Owner {
    pub name: Option<String>,
    pub field: Option<String>,
    pub is_static: bool,
    pub is_thread_local: bool,
    /// The nearest class and field, where that is another's: a library has many collections, which
    /// together are no mistake.
    pub via: Option<String>,
}

impl Owner {
    /// Lists of classes that a loader keeps are the program itself.
    pub(crate) fn is_of_loader(&self) -> bool {
        self.name.as_deref() == Some("java.lang.ClassLoader")
    }
}

/// The owners of holders, in their order.
///
/// # Errors
/// When names cannot be read from the dump.
pub(crate) fn owners(shape: &dyn Shape, holders: &[Holder]) -> io::Result<Vec<Owner>> {
    owners_of(shape, holders.iter().map(|holder| Sought::of(shape, holder)).collect())
}

pub(crate) fn owners_of(shape: &dyn Shape, sought: Vec<Sought>) -> io::Result<Vec<Owner>> {
    let asked: Vec<(u32, u32)> = sought.iter().flat_map(Sought::references).collect();
    let mut labels = shape.labels(&asked)?.into_iter();
    let mut owners = Vec::new();
    for one in sought {
        let labels: Vec<Option<Label>> = labels.by_ref().take(one.references().count()).collect();
        owners.push(one.owner(shape, labels));
    }
    Ok(owners)
}

/// A collection inside of another of the same owner is reached by the same way as that.
pub(crate) fn within(holders: &[Holder], mut owners: Vec<Owner>) -> Vec<Owner> {
    let places: HashMap<u32, usize> =
        holders.iter().enumerate().map(|(at, holder)| (holder.node, at)).collect();
    let outer = |at: &usize| places.get(&holders[*at].inside?).copied();
    let vias: Vec<Option<String>> = (0..holders.len())
        .map(|at| {
            let base = Owner { via: None, ..owners[at].clone() };
            let same = |at: &usize| base == Owner { via: None, ..owners[*at].clone() };
            let all = std::iter::successors(Some(at), outer).take_while(same);
            all.last().and_then(|outermost| owners[outermost].via.clone())
        })
        .collect();
    owners.iter_mut().zip(vias).for_each(|(owner, via)| owner.via = via);
    owners
}

/// Where the owner of a holder is looked for.
pub(crate) enum Sought {
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
        Self::Way(way_by_own(shape, holder.node))
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

/// The shortest of some ways on which there is something that the program's authors wrote, or that
/// begins at a scope: what a runtime keeps for itself, as a list of all timers, is often nearer.
pub(crate) fn way_by_own(shape: &dyn Shape, node: u32) -> Vec<u32> {
    let worth = |way: &[u32]| {
        let is_part = |node: u32| matches!(shape.role_of(node), Role::Plumbing | Role::Value);
        let mut above = way.iter().take(way.len().saturating_sub(1));
        if above.any(|node| !is_part(*node) && shape.is_own(*node)) {
            Worth::Wanted
        } else if way.first().is_some_and(|root| shape.role_of(*root) == Role::Scope) {
            Worth::Something
        } else {
            Worth::Nothing
        }
    };
    best_way(shape, node, WAYS_MAX, &worth)
}

/// The nearest to the end of a way that the program's authors wrote and named; else the nearest that
/// has a name at all.
fn owner_on(shape: &dyn Shape, way: &[u32], labels: &[Option<Label>]) -> Owner {
    let is_named = |at: usize| labels[at].as_ref().is_some_and(|label| label.name().is_some());
    let is_part = |node: u32| matches!(shape.role_of(node), Role::Plumbing | Role::Value);
    let last = |is_wanted: &dyn Fn(u32) -> bool| {
        let mut places = (0..way.len().min(labels.len())).rev();
        places.find(|at| is_named(*at) && !is_part(way[*at]) && is_wanted(way[*at]))
    };
    let nearest = last(&|from| !shape.is_nameless(from));
    let found = last(&|from| shape.is_own(from)).or(nearest).or_else(|| last(&|_| true));
    let name_at = |at: usize| labels[at].as_ref().map(|label| named(shape, way[at], label));
    let Some((at, owner)) = found.and_then(|at| Some((at, name_at(at)?))) else {
        let first = way.first().map(|root| shape.node_name(*root).into_owned());
        return Owner { name: first, ..Owner::default() };
    };
    let via = nearest.filter(|nearest| *nearest > at).and_then(name_at);
    let via = via.map(|via| format!("{:?}.{:?}", via.name, via.field));
    Owner { via, ..through(shape, owner, &way[at + 1..], &labels[at + 1..]) }
}

/// Objects without a class say nothing by themselves: their fields go with the one that leads there,
/// as `state.sessions`.
fn through(shape: &dyn Shape, owner: Owner, way: &[u32], labels: &[Option<Label>]) -> Owner {
    let below = way.iter().zip(labels).take(FIELDS_MAX);
    let names = below.map_while(|(node, label)| {
        let name = label.as_ref().and_then(Label::name)?;
        shape.is_nameless(*node).then(|| name.to_owned())
    });
    let fields: Vec<String> = owner.field.clone().into_iter().chain(names).collect();
    Owner { field: (!fields.is_empty()).then(|| fields.join(".")), ..owner }
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
    Owner { name: Some(name), field, is_static, ..Owner::default() }
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
