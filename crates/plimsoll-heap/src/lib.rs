//! Heap contents as shapes: what a runtime's heap holds, and what grew between two looks at it.
//!
//! Pure: text and bytes in, model out; no I/O and no clock, and no input makes it panic. Names and
//! sizes only: a value from a heap never gets this far. Captures are made by `plimsoll-runtime`;
//! the results are used by `plimsoll-diagnose` and the command line.

mod by_id;
mod class_name;
mod difference;
mod dominant;
mod dominators;
mod faults;
pub mod gc_log;
mod graph;
mod growth;
mod histogram;
mod holders;
mod hprof;
mod kind;
mod owners;
mod paths;
pub mod profile;
mod redact;
mod report;
mod shape;
mod signatures;
mod source;
mod suspects;
mod unpack;
mod v8;
mod watch;

pub use class_name::{Origin, origin, readable};
pub use difference::{Grown, Growth, HeapDifference, heap_difference};
pub use dominant::{Dominant, NoDominant, Tie, dominant};
pub use dominators::{Above, Dominators};
pub use faults::Fault;
pub use graph::{Arena, Edges, Graph, NODES_MAX, Sizes, TooLarge};
pub use growth::{GrowthRow, HistogramGrowth, difference};
pub use histogram::{ClassHistogram, ClassRow, HistogramError, HistogramTotal};
pub use holders::{Elements, Holder, holders};
pub use hprof::{
    Counted, Damage, Duplicate, Duplicates, End, Finalizers, Hprof, HprofError, HprofShape, Owned,
    Resources, RootKind, Slots, Strength, Survey, Tally, Wish,
};
pub use kind::{Kind, UnknownKind};
pub use paths::{Path, Step, paths};
pub use redact::{Level, RedactError, Redacted, Redactor, redact};
pub use report::{ACCUSED_MAX, Accused, Branch, HeapReport, short, thousands, told, tree, words};
pub use shape::{Label, Role, Shape};
pub use signatures::Signatures;
pub use source::{Hands, OneHand, Progress, Silent, Source};
pub use suspects::{BYTES_MIN, Held, LOADERS_MIN, SHARE_MIN, Suspect, suspects};
pub use unpack::{UnpackError, Unpacked, unpack};
pub use v8::{
    Detachedness, Edge, EdgeKind, EdgeLabel, EdgeName, NodeKind, Snapshot, SnapshotError,
    TypeNames, V8Error, V8Heap,
};
pub use watch::{Look, Rise, Watch, WatchGrowth};
