//! What a profile holds, as the rows of a histogram: functions instead of classes.
//!
//! Used where many looks are compared whatever wrote them (`watch`). Not here: who called.

use std::collections::BTreeMap;

use plimsoll_model::Bytes;
use thiserror::Error;

use super::growth::sites::totals;
use super::{Granularity, Measure, Profile, ReadProfileError};
use crate::histogram::{ClassHistogram, ClassRow, HistogramTotal};

/// Why a profile does not tell what is held.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum HeldError {
    #[error("the profile cannot be read")]
    Read(#[from] ReadProfileError),
    #[error("the profile does not say what is in use; take a heap profile")]
    NotHeld,
}

/// What is in use, by the function that allocated it.
///
/// # Errors
/// When the bytes are no profile, or one of something else.
pub fn held_by_function(bytes: &[u8]) -> Result<ClassHistogram, HeldError> {
    let profile = Profile::read(bytes)?;
    let column = profile.column(Measure::InuseSpace).ok_or(HeldError::NotHeld)?;
    let mut rows: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    for (site, totals) in totals(&profile, column, Granularity::Function).sites {
        let (objects, bytes) = rows.entry(site.to_string()).or_default();
        *objects = objects.saturating_add(u64::try_from(totals.own.objects).unwrap_or(0));
        *bytes = bytes.saturating_add(u64::try_from(totals.own.value).unwrap_or(0));
    }
    let mut rows: Vec<ClassRow> = rows
        .into_iter()
        .filter(|(_, (_, bytes))| *bytes > 0)
        .map(|(class, (instances, bytes))| ClassRow { class, instances, bytes: Bytes(bytes) })
        .collect();
    rows.sort_by(|one, other| {
        other.bytes.cmp(&one.bytes).then_with(|| one.class.cmp(&other.class))
    });
    let total = rows.iter().fold(HistogramTotal::default(), |total, row| HistogramTotal {
        instances: total.instances.saturating_add(row.instances),
        bytes: Bytes(total.bytes.0.saturating_add(row.bytes.0)),
    });
    Ok(ClassHistogram { rows, total, rejected: 0, complete: profile.complete })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_is_summed_by_the_function_that_allocated_it() {
        let text = "heap profile: 3: 300 [9: 900] @ heap/2\n\
            2: 200 [4: 400] @ 0x1 0x2\n\
            #\t0x1\tmain.leak+0x1\t/shop.go:7\n\
            #\t0x2\tmain.main+0x1\t/shop.go:9\n\
            1: 100 [5: 500] @ 0x3\n\
            #\t0x3\tmain.leak+0x2\t/shop.go:8\n";
        let held = held_by_function(text.as_bytes()).unwrap();
        let [row] = &held.rows[..] else { panic!("one function: {held:?}") };
        assert_eq!(row.class, "main.leak");
        assert_eq!(held.total.bytes, row.bytes);
        assert!(row.bytes.0 >= 300, "sampled bytes stand for as many or more: {row:?}");
        assert!(matches!(held_by_function(b"nonsense"), Err(HeldError::Read(_))));
    }
}
