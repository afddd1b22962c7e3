//! What `server`, `agent`, `up` and `demo` share: the runtime, the signals that end them, and where
//! they keep what survives.

use std::future::Future;
use std::path::PathBuf;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::exit::Failure;

/// Where the data directory is when none is given.
const DATA_DIR: &str = ".local/share/plimsoll";

#[derive(Debug, thiserror::Error)]
enum DaemonError {
    #[error("start the runtime")]
    Runtime(#[source] std::io::Error),
    #[error("listen for signals")]
    Signals(#[source] std::io::Error),
    #[error("there is no home directory; say where data is kept with --dir")]
    NoHome,
}

/// Runs a command that goes on until it is told to stop.
pub(crate) fn block_on<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| Failure::failed(DaemonError::Runtime(error)))?;
    runtime.block_on(work)
}

/// Completes at the first signal to stop: Ctrl-C, a service manager, or a terminal that is closed.
pub(crate) fn stop_signal() -> Result<impl Future<Output = ()>, Failure> {
    let listen = |kind| signal(kind).map_err(|e| Failure::failed(DaemonError::Signals(e)));
    let mut interrupt = listen(SignalKind::interrupt())?;
    let mut terminate = listen(SignalKind::terminate())?;
    // Under `nohup` a hang-up is ignored, and listening would end that.
    let mut hang_up = if ignores_hang_up() { None } else { Some(listen(SignalKind::hangup())?) };
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = async { hang_up.as_mut()?.recv().await }, if hang_up.is_some() => {}
        }
    })
}

/// Says `true` at the first signal to stop. Whoever holds the sender may say so as well.
pub(crate) fn shutdown_on_signal() -> Result<(watch::Sender<bool>, watch::Receiver<bool>), Failure>
{
    let stop = stop_signal()?;
    let (stopping, shutdown) = watch::channel(false);
    let signalled = stopping.clone();
    tokio::spawn(async move {
        stop.await;
        signalled.send_replace(true);
    });
    Ok((stopping, shutdown))
}

/// Whether this process was started with hang-ups ignored: bit 0 of `SigIgn` in its status.
fn ignores_hang_up() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .is_some_and(|mask| mask & 1 == 1)
}

/// The directory that was asked for, or the one below the home directory.
pub(crate) fn data_dir(asked: Option<PathBuf>) -> Result<PathBuf, Failure> {
    let home = || std::env::home_dir().map(|home| home.join(DATA_DIR));
    asked.or_else(home).ok_or_else(|| Failure::bad_input(DaemonError::NoHome))
}
