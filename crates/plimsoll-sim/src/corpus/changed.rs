//! Leaks that a change began, with innocent changes around it, and leaks that a change ended.

use plimsoll_model::ChangeKind;

use super::body::Runtime;
use super::curve::{Curve, Law};
use super::draw::Draw;
use super::part::{Gate, Part, Place};
use super::plan::{Plan, Sketch};

fn start(draw: Draw, hours: (f64, f64), replicas: &[u32]) -> Plan {
    let mut plan = Plan::new(draw, Sketch::of(hours, &Runtime::ALL).replicas(replicas));
    plan.ordinary();
    plan.any_load();
    plan.uptime = plan.uptime.max(2.0);
    plan
}

/// On the heap or off it, as it comes.
fn place(plan: &mut Plan) -> Place {
    if plan.body.runtime.fills_its_heap() || plan.draw.chance(0.6) {
        Place::Heap
    } else {
        Place::Native
    }
}

fn leaks(plan: &mut Plan, share: (f64, f64), gate: Gate) {
    let law = plan.draw.pick(&[Law::Even, Law::PerRequest]);
    let place = place(plan);
    plan.leak(law, place, share, gate);
}

/// An innocent deploy, later the guilty one.
pub(super) fn deploy_after_innocent(draw: Draw) -> Plan {
    let mut plan = start(draw, (5.0, 90.0), &[1, 2, 3]);
    let innocent = plan.hours * plan.draw.between(0.08, 0.2);
    plan.rollout(innocent, None);
    let at = plan.hours * plan.draw.between(0.3, 0.5);
    let version = plan.rollout(at, None);
    plan.blame_newest();
    leaks(&mut plan, (0.35, 0.85), Gate::versions(version..usize::MAX));
    plan.decoys();
    plan
}

/// The guilty deploy, and an innocent one after it that everybody will look at first.
pub(super) fn innocent_deploy_after(draw: Draw) -> Plan {
    let mut plan = start(draw, (8.0, 96.0), &[1, 2, 3]);
    let at = plan.hours * plan.draw.between(0.12, 0.3);
    let version = plan.rollout(at, None);
    plan.blame_newest();
    leaks(&mut plan, (0.6, 1.2), Gate::versions(version..usize::MAX));
    let later = plan.hours * plan.draw.between(0.5, 0.72);
    plan.rollout(later, None);
    plan.decoys();
    plan
}

/// A flag is turned on; no process begins anew.
pub(super) fn flag(draw: Draw) -> Plan {
    let mut plan = start(draw, (4.0, 72.0), &[1, 1, 2, 3]);
    let at = plan.hours * plan.draw.between(0.2, 0.5);
    plan.tell(at, ChangeKind::FlagChange, Some(("key", "recommendations-v2")));
    plan.blame_newest();
    leaks(&mut plan, (0.35, 0.85), Gate::since(at));
    plan.decoys();
    plan
}

/// A setting that costs some memory at once, and more and more after that.
pub(super) fn config_step_then_leak(draw: Draw) -> Plan {
    let mut plan = start(draw, (4.0, 72.0), &[1, 1, 2]);
    let at = plan.hours * plan.draw.between(0.2, 0.5);
    plan.tell(at, ChangeKind::ConfigChange, Some(("key", "audit.buffer")));
    plan.blame_newest();
    let step = plan.headroom(Place::Native) * plan.draw.between(0.08, 0.2);
    plan.add(Part::new(Curve::Rise { at, over: 0.05 }, step, Place::Native));
    leaks(&mut plan, (0.35, 0.7), Gate::since(at));
    plan.decoys();
    plan
}

/// One replica runs the new version, the others are as before.
pub(super) fn canary(draw: Draw) -> Plan {
    let mut plan = start(draw, (4.0, 60.0), &[3, 3, 4]);
    let at = plan.hours * plan.draw.between(0.2, 0.4);
    let replica = Some(plan.replicas - 1);
    let version = plan.rollout(at, replica);
    plan.blame_newest();
    leaks(&mut plan, (0.35, 0.85), Gate::versions(version..usize::MAX));
    plan
}

/// It leaks, and the next version does not.
pub(super) fn cured_by_a_version(draw: Draw) -> Plan {
    let mut plan = start(draw, (8.0, 96.0), &[1, 1, 2]);
    let cure = plan.hours * plan.draw.between(0.5, 0.7);
    plan.rollout(cure, None);
    leaks(&mut plan, (0.4, 0.8), Gate::versions(0..1));
    plan.decoys();
    plan
}

/// A version that leaks is rolled back.
pub(super) fn rolled_back(draw: Draw) -> Plan {
    let mut plan = start(draw, (8.0, 72.0), &[1, 2, 3]);
    let at = plan.hours * plan.draw.between(0.15, 0.25);
    let version = plan.rollout(at, None);
    plan.blame_newest();
    let back = plan.hours * plan.draw.between(0.5, 0.65);
    plan.run(back, None, 0);
    leaks(&mut plan, (0.4, 0.8), Gate::versions(version..version + 1));
    plan.decoys();
    plan
}
