//! Writes pieces to the file of a capture, through whatever stands in between, on a thread of its
//! own: a slow disk holds up neither the runtime nor the deadline of the target.

use std::io::{self, Write};
use std::sync::Arc;

use plimsoll_model::Bytes;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::Contents;
use super::error::CaptureError;
use super::take::Progress;
use crate::output::{Destination, OutputError, OutputFile, PartFile, Sieve};

/// Pieces that wait for the disk: with 1 MiB each, 4 MiB.
const PIECES_MAX: usize = 4;

/// Bytes of the beginning by which a format is known.
const START_BYTES: usize = 32;

/// A file that is being written. Dropped before [`Self::finish`], nothing is left of it.
#[derive(Debug)]
pub(super) struct Writing {
    pid: u32,
    pieces: mpsc::Sender<Vec<u8>>,
    whole: oneshot::Sender<()>,
    thread: JoinHandle<Result<Bytes, Unwritten>>,
}

/// Why there is no file.
#[derive(Debug)]
enum Unwritten {
    Output(OutputError),
    Flawed(&'static str),
}

impl From<OutputError> for Unwritten {
    fn from(error: OutputError) -> Self {
        Self::Output(error)
    }
}

impl Writing {
    pub(super) fn start(
        pid: u32,
        contents: Contents,
        destination: &Destination,
        sieve: Sieve,
        progress: &Progress,
    ) -> Result<Self, CaptureError> {
        let part = PartFile::create(destination, Arc::clone(&progress.written))?;
        let (pieces, received) = mpsc::channel(PIECES_MAX);
        let (whole, is_whole) = oneshot::channel();
        let thread =
            tokio::task::spawn_blocking(move || write(part, contents, sieve, received, is_whole));
        Ok(Self { pid, pieces, whole, thread })
    }

    pub(super) fn pieces(&self) -> &mpsc::Sender<Vec<u8>> {
        &self.pieces
    }

    /// An error when the file cannot be written any more; [`Self::why`] says why.
    pub(super) async fn write(&self, piece: Vec<u8>) -> io::Result<()> {
        let ended = |_| io::Error::other("the file of the capture cannot be written any more");
        self.pieces.send(piece).await.map_err(ended)
    }

    /// Gives the file its name.
    pub(super) async fn finish(self) -> Result<Bytes, CaptureError> {
        // Nobody listens when the writing has failed, and then it says so itself.
        drop((self.whole.send(()), self.pieces));
        Self::ended(self.pid, self.thread).await
    }

    /// Why no more is taken, or `otherwise` when that is not the reason.
    pub(super) async fn why(self, otherwise: CaptureError) -> CaptureError {
        drop((self.pieces, self.whole));
        match Self::ended(self.pid, self.thread).await {
            Err(CaptureError::Output(OutputError::GivenUp { .. })) | Ok(_) => otherwise,
            Err(why) => why,
        }
    }

    async fn ended(
        pid: u32,
        thread: JoinHandle<Result<Bytes, Unwritten>>,
    ) -> Result<Bytes, CaptureError> {
        match thread.await.expect("writing a file does not panic") {
            Ok(size) => Ok(size),
            Err(Unwritten::Output(error)) => Err(error.into()),
            Err(Unwritten::Flawed(flaw)) => Err(CaptureError::Flawed { pid, flaw }),
        }
    }
}

fn write(
    part: PartFile,
    contents: Contents,
    sieve: Sieve,
    mut pieces: mpsc::Receiver<Vec<u8>>,
    mut is_whole: oneshot::Receiver<()>,
) -> Result<Bytes, Unwritten> {
    let opened = part.writer().and_then(sieve);
    let mut sink = opened.map_err(|error| part.failed(error))?;
    let mut start = Vec::with_capacity(START_BYTES);
    let mut last = None;
    while let Some(piece) = pieces.blocking_recv() {
        let missing = START_BYTES - start.len();
        start.extend(piece.iter().take(missing));
        last = piece.last().copied().or(last);
        sink.write_all(&piece).map_err(|error| part.failed(error))?;
    }
    if is_whole.try_recv().is_err() {
        return Err(part.given_up().into());
    }
    if let Some(flaw) = contents.flaw(&start, last) {
        return Err(Unwritten::Flawed(flaw));
    }
    let file: OutputFile = sink.finish().map_err(|error| part.failed(error))?;
    Ok(part.commit(file)?)
}
