//! Redaction of V8 snapshots: numbers pass as they are, strings that are values become their length.
//!
//! One pass in the order of the file: nodes and references come first and say which strings are
//! names; whatever they do not call a name is a value. Text that was redacted is shorter or longer
//! than it was, so offsets move; numbers of strings, nodes and ids do not. Used by `redact`.

use super::indices::Indices;
use super::v8_names::{self, Meaning};
use super::{Level, RedactError, Redacted};
use crate::source::Silent;
use crate::v8::Layout;

/// The header of a snapshot has some 1500 bytes.
const HEADER_MAX: usize = 1 << 20;

/// A name that is longer is a value: V8 cuts names at 1024 characters, of 6 bytes each at most, and
/// makes names of two of them.
const NAME_MAX: usize = 16 << 10;

/// A key of the outermost object that is longer is none that is known.
const KEY_MAX: usize = 64;

#[derive(Debug)]
pub(super) struct V8 {
    level: Level,
    out: Vec<u8>,
    /// Bytes that were looked at.
    seen: u64,
    place: Place,
    depth: u32,
    /// The last key of the outermost object.
    key: Vec<u8>,
    /// Whether the next string of it is a key.
    key_comes: bool,
    header: Vec<u8>,
    nodes: Option<Rows>,
    edges: Option<Rows>,
    row: Row,
    /// Strings that name something, those that may be and those that are the engine's own names.
    named: Indices,
    engine: Indices,
    internal: Indices,
    text: Text,
    done: Redacted,
}

/// Where in the file the next byte stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Between keys and values of any depth.
    Between,
    /// In a string there.
    Word,
    Header,
    Nodes,
    Edges,
    /// Between the strings of the table.
    Strings,
    /// In one of them.
    Text,
}

/// What the header says of the rows of an array.
#[derive(Debug)]
struct Rows {
    columns: usize,
    kind: usize,
    name: usize,
    /// By the number of a kind.
    meanings: Vec<Meaning>,
}

/// The numbers of the present row.
#[derive(Debug, Default)]
struct Row {
    column: usize,
    value: u64,
    has_digits: bool,
    kind: u64,
    name: u64,
}

/// The present string.
#[derive(Debug, Default)]
struct Text {
    /// Its number in the table.
    index: u64,
    /// What is kept of it, as it stands in the file; empty of a value.
    kept: Vec<u8>,
    chars: u64,
    escape: u8,
    is_name: bool,
    is_key: bool,
}

impl V8 {
    pub(super) fn new(level: Level) -> Self {
        Self {
            level,
            out: Vec::new(),
            seen: 0,
            place: Place::Between,
            depth: 0,
            key: Vec::new(),
            key_comes: false,
            header: Vec::new(),
            nodes: None,
            edges: None,
            row: Row::default(),
            named: Indices::default(),
            engine: Indices::default(),
            internal: Indices::default(),
            text: Text::default(),
            done: Redacted::default(),
        }
    }

    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<&[u8], RedactError> {
        self.out.clear();
        let mut rest = bytes;
        while !rest.is_empty() {
            let taken = match self.place {
                Place::Nodes | Place::Edges => self.numbers(rest)?,
                Place::Between => self.between(rest[0])?,
                Place::Header => self.header(rest[0])?,
                Place::Strings => self.strings(rest[0])?,
                Place::Word | Place::Text => self.text(rest),
            };
            self.seen += taken as u64;
            rest = &rest[taken..];
        }
        Ok(&self.out)
    }

    /// What is left when the snapshot ends: nothing, but it may end too early.
    pub(super) fn finish(&mut self) -> &[u8] {
        if self.place != Place::Between || self.depth > 0 {
            self.done.cut_at = Some(self.seen);
        }
        &[]
    }

    pub(super) fn done(&self) -> Redacted {
        self.done
    }

    fn damaged(&self, what: &'static str) -> RedactError {
        RedactError::Damaged { at: self.seen, what }
    }

    fn between(&mut self, byte: u8) -> Result<usize, RedactError> {
        self.out.push(byte);
        if self.depth <= 1 && matches!(byte, b'{' | b',' | b':') {
            self.key_comes = byte != b':';
        }
        match byte {
            b'"' => {
                self.place = Place::Word;
                self.text.begin(true);
                self.text.is_key = self.depth == 1 && self.key_comes;
            }
            b'{' if self.depth == 1 && self.key == b"snapshot" => {
                self.place = Place::Header;
                self.header = vec![byte];
                self.depth += 1;
            }
            b'[' if self.depth == 1 => self.array()?,
            b'{' | b'[' => self.depth = self.depth.saturating_add(1),
            b'}' | b']' if self.depth == 0 => {
                return Err(self.damaged("a bracket is closed that was not opened"));
            }
            b'}' | b']' => self.depth -= 1,
            b' ' | b'\n' | b'\r' | b'\t' | b',' | b':' => {}
            _ if self.depth > 0 && is_word(byte) => {}
            _ => return Err(self.damaged("this is not JSON")),
        }
        Ok(1)
    }

    /// An array of the outermost object begins.
    fn array(&mut self) -> Result<(), RedactError> {
        self.row = Row::default();
        self.place = match self.key.as_slice() {
            b"nodes" => Place::Nodes,
            b"edges" => Place::Edges,
            b"strings" => Place::Strings,
            _ => {
                self.depth += 1;
                Place::Between
            }
        };
        if matches!(self.place, Place::Nodes | Place::Edges) && self.nodes.is_none() {
            return Err(self.damaged("the header does not come before the nodes"));
        }
        Ok(())
    }

    /// The header has names of kinds and fields only. It is kept, and read at its end.
    fn header(&mut self, byte: u8) -> Result<usize, RedactError> {
        self.out.push(byte);
        self.header.push(byte);
        if self.header.len() > HEADER_MAX {
            return Err(self.damaged("the header does not end"));
        }
        match byte {
            b'{' => self.depth += 1,
            b'}' => self.depth -= 1,
            _ => {}
        }
        if self.depth == 1 {
            let header = std::mem::take(&mut self.header);
            let layout = Layout::of_header(&header.as_slice(), &Silent);
            self.rows_of(&layout.map_err(|source| RedactError::Header { source })?);
            self.place = Place::Between;
        }
        Ok(1)
    }

    fn rows_of(&mut self, layout: &Layout) {
        let meanings = layout.node_kinds.iter().map(|kind| Meaning::of_node(*kind)).collect();
        let (kind, name) = (layout.kind, layout.name);
        self.nodes = Some(Rows { columns: layout.node_row, kind, name, meanings });
        let meanings = layout.edge_kinds.iter().map(|kind| Meaning::of_edge(*kind)).collect();
        let (kind, name) = (layout.edge_kind, layout.edge_name);
        self.edges = Some(Rows { columns: layout.edge_row, kind, name, meanings });
    }

    /// Takes the numbers of an array, as many as there are.
    fn numbers(&mut self, bytes: &[u8]) -> Result<usize, RedactError> {
        let rows = if self.place == Place::Nodes { &self.nodes } else { &self.edges };
        let Some(rows) = rows else { return Err(self.damaged("numbers without a header")) };
        let mut row = std::mem::take(&mut self.row);
        let mut taken = bytes.len();
        for (at, byte) in bytes.iter().enumerate() {
            let digit = byte.wrapping_sub(b'0');
            if digit <= 9 {
                row.value = row.value.wrapping_mul(10).wrapping_add(u64::from(digit));
                row.has_digits = true;
                continue;
            }
            if row.has_digits && matches!(byte, b',' | b']') && row.end_number(rows) {
                match rows.meanings.get(row.kind as usize).unwrap_or(&Meaning::Value) {
                    Meaning::Value => {}
                    Meaning::Name => self.named.add(row.name),
                    Meaning::Engine => self.engine.add(row.name),
                    Meaning::Internal => self.internal.add(row.name),
                }
            }
            if *byte == b']' {
                self.place = Place::Between;
                taken = at + 1;
                break;
            }
            if !matches!(byte, b',' | b'\n' | b' ' | b'\r' | b'\t' | b'-') {
                self.seen += at as u64;
                return Err(self.damaged("a number is none"));
            }
        }
        self.row = row;
        self.out.extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    fn strings(&mut self, byte: u8) -> Result<usize, RedactError> {
        self.out.push(byte);
        match byte {
            b']' => self.place = Place::Between,
            b'"' => {
                self.place = Place::Text;
                let index = self.text.index;
                let sets = [&self.named, &self.engine, &self.internal];
                self.text.begin(sets.iter().any(|set| set.has(index)));
            }
            b',' | b' ' | b'\n' | b'\r' | b'\t' => {}
            _ => return Err(self.damaged("the table of strings has something else in it")),
        }
        Ok(1)
    }

    /// Takes a string up to its end, or to the end of what there is.
    fn text(&mut self, bytes: &[u8]) -> usize {
        for (at, byte) in bytes.iter().enumerate() {
            if *byte == b'"' && self.text.escape == 0 {
                self.end_text();
                return at + 1;
            }
            self.text.take(*byte);
        }
        bytes.len()
    }

    fn end_text(&mut self) {
        if self.place == Place::Text {
            self.place = Place::Strings;
            self.end_string();
            self.text.index += 1;
        } else {
            self.place = Place::Between;
            self.end_word();
        }
        self.out.push(b'"');
    }

    /// Words outside of the table are keys, or what newer versions add, and nobody knows what that is.
    fn end_word(&mut self) {
        let Text { kept, is_key, is_name, chars, .. } = &self.text;
        if *is_key && *is_name && kept.len() <= KEY_MAX {
            self.key.clear();
            self.key.extend_from_slice(kept);
            self.out.extend_from_slice(kept);
        } else {
            self.done.strings += 1;
            v8_names::length(*chars, &mut self.out);
        }
    }

    fn end_string(&mut self) {
        let Text { index, kept, is_name, chars, .. } = &self.text;
        let (engine, internal) = (self.engine.has(*index), self.internal.has(*index));
        if !is_name {
            self.done.strings += u64::from(*chars > 0);
            v8_names::length(*chars, &mut self.out);
        } else if let Some(pair) = v8_names::pair(kept) {
            self.done.strings += 1;
            self.out.extend_from_slice(&pair);
        } else if v8_names::is_kept(kept, self.level, engine, internal) {
            self.out.extend_from_slice(kept);
        } else {
            self.done.names += 1;
            v8_names::hidden(*index, &mut self.out);
        }
    }
}

impl Row {
    /// A number has ended; says whether the row has, too.
    #[inline]
    fn end_number(&mut self, rows: &Rows) -> bool {
        if self.column == rows.kind {
            self.kind = self.value;
        }
        if self.column == rows.name {
            self.name = self.value;
        }
        self.column += 1;
        (self.value, self.has_digits) = (0, false);
        let is_end = self.column >= rows.columns;
        if is_end {
            self.column = 0;
        }
        is_end
    }
}

impl Text {
    fn begin(&mut self, is_name: bool) {
        self.kept.clear();
        (self.chars, self.escape, self.is_name, self.is_key) = (0, 0, is_name, false);
    }

    /// One byte of the string; counts characters, of which an escape is one.
    fn take(&mut self, byte: u8) {
        if self.escape > 0 {
            // Behind `\u` come four digits, behind another escape nothing.
            self.escape = if self.escape == 1 && byte == b'u' { 5 } else { self.escape };
            self.escape -= 1;
        } else {
            self.escape = u8::from(byte == b'\\');
            self.chars += u64::from(byte & 0xC0 != 0x80);
        }
        if self.is_name {
            self.kept.push(byte);
            if self.kept.len() > NAME_MAX {
                self.is_name = false;
                self.kept.clear();
            }
        }
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'+' | b'.')
}
