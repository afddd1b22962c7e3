//! A metric's name as a text of Prometheus: `name` or `name{label="value",...}`. Only this form;
//! not the exposition format. Used where a column or an argument holds a name.

use crate::rejection::{Reason, Rejection};

/// Labels that a name may carry. Prometheus itself warns at 30.
const LABELS_MAX: usize = 64;

/// A name with its labels, borrowed from the text.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct SourceName<'a> {
    pub(crate) name: &'a str,
    pub(crate) labels: Vec<(&'a str, &'a str)>,
}

pub(crate) fn parse(text: &str) -> Result<SourceName<'_>, Rejection> {
    let text = text.trim();
    let Some((name, rest)) = text.split_once('{') else {
        return Ok(SourceName { name: text, labels: Vec::new() });
    };
    let malformed = || Rejection::new(Reason::Unreadable, &format!("the labels of {text}"));
    let mut rest = rest.trim_end().strip_suffix('}').ok_or_else(malformed)?.trim();
    let mut labels = Vec::new();
    while !rest.is_empty() {
        let (label, after) = label(rest).ok_or_else(malformed)?;
        if labels.len() == LABELS_MAX {
            return Err(Rejection::new(Reason::TooManyAttributes, name));
        }
        labels.push(label);
        rest = after;
    }
    Ok(SourceName { name: name.trim(), labels })
}

/// `key="value"` and what follows its comma. Escapes inside a value are left as they are: no
/// condition of the catalogue holds a quote, a backslash or a line end.
fn label(text: &str) -> Option<((&str, &str), &str)> {
    let (key, rest) = text.split_once('=')?;
    let rest = rest.trim_start().strip_prefix('"')?;
    let mut escaped = false;
    let end = rest.find(|character: char| {
        let closes = character == '"' && !escaped;
        escaped = character == '\\' && !escaped;
        closes
    })?;
    let (value, rest) = rest.split_at(end);
    let rest = rest.strip_prefix('"')?.trim_start();
    let rest = rest.strip_prefix(',').or_else(|| rest.is_empty().then_some(rest))?;
    Some(((key.trim(), value), rest.trim_start()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_read_with_and_without_labels() {
        let check = |text: &str, name: &str, labels: &[(&str, &str)]| {
            assert_eq!(parse(text), Ok(SourceName { name, labels: labels.to_vec() }), "{text}");
        };
        check("process.fds", "process.fds", &[]);
        check("a{}", "a", &[]);
        check(r#"a{area="heap"}"#, "a", &[("area", "heap")]);
        check(r#"a{x="1,2}", y="q\"q",}"#, "a", &[("x", "1,2}"), ("y", r#"q\"q"#)]);
    }

    #[test]
    fn malformed_labels_are_refused() {
        for text in ["a{", "a{b}", "a{b=c}", r#"a{b="c}"#, r#"a{b="c"d="e"}"#] {
            assert_eq!(parse(text).unwrap_err().reason, Reason::Unreadable, "{text}");
        }
        let many = format!("a{{{}}}", r#"b="c","#.repeat(65));
        assert_eq!(parse(&many).unwrap_err().reason, Reason::TooManyAttributes);
    }
}
