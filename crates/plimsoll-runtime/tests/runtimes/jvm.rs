//! A real JVM that runs `fixtures/Leak.java`. Used by all tests of this folder.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use crate::program::{Program, find, skipped};

const SOURCE: &str = include_str!("../fixtures/Leak.java");

/// `None`, and a line that says so, where there is no JDK.
pub(crate) fn start(options: &[&str]) -> Option<Program> {
    let mut command = Command::new("java");
    command.args(arguments(options));
    Some(Program::start_as(command, compiled(&std::env::temp_dir())?))
}

/// A JVM of another user, which only root can start.
pub(crate) fn start_as_user(uid: u32) -> Option<Program> {
    let folder = compiled(&std::env::temp_dir())?;
    if !rustix::process::geteuid().is_root() {
        skipped("only root can start a JVM of another user");
        return None;
    }
    std::os::unix::fs::chown(folder.path(), Some(uid), None).expect("root may give it away");
    let mut command = Command::new("java");
    command.args(arguments(&[])).uid(uid);
    Some(Program::start_as(command, folder))
}

/// A JVM that is process 1 of its own PID namespace, with a `/tmp` of its own, as in a container.
pub(crate) fn start_in_namespaces() -> Option<Program> {
    const WAY_IN: [&str; 5] = ["--pid", "--mount", "--fork", "--kill-child", "sh"];
    find("unshare")?;
    // Not below /tmp, which this JVM has its own of; the target directory may be there.
    let folder = compiled(Path::new("/var/tmp"))?;
    let may =
        Command::new("unshare").args(WAY_IN).args(["-c", "mount -t tmpfs none /tmp"]).output();
    if !may.expect("unshare was found before").status.success() {
        skipped("namespaces cannot be made here");
        return None;
    }
    let script = format!("mount -t tmpfs none /tmp && exec java {}", arguments(&[]).join(" "));
    let mut command = Command::new("unshare");
    command.args(WAY_IN).args(["-c", &script]);
    Some(Program::start_as(command, folder))
}

fn arguments<'a>(options: &[&'a str]) -> Vec<&'a str> {
    ["-Xmx128m"].into_iter().chain(options.iter().copied()).chain(["Leak"]).collect()
}

fn compiled(below: &Path) -> Option<tempfile::TempDir> {
    find("java")?;
    find("javac")?;
    let folder = tempfile::tempdir_in(below).expect("the folder is there");
    compile(folder.path());
    Some(folder)
}

fn compile(folder: &Path) {
    let source = folder.join("Leak.java");
    std::fs::write(&source, SOURCE).expect("the folder is ours");
    let status = Command::new("javac").arg("-d").arg(folder).arg(&source).status();
    assert!(status.expect("javac was found before").success(), "javac refused Leak.java");
}

/// Whether any file of an attach is left where one could be.
pub(crate) fn has_trigger(program: &Program) -> bool {
    let name = format!(".attach_pid{}", program.pid());
    program.folder.path().join(&name).exists() || Path::new("/tmp").join(&name).exists()
}
