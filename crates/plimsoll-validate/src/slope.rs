//! How fast the floor of a series rises.
//!
//! The floor, because garbage waits for its collection; the median of pairwise slopes (Theil,
//! Sen), because one collection that came late must not decide what became of a plan.

use plimsoll_model::Sample;

/// Blocks that the span is cut into; the lowest sample of each is its floor. Twelve leave 66
/// pairs for the median and still cover several collections each in a minute of samples.
const BLOCKS: usize = 12;

/// Fewer floors than this give no slope: with three pairs or less, one outlier is the median.
const FLOORS_MIN: usize = 4;

/// Growth of the lower envelope per hour, in the unit of the samples. `None` when there are not
/// enough samples apart in time to tell. Samples must be in order of time.
pub fn floor_growth_per_hour(samples: &[Sample]) -> Option<f64> {
    let floors = floors(samples);
    if floors.len() < FLOORS_MIN {
        return None;
    }
    let mut slopes = Vec::with_capacity(floors.len() * floors.len() / 2);
    for (index, early) in floors.iter().enumerate() {
        for late in floors.iter().skip(index + 1) {
            let hours = late.at.since(early.at).as_hours_f64();
            if hours > 0.0 {
                slopes.push((late.value - early.value) / hours);
            }
        }
    }
    median(slopes)
}

fn floors(samples: &[Sample]) -> Vec<Sample> {
    let block_len = samples.len().div_ceil(BLOCKS).max(1);
    let lowest = |block: &[Sample]| {
        block.iter().copied().min_by(|a, b| a.value.total_cmp(&b.value)).into_iter()
    };
    samples.chunks(block_len).flat_map(lowest).collect()
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    let upper = *values.get(middle)?;
    match values.len() % 2 {
        0 => values.get(middle - 1).map(|lower| lower.midpoint(upper)),
        _ => Some(upper),
    }
}

#[cfg(test)]
mod tests {
    use plimsoll_model::Timestamp;

    use super::*;

    fn series(value: impl Fn(i64) -> f64) -> Vec<Sample> {
        (0..60).map(|s| Sample { at: Timestamp::from_secs(s), value: value(s) }).collect()
    }

    #[test]
    fn a_sawtooth_over_a_rising_floor_shows_the_floor() {
        let per_hour = floor_growth_per_hour(&series(|s| s as f64 + 50.0 * (s % 5) as f64));
        assert!((per_hour.unwrap() - 3600.0).abs() < 400.0, "{per_hour:?}");
    }

    #[test]
    fn one_late_collection_does_not_move_a_flat_floor() {
        let flat = series(|s| if (20..24).contains(&s) { 900.0 } else { 100.0 });
        assert!(floor_growth_per_hour(&flat).unwrap().abs() < 1.0);
    }

    #[test]
    fn too_few_samples_give_no_slope_instead_of_zero() {
        assert_eq!(floor_growth_per_hour(&series(|_| 1.0)[..3]), None);
        assert_eq!(floor_growth_per_hour(&[]), None);
    }
}
