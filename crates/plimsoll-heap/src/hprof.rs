//! Heap dumps of JVMs and of Android, in the format HPROF.
//!
//! Two readings at the speed of a scan: the first finds which objects there are, the second what
//! each refers to. Each may be done by several hands, segment by segment. What is cut off or damaged
//! is said, and the rest is used. Values never leave this module.
//!
//! Not here: gzip and files (the caller's), who keeps whom alive (`dominators`), what a heap's shape
//! says (`suspects`).

mod addresses;
mod classes;
mod index;
mod link;
mod look;
mod record;
mod roles;
mod survey;
mod tally;
mod top;
mod window;

use std::{io, mem};

use thiserror::Error;

use self::addresses::Addresses;
use self::classes::Classes;
use self::index::{Flaws, Index};
use self::link::{Linked, Thread};
use self::survey::Known;
use self::top::Top;
use crate::dominators::Dominators;
use crate::graph::Graph;
use crate::source::{Hands, Progress, Source, beside};

pub use self::look::HprofShape;
pub use self::survey::{
    Counted, Duplicate, Duplicates, Finalizers, Owned, Resources, Slots, Survey,
};
pub use self::tally::Tally;

/// Why something is no dump that can be read.
#[derive(Debug, Error)]
pub enum HprofError {
    #[error("the file is not a heap dump: it does not begin with `JAVA PROFILE 1.0.` at offset 0")]
    NoHprof,
    #[error("the dump's version is 1.0.{0} at offset 17; 1.0.1 to 1.0.3 can be read")]
    Version(char),
    #[error("the dump's ids have {0} bytes by offset 19; they must have 4 or 8")]
    IdSize(u32),
    #[error("the dump cannot be read")]
    Unreadable(#[source] io::Error),
    #[error("the dump has more than 2 billion objects; take its histogram")]
    TooManyObjects,
    #[error("the dump has more references than can be counted; take its histogram")]
    TooManyReferences,
    #[error(
        "the dump has {objects} objects, which need about {needed} bytes of memory; {given} may be taken"
    )]
    Memory { objects: u64, needed: u64, given: u64 },
    #[error("the dump's classes have more fields than any program's; is it damaged?")]
    TooManyFields,
    #[error("there is no object in the dump; was it cut off after its head?")]
    Empty,
}

/// Where a dump ends before its own records say it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    /// The offset of what is not whole.
    pub at: u64,
}

/// A place that is no record. The rest of its segment was left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Damage {
    pub at: u64,
    pub what: &'static str,
}

/// Which references keep their target alive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Strength {
    /// All, as Eclipse MAT reckons: also what soft, weak and phantom references point to.
    #[default]
    All,
    /// Only those that are nothing special: what a collector in need would keep.
    Strong,
}

/// What holds an object from outside of the heap; what tells more comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RootKind {
    Thread,
    Frame,
    JniGlobal,
    JniLocal,
    SystemClass,
    Monitor,
    NativeStack,
    ThreadBlock,
    Finalizing,
    ReferenceCleanup,
    InternedString,
    Debugger,
    Runtime,
    Unknown,
}

impl RootKind {
    /// Whether it is a thread's stack that holds.
    const fn is_of_thread(self) -> bool {
        matches!(self, Self::Frame | Self::JniLocal | Self::NativeStack | Self::ThreadBlock)
    }
}

/// What is wanted of a dump.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wish {
    pub strength: Strength,
    /// Bytes of memory that may be taken.
    pub memory: Option<u64>,
    /// Also what is waste, and what is held outside of the heap: one more reading, which a second
    /// hand does while the first looks for dominators.
    pub survey: bool,
}

/// A dump that was read whole.
#[derive(Debug)]
pub struct Hprof {
    top: Top,
    classes: Classes,
    addresses: Addresses,
    graph: Graph,
    dominators: Dominators,
    root_kinds: Vec<(u32, RootKind)>,
    threads: Vec<Thread>,
    weak: Vec<(u32, u32)>,
    survey: Option<Survey>,
    flaws: Flaws,
}

impl Hprof {
    /// Reads a dump and finds what each object retains.
    ///
    /// # Errors
    /// When it is no dump, cannot be read, needs more memory, or is too large for numbers of 32 bits.
    pub fn read(
        source: &dyn Source,
        wish: Wish,
        hands: &dyn Hands,
        progress: &dyn Progress,
    ) -> Result<Self, HprofError> {
        let top = Top::read(source)?;
        let index = Index::read(source, &top, hands, progress)?;
        if index.addresses.count() == 0 {
            return Err(HprofError::Empty);
        }
        fits(index.addresses.count() as u64, wish.memory)?;
        let linked = Linked::read(source, &top, &index, wish.strength, (hands, progress))?;
        let Linked { mut graph, root_kinds, threads, weak } = linked;
        let Index { addresses, classes, flaws, .. } = index;
        let types = mem::take(&mut graph.types);
        let known = Known { top: &top, addresses: &addresses, classes: &classes, types: &types };
        let (dominators, survey) = beside(
            hands,
            || Dominators::of(&mut graph, progress),
            || wish.survey.then(|| Survey::read(source, known)).transpose(),
        );
        let survey = survey?;
        graph.types = types;
        Ok(Self {
            top,
            classes,
            addresses,
            graph,
            dominators,
            root_kinds,
            threads,
            weak,
            survey,
            flaws,
        })
    }

    /// What is waste in the heap, if it was wished for.
    pub const fn survey(&self) -> Option<&Survey> {
        self.survey.as_ref()
    }

    pub fn objects(&self) -> usize {
        self.addresses.count()
    }

    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    pub fn dominators(&self) -> &Dominators {
        &self.dominators
    }

    /// The name of a node's type.
    pub fn type_name(&self, node: u32) -> &str {
        let class = self.graph.types.get(node as usize).copied().unwrap_or(self.classes.unknown);
        &self.classes.of(class).name
    }

    /// Parts whose rest is missing because of damage.
    pub const fn damaged_parts(&self) -> usize {
        self.flaws.damaged_parts
    }

    /// Where the dump ends before it should.
    pub const fn cut(&self) -> Option<End> {
        self.flaws.cut
    }
}

/// Memory for each object with its references, in bytes, at the highest point: 42 to 48 were measured
/// on heaps of 2 to 2.5 references an object.
const BYTES_AN_OBJECT: u64 = 52;

fn fits(objects: u64, memory: Option<u64>) -> Result<(), HprofError> {
    let needed = objects.saturating_mul(BYTES_AN_OBJECT);
    match memory {
        Some(given) if given < needed => Err(HprofError::Memory { objects, needed, given }),
        Some(_) | None => Ok(()),
    }
}
