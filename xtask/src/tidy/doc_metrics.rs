//! Every canonical metric that a document names is declared.
//!
//! A name that `plimsoll-ingest` lists as some exporter's own name is real as well.

use super::Finding;
use super::doc_paths::describes_now;
use crate::text::markdown;
use crate::tree::Tree;

const DECLARATIONS: &str = "crates/plimsoll-model/src/metric.rs";
const FOREIGN_NAMES: &str = "crates/plimsoll-ingest/";
const LEVELS: &[&str] =
    &["cache", "container", "edge", "node", "pool", "process", "queue", "runtime", "service"];
/// `node.js` is a file or a runtime, not a metric.
const EXTENSIONS: &[&str] = &["conf", "css", "db", "html", "js", "json", "md", "py", "rs", "toml"];

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let declared: Vec<&str> = tree
        .files()
        .filter(|file| {
            file.path == DECLARATIONS
                || (file.path.starts_with(FOREIGN_NAMES) && file.has_extension("toml"))
        })
        .flat_map(|file| file.text.split('"'))
        .collect();
    let mut findings = Vec::new();
    for document in tree.documents().filter(|document| describes_now(&document.path)) {
        for span in markdown::read(&document.text).spans.iter().filter(|span| is_metric(span.text))
        {
            let exists = match span.text.strip_suffix('*') {
                Some(start) => declared.iter().any(|name| name.starts_with(start)),
                None => declared.contains(&span.text),
            };
            if !exists {
                let what = format!("no metric `{}` is declared in {DECLARATIONS}", span.text);
                findings.push(Finding::new(&document.path, span.line, what));
            }
        }
    }
    findings
}

fn is_metric(text: &str) -> bool {
    let mut parts = text.split('.');
    let starts = parts.next().is_some_and(|level| LEVELS.contains(&level));
    let rest: Vec<&str> = parts.collect();
    let word = |part: &str| {
        !part.is_empty()
            && part.chars().all(|c| c.is_ascii_lowercase() || c == '_' || c.is_ascii_digit())
    };
    let last = rest.last().is_some_and(|part| !EXTENSIONS.contains(part));
    let words = rest
        .iter()
        .enumerate()
        .all(|(index, part)| word(part) || (*part == "*" && index + 1 == rest.len()));
    starts && last && words
}

#[cfg(test)]
mod tests {
    use super::super::assert_lines;
    use super::*;

    #[test]
    fn a_metric_that_nobody_declares_is_found() {
        let files = [
            (DECLARATIONS, "A \"container.memory.usage\" Bytes;"),
            ("crates/plimsoll-ingest/src/names.toml", "otel = [\"process.memory.virtual\"]"),
            (
                "README.md",
                "`container.memory.usage` `container.memory.*`\n`process.memory.virtual`\n\
              `container.memory.glow`\n`node.js` `process.memoryUsage` `cache.x y`\n`queue.*`\n",
            ),
        ];
        assert_lines(check, &files, &[3, 5]);
    }
}
