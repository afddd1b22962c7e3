//! Services that do not leak, and whose memory moves by itself: warm-ups, caches, collectors,
//! allocators, noise.
//!
//! Not here: what load and jobs do (`busy`), and what people do (`operated`).

use plimsoll_model::{Cause, Metric as M};

use super::body::Runtime;
use super::curve::Curve;
use super::draw::Draw;
use super::heap::Trigger;
use super::part::{Part, Place};
use super::plan::{Plan, Sketch};

pub(super) fn start(draw: Draw, sketch: Sketch<'_>) -> Plan {
    let mut plan = Plan::new(draw, sketch);
    plan.ordinary();
    plan.decoys();
    plan
}

impl Plan {
    /// On the heap or off it; of an unlimited service, as if it had a limit of twice its need.
    pub(super) fn some_place(&mut self) -> Place {
        self.draw.pick(&[Place::Heap, Place::Native])
    }

    /// A bounded part of the headroom, at a place.
    pub(super) fn takes(&mut self, curve: Curve, place: Place, share: (f64, f64)) {
        let size = self.headroom(place) * self.draw.between(share.0, share.1);
        self.add(Part::new(curve, size, place));
    }
}

/// Nothing happens.
pub(super) fn quiet(draw: Draw) -> Plan {
    let mut plan = start(draw, Sketch::of((2.0, 240.0), &Runtime::ALL));
    plan.any_load();
    plan
}

/// Five minutes to ten hours, ever slower.
pub(super) fn warm_up(draw: Draw) -> Plan {
    let mut plan = start(draw, Sketch::of((2.0, 60.0), &Runtime::ALL));
    plan.uptime = 0.0;
    let hours = plan.draw.scaled(0.03, (plan.hours / 4.0).min(3.0));
    let place = plan.some_place();
    plan.takes(Curve::Saturate { hours, delay: 0.0 }, place, (0.25, 0.7));
    plan
}

/// One subsystem after the other comes to life: code, indices, models, connections.
pub(super) fn warm_up_in_stages(draw: Draw) -> Plan {
    let mut plan = start(draw, Sketch::of((6.0, 60.0), &Runtime::ALL));
    plan.uptime = 0.0;
    let mut delay = 0.0;
    for _ in 0..plan.draw.whole(2..=4) {
        let hours = plan.draw.scaled(0.02, plan.hours / 14.0);
        let place = plan.some_place();
        plan.takes(Curve::Saturate { hours, delay }, place, (0.1, 0.22));
        delay += plan.draw.between(0.5, 1.5) * (plan.hours / 8.0).min(3.0);
    }
    plan
}

/// Fills at the pace of requests, and then evicts; the cache's own metrics tell.
pub(super) fn cache_with_metrics(draw: Draw) -> Plan {
    let mut plan = start(draw, Sketch::of((6.0, 100.0), &Runtime::DIRECT).limited(1.5, 2.4));
    plan.any_load();
    plan.uptime = 0.0;
    let hours = plan.hours * plan.draw.between(0.25, 0.8);
    let size = plan.headroom(Place::Heap) * plan.draw.between(0.3, 0.75);
    let cache = Part::new(Curve::Fill { hours }, size, Place::Heap).also(Place::CacheBytes, 0.92);
    let entries = plan.draw.scaled(20.0, 2000.0);
    plan.add(cache.also(Place::CacheEntries, entries).also(Place::CacheEvictions, entries));
    plan.cause = Some(Cause::Cache);
    plan.exports.require(&[M::CacheEntries, M::CacheEvictions]);
    if plan.draw.chance(0.6) {
        plan.exports.require(&[M::CacheBytes]);
    }
    plan
}

/// A cache of random keys of which nobody measures anything.
pub(super) fn cache_without_metrics(draw: Draw) -> Plan {
    let mut plan = start(draw, Sketch::of((6.0, 120.0), &Runtime::ALL));
    plan.any_load();
    plan.uptime = 0.0;
    let hours = plan.hours * plan.draw.between(0.06, 0.22);
    let place = plan.some_place();
    plan.takes(Curve::Learn { hours }, place, (0.3, 0.75));
    plan
}

/// No limit anywhere: fills evenly for about six hours, and stays.
pub(super) fn fill_without_limit(draw: Draw) -> Plan {
    let sketch = Sketch { unlimited: 1.0, ..Sketch::of((12.0, 60.0), &Runtime::DIRECT) };
    let mut plan = start(draw, sketch);
    plan.uptime = plan.draw.between(0.0, 0.5);
    let hours = plan.draw.between(5.0, 7.0);
    let size = plan.body.footprint() * plan.draw.between(0.5, 2.0);
    plan.add(Part::new(Curve::Fill { hours }, size, Place::Native));
    plan
}

/// Sessions that end a day or so after they began: growth until the first of them do.
pub(super) fn sessions_expire(draw: Draw) -> Plan {
    let mut plan = start(draw, Sketch::of((24.0, 130.0), &Runtime::DIRECT));
    plan.daily((0.1, 0.4));
    plan.uptime = 0.0;
    let ttl = (plan.hours * plan.draw.between(0.25, 0.5)).min(30.0);
    plan.takes(Curve::Expire { ttl }, Place::Heap, (0.25, 0.55));
    plan
}

/// Garbage piles up for hours, and one collection takes it all.
pub(super) fn lazy_collector(draw: Draw) -> Plan {
    lazy(draw, &[Runtime::Jvm], (2.0, 9.0))
}

/// So little is going on that nothing has to be collected until half the day is over.
pub(super) fn idle_heap_creeps(draw: Draw) -> Plan {
    let mut plan = lazy(draw, &[Runtime::Node, Runtime::Dotnet], (4.0, 12.0));
    plan.load.rate = plan.draw.between(0.1, 2.0);
    plan
}

fn lazy(draw: Draw, runtimes: &[Runtime], hours: (f64, f64)) -> Plan {
    let mut plan = start(draw, Sketch::of((24.0, 90.0), runtimes));
    plan.exports.require(&[M::RuntimeHeapUsed]);
    if let Some(heap) = &mut plan.body.heap {
        heap.full_hours = plan.draw.between(hours.0, hours.1);
        heap.nursery *= 0.3;
        heap.overlooked = 0.02;
    }
    plan
}

/// Seen from outside, a heap that is touched for the first time, bit by bit, up to its bound.
pub(super) fn heap_expansion(draw: Draw) -> Plan {
    let runtimes = [Runtime::Jvm, Runtime::Dotnet];
    let mut plan = start(draw, Sketch::of((12.0, 72.0), &runtimes).limited(1.15, 1.6));
    plan.uptime = 0.0;
    let (hours, share) = (plan.draw.between(0.15, 0.45), plan.draw.between(0.75, 0.92));
    if let Some(heap) = &mut plan.body.heap {
        heap.full_hours = plan.hours * hours;
        heap.trigger = Trigger::Occupancy(share);
        heap.gives_back = f64::INFINITY;
    }
    if plan.draw.chance(0.5) {
        plan.exports.require(&[M::RuntimeHeapCommitted, M::RuntimeHeapUsed]);
    }
    plan
}

/// Compiled code and classes, levelling off after hours.
pub(super) fn code_cache(draw: Draw) -> Plan {
    let mut plan = start(draw, Sketch::of((6.0, 60.0), &[Runtime::Jvm]));
    plan.uptime = 0.0;
    let hours = plan.hours * plan.draw.between(0.08, 0.2);
    let size = plan.body.nonheap * plan.draw.between(0.4, 0.9);
    let code = Part::new(Curve::Learn { hours }, size, Place::Nonheap).also(Place::Classes, 25.0);
    plan.add(code);
    plan.exports.require(&[M::RuntimeNonheapUsed, M::ProcessMemoryRss]);
    plan
}

/// An allocator that keeps what it once needed, ever slower.
pub(super) fn allocator_retention(draw: Draw) -> Plan {
    let runtimes = [Runtime::Native, Runtime::Python];
    let mut plan = start(draw, Sketch::of((16.0, 120.0), &runtimes));
    plan.any_load();
    plan.uptime = 0.0;
    for part in [0.01, 0.05, 0.16] {
        let hours = plan.hours * part * plan.draw.between(0.7, 1.3);
        plan.takes(Curve::Saturate { hours, delay: 0.0 }, Place::Retained, (0.08, 0.2));
    }
    if plan.draw.chance(0.5) {
        plan.exports.require(&[M::RuntimeArenaActive, M::RuntimeArenaResident]);
    }
    plan
}

/// Each record of concurrency costs one more arena, and records get rare.
pub(super) fn concurrency_records(draw: Draw) -> Plan {
    let runtimes = [Runtime::Native, Runtime::Python, Runtime::Go];
    let mut plan = start(draw, Sketch::of((12.0, 120.0), &runtimes));
    plan.any_load();
    plan.uptime = 0.0;
    let hours = plan.hours / plan.draw.between(15.0, 40.0);
    plan.takes(Curve::Records { hours }, Place::Native, (0.25, 0.6));
    plan
}

/// Noise that remembers for long, and never leaves its bounds.
pub(super) fn long_memory_noise(draw: Draw) -> Plan {
    let mut plan = start(draw, Sketch::of((8.0, 170.0), &Runtime::DIRECT));
    let hours = plan.hours / plan.draw.scaled(12.0, 150.0);
    plan.takes(Curve::Wander { hours }, Place::Native, (0.03, 0.12));
    plan
}

/// A level that strolls for hours and comes back.
pub(super) fn strolls_and_returns(draw: Draw) -> Plan {
    let mut plan = start(draw, Sketch::of((60.0, 300.0), &Runtime::ALL));
    let hours = plan.draw.between(3.0, 12.0);
    plan.takes(Curve::Wander { hours }, Place::Native, (0.06, 0.14));
    plan.takes(Curve::Steady, Place::Native, (0.15, 0.2));
    plan
}

/// Requests that need much for a moment.
pub(super) fn spikes(draw: Draw) -> Plan {
    let mut plan = start(draw, Sketch::of((2.0, 150.0), &Runtime::ALL));
    plan.any_load();
    let per_hour = plan.draw.scaled(10.0, 150.0) / plan.hours;
    let lasts = plan.draw.scaled(0.01, 0.3);
    plan.takes(Curve::Spikes { per_hour, lasts }, Place::Native, (0.3, 0.8));
    plan
}

/// Twelve MiB, and half as much again now and then.
pub(super) fn tiny_with_bursts(draw: Draw) -> Plan {
    let runtimes = [Runtime::Native, Runtime::Go];
    let mut plan = Plan::new(draw, Sketch::of((1.0, 72.0), &runtimes));
    plan.body.native = 2.0;
    plan.body.mapped = 4.0;
    plan.body.live = plan.draw.between(2.0, 6.0);
    plan.limits = vec![(0.0, plan.draw.pick(&[64.0, 128.0, 256.0]))];
    plan.base();
    plan.add(Part::new(Curve::Steady, 3.0, Place::FileActive));
    plan.add(Part::new(Curve::Steady, 25.0, Place::Fds));
    let hours = plan.draw.scaled(0.1, 2.5).min(plan.hours / 8.0);
    let size = plan.draw.between(2.0, 9.0);
    plan.add(Part::new(Curve::Saw { hours }, size, Place::Native));
    let (per_hour, lasts) = (plan.draw.scaled(0.3, 4.0), 0.03);
    plan.add(Part::new(Curve::Spikes { per_hour, lasts }, 8.0, Place::Native));
    plan
}
