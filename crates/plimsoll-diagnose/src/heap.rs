//! Captures of one instance as the growth of its types, the one that explains it first.

use plimsoll_heap::{
    ClassHistogram, ClassRow, Dominant, HistogramTotal, Look, Rise, Watch, WatchGrowth,
};
use plimsoll_model::{Bytes, Capture, Span, TypeCount, TypeGrowth};

/// Types that are told of a growth; the rest is in the captures.
const TYPES_TOLD: usize = 12;

const MILLIS_A_SECOND: f64 = 1000.0;

/// What captures say.
#[derive(Clone, Debug)]
pub(crate) struct HeapFinding {
    /// The type that explains the growth first, then the others by size; empty when none does.
    pub(crate) growing: Vec<TypeGrowth>,
    /// Time between the first capture and the last.
    pub(crate) apart: Span,
    /// How the first was chosen, or why none was.
    pub(crate) reason: String,
}

/// None of fewer than two captures.
pub(crate) fn compare(captures: &[Capture], requests: Option<f64>) -> Option<HeapFinding> {
    let mut watch = Watch::default();
    for capture in captures {
        let at_secs = capture.at.as_millis() as f64 / MILLIS_A_SECOND;
        watch.add(Look { at_secs, work: None, types: histogram(capture) });
    }
    let growth = watch.growth()?;
    let apart = captures.last()?.at.since(captures.first()?.at);
    Some(match &growth.leader {
        Err(none) => HeapFinding { growing: Vec::new(), apart, reason: none.reason().into() },
        Ok(top) => HeapFinding {
            growing: ranked(&growth, top, requests),
            apart,
            reason: in_words(top, &growth),
        },
    })
}

fn histogram(capture: &Capture) -> ClassHistogram {
    let row = |count: &TypeCount| ClassRow {
        class: count.name.clone(),
        instances: count.instances,
        bytes: count.bytes,
    };
    let total =
        capture.types.iter().fold(HistogramTotal::default(), |total, count| HistogramTotal {
            instances: total.instances.saturating_add(count.instances),
            bytes: Bytes(total.bytes.0.saturating_add(count.bytes.0)),
        });
    let rows = capture.types.iter().map(row).collect();
    ClassHistogram { rows, total, rejected: 0, complete: true }
}

fn ranked(growth: &WatchGrowth, top: &Dominant, requests: Option<f64>) -> Vec<TypeGrowth> {
    let told = |rise: &Rise, group_share: f64| TypeGrowth {
        name: rise.kind.clone(),
        instances: rise.objects,
        bytes: rise.bytes,
        share: rise.share,
        group_share,
        bytes_per_request: requests.map(|requests| group_share * growth.grown as f64 / requests),
    };
    let (leader, others): (Vec<&Rise>, _) =
        growth.rises.iter().partition(|rise| rise.kind == top.class);
    let first = leader.into_iter().map(|rise| told(rise, top.group_share));
    let rest = others.into_iter().map(|rise: &Rise| told(rise, rise.share));
    first.chain(rest).take(TYPES_TOLD).collect()
}

fn in_words(top: &Dominant, growth: &WatchGrowth) -> String {
    let along: Vec<_> = top.group.iter().take(4).map(|tie| tie.class.as_str()).collect();
    let grown = Bytes(growth.grown);
    match along.as_slice() {
        [] => format!("nothing else grows in step; {grown} grew in all"),
        _ => format!("{} grow in step with it; {grown} grew in all", along.join(", ")),
    }
}
