//! The moments that stand before a record: date and time, uptime, in every way that logs write.

use plimsoll_model::Timestamp;

/// When a line was written.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Stamp {
    /// Seconds since the JVM began.
    pub(super) uptime: Option<f64>,
    pub(super) wall: Option<Timestamp>,
}

/// Milliseconds from which a number is one of the epoch: since 1973, which no JVM's uptime reaches.
const EPOCH_MILLIS_MIN: f64 = 1e11;

impl Stamp {
    /// Takes a decoration of a unified log: `2.698s`, `2698ms`, `2022-11-10T03:37:32.125-0800`.
    pub(super) fn decoration(&mut self, text: &str) {
        let number = |unit: &str| {
            let digits = text.strip_suffix(unit)?;
            let number: f64 = digits.replace(',', ".").parse().ok()?;
            (number.is_finite() && number >= 0.0).then_some(number)
        };
        if let Some(wall) = wall(text) {
            self.wall = Some(wall);
        } else if let Some(millis) = number("ms") {
            if millis >= EPOCH_MILLIS_MIN {
                self.wall = Some(Timestamp::from_millis(millis as i64));
            } else {
                self.uptime.get_or_insert(millis / 1e3);
            }
        } else if let Some(nanos) = number("ns") {
            self.uptime.get_or_insert(nanos / 1e9);
        } else if let Some(secs) = number("s") {
            self.uptime = Some(secs);
        }
    }

    /// What stands right before a record of the older form: `2014-11-29T06:23:55.892+0000: 1.5: `.
    pub(super) fn before(text: &str) -> Self {
        let mut stamp = Self::default();
        // Lines of two threads run together, so only the end of the text counts.
        let Some(text) = text.trim_end().strip_suffix(':') else { return stamp };
        let of_number = |c: char| c.is_ascii_digit() || matches!(c, '.' | ',');
        let (rest, digits) = text.split_at(text.trim_end_matches(of_number).len());
        if let Some(secs) = uptime(digits) {
            stamp.uptime = Some(secs);
            stamp.wall = rest.trim_end().strip_suffix(':').and_then(wall_at_end);
        } else {
            stamp.wall = wall_at_end(text);
        }
        stamp
    }
}

/// `1.500`, in some languages `1,500`. A number without a fraction is the end of a date.
fn uptime(digits: &str) -> Option<f64> {
    let digits = digits.replace(',', ".");
    let secs: f64 = digits.parse().ok()?;
    digits.contains('.').then_some(secs)
}

fn wall_at_end(text: &str) -> Option<Timestamp> {
    const LENGTH: usize = "2014-11-29T06:23:55.892+0000".len();
    wall(text.get(text.len().checked_sub(LENGTH)?..)?)
}

/// `2014-11-29T06:23:55.892+0000`, with a dot or a comma.
fn wall(text: &str) -> Option<Timestamp> {
    let bytes: &[u8; 28] = text.as_bytes().try_into().ok()?;
    let shape = b"dddd-dd-ddTdd:dd:dd.ddd+dddd";
    let fits = bytes.iter().zip(shape).all(|(byte, want)| match want {
        b'd' => byte.is_ascii_digit(),
        b'+' => matches!(byte, b'+' | b'-'),
        b'.' => matches!(byte, b'.' | b','),
        _ => byte == want,
    });
    if !fits {
        return None;
    }
    let number = |from: usize, to: usize| {
        bytes[from..to].iter().fold(0, |sum, digit| 10 * sum + i64::from(digit - b'0'))
    };
    let days = days(number(0, 4), number(5, 7), number(8, 10))?;
    let (hour, minute, second) = (number(11, 13), number(14, 16), number(17, 19));
    let offset = 60 * number(24, 26) + number(26, 28);
    let offset = if bytes[23] == b'-' { -offset } else { offset };
    let minutes = 24 * 60 * days + 60 * hour + minute - offset;
    Some(Timestamp::from_millis((60 * minutes + second) * 1000 + number(20, 23)))
}

/// Days since 1970 of a date of the Gregorian calendar: years begin in March, so that the leap day
/// is their last (H. Hinnant, "chrono-compatible low-level date algorithms").
fn days(year: i64, month: i64, day: i64) -> Option<i64> {
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let year = if month > 2 { year } else { year - 1 };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    Some(era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_decoration_with_a_time_is_read() {
        let check = |text: &str, uptime, wall: Option<i64>| {
            let mut stamp = Stamp::default();
            stamp.decoration(text);
            let want = Stamp { uptime, wall: wall.map(Timestamp::from_millis) };
            assert_eq!(stamp, want, "{text}");
        };
        check("2.698s", Some(2.698), None);
        check("2,698s", Some(2.698), None);
        check("2698ms", Some(2.698), None);
        check("1668080252125ms", None, Some(1_668_080_252_125));
        check("2698000000ns", Some(2.698), None);
        check("2022-11-10T03:37:32.125-0800", None, Some(1_668_080_252_125));
        for text in ["info", "gc,start     ", "s", "-1s", "2022-13-10T03:37:32.125-0800"] {
            check(text, None, None);
        }
    }

    #[test]
    fn what_stands_before_a_record_is_its_moment() {
        let check = |text: &str, uptime, wall: Option<i64>| {
            let want = Stamp { uptime, wall: wall.map(Timestamp::from_millis) };
            assert_eq!(Stamp::before(text), want, "{text}");
        };
        let at = Some(1_417_242_235_892);
        check("2014-11-29T06:23:55.892+0000: 126.838: ", Some(126.838), at);
        check("2014-11-29T06:23:55.892+0000: ", None, at);
        check("126,838: ", Some(126.838), None);
        check("[CMS-concurrent-mark: 0.1 secs]126.838: ", Some(126.838), None);
        check("\u{e9}126.838: ", Some(126.838), None);
        check("126.838 ", None, None);
        check("", None, None);
    }
}
