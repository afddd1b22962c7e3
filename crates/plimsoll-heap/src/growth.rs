//! What grew between two class histograms of one process.
//!
//! Not here: which of the rows explains the growth (`dominant`). Sizes are shallow, each byte of
//! growth belongs to one class, so shares never count anything twice.

use std::collections::HashMap;

use plimsoll_model::Bytes;

use crate::histogram::{ClassHistogram, ClassRow};

/// One class that changed.
#[derive(Clone, Debug, PartialEq)]
pub struct GrowthRow {
    pub class: String,
    /// Instances after less instances before.
    pub instances_grown: i64,
    /// Bytes after less bytes before.
    pub bytes_grown: i64,
    /// Part of the growth of all classes that grew, from 0 to 1; 0 for one that shrank.
    pub share: f64,
}

/// The classes that changed, most growth first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HistogramGrowth {
    pub rows: Vec<GrowthRow>,
    /// The growth of all classes that grew: what shares are shares of. Shrinking is not taken off,
    /// because a burst that ended would otherwise make the shares of a leak exceed one.
    pub grown: Bytes,
    /// What all classes that shrank gave back.
    pub shrunk: Bytes,
    /// Whether both histograms were complete.
    pub complete: bool,
}

/// Compares two histograms of the same process, the earlier one first. Cost: one pass over each.
///
/// With `-all` histograms the difference holds garbage too; take live ones for a small growth, or
/// keep enough work between the two that the growth outweighs the garbage.
pub fn difference(before: &ClassHistogram, after: &ClassHistogram) -> HistogramGrowth {
    let mut earlier: HashMap<&str, &ClassRow> =
        before.rows.iter().map(|row| (row.class.as_str(), row)).collect();
    let mut rows: Vec<GrowthRow> = Vec::new();
    for row in &after.rows {
        rows.extend(changed(&row.class, earlier.remove(row.class.as_str()), Some(row)));
    }
    rows.extend(earlier.into_values().filter_map(|row| changed(&row.class, Some(row), None)));
    ranked(rows, before.complete && after.complete)
}

fn changed(class: &str, before: Option<&ClassRow>, after: Option<&ClassRow>) -> Option<GrowthRow> {
    let instances = |row: Option<&ClassRow>| row.map_or(0, |row| row.instances);
    let bytes = |row: Option<&ClassRow>| row.map_or(0, |row| row.bytes.0);
    let instances_grown = signed_difference(instances(after), instances(before));
    let bytes_grown = signed_difference(bytes(after), bytes(before));
    (instances_grown != 0 || bytes_grown != 0).then(|| GrowthRow {
        class: class.to_owned(),
        instances_grown,
        bytes_grown,
        share: 0.0,
    })
}

fn signed_difference(after: u64, before: u64) -> i64 {
    i64::try_from(i128::from(after) - i128::from(before)).unwrap_or(if after > before {
        i64::MAX
    } else {
        i64::MIN
    })
}

fn ranked(mut rows: Vec<GrowthRow>, complete: bool) -> HistogramGrowth {
    let grown = rows.iter().map(positive_bytes).fold(0, u64::saturating_add);
    let shrunk = rows
        .iter()
        .filter(|row| row.bytes_grown < 0)
        .map(|row| row.bytes_grown.unsigned_abs())
        .fold(0, u64::saturating_add);
    if grown > 0 {
        for row in &mut rows {
            row.share = positive_bytes(row) as f64 / grown as f64;
        }
    }
    rows.sort_by(|a, b| b.bytes_grown.cmp(&a.bytes_grown).then_with(|| a.class.cmp(&b.class)));
    HistogramGrowth { rows, grown: Bytes(grown), shrunk: Bytes(shrunk), complete }
}

fn positive_bytes(row: &GrowthRow) -> u64 {
    u64::try_from(row.bytes_grown).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn histogram(rows: &[(&str, u64, u64)]) -> ClassHistogram {
        let mut text = String::from("num #instances #bytes class name\n");
        for (class, instances, bytes) in rows {
            text.push_str(&format!("1: {instances} {bytes} {class}\n"));
        }
        ClassHistogram::parse(&text).unwrap()
    }

    #[test]
    fn rows_are_ranked_by_bytes_and_shares_are_of_positive_growth_only() {
        let before = histogram(&[("a.Kept", 5, 100), ("a.Gone", 10, 1000), ("a.Order", 1, 24)]);
        let after = histogram(&[("a.Kept", 5, 100), ("a.Order", 101, 2424), ("[B", 100, 1600)]);
        let growth = difference(&before, &after);
        let names: Vec<_> = growth.rows.iter().map(|row| row.class.as_str()).collect();
        assert_eq!(names, ["a.Order", "byte[]", "a.Gone"]);
        assert_eq!((growth.grown, growth.shrunk), (Bytes(4000), Bytes(1000)));
        assert!((growth.rows[0].share - 0.6).abs() < 1e-9);
        assert!(growth.rows[2].share.abs() < 1e-9);
        assert_eq!(growth.rows[2].instances_grown, -10);
    }

    #[test]
    fn nothing_grew_is_an_empty_answer_and_not_a_nan() {
        let same = histogram(&[("a.Kept", 5, 100)]);
        let growth = difference(&same, &same);
        assert_eq!((growth.rows.len(), growth.grown), (0, Bytes(0)));
        let shrunk = difference(&same, &histogram(&[("a.Kept", 4, 80)]));
        assert!(shrunk.rows[0].share.abs() < 1e-9);
    }

    #[test]
    fn differences_beyond_the_type_saturate() {
        assert_eq!(signed_difference(u64::MAX, 0), i64::MAX);
        assert_eq!(signed_difference(0, u64::MAX), i64::MIN);
        assert_eq!(signed_difference(3, 5), -2);
    }
}
