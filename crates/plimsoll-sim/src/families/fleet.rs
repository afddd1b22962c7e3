//! Leaks that only several replicas, versions or runs show: rollouts, decoys, the one bad replica,
//! restarts that hide a growth.
//!
//! Not here: leaks of a single run (`leaking`).

use plimsoll_model::{Cause, ChangeKind, Metric};

use super::Case;
use super::leaking::{Collected, LIMIT, ONE, footprint, jvm, truth};
use super::stage::{MIB, Stage, Who};

/// Three replicas roll one after the other; each warms up for a fiftieth of the length.
fn rollout(stage: &mut Stage, deploys: &[(f64, &'static str, f64)], amplitude: f64) {
    for replica in 0..3 {
        let mut collected = Collected::new();
        let mut born = -0.2;
        let mut version = "1.0.0";
        for step in 0..stage.steps() {
            let share = stage.share(step);
            let lag = f64::from(replica) * 0.004;
            let running = deploys.iter().rfind(|(at, _, _)| share >= at + lag);
            let (at, name, rise) = running.copied().unwrap_or((-0.2, "1.0.0", 0.0));
            if name != version {
                (version, born) = (name, at + lag);
                collected = Collected::new();
            }
            let who = Who { instance: replica, version };
            stage.start_time(step, who, born);
            let warm = 60.0 * (1.0 - (-(share - born) / 0.02).exp());
            let kept = rise * (stage.served(share, amplitude) - stage.served(born, amplitude));
            let live = collected.observe(stage, step, 40.0 + warm + kept);
            let garbage = (step % 13) as f64 * 9.0;
            jvm(stage, step, who, live, garbage);
            let rate = 15.0 * stage.load(share, amplitude) + stage.normal() * 0.5;
            stage.put(step, who, Metric::ServiceRequestsRate, rate);
        }
    }
}

fn in_order(mut case: Case) -> Case {
    case.readings.sort_by_key(|reading| (reading.at, reading.instance.clone()));
    case.assessed_at = case.readings.last().map_or(case.assessed_at, |reading| reading.at);
    case
}

pub(super) fn deploy(mut stage: Stage) -> Case {
    let at = stage.between(0.35, 0.6);
    let rise = stage.between(350.0, 700.0);
    let change = stage.change(at, ChangeKind::Deploy, "1.1.0");
    rollout(&mut stage, &[(at, "1.1.0", rise)], 0.4);
    let per_hour = rise * MIB / stage.hours();
    in_order(stage.case(truth(Cause::Heap, per_hour, Some(change), &[0, 1, 2])))
}

pub(super) fn decoy(mut stage: Stage) -> Case {
    let rise = stage.between(350.0, 700.0);
    let change = stage.change(0.3, ChangeKind::Deploy, "1.1.0");
    stage.change(0.65, ChangeKind::Deploy, "1.1.1");
    rollout(&mut stage, &[(0.3, "1.1.0", rise), (0.65, "1.1.1", rise)], 0.3);
    let per_hour = rise * MIB / stage.hours();
    in_order(stage.case(truth(Cause::Heap, per_hour, Some(change), &[0, 1, 2])))
}

pub(super) fn bad_replica(mut stage: Stage) -> Case {
    let rise = stage.between(200.0, 450.0);
    let bad = stage.rng.u32(0..3);
    for step in 0..stage.steps() {
        let share = stage.share(step);
        for replica in 0..3 {
            let who = Who { instance: replica, version: "1.0.0" };
            let kept = if replica == bad { rise * share } else { 0.0 };
            let anon = 300.0 + kept + stage.normal() * 3.0;
            stage.put_mib(step, who, Metric::ContainerMemoryAnon, anon);
            stage.put_mib(step, who, Metric::ContainerMemoryLimit, LIMIT);
            let rate = 20.0 * stage.load(share, 0.3);
            stage.put(step, who, Metric::ServiceRequestsRate, rate);
        }
    }
    let per_hour = rise * MIB / stage.hours();
    stage.case(truth(Cause::Native, per_hour, None, &[bad]))
}

/// Restarted every fifth of the length; every life climbs at the same pace.
pub(super) fn restarts(mut stage: Stage) -> Case {
    let rise = stage.between(900.0, 1800.0);
    let period = stage.between(0.17, 0.22);
    for life in 1..6 {
        if f64::from(life) * period < 1.0 {
            stage.restart(f64::from(life) * period, 0);
        }
    }
    for step in 0..stage.steps() {
        let share = stage.share(step);
        let uptime = share % period;
        let who = ONE;
        stage.start_time(step, who, share - uptime);
        let warm = 40.0 * (1.0 - (-uptime / 0.01).exp());
        footprint(&mut stage, step, who, 120.0 + warm + rise * uptime);
        let rate = 20.0 * stage.load(share, 0.2);
        stage.put(step, who, Metric::ServiceRequestsRate, rate);
    }
    let per_hour = rise * MIB / stage.hours();
    stage.case(truth(Cause::Native, per_hour, None, &[0]))
}
