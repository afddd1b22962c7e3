//! What a profile holds, as the rows of a histogram: places of the program instead of classes.
//!
//! Used where many looks are compared whatever wrote them (`watch`). Not here: who is suspected.

use std::collections::BTreeMap;

use plimsoll_model::Bytes;
use thiserror::Error;

use super::{CannotRank, Listings, Measure, Profile, ProfileReport, ReadProfileError, Site};
use crate::histogram::{ClassHistogram, ClassRow, HistogramTotal};

/// The row of what no place of the program's own asked for.
const NOT_OWN: &str = "<libraries>";

/// Longest name of a place, in bytes.
const NAME_BYTES_MAX: usize = 1024;

/// Why a profile does not tell what is held.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum HeldError {
    #[error("the profile cannot be read")]
    Read(#[from] ReadProfileError),
    #[error("the profile tells nothing that can be ranked")]
    Rank(#[from] CannotRank),
    #[error("the profile does not say what is in use; take a heap profile")]
    NotHeld,
}

/// What is in use, by the nearest place of the program's own above each allocation.
///
/// # Errors
/// When the bytes are no profile, or one of something else.
pub fn held_by_place(bytes: &[u8]) -> Result<ClassHistogram, HeldError> {
    let profile = Profile::read(bytes)?;
    let report = ProfileReport::of(&profile, &Listings::new())?;
    if report.measure != Measure::InuseSpace {
        return Err(HeldError::NotHeld);
    }
    let count = |value: i64| u64::try_from(value).unwrap_or(0);
    let mut places: BTreeMap<String, HistogramTotal> = BTreeMap::new();
    let mut total = HistogramTotal::default();
    for place in &report.places {
        let name = if place.is_own { name(&place.site) } else { NOT_OWN.to_owned() };
        for sum in [places.entry(name).or_default(), &mut total] {
            sum.instances = sum.instances.saturating_add(count(place.objects));
            sum.bytes = Bytes(sum.bytes.0.saturating_add(count(place.value)));
        }
    }
    let row = |(class, HistogramTotal { instances, bytes })| ClassRow { class, instances, bytes };
    let mut rows: Vec<ClassRow> = places.into_iter().map(row).collect();
    rows.sort_by(|one, other| {
        other.bytes.cmp(&one.bytes).then_with(|| one.class.cmp(&other.class))
    });
    Ok(ClassHistogram { rows, total, rejected: 0, complete: profile.complete })
}

fn name(site: &Site) -> String {
    let mut name = site.to_string();
    name.truncate(name.floor_char_boundary(NAME_BYTES_MAX));
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_is_summed_by_the_place_of_the_program_that_asked_for_it() {
        let text = "heap profile: 3: 300 [9: 900] @ heap/2\n\
            2: 200 [4: 400] @ 0x1 0x2\n\
            #\t0x1\tmain.leak+0x1\t/shop.go:7\n\
            #\t0x2\tmain.main+0x1\t/shop.go:9\n\
            1: 100 [5: 500] @ 0x3 0x1\n\
            #\t0x3\tstrings.(*Builder).grow+0x2\t/usr/lib/go/src/strings/builder.go:68\n\
            #\t0x1\tmain.leak+0x1\t/shop.go:7\n";
        let held = held_by_place(text.as_bytes()).unwrap();
        let [row] = &held.rows[..] else { panic!("one place: {held:?}") };
        assert_eq!((row.class.as_str(), row.instances), ("main.leak (/shop.go:7)", 3));
        assert_eq!(held.total.bytes, row.bytes);
        assert!(row.bytes.0 >= 300, "sampled bytes stand for as many or more: {row:?}");
        assert!(matches!(held_by_place(b"nonsense"), Err(HeldError::Read(_))));
    }
}
