//! Spans of time as people write them on a command line.

use plimsoll_model::Span;

/// `90s`, `15m`, `36h`, `7d`, `2w`.
pub(crate) fn span(text: &str) -> Result<Span, String> {
    const WRONG: &str = "write a number and a unit of s, m, h, d or w, as 7d";
    let unit = text.chars().last().ok_or(WRONG)?;
    let secs = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        'w' => 7 * 86_400,
        _ => return Err(WRONG.into()),
    };
    let count: u32 = text.strip_suffix(unit).unwrap_or_default().parse().map_err(|_| WRONG)?;
    if count == 0 { Err(WRONG.into()) } else { Ok(Span::from_secs(i64::from(count) * secs)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_as_people_write_them() {
        let check = |text: &str, want: Option<i64>| {
            assert_eq!(span(text).ok(), want.map(Span::from_secs), "{text}");
        };
        check("90s", Some(90));
        check("7d", Some(604_800));
        check("2w", Some(1_209_600));
        for wrong in ["", "7", "d", "-1h", "0h", "1.5h", "7y", "99999999999d", "7\u{e4}"] {
            check(wrong, None);
        }
    }
}
