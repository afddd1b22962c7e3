//! One stage of a run: a command, or a function, that is timed and whose failure says how to run
//! it alone. Used by `pipeline`; knows nothing of which stages there are.

use std::io::{BufRead, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::clock::Stopwatch;

/// Stages run so far, with the time each took.
pub(crate) struct Stages {
    root: PathBuf,
    done: Vec<(&'static str, Duration)>,
    tests: TestCount,
}

/// How many tests ran, summed over the closing lines of every test binary.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct TestCount {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) skipped: u64,
}

impl Stages {
    pub(crate) fn new(root: &Path) -> Self {
        Self { root: root.to_path_buf(), done: Vec::new(), tests: TestCount::default() }
    }

    pub(crate) fn tests(&self) -> TestCount {
        self.tests
    }

    /// Runs a function of this program as a stage.
    pub(crate) fn call(
        &mut self,
        name: &'static str,
        alone: &str,
        work: impl FnOnce(&Path) -> Result<(), String>,
    ) -> Result<(), String> {
        announce(name, alone);
        let watch = Stopwatch::start();
        let outcome = work(&self.root);
        self.close(name, watch.elapsed(), outcome.map_err(|why| failure(name, alone, &why)))
    }

    /// Runs `cargo` with these arguments as a stage.
    pub(crate) fn cargo(&mut self, name: &'static str, arguments: &[&str]) -> Result<(), String> {
        self.command(name, arguments, &[])
    }

    /// Builds the documentation; a warning fails it.
    pub(crate) fn cargo_doc(&mut self, arguments: &[&str]) -> Result<(), String> {
        self.command("documentation", arguments, &[("RUSTDOCFLAGS", "-D warnings")])
    }

    /// Runs `cargo test` as a stage: its output is passed on line by line and its tests counted.
    pub(crate) fn cargo_test(
        &mut self,
        name: &'static str,
        arguments: &[&str],
    ) -> Result<(), String> {
        let alone = shown(arguments, &[]);
        announce(name, &alone);
        let watch = Stopwatch::start();
        let outcome = count_tests(&self.root, arguments, &mut self.tests);
        self.close(name, watch.elapsed(), outcome.map_err(|why| failure(name, &alone, &why)))
    }

    /// The table of times, for the end of a run.
    pub(crate) fn table(&self) -> String {
        let total: Duration = self.done.iter().map(|(_, took)| *took).sum();
        let rows = self.done.iter().copied().chain([("total", total)]);
        rows.map(|(name, took)| format!("{name:<16} {:>8.1} s\n", took.as_secs_f64())).collect()
    }

    fn command(
        &mut self,
        name: &'static str,
        arguments: &[&str],
        environment: &[(&str, &str)],
    ) -> Result<(), String> {
        let alone = shown(arguments, environment);
        announce(name, &alone);
        let watch = Stopwatch::start();
        let status = Command::new("cargo")
            .args(arguments)
            .envs(environment.iter().copied())
            .current_dir(&self.root)
            .status();
        let outcome = match status {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(status.to_string()),
            Err(error) => Err(format!("cargo could not be started: {error}")),
        };
        self.close(name, watch.elapsed(), outcome.map_err(|why| failure(name, &alone, &why)))
    }

    fn close(
        &mut self,
        name: &'static str,
        took: Duration,
        outcome: Result<(), String>,
    ) -> Result<(), String> {
        self.done.push((name, took));
        if outcome.is_ok() {
            eprintln!("-- {name}: ok in {:.1} s", took.as_secs_f64());
        }
        outcome
    }
}

fn announce(name: &str, alone: &str) {
    eprintln!("\n-- {name}: {alone}");
}

fn failure(name: &str, alone: &str, why: &str) -> String {
    format!("-- {name}: failed ({why})\n   to see only this stage: {alone}")
}

fn shown(arguments: &[&str], environment: &[(&str, &str)]) -> String {
    let settings = environment.iter().map(|(key, value)| format!("{key}='{value}' "));
    format!("{}cargo {}", settings.collect::<String>(), arguments.join(" "))
}

/// The child's standard error stays its own; only its standard output is read, because the
/// closing lines of the tests are there.
fn count_tests(root: &Path, arguments: &[&str], count: &mut TestCount) -> Result<(), String> {
    let mut child = Command::new("cargo")
        .args(arguments)
        .current_dir(root)
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| format!("cargo could not be started: {error}"))?;
    let output = child.stdout.take().expect("standard output is piped");
    for line in BufReader::new(output).split(b'\n') {
        let line = line.map_err(|error| format!("the output could not be read: {error}"))?;
        let line = String::from_utf8_lossy(&line);
        count.add(&line);
        writeln!(std::io::stdout(), "{line}").map_err(|error| error.to_string())?;
    }
    let status = child.wait().map_err(|error| format!("cargo could not be awaited: {error}"))?;
    if status.success() { Ok(()) } else { Err(status.to_string()) }
}

impl TestCount {
    /// Adds a line such as `test result: ok. 3 passed; 0 failed; 1 ignored; ...`; others are
    /// no business of the count.
    fn add(&mut self, line: &str) {
        let Some(result) = line.strip_prefix("test result: ") else { return };
        let counts = result.split_once(". ").map_or(result, |(_, counts)| counts);
        for part in counts.split(';') {
            let mut words = part.split_whitespace();
            let number = words.next().and_then(|word| word.parse::<u64>().ok()).unwrap_or(0);
            match words.next() {
                Some("passed") => self.passed += number,
                Some("failed") => self.failed += number,
                Some("ignored") => self.skipped += number,
                Some(_) | None => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closing_lines_are_summed_and_other_lines_are_not() {
        let mut count = TestCount::default();
        count.add("running 4 tests");
        count.add("test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out");
        count.add("test result: FAILED. 2 passed; 5 failed; 0 ignored; 0 measured");
        assert_eq!(count, TestCount { passed: 5, failed: 5, skipped: 1 });
    }

    #[test]
    fn a_failed_stage_says_how_to_run_it_alone() {
        let mut stages = Stages::new(Path::new("."));
        let outcome = stages.call("tidy", "cargo xtask tidy", |_| Err("2 findings".into()));
        let message = outcome.expect_err("the work failed");
        assert!(message.contains("to see only this stage: cargo xtask tidy"), "{message}");
    }

    #[test]
    fn the_command_shown_can_be_pasted_into_a_shell() {
        assert_eq!(shown(&["doc"], &[("RUSTDOCFLAGS", "-D w")]), "RUSTDOCFLAGS='-D w' cargo doc");
    }
}
