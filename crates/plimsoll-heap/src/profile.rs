//! One model of an allocation profile, whatever wrote it: call stacks, and what was allocated or is
//! held below each.
//!
//! Not here: the formats (a file each, below), and what grew between two profiles (`growth`). A
//! profile has no edges between objects: it says where memory came from, not what keeps it.

mod build;
mod evidence;
mod flow;
mod growth;
mod heap_text;
mod heaptrack;
mod held;
mod jemalloc;
mod listing;
mod maps;
mod nearest;
mod pickle;
mod pprof;
mod protobuf;
mod read;
mod room;
mod suspects;
mod tracemalloc;
mod unsample;
mod ways;
mod whose;

use std::num::NonZeroU64;

pub use build::Full;
pub use evidence::Wait;
pub use growth::{
    Change, DifferenceError, Granularity, ProfileGrowth, Site, SiteGrowth, difference,
    per_unit_of_work,
};
pub use heap_text::HeapTextError;
pub(crate) use heap_text::begins as is_heap_text;
pub use heaptrack::HeaptrackError;
pub(crate) use heaptrack::begins as is_heaptrack;
pub use held::{HeldError, held_by_place};
pub(crate) use jemalloc::begins as is_jemalloc;
pub use listing::{ALL_SOURCES_BYTES_MAX, Listing, SOURCE_BYTES_MAX};
pub use pickle::PickleError;
pub use pprof::PprofError;
pub(crate) use pprof::begins_profile as is_pprof;
pub use protobuf::WireError;
pub use read::{PROFILE_BYTES_MAX, ReadProfileError};
pub use suspects::{
    CannotRank, FunctionRow, Listings, ProfileChange, ProfileReport, SiteSuspect, wanted_sources,
};
pub use tracemalloc::TracemallocError;
pub(crate) use tracemalloc::begins as is_tracemalloc;
use whose::Whose;

/// What wrote a profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    /// pprof's protobuf: Go, and whoever else writes it.
    Pprof,
    /// The text of gperftools and of Go's `debug=1`.
    HeapText,
    Jemalloc,
    Heaptrack,
    Tracemalloc,
}

/// What a column of values counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Measure {
    /// Objects that are held now.
    InuseObjects,
    /// Bytes that are held now.
    InuseSpace,
    /// Objects allocated since the beginning, freed ones included.
    AllocObjects,
    AllocSpace,
    /// Objects that were held when all of the program held most.
    PeakObjects,
    PeakSpace,
    Goroutines,
    /// Anything else, under the name that the profile gives it.
    Other,
}

impl Measure {
    /// The count of objects whose bytes this measure is.
    pub const fn objects(self) -> Option<Self> {
        match self {
            Self::InuseSpace => Some(Self::InuseObjects),
            Self::AllocSpace => Some(Self::AllocObjects),
            Self::PeakSpace => Some(Self::PeakObjects),
            Self::InuseObjects
            | Self::AllocObjects
            | Self::PeakObjects
            | Self::Goroutines
            | Self::Other => None,
        }
    }
}

/// What the values of a column are multiples of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unit {
    Bytes,
    Count,
    /// The profile's own word for it is in the column's name.
    Other,
}

/// One column of values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    pub measure: Measure,
    pub unit: Unit,
    /// As the profile calls it.
    pub name: String,
}

impl Column {
    pub(crate) fn of(measure: Measure) -> Self {
        let (name, unit) = match measure {
            Measure::InuseObjects => ("inuse_objects", Unit::Count),
            Measure::InuseSpace => ("inuse_space", Unit::Bytes),
            Measure::AllocObjects => ("alloc_objects", Unit::Count),
            Measure::AllocSpace => ("alloc_space", Unit::Bytes),
            Measure::PeakObjects => ("peak_objects", Unit::Count),
            Measure::PeakSpace => ("peak_space", Unit::Bytes),
            Measure::Goroutines => ("goroutine", Unit::Count),
            Measure::Other => ("other", Unit::Other),
        };
        Self { measure, unit, name: name.to_owned() }
    }
}

/// Who turned the sampled values into those of all allocations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ScaledBy {
    Producer,
    Reader,
}

/// How much of what was allocated was looked at. Values of a [`Profile`] are always those of all
/// allocations, as far as they can be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Sampling {
    /// Every allocation.
    Exact,
    /// One allocation in so many bytes, at random.
    EveryBytes { period: NonZeroU64, scaled_by: ScaledBy },
    /// The profile does not say.
    Unknown,
}

/// A place in a text that the profile keeps once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct NameId(pub(crate) u32);

/// One function of a stack; what is not known is absent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct FrameKey {
    pub(crate) function: Option<NameId>,
    pub(crate) file: Option<NameId>,
    pub(crate) line: u32,
    pub(crate) module: Option<NameId>,
    /// Within the module's file where the module is known, so that it is the same in every run.
    pub(crate) address: u64,
}

/// One function of a stack; what is not known is absent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Frame<'a> {
    pub function: Option<&'a str>,
    pub file: Option<&'a str>,
    /// 0 where it is not known.
    pub line: u32,
    pub module: Option<&'a str>,
    /// Within the module's file where the module is known; 0 where no address is.
    pub address: u64,
}

/// A stack: its innermost frame, and the stack that called it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Node {
    /// Always less than the node's own number.
    pub(crate) caller: Option<u32>,
    pub(crate) frame: u32,
}

/// A file that was mapped, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    pub start: u64,
    pub end: u64,
    pub offset: u64,
    pub file: String,
}

/// A profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    pub source: Source,
    pub columns: Vec<Column>,
    pub sampling: Sampling,
    pub mappings: Vec<Mapping>,
    /// Lines or records that were none, and were passed over.
    pub rejected: usize,
    /// Whether the profile ended where its format says that it does.
    pub complete: bool,
    names: Vec<Box<str>>,
    frames: Vec<FrameKey>,
    nodes: Vec<Node>,
    /// The innermost node of each sample; a sample without a stack has none.
    stacks: Vec<Option<u32>>,
    /// The values of all samples, one row of columns after the other.
    values: Vec<i64>,
}

impl Profile {
    pub const fn sample_count(&self) -> usize {
        self.stacks.len()
    }

    /// The number of the column with this measure.
    pub fn column(&self, measure: Measure) -> Option<usize> {
        self.columns.iter().position(|column| column.measure == measure)
    }

    /// The values of a sample, in the order of the columns; empty behind the last sample.
    pub fn values(&self, sample: usize) -> &[i64] {
        let width = self.columns.len();
        self.values.get(sample * width..(sample + 1) * width).unwrap_or(&[])
    }

    /// The sum of a measure over all samples; `None` where the profile does not have it.
    pub fn total(&self, measure: Measure) -> Option<i64> {
        let column = self.column(measure)?;
        let values = self.values.iter().skip(column).step_by(self.columns.len());
        Some(values.fold(0, |sum: i64, value| sum.saturating_add(*value)))
    }

    /// The stack of a sample, innermost frame first.
    pub fn stack(&self, sample: usize) -> impl Iterator<Item = Frame<'_>> {
        let mut next = self.stacks.get(sample).copied().flatten();
        std::iter::from_fn(move || {
            let node = self.nodes[next? as usize];
            next = node.caller;
            Some(self.frame(node.frame))
        })
    }

    fn frame(&self, frame: u32) -> Frame<'_> {
        let key = self.frames[frame as usize];
        let name = |id: Option<NameId>| id.map(|NameId(id)| &*self.names[id as usize]);
        let FrameKey { function, file, line, module, address } = key;
        let (function, file, module) = (name(function), name(file), name(module));
        Frame { function, file, line, module, address }
    }
}
