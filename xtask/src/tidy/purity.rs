//! Pure crates do no I/O, read no clock and start no thread: by what they depend on, and by what
//! their sources name.

use super::Finding;
use crate::text::code::{Token, closing, tokens};
use crate::text::manifest::dependencies;
use crate::tree::{File, Tree};

/// Crates whose functions are functions of their arguments.
const PURE: &[&str] =
    &["model", "detect", "decide", "validate", "backtest", "diagnose", "heap", "control", "sim"];

/// Pure as well, but for the formats that it exists to depend on.
const PURE_IN_ITS_SOURCES: &str = "wire";

/// All that a pure crate may take from outside: a list of what is allowed, because a list of what
/// does I/O is never complete. Their tests may use anything.
const MAY_TAKE: &[(&str, &str)] = &[
    ("flate2", "gzip in memory, read through a cap; no files"),
    ("fastrand", "random numbers from a seed that the caller gives"),
    ("thiserror", "derives of `Error`; no code at run time"),
];

/// Modules of `std` that reach outside the arguments.
const STD_BANNED: &[&str] = &["fs", "net", "process", "thread", "env"];
/// Types that are a clock.
const CLOCKS: &[&str] = &["SystemTime", "Instant"];

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let pure = |file: &&File| file.crate_name().is_some_and(|name| PURE.contains(&name));
    let mut findings = Vec::new();
    for manifest in tree.manifests().filter(pure) {
        for dependency in dependencies(manifest).iter().filter(|found| !found.for_tests) {
            let name = dependency.name.as_str();
            let allowed = MAY_TAKE.iter().any(|(allowed, _)| *allowed == name);
            if !allowed && !name.starts_with("plimsoll-") {
                let what = format!(
                    "a pure crate may not depend on `{name}`; move what needs it to a shell crate, \
                     or argue for it in {}",
                    file!()
                );
                findings.push(Finding::new(&manifest.path, dependency.line, what));
            }
        }
    }
    let pure_source = |file: &&File| {
        pure(file) || file.crate_name().is_some_and(|name| name == PURE_IN_ITS_SOURCES)
    };
    for source in tree.rust().filter(pure_source).filter(|file| file.path.contains("/src/")) {
        findings.extend(impure_names(source));
    }
    findings
}

fn impure_names(source: &File) -> Vec<Finding> {
    let tokens = tokens(&source.code);
    let mut findings = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        let banned = if CLOCKS.contains(&token.text) {
            Some(token)
        } else if token.text == "std" {
            banned_module(&tokens, at)
        } else {
            None
        };
        if let Some(found) = banned {
            let what = format!(
                "`{}` reaches outside the arguments of a pure crate; let the caller pass what it gives",
                found.text
            );
            findings.push(Finding::new(&source.path, found.line, what));
        }
    }
    findings
}

/// The banned module that `std::x` or `std::{.., x}` names, for the `std` at this position.
fn banned_module<'t, 'a>(tokens: &'t [Token<'a>], at: usize) -> Option<&'t Token<'a>> {
    let next = tokens.get(at + 2).filter(|_| tokens[at + 1].text == "::")?;
    if next.text != "{" {
        return Some(next).filter(|next| STD_BANNED.contains(&next.text));
    }
    let group = &tokens[at + 2..closing(tokens, at + 2)];
    let named = group.windows(2).filter(|pair| matches!(pair[0].text, "{" | ","));
    named.map(|pair| &pair[1]).find(|token| STD_BANNED.contains(&token.text))
}

#[cfg(test)]
mod tests {
    use super::super::assert_lines;
    use super::*;

    #[test]
    fn a_dependency_that_is_not_on_the_list_is_found() {
        let manifest = "[dependencies]\nthiserror.workspace = true\ntokio.workspace = true\n\
                        [dev-dependencies]\nproptest.workspace = true\n";
        assert_lines(check, &[("crates/plimsoll-detect/Cargo.toml", manifest)], &[3]);
        assert_lines(check, &[("crates/plimsoll-agent/Cargo.toml", manifest)], &[]);
    }

    #[test]
    fn reaching_outside_is_found_in_every_spelling() {
        let text = "use std::fs;\nuse std::{fmt, thread::sleep};\nlet x = std::process::id();\n\
                    use std::time::Duration;\nfn f(at: Instant) {}\n// std::net\n";
        assert_lines(check, &[("crates/plimsoll-heap/src/a.rs", text)], &[1, 2, 3, 5]);
    }

    #[test]
    fn tests_of_a_pure_crate_may_read_files() {
        assert_lines(check, &[("crates/plimsoll-heap/tests/a.rs", "use std::fs;")], &[]);
    }
}
