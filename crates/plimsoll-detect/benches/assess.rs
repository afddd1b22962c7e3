//! What a verdict costs: taking a sample in, and assessing a service, per series.
//!
//! `cargo bench -p plimsoll-detect`. The mix is every simulated family, leaking and benign, at five
//! minutes for ten days: most real series are flat, so a real fleet is cheaper. Not here: reading
//! files (the command's), or how right the verdicts are (`plimsoll backtest`).

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use plimsoll_detect::assess;
use plimsoll_model::{Outline, Sample, ServiceHistory, Timestamp};
use plimsoll_sim::families::{Scale, benign, leaking};

/// The histories of all families, and how many series they have.
fn fleet() -> (Vec<(ServiceHistory, Timestamp)>, u64) {
    let cases = [leaking(5, Scale::TEN_DAYS), benign(5, Scale::TEN_DAYS)].concat();
    let histories: Vec<_> =
        cases.iter().filter_map(|case| Some((case.history()?, case.assessed_at))).collect();
    let lives = histories.iter().flat_map(|(history, _)| &history.lives);
    let series = lives.map(|life| life.series.len() as u64).sum();
    (histories, series)
}

fn assessing(c: &mut Criterion) {
    let (histories, series) = fleet();
    let mut group = c.benchmark_group("assess");
    group.throughput(Throughput::Elements(series));
    group.bench_function("every family, by series", |b| {
        b.iter(|| {
            for (history, now) in &histories {
                black_box(assess(history, *now));
            }
        });
    });
    group.finish();
}

fn updating(c: &mut Criterion) {
    let mut group = c.benchmark_group("update");
    group.throughput(Throughput::Elements(1));
    let mut outline = Outline::default();
    let mut next = 0_i64;
    group.bench_function("one sample into an outline", |b| {
        b.iter(|| {
            next += 1;
            outline.trace(Sample { at: Timestamp::from_secs(next), value: (next % 977) as f64 });
        });
    });
    group.finish();
}

criterion_group!(benches, updating, assessing);
criterion_main!(benches);
