//! What of a heap is waste, or is held outside of it: the same content held many times, collections
//! with little in them, buffers, finalizers that wait, and what has to be closed.
//!
//! One more reading of the dump, which needs nothing of the dominators and runs beside the search
//! for them, which takes longer: so one hand is enough, and how far it is is not told. Counts and bytes only. Not here: who holds what (`holders`).

mod contents;
mod plan;

use self::contents::Contents;
use self::plan::{Plan, plans};
use super::addresses::Addresses;
use super::classes::Classes;
use super::record::{ClassDump, Kind, Root, Visitor};
use super::top::Top;
use super::{HprofError, index};
use crate::by_id::ById;
use crate::source::{OneHand, Progress, Silent, Source};

/// Classes that are told of each kind.
const TOLD_MAX: usize = 20;

/// What a dump holds besides what its objects retain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Survey {
    pub duplicates: Duplicates,
    /// Arrays of references by class, those with most empty slots first.
    pub arrays: Vec<Slots>,
    /// Collections without elements, by class, the most bytes first.
    pub empty: Vec<Counted>,
    /// Memory outside of the heap that buffers own.
    pub direct: Owned,
    /// Files that are mapped.
    pub mapped: Owned,
    /// Objects with a finalizer, by class; those that wait for it longest list first.
    pub finalizers: Vec<Finalizers>,
    /// What has to be closed, by class, the most open ones first.
    pub resources: Vec<Resources>,
}

/// Arrays of primitives with the same content; the texts of strings are such arrays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Duplicates {
    /// Contents that more than one array has.
    pub groups: u64,
    /// Arrays with such a content.
    pub arrays: u64,
    /// Bytes of all of them but one of each group.
    pub waste: u64,
    /// Whether there were too many contents to follow all: the numbers are reckoned from some.
    pub is_estimate: bool,
    /// The groups with the most waste.
    pub largest: Vec<Duplicate>,
    /// Arrays of nothing but zeros, and their bytes: not among the duplicates.
    pub blank_arrays: u64,
    pub blank_bytes: u64,
}

/// Arrays of one content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Duplicate {
    pub class: String,
    /// Elements of each.
    pub length: u32,
    pub count: u64,
    /// Bytes of all but one.
    pub waste: u64,
}

/// Arrays of references of one class.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Slots {
    pub class: String,
    pub arrays: u64,
    /// Arrays with slots, and nothing in them.
    pub empty_arrays: u64,
    pub slots: u64,
    pub filled: u64,
    /// What the empty slots take, in bytes.
    pub waste: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    pub class: String,
    pub objects: u64,
    /// What they take by themselves.
    pub bytes: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Owned {
    pub pieces: u64,
    pub bytes: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Finalizers {
    pub class: String,
    pub objects: u64,
    /// Those that nobody refers to any more, and whose finalizer did not run yet.
    pub waiting: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resources {
    pub class: String,
    pub objects: u64,
    /// Those that say that they are closed.
    pub closed: u64,
}

/// What is known of the dump when it is surveyed.
#[derive(Clone, Copy)]
pub(super) struct Known<'a> {
    pub top: &'a Top,
    pub addresses: &'a Addresses,
    pub classes: &'a Classes,
    /// By node: the number of its class.
    pub types: &'a [u32],
}

#[derive(Clone, Copy, Debug, Default)]
struct Filled {
    arrays: u64,
    empty: u64,
    slots: u64,
    filled: u64,
}

/// What was come across; pairs of numbers by number of a class.
struct Surveyor<'a> {
    known: Known<'a>,
    plans: &'a [Plan],
    last_class: (u64, u32),
    contents: Contents,
    filled: ById<Filled>,
    /// The array that is being told: its class, slots, and those that are filled.
    array: Option<(u64, u64, u64)>,
    empty: ById<u64>,
    direct: Owned,
    mapped: Owned,
    finalizers: ById<(u64, u64)>,
    resources: ById<(u64, u64)>,
}

impl<'a> Surveyor<'a> {
    fn new(known: Known<'a>, plans: &'a [Plan]) -> Self {
        Self {
            known,
            plans,
            last_class: (0, known.classes.unknown),
            contents: Contents::default(),
            filled: ById::default(),
            array: None,
            empty: ById::default(),
            direct: Owned::default(),
            mapped: Owned::default(),
            finalizers: ById::default(),
            resources: ById::default(),
        }
    }

    #[cold]
    fn note(&mut self, class: u32, plan: Plan, fields: &[u8]) -> Option<()> {
        let at = u64::from(class);
        match plan {
            Plan::Nothing => {}
            Plan::Collection(size) => {
                *self.empty.entry(at).or_default() += u64::from(size.of(fields)? == 0);
            }
            Plan::Direct { address, size } => {
                self.direct.add(address.of(fields)?, size.of(fields)?)
            }
            Plan::Mapped { address, size } => {
                self.mapped.add(address.of(fields)?, size.of(fields)?)
            }
            Plan::Finalizer { referent, link } => {
                let node = self.known.addresses.number(referent.of(fields)?)?;
                let class = *self.known.types.get(node as usize)?;
                let count = self.finalizers.entry(class.into()).or_default();
                count.0 += 1;
                count.1 += u64::from(link.of(fields)? != 0);
            }
            Plan::Resource(closed) => {
                let is_closed =
                    closed.and_then(|flag| flag.of(fields)).is_some_and(|flag| flag != 0);
                let count = self.resources.entry(at).or_default();
                count.0 += 1;
                count.1 += u64::from(is_closed);
            }
        }
        Some(())
    }
}

impl Owned {
    /// A piece at an address; none where it was freed already.
    fn add(&mut self, address: u64, bytes: u64) {
        if address != 0 {
            self.pieces += 1;
            self.bytes = self.bytes.saturating_add(bytes);
        }
    }
}

impl Visitor for Surveyor<'_> {
    #[inline]
    fn instance(&mut self, _: u64, class: u64, fields: &[u8]) {
        if self.last_class.0 != class {
            let classes = self.known.classes;
            self.last_class = (class, classes.find(class).unwrap_or(classes.unknown));
        }
        let class = self.last_class.1;
        let plan = self.plans[class as usize];
        if plan != Plan::Nothing {
            // What lies about where its fields are is not counted.
            let _ = self.note(class, plan, fields);
        }
    }

    fn array_begins(&mut self, _: u64, class: u64, length: u32) {
        self.array = Some((class, length.into(), 0));
    }

    fn array_part(&mut self, ids: &[u8]) {
        let Some((_, _, filled)) = &mut self.array else { return };
        let width = self.known.top.id_size as usize;
        let is_filled = |id: &&[u8]| id.iter().any(|byte| *byte != 0);
        *filled += ids.chunks_exact(width).filter(is_filled).count() as u64;
    }

    fn array_ends(&mut self) {
        let Some((class, slots, filled)) = self.array.take() else { return };
        let all = self.filled.entry(class).or_default();
        all.arrays += 1;
        all.empty += u64::from(slots > 0 && filled == 0);
        all.slots += slots;
        all.filled += filled;
    }

    #[inline]
    fn primitives(&mut self, _: u64, kind: Kind, length: u32) {
        self.contents.begin(kind, length, self.known.classes.widths);
    }

    fn wants_primitives(&self) -> bool {
        true
    }

    fn primitives_part(&mut self, values: &[u8]) {
        self.contents.part(values, self.known.classes.widths);
    }

    fn class(&mut self, _: ClassDump) {}

    fn root(&mut self, _: Root) {}
}

impl Survey {
    pub(super) fn read(source: &dyn Source, known: Known<'_>) -> Result<Self, HprofError> {
        let plans = plans(known.classes, known.top);
        let begin = |_| Surveyor::new(known, &plans);
        let begin_part = |surveyor: &mut Surveyor<'_>| surveyor.array = None;
        let told: (&dyn Progress, _) = (&Silent, "");
        let (found, _) = index::read(source, known.top, &OneHand, told, begin, begin_part)?;
        Ok(found.into_iter().next().map_or_else(Self::default, Self::of))
    }

    fn of(all: Surveyor<'_>) -> Self {
        let classes = all.known.classes;
        let name = |number: u64| classes.of(number as u32).name.clone();
        let empty = all.empty.into_iter().filter(|(_, objects)| *objects > 0);
        let empty = empty.map(|(class, objects)| {
            let bytes = objects.saturating_mul(classes.of(class as u32).instance_size);
            Counted { class: name(class), objects, bytes }
        });
        let arrays = all.filled.into_iter().map(|(id, found)| Slots {
            class: name(classes.find(id).unwrap_or(classes.unknown).into()),
            arrays: found.arrays,
            empty_arrays: found.empty,
            slots: found.slots,
            filled: found.filled,
            waste: (found.slots - found.filled).saturating_mul(classes.widths.reference),
        });
        let finalizers = all.finalizers.into_iter().map(|(class, (objects, waiting))| Finalizers {
            class: name(class),
            objects,
            waiting,
        });
        let resources = all.resources.into_iter().map(|(class, (objects, closed))| Resources {
            class: name(class),
            objects,
            closed,
        });
        Self {
            duplicates: all.contents.result(classes.widths),
            arrays: first(arrays, |one| (one.waste, &one.class)),
            empty: first(empty, |one| (one.bytes, &one.class)),
            direct: all.direct,
            mapped: all.mapped,
            finalizers: first(finalizers, |one| (one.waiting, &one.class)),
            resources: first(resources, |one| (one.objects - one.closed, &one.class)),
        }
    }
}

/// The first by a number, the largest first, and by name where it is the same.
fn first<T>(all: impl Iterator<Item = T>, key: impl Fn(&T) -> (u64, &String)) -> Vec<T> {
    let mut all: Vec<T> = all.collect();
    all.sort_by(|a, b| {
        let ((a, a_name), (b, b_name)) = (key(a), key(b));
        b.cmp(&a).then_with(|| a_name.cmp(b_name))
    });
    all.truncate(TOLD_MAX);
    all
}
