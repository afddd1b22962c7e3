//! Moments and spans, in whole milliseconds. Who knows what time it is passes a [`Timestamp`]
//! down; nothing here can find out.

use std::ops::{Add, Sub};

/// A moment: milliseconds since the Unix epoch, UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// A length of time in milliseconds; may be negative.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span(i64);

impl Timestamp {
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    pub const fn from_secs(secs: i64) -> Self {
        Self(secs.saturating_mul(1000))
    }

    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// Seconds since the epoch with the milliseconds as fraction.
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / 1000.0
    }

    /// How long after `earlier` this is; negative when it is before.
    pub const fn since(self, earlier: Self) -> Span {
        Span(self.0.saturating_sub(earlier.0))
    }
}

impl Span {
    pub const ZERO: Self = Self(0);

    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    pub const fn from_secs(secs: i64) -> Self {
        Self(secs.saturating_mul(1000))
    }

    pub const fn from_mins(mins: i64) -> Self {
        Self::from_secs(mins.saturating_mul(60))
    }

    pub const fn from_hours(hours: i64) -> Self {
        Self::from_mins(hours.saturating_mul(60))
    }

    /// The nearest span to `secs`; infinite and out-of-bounds values saturate, NaN is zero.
    pub fn from_secs_f64(secs: f64) -> Self {
        Self((secs * 1000.0) as i64)
    }

    pub const fn as_millis(self) -> i64 {
        self.0
    }

    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / 1000.0
    }

    pub fn as_hours_f64(self) -> f64 {
        self.as_secs_f64() / 3600.0
    }
}

impl Add<Span> for Timestamp {
    type Output = Self;
    fn add(self, span: Span) -> Self {
        Self(self.0.saturating_add(span.0))
    }
}

impl Sub<Span> for Timestamp {
    type Output = Self;
    fn sub(self, span: Span) -> Self {
        Self(self.0.saturating_sub(span.0))
    }
}

impl Add for Span {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

/// `95s`, `12m30s`, `3h05m`, `2d04h`: two leading units, for people.
impl std::fmt::Display for Span {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let secs = self.0.unsigned_abs() / 1000;
        let (mins, hours, days) = (secs / 60, secs / 3600, secs / 86_400);
        match secs {
            0..120 => write!(f, "{sign}{secs}s"),
            120..7200 => write!(f, "{sign}{mins}m{:02}s", secs % 60),
            7200..172_800 => write!(f, "{sign}{hours}h{:02}m", mins % 60),
            _ => write!(f, "{sign}{days}d{:02}h", hours % 24),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_printed_in_its_two_leading_units() {
        let check = |secs: i64, want: &str| assert_eq!(Span::from_secs(secs).to_string(), want);
        check(95, "95s");
        check(750, "12m30s");
        check(11_100, "3h05m");
        check(187_200, "2d04h");
        check(-95, "-95s");
    }

    #[test]
    fn moments_at_the_ends_of_time_saturate() {
        let end = Timestamp::from_millis(i64::MAX);
        assert_eq!(end + Span::from_secs(1), end);
        assert_eq!(Span::from_secs_f64(f64::INFINITY), Span::from_millis(i64::MAX));
    }
}
