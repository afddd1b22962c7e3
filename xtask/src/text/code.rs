//! Rust source without its comments and literals, and as tokens with line numbers.

/// One identifier, number, `::`, or any other single character that is not a space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Token<'a> {
    pub(crate) text: &'a str,
    pub(crate) line: usize,
}

/// The text with comments and the contents of string and character literals replaced by spaces.
/// Line breaks stay, so line numbers do too.
pub(crate) fn blanked(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        match literal_or_comment(&bytes[at..], at.checked_sub(1).map(|before| bytes[before])) {
            Some(length) => {
                let hidden = &bytes[at..bytes.len().min(at + length)];
                out.extend(hidden.iter().map(|byte| if *byte == b'\n' { b'\n' } else { b' ' }));
                at += length;
            }
            None => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8(out).expect("whole literals and comments are replaced by spaces")
}

/// The tokens of blanked source.
pub(crate) fn tokens(code: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    for (index, line) in code.lines().enumerate() {
        let mut rest = line.trim_start();
        while let Some(first) = rest.chars().next() {
            let length = match first {
                _ if is_word(first) => rest.find(|c| !is_word(c)).unwrap_or(rest.len()),
                ':' if rest.starts_with("::") => 2,
                _ => first.len_utf8(),
            };
            let (text, after) = rest.split_at(length);
            tokens.push(Token { text, line: index + 1 });
            rest = after.trim_start();
        }
    }
    tokens
}

/// The position of the bracket that closes the one at `open`, or the last token.
pub(crate) fn closing(tokens: &[Token<'_>], open: usize) -> usize {
    let mut depth = 0usize;
    for (index, token) in tokens.iter().enumerate().skip(open) {
        match token.text {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return index;
        }
    }
    tokens.len().saturating_sub(1)
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The length of the comment or literal that starts here, if one does.
fn literal_or_comment(rest: &[u8], before: Option<u8>) -> Option<usize> {
    let after_word = before.is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    match rest {
        [b'/', b'/', ..] => Some(position(rest, b'\n').unwrap_or(rest.len())),
        [b'/', b'*', ..] => Some(block_comment(rest)),
        [b'"', ..] => Some(quoted(rest, b'"')),
        [b'b' | b'c', b'r', b'"' | b'#', ..] if !after_word => {
            raw_string(&rest[2..]).map(|length| length + 2)
        }
        [b'r', b'"' | b'#', ..] if !after_word => raw_string(&rest[1..]).map(|length| length + 1),
        [b'\'', ..] => character(rest),
        _ => None,
    }
}

fn position(rest: &[u8], wanted: u8) -> Option<usize> {
    rest.iter().position(|byte| *byte == wanted)
}

fn block_comment(rest: &[u8]) -> usize {
    let mut depth = 0usize;
    let mut at = 0;
    while at < rest.len() {
        match &rest[at..] {
            [b'/', b'*', ..] => {
                depth += 1;
                at += 2;
            }
            [b'*', b'/', ..] => {
                depth -= 1;
                at += 2;
            }
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

fn quoted(rest: &[u8], quote: u8) -> usize {
    let mut at = 1;
    while at < rest.len() && rest[at] != quote {
        at += if rest[at] == b'\\' { 2 } else { 1 };
    }
    (at + 1).min(rest.len())
}

/// From the first `#` or `"` on; none for a raw identifier such as `r#type`.
fn raw_string(rest: &[u8]) -> Option<usize> {
    let hashes = rest.iter().take_while(|byte| **byte == b'#').count();
    if rest.get(hashes) != Some(&b'"') {
        return None;
    }
    let end = [&b"\""[..], &rest[..hashes]].concat();
    let body = &rest[hashes + 1..];
    let length = body.windows(end.len()).position(|window| window == end);
    Some(length.map_or(rest.len(), |length| hashes + 1 + length + end.len()))
}

/// A character literal; none for a lifetime, whose quote has no partner right after one character.
fn character(rest: &[u8]) -> Option<usize> {
    if rest.get(1) == Some(&b'\\') {
        return Some(quoted(rest, b'\''));
    }
    let width = match rest.get(1)? {
        0..=0x7f => 1,
        0x80..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xff => 4,
    };
    (rest.get(1 + width) == Some(&b'\'')).then_some(width + 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(source: &str, expected: &[&str]) {
        let code = blanked(source);
        let found: Vec<&str> = tokens(&code).into_iter().map(|token| token.text).collect();
        assert_eq!(found, expected, "{source}");
    }

    #[test]
    fn comments_are_not_code() {
        check("a // b {\nc /* d /* e */ f */ g", &["a", "c", "g"]);
    }

    #[test]
    fn literals_are_not_code() {
        check(
            r#"x("{ \" }", '{', '\'', b'}', "\\") y"#,
            &["x", "(", ",", ",", ",", "b", ",", ")", "y"],
        );
        check("r#\"a \" } \"# b br\"}\" c", &["b", "c"]);
    }

    #[test]
    fn lifetimes_and_raw_identifiers_are_code() {
        check("&'a str, r#type", &["&", "'", "a", "str", ",", "r", "#", "type"]);
    }

    #[test]
    fn lines_are_kept_across_a_literal_of_several_lines() {
        let code = blanked("\"a\nb\"\nfn x");
        assert_eq!(tokens(&code)[0], Token { text: "fn", line: 3 });
    }

    #[test]
    fn an_unfinished_literal_ends_with_the_file() {
        check("a \"b", &["a"]);
        check("a /* b", &["a"]);
        check("a r#\"b\"", &["a"]);
    }

    #[test]
    fn a_bracket_is_closed_by_its_partner() {
        let tokens = tokens("f ( [ ] { ( ) } ) x");
        assert_eq!(tokens[closing(&tokens, 1)].text, ")");
        assert_eq!(closing(&tokens, 1), tokens.len() - 2);
    }
}
