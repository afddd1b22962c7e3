//! Services that leak: something is kept that nobody will ask for again, and it goes on.
//!
//! Not here: what looks like it and is not (`benign`).

use plimsoll_model::{Cause, Change, ChangeKind, Metric, Verdict};

use super::fleet;
use super::stage::{MIB, Stage, Who, instance};
use super::{Case, Scale, Truth};

pub(super) const LIMIT: f64 = 1024.0;
const HEAP_LIMIT: f64 = 768.0;

/// One case of every leaking family.
pub fn leaking(seed: u64, scale: Scale) -> Vec<Case> {
    let stage = |family| Stage::new(family, seed, scale);
    vec![
        heap_constant(stage("heap_constant")),
        heap_per_request(stage("heap_per_request")),
        native(stage("native")),
        rss_only(stage("rss_only")),
        bare(stage("no_limit_no_load_no_start")),
        handles(stage("handles_after_config_change")),
        goroutines(stage("goroutines")),
        connections(stage("connections")),
        fleet::deploy(stage("deploy")),
        fleet::decoy(stage("deploy_with_decoy")),
        fleet::bad_replica(stage("one_bad_replica")),
        fleet::restarts(stage("masked_by_restarts")),
        accelerating(stage("accelerating")),
        bursts(stage("bursts")),
        day_curve(stage("under_a_day_curve")),
        day_curve_unmeasured(stage("under_a_day_curve_without_load")),
        sawtooth(stage("under_a_sawtooth")),
        slow(stage("slow")),
        half_missing(stage("half_missing")),
        after_warm_up(stage("after_warm_up")),
        noisy(stage("under_noise_with_memory")),
    ]
}

pub(super) fn truth(
    cause: Cause,
    per_hour: f64,
    change: Option<Change>,
    instances: &[u32],
) -> Truth {
    Truth {
        verdict: Verdict::Leaking,
        cause,
        instances: instances.iter().map(|number| instance(*number)).collect(),
        change,
        growth_per_hour: Some(per_hour),
    }
}

pub(super) const ONE: Who = Who { instance: 0, version: "1.0.0" };

/// What a JVM shows besides its live set: garbage on top of it, and a footprint that follows the
/// most heap ever used.
pub(super) fn jvm(stage: &mut Stage, step: usize, who: Who, live: f64, garbage: f64) {
    let noise = stage.normal();
    stage.put_mib(step, who, Metric::RuntimeHeapLive, live);
    stage.put_mib(step, who, Metric::RuntimeHeapUsed, live + garbage);
    stage.put_mib(step, who, Metric::RuntimeHeapLimit, HEAP_LIMIT);
    stage.put_mib(step, who, Metric::ProcessMemoryRss, live.max(200.0) + 180.0 + noise);
    stage.put_mib(step, who, Metric::ContainerMemoryLimit, LIMIT * 1.5);
}

/// A live set as a collector reports it: it changes when a collection ran.
pub(super) struct Collected {
    value: f64,
    next: usize,
}

impl Collected {
    pub(super) fn new() -> Self {
        Self { value: 0.0, next: 0 }
    }

    pub(super) fn observe(&mut self, stage: &mut Stage, step: usize, live: f64) -> f64 {
        if step >= self.next {
            self.value = live + stage.normal() * 0.4;
            self.next = step + stage.rng.usize(2..10);
        }
        self.value
    }
}

fn heap_constant(mut stage: Stage) -> Case {
    let rise = stage.between(150.0, 400.0);
    let mut collected = Collected::new();
    for step in 0..stage.steps() {
        let live = 120.0 + rise * stage.share(step);
        let live = collected.observe(&mut stage, step, live);
        let garbage = (step % 13) as f64 * 12.0;
        jvm(&mut stage, step, ONE, live, garbage);
    }
    let per_hour = rise * MIB / stage.hours();
    stage.case(truth(Cause::Heap, per_hour, None, &[0]))
}

fn heap_per_request(mut stage: Stage) -> Case {
    let rise = stage.between(100.0, 350.0);
    let amplitude = stage.between(0.2, 0.6);
    let mut collected = Collected::new();
    for step in 0..stage.steps() {
        let share = stage.share(step);
        let live = 100.0 + rise * stage.served(share, amplitude);
        let live = collected.observe(&mut stage, step, live);
        let garbage = (step % 17) as f64 * 10.0;
        jvm(&mut stage, step, ONE, live, garbage);
        let rate = 40.0 * stage.load(share, amplitude) + stage.normal();
        stage.put(step, ONE, Metric::ServiceRequestsRate, rate);
    }
    let per_hour = rise * MIB / stage.hours();
    stage.case(truth(Cause::Heap, per_hour, None, &[0]))
}

fn native(mut stage: Stage) -> Case {
    let rise = stage.between(120.0, 400.0);
    for step in 0..stage.steps() {
        let share = stage.share(step);
        let (live, noise) = (150.0 + stage.normal() * 0.5, stage.normal() * 3.0);
        let anon = 420.0 + rise * share + noise;
        stage.put_mib(step, ONE, Metric::RuntimeHeapLive, live);
        stage.put_mib(step, ONE, Metric::RuntimeHeapUsed, live + (step % 11) as f64 * 8.0);
        stage.put_mib(step, ONE, Metric::RuntimeHeapCommitted, 300.0);
        stage.put_mib(step, ONE, Metric::RuntimeHeapLimit, HEAP_LIMIT);
        stage.put_mib(step, ONE, Metric::ContainerMemoryAnon, anon);
        stage.put_mib(step, ONE, Metric::ProcessMemoryRss, anon + 25.0);
        stage.put_mib(step, ONE, Metric::ContainerMemoryLimit, LIMIT);
        let rate = 40.0 * stage.load(share, 0.3);
        stage.put(step, ONE, Metric::ServiceRequestsRate, rate);
    }
    let per_hour = rise * MIB / stage.hours();
    stage.case(truth(Cause::Native, per_hour, None, &[0]))
}

pub(super) fn footprint(stage: &mut Stage, step: usize, who: Who, mib: f64) {
    let noise = stage.normal() * 2.0;
    stage.put_mib(step, who, Metric::ProcessMemoryRss, mib + noise);
    stage.put_mib(step, who, Metric::ContainerMemoryLimit, LIMIT);
}

fn rss_only(mut stage: Stage) -> Case {
    let rise = stage.between(80.0, 400.0);
    for step in 0..stage.steps() {
        let share = stage.share(step);
        footprint(&mut stage, step, ONE, 200.0 + rise * share);
        let rate = 20.0 * stage.load(share, 0.4);
        stage.put(step, ONE, Metric::ServiceRequestsRate, rate);
    }
    let per_hour = rise * MIB / stage.hours();
    stage.case(truth(Cause::Native, per_hour, None, &[0]))
}

fn bare(mut stage: Stage) -> Case {
    let rise = stage.between(80.0, 400.0);
    for step in 0..stage.steps() {
        let mib = 150.0 + rise * stage.share(step) + stage.normal();
        stage.put_mib(step, ONE, Metric::ProcessMemoryRss, mib);
    }
    let per_hour = rise * MIB / stage.hours();
    stage.case(truth(Cause::Native, per_hour, None, &[0]))
}

fn handles(mut stage: Stage) -> Case {
    let begin = stage.between(0.3, 0.6);
    let change = stage.change(begin, ChangeKind::ConfigChange, "");
    let rise = stage.between(200.0, 600.0);
    for step in 0..stage.steps() {
        let share = stage.share(step);
        footprint(&mut stage, step, ONE, 60.0);
        let rate = 20.0 * stage.load(share, 0.4);
        stage.put(step, ONE, Metric::ServiceRequestsRate, rate);
        let open = 24.0 + stage.rng.f64() * 5.0;
        let held = rise * (stage.served(share, 0.4) - stage.served(begin, 0.4)).max(0.0);
        stage.put(step, ONE, Metric::ProcessFds, (open + held).floor());
        stage.put(step, ONE, Metric::ProcessFdsLimit, 1024.0);
    }
    let per_hour = rise / stage.hours();
    stage.case(truth(Cause::Handles, per_hour, Some(change), &[0]))
}

fn goroutines(mut stage: Stage) -> Case {
    let rise = stage.between(1500.0, 6000.0);
    for step in 0..stage.steps() {
        let share = stage.share(step);
        let busy = 30.0 * stage.load(share, 0.5) + stage.rng.f64() * 10.0;
        stage.put(step, ONE, Metric::RuntimeGoroutines, (80.0 + busy + rise * share).floor());
        stage.put(step, ONE, Metric::ServiceRequestsRate, 30.0 * stage.load(share, 0.5));
        let live = 60.0 + rise * share * 0.008 + stage.normal() * 0.5;
        stage.put_mib(step, ONE, Metric::RuntimeHeapLive, live);
        footprint(&mut stage, step, ONE, 120.0 + rise * share * 0.012);
    }
    let per_hour = rise / stage.hours();
    stage.case(truth(Cause::Threads, per_hour, None, &[0]))
}

fn connections(mut stage: Stage) -> Case {
    let rise = stage.between(60.0, 120.0);
    for step in 0..stage.steps() {
        let share = stage.share(step);
        let used = 6.0 + 5.0 * stage.rng.f64() * stage.load(share, 0.3) + rise * share;
        stage.put(step, ONE, Metric::PoolConnectionsUsed, used.floor());
        stage.put(step, ONE, Metric::PoolConnectionsMax, 200.0);
        stage.put(step, ONE, Metric::ServiceRequestsRate, 30.0 * stage.load(share, 0.3));
        footprint(&mut stage, step, ONE, 240.0);
    }
    let per_hour = rise / stage.hours();
    stage.case(truth(Cause::Handles, per_hour, None, &[0]))
}

fn accelerating(mut stage: Stage) -> Case {
    let rise = stage.between(200.0, 450.0);
    for step in 0..stage.steps() {
        let share = stage.share(step);
        footprint(&mut stage, step, ONE, 200.0 + rise * (0.3 * share + 0.7 * share * share));
    }
    let per_hour = rise * MIB / stage.hours();
    stage.case(truth(Cause::Native, per_hour, None, &[0]))
}

fn bursts(mut stage: Stage) -> Case {
    let rise = stage.between(200.0, 450.0);
    let count = stage.between(14.0, 25.0).floor();
    for step in 0..stage.steps() {
        let share = stage.share(step);
        footprint(&mut stage, step, ONE, 200.0 + rise * (share * count).floor() / count);
    }
    let per_hour = rise * MIB / stage.hours();
    stage.case(truth(Cause::Native, per_hour, None, &[0]))
}

fn day_curve(mut stage: Stage) -> Case {
    let rise = stage.between(150.0, 350.0);
    let swing = stage.between(40.0, 120.0);
    for step in 0..stage.steps() {
        let share = stage.share(step);
        let load = stage.load(share, 0.5);
        let anon = 200.0 + swing * load + rise * share + stage.normal() * 3.0;
        stage.put_mib(step, ONE, Metric::ContainerMemoryAnon, anon);
        stage.put_mib(step, ONE, Metric::ContainerMemoryLimit, LIMIT);
        let rate = 50.0 * load + stage.normal();
        stage.put(step, ONE, Metric::ServiceRequestsRate, rate);
    }
    let per_hour = rise * MIB / stage.hours();
    stage.case(truth(Cause::Native, per_hour, None, &[0]))
}

fn day_curve_unmeasured(mut stage: Stage) -> Case {
    let rise = stage.between(200.0, 450.0);
    for step in 0..stage.steps() {
        let share = stage.share(step);
        let mib = 200.0 + 40.0 * stage.load(share, 0.5) + rise * share;
        footprint(&mut stage, step, ONE, mib);
    }
    let per_hour = rise * MIB / stage.hours();
    stage.case(truth(Cause::Native, per_hour, None, &[0]))
}

fn sawtooth(mut stage: Stage) -> Case {
    let rise = stage.between(150.0, 300.0);
    let period = stage.rng.usize(15..40);
    for step in 0..stage.steps() {
        let live = 100.0 + rise * stage.share(step) + stage.normal();
        let garbage = (step % period) as f64 / period as f64 * 150.0;
        stage.put_mib(step, ONE, Metric::RuntimeHeapUsed, live + garbage);
        stage.put_mib(step, ONE, Metric::RuntimeHeapLimit, HEAP_LIMIT);
    }
    let per_hour = rise * MIB / stage.hours();
    stage.case(truth(Cause::Heap, per_hour, None, &[0]))
}

/// Takes nine lengths to fill its limit from the start.
fn slow(mut stage: Stage) -> Case {
    let rise = 700.0 / 9.0;
    for step in 0..stage.steps() {
        let share = stage.share(step);
        let anon = 324.0 + rise * share + stage.normal() * 2.0;
        stage.put_mib(step, ONE, Metric::ContainerMemoryAnon, anon);
        stage.put_mib(step, ONE, Metric::ContainerMemoryLimit, LIMIT);
        stage.put(step, ONE, Metric::ServiceRequestsRate, 25.0 * stage.load(share, 0.4));
    }
    let per_hour = rise * MIB / stage.hours();
    stage.case(truth(Cause::Native, per_hour, None, &[0]))
}

fn half_missing(mut stage: Stage) -> Case {
    stage.kept = 0.5;
    let rise = stage.between(150.0, 400.0);
    for step in 0..stage.steps() {
        let share = stage.share(step);
        footprint(&mut stage, step, ONE, 220.0 + rise * share);
    }
    let from = stage.between(0.2, 0.6);
    stage.gap(from, from + 0.12);
    let per_hour = rise * MIB / stage.hours();
    stage.case(truth(Cause::Native, per_hour, None, &[0]))
}

fn after_warm_up(mut stage: Stage) -> Case {
    let rise = stage.between(150.0, 400.0);
    for step in 0..stage.steps() {
        let share = stage.share(step);
        stage.start_time(step, ONE, 0.0);
        let warm = 150.0 * (1.0 - (-share / 0.04).exp());
        footprint(&mut stage, step, ONE, 100.0 + warm + rise * share);
    }
    let per_hour = rise * MIB / stage.hours();
    stage.case(truth(Cause::Native, per_hour, None, &[0]))
}

fn noisy(mut stage: Stage) -> Case {
    let rise = stage.between(250.0, 450.0);
    for step in 0..stage.steps() {
        let share = stage.share(step);
        let noise = stage.remembering(0.95) * 12.0;
        footprint(&mut stage, step, ONE, 220.0 + rise * share + noise);
    }
    let per_hour = rise * MIB / stage.hours();
    stage.case(truth(Cause::Native, per_hour, None, &[0]))
}
