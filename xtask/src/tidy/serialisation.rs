//! What crosses a process or survives a restart is a `wire` type; few other crates derive serde.

use super::Finding;
use crate::text::code::{closing, tokens};
use crate::tree::{File, Tree};

/// Crates that may derive, each with what for.
const MAY_DERIVE: &[(&str, &str)] = &[
    ("wire", "the versioned shapes that cross a process or survive a restart"),
    ("ingest", "formats of others, and the catalogue of metric names, which is a file"),
    ("server", "query strings and bodies of the API that are nothing but a request"),
    ("plimsoll", "JSON that a command prints, and options files that it reads"),
    ("ledger", "a service of the demo's fleet has its own API"),
];

const DERIVES: &[&str] = &["Serialize", "Deserialize"];

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let bound = |file: &&File| {
        let may = |name| MAY_DERIVE.iter().any(|(allowed, _)| *allowed == name);
        file.path.contains("/src/") && !file.crate_name().is_some_and(may)
    };
    tree.rust().filter(bound).flat_map(check_file).collect()
}

fn check_file(file: &File) -> Vec<Finding> {
    let tokens = tokens(&file.code);
    let mut findings = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        let derives = token.text == "derive" && tokens.get(at + 1).is_some_and(|t| t.text == "(");
        if !derives {
            continue;
        }
        let mut derived = tokens[at..closing(&tokens, at + 1)].iter();
        if let Some(found) = derived.find(|token| DERIVES.contains(&token.text)) {
            let what = format!(
                "`{}` is derived outside `plimsoll-wire`; move the shape there, or argue in {}",
                found.text,
                file!()
            );
            findings.push(Finding::new(&file.path, found.line, what));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::assert_lines;
    use super::*;

    #[test]
    fn a_shape_outside_wire_is_found() {
        let text = "#[derive(Debug, serde::Serialize)]\nstruct A;\n#[derive(Debug)]\nstruct B;\n";
        assert_lines(check, &[("crates/plimsoll-store/src/a.rs", text)], &[1]);
        assert_lines(check, &[("crates/plimsoll-wire/src/a.rs", text)], &[]);
        assert_lines(check, &[("crates/plimsoll-store/tests/a.rs", text)], &[]);
    }
}
