//! What a Markdown document claims about the repository: code spans, code lines, link targets.

/// A piece of a document, with its line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Piece<'a> {
    pub(crate) text: &'a str,
    pub(crate) line: usize,
}

/// The pieces that the rules look at.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Markdown<'a> {
    /// `code` between backticks in prose.
    pub(crate) spans: Vec<Piece<'a>>,
    /// Lines of fenced blocks, and lines indented by four spaces.
    pub(crate) code_lines: Vec<Piece<'a>>,
    /// Targets of links and images, as written.
    pub(crate) links: Vec<Piece<'a>>,
}

/// Reads a document.
pub(crate) fn read(text: &str) -> Markdown<'_> {
    let mut markdown = Markdown::default();
    let mut fence: Option<&str> = None;
    let mut paragraph: Option<(usize, usize)> = None;
    let mut start = 0;
    for (index, line) in text.split('\n').enumerate() {
        let number = index + 1;
        let mark = ["```", "~~~"].into_iter().find(|mark| line.trim_start().starts_with(mark));
        let inside = fence.is_some();
        if !inside && line.starts_with("    ") {
            markdown.code_lines.push(Piece { text: line.trim(), line: number });
        }
        if inside && mark == fence {
            fence = None;
        } else if inside {
            markdown.code_lines.push(Piece { text: line.trim(), line: number });
        } else {
            fence = mark;
        }
        // A span may run over a line's end, but not over a paragraph's.
        if inside || mark.is_some() || line.trim().is_empty() {
            if let Some((from, first_line)) = paragraph.take() {
                markdown.read_prose(&text[from..start], first_line);
            }
        } else {
            paragraph.get_or_insert((start, number));
        }
        start += line.len() + 1;
    }
    if let Some((from, first_line)) = paragraph {
        markdown.read_prose(&text[from..], first_line);
    }
    markdown
}

impl<'a> Markdown<'a> {
    fn read_prose(&mut self, prose: &'a str, first_line: usize) {
        let line_at = |at: usize| first_line + prose[..at].matches('\n').count();
        let mut at = 0;
        while let Some(found) = prose[at..].find(['`', ']']) {
            at += found;
            if let Some(rest) = prose[at..].strip_prefix('`') {
                let ticks = 1 + rest.len() - rest.trim_start_matches('`').len();
                match span(prose, at + ticks, ticks) {
                    Some(end) => {
                        let text = &prose[at + ticks..end];
                        self.spans.push(Piece { text, line: line_at(at) });
                        at = end + ticks;
                    }
                    None => at += ticks,
                }
            } else {
                self.links
                    .extend(target(&prose[at + 1..]).map(|text| Piece { text, line: line_at(at) }));
                at += 1;
            }
        }
    }
}

/// Where the closing run of exactly so many backticks starts.
fn span(prose: &str, from: usize, ticks: usize) -> Option<usize> {
    let mut at = from;
    loop {
        at += prose[at..].find('`')?;
        let run = prose[at..].len() - prose[at..].trim_start_matches('`').len();
        if run == ticks {
            return Some(at);
        }
        at += run;
    }
}

/// The target after the `]` of `[text](target)` or of `[label]: target`.
fn target(after: &str) -> Option<&str> {
    let (rest, end): (&str, &[char]) = if let Some(rest) = after.strip_prefix('(') {
        (rest, &[')', ' ', '\n'])
    } else {
        (after.strip_prefix(": ")?, &[' ', '\n'])
    };
    Some(rest.split(end).next().unwrap_or(rest).trim_matches(['<', '>']))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, spans: &[(&str, usize)], code: &[&str], links: &[&str]) {
        let found = read(text);
        let found_spans: Vec<_> = found.spans.iter().map(|span| (span.text, span.line)).collect();
        let texts = |pieces: &[Piece<'_>]| pieces.iter().map(|p| p.text.to_owned()).collect();
        let (found_code, found_links): (Vec<String>, Vec<String>) =
            (texts(&found.code_lines), texts(&found.links));
        assert_eq!(found_spans, spans, "{text}");
        assert_eq!(found_code, code, "{text}");
        assert_eq!(found_links, links, "{text}");
    }

    #[test]
    fn spans_are_found_even_over_a_line_end() {
        check("a `b` and\n``c ` d`` `e\nf`", &[("b", 1), ("c ` d", 2), ("e\nf", 2)], &[], &[]);
    }

    #[test]
    fn a_lone_backtick_does_not_swallow_the_next_paragraph() {
        check("a ` b\n\n`c`", &[("c", 3)], &[], &[]);
    }

    #[test]
    fn fenced_and_indented_lines_are_code_and_not_prose() {
        check("```sh\nx `y`\n```\n\n    z\n`s`\n", &[("s", 6)], &["x `y`", "z"], &[]);
    }

    #[test]
    fn targets_of_links_images_and_definitions_are_found() {
        let text = "[a](b.md) ![c](d.png \"t\")\n\n[e]: f.md\n`[g](h)`";
        check(text, &[("[g](h)", 4)], &[], &["b.md", "d.png", "f.md"]);
    }
}
