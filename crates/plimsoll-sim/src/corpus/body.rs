//! What a service is built on: a runtime with its sizes, and how its allocator lets go.
//!
//! Not here: what the service does (`plan`). Sizes are MiB, times hours.

use super::draw::Draw;
use super::heap::{HeapShape, Trigger};
use super::part::Place;

/// What runs the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Runtime {
    Jvm,
    Go,
    Node,
    Python,
    Dotnet,
    Native,
}

impl Runtime {
    pub const ALL: [Self; 6] =
        [Self::Jvm, Self::Go, Self::Node, Self::Python, Self::Dotnet, Self::Native];
    /// Those with a collected heap that is measured.
    pub(super) const MANAGED: [Self; 4] = [Self::Jvm, Self::Go, Self::Node, Self::Dotnet];
    /// Those whose footprint follows what is reachable, more or less.
    pub(super) const DIRECT: [Self; 4] = [Self::Go, Self::Node, Self::Python, Self::Native];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Jvm => "jvm",
            Self::Go => "go",
            Self::Node => "node",
            Self::Python => "python",
            Self::Dotnet => "dotnet",
            Self::Native => "native",
        }
    }

    /// What ordinary services keep reachable, from the smallest to the largest, in MiB.
    pub(super) fn usual_live(self) -> (f64, f64) {
        match self {
            Self::Jvm => (180.0, 2500.0),
            Self::Dotnet => (100.0, 1500.0),
            Self::Node => (40.0, 600.0),
            Self::Python => (40.0, 800.0),
            Self::Go | Self::Native => (25.0, 2000.0),
        }
    }

    /// Whether its heap is as large as it may be before long, whatever lives in it.
    pub(super) fn fills_its_heap(self) -> bool {
        matches!(self, Self::Jvm | Self::Dotnet)
    }
}

/// A runtime with its sizes.
#[derive(Clone, Debug)]
pub(super) struct Body {
    pub(super) runtime: Runtime,
    /// Reachable in an ordinary moment, on the heap or where there is none in general.
    pub(super) live: f64,
    pub(super) native: f64,
    pub(super) nonheap: f64,
    /// Mapped files: part of a process's resident set, of nobody's anonymous memory.
    pub(super) mapped: f64,
    pub(super) heap: Option<HeapShape>,
    /// Share of its peak that the allocator never gives back, and how fast it gives the rest.
    pub(super) keeps: f64,
    pub(super) returns: f64,
    /// Memory comes from the kernel in pieces of this size.
    pub(super) piece: f64,
}

impl Body {
    pub(super) fn new(draw: &mut Draw, runtime: Runtime, live: f64) -> Self {
        let (keeps, returns, piece) = match runtime {
            Runtime::Python => (draw.between(0.3, 0.8), draw.scaled(0.05, 1.0), 1.0),
            Runtime::Native => (draw.between(0.0, 0.5), draw.scaled(0.003, 0.5), 0.25),
            Runtime::Jvm | Runtime::Go | Runtime::Node | Runtime::Dotnet => {
                (draw.between(0.0, 0.3), draw.scaled(0.01, 0.3), 0.0625)
            }
        };
        let nonheap = match runtime {
            Runtime::Jvm => draw.between(60.0, 180.0),
            Runtime::Dotnet => draw.between(25.0, 70.0),
            Runtime::Node => draw.between(15.0, 40.0),
            Runtime::Go | Runtime::Python | Runtime::Native => 0.0,
        };
        Self {
            runtime,
            live,
            native: (live * draw.between(0.05, 0.3)).max(6.0),
            nonheap,
            mapped: draw.between(8.0, 60.0).min(4.0 + live * 0.15),
            heap: heap(draw, runtime, live),
            keeps,
            returns,
            piece,
        }
    }

    /// What a unit of what lives on the heap costs the container, garbage included.
    fn amplification(&self) -> f64 {
        match self.heap {
            Some(HeapShape { trigger: Trigger::Growth(multiple), .. }) => multiple,
            Some(_) | None => 1.0,
        }
    }

    /// What the container holds in an ordinary moment, at the top of its heap's cycle.
    pub(super) fn footprint(&self) -> f64 {
        let heap = self.heap.map_or(self.live, |heap| {
            let top = heap.trigger.level(self.live, heap.max) + heap.nursery;
            if self.runtime.fills_its_heap() { heap.max.unwrap_or(top) } else { top }
        });
        heap + self.native + self.nonheap + 4.0
    }

    /// How much more can be kept at a place before something gives way at this limit.
    pub(super) fn headroom(&self, place: Place, limit: f64) -> f64 {
        let room = (limit - self.footprint() - self.mapped).max(0.0);
        if place != Place::Heap {
            return room;
        }
        let own = self.heap.and_then(|heap| heap.max).map(|max| max * 0.97 - self.live);
        match own {
            Some(own) if self.runtime.fills_its_heap() => own,
            Some(own) => own.min(room / self.amplification()),
            None => room / self.amplification(),
        }
    }
}

fn heap(draw: &mut Draw, runtime: Runtime, live: f64) -> Option<HeapShape> {
    let nursery_hours = draw.scaled(2.0, 60.0) / 3600.0;
    let overlooked = draw.between(0.0, 0.06);
    let quick = draw.scaled(0.02, 1.5);
    let shape = HeapShape {
        nursery: 0.0,
        nursery_hours,
        full_hours: quick,
        trigger: Trigger::Growth(2.0),
        overlooked,
        committed_first: 0.0,
        expansion: 4.0,
        max: None,
        gives_back: f64::INFINITY,
    };
    match runtime {
        Runtime::Python | Runtime::Native => None,
        Runtime::Jvm => {
            let max = rounded(live / draw.between(0.18, 0.42));
            Some(HeapShape {
                nursery: max * draw.between(0.05, 0.2),
                trigger: Trigger::Occupancy(draw.between(0.45, 0.75)),
                committed_first: max * draw.pick(&[0.125, 0.25, 0.5, 1.0]),
                expansion: max / 16.0,
                max: Some(max),
                gives_back: if draw.chance(0.2) { draw.between(0.5, 6.0) } else { f64::INFINITY },
                ..shape
            })
        }
        Runtime::Dotnet => {
            let max = rounded(live / draw.between(0.2, 0.42));
            Some(HeapShape {
                nursery: (max * draw.between(0.03, 0.15)).min(256.0),
                trigger: Trigger::Occupancy(draw.between(0.5, 0.85)),
                committed_first: live * 0.5,
                expansion: max / 10.0,
                max: Some(max),
                gives_back: if draw.chance(0.4) { draw.between(0.2, 4.0) } else { f64::INFINITY },
                ..shape
            })
        }
        Runtime::Go => Some(HeapShape {
            // The runtime collects every two minutes if nothing else makes it.
            full_hours: draw.scaled(0.001, 0.033),
            trigger: Trigger::Growth(draw.pick(&[1.5, 2.0, 2.0, 2.0, 2.0])),
            gives_back: draw.between(0.08, 0.4),
            ..shape
        }),
        Runtime::Node => Some(HeapShape {
            nursery: draw.pick(&[2.0, 8.0, 16.0, 32.0]),
            trigger: Trigger::Growth(draw.between(1.25, 1.9)),
            max: Some(rounded(live * draw.between(3.0, 6.0)).max(256.0)),
            gives_back: draw.between(0.1, 1.0),
            ..shape
        }),
    }
}

/// Settings are round numbers.
pub(super) fn rounded(mib: f64) -> f64 {
    let piece = if mib < 256.0 {
        16.0
    } else if mib < 2048.0 {
        64.0
    } else {
        256.0
    };
    (mib / piece).ceil() * piece
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_room_to_leak_into_under_a_limit_of_twice_the_footprint() {
        let mut draw = Draw::new("body", 1);
        for runtime in Runtime::ALL {
            for _ in 0..50 {
                let (low, high) = runtime.usual_live();
                let live = draw.scaled(low, high);
                let body = Body::new(&mut draw, runtime, live);
                let limit = rounded(body.footprint() * 2.0 + body.mapped);
                for place in [Place::Heap, Place::Native] {
                    let room = body.headroom(place, limit);
                    assert!(room > 0.12 * limit, "{body:?} {place:?} {room} of {limit}");
                }
            }
        }
    }
}
