//! The parts that a service's needs are made of: what is needed, where it is counted, and when.
//!
//! Not here: how an amount moves over time (`curve`), and what runtime and kernel make of it
//! (`heap`, `replica`).

use std::ops::Range;

use super::curve::Curve;

/// Bytes of one MiB.
pub(super) const MIB: f64 = 1_048_576.0;

/// Where an amount is counted. Memory is in MiB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Reachable from the program, on a collected heap where there is one.
    Heap,
    /// Outside of any heap, allocated by libraries.
    Native,
    /// Direct or external buffers of a runtime.
    Buffers,
    /// Classes, compiled code.
    Nonheap,
    /// Resident in an allocator's arenas and in nobody's use.
    Retained,
    FileActive,
    FileInactive,
    Fds,
    Sockets,
    Threads,
    Goroutines,
    Classes,
    Connections,
    Queue,
    CacheBytes,
    CacheEntries,
    CacheEvictions,
}

impl Place {
    /// One unit of an amount here, in the unit of its metric: bytes, or a count.
    pub(super) fn unit(self) -> f64 {
        match self {
            Self::Heap
            | Self::Native
            | Self::Buffers
            | Self::Nonheap
            | Self::Retained
            | Self::FileActive
            | Self::FileInactive
            | Self::CacheBytes => MIB,
            Self::Fds
            | Self::Sockets
            | Self::Threads
            | Self::Goroutines
            | Self::Classes
            | Self::Connections
            | Self::Queue
            | Self::CacheEntries
            | Self::CacheEvictions => 1.0,
        }
    }
}

const PLACES: usize = Place::CacheEvictions as usize + 1;

/// How much there is at each place.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Amounts([f64; PLACES]);

impl Amounts {
    pub(super) fn add(&mut self, place: Place, amount: f64) {
        self.0[place as usize] += amount;
    }

    pub(super) fn at(&self, place: Place) -> f64 {
        self.0[place as usize]
    }

    /// Never less than nothing, whatever noise was added.
    pub(super) fn floor(&mut self) {
        self.0.iter_mut().for_each(|amount| *amount = amount.max(0.0));
    }
}

/// When, and in which replicas, a part is at work.
#[derive(Clone, Debug)]
pub(super) struct Gate {
    /// Hours of the case.
    pub(super) wall: Range<f64>,
    /// Hours that the process must have been up for.
    pub(super) uptime: f64,
    /// Indices into the case's versions.
    pub(super) versions: Range<usize>,
    pub(super) replica: Option<u32>,
}

impl Gate {
    pub(super) const ALWAYS: Self = Self {
        wall: f64::NEG_INFINITY..f64::INFINITY,
        uptime: 0.0,
        versions: 0..usize::MAX,
        replica: None,
    };

    pub(super) fn since(wall: f64) -> Self {
        Self { wall: wall..f64::INFINITY, ..Self::ALWAYS }
    }

    pub(super) fn versions(versions: Range<usize>) -> Self {
        Self { versions, ..Self::ALWAYS }
    }

    pub(super) fn concerns(&self, replica: u32) -> bool {
        self.replica.is_none_or(|only| only == replica)
    }
}

/// One part of what a service needs.
#[derive(Clone, Debug)]
pub(super) struct Part {
    pub(super) curve: Curve,
    /// In the unit of the first place: the bound, or, of what leaks, the growth per hour.
    pub(super) size: f64,
    /// Where it counts, and how much of each unit.
    pub(super) places: Vec<(Place, f64)>,
    pub(super) gate: Gate,
}

impl Part {
    pub(super) fn new(curve: Curve, size: f64, place: Place) -> Self {
        Self { curve, size, places: vec![(place, 1.0)], gate: Gate::ALWAYS }
    }

    pub(super) fn also(mut self, place: Place, factor: f64) -> Self {
        self.places.push((place, factor));
        self
    }

    pub(super) fn gated(mut self, gate: Gate) -> Self {
        self.gate = gate;
        self
    }

    pub(super) fn leaks(&self) -> bool {
        matches!(self.curve, Curve::Leak(_))
    }

    pub(super) fn is_noise(&self) -> bool {
        matches!(self.curve, Curve::Wander { .. } | Curve::Spikes { .. })
    }

    /// What the kernel keeps for a container outlives the process in it.
    pub(super) fn outlives_process(&self) -> bool {
        self.places
            .iter()
            .all(|(place, _)| matches!(place, Place::FileActive | Place::FileInactive))
    }
}
