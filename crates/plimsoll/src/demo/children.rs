//! The demo's own processes: the server and the agent, as children that never outlive the demo.

use std::ffi::OsString;
use std::fs::File;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use plimsoll_act::launch::SUBCOMMAND;
use tokio::process::{Child, Command};

/// How long a child may take to stop in order: the agent stops a fleet and removes its cgroups.
const GRACE: Duration = Duration::from_secs(15);

/// A running server or agent.
#[derive(Debug)]
pub(super) struct Running {
    child: Child,
}

impl Running {
    /// Starts this program again with a subcommand, tied to the life of this process, with its log
    /// in `folder/name.log`. Must be called on the main thread: the kernel ties a child to the
    /// thread that started it.
    pub(super) fn start(name: &str, args: &[OsString], folder: &Path) -> std::io::Result<Self> {
        let executable = std::env::current_exe()?;
        let log = File::options()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(folder.join(format!("{name}.log")))?;
        let errors = log.try_clone()?;
        let child = Command::new(&executable)
            .arg(SUBCOMMAND)
            .arg("--parent")
            .arg(std::process::id().to_string())
            .arg("--")
            .arg(&executable)
            .args(args)
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors)
            // A Ctrl-C at the terminal is for the demo, which stops the others in order.
            .process_group(0)
            .spawn()?;
        Ok(Self { child })
    }

    /// Kills without a word, as a crash would.
    pub(super) async fn kill(&mut self) -> std::io::Result<()> {
        self.child.start_kill()?;
        self.child.wait().await?;
        Ok(())
    }

    /// Stops in order, and without mercy after the grace.
    pub(super) async fn stop(&mut self) {
        let id = self.child.id().and_then(|id| i32::try_from(id).ok());
        if let Some(Err(error)) = id.map(|id| kill(Pid::from_raw(id), Signal::SIGTERM)) {
            // It may have ended by itself since.
            tracing::debug!(%error, "nobody to stop");
        }
        if tokio::time::timeout(GRACE, self.child.wait()).await.is_err() {
            drop(self.kill().await);
        }
    }

    /// How it ended, if it has.
    pub(super) fn ended(&mut self) -> Option<String> {
        match self.child.try_wait() {
            Ok(Some(status)) => Some(status.to_string()),
            Ok(None) => None,
            Err(error) => Some(error.to_string()),
        }
    }
}
