//! Two captures of one instance as the growth of its types, the one that explains it first.

use plimsoll_heap::{
    ClassHistogram, ClassRow, Dominant, GrowthRow, HistogramGrowth, HistogramTotal, difference,
    dominant,
};
use plimsoll_model::{Bytes, Capture, Span, TypeCount, TypeGrowth};

/// Types that are told of a growth; the rest is in the captures.
const TYPES_TOLD: usize = 12;

/// What two captures say.
#[derive(Clone, Debug)]
pub(crate) struct HeapFinding {
    /// The type that explains the growth first, then the others by size; empty when none does.
    pub(crate) growing: Vec<TypeGrowth>,
    /// Time between the captures.
    pub(crate) apart: Span,
    /// How the first was chosen, or why none was.
    pub(crate) reason: String,
}

pub(crate) fn compare(first: &Capture, last: &Capture, requests: Option<f64>) -> HeapFinding {
    let growth = difference(&histogram(first), &histogram(last));
    let apart = last.at.since(first.at);
    match dominant(&growth) {
        Err(none) => HeapFinding { growing: Vec::new(), apart, reason: none.reason().into() },
        Ok(top) => HeapFinding {
            growing: ranked(&growth, &top, requests),
            apart,
            reason: in_words(&top, &growth),
        },
    }
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

fn ranked(growth: &HistogramGrowth, top: &Dominant, requests: Option<f64>) -> Vec<TypeGrowth> {
    let told = |row: &GrowthRow, group_share: f64| TypeGrowth {
        name: row.class.clone(),
        instances: row.instances_grown,
        bytes: row.bytes_grown,
        share: row.share,
        group_share,
        bytes_per_request: requests.map(|requests| group_share * growth.grown.as_f64() / requests),
    };
    let leader = growth.rows.iter().find(|row| row.class == top.class);
    let others = growth.rows.iter().filter(|row| row.class != top.class && row.bytes_grown > 0);
    let first = leader.map(|row| told(row, top.group_share));
    let rest = others.map(|row| told(row, row.share));
    first.into_iter().chain(rest).take(TYPES_TOLD).collect()
}

fn in_words(top: &Dominant, growth: &HistogramGrowth) -> String {
    let along: Vec<_> = top.group.iter().take(4).map(|tie| tie.class.as_str()).collect();
    match along.as_slice() {
        [] => format!("nothing else grows in step; {} grew in all", growth.grown),
        _ => format!("{} grow in step with it; {} grew in all", along.join(", "), growth.grown),
    }
}
