//! A folder of input files, and the binary run over them. Used by the tests of the scan.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// A folder that goes away with its test.
pub(crate) struct Files(TempDir);

/// What a run printed, and how it ended.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Files {
    pub(crate) fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.path().join(name);
        fs::write(&path, content).unwrap();
        path
    }

    /// Runs `scan --telemetry <content> --format json` with more arguments.
    pub(crate) fn scan(&self, content: impl AsRef<[u8]>, more: &[&str]) -> Run {
        let path = self.write("telemetry.csv", content);
        scan(&[&["--telemetry", path.to_str().unwrap(), "--format", "json"], more].concat())
    }
}

impl Run {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

pub(crate) fn scan(args: &[&str]) -> Run {
    scan_as(args, &[])
}

pub(crate) fn scan_as(args: &[&str], environment: &[(&str, &str)]) -> Run {
    run(args, environment, b"")
}

pub(crate) fn scan_with_input(args: &[&str], input: &[u8]) -> Run {
    run(args, &[], input)
}

fn run(args: &[&str], environment: &[(&str, &str)], input: &[u8]) -> Run {
    let mut child = Command::new(env!("CARGO_BIN_EXE_plimsoll"))
        .arg("scan")
        .args(args)
        .envs(environment.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A command that refuses its arguments never reads.
    drop(child.stdin.take().unwrap().write_all(input));
    let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
    Run {
        code: status.code().expect("it ends by itself"),
        out: String::from_utf8(stdout).unwrap(),
        err: String::from_utf8(stderr).unwrap(),
    }
}

/// Rows of one metric of one instance: a value for each second from `from` on.
pub(crate) fn rows(from: i64, instance: &str, metric: &str, values: &[f64]) -> String {
    let mut text = String::new();
    for (at, value) in (from..).zip(values) {
        writeln!(text, "{at},orders,1.0.0,{instance},{metric},{value}").unwrap();
    }
    text
}
