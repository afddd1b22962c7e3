//! `cargo xtask fuzz`: libFuzzer over the targets of the crate `fuzz`, one after the other.
//!
//! Every promise of the targets is held by an ordinary test as well; this is the long run, for
//! which `cargo-fuzz` and a C++ compiler are needed. Not here: what a target checks.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const TARGETS: &str = "fuzz/fuzz_targets";

/// More resident memory than this is a finding: no reader may need it for what a fuzzer sends.
const RSS_MIB_MAX: u32 = 2048;

/// Longest input in bytes: several times the largest seed. What only a longer one could break is
/// held by bounds that have tests of their own.
const INPUT_BYTES_MAX: u32 = 1 << 16;

/// One input may take this long, in seconds, before it counts as a hang.
const INPUT_SECS_MAX: u32 = 10;

/// What to run.
pub(crate) struct Run<'a> {
    /// One target; all of them where none is named.
    pub(crate) target: Option<&'a str>,
    /// How long each may run.
    pub(crate) seconds: u32,
}

pub(crate) fn run(root: &Path, run: &Run<'_>) -> Result<(), String> {
    let all = targets(root)?;
    let chosen: Vec<&String> =
        all.iter().filter(|name| run.target.is_none_or(|target| target == **name)).collect();
    if chosen.is_empty() {
        let wanted = run.target.unwrap_or_default();
        return Err(format!("there is no target `{wanted}`; there are {}", all.join(", ")));
    }
    require_cargo_fuzz(root)?;
    let own = root.join("target/fuzz");
    let seeds = own.join("seeds");
    let words = ["run", "--quiet", "--package", "fuzz", "--bin", "seeds", "--"];
    let mut writing = Command::new("cargo");
    writing.args(words).arg(&seeds).current_dir(root);
    succeed(&mut writing, "the seeds could not be written")?;
    let mut failed = Vec::new();
    for name in chosen {
        eprintln!("\n-- fuzz {name}, {} s", run.seconds);
        if succeed(&mut fuzzer(root, &own, name, run.seconds)?, name).is_err() {
            failed.push(name.as_str());
        }
    }
    if failed.is_empty() {
        return Ok(());
    }
    Err(format!(
        "-- fuzz: {} broke; the input is named above: mend the reader, and keep the input in \
         fuzz/regressions/<target>",
        failed.join(", ")
    ))
}

fn targets(root: &Path) -> Result<Vec<String>, String> {
    let folder = root.join(TARGETS);
    let unreadable = |error| format!("{} cannot be listed: {error}", folder.display());
    let mut names = Vec::new();
    for entry in std::fs::read_dir(&folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        names.extend(path.file_stem().map(|stem| stem.to_string_lossy().into_owned()));
    }
    names.sort();
    Ok(names)
}

fn require_cargo_fuzz(root: &Path) -> Result<(), String> {
    let mut asked = Command::new("cargo");
    asked.args(["fuzz", "--version"]).current_dir(root);
    asked.stdout(Stdio::null()).stderr(Stdio::null());
    if asked.status().is_ok_and(|status| status.success()) {
        return Ok(());
    }
    Err("-- fuzz: `cargo fuzz` is missing, which builds the targets with libFuzzer; install it by \
         `cargo install cargo-fuzz`. The promises of all targets are tested without it by `cargo \
         test -p fuzz`"
        .into())
}

/// No sanitizer: our code has no `unsafe`, so what one finds is not there to be found, and without
/// one the build needs no nightly compiler and runs several times faster. Overflows panic.
fn fuzzer(root: &Path, own: &Path, name: &str, seconds: u32) -> Result<Command, String> {
    let corpus = own.join("corpus").join(name);
    std::fs::create_dir_all(&corpus)
        .map_err(|error| format!("{} cannot be made: {error}", corpus.display()))?;
    let mut command = Command::new("cargo");
    command.args(["fuzz", "run", "--sanitizer", "none", "--features", "libfuzzer", name]);
    let folders: [PathBuf; 2] = [corpus, own.join("seeds").join(name)];
    command.args(folders).arg("--");
    command.arg(format!("-max_total_time={seconds}"));
    command.arg(format!("-rss_limit_mb={RSS_MIB_MAX}"));
    command.arg(format!("-max_len={INPUT_BYTES_MAX}"));
    command.arg(format!("-timeout={INPUT_SECS_MAX}"));
    command.args(["-print_final_stats=1", "-verbosity=0"]).current_dir(root);
    Ok(command)
}

fn succeed(command: &mut Command, what: &str) -> Result<(), String> {
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{what} ({status})")),
        Err(error) => Err(format!("{what}: cargo could not be started: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root() -> &'static Path {
        Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
    }

    #[test]
    fn the_targets_are_those_that_have_a_program() {
        let all = targets(root()).unwrap();
        assert!(all.iter().any(|name| name == "csv"), "{all:?}");
    }

    #[test]
    fn a_target_that_is_not_there_is_told_with_those_that_are() {
        let wanted = Run { target: Some("nonsense"), seconds: 1 };
        let told = run(root(), &wanted).unwrap_err();
        assert!(told.contains("`nonsense`") && told.contains("csv"), "{told}");
    }
}
