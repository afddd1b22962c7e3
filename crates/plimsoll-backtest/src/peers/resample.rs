//! Five-minute medians, and the running median of an hour over them: how Precog and its kin
//! prepare a series before they look at it.

use plimsoll_model::{Sample, Span, Timestamp};

/// One point.
const STEP: i64 = Span::from_mins(5).as_millis();
pub(super) const STEP_HOURS: f64 = 1.0 / 12.0;
/// How far back the rules that use this may reach, so that a stray old sample cannot make millions
/// of empty points: four weeks are 8 064 of them.
pub(super) const REACH: Span = Span::from_hours(28 * 24);
const SMOOTH_POINTS: usize = 12;

/// The medians of five minutes each, aligned to the clock. Stretches without a sample are filled
/// along a straight line, so that an index is always a time. The last point may be young.
pub(super) fn five_minute_medians(samples: &[Sample]) -> Vec<f64> {
    let slot = |at: Timestamp| at.as_millis().div_euclid(STEP);
    let mut medians: Vec<f64> = Vec::new();
    let mut filled_until = None;
    let mut values = Vec::new();
    for part in samples.chunk_by(|a, b| slot(a.at) == slot(b.at)) {
        let Some(now) = part.first().map(|sample| slot(sample.at)) else { continue };
        values.clear();
        values.extend(part.iter().map(|sample| sample.value));
        let value = median(&mut values);
        if let (Some(before), Some(last)) = (filled_until, medians.last().copied()) {
            let gap = now - before;
            medians.extend((1..gap).map(|i| last + (value - last) * i as f64 / gap as f64));
        }
        medians.push(value);
        filled_until = Some(now);
    }
    medians
}

/// The running median of the last hour.
pub(super) fn smoothed(points: &[f64]) -> Vec<f64> {
    let mut hour = Vec::with_capacity(SMOOTH_POINTS);
    let running = |end: usize| {
        hour.clear();
        hour.extend(points.iter().take(end + 1).skip((end + 1).saturating_sub(SMOOTH_POINTS)));
        median(&mut hour)
    };
    (0..points.len()).map(running).collect()
}

/// Of any order; zero of nothing.
pub(super) fn median(values: &mut [f64]) -> f64 {
    let middle = values.len() / 2;
    if middle >= values.len() {
        return 0.0;
    }
    let even = values.len().is_multiple_of(2);
    let (below, upper, _) = values.select_nth_unstable_by(middle, f64::total_cmp);
    let upper = *upper;
    let lower = below.iter().copied().max_by(f64::total_cmp);
    lower.filter(|_| even).map_or(upper, |lower| lower.midpoint(upper))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(mins: i64, value: f64) -> Sample {
        Sample { at: Timestamp::from_secs(60 * mins), value }
    }

    #[test]
    fn each_five_minutes_become_their_median() {
        let samples = [at(0, 1.0), at(1, 9.0), at(4, 2.0), at(5, 4.0), at(6, 6.0)];
        assert_eq!(five_minute_medians(&samples), [2.0, 5.0]);
    }

    #[test]
    fn a_gap_is_filled_along_a_line() {
        assert_eq!(five_minute_medians(&[at(3, 0.0), at(18, 30.0)]), [0.0, 10.0, 20.0, 30.0]);
        assert!(five_minute_medians(&[]).is_empty());
    }

    #[test]
    fn a_spike_shorter_than_half_an_hour_is_smoothed_away() {
        let mut points = vec![1.0; 30];
        points[20] = 50.0;
        points[21] = 50.0;
        assert_eq!(smoothed(&points), vec![1.0; 30]);
    }
}
