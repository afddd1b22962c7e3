//! Pieces of a statement: what is assigned, what is called with what, and who is mentioned.
//!
//! Works on text without comments and with empty texts, so that a bracket is a bracket.

use super::Language;

/// A name, or a way down from one: `r.openSessions[token]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::profile) struct Target {
    /// Names from the outermost in; what stands in brackets is left out.
    pub(in crate::profile) path: Vec<String>,
    /// Whether it ends in brackets.
    pub(in crate::profile) is_indexed: bool,
}

/// The lines of a source without comments, with texts emptied to `""`. Of a long line only so many
/// bytes are kept; a text that ends behind them ends all the same.
pub(super) fn bare(source: &str, language: Language, line_max: usize, mut keep: impl FnMut(&str)) {
    let mut open: Option<&'static str> = None;
    for line in source.lines() {
        let bare = bare_line(line, language, &mut open);
        keep(bare[..bare.floor_char_boundary(line_max.min(bare.len()))].trim_end());
    }
}

/// Marks that begin and end a text. Longer ones first.
const fn quotes(language: Language) -> &'static [&'static str] {
    match language {
        Language::Go => &["\"", "'", "`"],
        Language::Python => &["\"\"\"", "'''", "\"", "'"],
    }
}

/// `open` is the mark of a text that began in an earlier line and goes on.
fn bare_line(line: &str, language: Language, open: &mut Option<&'static str>) -> String {
    let (comment, goes_on): (&str, fn(&str) -> bool) = match language {
        Language::Go => ("//", |quote| quote == "`"),
        Language::Python => ("#", |quote| quote.len() == 3),
    };
    let mut kept = String::new();
    let mut rest = line;
    while let Some(first) = rest.chars().next() {
        if let Some(quote) = *open {
            if rest.starts_with(quote) {
                *open = None;
                kept.push('"');
                rest = &rest[quote.len()..];
            } else {
                let escaped = first == '\\' && quote != "`";
                let skipped = rest.chars().take(1 + usize::from(escaped)).map(char::len_utf8);
                rest = &rest[skipped.sum()..];
            }
        } else if rest.starts_with(comment) {
            break;
        } else if let Some(quote) = quotes(language).iter().find(|quote| rest.starts_with(**quote))
        {
            *open = Some(quote);
            kept.push('"');
            rest = &rest[quote.len()..];
        } else {
            kept.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    if open.is_some_and(|quote| !goes_on(quote)) {
        *open = None;
        kept.push('"');
    }
    kept.truncate(kept.trim_end().len());
    kept
}

fn is_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Whether a variable of this name stands in the text: not as a field, nor as the key of one.
pub(in crate::profile) fn mentions(text: &str, name: &str) -> bool {
    uses(text, name).next().is_some()
}

/// What follows each place in which a variable of this name stands.
pub(in crate::profile) fn uses<'a>(text: &'a str, name: &'a str) -> impl Iterator<Item = &'a str> {
    text.match_indices(name).filter_map(move |(at, _)| {
        let before = text[..at].chars().next_back();
        let after = &text[at + name.len()..];
        let next = after.chars().next();
        let is_part = before.is_some_and(|c| is_name(c) || c == '.') || next.is_some_and(is_name);
        let is_key = next == Some(':') && !after.starts_with(":=") && !after.starts_with(":]");
        (!name.is_empty() && !is_part && !is_key).then_some(after)
    })
}

/// Offsets at which no bracket is open, with their characters.
fn outside(text: &str) -> impl Iterator<Item = (usize, char)> {
    let mut depth = 0_i32;
    text.char_indices().filter(move |(_, c)| {
        let closes = matches!(c, ')' | ']' | '}');
        let opens = matches!(c, '(' | '[' | '{');
        depth -= i32::from(closes);
        let is_outside = depth == 0 && !opens && !closes;
        depth += i32::from(opens);
        is_outside
    })
}

/// The parts of a text between commas outside of brackets.
fn listed(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut start = 0;
    for (at, _) in outside(text).filter(|(_, c)| *c == ',') {
        parts.push(text[start..at].trim());
        start = at + 1;
    }
    parts.push(text[start..].trim());
    parts.retain(|part| !part.is_empty());
    parts
}

/// What is assigned to whom: targets, and the value. In Python also what `with` and `for` name.
pub(in crate::profile) fn assignment(text: &str, language: Language) -> Option<(Vec<&str>, &str)> {
    let text = match language {
        Language::Go => {
            let starts = ["} else if ", "if ", "switch ", "for ", "case ", "var "];
            let start = starts.iter().find_map(|start| text.strip_prefix(start));
            start.unwrap_or(text)
        }
        Language::Python => {
            let text = text.strip_prefix("async ").unwrap_or(text).trim_end_matches(':');
            if let Some((value, name)) =
                text.strip_prefix("with ").and_then(|text| text.rsplit_once(" as "))
            {
                return Some((listed(name), value));
            }
            if let Some((name, value)) =
                text.strip_prefix("for ").and_then(|text| text.split_once(" in "))
            {
                return Some((listed(name), value));
            }
            text
        }
    };
    let bytes = text.as_bytes();
    let at = |at: usize| bytes.get(at).copied().unwrap_or(b' ');
    let is_equals = |(place, c): &(usize, char)| {
        let before = if *place == 0 { b' ' } else { at(place - 1) };
        *c == '=' && at(place + 1) != b'=' && !matches!(before, b'=' | b'!' | b'<' | b'>')
    };
    let signs: Vec<usize> = outside(text).filter(is_equals).map(|(place, _)| place).collect();
    let (first, last) = (*signs.first()?, *signs.last()?);
    // Only Python assigns one value to several in a row.
    let last = if language == Language::Python { last } else { first };
    let mut targets = Vec::new();
    let mut start = 0;
    for sign in signs.into_iter().filter(|sign| *sign <= last) {
        let names = text[start..sign].trim_end_matches([':', '+', '|', '-', '*', '&']);
        targets.extend(listed(names).into_iter().map(|name| without_type(name, language)));
        start = sign + 1;
    }
    Some((targets, text[start..].trim()))
}

/// `name: type` of Python, and `name type` behind Go's `var`.
fn without_type(name: &str, language: Language) -> &str {
    let mark = if language == Language::Python { ':' } else { ' ' };
    let end = outside(name).find(|(_, c)| *c == mark).map_or(name.len(), |(at, _)| at);
    name[..end].trim()
}

/// The way that a text is, if it is nothing else.
pub(in crate::profile) fn place(text: &str) -> Option<Target> {
    let mut rest = text.trim().trim_start_matches(['*', '&']);
    let mut target = Target { path: Vec::new(), is_indexed: false };
    loop {
        let length = rest.find(|c| !is_name(c)).unwrap_or(rest.len());
        if length == 0 || rest.starts_with(|c: char| c.is_numeric()) {
            return None;
        }
        target.path.push(rest[..length].to_owned());
        target.is_indexed = false;
        rest = &rest[length..];
        while rest.starts_with('[') {
            rest = &rest[matching(rest)? + 1..];
            target.is_indexed = true;
        }
        match rest.strip_prefix('.') {
            Some(further) => rest = further,
            None => return rest.trim().is_empty().then_some(target),
        }
    }
}

/// Where the bracket that the text begins with is closed.
fn matching(text: &str) -> Option<usize> {
    let mut depth = 0_i32;
    for (at, c) in text.char_indices() {
        depth += i32::from(matches!(c, '(' | '[' | '{')) - i32::from(matches!(c, ')' | ']' | '}'));
        if depth == 0 {
            return Some(at);
        }
    }
    None
}

/// Who is called, and with what, where a text is a call and nothing else.
pub(in crate::profile) fn call(text: &str) -> Option<(Vec<String>, &str)> {
    let text = text.trim();
    let mut open = Vec::new();
    let mut last = None;
    for (at, c) in text.char_indices() {
        match c {
            '(' | '[' | '{' => open.push((at, c)),
            ')' | ']' | '}' => last = open.pop().map(|opened| (opened, at)),
            _ => {}
        }
    }
    let ((start, '('), end) = last? else { return None };
    if end + 1 != text.len() {
        return None;
    }
    let callee = place(&text[..start]).filter(|callee| !callee.is_indexed)?;
    Some((callee.path, &text[start + 1..end]))
}

/// What follows the call whose arguments a text begins with, bracket included.
pub(in crate::profile) fn after_arguments(text: &str) -> &str {
    matching(text).map_or("", |end| &text[end + 1..])
}

/// Calls of one function in one statement that are looked at.
const CALLS_MAX: usize = 16;

/// The arguments of each call of a function in a text.
pub(in crate::profile) fn argument_lists<'a>(
    text: &'a str,
    function: &'a str,
) -> impl Iterator<Item = Vec<&'a str>> {
    let calls = text.match_indices(function).filter_map(|(at, _)| {
        let before = text[..at].chars().next_back();
        let rest = &text[at + function.len()..];
        (!before.is_some_and(is_name) && rest.starts_with('(')).then_some(rest)
    });
    calls.take(CALLS_MAX).filter_map(|rest| Some(listed(&rest[1..matching(rest)?])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_and_comments_are_left_out() {
        let check = |line: &str, language, want: &str| {
            let mut found = Vec::new();
            bare(line, language, 1000, |line| found.push(line.to_owned()));
            assert_eq!(found.join("|"), want);
        };
        check("a = \"x = (\" // b", Language::Go, "a = \"\"");
        check("a := `(\n[`; b", Language::Go, "a := \"|\"; b");
        check("a = '#' + f\"{b}\"  # c", Language::Python, "a = \"\" + f\"\"");
        check("\"\"\"one\ntwo = [\n\"\"\"", Language::Python, "\"||\"");
        check("a = 'it\\'s' + b", Language::Python, "a = \"\" + b");
        check("a = \"torn", Language::Python, "a = \"\"");
    }

    #[test]
    fn assignments_have_targets_and_a_value() {
        let check = |text: &str, language, want: &[&str], value: &str| {
            assert_eq!(assignment(text, language), Some((want.to_vec(), value)), "{text}");
        };
        check("file, err := os.Open(path)", Language::Go, &["file", "err"], "os.Open(path)");
        check("if v, ok := m[k]; !ok {", Language::Go, &["v", "ok"], "m[k]; !ok {");
        check("var held []int = make([]int, 3)", Language::Go, &["held"], "make([]int, 3)");
        check("self.a = self.b = C()", Language::Python, &["self.a", "self.b"], "C()");
        check("held: list[int] = []", Language::Python, &["held"], "[]");
        check("with open(p) as file:", Language::Python, &["file"], "open(p)");
        check("total += grow(a=1)", Language::Python, &["total"], "grow(a=1)");
        assert_eq!(assignment("f(a=1)", Language::Python), None);
        assert_eq!(assignment("if a == b:", Language::Python), None);
    }

    #[test]
    fn ways_and_calls_are_taken_apart() {
        let found = place("r.openSessions[f(a)[0]]").unwrap();
        assert_eq!((found.path.join("."), found.is_indexed), ("r.openSessions".into(), true));
        assert_eq!(place("self.get().x"), None);
        assert_eq!(place("a + b"), None);
        let (callee, arguments) = call("self.seen.append(f(1))").unwrap();
        assert_eq!((callee.join("."), arguments), ("self.seen.append".into(), "f(1)"));
        assert_eq!(call("(a if b else c)(d)"), None);
        assert_eq!(call("f(a) + g(b)"), None);
        assert_eq!(call("f(a))"), None);
        // By the square of its length this would take minutes.
        assert_eq!(call(&"f(".repeat(500_000)), None);
        let lists: Vec<_> = argument_lists("x = text(\"\", 1) + my_text(2)", "text").collect();
        assert_eq!(lists, [vec!["\"\"", "1"]]);
        assert_eq!(after_arguments("(a, (b)).c"), ".c");
    }

    #[test]
    fn a_variable_is_no_field_and_no_key() {
        assert!(mentions("q.cache[item] = offer", "offer"));
        assert!(!mentions("q.offer = offers", "offer"));
        assert!(!mentions("Link{event: make()}", "event"));
    }
}
