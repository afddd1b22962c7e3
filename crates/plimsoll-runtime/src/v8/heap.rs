//! What V8 tells of its heap through the inspector: a snapshot as a stream, and a sampling profile.
//!
//! Not here: whether there is memory for a snapshot (`capture`). While V8 makes one, the whole
//! event loop stands still; it cannot be stopped half-way.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};
use tokio_tungstenite::tungstenite::Message;

use super::{Inspector, InspectorError, InspectorStep};
use crate::clock::Stopwatch;

const SNAPSHOT: &str = "HeapProfiler.takeHeapSnapshot";

/// Mean bytes between two samples. At this interval a service loses 5 to 10 % of its speed while it
/// is watched; at V8's default of 512 KiB, slow leaks are missed within half a minute.
const SAMPLING_INTERVAL_BYTES: u64 = 32 << 10;

/// One message of an inspector, as far as a snapshot is concerned.
#[derive(Clone, Debug, PartialEq)]
pub enum SnapshotMessage {
    /// A piece of the snapshot.
    Chunk(String),
    /// The answer to the question of this id: the snapshot is whole, or was refused.
    Answer(Value),
    /// An event of something else.
    Other,
}

impl SnapshotMessage {
    /// Anything that is not what was asked for is `Other`: a service may send what it likes.
    pub fn parse(text: &str, id: u64) -> Self {
        let Ok(mut value) = serde_json::from_str::<Value>(text) else { return Self::Other };
        if value["method"] == "HeapProfiler.addHeapSnapshotChunk" {
            return match value["params"]["chunk"].take() {
                Value::String(chunk) => Self::Chunk(chunk),
                _ => Self::Other,
            };
        }
        if value["id"] == id && value.get("method").is_none() {
            return Self::Answer(value);
        }
        Self::Other
    }
}

impl Inspector {
    /// Sends a snapshot of the heap to `chunks`, in order, and says how long the process stood
    /// still. A receiver that is dropped ends it.
    ///
    /// # Errors
    /// See [`InspectorError`]. V8 goes on with a snapshot that was given up.
    pub async fn heap_snapshot(
        &mut self,
        limit: Duration,
        chunks: &mpsc::Sender<Vec<u8>>,
    ) -> Result<Duration, InspectorError> {
        let (pid, step) = (self.process.pid(), InspectorStep::Call(SNAPSHOT));
        let watch = Stopwatch::start();
        let streaming = self.stream_snapshot(chunks);
        let late = |_| InspectorError::TimedOut { pid, step, after: limit };
        timeout(limit, streaming).await.map_err(late)??;
        Ok(watch.elapsed())
    }

    async fn stream_snapshot(
        &mut self,
        chunks: &mpsc::Sender<Vec<u8>>,
    ) -> Result<(), InspectorError> {
        let step = InspectorStep::Call(SNAPSHOT);
        let id = self.next_id;
        self.next_id += 1;
        let params = json!({"reportProgress": false, "captureNumericValue": true});
        let request = json!({"id": id, "method": SNAPSHOT, "params": params}).to_string();
        self.socket
            .send(Message::text(request))
            .await
            .map_err(|source| self.broken(step, source))?;
        loop {
            let text = match self.socket.next().await {
                Some(Ok(Message::Text(text))) => text,
                Some(Ok(Message::Close(_))) | None => return Err(self.closed(step)),
                Some(Ok(_)) => continue,
                Some(Err(source)) => return Err(self.broken(step, source)),
            };
            match SnapshotMessage::parse(&text, id) {
                SnapshotMessage::Chunk(chunk) => {
                    // Whoever writes the file says why it does not any more.
                    if chunks.send(chunk.into_bytes()).await.is_err() {
                        return Err(self.closed(step));
                    }
                }
                SnapshotMessage::Answer(answer) => return self.accepted(SNAPSHOT, &answer),
                SnapshotMessage::Other => {}
            }
        }
    }

    fn accepted(&self, method: &'static str, answer: &Value) -> Result<(), InspectorError> {
        let Some(error) = answer.get("error") else { return Ok(()) };
        let message = error["message"].as_str().unwrap_or("without a reason");
        let message = message.chars().take(200).collect();
        Err(InspectorError::Refused { pid: self.process.pid(), method, message })
    }

    /// Watches for `span` which call paths allocate what stays, and gives the profile as V8 writes
    /// it, with how long that took in the end: the process stands still for it. Until then the
    /// service goes on, somewhat slower.
    ///
    /// # Errors
    /// See [`InspectorError`].
    pub async fn sampling_profile(
        &mut self,
        span: Duration,
    ) -> Result<(String, Duration), InspectorError> {
        const STOP: &str = "HeapProfiler.stopSampling";
        let interval = json!({"samplingInterval": SAMPLING_INTERVAL_BYTES});
        self.call("HeapProfiler.startSampling", interval).await?;
        sleep(span).await;
        let watch = Stopwatch::start();
        let mut result = self.call(STOP, json!({})).await?;
        match result["profile"].take() {
            profile @ Value::Object(_) => Ok((profile.to_string(), watch.elapsed())),
            _ => {
                let pid = self.process.pid();
                Err(InspectorError::Answer { pid, method: STOP, missing: "profile" })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_pieces_and_the_answer_are_taken() {
        let check = |text: &str, want: SnapshotMessage| {
            assert_eq!(SnapshotMessage::parse(text, 7), want, "{text}");
        };
        let event = r#"{"method":"HeapProfiler.addHeapSnapshotChunk","params":{"chunk":"a\"b"}}"#;
        check(event, SnapshotMessage::Chunk("a\"b".to_owned()));
        check(r#"{"id":7,"result":{}}"#, SnapshotMessage::Answer(json!({"id": 7, "result": {}})));
        check(r#"{"id":6,"result":{}}"#, SnapshotMessage::Other);
        check(r#"{"id":7,"method":"x"}"#, SnapshotMessage::Other);
        check(
            r#"{"method":"HeapProfiler.addHeapSnapshotChunk","params":{"chunk":1}}"#,
            SnapshotMessage::Other,
        );
        check(r#"{"method":"Runtime.consoleAPICalled","params":{}}"#, SnapshotMessage::Other);
        check("[]", SnapshotMessage::Other);
        check("", SnapshotMessage::Other);
    }
}
