//! Every relative link in a document leads somewhere.

use super::Finding;
use crate::text::markdown;
use crate::tree::{File, Tree};

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for document in tree.documents() {
        for link in markdown::read(&document.text).links {
            let target = link.text.split('#').next().unwrap_or(link.text);
            if target.is_empty() || is_elsewhere(target) {
                continue;
            }
            let leads = resolved(document, target).is_some_and(|path| tree.has(&path));
            if !leads {
                let what = format!("the link to `{target}` leads nowhere; correct or remove it");
                findings.push(Finding::new(&document.path, link.line, what));
            }
        }
    }
    findings
}

/// A path from the root of the repository; none where the target leaves it.
pub(super) fn resolved(document: &File, target: &str) -> Option<String> {
    let mut parts: Vec<&str> =
        document.folder().split('/').filter(|part| !part.is_empty()).collect();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}

fn is_elsewhere(target: &str) -> bool {
    target.contains("://") || target.starts_with("mailto:")
}

#[cfg(test)]
mod tests {
    use super::super::assert_lines;
    use super::*;

    #[test]
    fn a_link_that_leads_nowhere_is_found() {
        let text =
            "[a](../README.md)\n[b](gone.md#x)\n[c](https://x.y/z) [d](#here)\n[e](../../f)\n";
        assert_lines(check, &[("docs/a.md", text), ("README.md", "")], &[2, 4]);
    }
}
