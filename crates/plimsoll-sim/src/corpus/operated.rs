//! Services that do not leak, and on which people act: deploys, settings, limits, scaling,
//! restarts; or whose telemetry is what is broken.

use plimsoll_model::{ChangeKind, Metric as M};

use super::benign::start;
use super::body::{Runtime, rounded};
use super::curve::Curve;
use super::draw::Draw;
use super::part::{Gate, Part, Place};
use super::plan::{Plan, Sketch};

/// The new version simply needs more.
pub(super) fn deploy_needs_more(draw: Draw) -> Plan {
    let mut plan = start(draw, Sketch::of((3.0, 96.0), &Runtime::ALL));
    plan.any_load();
    plan.uptime = plan.uptime.max(1.0);
    let at = plan.hours * plan.draw.between(0.25, 0.75);
    let version = plan.rollout(at, None);
    for place in [Place::Heap, Place::Native] {
        let size = plan.headroom(place) * plan.draw.between(0.15, 0.35);
        let gate = Gate::versions(version..usize::MAX);
        // Some of it is there at once, and some only when it is first needed.
        let hours = plan.draw.scaled(0.02, plan.hours / 20.0);
        plan.add(Part::new(Curve::Steady, size * 0.6, place).gated(gate.clone()));
        let rest = Curve::Saturate { hours, delay: 0.0 };
        plan.add(Part::new(rest, size * 0.4, place).gated(gate));
    }
    plan
}

/// A setting that costs memory, within minutes or an hour, in the running process.
pub(super) fn setting_needs_more(draw: Draw) -> Plan {
    let mut plan = start(draw, Sketch::of((4.0, 72.0), &Runtime::ALL));
    plan.any_load();
    let at = plan.hours * plan.draw.between(0.25, 0.75);
    let kind = plan.draw.pick(&[ChangeKind::ConfigChange, ChangeKind::FlagChange]);
    plan.tell(at, kind, Some(("key", "cache.size")));
    let over = plan.draw.scaled(0.05, (plan.hours / 12.0).min(1.5));
    let place = plan.some_place();
    plan.takes(Curve::Rise { at, over }, place, (0.25, 0.6));
    plan
}

/// Between two settings, to and fro.
pub(super) fn two_plateaux(draw: Draw) -> Plan {
    let mut plan = start(draw, Sketch::of((16.0, 150.0), &Runtime::ALL));
    let hours = (plan.hours * plan.draw.between(0.08, 0.25)).max(2.0);
    plan.takes(Curve::Toggle { hours }, Place::Native, (0.25, 0.6));
    plan
}

/// The same need under a higher limit.
pub(super) fn limit_raised(draw: Draw) -> Plan {
    limit_changed(draw, (1.2, 1.5), (1.4, 2.5))
}

/// The same need under a lower limit, which still suffices.
pub(super) fn limit_lowered(draw: Draw) -> Plan {
    limit_changed(draw, (2.2, 3.5), (0.5, 0.7))
}

fn limit_changed(draw: Draw, slack: (f64, f64), factor: (f64, f64)) -> Plan {
    let sketch = Sketch::of((4.0, 120.0), &Runtime::ALL).limited(slack.0, slack.1);
    let mut plan = start(draw, sketch);
    plan.any_load();
    let at = plan.hours * plan.draw.between(0.25, 0.75);
    let changed = plan.limit().unwrap_or(1024.0) * plan.draw.between(factor.0, factor.1);
    plan.limits.push((at, rounded(changed)));
    if plan.draw.chance(0.5) {
        // A new limit of a pod is a new pod.
        plan.restart(at, None);
    }
    plan.exports.require(&[M::ContainerMemoryLimit, M::ContainerMemoryWorkingSet]);
    plan.tell(at, ChangeKind::ConfigChange, Some(("key", "resources.limits.memory")));
    plan
}

/// Replicas come in the morning and go at night; each of the rest takes its share.
pub(super) fn scale_out_and_in(draw: Draw) -> Plan {
    let mut plan = start(draw, Sketch::of((8.0, 72.0), &Runtime::ALL).replicas(&[1, 2]));
    plan.any_load();
    plan.exports.require(&[M::ProcessStartTime]);
    let (few, many) = (plan.replicas, plan.replicas + plan.draw.whole(1..=2));
    let mut at = plan.hours * plan.draw.between(0.08, 0.2);
    let mut out = true;
    while at < plan.hours * 0.95 {
        plan.scale(at, if out { many } else { few });
        out = !out;
        at += (plan.hours * plan.draw.between(0.12, 0.3)).max(1.5);
    }
    let hours = plan.draw.scaled(0.05, plan.hours / 24.0);
    let place = plan.some_place();
    plan.takes(Curve::Saturate { hours, delay: 0.0 }, place, (0.15, 0.35));
    plan
}

/// Restarted every night for reasons that nobody remembers; each life warms up anew.
pub(super) fn restarted_every_night(draw: Draw) -> Plan {
    let mut plan = start(draw, Sketch::of((60.0, 200.0), &Runtime::ALL).replicas(&[1, 2]));
    plan.any_load();
    let mut at = plan.draw.between(2.0, 24.0);
    while at < plan.hours {
        plan.restart(at, None);
        at += 24.0;
    }
    plan.uptime = 0.0;
    let hours = plan.draw.between(0.5, 4.0);
    let place = plan.some_place();
    plan.takes(Curve::Learn { hours }, place, (0.25, 0.6));
    plan
}

/// One deploy after the other, and a warm-up after each.
pub(super) fn deploy_train(draw: Draw) -> Plan {
    let mut plan = start(draw, Sketch::of((24.0, 120.0), &Runtime::ALL).replicas(&[1, 2]));
    plan.any_load();
    let every = plan.hours / plan.draw.between(3.0, 9.0);
    let mut at = every * plan.draw.between(0.3, 1.0);
    while at < plan.hours {
        plan.rollout(at, None);
        at += every * plan.draw.between(0.5, 1.5);
    }
    let hours = (every * plan.draw.between(0.06, 0.3)).max(0.1);
    let place = plan.some_place();
    plan.takes(Curve::Saturate { hours, delay: 0.0 }, place, (0.25, 0.6));
    plan
}

/// A steady service behind a collector that fails for hours and whose clock jumps.
pub(super) fn bad_collector(draw: Draw) -> Plan {
    let mut plan = start(draw, Sketch::of((8.0, 150.0), &Runtime::ALL));
    plan.daily((0.05, 0.4));
    plan.bad_collector = true;
    plan
}
