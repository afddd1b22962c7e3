//! What the tests need of npm: other people's programs that ours are compared with.
//!
//! Installed under `target/npm`, with the network and best effort: what is missing is named, and the
//! tests that look for it there skip by themselves. Nothing of it is part of the product.

use std::path::Path;
use std::process::{Command, Stdio};

/// Where the tests look for packages, below the workspace.
const FOLDER: &str = "target/npm";

struct Package {
    name: &'static str,
    version: &'static str,
    skipped_without: &'static str,
}

const PACKAGES: &[Package] = &[Package {
    name: "heap-snapshot-toolkit",
    version: "1.1.3",
    skipped_without: "retained sizes of V8 are not compared with Chrome's developer tools",
}];

pub(crate) fn provide(root: &Path) {
    let folder = root.join(FOLDER);
    for package in PACKAGES {
        let Package { name, version, skipped_without } = package;
        if folder.join("node_modules").join(name).is_dir() {
            continue;
        }
        if let Err(why) = install(&folder, &format!("{name}@{version}")) {
            eprintln!("   missing: {name} of npm ({why}); {skipped_without}");
        }
    }
}

fn install(folder: &Path, package: &str) -> Result<(), String> {
    std::fs::create_dir_all(folder).map_err(|error| error.to_string())?;
    let mut npm = Command::new("npm");
    // No script of a package is run.
    npm.args(["install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix"]);
    npm.arg(folder).arg(package).stdin(Stdio::null());
    let output = npm.output().map_err(|error| format!("npm could not be started: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(said.lines().last().unwrap_or("npm said nothing").to_owned())
}
