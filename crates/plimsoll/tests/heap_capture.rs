//! `plimsoll heap capture`, as its users have it: the real binary over real JVMs. What a capture
//! does to a process is tested in `plimsoll-runtime`; here stand the words and the exit codes.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop here")]

#[path = "heap_capture/watch.rs"]
mod watch;

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use plimsoll_wire::heap_capture::{CaptureAnswer, CaptureMemory, CountersFile};
use tempfile::TempDir;

/// The program of `plimsoll-runtime`'s own tests: keeps orders, a word a line.
const LEAK: &str = include_str!("../../plimsoll-runtime/tests/fixtures/Leak.java");

const LINE_DEADLINE: Duration = Duration::from_secs(60);

/// A JVM, ended with this value.
struct Jvm {
    child: Child,
    input: ChildStdin,
    lines: Receiver<String>,
    folder: TempDir,
}

impl Drop for Jvm {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
        drop(fs::remove_file(format!("/tmp/.java_pid{}", self.child.id())));
    }
}

impl Jvm {
    /// `None`, and a line that says so, where there is no JDK.
    fn start(orders: u32) -> Option<Self> {
        let folder = TempDir::new().unwrap();
        let source = folder.path().join("Leak.java");
        fs::write(&source, LEAK).unwrap();
        let Ok(compiled) = Command::new("javac").arg("-d").arg(folder.path()).arg(&source).status()
        else {
            let said = writeln!(std::io::stderr(), "skipped: javac not found");
            said.unwrap();
            return None;
        };
        assert!(compiled.success());
        let mut command = Command::new("java");
        command.args(["-Xmx384m", "Leak"]).current_dir(folder.path());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let output = child.stdout.take().unwrap();
        let input = child.stdin.take().unwrap();
        let (sender, lines) = sync_channel(100);
        std::thread::spawn(move || {
            BufReader::new(output).lines().map_while(Result::ok).try_for_each(|l| sender.send(l))
        });
        let mut jvm = Self { child, input, lines, folder };
        jvm.leak(orders);
        Some(jvm)
    }

    fn leak(&mut self, orders: u32) {
        writeln!(self.input, "leak {orders}").unwrap();
        while !self.lines.recv_timeout(LINE_DEADLINE).unwrap().starts_with("kept") {}
    }

    fn pid(&self) -> String {
        self.child.id().to_string()
    }

    fn has_remains(&self) -> bool {
        let names = fs::read_dir(self.folder.path()).unwrap().flatten();
        names.into_iter().any(|entry| entry.file_name().to_string_lossy().starts_with("plimsoll"))
    }
}

/// A folder for what is written, and one for what is remembered.
struct Place(TempDir);

struct End {
    code: i32,
    out: String,
    err: String,
}

impl Place {
    fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    fn file(&self) -> PathBuf {
        self.0.path().join("capture")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_plimsoll"));
        command.args(["heap", "capture", "--output"]).arg(self.file());
        command.arg("--dir").arg(self.0.path().join("memory")).args(arguments);
        command
    }

    fn capture(&self, arguments: &[&str]) -> End {
        let output = self.command(arguments).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        let code = output.status.code().unwrap();
        End { code, out: text(output.stdout), err: text(output.stderr) }
    }

    fn remembered(&self) -> CaptureMemory {
        let bytes = fs::read(self.0.path().join("memory/captures.json")).unwrap();
        CaptureMemory::parse(&bytes).unwrap()
    }
}

fn answer(end: &End) -> CaptureAnswer {
    assert_eq!(end.code, 0, "{}", end.err);
    serde_json::from_str(&end.out).unwrap()
}

#[test]
fn a_dump_is_predicted_taken_measured_and_remembered() {
    let Some(jvm) = Jvm::start(20_000) else { return };
    let place = Place::new();
    let end = place.capture(&[&jvm.pid(), "--format", "json", "--accept-pause"]);
    assert!(end.err.contains("PREDICTED PAUSE") && end.err.contains("dump: a heap dump"));
    let taken = answer(&end).taken.unwrap();
    assert_eq!((taken.rung.as_str(), taken.without_values), ("dump", false));
    assert_eq!(fs::metadata(place.file()).unwrap().len(), taken.file_bytes);
    assert!(fs::read(place.file()).unwrap().starts_with(b"JAVA PROFILE"));
    let [one] = &place.remembered().captures[..] else { panic!("one capture was made") };
    assert_eq!((one.kind.as_str(), one.program.as_str()), ("jvm_dump_all", "Leak"));
    assert_eq!(Some(one.pause_ms), taken.pause_ms);

    let end = place.capture(&[&jvm.pid()]);
    assert_eq!(end.code, 2, "{}", end.err);
    assert!(end.err.contains("is there already"), "{}", end.err);
    let end = place.capture(&[&jvm.pid(), "--overwrite", "--accept-pause"]);
    assert_eq!(end.code, 0, "{}", end.err);
    assert!(end.out.contains("the service stood still for"), "{}", end.out);
}

#[test]
fn a_dry_run_takes_nothing() {
    let Some(jvm) = Jvm::start(1000) else { return };
    let place = Place::new();
    let end = place.capture(&[&jvm.pid(), "--dry-run", "--format", "json"]);
    let answer = answer(&end);
    assert!(answer.taken.is_none() && !place.file().exists());
    let rungs: Vec<&str> = answer.rungs.iter().map(|rung| rung.rung.as_str()).collect();
    assert_eq!(rungs, ["dump", "histogram", "counters"]);
    assert_eq!(answer.process.program, "Leak");
    assert!(answer.process.heap_used_bytes.unwrap() > 100_000);
}

#[test]
fn what_would_take_too_long_is_refused_and_auto_takes_less() {
    let Some(jvm) = Jvm::start(100_000) else { return };
    let place = Place::new();
    let end = place.capture(&[&jvm.pid(), "--rung", "dump", "--max-pause", "0.05"]);
    assert_eq!(end.code, 4, "{}", end.err);
    assert!(end.err.contains("0.1 s are allowed") && end.err.contains("--accept-pause"));
    assert!(!place.file().exists());
    let end = place.capture(&[&jvm.pid(), "--max-pause", "0", "--format", "json"]);
    let answer = answer(&end);
    assert_eq!(answer.taken.unwrap().rung, "counters");
    assert!(answer.rungs[0].objection.as_ref().unwrap().contains("stand still"));
    let file: CountersFile = serde_json::from_slice(&fs::read(place.file()).unwrap()).unwrap();
    assert!(file.jvm.unwrap().heap_used_bytes.unwrap() > 10_000_000);
}

fn holds(file: &Path, value: &[u8]) -> bool {
    fs::read(file).unwrap().windows(value.len()).any(|window| window == value)
}

#[test]
fn a_redacted_dump_has_the_graph_and_no_value() {
    const VALUE: &[u8] = b"order-777";
    let Some(jvm) = Jvm::start(1000) else { return };
    let (plain, redacted) = (Place::new(), Place::new());
    answer(&plain.capture(&[&jvm.pid(), "--format", "json", "--accept-pause"]));
    assert!(holds(&plain.file(), VALUE), "the value is there to be taken out");
    let end = redacted.capture(&[&jvm.pid(), "--redact", "--format", "json", "--accept-pause"]);
    let taken = answer(&end).taken.unwrap();
    assert_eq!((taken.rung.as_str(), taken.without_values), ("dump", true));
    assert_eq!(fs::metadata(redacted.file()).unwrap().len(), taken.file_bytes);
    assert!(!holds(&redacted.file(), VALUE));
    let mut read = Command::new(env!("CARGO_BIN_EXE_plimsoll"));
    read.args(["heap", "report", "--histogram"]).arg(redacted.file());
    let read = read.output().unwrap();
    assert!(read.status.success() && read.stderr.is_empty(), "{read:?}");
    assert!(String::from_utf8_lossy(&read.stdout).contains("java.lang.String"));
}

/// Waits until the JVM has begun to write.
fn wait_for_dump(jvm: &Jvm, plimsoll: &mut Child) {
    while !jvm.has_remains() {
        assert!(plimsoll.try_wait().unwrap().is_none(), "it ended before it was interrupted");
        std::thread::yield_now();
    }
}

#[test]
fn an_interrupted_capture_leaves_nothing() {
    let Some(mut jvm) = Jvm::start(500_000) else { return };
    let place = Place::new();
    let folder = jvm.folder.path().to_str().unwrap().to_owned();
    let arguments = [&jvm.pid(), "--rung", "dump", "--accept-pause", "--target-dir", &folder];
    let mut command = place.command(&arguments);
    let mut plimsoll = command.stderr(Stdio::piped()).spawn().unwrap();
    wait_for_dump(&jvm, &mut plimsoll);
    kill(Pid::from_raw(plimsoll.id().try_into().unwrap()), Signal::SIGINT).unwrap();
    let end = plimsoll.wait_with_output().unwrap();
    let err = String::from_utf8(end.stderr).unwrap();
    assert_eq!(end.status.code(), Some(4), "{err}");
    assert!(err.contains("given up, as asked"), "{err}");
    assert!(!jvm.has_remains() && !place.file().exists());
    assert_eq!(fs::read_dir(place.0.path()).unwrap().count(), 0);
    jvm.leak(1);
}

#[test]
fn what_is_not_there_is_bad_input_and_says_what_to_do() {
    let place = Place::new();
    let check = |arguments: &[&str], said: &str| {
        let end = place.capture(arguments);
        assert!(end.code == 2 && end.err.contains(said), "{} {}", end.code, end.err);
        assert!(!place.file().exists());
    };
    check(&["4194303"], "there is no process 4194303");
    check(&["orders-0"], "is no container id");
    check(&["0123456789ab"], "no process is in a control group of container");
    let own = std::process::id().to_string();
    check(&[&own, "--rung", "dump"], "has no dump; it can be asked for: counters");
    check(&[&own, "--max-pause", "long"], "write seconds");
    let mut command = Command::new(env!("CARGO_BIN_EXE_plimsoll"));
    let output = command.args(["heap", "capture", &own, "--output", "/no/such/x"]).output();
    assert_eq!(output.unwrap().status.code(), Some(2));
    assert!(!Path::new("/no").exists());
}
