//! Which of the demo's languages this machine has, and where. A reason that comes back instead of
//! a path is shown to the user as it is: it says what is missing and what would help.
//!
//! Used by `demo::fleet` only. Asks the programs themselves, so that a wrapper script on the PATH
//! does not become the process that is watched.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::{env, io};

/// The home of a Java that can compile and is new enough.
pub(crate) fn find_java() -> Result<PathBuf, String> {
    let advice = "install a JDK of version 17 or newer";
    let printed = ask("java", &["-XshowSettings:properties", "-version"], advice)?;
    let property = |name: &str| {
        let pairs = printed.lines().filter_map(|line| line.split_once(" = "));
        pairs.filter(|(key, _)| key.trim() == name).map(|(_, value)| value.trim()).next()
    };
    let version = property("java.specification.version").unwrap_or_default();
    at_least(version, (17, 0), "java", advice)?;
    let home = PathBuf::from(property("java.home").unwrap_or_default());
    let compiler = home.join("bin/javac");
    if compiler.is_file() {
        Ok(home)
    } else {
        Err(format!("{} does not exist: {advice}", compiler.display()))
    }
}

pub(crate) fn find_node() -> Result<PathBuf, String> {
    let script = "console.log(process.versions.node + '\\n' + process.execPath)";
    find_interpreter("node", &["-e", script], (18, 0), "install Node.js 18 or newer")
}

/// The interpreter itself, not the wrapper script that `python3` is on some machines.
pub(crate) fn find_python() -> Result<PathBuf, String> {
    let script = "import sys; print('%d.%d' % sys.version_info[:2]); print(sys.executable)";
    find_interpreter("python3", &["-c", script], (3, 9), "install Python 3.9 or newer")
}

/// `args` make the interpreter print its version, and its own path on the second line.
fn find_interpreter(
    name: &str,
    args: &[&str],
    minimum: (u32, u32),
    advice: &str,
) -> Result<PathBuf, String> {
    let printed = ask(name, args, advice)?;
    let mut lines = printed.lines();
    at_least(lines.next().unwrap_or_default(), minimum, name, advice)?;
    let path = PathBuf::from(lines.next().unwrap_or_default());
    if path.is_file() { Ok(path) } else { Err(format!("{name} does not say where it is")) }
}

pub(crate) fn find_ledger(binaries: &Path) -> Result<PathBuf, String> {
    let program = binaries.join(format!("ledger{}", env::consts::EXE_SUFFIX));
    if program.is_file() {
        Ok(program)
    } else {
        Err(format!("{} does not exist: run `cargo build -p ledger`", program.display()))
    }
}

/// What the program prints, on either stream: Java uses the second one.
fn ask(program: &str, args: &[&str], advice: &str) -> Result<String, String> {
    match Command::new(program).args(args).output() {
        Ok(Output { status, stdout, stderr }) if status.success() => {
            Ok(String::from_utf8_lossy(&[stdout, stderr].concat()).into_owned())
        }
        Ok(output) => Err(format!("`{program}` ends with {}: {advice}", output.status)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(format!("`{program}` is not on the PATH: {advice}"))
        }
        Err(error) => Err(format!("`{program}` cannot be started ({error}): {advice}")),
    }
}

fn at_least(version: &str, minimum: (u32, u32), name: &str, advice: &str) -> Result<(), String> {
    let mut parts = version.split('.').map_while(|part| part.parse().ok());
    let found: Option<(u32, u32)> = parts.next().map(|major| (major, parts.next().unwrap_or(0)));
    match found {
        Some(found) if found >= minimum => Ok(()),
        Some(_) => Err(format!("`{name}` is version {version}: {advice}")),
        None => Err(format!("`{name}` does not say its version: {advice}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_runtime_that_is_too_old_is_refused_with_its_version() {
        let check = |version, minimum, expected| {
            let found = at_least(version, minimum, "node", "install it");
            assert_eq!(found.is_ok(), expected, "{version}: {found:?}");
        };
        check("17", (17, 0), true);
        check("20.20.2", (18, 0), true);
        check("3.11", (3, 9), true);
        check("3.8", (3, 9), false);
        check("1.8", (17, 0), false);
        check("", (17, 0), false);
    }

    #[test]
    fn a_program_that_is_not_there_is_a_reason_not_an_error() {
        let missing = ask("plimsoll-no-such-program", &[], "install it");
        let reason = "`plimsoll-no-such-program` is not on the PATH: install it";
        assert_eq!(missing, Err(reason.to_owned()));
    }
}
