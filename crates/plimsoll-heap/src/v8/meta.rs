//! The header of a snapshot: which fields its rows have, and how it numbers kinds.
//!
//! V8 has added fields and kinds over the years and writes into each file what it has, so nothing is
//! assumed but the fields without which there is no graph. Used by the reader of snapshots.

use super::kind::{EdgeKind, NodeKind};
use super::scan::{ROW_MAX, Scanner};
use super::{SnapshotError, TooMany};
use crate::source::{Progress, Source};

/// Kinds that a header may name, and fields.
const WORDS_MAX: usize = 255;

/// Where the fields of a node stand in its row, and those of an edge in its.
#[derive(Debug, Default)]
pub(crate) struct Layout {
    pub node_row: usize,
    pub kind: usize,
    pub name: usize,
    pub id: usize,
    pub self_size: usize,
    pub edge_count: usize,
    pub detachedness: Option<usize>,
    pub edge_row: usize,
    pub edge_kind: usize,
    pub edge_name: usize,
    pub to_node: usize,
    /// By the number in the file.
    pub node_kinds: Vec<NodeKind>,
    pub edge_kinds: Vec<EdgeKind>,
    /// What the header says of the arrays, which may not be so.
    pub node_count: u64,
    pub edge_count_total: u64,
    /// Which node is the root, as a place in the array of nodes.
    pub root_index: u64,
}

/// What the header says, as it says it.
#[derive(Default)]
struct Header {
    node_fields: Vec<Vec<u8>>,
    edge_fields: Vec<Vec<u8>>,
    node_kinds: Vec<Vec<u8>>,
    edge_kinds: Vec<Vec<u8>>,
}

impl Layout {
    /// Of a header alone.
    pub(crate) fn of_header(
        source: &dyn Source,
        progress: &dyn Progress,
    ) -> Result<Self, SnapshotError> {
        let mut scanner = Scanner::new(source, progress);
        scanner.part = "header";
        Self::read(&mut scanner)
    }

    /// Of a whole snapshot, as far as its header.
    pub(super) fn of_snapshot(
        source: &dyn Source,
        progress: &dyn Progress,
    ) -> Result<Self, SnapshotError> {
        let mut scanner = Scanner::new(source, progress);
        scanner.part = "header";
        scanner.take(b'{', "an object")?;
        let mut key = Vec::new();
        scanner.string(&mut key)?;
        scanner.take(b':', "a colon")?;
        // V8 has always written it first, and files are known for snapshots by that.
        if key != b"snapshot" {
            return Err(SnapshotError::Missing { at: scanner.offset(), part: "header" });
        }
        Self::read(&mut scanner)
    }

    /// Reads the object behind `"snapshot":`.
    pub(super) fn read(scanner: &mut Scanner<'_>) -> Result<Self, SnapshotError> {
        let mut layout = Self::default();
        let mut header = Header::default();
        members(scanner, |scanner, key| {
            match key {
                b"meta" => members(scanner, |scanner, key| header.member(scanner, key))?,
                b"node_count" => layout.node_count = scanner.number()?,
                b"edge_count" => layout.edge_count_total = scanner.number()?,
                b"root_index" => layout.root_index = scanner.number()?,
                _ => scanner.skip_value()?,
            }
            Ok(())
        })?;
        let at = scanner.offset();
        let node = |name| place(&header.node_fields, name, at);
        let edge = |name| place(&header.edge_fields, name, at);
        (layout.kind, layout.name, layout.id) = (node("type")?, node("name")?, node("id")?);
        (layout.self_size, layout.edge_count) = (node("self_size")?, node("edge_count")?);
        layout.detachedness = node("detachedness").ok();
        layout.node_row = row_of(&header.node_fields, at)?;
        layout.edge_kind = edge("type")?;
        (layout.edge_name, layout.to_node) = (edge("name_or_index")?, edge("to_node")?);
        layout.edge_row = row_of(&header.edge_fields, at)?;
        layout.node_kinds = header.node_kinds.iter().map(|word| NodeKind::of_word(word)).collect();
        layout.edge_kinds = header.edge_kinds.iter().map(|word| EdgeKind::of_word(word)).collect();
        Ok(layout)
    }
}

impl Header {
    fn member(&mut self, scanner: &mut Scanner<'_>, key: &[u8]) -> Result<(), SnapshotError> {
        match key {
            b"node_fields" => self.node_fields = words(scanner)?,
            b"edge_fields" => self.edge_fields = words(scanner)?,
            b"node_types" => self.node_kinds = kinds(scanner)?,
            b"edge_types" => self.edge_kinds = kinds(scanner)?,
            _ => scanner.skip_value()?,
        }
        Ok(())
    }
}

/// Tells each member of an object, with the scanner before its value.
pub(super) fn members<'a>(
    scanner: &mut Scanner<'a>,
    mut tell: impl FnMut(&mut Scanner<'a>, &[u8]) -> Result<(), SnapshotError>,
) -> Result<(), SnapshotError> {
    scanner.take(b'{', "an object")?;
    if scanner.takes(b'}')? {
        return Ok(());
    }
    let mut key = Vec::new();
    loop {
        key.clear();
        scanner.string(&mut key)?;
        scanner.take(b':', "a colon")?;
        tell(scanner, &key)?;
        if !scanner.goes_on(b'}')? {
            return Ok(());
        }
    }
}

/// An array of words.
fn words(scanner: &mut Scanner<'_>) -> Result<Vec<Vec<u8>>, SnapshotError> {
    let mut words = Vec::new();
    scanner.take(b'[', "an array")?;
    if scanner.takes(b']')? {
        return Ok(words);
    }
    loop {
        let mut word = Vec::new();
        scanner.string(&mut word)?;
        words.push(word);
        if words.len() > WORDS_MAX {
            return Err(TooMany::Words.at(scanner.offset()));
        }
        if !scanner.goes_on(b']')? {
            return Ok(words);
        }
    }
}

/// The words of the first field that is one of several words: the kinds.
fn kinds(scanner: &mut Scanner<'_>) -> Result<Vec<Vec<u8>>, SnapshotError> {
    let mut found = None;
    scanner.take(b'[', "an array")?;
    if scanner.takes(b']')? {
        return Ok(Vec::new());
    }
    loop {
        if found.is_none() && scanner.is_array()? {
            found = Some(words(scanner)?);
        } else {
            scanner.skip_value()?;
        }
        if !scanner.goes_on(b']')? {
            return Ok(found.unwrap_or_default());
        }
    }
}

fn place(fields: &[Vec<u8>], name: &'static str, at: u64) -> Result<usize, SnapshotError> {
    let found = fields.iter().position(|field| field == name.as_bytes());
    found.ok_or(SnapshotError::NoField { at, field: name })
}

fn row_of(fields: &[Vec<u8>], at: u64) -> Result<usize, SnapshotError> {
    if fields.len() <= ROW_MAX { Ok(fields.len()) } else { Err(TooMany::Fields.at(at)) }
}
