//! Which of our crates may depend on which. ARCHITECTURE.md draws it; this table decides it.
//!
//! An arrow that is not here is a design change: add it here, with its reason, in the same commit.

use super::Finding;
use crate::text::manifest::dependencies;
use crate::tree::Tree;

/// A crate, and the crates it may name. Short names: `model` is `plimsoll-model`.
const MAY_USE: &[(&str, &[&str])] = &[
    ("model", &[]),
    // Layer 1 speaks only in the nouns: stages never import each other.
    ("wire", &["model"]),
    ("heap", &["model"]),
    ("detect", &["model"]),
    ("decide", &["model"]),
    // Never `decide`: the judge shares no code with the author.
    ("validate", &["model"]),
    ("sim", &["model"]),
    // Scores detectors; no stage knows of it.
    ("backtest", &["model", "detect"]),
    ("diagnose", &["model", "heap"]),
    ("ingest", &["model", "wire"]),
    ("store", &["model", "wire"]),
    ("runtime", &["model", "heap"]),
    // Never `decide`, `control` or `detect`: who acts does not choose.
    ("act", &["model", "wire"]),
    // `wire` for digests: a plan is approved and journalled by the digest of its written form.
    ("control", &["model", "wire", "detect", "diagnose", "decide", "validate"]),
    ("agent", &["model", "wire", "heap", "runtime", "act"]),
    // Neither `act` nor `agent`: the server asks, on the wire, and an agent does.
    (
        "server",
        &[
            "model", "wire", "heap", "detect", "decide", "validate", "diagnose", "ingest", "store",
            "control",
        ],
    ),
    // The one binary may put anything together.
    (
        "plimsoll",
        &[
            "model", "wire", "heap", "detect", "decide", "validate", "backtest", "diagnose",
            "ingest", "store", "runtime", "act", "control", "agent", "server",
        ],
    ),
    // A service of the demo's fleet knows nothing of who watches it.
    ("ledger", &[]),
    // Writes corpora, drawn and adapted; beside the product, which never needs it.
    ("corpora", &["model", "wire", "sim"]),
    // Feeds every reader of the product; no part of it.
    ("fuzz", &["model", "wire", "heap", "sim", "ingest", "runtime", "agent"]),
    ("xtask", &[]),
];

/// Tests of any crate may use the simulated services.
const TESTS_MAY_USE: &str = "sim";

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for manifest in tree.manifests() {
        let Some(own) = manifest.crate_name() else { continue };
        let Some((_, allowed)) = MAY_USE.iter().find(|(name, _)| *name == own) else {
            let what =
                format!("crate `{own}` is not in the direction table; add it to {}", file!());
            findings.push(Finding::new(&manifest.path, 1, what));
            continue;
        };
        for dependency in dependencies(manifest) {
            let Some(other) = our_own(&dependency.name) else { continue };
            let permitted = allowed.contains(&other)
                || (dependency.for_tests && (other == TESTS_MAY_USE || other == own));
            if !permitted {
                let what = format!(
                    "`{own}` may not depend on `{other}`; it may on {}",
                    if allowed.is_empty() { "none of ours".into() } else { allowed.join(", ") }
                );
                findings.push(Finding::new(&manifest.path, dependency.line, what));
            }
        }
    }
    findings
}

fn our_own(dependency: &str) -> Option<&str> {
    match dependency {
        "plimsoll" | "ledger" | "corpora" | "fuzz" => Some(dependency),
        _ => dependency.strip_prefix("plimsoll-"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::assert_lines;
    use super::*;

    fn check_manifest(name: &str, manifest: &str, expected: &[usize]) {
        assert_lines(check, &[(&format!("crates/{name}/Cargo.toml"), manifest)], expected);
    }

    #[test]
    fn an_arrow_that_is_not_in_the_table_is_found() {
        let manifest = "[dependencies]\nplimsoll-model.workspace = true\n\
                        plimsoll-decide.workspace = true\n";
        check_manifest("plimsoll-validate", manifest, &[3]);
        check_manifest("plimsoll-control", manifest, &[]);
    }

    #[test]
    fn the_simulator_is_for_tests_only() {
        let manifest = |section| format!("[{section}]\nplimsoll-sim.workspace = true\n");
        check_manifest("plimsoll-detect", &manifest("dev-dependencies"), &[]);
        check_manifest("plimsoll-detect", &manifest("dependencies"), &[2]);
        check_manifest("plimsoll", &manifest("dependencies"), &[2]);
    }

    #[test]
    fn a_crate_that_the_table_does_not_know_is_found() {
        check_manifest("plimsoll-extra", "[dependencies]\n", &[1]);
    }

    #[test]
    fn the_table_itself_points_only_down() {
        for (index, (own, allowed)) in MAY_USE.iter().enumerate() {
            for other in *allowed {
                let place = MAY_USE.iter().position(|(name, _)| name == other);
                assert!(place.is_some_and(|place| place < index), "{own} -> {other}");
            }
        }
    }
}
