//! Canonical JSON: one text for one value, so that a digest over it can be checked by anybody.
//!
//! It is RFC 8785 (keys in UTF-16 order, no spaces, shortest ECMAScript numbers), except that
//! integers are printed in full even beyond 2^53: counts of bytes must not be rounded. Numbers are
//! printed here and not by `serde_json`, so that its next release cannot change a digest.

use std::fmt::Write as _;

use serde::Serialize;
use serde_json::{Number, Value};

/// Integral doubles up to this are printed without a fraction: 2^53, the last one that has an
/// exact neighbour.
const INTEGRAL_MAX: f64 = 9_007_199_254_740_992.0;

/// The canonical text of a value.
pub fn canonical(value: &Value) -> String {
    let mut text = String::new();
    write_value(&mut text, value);
    text
}

/// The canonical text of a shape. Shapes hold only what JSON can hold (text keys, finite numbers),
/// so this cannot fail for a shape of this crate.
pub fn text_of(shape: &impl Serialize) -> String {
    canonical(&value_of(shape))
}

pub(crate) fn value_of(shape: &impl Serialize) -> Value {
    serde_json::to_value(shape).expect("shapes have text keys and serialise without own code")
}

fn write_value(text: &mut String, value: &Value) {
    match value {
        Value::Null => text.push_str("null"),
        Value::Bool(truth) => text.push_str(if *truth { "true" } else { "false" }),
        Value::Number(number) => write_number(text, number),
        Value::String(string) => write_string(text, string),
        Value::Array(items) => {
            text.push('[');
            for (index, item) in items.iter().enumerate() {
                separate(text, index);
                write_value(text, item);
            }
            text.push(']');
        }
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_by(|(a, _), (b, _)| a.encode_utf16().cmp(b.encode_utf16()));
            text.push('{');
            for (index, (key, item)) in fields.into_iter().enumerate() {
                separate(text, index);
                write_string(text, key);
                text.push(':');
                write_value(text, item);
            }
            text.push('}');
        }
    }
}

fn separate(text: &mut String, index: usize) {
    if index > 0 {
        text.push(',');
    }
}

/// `serde_json` escapes strings exactly as RFC 8785 wants it: the two-character escapes, and four
/// lower-case digits for the other control characters.
fn write_string(text: &mut String, string: &str) {
    text.push_str(&Value::from(string).to_string());
}

fn write_number(text: &mut String, number: &Number) {
    let float = match (number.as_u64(), number.as_i64(), number.as_f64()) {
        (Some(whole), _, _) => return append(text, whole),
        (None, Some(whole), _) => return append(text, whole),
        (None, None, float) => float.unwrap_or(0.0),
    };
    let size = float.abs();
    if size <= INTEGRAL_MAX && float.fract() == 0.0 {
        append(text, float as i64);
    } else if (1e-6..1e21).contains(&size) {
        append(text, float);
    } else {
        let digits = format!("{float:e}");
        text.push_str(&if size < 1.0 { digits } else { digits.replace('e', "e+") });
    }
}

fn append(text: &mut String, part: impl std::fmt::Display) {
    write!(text, "{part}").expect("a String takes everything");
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn check(value: &Value, want: &str) {
        assert_eq!(canonical(value), want);
    }

    #[test]
    fn keys_are_sorted_and_nothing_is_added() {
        check(
            &json!({"b": [1, {"z": null, "a": true}], "a": "x y"}),
            r#"{"a":"x y","b":[1,{"a":true,"z":null}]}"#,
        );
        check(&json!({"\u{fb33}": 1, "\u{1f600}": 2}), "{\"\u{1f600}\":2,\"\u{fb33}\":1}");
    }

    #[test]
    fn numbers_are_the_examples_of_rfc_8785() {
        check(&json!(333_333_333.333_333_3), "333333333.3333333");
        check(&json!(1e30), "1e+30");
        check(&json!(4.50), "4.5");
        check(&json!(2e-3), "0.002");
        check(&json!(0.000000000000000000000000001), "1e-27");
        check(&json!(-0.0), "0");
        check(&json!(1.0), "1");
        check(&json!(1e20), "100000000000000000000");
        check(&json!(u64::MAX), "18446744073709551615");
        check(&json!(i64::MIN), "-9223372036854775808");
    }

    #[test]
    fn text_is_escaped_as_little_as_possible() {
        check(&json!("\"\\/\n\u{1}\u{e9}"), "\"\\\"\\\\/\\n\\u0001\u{e9}\"");
    }

    proptest! {
        #[test]
        fn reading_a_canonical_text_and_writing_it_again_changes_nothing(
            number in any::<f64>().prop_filter("JSON holds finite numbers", |n| n.is_finite()),
            text in ".*",
            whole in any::<i64>(),
        ) {
            let once = canonical(&json!({"n": number, "t": text, "w": whole}));
            let read: Value = serde_json::from_str(&once).unwrap();
            prop_assert_eq!(canonical(&read), once);
        }
    }
}
