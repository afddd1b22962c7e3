//! What the tests need beside Rust: programs, why, and the Debian package that brings each.
//!
//! Installing is best effort and never silent: what is missing is named, with the tests that will
//! be skipped for it. Tests look for the same programs on the PATH and skip by themselves.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Command, Stdio};

/// One program that some test starts.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Need {
    pub(crate) program: &'static str,
    why: &'static str,
    debian_package: &'static str,
    pub(crate) skipped_without: &'static str,
}

/// The table. Packages of npm stand in `npm`.
const NEEDS: &[Need] = &[
    Need {
        program: "javac",
        why: "the demo's `orders` is compiled and run, and the JVM attach tests talk to it",
        debian_package: "openjdk-17-jdk-headless",
        skipped_without: "tests of hsperfdata and JVM attach, and `orders` in the demo, are skipped",
    },
    Need {
        program: "node",
        why: "the demo's `catalog`, and the inspector tests talk to a real V8",
        debian_package: "nodejs",
        skipped_without: "tests of the V8 inspector, and `catalog` in the demo, are skipped",
    },
    Need {
        program: "go",
        why: "profiles are fetched from a real Go service, and read by its own pprof",
        debian_package: "golang-go",
        skipped_without: "tests of captures of Go are skipped",
    },
    Need {
        program: "python3",
        why: "the demo's `recommend`, and the tests of what CPython shows from outside",
        debian_package: "python3",
        skipped_without: "tests of CPython, and `recommend` in the demo, are skipped",
    },
    Need {
        program: "prometheus",
        why: "`plimsoll scan --prometheus` reads back-filled services from a real server",
        debian_package: "prometheus",
        skipped_without: "the verdicts from a real Prometheus are not compared",
    },
];

/// Installs what is missing where that is allowed; returns what is missing still.
pub(crate) fn provide() -> Vec<&'static Need> {
    let missing = missing_of(NEEDS, on_path);
    if missing.is_empty() {
        eprintln!(
            "   all {} programs are here: {}",
            NEEDS.len(),
            programs(&NEEDS.iter().collect::<Vec<_>>())
        );
        return missing;
    }
    for need in &missing {
        eprintln!("   missing: {} (package {}): {}", need.program, need.debian_package, need.why);
    }
    if let Err(why) = install(&missing) {
        eprintln!("   not installed: {why}");
    }
    let missing = missing_of(NEEDS, on_path);
    for need in &missing {
        eprintln!("   still missing: {}; {}", need.program, need.skipped_without);
        eprintln!("   to install it yourself: apt-get install {}", need.debian_package);
    }
    missing
}

fn missing_of(needs: &'static [Need], present: impl Fn(&str) -> bool) -> Vec<&'static Need> {
    needs.iter().filter(|need| !present(need.program)).collect()
}

fn programs(needs: &[&Need]) -> String {
    needs.iter().map(|need| need.program).collect::<Vec<_>>().join(", ")
}

fn on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

fn install(missing: &[&Need]) -> Result<(), String> {
    if !on_path("apt-get") {
        return Err("this machine has no apt-get".into());
    }
    let prefix: &[&str] = if is_root() {
        &[]
    } else if may_sudo() {
        &["sudo", "-n"]
    } else {
        return Err("neither root nor sudo without a password".into());
    };
    let packages: Vec<&str> = missing.iter().map(|need| need.debian_package).collect();
    apt_get(prefix, &["update", "-qq"])?;
    apt_get(prefix, &[&["install", "-y", "-qq", "--no-install-recommends"], &packages[..]].concat())
}

fn apt_get(prefix: &[&str], arguments: &[&str]) -> Result<(), String> {
    let words = [prefix, &["env", "DEBIAN_FRONTEND=noninteractive", "apt-get"], arguments].concat();
    let (program, rest) = words.split_first().expect("the command has a program");
    let command = words.join(" ");
    eprintln!("   {command}");
    let output = Command::new(program)
        .args(rest)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("`{command}` could not be started: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let last = said.lines().last().unwrap_or("nothing on standard error");
    Err(format!("`{command}` ended with {}: {last}", output.status))
}

/// The owner of our own process, without a dependency for one number.
fn is_root() -> bool {
    Path::new("/proc/self").metadata().is_ok_and(|own| own.uid() == 0)
}

fn may_sudo() -> bool {
    let mut sudo = Command::new("sudo");
    sudo.args(["-n", "true"]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    sudo.status().is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_absent_is_missing() {
        let missing = missing_of(NEEDS, |program| program != "node");
        assert_eq!(programs(&missing), "node");
        assert_eq!(missing_of(NEEDS, |_| true), Vec::<&Need>::new());
    }

    #[test]
    fn a_shell_is_on_the_path_and_nonsense_is_not() {
        assert!(on_path("sh"));
        assert!(!on_path("no-such-program-as-this"));
    }
}
