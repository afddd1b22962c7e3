//! Reading times from outside, and the rule for which times are believed.
//!
//! Not here: a clock. Who knows the time passes it in.

use plimsoll_model::{Span, Timestamp};

use crate::rejection::{Reason, Rejection};

/// How far ahead of our clock a time may lie. Clocks without NTP drift by minutes a month; more
/// than five is a broken clock, whose readings would outlive every later one.
pub const CLOCK_AHEAD_MAX: Span = Span::from_mins(5);

/// How old a pushed sample may be. Senders buffer through outages of hours; beyond 30 days it is a
/// file that is replayed, which is what `plimsoll scan` is for.
pub const HISTORY_MAX: Span = Span::from_hours(30 * 24);

/// The end of year 9999 in Unix seconds. Larger numbers are milliseconds or noise.
const UNIX_SECS_MAX: f64 = 253_402_300_800.0;

/// Unix seconds, possibly fractional, or RFC 3339.
pub(crate) fn parse(text: &str) -> Result<Timestamp, Rejection> {
    let text = text.trim();
    if text.is_empty() {
        return Err(Rejection::new(Reason::TimeMissing, "the time is empty"));
    }
    match text.parse::<f64>() {
        Ok(secs) => from_unix_secs(secs),
        Err(_) => from_rfc3339(text),
    }
}

pub(crate) fn from_unix_secs(secs: f64) -> Result<Timestamp, Rejection> {
    if (0.0..UNIX_SECS_MAX).contains(&secs) {
        return Ok(Timestamp::from_millis((secs * 1000.0).round() as i64));
    }
    let hint =
        if secs >= UNIX_SECS_MAX && secs.is_finite() { "; is it in milliseconds?" } else { "" };
    Err(Rejection::new(Reason::UnreadableTime, &format!("{secs:e} seconds{hint}")))
}

pub(crate) fn from_unix_millis(millis: i64) -> Result<Timestamp, Rejection> {
    if millis >= 0 && (millis as f64) < UNIX_SECS_MAX * 1000.0 {
        return Ok(Timestamp::from_millis(millis));
    }
    Err(Rejection::new(Reason::UnreadableTime, &format!("{millis} milliseconds")))
}

/// None for zero, which senders write when they do not know.
pub(crate) fn from_unix_nanos(nanos: u64) -> Option<Timestamp> {
    let millis = i64::try_from(nanos / 1_000_000).ok()?;
    (nanos > 0).then(|| Timestamp::from_millis(millis))
}

pub(crate) fn not_in_future(at: Timestamp, now: Timestamp) -> Result<(), Rejection> {
    if at > now + CLOCK_AHEAD_MAX {
        let detail = format!("{} ahead", at.since(now));
        return Err(Rejection::new(Reason::TimeInFuture, &detail));
    }
    Ok(())
}

/// The rule for what is pushed: neither from the future nor from long ago.
pub(crate) fn believable(at: Timestamp, now: Timestamp) -> Result<(), Rejection> {
    not_in_future(at, now)?;
    if at < now - HISTORY_MAX {
        let detail = format!("{} ago", now.since(at));
        return Err(Rejection::new(Reason::TimeTooOld, &detail));
    }
    Ok(())
}

fn from_rfc3339(text: &str) -> Result<Timestamp, Rejection> {
    let unreadable = |_| Rejection::new(Reason::UnreadableTime, text);
    let moment: jiff::Timestamp = text.parse().map_err(unreadable)?;
    let millis = moment.as_millisecond();
    if millis < 0 {
        return Err(Rejection::new(Reason::UnreadableTime, &format!("{text} is before 1970")));
    }
    Ok(Timestamp::from_millis(millis))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unix_seconds_and_rfc3339_name_the_same_moment() {
        let check = |text: &str, millis: i64| {
            assert_eq!(parse(text), Ok(Timestamp::from_millis(millis)), "{text}");
        };
        check("1780000000", 1_780_000_000_000);
        check(" 1780000000.25 ", 1_780_000_000_250);
        check("2026-05-28T20:26:40Z", 1_780_000_000_000);
        check("2026-05-28T22:26:40.250+02:00", 1_780_000_000_250);
        check("0", 0);
    }

    #[test]
    fn what_is_not_a_time_is_refused_with_a_reason() {
        let check = |text: &str, want: Reason| {
            assert_eq!(parse(text).unwrap_err().reason, want, "{text}");
        };
        check("", Reason::TimeMissing);
        check("yesterday", Reason::UnreadableTime);
        check("2026-05-28T20:26:40", Reason::UnreadableTime);
        check("1969-12-31T23:59:59Z", Reason::UnreadableTime);
        check("NaN", Reason::UnreadableTime);
        check("inf", Reason::UnreadableTime);
        check("-1", Reason::UnreadableTime);
        check("1780000000000", Reason::UnreadableTime);
        assert!(parse("1780000000000").unwrap_err().detail.contains("milliseconds"));
    }

    #[test]
    fn a_pushed_time_is_believed_from_30_days_ago_to_5_minutes_ahead() {
        let now = Timestamp::from_secs(1_780_000_000);
        let check = |secs: i64, want: Option<Reason>| {
            let got = believable(now + Span::from_secs(secs), now).err().map(|r| r.reason);
            assert_eq!(got, want, "{secs}");
        };
        check(0, None);
        check(300, None);
        check(301, Some(Reason::TimeInFuture));
        check(-30 * 86_400, None);
        check(-30 * 86_400 - 1, Some(Reason::TimeTooOld));
        check(i64::MIN, Some(Reason::TimeTooOld));
        check(i64::MAX, Some(Reason::TimeInFuture));
    }
}
