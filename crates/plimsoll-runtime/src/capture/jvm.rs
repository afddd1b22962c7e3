//! Takes the dump of a JVM: the JVM writes it into a folder that we gave it, we take it over.
//!
//! Not here: the folder (`handover`), and what the JVM says (`jvm_words`).

use std::fs::File;
use std::io::Read;
use std::time::Duration;

use plimsoll_model::Bytes;
use tokio::sync::mpsc;
use tokio::time::sleep;

use super::error::CaptureError;
use super::guard::Guard;
use super::handover::{Handover, HandoverError};
use super::jvm_words::DumpAnswer;
use super::take::{Progress, Stalled};
use super::writing::Writing;
use crate::attach::{Captured, Jvm, Population};

/// How often the dump is looked at while it grows.
const LOOK_EVERY: Duration = Duration::from_millis(10);

const PIECE_BYTES: usize = 1 << 20;

/// One dump that is asked for.
#[derive(Debug)]
pub(super) struct Dump {
    pub(super) jvm: Jvm,
    pub(super) objects: Population,
    pub(super) guard: Guard,
    pub(super) progress: Progress,
}

impl Dump {
    pub(super) async fn take(
        self,
        handover: &mut Option<Handover>,
        writing: Writing,
    ) -> Result<Stalled, CaptureError> {
        let place = handover.take().expect("a dump is offered with a place for it");
        let (file, took) = self.dump(&place).await?;
        // Its folder is not needed for the copy, which may take longer than the dump.
        drop(place);
        let pieces = writing.pieces().clone();
        let copying = tokio::task::spawn_blocking(move || copy(file, &pieces));
        let copied = async { copying.await.expect("copying a file does not panic") };
        match self.guard_without_process(copied).await {
            Ok(()) => Ok(Stalled { size: writing.finish().await?, pause: Some(took) }),
            Err(error) => Err(writing.why(error).await),
        }
    }

    /// The dump is ours by now; whether the process lives does not matter any more.
    async fn guard_without_process(
        &self,
        copied: impl Future<Output = std::io::Result<()>>,
    ) -> Result<(), CaptureError> {
        let pid = self.guard.process.pid();
        let mut stop = self.guard.stop.clone();
        tokio::select! {
            copied = copied => copied.map_err(|source| {
                HandoverError::TakeOver { pid, path: "its dump".into(), source }.into()
            }),
            Ok(_) = stop.wait_for(|stop| *stop) => Err(CaptureError::GivenUp { pid }),
        }
    }

    async fn dump(&self, place: &Handover) -> Result<(File, Duration), CaptureError> {
        let pid = self.guard.process.pid();
        let mut file = None;
        let path = place.path();
        let captured: Captured = tokio::select! {
            answer = self.guard.wait(self.jvm.heap_dump(&path, self.objects)) => answer?,
            error = self.follow(place, &mut file) => return Err(error.into()),
        };
        let said = match DumpAnswer::parse(&captured.text) {
            DumpAnswer::Written(said) => said,
            DumpAnswer::Failed(message) => {
                return Err(CaptureError::DumpFailed { pid, message });
            }
        };
        let file = match file {
            Some(file) => Some(file),
            None => place.adopt()?,
        };
        let found = file.as_ref().and_then(|file| Some(Bytes(file.metadata().ok()?.len())));
        match file {
            Some(file) if found == Some(said) => Ok((file, captured.took)),
            Some(_) | None => {
                Err(CaptureError::DumpCut { pid, said, found: found.unwrap_or_default() })
            }
        }
    }

    /// Takes the dump's name away as soon as it has one, and follows how it grows. Returns only
    /// when that fails.
    async fn follow(&self, place: &Handover, file: &mut Option<File>) -> HandoverError {
        loop {
            if file.is_none() {
                match place.adopt() {
                    Ok(adopted) => *file = adopted,
                    Err(error) => return error,
                }
            }
            if let Some(metadata) = file.as_ref().and_then(|file| file.metadata().ok()) {
                self.progress.dumped(metadata.len());
            }
            sleep(LOOK_EVERY).await;
        }
    }
}

/// Until the end, or until nobody takes the pieces any more, who then knows why.
fn copy(mut file: File, pieces: &mpsc::Sender<Vec<u8>>) -> std::io::Result<()> {
    loop {
        let mut piece = vec![0; PIECE_BYTES];
        let count = file.read(&mut piece)?;
        piece.truncate(count);
        if count == 0 || pieces.blocking_send(piece).is_err() {
            return Ok(());
        }
    }
}
