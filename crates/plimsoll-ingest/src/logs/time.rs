//! The time at the begin of a line of a log, in the forms that loggers, journald and dmesg write.
//! A time without a zone is taken as UTC. Seconds since boot are no time: nobody tells of when.

use jiff::civil::DateTime;
use plimsoll_model::Timestamp;

use crate::moment;

/// Unix seconds below this are a count of something else.
const UNIX_SECS_MIN: f64 = 1e9;

/// What stands in brackets and is this long is no time.
const DMESG_BYTES_MAX: usize = 40;

pub(super) fn leading(line: &str) -> Option<Timestamp> {
    let line = line.trim_start();
    let line = line.strip_prefix('[').unwrap_or(line).trim_start();
    of_dmesg(line).or_else(|| of_iso(line)).or_else(|| of_unix(line))
}

/// `Thu May 28 20:26:40 2026]`, by `dmesg -T`.
fn of_dmesg(line: &str) -> Option<Timestamp> {
    let (text, _) = line.split_once(']').filter(|(text, _)| text.len() < DMESG_BYTES_MAX)?;
    let (_, date) = text.split_once(' ')?;
    let date = date.split_whitespace().collect::<Vec<_>>().join(" ");
    utc(DateTime::strptime("%b %d %H:%M:%S %Y", date).ok()?)
}

/// `2026-05-28T20:26:40+00:00`, with a space for the `T`, a comma before the fraction, a zone
/// without its colon, or no zone.
fn of_iso(line: &str) -> Option<Timestamp> {
    let (date, rest) = line.split_at_checked(10)?;
    let rest = rest.strip_prefix(['T', ' '])?;
    let ends = |c: char| !(c.is_ascii_digit() || matches!(c, ':' | '.' | ',' | '+' | '-' | 'Z'));
    let time = rest.split(ends).next()?.trim_end_matches(['.', ',', ':', '-']);
    let time = time.replace(',', ".");
    let (clock, zone) = match time.find(['Z', '+', '-']) {
        Some(at) => time.split_at(at),
        None => (time.as_str(), ""),
    };
    let zone = match zone.as_bytes() {
        [] => "Z".to_owned(),
        [_, _, _, _, _] => format!("{}:{}", zone.get(..3)?, zone.get(3..)?),
        _ => zone.to_owned(),
    };
    let text = format!("{date}T{clock}{zone}");
    moment::parse(&text).ok()
}

fn of_unix(line: &str) -> Option<Timestamp> {
    let word = line.split(|c: char| !(c.is_ascii_digit() || c == '.')).next()?;
    let secs: f64 = word.parse().ok()?;
    (secs >= UNIX_SECS_MIN).then(|| moment::from_unix_secs(secs).ok()).flatten()
}

fn utc(date: DateTime) -> Option<Timestamp> {
    let moment = date.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp();
    (moment.as_millisecond() >= 0).then(|| Timestamp::from_millis(moment.as_millisecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_forms_of_loggers_journald_and_dmesg_are_read() {
        let check = |line: &str| {
            assert_eq!(leading(line), Some(Timestamp::from_secs(1_780_000_000)), "{line}");
        };
        check("2026-05-28T20:26:40Z host kernel: x");
        check("2026-05-28T20:26:40+0000 host kernel: x");
        check("2026-05-28T22:26:40+02:00 x");
        check("2026-05-28 20:26:40,000 ERROR x");
        check("[2026-05-28 20:26:40] x");
        check("2026-05-28 20:26:40.000-0000: x");
        check("1780000000.000 host kernel: x");
        check("[Thu May 28 20:26:40 2026] x");
        check("  2026-05-28 20:26:40");
        // Wherever a character of several bytes stands behind the time.
        for before in 0..20 {
            check(&format!("[Thu May 28 20:26:40 2026] {}\u{20ac}\u{e9} x", "x".repeat(before)));
        }
    }

    #[test]
    fn what_is_no_time_is_none() {
        let check = |line: &str| assert_eq!(leading(line), None, "{line}");
        check("[ 1381.123456] Killed process 1");
        check("May 28 20:26:40 host kernel: the year is not told");
        check("at com.shop.Order(Order.java:12)");
        check("2026-13-45 20:26:40 x");
        check("\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}");
        check("");
    }
}
