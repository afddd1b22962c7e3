//! What a collected heap makes of the objects in it: garbage, collections, and memory that stays
//! with the process. Sizes are MiB, times hours.

use super::draw::Draw;

/// How a collector is set up.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct HeapShape {
    /// New objects until the young are collected, and hours that filling it takes.
    pub(super) nursery: f64,
    pub(super) nursery_hours: f64,
    /// Hours between full collections at an ordinary load and the base's live set.
    pub(super) full_hours: f64,
    pub(super) trigger: Trigger,
    /// Share of the garbage that a collection overlooks, at most.
    pub(super) overlooked: f64,
    /// Committed from the start, and by how much it expands.
    pub(super) committed_first: f64,
    pub(super) expansion: f64,
    pub(super) max: Option<f64>,
    /// Hours after which unused memory is back with the kernel; infinite where it never is.
    pub(super) gives_back: f64,
}

/// What makes a collector look at everything.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Trigger {
    /// Used beyond this share of the maximum.
    Occupancy(f64),
    /// Used beyond this multiple of what lived.
    Growth(f64),
}

/// A heap at work, in one life of a process.
#[derive(Clone, Debug)]
pub(super) struct Heap {
    garbage: f64,
    overlooked: f64,
    young: f64,
    committed: f64,
    resident: f64,
    last_live: Option<f64>,
    collections: f64,
    allocated: f64,
}

/// What a heap's metrics show.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct HeapState {
    pub(super) used: f64,
    /// After the last full collection; none before the first.
    pub(super) live: Option<f64>,
    pub(super) committed: f64,
    pub(super) resident: f64,
    pub(super) collections: f64,
    pub(super) allocated: f64,
}

impl Trigger {
    /// The level at which everything is collected, when so much lives.
    pub(super) fn level(self, live: f64, max: Option<f64>) -> f64 {
        let level = match self {
            Self::Occupancy(share) => max.unwrap_or(live * 2.0) * share,
            Self::Growth(multiple) => live * multiple,
        };
        // A collector that finds too little room works with what there is.
        level.max(live * 1.05 + 1.0).min(max.unwrap_or(f64::INFINITY).max(live))
    }
}

impl Heap {
    pub(super) fn new(shape: &HeapShape, draw: &mut Draw) -> Self {
        Self {
            garbage: 0.0,
            overlooked: 0.0,
            young: draw.unit(),
            committed: shape.committed_first,
            resident: 0.0,
            last_live: None,
            collections: 0.0,
            allocated: 0.0,
        }
    }

    /// Puts the heap at some moment of its cycle, for a process that has been up for long.
    pub(super) fn settle(&mut self, shape: &HeapShape, live: f64, draw: &mut Draw) {
        let room = shape.trigger.level(live, shape.max) - live;
        self.garbage = draw.unit() * room;
        self.resident = live + room + shape.nursery;
        self.last_live = Some(live);
        self.collections = f64::from(draw.whole(50..=5000));
    }

    /// So many hours later: `live` is reachable, `load` and `base` say how fast garbage is made.
    pub(super) fn advance(
        &mut self,
        shape: &HeapShape,
        (live, base): (f64, f64),
        (passed, load): (f64, f64),
        draw: &mut Draw,
    ) -> HeapState {
        self.collect_young(shape, passed * load);
        let room = (shape.trigger.level(base, shape.max) - base).max(1.0);
        self.garbage += room / shape.full_hours * passed * load;
        self.allocated += passed * load * (room / shape.full_hours);
        let free = (shape.trigger.level(live, shape.max) - live - self.overlooked).max(1.0);
        if self.garbage >= free {
            self.collections += (self.garbage / free).floor();
            self.garbage %= free;
            self.overlooked = free * shape.overlooked * draw.unit();
            self.last_live = Some(live + self.overlooked);
        }
        let young = self.young * shape.nursery;
        let most = shape.max.unwrap_or(f64::INFINITY).max(live);
        let used = (live + self.overlooked + self.garbage + young).min(most);
        self.reside(shape, used, passed);
        HeapState {
            used,
            live: self.last_live,
            committed: self.committed,
            resident: self.resident,
            collections: self.collections,
            allocated: self.allocated,
        }
    }

    fn collect_young(&mut self, shape: &HeapShape, work: f64) {
        let filled = self.young + work / shape.nursery_hours;
        self.collections += filled.floor();
        self.allocated += work / shape.nursery_hours * shape.nursery;
        self.young = filled.fract();
    }

    fn reside(&mut self, shape: &HeapShape, used: f64, passed: f64) {
        let most = shape.max.unwrap_or(f64::INFINITY).max(used);
        let wanted = used * 1.02;
        if self.committed < wanted {
            let pieces = ((wanted - self.committed) / shape.expansion).ceil();
            self.committed = (self.committed + pieces * shape.expansion).min(most);
        }
        if shape.gives_back.is_finite() {
            let share = 1.0 - (-passed / shape.gives_back).exp();
            self.resident -= (self.resident - used).max(0.0) * share;
            self.committed -= (self.committed - used * 1.1).max(0.0) * share;
        }
        self.committed = self.committed.max(used);
        self.resident = self.resident.max(used).min(self.committed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: HeapShape = HeapShape {
        nursery: 50.0,
        nursery_hours: 0.01,
        full_hours: 2.0,
        trigger: Trigger::Occupancy(0.7),
        overlooked: 0.0,
        committed_first: 64.0,
        expansion: 32.0,
        max: Some(1000.0),
        gives_back: f64::INFINITY,
    };

    #[test]
    fn used_heap_is_a_sawtooth_over_what_lives_and_memory_stays_with_the_process() {
        let mut draw = Draw::new("heap", 1);
        let mut heap = Heap::new(&SHAPE, &mut draw);
        let states: Vec<HeapState> = (0..1200)
            .map(|_| heap.advance(&SHAPE, (200.0, 200.0), (0.01, 1.0), &mut draw))
            .collect();
        let used = || states.iter().map(|state| state.used);
        assert!(used().fold(0.0, f64::max) > 690.0 && used().fold(1e9, f64::min) < 260.0);
        assert!(states.iter().filter_map(|state| state.live).all(|live| live < 201.0));
        assert!(states.windows(2).all(|pair| pair[1].resident >= pair[0].resident));
        assert_eq!(states[0].live, None, "nothing is known before the first full collection");
        let drops = states.windows(2).filter(|pair| pair[1].used < pair[0].used - 300.0).count();
        assert!((5..=7).contains(&drops), "12 hours of 2 hours a tooth: {drops}");
    }

    #[test]
    fn a_heap_never_uses_more_than_it_may() {
        let mut draw = Draw::new("heap", 2);
        let mut heap = Heap::new(&SHAPE, &mut draw);
        for step in 0..500 {
            let live = (200.0 + f64::from(step) * 2.0).min(990.0);
            let state = heap.advance(&SHAPE, (live, 200.0), (0.1, 1.0), &mut draw);
            assert!(state.used <= 1000.0 && state.resident <= state.committed);
        }
    }
}
