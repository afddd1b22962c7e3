//! Talks to a Node.js process through its inspector: heap counters, memory of the process, a
//! forced collection, and what is left of the heap as a snapshot or a profile (`heap`).
//!
//! Not here: whether a snapshot is safe, which takes the process to nine times its heap
//! (`capture`). One [`Inspector`] is one web socket; keep it for as long as the process is watched, and [`Inspector::close`] it.
//! While it is open, anyone on this machine's loopback who can list its target may talk to the
//! process too, so it is opened for a question and not for good.

mod error;
mod heap;
mod open;
mod port;

use std::path::Path;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use plimsoll_model::Bytes;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

pub use error::{InspectorError, InspectorStep};
pub use heap::SnapshotMessage;

use crate::clock::Stopwatch;
use crate::process::ProcessFiles;

/// How long a polite goodbye may take.
const CLOSE_PATIENCE: Duration = Duration::from_secs(1);

/// Largest message while only counters are asked for. They take less than 1 KiB; a service that
/// logs while we listen can send larger ones, which end the connection.
const COUNTER_MESSAGE_BYTES_MAX: usize = 1 << 20;

/// Largest message while a capture is made: a sampling profile is one, with some 200 bytes for
/// each call path; pieces of a snapshot have 100 KiB.
const CAPTURE_MESSAGE_BYTES_MAX: usize = 64 << 20;

/// How long each part of a conversation may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// For the inspector to open: 51 ms on an idle machine.
    pub open: Duration,
    /// For an answer. The event loop answers between two of its turns; a collection of a 40 MB
    /// heap took 0.9 s under load.
    pub answer: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { open: Duration::from_secs(5), answer: Duration::from_secs(10) }
    }
}

/// `Runtime.getHeapUsage`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeapUsage {
    pub used: Bytes,
    pub committed: Bytes,
}

/// `process.memoryUsage()`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryUsage {
    pub rss: Bytes,
    pub heap_used: Bytes,
    pub heap_committed: Bytes,
    /// Memory of C++ objects bound to JavaScript ones, array buffers included.
    pub external: Bytes,
    pub array_buffers: Bytes,
}

/// An open conversation with one process.
#[derive(Debug)]
pub struct Inspector {
    process: ProcessFiles,
    socket: WebSocketStream<TcpStream>,
    patience: Patience,
    opened_by_us: bool,
    next_id: u64,
}

impl Inspector {
    /// Connects to the inspector of a process, and opens it first when it is not: the process
    /// then writes two lines about it to its error output.
    ///
    /// # Errors
    /// See [`InspectorError`]; the same for all requests. When this fails after the signal was
    /// sent, the inspector may stay open until the process ends.
    pub async fn open(
        proc_root: &Path,
        pid: u32,
        patience: Patience,
    ) -> Result<Self, InspectorError> {
        Self::open_for(proc_root, pid, patience, COUNTER_MESSAGE_BYTES_MAX).await
    }

    /// As [`Self::open`], for answers as large as a profile.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub async fn open_for_capture(
        proc_root: &Path,
        pid: u32,
        patience: Patience,
    ) -> Result<Self, InspectorError> {
        Self::open_for(proc_root, pid, patience, CAPTURE_MESSAGE_BYTES_MAX).await
    }

    async fn open_for(
        proc_root: &Path,
        pid: u32,
        patience: Patience,
        message_bytes_max: usize,
    ) -> Result<Self, InspectorError> {
        let process = ProcessFiles::new(proc_root, pid);
        let opened = open::open(&process, patience.open, message_bytes_max).await?;
        Ok(Self {
            process,
            socket: opened.socket,
            patience,
            opened_by_us: opened.opened_by_us,
            next_id: 1,
        })
    }

    /// Whether it was this connection that opened the inspector, and so will close it.
    pub fn opened_by_us(&self) -> bool {
        self.opened_by_us
    }

    /// About a millisecond, without a pause.
    pub async fn heap_usage(&mut self) -> Result<HeapUsage, InspectorError> {
        const METHOD: &str = "Runtime.getHeapUsage";
        let result = self.call(METHOD, json!({})).await?;
        let size = |key| self.size(METHOD, &result, key);
        Ok(HeapUsage { used: size("usedSize")?, committed: size("totalSize")? })
    }

    /// Forces a full collection. The process stands still for as long as this says it took.
    pub async fn collect_garbage(&mut self) -> Result<Duration, InspectorError> {
        let watch = Stopwatch::start();
        self.call("HeapProfiler.collectGarbage", json!({})).await?;
        Ok(watch.elapsed())
    }

    /// About a millisecond, without a pause.
    pub async fn memory_usage(&mut self) -> Result<MemoryUsage, InspectorError> {
        const METHOD: &str = "Runtime.evaluate";
        let evaluate = json!({"expression": "process.memoryUsage()", "returnByValue": true});
        let result = self.call(METHOD, evaluate).await?;
        let usage = &result["result"]["value"];
        let size = |key| self.size(METHOD, usage, key);
        Ok(MemoryUsage {
            rss: size("rss")?,
            heap_used: size("heapUsed")?,
            heap_committed: size("heapTotal")?,
            external: size("external")?,
            array_buffers: size("arrayBuffers")?,
        })
    }

    /// Says goodbye, and closes the inspector when this connection had opened it. Never longer
    /// than a second or two; what does not work is left, because the process may be gone.
    pub async fn close(mut self) {
        if self.opened_by_us {
            self.patience.answer = CLOSE_PATIENCE;
            let end = json!({"expression": "process._debugEnd()"});
            // The inspector closes before it answers, which is an error here and a success there.
            drop(self.call("Runtime.evaluate", end).await);
        }
        drop(timeout(CLOSE_PATIENCE, self.socket.close(None)).await);
    }

    async fn call(&mut self, method: &'static str, params: Value) -> Result<Value, InspectorError> {
        let (pid, patience) = (self.process.pid(), self.patience.answer);
        let step = InspectorStep::Call(method);
        let id = self.next_id;
        self.next_id += 1;
        let request = json!({"id": id, "method": method, "params": params}).to_string();
        let conversation = async {
            self.socket
                .send(Message::text(request))
                .await
                .map_err(|source| self.broken(step, source))?;
            self.await_answer(id, step).await
        };
        let mut answer = timeout(patience, conversation)
            .await
            .map_err(|_| InspectorError::TimedOut { pid, step, after: patience })??;
        if let Some(error) = answer.get("error") {
            let message = error["message"].as_str().unwrap_or("without a reason");
            let message = message.chars().take(200).collect();
            return Err(InspectorError::Refused { pid, method, message });
        }
        Ok(answer["result"].take())
    }

    /// Events, and answers to calls that were given up, are passed over.
    async fn await_answer(
        &mut self,
        id: u64,
        step: InspectorStep,
    ) -> Result<Value, InspectorError> {
        loop {
            let message = match self.socket.next().await {
                Some(Ok(message)) => message,
                Some(Err(source)) => return Err(self.broken(step, source)),
                None => return Err(self.closed(step)),
            };
            match message {
                Message::Text(text) => {
                    let value: Value = serde_json::from_str(&text).unwrap_or_default();
                    if value["id"] == id {
                        return Ok(value);
                    }
                }
                Message::Close(_) => return Err(self.closed(step)),
                Message::Binary(_) | Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
            }
        }
    }

    fn broken(
        &self,
        step: InspectorStep,
        source: tokio_tungstenite::tungstenite::Error,
    ) -> InspectorError {
        let pid = self.process.pid();
        if !self.process.is_alive() {
            return InspectorError::Gone { pid, step };
        }
        InspectorError::Broken { pid, step, source: Box::new(source) }
    }

    fn closed(&self, step: InspectorStep) -> InspectorError {
        let pid = self.process.pid();
        if self.process.is_alive() {
            InspectorError::Closed { pid, step }
        } else {
            InspectorError::Gone { pid, step }
        }
    }

    fn size(
        &self,
        method: &'static str,
        object: &Value,
        key: &'static str,
    ) -> Result<Bytes, InspectorError> {
        let pid = self.process.pid();
        let missing = InspectorError::Answer { pid, method, missing: key };
        // V8 writes sizes as numbers with a fraction once they pass 2^53.
        let size = object[key].as_f64().filter(|size| *size >= 0.0).ok_or(missing)?;
        Ok(Bytes(size as u64))
    }
}
