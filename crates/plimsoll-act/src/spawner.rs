//! One thread that forks every child of a supervisor.
//!
//! A child asks the kernel to die with its parent, and the kernel takes the forking *thread* for
//! the parent. Threads of an async runtime come and go, so forking happens on a thread that ends
//! only when the supervisor does.

use std::io;
use std::thread;

use tokio::process::{Child, Command};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};

/// Forks that may wait. A fork takes about a millisecond, and each replica waits for its own.
const QUEUE_LENGTH: usize = 16;

type Fork = (Command, oneshot::Sender<io::Result<Child>>);

/// A handle on the thread, which ends with the last clone.
#[derive(Clone, Debug)]
pub(crate) struct Spawner {
    forks: mpsc::Sender<Fork>,
}

impl Spawner {
    /// Must be called inside a tokio runtime: the children are reaped by it.
    pub(crate) fn start() -> io::Result<Self> {
        let runtime = Handle::current();
        let (forks, queue) = mpsc::channel(QUEUE_LENGTH);
        thread::Builder::new().name("spawner".into()).spawn(move || serve(&runtime, queue))?;
        Ok(Self { forks })
    }

    pub(crate) async fn spawn(&self, command: Command) -> io::Result<Child> {
        let gone = || io::Error::other("the spawner thread has ended");
        let (reply, answer) = oneshot::channel();
        self.forks.send((command, reply)).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }
}

fn serve(runtime: &Handle, mut queue: mpsc::Receiver<Fork>) {
    while let Some((mut command, reply)) = queue.blocking_recv() {
        let _inside = runtime.enter();
        // A caller that went away drops the child, which `kill_on_drop` ends.
        drop(reply.send(command.spawn()));
    }
}
