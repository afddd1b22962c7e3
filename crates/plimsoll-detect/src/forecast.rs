//! When the limit is reached if nothing changes.
//!
//! Not here: whether it matters, or which limit it is (`ladder`).

use plimsoll_model::{Exhaustion, Span, Unit};

use crate::course::Study;
use crate::scene::Scene;
use crate::thresholds as limits;
use crate::trend::Trend;

/// Ten percent and ninety percent of a normal distribution lie this many deviations out.
const TENTH: f64 = 1.2816;

/// What a growth may still do that its own past does not show: load moves, code paths change. Chosen
/// by the back-test, so that eight of ten intervals hold the truth at half-life.
const UNKNOWN_SHARE: f64 = 0.40;

/// Beyond ten years a date is a number without a meaning.
const HORIZON_HOURS: f64 = 87_600.0;

/// Hours until the limit at the pace of the later half. None where no limit is known, or nothing
/// grows.
pub(crate) fn runway(trend: &Trend, level: f64, limit: Option<f64>) -> Option<f64> {
    let pace = pace(trend);
    let left = limit? - level;
    (pace > 0.0).then(|| (left / pace).clamp(0.0, HORIZON_HOURS))
}

/// The later half knows more of what comes, the whole is surer: both count.
fn pace(trend: &Trend) -> f64 {
    0.5 * (trend.per_hour + trend.recent_per_hour)
}

pub(crate) fn exhaustion(
    scene: &Scene<'_>,
    trend: &Trend,
    level: f64,
    limit: Option<f64>,
) -> Option<Exhaustion> {
    let middle = runway(trend, level, limit)?;
    if middle >= HORIZON_HOURS {
        return None;
    }
    let pace = pace(trend);
    let doubt = (trend.error_per_hour / pace).hypot(UNKNOWN_SHARE);
    let at = |deviations: f64| {
        let faster = (1.0 + deviations * doubt).max(0.2);
        scene.now + Span::from_secs_f64((middle / faster).min(HORIZON_HOURS) * 3600.0)
    };
    Some(Exhaustion { p10: at(TENTH), p50: at(0.0), p90: at(-TENTH) })
}

/// Whether the limit is near enough to matter; without a limit the rise itself must speak.
pub(crate) fn is_in_sight(trend: &Trend, study: &Study) -> bool {
    let runway = runway(trend, study.level, study.limit);
    let near = runway.is_none_or(|hours| hours <= limits::RUNWAY_MAX.default);
    let doubles = doubling(trend, study.level) <= limits::DOUBLING_MAX.default;
    near || (study.rung.metric.unit() == Unit::Count && doubles)
}

/// Whether there is no time to wait for a whole day to be seen.
pub(crate) fn is_urgent(trend: &Trend, study: &Study) -> bool {
    let left = runway(trend, study.level, study.limit);
    left.unwrap_or_else(|| doubling(trend, study.level)) <= limits::RUNWAY_SHORT.default
}

/// Whether it was seen for long enough, measured by the time that is left to act: until the limit,
/// or until the level has doubled where no limit is known or, as with handles, often set too high.
pub(crate) fn is_seen_for_long(trend: &Trend, study: &Study) -> bool {
    trend.to - trend.from >= limits::WAIT_SHARE.default * time_left(trend, study)
}

/// Hours that are left to act.
pub(crate) fn time_left(trend: &Trend, study: &Study) -> f64 {
    let limited = runway(trend, study.level, study.limit);
    let doubled = doubling(trend, study.level);
    match study.rung.metric.unit() {
        Unit::Count => limited.unwrap_or(doubled).min(doubled),
        Unit::Bytes | Unit::Seconds | Unit::PerSecond => limited.unwrap_or(doubled),
    }
}

/// Hours until the level has doubled.
fn doubling(trend: &Trend, level: f64) -> f64 {
    let pace = pace(trend);
    if pace > 0.0 { level / pace } else { f64::INFINITY }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trend::{Point, trend};
    use plimsoll_model::{ServiceHistory, ServiceName, Timestamp};

    #[test]
    fn the_limit_is_reached_when_the_rest_is_used_up_at_the_present_pace() {
        let point = |i: i32| {
            let at = f64::from(i) / 10.0;
            Point { at, work: at, value: 100.0 + 10.0 * at, samples: 4 }
        };
        let points: Vec<_> = (0..=100).map(point).collect();
        let trend = trend(&points).unwrap();
        let history = ServiceHistory::new(ServiceName::new("orders").unwrap());
        let scene = Scene::of(&history, Timestamp::default());
        let end = exhaustion(&scene, &trend, 200.0, Some(300.0)).unwrap();
        let hours = |at: Timestamp| at.since(Timestamp::default()).as_hours_f64();
        assert!((hours(end.p50) - 10.0).abs() < 0.1, "{end:?}");
        assert!(end.p10 < end.p50 && end.p50 < end.p90);
        assert_eq!(exhaustion(&scene, &trend, 200.0, None), None);
    }
}
