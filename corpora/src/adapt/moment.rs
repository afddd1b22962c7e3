//! Times as the data sets write them. Where no zone is given, UTC is meant or taken.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use plimsoll_model::Timestamp;

/// The beginning of telemetry that has only a relative time: 2026-06-01T00:00:00Z.
pub(super) const EPOCH: Timestamp = Timestamp::from_secs(1_780_272_000);

/// Seconds beyond this are no time of these sets (the year 9999).
const SECONDS_MAX: f64 = 253_402_207_200.0;

/// `1304261370`, `1736589600.0`.
pub(super) fn unix(text: &str) -> Option<Timestamp> {
    let secs: f64 = text.parse().ok()?;
    (secs.is_finite() && secs.abs() <= SECONDS_MAX)
        .then(|| Timestamp::from_millis((secs * 1000.0).round() as i64))
}

/// `2024-04-26 12:43:30.260145`, `2025-12-25T22:45:29`.
pub(super) fn civil(text: &str) -> Option<Timestamp> {
    let civil: DateTime = text.parse().ok()?;
    let zoned = civil.to_zoned(TimeZone::UTC).ok()?;
    Some(Timestamp::from_millis(zoned.timestamp().as_millisecond()))
}

/// `2014-11-29T06:29:09.903+0000`.
pub(super) fn with_offset(text: &str) -> Option<Timestamp> {
    let at: jiff::Timestamp = text.parse().ok()?;
    Some(Timestamp::from_millis(at.as_millisecond()))
}

/// What Go prints: `2022-08-22 03:51:19.607158889 +0000 UTC m=+0.113112869`.
pub(super) fn of_go(text: &str) -> Option<Timestamp> {
    let mut words = text.split(' ');
    let (date, time, offset) = (words.next()?, words.next()?, words.next()?);
    with_offset(&format!("{date}T{time}{offset}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_the_sets_write_them() {
        let check = |read: fn(&str) -> Option<Timestamp>, text: &str, millis: Option<i64>| {
            assert_eq!(read(text).map(Timestamp::as_millis), millis, "{text}");
        };
        check(unix, "1736589600.0", Some(1_736_589_600_000));
        check(unix, "1e300", None);
        check(unix, "NaN", None);
        check(civil, "2024-04-26 12:43:30.260145", Some(1_714_135_410_260));
        check(civil, "2025-12-25T22:45:29", Some(1_766_702_729_000));
        check(civil, "yesterday", None);
        check(with_offset, "2014-11-29T06:29:09.903+0100", Some(1_417_238_949_903));
        check(of_go, "2022-08-22 03:51:19.607158889 +0000 UTC m=+0.1", Some(1_661_140_279_607));
        check(of_go, "2022-08-22", None);
    }
}
