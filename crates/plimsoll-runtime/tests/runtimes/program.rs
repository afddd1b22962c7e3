//! A real program under test: started in a folder of its own, spoken to line by line, and killed
//! when the test ends, however it ends. Used by all tests of this folder.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;

use rustix::process::{Pid, Signal};

/// How long a program may take to say what it is expected to: a JVM on a loaded machine.
const LINE_DEADLINE: Duration = Duration::from_secs(60);

/// How often a condition of another process is looked at.
const POLL: Duration = Duration::from_millis(2);

/// Most lines that are kept of a program.
const LINES_MAX: usize = 10_000;

pub(crate) struct Program {
    child: Child,
    input: ChildStdin,
    lines: Receiver<String>,
    pub(crate) folder: tempfile::TempDir,
}

impl Drop for Program {
    fn drop(&mut self) {
        // A stopped process is killed too; that it is already gone is fine.
        drop(self.child.kill());
        drop(self.child.wait());
        // A JVM that is killed leaves its socket.
        drop(std::fs::remove_file(format!("/tmp/.java_pid{}", self.pid())));
    }
}

impl Program {
    pub(crate) fn start(program: &str, arguments: &[&str], folder: tempfile::TempDir) -> Self {
        let mut command = Command::new(program);
        command.args(arguments);
        Self::start_as(command, folder)
    }

    pub(crate) fn start_as(mut command: Command, folder: tempfile::TempDir) -> Self {
        let mut child = command
            .current_dir(folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the program was found before");
        let output = child.stdout.take().expect("it is piped");
        let input = child.stdin.take().expect("it is piped");
        let (sender, lines) = sync_channel(LINES_MAX);
        std::thread::spawn(move || {
            let all = BufReader::new(output).lines().map_while(Result::ok);
            all.take(LINES_MAX).try_for_each(|line| sender.send(line))
        });
        let program = Self { child, input, lines, folder };
        program.expect_line("ready");
        program
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The process that this one started and waits for.
    pub(crate) fn only_child(&self) -> u32 {
        let path = format!("/proc/{0}/task/{0}/children", self.pid());
        let children = std::fs::read_to_string(path).expect("the kernel lists children");
        children.trim().parse().expect("there is one child")
    }

    pub(crate) fn say(&mut self, line: &str) {
        writeln!(self.input, "{line}").expect("the program reads its input");
    }

    /// Waits for a line that starts with this; passes over others.
    pub(crate) fn expect_line(&self, start: &str) -> String {
        loop {
            let line = self.lines.recv_timeout(LINE_DEADLINE);
            let line = line.unwrap_or_else(|error| panic!("no line `{start}`: {error}"));
            if line.starts_with(start) {
                return line;
            }
        }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).expect("the program is ours and runs");
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("it is our child").is_none()
    }

    pub(crate) fn wait_until_state(&self, state: char) {
        let files = plimsoll_runtime::ProcessFiles::new(proc_root(), self.pid());
        let deadline = Duration::from_secs(20);
        within(deadline, || files.status().is_ok_and(|status| status.state == state));
    }
}

pub(crate) fn proc_root() -> &'static Path {
    Path::new("/proc")
}

/// Where a program is, or `None` after having said that the test is skipped.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&paths).map(|folder| folder.join(program));
    let found = found.into_iter().find(|path| path.is_file());
    if found.is_none() {
        skipped(&format!("{program} not found"));
    }
    found
}

/// Says why a test does nothing, past the harness, which hides what a passing test prints.
pub(crate) fn skipped(why: &str) {
    writeln!(std::io::stderr(), "skipped: {why}").expect("the standard error is open");
}

/// Waits for a condition of another process, and fails when it does not come.
pub(crate) fn within(deadline: Duration, mut condition: impl FnMut() -> bool) {
    let started = tokio::time::Instant::now();
    while !condition() {
        assert!(started.elapsed() < deadline, "the condition did not come within {deadline:?}");
        std::thread::sleep(POLL);
    }
}
