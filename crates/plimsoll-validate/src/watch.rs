//! How long to look before a judgement is fair.

use plimsoll_model::Span;

/// Share of the limit that the untreated leak would have added by the end of a watch. Small
/// enough to look twice within any runway that is worth a plan, large enough to stand out of the
/// noise of a floor, which is below 1 % in the recorded fleets.
const LEAK_SHARE_OF_LIMIT: f64 = 0.02;

/// A replaced process needs its first collections before it has a floor at all.
const WATCH_MIN: Span = Span::from_secs(45);

/// Beyond this nobody waits at the screen; the outcome is said with what has been seen.
const WATCH_MAX: Span = Span::from_hours(6);

/// The time in which a leak of `growth_per_hour` would have been seen for certain, given the
/// limit it leaks towards; both in the metric's own unit.
pub fn watch_for(growth_per_hour: f64, limit: Option<f64>) -> Span {
    let Some(limit) = limit else { return WATCH_MIN };
    let hours = LEAK_SHARE_OF_LIMIT * limit / growth_per_hour;
    if !(hours.is_finite() && hours > 0.0) {
        return WATCH_MIN;
    }
    Span::from_secs_f64(hours * 3600.0).clamp(WATCH_MIN, WATCH_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_leak_is_watched_longer_than_a_fast_one() {
        let limit = Some(1000.0);
        assert_eq!(watch_for(20.0, limit), Span::from_hours(1));
        assert_eq!(watch_for(100_000.0, limit), WATCH_MIN);
        assert_eq!(watch_for(0.1, limit), WATCH_MAX);
        assert_eq!(watch_for(0.0, limit), WATCH_MIN);
    }
}
