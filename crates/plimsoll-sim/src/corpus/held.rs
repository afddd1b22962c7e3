//! Leaks of what is held and not of bytes in the first place: handles, threads, connections,
//! classes.

use plimsoll_model::{Cause, Metric as M};

use super::body::Runtime;
use super::curve::{Curve, Law};
use super::draw::Draw;
use super::part::{Gate, Part, Place};
use super::plan::{Plan, Sketch};

fn start(draw: Draw, hours: (f64, f64), runtimes: &[Runtime], cause: Cause) -> Plan {
    let mut plan = Plan::new(draw, Sketch::of(hours, runtimes));
    plan.ordinary();
    plan.decoys();
    plan.cause = Some(cause);
    plan
}

/// Files that are opened with a request and closed by nobody.
pub(super) fn fds(draw: Draw) -> Plan {
    let mut plan = start(draw, (3.0, 96.0), &Runtime::ALL, Cause::Handles);
    plan.any_load();
    plan.exports.require(&[M::ProcessFds]);
    let amount = handles(&mut plan);
    plan.leak_amount(Law::PerRequest, Place::Fds, amount, Gate::ALWAYS);
    plan
}

/// Sockets that the other side has closed, left by every failure of some dependency.
pub(super) fn sockets(draw: Draw) -> Plan {
    let mut plan = start(draw, (4.0, 96.0), &Runtime::ALL, Cause::Handles);
    plan.exports.require(&[M::ProcessSockets, M::ProcessFds]);
    let amount = handles(&mut plan);
    let per_hour = plan.draw.between(20.0, 90.0) / plan.hours;
    let law = Law::Bursts { per_hour };
    let part = plan.leaking(law, Place::Sockets, amount, Gate::ALWAYS).also(Place::Fds, 1.0);
    plan.add(part);
    plan
}

/// As many as leave the process running until the end.
fn handles(plan: &mut Plan) -> f64 {
    plan.draw.scaled(200.0, ((plan.bounds.fds - 420.0) * 0.85).min(9000.0))
}

/// A thread for each task of some kind, waiting for ever.
pub(super) fn threads(draw: Draw) -> Plan {
    let runtimes = [Runtime::Jvm, Runtime::Dotnet, Runtime::Native, Runtime::Python];
    let mut plan = start(draw, (3.0, 96.0), &runtimes, Cause::Threads);
    plan.any_load();
    plan.exports.require(&[M::ProcessThreads]);
    let amount = plan.draw.scaled(130.0, 1200.0).min(plan.headroom(Place::Native) * 7.0).max(110.0);
    plan.leak_amount(Law::Even, Place::Threads, amount, Gate::ALWAYS);
    plan
}

/// Goroutines that block for ever, with what they hold.
pub(super) fn goroutines(draw: Draw) -> Plan {
    let mut plan = start(draw, (2.0, 96.0), &[Runtime::Go], Cause::Threads);
    plan.any_load();
    plan.exports.require(&[M::RuntimeGoroutines]);
    let held = plan.draw.scaled(0.001, 0.02);
    let most = plan.headroom(Place::Heap) / (held + 0.006) * 0.7;
    let amount = plan.draw.scaled(0.2, 1.0) * most.min(60_000.0);
    let part = plan.leaking(Law::PerRequest, Place::Goroutines, amount.max(600.0), Gate::ALWAYS);
    plan.add(part.also(Place::Heap, held));
    plan
}

/// Connections that are taken from a pool and, after an error, not put back.
pub(super) fn pool_connections(draw: Draw) -> Plan {
    let mut plan = start(draw, (3.0, 72.0), &Runtime::ALL, Cause::Handles);
    plan.bounds.connections = plan.draw.pick(&[100.0, 200.0, 400.0]);
    plan.exports.require(&[M::PoolConnectionsUsed]);
    plan.uptime = plan.uptime.min(0.1 * plan.hours);
    let amount = plan.bounds.connections * plan.draw.between(0.55, 0.7);
    let law = Law::Bursts { per_hour: plan.draw.between(40.0, 120.0) / plan.hours };
    plan.leak_amount(law, Place::Connections, amount, Gate::ALWAYS);
    plan
}

/// A class loader for each script or plug-in that is loaded anew.
pub(super) fn class_loaders(draw: Draw) -> Plan {
    let mut plan = start(draw, (4.0, 96.0), &[Runtime::Jvm], Cause::Native);
    plan.exports.require(&[M::RuntimeClasses, M::RuntimeNonheapUsed]);
    let amount = plan.headroom(Place::Nonheap) * plan.draw.between(0.4, 0.8);
    let per_hour = plan.draw.between(20.0, 200.0) / plan.hours;
    let law = Law::Bursts { per_hour };
    let part = plan.leaking(law, Place::Nonheap, amount, Gate::ALWAYS);
    let classes = plan.draw.between(90.0, 160.0);
    plan.add(part.also(Place::Classes, classes));
    let scripts = Curve::Follow { lag: 0.05 };
    plan.add(Part::new(scripts, plan.body.nonheap * 0.05, Place::Nonheap));
    plan
}
