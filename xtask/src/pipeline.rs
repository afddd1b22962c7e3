//! `cargo xtask check` and `cargo xtask test`: which stages there are, and in which order.
//!
//! Cheapest first, and the first failure stops the run: what a reader sees last is what is wrong.

use std::path::Path;

use crate::needs;
use crate::npm;
use crate::stage::Stages;
use crate::tidy;

const CLIPPY: &[&str] = &["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"];
const DOCUMENTATION: &[&str] = &["doc", "--workspace", "--no-deps"];
const UNIT_TESTS: &[&str] = &["test", "--workspace", "--lib", "--bins"];
/// The programs that tests start: `cargo test` alone builds only those of the tested crate.
const PROGRAMS: &[&str] = &["build", "--workspace", "--bins"];
const DOC_TESTS: &[&str] = &["test", "--workspace", "--doc"];
/// Everything that has a `#[test]`: unit tests, scenarios, tests with real processes. One command,
/// so that no test runs twice; all of them even if one fails, because a run is long.
const ALL_TESTS: &[&str] = &["test", "--workspace", "--lib", "--bins", "--tests", "--no-fail-fast"];
/// The test target that runs `scenarios/*.scn`, in whichever crate it is.
const SCENARIO_TARGET: &str = "scenarios";

/// The fast part: what to run before every push.
pub(crate) fn check(root: &Path) -> Result<(), String> {
    let mut stages = Stages::new(root);
    read_only_stages(&mut stages)?;
    stages.cargo_test("unit tests", UNIT_TESTS)?;
    match scenario_command(root) {
        Some(command) => {
            let command: Vec<&str> = command.iter().map(String::as_str).collect();
            stages.cargo_test("scenarios", &command)?;
        }
        None => {
            eprintln!("\n-- scenarios: no crate has tests/{SCENARIO_TARGET}.rs; nothing to run")
        }
    }
    stages.cargo_doc(DOCUMENTATION)?;
    close(&stages, &[]);
    Ok(())
}

/// Everything. What is missing on this machine is installed, or named with what it costs.
pub(crate) fn test(root: &Path) -> Result<(), String> {
    let mut stages = Stages::new(root);
    let mut missing = Vec::new();
    stages.call("requirements", "cargo xtask test", |_| {
        missing = needs::provide();
        npm::provide(root);
        Ok(())
    })?;
    read_only_stages(&mut stages)?;
    stages.cargo_doc(DOCUMENTATION)?;
    stages.cargo("programs", PROGRAMS)?;
    stages.cargo_test("doc tests", DOC_TESTS)?;
    let outcome = stages.cargo_test("tests", ALL_TESTS);
    close(&stages, &missing);
    outcome
}

/// The stages that only look at the sources.
fn read_only_stages(stages: &mut Stages) -> Result<(), String> {
    stages.cargo("formatting", &["fmt", "--all", "--check"])?;
    stages.call("tidy", "cargo xtask tidy", tidy::run)?;
    stages.cargo("clippy", CLIPPY)
}

/// `cargo test` for the crates that have a scenario runner; none while no crate has one.
fn scenario_command(root: &Path) -> Option<Vec<String>> {
    let crates = std::fs::read_dir(root.join("crates")).ok()?;
    let target = format!("tests/{SCENARIO_TARGET}.rs");
    let mut packages: Vec<String> = crates
        .filter_map(Result::ok)
        .filter(|folder| folder.path().join(&target).is_file())
        .filter_map(|folder| folder.file_name().into_string().ok())
        .collect();
    packages.sort();
    if packages.is_empty() {
        return None;
    }
    let mut command = vec!["test".to_owned()];
    command.extend(packages.into_iter().flat_map(|package| ["-p".to_owned(), package]));
    command.extend(["--test".to_owned(), SCENARIO_TARGET.to_owned()]);
    Some(command)
}

fn close(stages: &Stages, missing: &[&needs::Need]) {
    eprintln!("\n{}", stages.table());
    for need in missing {
        eprintln!("without {}: {}", need.program, need.skipped_without);
    }
    let tests = stages.tests();
    println!("tests: {} passed, {} failed, {} skipped", tests.passed, tests.failed, tests.skipped);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_without_a_scenario_runner_has_no_scenario_command() {
        assert_eq!(scenario_command(Path::new("no/such/folder")), None);
    }
}
