//! What one look at a heap says, for a person first: suspects in words with the way that keeps them
//! alive, who holds most, what there is, and the whole as a tree of moderate size.
//!
//! Printed by the command line; how it looks is not decided here.

use std::collections::BTreeMap;
use std::io;

use crate::hprof::Survey;
use crate::owners::way_by_own;
use crate::paths::{Path, paths_along};
use crate::shape::{Label, Shape};
use crate::signatures::{Key, Signature, Signatures, TOP};
use crate::source::{Hands, beside};
use crate::suspects::{Held, Suspect, is_scope_of_code, suspects};

/// Suspects that are told in words: the next ones matter when these are mended.
pub const ACCUSED_MAX: usize = 3;
/// Rows of tables.
const ROWS_MAX: usize = 40;
/// Branches of the tree that are told apart take at least this share of what is alive, so that a
/// page with it opens at once whatever the heap.
const BRANCH_SHARE_MIN: f64 = 0.0005;

/// One look at a heap.
#[derive(Clone, Debug, PartialEq)]
pub struct HeapReport {
    pub objects: u64,
    /// What objects that can be reached take, in bytes.
    pub alive: u64,
    /// What the others take.
    pub garbage: u64,
    pub accused: Vec<Accused>,
    /// Everyone who holds much, by owner and field.
    pub holders: Vec<Suspect>,
    /// What is alive, by type.
    pub types: Vec<Held>,
    /// Waste, and memory outside of the heap, where the dump tells.
    pub survey: Option<Survey>,
    pub tree: Branch,
}

/// A suspect, and why it is alive.
#[derive(Clone, Debug, PartialEq)]
pub struct Accused {
    pub suspect: Suspect,
    pub words: String,
    /// From a root down, a line a step.
    pub way: Vec<String>,
    /// Why the root is alive.
    pub root: Option<&'static str>,
}

/// A part of the heap by who dominates it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Branch {
    pub name: String,
    pub count: u64,
    /// With everything below, in bytes.
    pub bytes: u64,
    /// The largest first.
    pub below: Vec<Self>,
}

impl HeapReport {
    /// # Errors
    /// When names cannot be read from the dump.
    pub fn of(shape: &dyn Shape, hands: &dyn Hands) -> io::Result<Self> {
        let survey = shape.survey();
        let (judged, (tree, (types, alive, garbage))) =
            beside(hands, || judge(shape, survey), || (tree(&Signatures::of(shape)), types(shape)));
        let (holders, accused) = judged?;
        Ok(Self {
            objects: shape.graph().types.len() as u64,
            alive,
            garbage,
            accused,
            holders,
            types,
            survey: survey.cloned(),
            tree,
        })
    }
}

/// Who holds much, and who of them is accused.
fn judge(shape: &dyn Shape, survey: Option<&Survey>) -> io::Result<(Vec<Suspect>, Vec<Accused>)> {
    let mut holders = suspects(shape, survey)?;
    let large = holders.iter().filter(|suspect| suspect.is_large()).take(ACCUSED_MAX);
    let accused = accuse(shape, large.cloned().collect())?;
    holders.truncate(ROWS_MAX);
    Ok((holders, accused))
}

fn accuse(shape: &dyn Shape, suspects: Vec<Suspect>) -> io::Result<Vec<Accused>> {
    let ways = suspects.iter().map(|suspect| way_by_own(shape, suspect.example)).collect();
    let paths = paths_along(shape, ways)?;
    let accused = suspects.into_iter().zip(paths).map(|(suspect, path)| {
        let way = path.as_ref().map_or_else(Vec::new, |path| told(shape, path));
        let root = path.map(|path| path.root);
        Accused { words: words(&suspect), suspect, way, root }
    });
    Ok(accused.collect())
}

/// A way in words, a line a step.
pub fn told(shape: &dyn Shape, path: &Path) -> Vec<String> {
    let is_variable = |at: usize| {
        let from = at.checked_sub(1).and_then(|before| path.steps.get(before));
        from.is_some_and(|from| is_scope_of_code(&shape.node_name(from.node)))
    };
    let step = |(at, step): (usize, &crate::paths::Step)| {
        let name = shape.node_name(step.node);
        match &step.label {
            None if at == 0 => name.into_owned(),
            None => format!("-> {name}"),
            Some(Label::Field { name: field, .. } | Label::Static(field)) if is_variable(at) => {
                format!("variable {field} -> {name}")
            }
            Some(Label::Field { name: field, .. }) => format!("field {field} -> {name}"),
            Some(Label::Static(field)) => format!("static {field} -> {name}"),
            Some(Label::Element(at)) => format!("[{at}] -> {name}"),
            Some(Label::Local { frame }) => format!("local in {frame} -> {name}"),
            Some(Label::Hidden(what)) => format!("{what} -> {name}"),
        }
    };
    path.steps.iter().enumerate().map(step).collect()
}

/// As `static field SESSIONS of com.shop.Store holds a ConcurrentHashMap of 412 003 Session, 71 % of
/// the heap`.
pub fn words(suspect: &Suspect) -> String {
    let collection = short(&suspect.collection);
    let percent = (suspect.share * 100.0).round();
    if let Some(held) = suspect.elements.first().filter(|held| held.kind == suspect.collection)
        && held.count > 1
    {
        let count = thousands(held.count);
        return format!("{} holds {count} {collection}, {percent} % of the heap", suspect.place());
    }
    let many = if suspect.holders > 1 {
        format!("{} times {}", thousands(suspect.holders), one(collection))
    } else {
        one(collection)
    };
    let content = match suspect.elements.first() {
        Some(held) if held.count > 1 => {
            format!(" of {} {}", thousands(held.count), short(&held.kind))
        }
        Some(held) if held.kind != suspect.collection => {
            format!(" with {}", one(short(&held.kind)))
        }
        Some(_) | None => String::new(),
    };
    format!("{} holds {many}{content}, {percent} % of the heap", suspect.place())
}

/// As `a Map` and `an Array`.
fn one(kind: &str) -> String {
    let article =
        if kind.starts_with(['A', 'E', 'I', 'O', 'a', 'e', 'i', 'o']) { "an" } else { "a" };
    format!("{article} {kind}")
}

/// A type without its package.
pub fn short(kind: &str) -> &str {
    let end = kind.find(['<', '(', ' ']).unwrap_or(kind.len());
    let begin = kind[..end].rfind(['.', '/']).map_or(0, |at| at + 1);
    &kind[begin..]
}

/// `412 003`.
pub fn thousands(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

fn types(shape: &dyn Shape) -> (Vec<Held>, u64, u64) {
    let graph = shape.graph();
    let mut counted = vec![(0_u64, 0_u64); shape.types()];
    let (mut alive, mut garbage) = (0, 0);
    for (node, kind) in (0_u32..).zip(&graph.types) {
        let size = graph.sizes.of(node);
        if shape.dominators().is_reachable(node) {
            let (count, bytes) = &mut counted[*kind as usize];
            *count += 1;
            *bytes += size;
            alive += size;
        } else {
            garbage += size;
        }
    }
    // Types of several loaders may have one name.
    let mut by_name: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    for (kind, (count, bytes)) in (0_u32..).zip(counted) {
        let all = by_name.entry(shape.type_name(kind)).or_default();
        all.0 += count;
        all.1 += bytes;
    }
    let rows = by_name.into_iter().filter(|(_, (count, _))| *count > 0);
    let row = |(kind, (count, retained)): (&str, (u64, u64))| Held {
        kind: kind.to_owned(),
        count,
        retained,
    };
    let mut rows: Vec<Held> = rows.map(row).collect();
    rows.sort_by(|one, other| (other.retained, &one.kind).cmp(&(one.retained, &other.kind)));
    rows.truncate(ROWS_MAX);
    (rows, alive, garbage)
}

/// The heap as a tree whose small branches are one.
pub fn tree(signatures: &Signatures) -> Branch {
    let mut below: BTreeMap<Key, Vec<Key>> = BTreeMap::new();
    for (key, signature) in &signatures.all {
        below.entry(signature.above).or_default().push(*key);
    }
    let least = (signatures.alive as f64 * BRANCH_SHARE_MIN) as u64;
    let mut branch = grow(signatures, &below, TOP, least.max(1));
    branch.name = "the heap".into();
    branch
}

fn grow(all: &Signatures, below: &BTreeMap<Key, Vec<Key>>, key: Key, least: u64) -> Branch {
    let own = all.get(key);
    let mut branch = Branch {
        name: own.map_or(String::new(), name),
        count: own.map_or(0, |own| own.count),
        bytes: own.map_or(0, |own| own.bytes),
        below: Vec::new(),
    };
    let mut rest = Branch { name: "(small)".into(), ..Branch::default() };
    for key in below.get(&key).into_iter().flatten() {
        let part = grow(all, below, *key, least);
        branch.bytes += part.bytes;
        if part.bytes >= least {
            branch.below.push(part);
        } else {
            rest.count += part.count;
            rest.bytes += part.bytes;
        }
    }
    if rest.bytes >= least {
        branch.below.push(rest);
    }
    branch.below.sort_by(|one, other| (other.bytes, &one.name).cmp(&(one.bytes, &other.name)));
    branch
}

fn name(signature: &Signature) -> String {
    match &signature.field {
        Some(field) => format!("{field}: {}", signature.name),
        None => signature.name.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_types_read_well() {
        assert_eq!(["1", "412 003", "1 000 000"], [1, 412_003, 1_000_000].map(thousands)[..]);
        assert_eq!(short("com.shop.Store$Session"), "Store$Session");
        assert_eq!(short("java.lang.Object[]"), "Object[]");
        assert_eq!(short("system / Context"), "system / Context");
        assert_eq!(short("Map"), "Map");
    }
}
