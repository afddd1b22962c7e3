//! How fast what is alive grows, by the median of all slopes (Theil and Sen), which a few odd
//! collections do not move. Not a verdict: whether it is a leak is `plimsoll-detect`'s to say.

use plimsoll_model::{Sample, Span};

/// Spans of the time that are compared, of equal length: 5 000 slopes. Collections come in bursts,
/// and a burst is no longer than it took.
const SPANS: i64 = 100;
/// Fewer spans with a collection tell of no trend.
const SPANS_MIN: usize = 3;
/// In less time a start looks like a trend, and what an hour would bring is a guess.
const TIME_MIN: Span = Span::from_mins(10);

/// Per hour, in the samples' unit; `None` of too few moments, or too short a time.
pub(super) fn per_hour(samples: &[Sample]) -> Option<f64> {
    let (first, last) = samples.first().zip(samples.last())?;
    let time = last.at.since(first.at);
    if time < TIME_MIN {
        return None;
    }
    let span_of = |sample: &Sample| {
        let past = sample.at.since(first.at).as_millis();
        past.saturating_mul(SPANS) / time.as_millis().max(1)
    };
    // Of each span the latest, which has most of what came before it.
    let mut chosen: Vec<&Sample> = Vec::new();
    for sample in samples {
        match chosen.last_mut() {
            Some(known) if span_of(known) == span_of(sample) => *known = sample,
            Some(_) | None => chosen.push(sample),
        }
    }
    if chosen.len() < SPANS_MIN {
        return None;
    }
    let mut slopes: Vec<f64> = Vec::new();
    for (index, later) in chosen.iter().enumerate() {
        for earlier in &chosen[..index] {
            let hours = later.at.since(earlier.at).as_hours_f64();
            if hours > 0.0 {
                slopes.push((later.value - earlier.value) / hours);
            }
        }
    }
    let middle = slopes.len().checked_sub(1)? / 2;
    let (_, median, _) = slopes.select_nth_unstable_by(middle, f64::total_cmp);
    Some(*median)
}

#[cfg(test)]
mod tests {
    use plimsoll_model::Timestamp;

    use super::*;

    #[test]
    fn odd_collections_do_not_move_the_trend() {
        let sample = |minute: i64| {
            let odd = if minute % 10 == 3 { 5000.0 } else { 0.0 };
            Sample { at: Timestamp::from_secs(minute * 60), value: minute as f64 + odd }
        };
        let samples: Vec<Sample> = (0..1000).map(sample).collect();
        let trend = per_hour(&samples).unwrap();
        assert!((trend - 60.0).abs() < 1.0, "{trend}");
        assert_eq!(per_hour(&samples[..2]), None);
        let same = [samples[0]; 5];
        assert_eq!(per_hour(&same), None);
        assert_eq!(per_hour(&samples[..10]), None, "a start is no trend");
    }

    #[test]
    fn a_burst_of_collections_counts_for_the_time_that_it_took() {
        let sample = |secs, value| Sample { at: Timestamp::from_secs(secs), value };
        let mut samples: Vec<Sample> = (0..400).map(|at| sample(at, at as f64)).collect();
        samples.extend((1..24).map(|hour| sample(hour * 3600, 400.0)));
        let trend = per_hour(&samples).unwrap();
        assert!(trend.abs() < 1.0, "{trend}");
    }
}
