//! The histogram parser against bytes that no JVM wrote: random ones, and a real histogram with
//! bytes changed, cut, and repeated.

use plimsoll_heap::{ClassHistogram, difference, dominant};
use proptest::prelude::*;

const REAL: &str = include_str!("fixtures/histogram-java17.txt");

#[test]
fn a_histogram_of_a_real_jvm_is_read_to_its_last_byte() {
    let parsed = ClassHistogram::parse(REAL).unwrap();
    assert!(parsed.complete);
    assert_eq!(parsed.rejected, 0);
    assert_eq!(parsed.rows[0].class, "byte[]");
    assert!(parsed.rows.iter().any(|row| row.class == "java.lang.Object[]"));
    assert!(parsed.rows.iter().all(|row| !row.class.contains('(')));
}

/// What must hold of any text: an error, or numbers that agree with each other.
fn check(text: &str) {
    let Ok(parsed) = ClassHistogram::parse(text) else { return };
    let lines = text.lines().count();
    assert!(parsed.rows.len() + parsed.rejected <= lines);
    let bytes = parsed.rows.iter().fold(0_u64, |sum, row| sum.saturating_add(row.bytes.0));
    assert_eq!(bytes, parsed.total.bytes.0);
    let real = ClassHistogram::parse(REAL).expect("it is a real one");
    for growth in [difference(&real, &parsed), difference(&parsed, &real)] {
        let shares: f64 = growth.rows.iter().map(|row| row.share).sum();
        assert!((0.0..=1.000_001).contains(&shares), "shares sum to {shares}");
        if let Ok(found) = dominant(&growth) {
            assert!((0.0..=1.0).contains(&found.group_share));
        }
    }
}

proptest! {
    #[test]
    fn random_bytes_never_break_the_parser(bytes in prop::collection::vec(any::<u8>(), 0..2048)) {
        check(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn random_rows_never_break_the_parser(rows in "([0-9:\\[BL;() .\\-]{0,40}\n){0,40}") {
        check(&format!("num #instances #bytes class name\n{rows}"));
    }

    #[test]
    fn a_changed_real_histogram_never_breaks_the_parser(
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..64),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = REAL.as_bytes().to_vec();
        for (index, byte) in &edits {
            let index = index.index(bytes.len());
            bytes[index] = *byte;
        }
        bytes.truncate(cut.index(bytes.len()).max(200));
        check(&String::from_utf8_lossy(&bytes));
    }
}
