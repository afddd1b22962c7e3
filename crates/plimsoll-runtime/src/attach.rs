//! Asks a running HotSpot JVM through its attach socket: collections, class histograms, flags.
//! No agent in the JVM, no JDK tool, about a millisecond of ours.
//!
//! Not here: OpenJ9, which speaks another protocol; what the answers mean (`plimsoll-heap`); and
//! whether a pause is worth it (`pause` only predicts it). Used by `plimsoll-agent`.
//!
//! The socket opens when the JVM gets SIGQUIT and finds a trigger file. Under `-Xrs` that signal
//! kills it, and with attach disabled it writes its threads to the service's output, so both are
//! ruled out first; a process that cannot be checked is not signalled. A socket that is open
//! already needs no signal: a JVM with `-Xrs` opens its own when it starts.

mod error;
mod trigger;
mod wire;

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::Signal;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::time::{sleep, timeout};

pub use error::{AttachError, Step};

use crate::clock::Stopwatch;
use crate::hsperfdata::{AttachCapability, PerfFile};
use crate::process::{Held, ProcessFiles, Status};
use trigger::Trigger;

/// Largest answer that is taken. A class histogram has about 80 bytes a class, and large services
/// load 50 000 classes: 4 MB.
const ANSWER_BYTES_MAX: usize = 16 << 20;

/// How often the socket is looked for after the signal: the first attach takes 12 to 30 ms.
const SOCKET_POLL: Duration = Duration::from_millis(5);

/// How long each part of a request may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// For the JVM to open its socket. 12 to 30 ms on an idle machine; 5 s covers a collection
    /// that runs at that moment, and a machine under load.
    pub attach: Duration,
    /// For the answer. The default of 30 s covers a full collection of some 8 GB.
    pub answer: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { attach: Duration::from_secs(5), answer: Duration::from_secs(30) }
    }
}

/// Which objects a histogram counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Population {
    /// Reachable ones only: the JVM runs a full collection first.
    Live,
    /// All, garbage too: about a third of the pause, and no collection.
    All,
}

/// An answer and how long it took, which for a walk of the heap is the pause of the service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Captured {
    pub text: String,
    pub took: Duration,
}

/// A HotSpot JVM that can be asked. Holds nothing open between two requests.
#[derive(Clone, Debug)]
pub struct Jvm {
    process: ProcessFiles,
    patience: Patience,
}

impl Jvm {
    pub fn new(proc_root: &Path, pid: u32, patience: Patience) -> Self {
        Self { process: ProcessFiles::new(proc_root, pid), patience }
    }

    /// Forces a full collection.
    ///
    /// # Errors
    /// See [`AttachError`]; the same for all requests.
    pub async fn run_gc(&self) -> Result<Captured, AttachError> {
        self.timed("jcmd", ["GC.run", "", ""]).await
    }

    /// The text that `plimsoll_heap::ClassHistogram::parse` reads.
    pub async fn class_histogram(&self, of: Population) -> Result<Captured, AttachError> {
        let command = match of {
            Population::Live => "GC.class_histogram",
            Population::All => "GC.class_histogram -all",
        };
        self.timed("jcmd", [command, "", ""]).await
    }

    /// Writes a dump to a path as the JVM sees it, which must not exist yet. The JVM says how it
    /// went in words, also when it went wrong: `capture` reads them.
    pub async fn heap_dump(&self, path: &str, of: Population) -> Result<Captured, AttachError> {
        let command = match of {
            Population::Live => format!("GC.heap_dump {path}"),
            Population::All => format!("GC.heap_dump -all {path}"),
        };
        self.timed("jcmd", [&command, "", ""]).await
    }

    /// Without a pause.
    pub async fn flags(&self) -> Result<String, AttachError> {
        self.jcmd("VM.flags").await
    }

    /// Without a pause.
    pub async fn heap_info(&self) -> Result<String, AttachError> {
        self.jcmd("GC.heap_info").await
    }

    /// Any diagnostic command, with its arguments, as `jcmd` takes it.
    pub async fn jcmd(&self, command: &str) -> Result<String, AttachError> {
        self.ask("jcmd", [command, "", ""]).await
    }

    /// Sets a flag that HotSpot calls manageable, for example `SoftMaxHeapSize`; the JVM refuses
    /// all others. That it took a value does not say that its collector heeds it: in JDK 17 only
    /// ZGC and Shenandoah keep below `SoftMaxHeapSize`.
    pub async fn set_flag(&self, name: &str, value: &str) -> Result<String, AttachError> {
        self.ask("setflag", [name, value, ""]).await
    }

    /// A flag as it would stand on the command line, `-XX:SoftMaxHeapSize=268435456`.
    pub async fn print_flag(&self, name: &str) -> Result<String, AttachError> {
        Ok(self.ask("printflag", [name, "", ""]).await?.trim().to_owned())
    }

    async fn timed(&self, command: &str, arguments: [&str; 3]) -> Result<Captured, AttachError> {
        let mut stream = self.connect().await?;
        let watch = Stopwatch::start();
        let text = self.exchange(&mut stream, command, arguments).await?;
        Ok(Captured { text, took: watch.elapsed() })
    }

    async fn ask(&self, command: &str, arguments: [&str; 3]) -> Result<String, AttachError> {
        let mut stream = self.connect().await?;
        self.exchange(&mut stream, command, arguments).await
    }

    fn pid(&self) -> u32 {
        self.process.pid()
    }

    fn status(&self, step: Step) -> Result<Status, AttachError> {
        let pid = self.pid();
        match self.process.status() {
            Ok(status) if status.is_dead() => Err(AttachError::Gone { pid, step }),
            Ok(status) => Ok(status),
            Err(_) if !self.process.path("").exists() => Err(AttachError::Gone { pid, step }),
            Err(source) => Err(AttachError::Status { pid, source }),
        }
    }

    /// A connection to the JVM's socket, which is opened first when it is not there yet.
    async fn connect(&self) -> Result<UnixStream, AttachError> {
        let status = self.status(Step::Check)?;
        self.check_user(&status)?;
        if status.is_stopped() {
            return Err(AttachError::Stopped { pid: self.pid() });
        }
        let socket = self.process.path(&format!("root/tmp/.java_pid{}", status.namespaced_pid));
        match self.try_connect(&socket).await? {
            Some(stream) => Ok(stream),
            None => self.wake_and_connect(&socket).await,
        }
    }

    fn check_user(&self, status: &Status) -> Result<(), AttachError> {
        let (owner, ours) = (status.effective_uid, rustix::process::geteuid().as_raw());
        if ours == 0 || ours == owner {
            return Ok(());
        }
        Err(AttachError::Permission { pid: self.pid(), owner, ours })
    }

    async fn wake_and_connect(&self, socket: &Path) -> Result<UnixStream, AttachError> {
        let watch = Stopwatch::start();
        let pid = self.pid();
        let held = Held::new(pid).map_err(|_| AttachError::Gone { pid, step: Step::Check })?;
        // Read again, now that the id cannot pass to another process unnoticed.
        let status = self.status(Step::Check)?;
        self.check_signal_is_safe(&status)?;
        let _trigger = self.place_trigger(&status).await?;
        held.signal(Signal::QUIT).map_err(|source| match source.kind() {
            io::ErrorKind::PermissionDenied => {
                AttachError::Transport { pid, step: Step::Wake, source }
            }
            _ => AttachError::Gone { pid, step: Step::Wake },
        })?;
        loop {
            if let Some(stream) = self.try_connect(socket).await? {
                return Ok(stream);
            }
            self.status(Step::Wake)?;
            if watch.left_of(self.patience.attach).is_zero() {
                return Err(self.timed_out(Step::Wake, self.patience.attach));
            }
            sleep(SOCKET_POLL).await;
        }
    }

    /// Both checks are needed: the counters do not know of `-Xrs`, and a process that merely
    /// catches SIGQUIT need not be a JVM.
    fn check_signal_is_safe(&self, status: &Status) -> Result<(), AttachError> {
        let pid = self.pid();
        if !status.catches(Signal::QUIT) {
            return Err(AttachError::SignalKills { pid });
        }
        let root = self.process.root();
        let reading = PerfFile::open(root, pid)
            .and_then(|file| file.read())
            .map_err(|source| AttachError::NotHotSpot { pid, source })?;
        match reading.attach {
            AttachCapability::Allowed => Ok(()),
            AttachCapability::Disabled | AttachCapability::Unknown => {
                Err(AttachError::Disabled { pid })
            }
        }
    }

    /// On a thread of its own, because the working directory may be on a file system that hangs;
    /// when the deadline passes, the trigger goes away as soon as that thread gets on.
    async fn place_trigger(&self, status: &Status) -> Result<Trigger, AttachError> {
        let (process, status) = (self.process.clone(), *status);
        let placing = tokio::task::spawn_blocking(move || {
            Trigger::place(&process, status.namespaced_pid, status.effective_uid)
        });
        match timeout(self.patience.attach, placing).await {
            Ok(Err(_)) | Ok(Ok(Err(_))) if !self.process.is_alive() => {
                Err(AttachError::Gone { pid: self.pid(), step: Step::PlaceTrigger })
            }
            Ok(Ok(placed)) => placed,
            Ok(Err(join)) => Err(self.transport(Step::PlaceTrigger, io::Error::other(join))),
            Err(_) => Err(self.timed_out(Step::PlaceTrigger, self.patience.attach)),
        }
    }

    /// `None` when nobody listens: no socket, or one that an earlier JVM left behind.
    async fn try_connect(&self, socket: &Path) -> Result<Option<UnixStream>, AttachError> {
        let connecting = timeout(self.patience.attach, UnixStream::connect(socket)).await;
        let connected =
            connecting.map_err(|_| self.timed_out(Step::Connect, self.patience.attach))?;
        match connected {
            Ok(stream) => self.check_owner(stream, socket.to_owned()).map(Some),
            Err(error) => match error.kind() {
                io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => Ok(None),
                _ => Err(self.lost(Step::Connect, error)),
            },
        }
    }

    /// `/tmp` is open to all, so who listens is asked of the kernel and not of the file's name.
    fn check_owner(&self, stream: UnixStream, path: PathBuf) -> Result<UnixStream, AttachError> {
        let peer = stream.peer_cred().map_err(|error| self.transport(Step::Connect, error))?;
        let owner = peer.pid();
        if owner.and_then(|id| u32::try_from(id).ok()) == Some(self.pid()) {
            return Ok(stream);
        }
        Err(AttachError::Impostor { pid: self.pid(), path, owner })
    }

    async fn exchange(
        &self,
        stream: &mut UnixStream,
        command: &str,
        arguments: [&str; 3],
    ) -> Result<String, AttachError> {
        let pid = self.pid();
        let asked = format!("{command} {}", arguments.join(" ")).trim_end().to_owned();
        let request = wire::request(command, arguments)
            .map_err(|why| AttachError::Command { command: asked.clone(), why })?;
        self.within(Step::Ask, stream.write_all(&request)).await?;
        let mut bytes = Vec::new();
        let mut answer = stream.take(ANSWER_BYTES_MAX as u64 + 1);
        self.within(Step::AwaitAnswer, answer.read_to_end(&mut bytes)).await?;
        if bytes.len() > ANSWER_BYTES_MAX {
            return Err(AttachError::TooLong { pid, command: asked, limit: ANSWER_BYTES_MAX });
        }
        // The end of the stream is also how the death of a JVM looks.
        self.status(Step::AwaitAnswer)?;
        let Some(answer) = wire::answer(&bytes) else {
            return Err(AttachError::NoAnswer { pid, command: asked, start: start_of(&bytes) });
        };
        if answer.code != 0 {
            let message = start_of(answer.text.as_bytes());
            return Err(AttachError::Refused { pid, command: asked, code: answer.code, message });
        }
        Ok(answer.text)
    }

    async fn within<T>(
        &self,
        step: Step,
        moving: impl Future<Output = io::Result<T>>,
    ) -> Result<T, AttachError> {
        match timeout(self.patience.answer, moving).await {
            Ok(moved) => moved.map_err(|error| self.lost(step, error)),
            Err(_) => Err(self.timed_out(step, self.patience.answer)),
        }
    }

    /// A broken connection to a process that is gone is reported as what it is.
    fn lost(&self, step: Step, error: io::Error) -> AttachError {
        if self.process.is_alive() {
            self.transport(step, error)
        } else {
            AttachError::Gone { pid: self.pid(), step }
        }
    }

    fn transport(&self, step: Step, source: io::Error) -> AttachError {
        AttachError::Transport { pid: self.pid(), step, source }
    }

    fn timed_out(&self, step: Step, after: Duration) -> AttachError {
        AttachError::TimedOut { pid: self.pid(), step, after }
    }
}

/// Enough of a foreign answer to recognise it, on one line.
fn start_of(bytes: &[u8]) -> String {
    const CHARS_SHOWN: usize = 200;
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(CHARS_SHOWN * 4)]);
    text.trim().chars().map(|c| if c.is_control() { ' ' } else { c }).take(CHARS_SHOWN).collect()
}
