//! A report as one page of HTML that needs nothing else: no network, no other file.
//!
//! The page draws from the report's own tree, which has at most a few thousand branches whatever the
//! heap, so it opens at once. Names come from a heap: they are data in the page, and never markup.

use plimsoll_heap::{Branch, HeapReport};
use serde::Serialize;

use super::shapes;
use super::whole::Flaws;

const PAGE: &str = include_str!("page.html");
/// Where the page's data goes.
const PLACE: &str = "\"@DATA@\"";

#[derive(Serialize)]
struct PageContent<'a> {
    title: &'a str,
    report: plimsoll_wire::heap::HeapReportShape,
    tree: Node<'a>,
}

/// A branch in few letters: there are thousands of them.
#[derive(Serialize)]
struct Node<'a> {
    n: &'a str,
    c: u64,
    b: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    k: Vec<Self>,
}

impl<'a> From<&'a Branch> for Node<'a> {
    fn from(branch: &'a Branch) -> Self {
        let below = branch.below.iter().map(Node::from).collect();
        Self { n: &branch.name, c: branch.count, b: branch.bytes, k: below }
    }
}

pub(super) fn of(
    report: &HeapReport,
    flaws: &Flaws,
    title: &str,
) -> Result<String, serde_json::Error> {
    let tree = Node::from(&report.tree);
    let page = PageContent { title, report: shapes::report(report, flaws), tree };
    // Inside of a script, only an end tag or a comment could end the text.
    let text = serde_json::to_string(&page)?.replace('<', "\\u003c");
    Ok(PAGE.replacen(PLACE, &text, 1))
}
