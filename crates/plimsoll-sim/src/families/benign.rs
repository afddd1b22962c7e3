//! Services that do not leak and look as if they did.
//!
//! Not here: what is really kept for ever (`leaking`).

use plimsoll_model::{Cause, ChangeKind, Metric, Verdict};

use super::stage::{Stage, Who};
use super::{Case, Scale};

const LIMIT: f64 = 1024.0;

/// One case of every benign family.
pub fn benign(seed: u64, scale: Scale) -> Vec<Case> {
    let stage = |family| Stage::new(family, seed, scale);
    vec![
        flat(stage("flat")),
        warm_up(stage("warm_up")),
        cache_fill(stage("cache_fill")),
        cache_metered(stage("cache_fill_metered")),
        day_curve(stage("day_curve")),
        day_curve_unmeasured(stage("day_curve_without_load")),
        batch(stage("nightly_batch")),
        page_cache(stage("page_cache")),
        lazy_gc(stage("lazy_gc")),
        heap_expansion(stage("heap_expansion")),
        step_after_deploy(stage("step_after_deploy")),
        step_in_life(stage("step_in_life")),
        two_steps(stage("two_steps")),
        cured(stage("cured_by_a_later_version")),
        limit_raised(stage("limit_raised")),
        remembering(stage("noise_with_memory_95"), 0.95),
        remembering(stage("noise_with_memory_99"), 0.99),
        retention(stage("allocator_retention")),
        organic(stage("organic_growth")),
        tiny(stage("tiny_process")),
        redeploys(stage("warm_up_after_every_deploy")),
        backlog(stage("backlog")),
        connections_follow_load(stage("connections_follow_load")),
        bad_replica_removed(stage("bad_replica_removed")),
        too_little(stage("too_little_data")),
    ]
}

const ONE: Who = Who { instance: 0, version: "1.0.0" };

fn footprint(stage: &mut Stage, step: usize, who: Who, mib: f64) {
    let noise = stage.normal() * 2.0;
    stage.put_mib(step, who, Metric::ProcessMemoryRss, mib + noise);
    stage.put_mib(step, who, Metric::ContainerMemoryLimit, LIMIT);
}

fn flat(mut stage: Stage) -> Case {
    let spread = stage.between(0.5, 8.0);
    for step in 0..stage.steps() {
        let noise = stage.normal() * spread;
        footprint(&mut stage, step, ONE, 500.0 + noise);
    }
    stage.benign(Cause::None)
}

fn warm_up(mut stage: Stage) -> Case {
    let pace = stage.between(0.03, 0.15);
    let rise = stage.between(150.0, 500.0);
    for step in 0..stage.steps() {
        let share = stage.share(step);
        stage.start_time(step, ONE, 0.0);
        let mib = 100.0 + rise * (1.0 - (-share / pace).exp());
        footprint(&mut stage, step, ONE, mib);
        let rate = 20.0 * stage.load(share, 0.3);
        stage.put(step, ONE, Metric::ServiceRequestsRate, rate);
    }
    stage.benign(Cause::WarmUp)
}

/// A bounded cache behind an otherwise quiet service: random keys, so each miss is rarer.
fn cache_fill(mut stage: Stage) -> Case {
    let pace = stage.between(0.08, 0.2);
    let rise = stage.between(150.0, 400.0);
    for step in 0..stage.steps() {
        let share = stage.share(step);
        let filled = 1.0 - (-stage.served(share, 0.4) / pace).exp();
        footprint(&mut stage, step, ONE, 180.0 + rise * filled);
        let rate = 20.0 * stage.load(share, 0.4);
        stage.put(step, ONE, Metric::ServiceRequestsRate, rate);
    }
    stage.benign(Cause::WarmUp)
}

/// A cache that fills at an even pace until it is full, and then evicts.
fn cache_metered(mut stage: Stage) -> Case {
    let full_at = stage.between(0.4, 0.8);
    for step in 0..stage.steps() {
        let share = stage.share(step);
        let filled = (share / full_at).min(1.0);
        footprint(&mut stage, step, ONE, 180.0 + 300.0 * filled);
        stage.put(step, ONE, Metric::CacheEntries, (50_000.0 * filled).floor());
        let evicted = ((share - full_at).max(0.0) * 90_000.0).floor();
        stage.put(step, ONE, Metric::CacheEvictions, evicted);
    }
    stage.benign(Cause::Cache)
}

fn day_curve(mut stage: Stage) -> Case {
    let swing = stage.between(110.0, 250.0);
    for step in 0..stage.steps() {
        let share = stage.share(step);
        let load = stage.load(share, 0.5);
        footprint(&mut stage, step, ONE, 150.0 + swing * load);
        let rate = 50.0 * load + stage.normal();
        stage.put(step, ONE, Metric::ServiceRequestsRate, rate);
    }
    stage.benign(Cause::Load)
}

fn day_curve_unmeasured(mut stage: Stage) -> Case {
    let swing = stage.between(110.0, 250.0);
    for step in 0..stage.steps() {
        let load = stage.load(stage.share(step), 0.5);
        footprint(&mut stage, step, ONE, 150.0 + swing * load);
    }
    stage.benign(Cause::Load)
}

/// Climbs for a while, once a cycle, and gives everything back; assessed in the middle of a climb.
fn batch(mut stage: Stage) -> Case {
    let cycles = stage.cycles() + 0.2;
    let busy = stage.between(0.3, 0.5);
    for step in 0..stage.steps() {
        let phase = (stage.share(step) * cycles).fract();
        let climbed = if phase < busy { phase / busy } else { 0.0 };
        footprint(&mut stage, step, ONE, 200.0 + 350.0 * climbed);
    }
    stage.benign(Cause::Batch)
}

fn page_cache(mut stage: Stage) -> Case {
    let rise = stage.between(200.0, 600.0);
    for step in 0..stage.steps() {
        let file = 50.0 + rise * stage.share(step);
        let anon = 220.0 + stage.normal() * 1.5;
        stage.put_mib(step, ONE, Metric::ContainerMemoryAnon, anon);
        stage.put_mib(step, ONE, Metric::ContainerMemoryFile, file);
        stage.put_mib(step, ONE, Metric::ContainerMemoryWorkingSet, anon + file * 0.7);
        stage.put_mib(step, ONE, Metric::ContainerMemoryUsage, anon + file);
        stage.put_mib(step, ONE, Metric::ContainerMemoryLimit, LIMIT);
    }
    stage.benign(Cause::PageCache)
}

fn lazy_gc(mut stage: Stage) -> Case {
    let period = stage.steps() / stage.rng.usize(3..6);
    for step in 0..stage.steps() {
        let live = 140.0 + stage.normal();
        let garbage = (step % period) as f64 / period as f64 * 450.0;
        stage.put_mib(step, ONE, Metric::RuntimeHeapLive, live);
        stage.put_mib(step, ONE, Metric::RuntimeHeapUsed, live + garbage);
        stage.put_mib(step, ONE, Metric::RuntimeHeapLimit, 768.0);
        footprint(&mut stage, step, ONE, live + garbage + 120.0);
    }
    stage.benign(Cause::None)
}

/// The heap is touched bit by bit up to its bound while the live set stays where it is.
fn heap_expansion(mut stage: Stage) -> Case {
    let reach = stage.between(0.7, 1.2);
    for step in 0..stage.steps() {
        let share = stage.share(step);
        let committed = 128.0 + 500.0 * (share / reach).min(1.0);
        let live = 100.0 + stage.normal();
        stage.put_mib(step, ONE, Metric::RuntimeHeapLive, live);
        stage.put_mib(step, ONE, Metric::RuntimeHeapCommitted, committed);
        stage.put_mib(step, ONE, Metric::RuntimeHeapLimit, 768.0);
        footprint(&mut stage, step, ONE, committed + 150.0);
    }
    stage.benign(Cause::None)
}

fn step_after_deploy(mut stage: Stage) -> Case {
    let at = stage.between(0.3, 0.7);
    stage.change(at, ChangeKind::Deploy, "1.1.0");
    for step in 0..stage.steps() {
        let share = stage.share(step);
        let (version, need) = if share < at { ("1.0.0", 250.0) } else { ("1.1.0", 520.0) };
        let who = Who { instance: 0, version };
        footprint(&mut stage, step, who, need);
        let rate = 20.0 * stage.load(share, 0.3);
        stage.put(step, who, Metric::ServiceRequestsRate, rate);
    }
    stage.benign(Cause::Capacity)
}

fn step_in_life(mut stage: Stage) -> Case {
    let at = stage.between(0.3, 0.7);
    stage.change(at, ChangeKind::ConfigChange, "");
    for step in 0..stage.steps() {
        let need = if stage.share(step) < at { 250.0 } else { 400.0 };
        footprint(&mut stage, step, ONE, need);
    }
    stage.benign(Cause::Capacity)
}

fn two_steps(mut stage: Stage) -> Case {
    let (first, second) = (stage.between(0.15, 0.35), stage.between(0.5, 0.7));
    for step in 0..stage.steps() {
        let share = stage.share(step);
        let steps = f64::from(u8::from(share > first)) + f64::from(u8::from(share > second));
        footprint(&mut stage, step, ONE, 300.0 + 150.0 * steps);
    }
    stage.benign(Cause::Capacity)
}

fn cured(mut stage: Stage) -> Case {
    let at = stage.between(0.5, 0.7);
    stage.change(at, ChangeKind::Deploy, "1.0.1");
    for step in 0..stage.steps() {
        let share = stage.share(step);
        let (who, mib) = if share < at {
            (ONE, 200.0 + 900.0 * share)
        } else {
            (Who { instance: 0, version: "1.0.1" }, 210.0)
        };
        footprint(&mut stage, step, who, mib);
    }
    stage.benign(Cause::None)
}

fn limit_raised(mut stage: Stage) -> Case {
    for step in 0..stage.steps() {
        let limit = if stage.share(step) < 0.5 { 512.0 } else { 1024.0 };
        let anon = 400.0 + stage.normal() * 4.0;
        stage.put_mib(step, ONE, Metric::ContainerMemoryAnon, anon);
        stage.put_mib(step, ONE, Metric::ContainerMemoryLimit, limit);
    }
    stage.benign(Cause::None)
}

fn remembering(mut stage: Stage, memory: f64) -> Case {
    let spread = stage.between(10.0, 35.0);
    for step in 0..stage.steps() {
        let noise = stage.remembering(memory) * spread;
        footprint(&mut stage, step, ONE, 500.0 + noise);
    }
    stage.benign(Cause::None)
}

/// An allocator that keeps what it once needed: ever slower, without a hard stop.
fn retention(mut stage: Stage) -> Case {
    let pace = stage.between(0.005, 0.03);
    let rise = stage.between(30.0, 70.0);
    for step in 0..stage.steps() {
        let share = stage.share(step);
        footprint(&mut stage, step, ONE, 250.0 + rise * (1.0 + share / pace).ln());
    }
    stage.benign(Cause::WarmUp)
}

fn organic(mut stage: Stage) -> Case {
    let growth = stage.between(0.6, 1.5);
    for step in 0..stage.steps() {
        let share = stage.share(step);
        let load = (1.0 + growth * share) * stage.load(share, 0.2);
        footprint(&mut stage, step, ONE, 120.0 + 160.0 * load);
        let rate = 50.0 * load + stage.normal();
        stage.put(step, ONE, Metric::ServiceRequestsRate, rate);
    }
    stage.benign(Cause::Load)
}

fn tiny(mut stage: Stage) -> Case {
    let period = stage.rng.usize(20..60);
    for step in 0..stage.steps() {
        let tooth = (step % period) as f64 / period as f64;
        let mib = 12.0 + 8.0 * tooth + stage.normal() * 0.3;
        stage.put_mib(step, ONE, Metric::ContainerMemoryWorkingSet, mib);
        stage.put_mib(step, ONE, Metric::ContainerMemoryLimit, 128.0);
    }
    stage.benign(Cause::None)
}

/// Warms up after the start and again after a deploy that changes nothing.
fn redeploys(mut stage: Stage) -> Case {
    let at = stage.between(0.5, 0.85);
    stage.change(at, ChangeKind::Deploy, "1.0.1");
    for step in 0..stage.steps() {
        let share = stage.share(step);
        let (version, born) = if share < at { ("1.0.0", 0.0) } else { ("1.0.1", at) };
        let who = Who { instance: 0, version };
        stage.start_time(step, who, born);
        let mib = 60.0 + 120.0 * (1.0 - (-(share - born) / 0.04).exp());
        footprint(&mut stage, step, who, mib);
        let rate = 20.0 * stage.load(share, 0.3);
        stage.put(step, who, Metric::ServiceRequestsRate, rate);
    }
    stage.benign(Cause::WarmUp)
}

/// A consumer that cannot keep up: what it holds is its queue.
fn backlog(mut stage: Stage) -> Case {
    let begin = stage.between(0.2, 0.5);
    for step in 0..stage.steps() {
        let share = stage.share(step);
        let depth = 40.0 + 3000.0 * (share - begin).max(0.0) + stage.normal() * 5.0;
        stage.put(step, ONE, Metric::QueueDepth, depth.floor());
        footprint(&mut stage, step, ONE, 150.0 + depth * 0.1);
        stage.put(step, ONE, Metric::ServiceRequestsRate, 20.0);
    }
    stage.benign(Cause::Backlog)
}

fn connections_follow_load(mut stage: Stage) -> Case {
    for step in 0..stage.steps() {
        let share = stage.share(step);
        let load = stage.load(share, 0.6);
        let open = 30.0 + 120.0 * load + stage.normal() * 3.0;
        stage.put(step, ONE, Metric::ProcessFds, open.floor());
        stage.put(step, ONE, Metric::ProcessFdsLimit, 1024.0);
        stage.put(step, ONE, Metric::ServiceRequestsRate, 50.0 * load);
        footprint(&mut stage, step, ONE, 200.0);
    }
    stage.benign(Cause::Load)
}

/// One replica leaked until it was replaced by another name.
fn bad_replica_removed(mut stage: Stage) -> Case {
    for step in 0..stage.steps() {
        let share = stage.share(step);
        let sick = Who { instance: 0, version: "1.0.0" };
        let well = Who { instance: 1, version: "1.0.0" };
        if share < 0.6 {
            footprint(&mut stage, step, sick, 200.0 + 900.0 * share);
        } else {
            footprint(&mut stage, step, Who { instance: 2, ..sick }, 205.0);
        }
        footprint(&mut stage, step, well, 205.0);
    }
    stage.benign(Cause::None)
}

fn too_little(mut stage: Stage) -> Case {
    for step in 0..stage.rng.usize(8..20) {
        footprint(&mut stage, step, ONE, 200.0 + 6.0 * step as f64);
    }
    let mut case = stage.benign(Cause::None);
    case.truth.verdict = Verdict::Undecided;
    case
}
