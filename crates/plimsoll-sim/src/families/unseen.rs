//! Families on which nothing was tuned: kept apart so that a score on them means something.
//!
//! Whoever changes a threshold looks at `leaking` and `benign`, and finds out here. Not here:
//! anything that a rule was ever fitted to.

use plimsoll_model::{Cause, Change, ChangeKind, Metric, Verdict};

use super::stage::{MIB, Stage, Who, instance};
use super::{Case, Scale, Truth};

const LIMIT: f64 = 2048.0;
const ONE: Who = Who { instance: 0, version: "7" };

/// One case of every family that was held out, leaking ones first.
pub fn unseen(seed: u64, scale: Scale) -> Vec<Case> {
    let stage = |family| Stage::new(family, seed, scale);
    vec![
        working_set(stage("unseen_working_set")),
        sockets(stage("unseen_sockets")),
        flag(stage("unseen_flag_change")),
        step_then_leak(stage("unseen_step_then_leak")),
        quiet_nights(stage("unseen_leak_pauses_with_load")),
        counted_restarts(stage("unseen_restart_counter")),
        canary(stage("unseen_canary")),
        weekend(stage("unseen_busy_then_quiet")),
        cache_bytes(stage("unseen_cache_with_bytes")),
        scale_out(stage("unseen_scale_out")),
        noisy_flat(stage("unseen_spikes")),
        shrinking(stage("unseen_shrinking")),
        pool_warms(stage("unseen_pool_warms")),
        announced_batch(stage("unseen_announced_batch")),
    ]
}

fn leak(stage: Stage, cause: Cause, per_hour: f64, change: Option<Change>, who: u32) -> Case {
    stage.case(Truth {
        verdict: Verdict::Leaking,
        cause,
        instances: vec![instance(who)],
        change,
        growth_per_hour: Some(per_hour),
    })
}

fn anon(stage: &mut Stage, step: usize, who: Who, mib: f64) {
    let noise = stage.normal() * 4.0;
    stage.put_mib(step, who, Metric::ProcessMemoryAnon, mib + noise);
    stage.put_mib(step, who, Metric::ContainerMemoryLimit, LIMIT);
}

fn working_set(mut stage: Stage) -> Case {
    let rise = stage.between(300.0, 800.0);
    for step in 0..stage.steps() {
        let mib = 600.0 + rise * stage.share(step) + 20.0 * stage.rng.f64();
        stage.put_mib(step, ONE, Metric::ContainerMemoryWorkingSet, mib);
        stage.put_mib(step, ONE, Metric::ContainerMemoryLimit, LIMIT);
    }
    let per_hour = rise * MIB / stage.hours();
    leak(stage, Cause::Native, per_hour, None, 0)
}

fn sockets(mut stage: Stage) -> Case {
    let rise = stage.between(300.0, 900.0);
    for step in 0..stage.steps() {
        let share = stage.share(step);
        let open = 40.0 + 15.0 * stage.load(share, 0.5) + 6.0 * stage.rng.f64();
        stage.put(step, ONE, Metric::ProcessSockets, (open + rise * share).floor());
        stage.put(step, ONE, Metric::ServiceRequestsRate, 80.0 * stage.load(share, 0.5));
        anon(&mut stage, step, ONE, 400.0);
    }
    let per_hour = rise / stage.hours();
    leak(stage, Cause::Handles, per_hour, None, 0)
}

fn flag(mut stage: Stage) -> Case {
    let begin = stage.between(0.2, 0.5);
    let change = stage.change(begin, ChangeKind::FlagChange, "");
    let rise = stage.between(900.0, 1500.0);
    for step in 0..stage.steps() {
        let share = stage.share(step);
        anon(&mut stage, step, ONE, 300.0 + rise * (share - begin).max(0.0));
    }
    let per_hour = rise * MIB / stage.hours();
    leak(stage, Cause::Native, per_hour, Some(change), 0)
}

fn step_then_leak(mut stage: Stage) -> Case {
    let begin = stage.between(0.3, 0.5);
    let change = stage.change(begin, ChangeKind::ConfigChange, "");
    let rise = stage.between(900.0, 1500.0);
    for step in 0..stage.steps() {
        let share = stage.share(step);
        let stepped = if share < begin { 0.0 } else { 200.0 };
        anon(&mut stage, step, ONE, 300.0 + stepped + rise * (share - begin).max(0.0));
    }
    let per_hour = rise * MIB / stage.hours();
    leak(stage, Cause::Native, per_hour, Some(change), 0)
}

/// Nothing is kept while nobody works.
fn quiet_nights(mut stage: Stage) -> Case {
    let rise = stage.between(400.0, 900.0);
    for step in 0..stage.steps() {
        let share = stage.share(step);
        let mib = 300.0 + rise * stage.served(share, 0.95);
        stage.put_mib(step, ONE, Metric::RuntimeHeapLive, mib);
        stage.put_mib(step, ONE, Metric::RuntimeHeapLimit, LIMIT);
        let rate = 60.0 * stage.load(share, 0.95) + stage.normal() * 0.5;
        stage.put(step, ONE, Metric::ServiceRequestsRate, rate);
    }
    let per_hour = rise * MIB / stage.hours();
    leak(stage, Cause::Heap, per_hour, None, 0)
}

/// Restarts are only seen as a counter.
fn counted_restarts(mut stage: Stage) -> Case {
    let rise = stage.between(2500.0, 4000.0);
    for step in 0..stage.steps() {
        let share = stage.share(step);
        stage.put(step, ONE, Metric::ContainerRestarts, (share / 0.23).floor());
        anon(&mut stage, step, ONE, 250.0 + rise * (share % 0.23));
    }
    let per_hour = rise * MIB / stage.hours();
    leak(stage, Cause::Native, per_hour, None, 0)
}

/// Only the replica with the new version leaks.
fn canary(mut stage: Stage) -> Case {
    let change = stage.change(0.4, ChangeKind::Deploy, "8");
    let rise = stage.between(900.0, 1600.0);
    for step in 0..stage.steps() {
        let share = stage.share(step);
        for replica in 0..3 {
            let new = replica == 2 && share >= 0.4;
            let who = Who { instance: replica, version: if new { "8" } else { "7" } };
            let kept = if new { rise * (share - 0.4) } else { 0.0 };
            anon(&mut stage, step, who, 350.0 + kept);
        }
    }
    let per_hour = rise * MIB / stage.hours();
    leak(stage, Cause::Native, per_hour, Some(change), 2)
}

/// Two thirds of the time busy, then quiet: the level follows, with load measured.
fn weekend(mut stage: Stage) -> Case {
    for step in 0..stage.steps() {
        let share = stage.share(step);
        let busy = if share < 0.65 { 1.0 } else { 0.4 };
        let load = busy * stage.load(share, 0.4);
        anon(&mut stage, step, ONE, 300.0 + 400.0 * load);
        let rate = 70.0 * load + stage.normal();
        stage.put(step, ONE, Metric::ServiceRequestsRate, rate);
    }
    stage.benign(Cause::Load)
}

fn cache_bytes(mut stage: Stage) -> Case {
    let pace = stage.between(0.1, 0.3);
    for step in 0..stage.steps() {
        let share = stage.share(step);
        let filled = 1.0 - (-share / pace).exp();
        stage.put_mib(step, ONE, Metric::CacheBytes, 600.0 * filled);
        anon(&mut stage, step, ONE, 300.0 + 640.0 * filled);
    }
    stage.benign(Cause::Cache)
}

fn scale_out(mut stage: Stage) -> Case {
    stage.change(0.5, ChangeKind::Scale, "");
    for step in 0..stage.steps() {
        let share = stage.share(step);
        let replicas = if share < 0.5 { 2 } else { 4 };
        for replica in 0..replicas {
            let who = Who { instance: replica, version: "7" };
            let born = if replica < 2 { -0.5 } else { 0.5 };
            stage.start_time(step, who, born);
            let warm = 200.0 * (1.0 - (-(share - born) / 0.03).exp());
            anon(&mut stage, step, who, 250.0 + warm);
        }
    }
    stage.benign(Cause::WarmUp)
}

fn noisy_flat(mut stage: Stage) -> Case {
    for step in 0..stage.steps() {
        let spike = if stage.rng.f64() < 0.03 { 700.0 * stage.rng.f64() } else { 0.0 };
        anon(&mut stage, step, ONE, 600.0 + spike);
    }
    stage.benign(Cause::None)
}

fn shrinking(mut stage: Stage) -> Case {
    let fall = stage.between(100.0, 500.0);
    for step in 0..stage.steps() {
        let share = stage.share(step);
        anon(&mut stage, step, ONE, 900.0 - fall * share);
    }
    stage.benign(Cause::None)
}

/// A connection pool opens its connections one by one and stops at its bound.
fn pool_warms(mut stage: Stage) -> Case {
    let pace = stage.between(0.05, 0.12);
    for step in 0..stage.steps() {
        let share = stage.share(step);
        let open = 60.0 * (1.0 - (-share / pace).exp()) + 3.0 * stage.rng.f64();
        stage.put(step, ONE, Metric::PoolConnectionsUsed, open.floor());
        stage.put(step, ONE, Metric::PoolConnectionsMax, 64.0);
        anon(&mut stage, step, ONE, 300.0);
    }
    stage.benign(Cause::None)
}

/// The first batch that was ever seen is half done.
fn announced_batch(mut stage: Stage) -> Case {
    let begin = stage.between(0.5, 0.7);
    stage.change(begin, ChangeKind::Batch, "");
    for step in 0..stage.steps() {
        let share = stage.share(step);
        anon(&mut stage, step, ONE, 300.0 + 1500.0 * (share - begin).max(0.0));
    }
    stage.benign(Cause::Batch)
}
