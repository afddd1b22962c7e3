//! What all shapes share: how a time, a name and a number are written and read back, and the one
//! error of reading. Not a shape itself.

use std::str::FromStr;

use plimsoll_model::{Digest, IdError, Metric, Timestamp};

/// Longest piece of foreign text that an error repeats, in characters: a hostile body must not be
/// able to fill a log.
const QUOTED_CHARS_MAX: usize = 80;

/// Why a shape is not the noun that it claims to be. `field` is the path in the JSON.
#[derive(Debug, thiserror::Error)]
pub enum ShapeError {
    #[error("field `{field}` is not a name: `{text}`")]
    Name { field: &'static str, text: String, source: IdError },
    #[error("field `{field}` is not a digest: `{text}`")]
    Digest { field: &'static str, text: String, source: IdError },
    #[error("field `{field}` is not an RFC 3339 time: `{text}`")]
    Time { field: &'static str, text: String, source: jiff::Error },
    #[error("field `{field}` is not a number that can be used: {number}")]
    Number { field: &'static str, number: f64 },
    #[error("field `{field}` holds `{text}`, which this version of plimsoll does not know")]
    Unknown { field: &'static str, text: String },
    #[error("field `{field}` does not match what it was computed from, so it was altered")]
    Altered { field: &'static str },
    #[error(
        "field `{field}` says format {found}, and this version of plimsoll reads up to {newest}"
    )]
    Format { field: &'static str, found: u32, newest: u32 },
}

/// RFC 3339 in UTC with milliseconds. A moment outside the years -9999 to 9999 is written as the
/// nearest one inside: it can only come from saturated arithmetic, where it stands for "never".
pub fn format_time(at: Timestamp) -> String {
    let end = if at.as_millis() < 0 { jiff::Timestamp::MIN } else { jiff::Timestamp::MAX };
    let moment = jiff::Timestamp::from_millisecond(at.as_millis()).unwrap_or(end);
    format!("{moment:.3}")
}

pub(crate) fn format_time_opt(at: Option<Timestamp>) -> Option<String> {
    at.map(format_time)
}

pub(crate) fn time(field: &'static str, text: &str) -> Result<Timestamp, ShapeError> {
    match text.parse::<jiff::Timestamp>() {
        Ok(moment) => Ok(Timestamp::from_millis(moment.as_millisecond())),
        Err(source) => Err(ShapeError::Time { field, text: clip(text), source }),
    }
}

pub(crate) fn time_opt(
    field: &'static str,
    text: Option<&str>,
) -> Result<Option<Timestamp>, ShapeError> {
    text.map(|text| time(field, text)).transpose()
}

pub(crate) fn name<T>(field: &'static str, text: &str) -> Result<T, ShapeError>
where
    T: FromStr<Err = IdError>,
{
    text.parse().map_err(|source| ShapeError::Name { field, text: clip(text), source })
}

pub(crate) fn name_opt<T>(field: &'static str, text: Option<&str>) -> Result<Option<T>, ShapeError>
where
    T: FromStr<Err = IdError>,
{
    text.map(|text| name(field, text)).transpose()
}

pub(crate) fn names<T>(field: &'static str, texts: &[String]) -> Result<Vec<T>, ShapeError>
where
    T: FromStr<Err = IdError>,
{
    texts.iter().map(|text| name(field, text)).collect()
}

pub(crate) fn digest(field: &'static str, text: &str) -> Result<Digest, ShapeError> {
    text.parse().map_err(|source| ShapeError::Digest { field, text: clip(text), source })
}

pub(crate) fn metric(field: &'static str, text: &str) -> Result<Metric, ShapeError> {
    text.parse().map_err(|_| ShapeError::Unknown { field, text: clip(text) })
}

/// JSON has no NaN and no infinity, and the model promises neither. Should a bug bring one, the
/// record is written with the nearest number that says as little as possible.
pub(crate) fn finite(number: f64) -> f64 {
    if number.is_nan() { 0.0 } else { number.clamp(f64::MIN, f64::MAX) }
}

pub(crate) fn clip(text: &str) -> String {
    match text.char_indices().nth(QUOTED_CHARS_MAX) {
        Some((end, _)) => format!("{}...", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// Reads a list of shapes back.
pub(crate) fn all<S, T>(shapes: Vec<S>) -> Result<Vec<T>, ShapeError>
where
    T: TryFrom<S, Error = ShapeError>,
{
    shapes.into_iter().map(T::try_from).collect()
}

/// Reads a shape that may be missing back.
pub(crate) fn maybe<S, T>(shape: Option<S>) -> Result<Option<T>, ShapeError>
where
    T: TryFrom<S, Error = ShapeError>,
{
    shape.map(T::try_from).transpose()
}

/// Writes a list of names.
pub(crate) fn texts<T: ToString>(names: &[T]) -> Vec<String> {
    names.iter().map(ToString::to_string).collect()
}

/// Writes a name that may be missing.
pub(crate) fn text_opt<T: ToString>(name: Option<&T>) -> Option<String> {
    name.map(ToString::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_written_in_utc_with_milliseconds_and_read_back() {
        let check = |millis: i64, want: &str| {
            let at = Timestamp::from_millis(millis);
            assert_eq!(format_time(at), want);
            assert_eq!(time("at", want).unwrap(), at);
        };
        check(0, "1970-01-01T00:00:00.000Z");
        check(1_780_000_000_123, "2026-05-28T20:26:40.123Z");
        check(-1, "1969-12-31T23:59:59.999Z");
    }

    #[test]
    fn a_moment_beyond_the_calendar_is_written_as_its_end() {
        let text = format_time(Timestamp::from_millis(i64::MAX));
        assert!(text.starts_with("9999-12-3"), "{text}");
        assert!(time("at", &format_time(Timestamp::from_millis(i64::MIN))).is_ok());
    }

    #[test]
    fn an_error_names_its_field_and_repeats_only_a_piece_of_the_text() {
        let error = time("incident.opened_at", &"x".repeat(5000)).unwrap_err().to_string();
        assert!(error.starts_with("field `incident.opened_at` is not"), "{error}");
        assert!(error.len() < 200, "{error}");
    }
}
