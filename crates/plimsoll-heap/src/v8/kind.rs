//! The kinds of nodes and references that V8 knows.
//!
//! A snapshot numbers them in its own header, and newer versions add some; here they have one number
//! each, and what is not known is `Other`. Used by the reader of snapshots and by redaction.

/// What a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum NodeKind {
    /// The engine's own: maps, descriptors, cells.
    Hidden,
    /// A backing store of the engine: elements, properties, hash tables.
    Array,
    String,
    Object,
    Code,
    Closure,
    Regexp,
    Number,
    /// Memory outside of the heap.
    Native,
    /// Made for the snapshot: groups of roots.
    Synthetic,
    ConcatenatedString,
    SlicedString,
    Symbol,
    Bigint,
    ObjectShape,
    WasmObject,
    /// A kind that is newer than this reader.
    Other,
}

/// Every kind with a name, by number.
const NODE_KINDS: [(NodeKind, &str); 16] = [
    (NodeKind::Hidden, "hidden"),
    (NodeKind::Array, "array"),
    (NodeKind::String, "string"),
    (NodeKind::Object, "object"),
    (NodeKind::Code, "code"),
    (NodeKind::Closure, "closure"),
    (NodeKind::Regexp, "regexp"),
    (NodeKind::Number, "number"),
    (NodeKind::Native, "native"),
    (NodeKind::Synthetic, "synthetic"),
    (NodeKind::ConcatenatedString, "concatenated string"),
    (NodeKind::SlicedString, "sliced string"),
    (NodeKind::Symbol, "symbol"),
    (NodeKind::Bigint, "bigint"),
    (NodeKind::ObjectShape, "object shape"),
    (NodeKind::WasmObject, "wasm object"),
];

impl NodeKind {
    pub(crate) fn of_word(word: &[u8]) -> Self {
        let found = NODE_KINDS.iter().find(|(_, own)| own.as_bytes() == word);
        found.map_or(Self::Other, |(kind, _)| *kind)
    }

    pub(super) fn of_number(number: u8) -> Self {
        NODE_KINDS.get(usize::from(number)).map_or(Self::Other, |(kind, _)| *kind)
    }

    /// What V8 calls it.
    pub fn word(self) -> &'static str {
        NODE_KINDS.get(self as usize).map_or("other", |(_, word)| *word)
    }

    /// Whether the name of such a node is a value from the program's memory, and not a name from
    /// its source. Of kinds that are not known it may be.
    pub fn is_value(self) -> bool {
        match self {
            Self::String
            | Self::ConcatenatedString
            | Self::SlicedString
            | Self::Number
            | Self::Bigint
            | Self::Regexp
            | Self::Other => true,
            Self::Hidden
            | Self::Array
            | Self::Object
            | Self::Code
            | Self::Closure
            | Self::Native
            | Self::Synthetic
            | Self::Symbol
            | Self::ObjectShape
            | Self::WasmObject => false,
        }
    }
}

/// How one node refers to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum EdgeKind {
    /// A variable that a closure keeps.
    Context,
    /// An element of an array.
    Element,
    Property,
    /// A field of the engine's own, which is no property.
    Internal,
    /// The same, without a name.
    Hidden,
    /// Made for the snapshot: leads over nodes between.
    Shortcut,
    /// Does not keep its target alive.
    Weak,
    /// A kind that is newer than this reader.
    Other,
}

const EDGE_KINDS: [(EdgeKind, &str); 7] = [
    (EdgeKind::Context, "context"),
    (EdgeKind::Element, "element"),
    (EdgeKind::Property, "property"),
    (EdgeKind::Internal, "internal"),
    (EdgeKind::Hidden, "hidden"),
    (EdgeKind::Shortcut, "shortcut"),
    (EdgeKind::Weak, "weak"),
];

impl EdgeKind {
    pub(crate) fn of_word(word: &[u8]) -> Self {
        let found = EDGE_KINDS.iter().find(|(_, own)| own.as_bytes() == word);
        found.map_or(Self::Other, |(kind, _)| *kind)
    }

    pub(super) fn of_number(number: u32) -> Self {
        EDGE_KINDS.get(number as usize).map_or(Self::Other, |(kind, _)| *kind)
    }

    /// What V8 calls it.
    pub fn word(self) -> &'static str {
        EDGE_KINDS.get(self as usize).map_or("other", |(_, word)| *word)
    }

    /// Whether such a reference has a name; the others have a number.
    pub fn has_name(self) -> bool {
        match self {
            Self::Context | Self::Property | Self::Internal | Self::Shortcut | Self::Weak => true,
            Self::Element | Self::Hidden | Self::Other => false,
        }
    }
}

/// Whether a node of the document hangs in its tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Detachedness {
    Unknown,
    Attached,
    Detached,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_found_by_its_number_and_by_its_word() {
        for (number, (kind, word)) in (0..).zip(NODE_KINDS) {
            assert_eq!((kind as u8, kind.word()), (number, word));
            assert_eq!(NodeKind::of_number(number), kind);
            assert_eq!(NodeKind::of_word(word.as_bytes()), kind);
        }
        for (number, (kind, word)) in (0..).zip(EDGE_KINDS) {
            assert_eq!((kind as u32, kind.word()), (number, word));
            assert_eq!(EdgeKind::of_number(number), kind);
            assert_eq!(EdgeKind::of_word(word.as_bytes()), kind);
        }
        assert_eq!(NodeKind::of_number(16), NodeKind::Other);
        assert_eq!(NodeKind::of_word(b"future"), NodeKind::Other);
        assert_eq!(EdgeKind::of_number(7), EdgeKind::Other);
    }
}
