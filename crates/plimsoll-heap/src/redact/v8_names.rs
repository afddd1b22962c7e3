//! Which strings of a V8 snapshot are names, and what stands in the place of the others.
//!
//! Used by redaction. All text here is as it stands in the file, with its escapes.

use super::Level;
use crate::v8::{EdgeKind, NodeKind};

/// What it says of a string that a node or a reference is called by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// Nothing: it is a value, or a number that is no string at all.
    Value,
    /// A name that somebody gave in the source.
    Name,
    /// The same, or one of the engine's own, which its form tells.
    Engine,
    /// The engine's own.
    Internal,
}

impl Meaning {
    pub(super) fn of_node(kind: NodeKind) -> Self {
        match kind {
            kind if kind.is_value() => Self::Value,
            NodeKind::Synthetic
            | NodeKind::Hidden
            | NodeKind::Array
            | NodeKind::Native
            | NodeKind::Code
            | NodeKind::ObjectShape => Self::Engine,
            NodeKind::Object
            | NodeKind::Closure
            | NodeKind::Symbol
            | NodeKind::WasmObject
            | NodeKind::String
            | NodeKind::ConcatenatedString
            | NodeKind::SlicedString
            | NodeKind::Number
            | NodeKind::Bigint
            | NodeKind::Regexp
            | NodeKind::Other => Self::Name,
        }
    }

    pub(super) fn of_edge(kind: EdgeKind) -> Self {
        match kind {
            EdgeKind::Internal => Self::Internal,
            EdgeKind::Context | EdgeKind::Property | EdgeKind::Shortcut | EdgeKind::Weak => {
                Self::Name
            }
            EdgeKind::Element | EdgeKind::Hidden | EdgeKind::Other => Self::Value,
        }
    }
}

/// Names of the language itself, which are the same in every program.
const LANGUAGE: [&[u8]; 40] = [
    b"Array",
    b"ArrayBuffer",
    b"AsyncFunction",
    b"BigInt",
    b"BigInt64Array",
    b"BigUint64Array",
    b"Boolean",
    b"Buffer",
    b"DataView",
    b"Date",
    b"Error",
    b"FinalizationRegistry",
    b"Float32Array",
    b"Float64Array",
    b"Function",
    b"Generator",
    b"Int16Array",
    b"Int32Array",
    b"Int8Array",
    b"Map",
    b"Module",
    b"Number",
    b"Object",
    b"Promise",
    b"Proxy",
    b"RegExp",
    b"Set",
    b"SharedArrayBuffer",
    b"String",
    b"Symbol",
    b"Uint16Array",
    b"Uint32Array",
    b"Uint8Array",
    b"WeakMap",
    b"WeakRef",
    b"WeakSet",
    b"__proto__",
    b"constructor",
    b"prototype",
    b"this",
];

/// Whether a name is kept at a level.
pub(super) fn is_kept(text: &[u8], level: Level, engine: bool, internal: bool) -> bool {
    let is_form = text.starts_with(b"system / ") || text.starts_with(b"(") && text.ends_with(b")");
    level == Level::Values || internal || engine && is_form || LANGUAGE.contains(&text)
}

/// Stands for a value.
pub(super) fn length(chars: u64, out: &mut Vec<u8>) {
    if chars > 0 {
        out.extend_from_slice(format!("<{chars} chars>").as_bytes());
    }
}

/// Stands for a name, told apart from others.
pub(super) fn hidden(index: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(format!("<name {index}>").as_bytes());
}

/// What V8 calls the references to the value of a `WeakMap`: with the names of key and value in it,
/// which may be values. What it says without them, or nothing where its form is not the known one;
/// None of other names.
pub(super) fn pair(name: &[u8]) -> Option<Vec<u8>> {
    let text = String::from_utf8_lossy(name);
    if !text.contains(" pair in WeakMap") {
        return None;
    }
    Some(without_names(&text).unwrap_or_default().into_bytes())
}

fn without_names(text: &str) -> Option<String> {
    const BETWEEN: &str = ") -> value (";
    let (number, rest) = text.split_once(" / part of key (")?;
    let (inner, table) = rest.rsplit_once(") pair in WeakMap (table @")?;
    let table = table.strip_suffix(')')?;
    let (_, value) = inner.rsplit_once(" @")?;
    let mut keys = inner.match_indices(BETWEEN).filter_map(|(at, _)| inner[..at].rsplit_once(" @"));
    let (_, key) = keys.find(|(_, id)| is_digits(id))?;
    let is_known = [number, key, value, table].into_iter().all(is_digits);
    is_known.then(|| {
        format!(
            "{number} / part of key ( @{key}{BETWEEN} @{value}) pair in WeakMap (table @{table})"
        )
    })
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_in_a_pair_are_taken_out_and_its_numbers_stay() {
        let check = |name: &str, want: Option<&str>| {
            let found = pair(name.as_bytes()).map(|found| String::from_utf8(found).unwrap());
            assert_eq!(found.as_deref(), want, "{name}");
        };
        let bare = "2 / part of key ( @71) -> value ( @9) pair in WeakMap (table @345)";
        check(
            "2 / part of key (Key @71) -> value (secret @9) pair in WeakMap (table @345)",
            Some(bare),
        );
        check(
            "2 / part of key (a) -> value (b @71) -> value (c @1) -> value (d @9) pair in WeakMap \
             (table @345)",
            Some(bare),
        );
        check("part of key (secret @9) pair in WeakMap (table @345)", Some(""));
        check("table", None);
        assert_eq!(crate::v8::table_of_pair(bare.as_bytes()), Some(345));
    }
}
