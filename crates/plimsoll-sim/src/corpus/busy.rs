//! Services that do not leak, and whose memory follows load, jobs and the work that is waiting.

use plimsoll_model::{Cause, ChangeKind, Metric as M};

use super::benign::start;
use super::body::Runtime;
use super::curve::Curve;
use super::draw::Draw;
use super::part::{Part, Place};
use super::plan::{Plan, Sketch};

/// More by day than by night, with load measured or not.
pub(super) fn day_curve(draw: Draw) -> Plan {
    let mut plan = start(draw, Sketch::of((30.0, 200.0), &Runtime::ALL));
    plan.daily((0.3, 0.7));
    follows(&mut plan, (0.2, 0.45));
    plan
}

/// Quiet weekends, and a Monday that looks like the beginning of something.
pub(super) fn week_curve(draw: Draw) -> Plan {
    let mut plan = start(draw, Sketch::of((100.0, 330.0), &Runtime::ALL).replicas(&[1, 1, 2]));
    plan.daily((0.1, 0.5));
    plan.load.weekend = plan.draw.between(0.15, 0.5);
    follows(&mut plan, (0.2, 0.45));
    plan
}

/// More users every week; their requests are counted.
pub(super) fn organic_growth(draw: Draw) -> Plan {
    let mut plan = start(draw, Sketch::of((150.0, 330.0), &Runtime::ALL).replicas(&[1, 1, 2]));
    plan.daily((0.1, 0.4));
    plan.load.growth = plan.draw.between(0.15, 0.6);
    plan.measured();
    follows(&mut plan, (0.15, 0.3));
    plan
}

/// A launch: users come within hours and then stay.
pub(super) fn launch(draw: Draw) -> Plan {
    let mut plan = start(draw, Sketch::of((12.0, 90.0), &Runtime::ALL));
    plan.load.launch_hours = plan.hours * plan.draw.between(0.2, 0.6);
    plan.load.rate *= 3.0;
    plan.cause = Some(Cause::Load);
    plan.measured();
    follows(&mut plan, (0.3, 0.7));
    plan
}

fn follows(plan: &mut Plan, share: (f64, f64)) {
    let lag = plan.draw.scaled(0.01, 0.5);
    let place = plan.some_place();
    plan.takes(Curve::Follow { lag }, place, share);
}

/// Handles, sockets, goroutines and connections, each as many as there are users.
pub(super) fn handles_follow_load(draw: Draw) -> Plan {
    let mut plan = start(draw, Sketch::of((24.0, 170.0), &Runtime::ALL));
    plan.daily((0.4, 0.8));
    let users = plan.draw.scaled(40.0, 220.0);
    let lag = plan.draw.scaled(0.01, 0.3);
    let sockets = Part::new(Curve::Follow { lag }, users, Place::Sockets).also(Place::Fds, 1.2);
    plan.add(sockets.also(Place::Goroutines, 3.0).also(Place::Threads, 0.3));
    plan.exports.require(&[M::ProcessFds, M::ProcessSockets]);
    if plan.body.runtime == Runtime::Go {
        plan.exports.require(&[M::RuntimeGoroutines]);
    }
    plan
}

/// A job every night, announced or not, that gives everything back.
pub(super) fn nightly_batch(draw: Draw) -> Plan {
    let mut plan = start(draw, Sketch::of((40.0, 200.0), &Runtime::ALL));
    let hour = plan.draw.between(0.0, 6.0);
    batch(&mut plan, 24.0, hour, (1.0, 5.0));
    plan
}

/// The same every hour or two.
pub(super) fn hourly_cron(draw: Draw) -> Plan {
    let mut plan = start(draw, Sketch::of((5.0, 60.0), &Runtime::ALL));
    let every = plan.draw.pick(&[0.5, 1.0, 1.0, 2.0]);
    let hour = plan.draw.between(0.0, every);
    batch(&mut plan, every, hour, (0.2 * every, 0.6 * every));
    plan
}

fn batch(plan: &mut Plan, every: f64, hour: f64, lasts: (f64, f64)) {
    let salt = plan.draw.whole(0..=99_999).into();
    let lasts = plan.draw.between(lasts.0, lasts.1);
    let climb = plan.draw.between(0.2, 1.0);
    plan.takes(Curve::Batch { every, hour, lasts, climb, salt }, Place::Native, (0.3, 0.75));
    if plan.draw.chance(0.4) {
        let first = (hour - plan.load.calendar(0.0)).rem_euclid(every);
        let runs = ((plan.hours - first) / every).ceil().max(0.0) as u32;
        for run in 0..runs {
            let at = first + f64::from(run) * every;
            plan.tell(at, ChangeKind::Batch, Some(("job", "export")));
        }
    }
}

/// More comes in than goes out for hours, and then the queue empties.
pub(super) fn backlog_drains(draw: Draw) -> Plan {
    let mut plan = start(draw, Sketch::of((8.0, 72.0), &Runtime::DIRECT));
    plan.exports.require(&[M::QueueDepth]);
    let hours = plan.hours;
    let starts = hours * plan.draw.between(0.15, 0.35);
    let grows = hours * plan.draw.between(0.15, 0.35);
    let drains = hours * plan.draw.between(0.08, 0.25);
    let depth = plan.draw.scaled(5e3, 5e5);
    let item = plan.headroom(Place::Heap) * plan.draw.between(0.3, 0.65) / depth;
    let queue = Part::new(Curve::Backlog { starts, grows, drains }, depth, Place::Queue);
    plan.bounds.queue = depth * 4.0;
    plan.add(queue.also(Place::Heap, item));
    plan
}

/// Threads are started when they are needed, up to the bound of the pool, and kept.
pub(super) fn thread_pool_fills(draw: Draw) -> Plan {
    let runtimes = [Runtime::Jvm, Runtime::Dotnet, Runtime::Python];
    let mut plan = start(draw, Sketch::of((4.0, 72.0), &runtimes));
    plan.any_load();
    plan.uptime = 0.0;
    let bound = plan.draw.pick(&[100.0, 200.0, 400.0]);
    let curve = if plan.draw.chance(0.5) {
        Curve::Learn { hours: plan.hours * plan.draw.between(0.05, 0.2) }
    } else {
        Curve::Fill { hours: plan.hours * plan.draw.between(0.2, 0.6) }
    };
    plan.add(Part::new(curve, bound, Place::Threads));
    plan.exports.require(&[M::ProcessThreads]);
    plan
}

/// Connections are opened one by one, up to nearly the bound of the pool.
pub(super) fn connection_pool_warms(draw: Draw) -> Plan {
    let mut plan = start(draw, Sketch::of((3.0, 60.0), &Runtime::ALL));
    plan.any_load();
    plan.uptime = 0.0;
    let size = plan.bounds.connections * plan.draw.between(0.3, 0.55);
    let hours = plan.hours / plan.draw.between(15.0, 40.0);
    plan.add(Part::new(Curve::Records { hours }, size, Place::Connections).also(Place::Fds, 1.0));
    plan.exports.require(&[M::PoolConnectionsUsed]);
    plan
}

/// A store that gathers segments and merges them every few hours.
pub(super) fn compaction(draw: Draw) -> Plan {
    let runtimes = [Runtime::Native, Runtime::Go];
    let mut plan = start(draw, Sketch::of((14.0, 96.0), &runtimes));
    plan.any_load();
    let hours = plan.draw.between(2.0, 6.0);
    plan.takes(Curve::Saw { hours }, Place::Native, (0.3, 0.8));
    // Segments are mapped and unmapped as a whole: nothing of them stays.
    (plan.body.keeps, plan.body.returns) = (0.0, 0.02);
    plan
}

/// Files are read for the first time and stay in the page cache, as long as there is room.
pub(super) fn page_cache(draw: Draw) -> Plan {
    let sketch = Sketch::of((3.0, 96.0), &Runtime::DIRECT).limited(1.5, 3.0);
    let mut plan = start(draw, sketch);
    plan.uptime = plan.draw.between(0.0, 0.5);
    let hours = plan.hours * plan.draw.scaled(0.1, 1.2);
    let size = plan.limit().unwrap_or(1024.0) * plan.draw.between(0.3, 0.9);
    let active = plan.draw.between(0.2, 1.5);
    let files = Part::new(Curve::Learn { hours }, size / (1.0 + active), Place::FileInactive);
    plan.cause = Some(Cause::PageCache);
    plan.add(files.also(Place::FileActive, active));
    plan.exports.require(&[M::ContainerMemoryAnon, M::ContainerMemoryWorkingSet]);
    if plan.draw.chance(0.5) {
        plan.exports.require(&[M::ContainerMemoryUsage]);
    }
    plan
}

/// A log grows in the page cache, and is cut off once or twice a day.
pub(super) fn log_files(draw: Draw) -> Plan {
    let sketch = Sketch::of((30.0, 120.0), &Runtime::ALL).limited(1.5, 2.4);
    let mut plan = start(draw, sketch);
    let hours = plan.draw.between(10.0, 26.0);
    let size = plan.headroom(Place::Native) * plan.draw.between(0.3, 0.8);
    let log = Part::new(Curve::Saw { hours }, size * 0.6, Place::FileActive);
    plan.add(log.also(Place::FileInactive, 0.6));
    plan.exports.require(&[M::ContainerMemoryWorkingSet]);
    if plan.draw.chance(0.7) {
        plan.exports.require(&[M::ContainerMemoryAnon, M::ContainerMemoryFile]);
    }
    plan
}
