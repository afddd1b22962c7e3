//! Watches a process while it is asked: a process that dies, is stopped, or need not be asked any
//! more ends the wait at once instead of at its deadline.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::sleep;

use super::error::CaptureError;
use crate::clock::Stopwatch;
use crate::process::ProcessFiles;

/// How often the process is looked at: a read of a file in memory.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// How long a process that was killed is waited for: its connections break before it is seen to be
/// dead, and on a busy machine the kernel takes its time with the memory in between.
const DYING: Duration = Duration::from_secs(2);

/// Whoever asked, and for how long a process may stand still.
#[derive(Clone, Debug)]
pub(super) struct Guard {
    pub(super) process: ProcessFiles,
    /// Says `true` when the capture is to be given up.
    pub(super) stop: watch::Receiver<bool>,
    pub(super) stopped_patience: Duration,
}

impl Guard {
    /// Waits for an answer for as long as one may come.
    pub(super) async fn wait<T, E: Into<CaptureError>>(
        &self,
        answer: impl Future<Output = Result<T, E>>,
    ) -> Result<T, CaptureError> {
        tokio::select! {
            answered = answer => match answered {
                Ok(answer) => Ok(answer),
                Err(error) => Err(self.cause(error.into()).await),
            },
            error = self.hopeless() => Err(error),
        }
    }

    /// Why there was no answer: the death of the process, if that is what ended it.
    async fn cause(&self, error: CaptureError) -> CaptureError {
        let watch = Stopwatch::start();
        while watch.elapsed() < DYING {
            if !self.process.is_alive() {
                return CaptureError::Gone { pid: self.process.pid() };
            }
            sleep(LOOK_EVERY).await;
        }
        error
    }

    /// Returns when there is no hope of an answer.
    async fn hopeless(&self) -> CaptureError {
        let pid = self.process.pid();
        let mut stop = self.stop.clone();
        let asked_to = async {
            if stop.wait_for(|stop| *stop).await.is_err() {
                // Nobody is left who could ask.
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            () = asked_to => CaptureError::GivenUp { pid },
            error = self.dead_or_stopped() => error,
        }
    }

    async fn dead_or_stopped(&self) -> CaptureError {
        let pid = self.process.pid();
        let mut still: Option<Stopwatch> = None;
        loop {
            sleep(LOOK_EVERY).await;
            match self.process.status() {
                Ok(status) if status.is_dead() => return CaptureError::Gone { pid },
                Err(_) if !self.process.path("").exists() => return CaptureError::Gone { pid },
                Ok(status) if status.is_stopped() => {
                    let since = still.get_or_insert_with(Stopwatch::start);
                    if since.elapsed() >= self.stopped_patience {
                        return CaptureError::Stopped { pid, after: self.stopped_patience };
                    }
                }
                Ok(_) | Err(_) => still = None,
            }
        }
    }
}
