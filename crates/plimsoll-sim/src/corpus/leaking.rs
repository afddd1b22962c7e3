//! Services that keep memory for ever: by what drives the leak, and by what hides it.
//!
//! Not here: leaks that a change began or ended (`changed`), and of handles and the like (`held`).

use plimsoll_model::{Cause, Metric as M};

use super::body::Runtime;
use super::curve::{Curve, Law};
use super::draw::Draw;
use super::part::{Gate, Part, Place};
use super::plan::{Plan, Sketch};

/// Share of the headroom that is gone at the end of a case.
const MOST: (f64, f64) = (0.35, 0.85);

fn start(draw: Draw, sketch: Sketch<'_>) -> Plan {
    let mut plan = Plan::new(draw, sketch);
    plan.ordinary();
    plan.decoys();
    plan
}

/// The same little by little, under the sawtooth of a collector.
pub(super) fn steady_under_gc(draw: Draw) -> Plan {
    let mut plan = start(draw, Sketch::of((2.0, 72.0), &Runtime::MANAGED));
    plan.any_load();
    plan.exports.require(&[M::RuntimeHeapUsed]);
    if let Some(heap) = &mut plan.body.heap {
        heap.full_hours = plan.draw.scaled(0.03, (plan.hours / 12.0).min(2.5));
    }
    plan.leak(Law::Even, Place::Heap, MOST, Gate::ALWAYS);
    plan
}

/// Full within an hour or two.
pub(super) fn fast(draw: Draw) -> Plan {
    let mut plan = start(draw, Sketch::of((0.25, 1.6), &Runtime::DIRECT).limited(1.6, 2.6));
    plan.leak(Law::PerRequest, Place::Heap, (0.45, 0.9), Gate::ALWAYS);
    plan
}

pub(super) fn per_request_measured(draw: Draw) -> Plan {
    let mut plan = start(draw, Sketch::of((30.0, 120.0), &Runtime::ALL));
    plan.daily((0.3, 0.7));
    plan.measured();
    plan.leak(Law::PerRequest, Place::Heap, MOST, Gate::ALWAYS);
    plan
}

pub(super) fn per_request_unmeasured(draw: Draw) -> Plan {
    let mut plan = start(draw, Sketch::of((48.0, 140.0), &Runtime::ALL));
    plan.daily((0.25, 0.7));
    plan.unmeasured();
    plan.leak(Law::PerRequest, Place::Heap, MOST, Gate::ALWAYS);
    plan
}

/// What leaks makes more of itself: listeners that add listeners, lists that are copied.
pub(super) fn accelerating(draw: Draw) -> Plan {
    let mut plan = start(draw, Sketch::of((3.0, 60.0), &Runtime::ALL));
    plan.any_load();
    plan.uptime = 0.0;
    let law = plan.accelerating();
    plan.leak(law, Place::Heap, (0.5, 0.9), Gate::ALWAYS);
    plan
}

/// A chunk with every import or report, some dozens of them.
pub(super) fn burst_steps(draw: Draw) -> Plan {
    let mut plan = start(draw, Sketch::of((4.0, 60.0), &Runtime::ALL));
    let per_hour = plan.draw.between(18.0, 70.0) / plan.hours;
    plan.leak(Law::Bursts { per_hour }, Place::Heap, (0.45, 0.85), Gate::ALWAYS);
    plan
}

/// A nightly job of which some is never given back.
pub(super) fn nightly_job_keeps(draw: Draw) -> Plan {
    let mut plan = start(draw, Sketch::of((130.0, 240.0), &Runtime::DIRECT).replicas(&[1]));
    plan.daily((0.1, 0.3));
    let hour = plan.draw.between(0.0, 5.0);
    let salt = plan.draw.whole(0..=9999).into();
    let size = plan.headroom(Place::Native) * plan.draw.between(0.1, 0.2);
    let lasts = plan.draw.between(1.0, 2.5);
    let batch = Curve::Batch { every: 24.0, hour, lasts, climb: 0.7, salt };
    plan.add(Part::new(batch, size, Place::Native));
    plan.leak(Law::Nightly { hour }, Place::Native, (0.4, 0.7), Gate::ALWAYS);
    plan
}

/// Full after two weeks, seen for the first days of them.
pub(super) fn slow_two_weeks(draw: Draw) -> Plan {
    slow(draw, (62.0, 170.0), 336.0)
}

/// Full after a week, with a day curve in it that nobody measures.
pub(super) fn slow_week(draw: Draw) -> Plan {
    let mut plan = slow(draw, (48.0, 110.0), 170.0);
    plan.daily((0.1, 0.3));
    plan.unmeasured();
    plan
}

fn slow(draw: Draw, hours: (f64, f64), fills: f64) -> Plan {
    let sketch = Sketch::of(hours, &Runtime::ALL).limited(2.4, 3.4).replicas(&[1, 1, 2]);
    let mut plan = start(draw, sketch);
    plan.uptime = plan.draw.between(0.0, 3.0);
    let place = match plan.body.runtime {
        Runtime::Jvm | Runtime::Dotnet | Runtime::Python | Runtime::Native => Place::Heap,
        Runtime::Go | Runtime::Node => Place::Native,
    };
    let share = plan.hours / fills;
    plan.leak(Law::Even, place, (share * 0.9, share * 1.1), Gate::ALWAYS);
    plan
}

/// Off the heap, beside a heap that is as it should be.
pub(super) fn native_flat_heap(draw: Draw) -> Plan {
    let sketch = Sketch { slack: (1.7, 2.6), ..Sketch::of((3.0, 96.0), &Runtime::MANAGED) };
    let mut plan = start(draw, sketch);
    plan.any_load();
    plan.exports.require(&[M::RuntimeHeapUsed, M::RuntimeHeapLive, M::ContainerMemoryAnon]);
    plan.collects_within(plan.hours / 20.0);
    plan.leak(Law::PerRequest, Place::Native, MOST, Gate::ALWAYS);
    plan
}

/// Direct buffers that nobody releases.
pub(super) fn offheap_buffers(draw: Draw) -> Plan {
    let runtimes = [Runtime::Jvm, Runtime::Dotnet, Runtime::Node];
    let sketch = Sketch { slack: (1.7, 2.6), ..Sketch::of((3.0, 72.0), &runtimes) };
    let mut plan = start(draw, sketch);
    plan.any_load();
    plan.exports.require(&[M::RuntimeHeapUsed, M::RuntimeBuffersUsed, M::ProcessMemoryRss]);
    let buffers = plan.body.native * 0.3;
    plan.add(Part::new(Curve::Follow { lag: 0.05 }, buffers, Place::Buffers));
    plan.leak(Law::PerRequest, Place::Buffers, MOST, Gate::ALWAYS);
    plan
}

/// Arenas that are ever more holes, at an even pace.
pub(super) fn fragmentation_even(draw: Draw) -> Plan {
    fragmentation(draw, (8.0, 96.0), Law::PerRequest)
}

/// Every busy hour of the day leaves new holes behind.
pub(super) fn fragmentation_peaks(draw: Draw) -> Plan {
    let mut plan = fragmentation(draw, (120.0, 220.0), Law::Nightly { hour: 13.0 });
    plan.daily((0.2, 0.5));
    plan.load.busiest_hour = 13.5;
    plan
}

fn fragmentation(draw: Draw, hours: (f64, f64), law: Law) -> Plan {
    let runtimes = [Runtime::Native, Runtime::Python];
    let mut plan = start(draw, Sketch::of(hours, &runtimes).replicas(&[1, 1, 2]));
    plan.exports.require(&[M::RuntimeArenaActive, M::RuntimeArenaResident, M::ProcessMemoryRss]);
    plan.cause = Some(Cause::Fragmentation);
    plan.leak(law, Place::Retained, MOST, Gate::ALWAYS);
    plan
}

/// Killed at the limit time after time, each life like the one before.
pub(super) fn killed_again_and_again(draw: Draw) -> Plan {
    let runtimes = [Runtime::Go, Runtime::Python, Runtime::Native, Runtime::Jvm];
    let sketch = Sketch::of((6.0, 120.0), &runtimes).limited(1.6, 2.5).replicas(&[1, 1, 2]);
    let mut plan = start(draw, sketch);
    plan.uptime = plan.draw.between(0.0, 0.1) * plan.hours;
    plan.exports.require(&[M::ContainerRestarts]);
    plan.leak(Law::PerRequest, Place::Heap, (2.4, 5.5), Gate::ALWAYS);
    plan
}

/// Restarted every night or twice a day, before anyone notices.
pub(super) fn restarts_hide_it(draw: Draw) -> Plan {
    let sketch = Sketch::of((90.0, 200.0), &Runtime::DIRECT).limited(1.6, 2.5).replicas(&[1, 2]);
    let mut plan = start(draw, sketch);
    let every = plan.draw.pick(&[12.0, 24.0, 24.0]);
    let mut at = plan.draw.between(2.0, every);
    while at < plan.hours {
        plan.restart(at, None);
        at += every;
    }
    plan.uptime = plan.uptime.min(6.0);
    plan.exports.require(&[M::ProcessStartTime]);
    let lives = plan.hours / every;
    plan.leak(Law::Even, Place::Heap, (0.35 * lives, 0.75 * lives), Gate::ALWAYS);
    plan
}

/// One replica of several, on a bad machine or with a bad client.
pub(super) fn one_bad_replica(draw: Draw) -> Plan {
    let mut plan = start(draw, Sketch::of((4.0, 72.0), &Runtime::ALL).replicas(&[2, 3, 4]));
    plan.any_load();
    let replica = Some(plan.draw.whole(0..=plan.replicas - 1));
    let gate = Gate { replica, ..Gate::since(plan.hours * plan.draw.pick(&[0.0, 0.2])) };
    plan.leak(Law::Even, Place::Heap, MOST, gate);
    plan
}

/// Hours of warming up, and then it does not stop.
pub(super) fn after_long_warm_up(draw: Draw) -> Plan {
    let mut plan = start(draw, Sketch::of((14.0, 72.0), &Runtime::DIRECT).limited(1.8, 2.6));
    plan.uptime = 0.0;
    let hours = plan.draw.between(0.05, 0.1) * plan.hours;
    let size = plan.body.live * plan.draw.between(0.3, 0.5);
    plan.add(Part::new(Curve::Saturate { hours, delay: 0.0 }, size, Place::Heap));
    let gate = Gate { uptime: 3.0 * hours, ..Gate::ALWAYS };
    plan.leak(Law::Even, Place::Heap, (0.3, 0.45), gate);
    plan
}

/// A cache that fills and evicts as it should, and something else that is never given back.
pub(super) fn beside_bounded_cache(draw: Draw) -> Plan {
    let mut plan = start(draw, Sketch::of((12.0, 72.0), &Runtime::DIRECT).limited(1.8, 2.6));
    plan.uptime = 0.0;
    let size = plan.headroom(Place::Heap) * plan.draw.between(0.15, 0.3);
    let hours = plan.hours * plan.draw.between(0.15, 0.3);
    let cache = Part::new(Curve::Fill { hours }, size, Place::Heap).also(Place::CacheBytes, 0.9);
    plan.add(cache.also(Place::CacheEntries, 180.0).also(Place::CacheEvictions, 180.0));
    plan.exports.require(&[M::CacheBytes, M::CacheEvictions]);
    plan.leak(Law::Even, Place::Heap, (0.35, 0.6), Gate::ALWAYS);
    plan
}

/// Files fill the page cache, and under it anonymous memory grows.
pub(super) fn beside_page_cache(draw: Draw) -> Plan {
    let mut plan = start(draw, Sketch::of((6.0, 72.0), &Runtime::DIRECT).limited(1.6, 2.4));
    let limit = plan.limit().unwrap_or(1024.0);
    plan.uptime = plan.draw.between(0.0, 0.5);
    let hours = plan.hours * plan.draw.between(0.1, 0.6);
    let files = Curve::Learn { hours };
    plan.add(Part::new(files, limit * 0.5, Place::FileInactive).also(Place::FileActive, 0.4));
    plan.exports.require(&[M::ContainerMemoryAnon, M::ContainerMemoryWorkingSet]);
    plan.leak(Law::PerRequest, Place::Heap, MOST, Gate::ALWAYS);
    plan
}

/// Only while people work, in weeks with weekends.
pub(super) fn working_hours(draw: Draw) -> Plan {
    let sketch = Sketch::of((130.0, 250.0), &Runtime::ALL).replicas(&[1, 1, 2]);
    let mut plan = start(draw, sketch);
    plan.daily((0.3, 0.6));
    plan.load.busiest_hour = 13.0;
    plan.uptime = plan.uptime.min(5.0);
    plan.leak(Law::WorkingHours, Place::Heap, (0.45, 0.85), Gate::ALWAYS);
    plan
}

/// More users every week, and more memory than they explain.
pub(super) fn under_growing_traffic(draw: Draw) -> Plan {
    let sketch = Sketch::of((96.0, 240.0), &Runtime::DIRECT).limited(1.9, 2.8);
    let mut plan = start(draw, sketch.replicas(&[1, 1, 2]));
    plan.daily((0.1, 0.4));
    plan.load.growth = plan.draw.between(0.1, 0.4);
    plan.measured();
    let follows = plan.body.live * plan.draw.between(0.1, 0.25);
    plan.add(Part::new(Curve::Follow { lag: 0.05 }, follows, Place::Heap));
    plan.leak(Law::PerRequest, Place::Heap, (0.4, 0.6), Gate::ALWAYS);
    plan
}
