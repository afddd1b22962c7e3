//! What the tests of captures share: an order and a place for its file, and what must not be left.

use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::Duration;

use plimsoll_runtime::capture::{
    CaptureError, Counters, Order, Progress, Rung, Survey, Taken, Taking, choose, survey, take,
};
use plimsoll_runtime::experience::Experience;
use plimsoll_runtime::output::{Destination, unchanged};
use tokio::sync::watch;

use crate::program::proc_root;

/// A folder for the file of a capture, and the file in it.
pub(crate) struct Output {
    folder: tempfile::TempDir,
}

impl Output {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("there is a folder for temporary files") }
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.folder.path().join("capture")
    }

    /// With a pause of any length, because other tests run at the same time.
    pub(crate) fn order(&self, pid: u32, rung: Option<Rung>) -> Order {
        let mut order = Order::new(proc_root(), pid, self.folder.path());
        order.rung = rung;
        order.accept_pause = true;
        order
    }

    pub(crate) fn is_empty(&self) -> bool {
        names(self.folder.path()).is_empty()
    }
}

pub(crate) fn taking(path: &Path, stop: watch::Receiver<bool>, progress: Progress) -> Taking {
    let destination = Destination { path: path.to_owned(), overwrite: false };
    let form: fn(&Counters) -> Vec<u8> = |counters| format!("{counters:?}").into_bytes();
    Taking { destination, sieve: unchanged(), stop, progress, form }
}

/// Looks, chooses and takes; with an order that considers one rung, that one.
pub(crate) async fn captured(order: Order, path: &Path) -> Result<Taken, CaptureError> {
    let looked = survey(order, &Experience::new()).await?;
    take_surveyed(looked, path).await
}

pub(crate) async fn take_surveyed(looked: Survey, path: &Path) -> Result<Taken, CaptureError> {
    let chosen = match choose(&looked.order, looked.identity.kind, &looked.offers) {
        Ok(chosen) => chosen,
        Err(error) => {
            looked.close().await;
            return Err(error);
        }
    };
    let (_sender, stop) = watch::channel(false);
    take(looked, chosen, taking(path, stop, Progress::default())).await
}

/// Takes, and strikes in the moment in which the process has begun to write.
pub(crate) async fn struck(
    order: Order,
    path: &Path,
    strike: impl FnOnce(&watch::Sender<bool>),
) -> CaptureError {
    let looked = survey(order, &Experience::new()).await.expect("it can be looked at");
    let chosen = choose(&looked.order, looked.identity.kind, &looked.offers);
    let chosen = chosen.expect("nothing speaks against it");
    let (sender, stop) = watch::channel(false);
    let progress = Progress::default();
    let seen = progress.clone();
    let begun = async {
        let count = || seen.dumped.load(Ordering::Relaxed) + seen.written.load(Ordering::Relaxed);
        while count() == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        strike(&sender);
        std::future::pending::<()>().await;
    };
    tokio::select! {
        taken = take(looked, chosen, taking(path, stop, progress)) => {
            taken.expect_err("it was struck before it was whole")
        }
        () = begun => unreachable!("it waits for ever"),
    }
}

pub(crate) fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("the folder is there").flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

/// Whether a capture left something in a folder that a process writes its dump to.
pub(crate) fn has_remains(folder: &Path) -> bool {
    names(folder).iter().any(|name| name.starts_with("plimsoll-"))
}
