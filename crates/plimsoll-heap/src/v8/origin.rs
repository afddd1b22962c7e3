//! Whose code something in a V8 heap is: which script made the class of an object, or a function, or
//! the variables of one.
//!
//! Names do not tell: a program's own `Socket` and that of Node.js are called the same. Used by the
//! roles of types and by the look of a heap.

use super::Snapshot;
use super::kind::{EdgeKind, NodeKind};

/// Scopes around one another that are looked at.
const SCOPES_MAX: usize = 64;
/// Where packages are installed.
const PACKAGES: &str = "node_modules";

/// Whether the program's authors wrote the class of an object, a class, or a function.
pub(super) fn is_own(snapshot: &Snapshot, node: u32) -> bool {
    script(snapshot, node).and_then(|script| name(snapshot, script)).is_some_and(is_own_name)
}

/// The script that a function, or the class of an object, is from.
fn script(snapshot: &Snapshot, node: u32) -> Option<u32> {
    let function = match snapshot.kind(node) {
        NodeKind::Closure => node,
        _ => constructor(snapshot, node)?,
    };
    script_of_function(snapshot, function)
}

pub(super) fn script_of_function(snapshot: &Snapshot, function: u32) -> Option<u32> {
    let shared = internal(snapshot, function, |name| name == b"shared")?;
    // `script`, or `script_or_debug_info` of older versions.
    internal(snapshot, shared, |name| name.starts_with(b"script"))
}

fn constructor(snapshot: &Snapshot, node: u32) -> Option<u32> {
    let prototype = target(snapshot, node, EdgeKind::Property, |name| name == b"__proto__")?;
    let found = target(snapshot, prototype, EdgeKind::Property, |name| name == b"constructor")?;
    (snapshot.kind(found) == NodeKind::Closure).then_some(found)
}

/// The variables of the file around those of a function, by what V8 calls the outer ones.
pub(super) fn outermost(
    snapshot: &Snapshot,
    variables: u32,
    is_module: impl Fn(u32) -> bool,
) -> Option<u32> {
    let outer = |at: &u32| internal(snapshot, *at, |name| name == b"previous");
    let mut scopes = std::iter::successors(Some(variables), outer).take(SCOPES_MAX);
    scopes.find(|scope| is_module(*scope))
}

/// The variables that a function sees.
pub(super) fn variables(snapshot: &Snapshot, function: u32) -> Option<u32> {
    internal(snapshot, function, |name| name == b"context")
}

fn internal(snapshot: &Snapshot, node: u32, is_it: impl Fn(&[u8]) -> bool) -> Option<u32> {
    target(snapshot, node, EdgeKind::Internal, is_it)
}

fn target(
    snapshot: &Snapshot,
    node: u32,
    kind: EdgeKind,
    is_it: impl Fn(&[u8]) -> bool,
) -> Option<u32> {
    let links = &snapshot.links;
    let mut edges = snapshot.nodes.edges(node).filter(|edge| links.kind(*edge) == kind);
    let edge = edges.find(|edge| {
        let name = snapshot.strings.of(links.name_or_index(*edge));
        name.is_some_and(&is_it)
    })?;
    Some(links.targets[edge])
}

/// The path or address of a script; None where the file does not tell.
pub(super) fn name(snapshot: &Snapshot, script: u32) -> Option<&str> {
    let name = (snapshot.kind(script) == NodeKind::Code).then(|| snapshot.raw_name(script))??;
    std::str::from_utf8(name).ok().filter(|name| !name.is_empty())
}

/// Whether a script is neither of Node.js nor of a package.
pub(super) fn is_own_name(name: &str) -> bool {
    // Until version 14 the scripts of Node.js were called `fs.js` and `internal/timers.js`.
    let is_old_builtin = name.starts_with("internal/") || !name.contains(['/', '\\', ':', '<']);
    let is_of_node = name.starts_with("node:") || name.starts_with("system / ") || is_old_builtin;
    let is_package = name.split(['/', '\\']).any(|part| part == PACKAGES);
    !is_of_node && !is_package
}

/// The end of a script's path, enough to find it again.
pub(super) fn short(name: &str) -> &str {
    let mut ends = name.rmatch_indices(['/', '\\']).map(|(at, _)| at + 1);
    ends.nth(1).or_else(|| name.rfind(['/', '\\']).map(|at| at + 1)).map_or(name, |at| &name[at..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_of_the_program_are_told_from_those_of_others() {
        let check = |name: &str, want| assert_eq!(is_own_name(name), want, "{name}");
        check("/srv/shop/server.js", true);
        check("file:///srv/shop/server.mjs", true);
        check("evalmachine.<anonymous>", true);
        check("C:\\shop\\server.js", true);
        check("node:internal/timers", false);
        check("internal/timers.js", false);
        check("events.js", false);
        check("/srv/shop/node_modules/express/lib/router.js", false);
        check("C:\\shop\\node_modules\\x\\y.js", false);
        assert_eq!(short("/srv/shop/lib/server.js"), "lib/server.js");
        assert_eq!(short("server.js"), "server.js");
        assert_eq!(short("/server.js"), "server.js");
    }
}
