//! What `plimsoll heap capture` prints, the file of counters that it writes, and what it remembers
//! of captures from one run to the next.

use serde::{Deserialize, Serialize};

/// The version of [`CaptureMemory`] that is written, and the newest one that is read.
pub const CAPTURE_MEMORY_FORMAT: u32 = 1;

/// The captures that were made on this machine, oldest first; bounded by who writes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaptureMemory {
    pub format: u32,
    pub captures: Vec<RememberedCapture>,
}

/// One capture that was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RememberedCapture {
    /// `jvm_dump_all`, `node_snapshot` and so on; a kind that is not known is passed over.
    pub kind: String,
    /// A main class, a script, a program.
    pub program: String,
    /// In use before it.
    pub heap_bytes: u64,
    pub pause_ms: u64,
    pub file_bytes: u64,
}

/// Why what was remembered cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CaptureMemoryError {
    #[error("what was remembered of captures is not JSON of their shape")]
    Shape(#[from] serde_json::Error),
    #[error(
        "what was remembered of captures has format {found}, and this version of plimsoll reads \
         up to {CAPTURE_MEMORY_FORMAT}"
    )]
    Newer { found: u32 },
}

impl CaptureMemory {
    pub fn parse(bytes: &[u8]) -> Result<Self, CaptureMemoryError> {
        let memory: Self = serde_json::from_slice(bytes)?;
        match memory.format {
            0..=CAPTURE_MEMORY_FORMAT => Ok(memory),
            found => Err(CaptureMemoryError::Newer { found }),
        }
    }
}

/// What `plimsoll heap capture --format json` prints.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CaptureAnswer {
    pub process: CapturedProcess,
    /// Best first.
    pub rungs: Vec<RungShape>,
    /// Null with `--dry-run`.
    pub taken: Option<TakenShape>,
}

/// The process that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CapturedProcess {
    pub pid: u32,
    pub runtime: String,
    pub recognised_by: String,
    pub program: String,
    pub heap_used_bytes: Option<u64>,
}

/// One way to look into it, and what it would cost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RungShape {
    pub rung: String,
    /// Null where the service does not stand still.
    pub predicted_pause: Option<PauseShape>,
    pub predicted_file_bytes: u64,
    pub predicted_file_at_most_bytes: u64,
    pub predicted_memory_bytes: u64,
    /// Why it is not taken; null where nothing speaks against it.
    pub objection: Option<String>,
}

/// How long a service is expected to stand still.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PauseShape {
    pub expected_ms: u64,
    pub at_most_ms: u64,
    pub basis: String,
}

/// What was taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TakenShape {
    pub rung: String,
    pub path: String,
    pub file_bytes: u64,
    /// Measured; null where the service did not stand still.
    pub pause_ms: Option<u64>,
    /// Whether values of users were taken out on the way to the disk, or there were none.
    pub without_values: bool,
}

/// The version of [`CountersFile`] that is written.
pub const COUNTERS_FORMAT: u32 = 1;

/// The figures of a process at one moment. What is not known is null, never zero.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CountersFile {
    pub format: u32,
    pub at: String,
    pub process: CapturedProcess,
    pub rss_bytes: Option<u64>,
    pub rss_anon_bytes: Option<u64>,
    pub rss_file_bytes: Option<u64>,
    pub swap_bytes: Option<u64>,
    pub threads: Option<u64>,
    pub descriptors: Option<u64>,
    pub headroom_bytes: Option<u64>,
    pub jvm: Option<JvmCounters>,
    pub v8: Option<V8Counters>,
}

/// Of `hsperfdata`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JvmCounters {
    pub java_version: Option<String>,
    pub heap_used_bytes: Option<u64>,
    pub heap_committed_bytes: Option<u64>,
    pub heap_max_bytes: Option<u64>,
    pub old_used_bytes: Option<u64>,
    pub metaspace_used_bytes: Option<u64>,
    pub classes_loaded: Option<u64>,
    pub threads_live: Option<u64>,
    pub collections: u64,
    pub collection_seconds: f64,
    pub spaces: Vec<SpaceShape>,
}

/// One space of a heap.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpaceShape {
    pub name: String,
    pub used_bytes: u64,
    pub capacity_bytes: u64,
}

/// Of `process.memoryUsage()`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct V8Counters {
    pub heap_used_bytes: u64,
    pub heap_committed_bytes: u64,
    pub external_bytes: u64,
    pub array_buffers_bytes: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Format 1, as it was first written: what is stored in it must be read for ever.
    const FORMAT_1: &str = concat!(
        r#"{"format":1,"captures":[{"kind":"jvm_dump_all","program":"Shop","#,
        r#""heap_bytes":216006656,"pause_ms":1421,"file_bytes":324009984}]}"#,
    );

    #[test]
    fn format_1_is_read_and_still_written() {
        let memory = CaptureMemory::parse(FORMAT_1.as_bytes()).unwrap();
        assert_eq!(memory.captures[0].pause_ms, 1421);
        assert_eq!(serde_json::to_string(&memory).unwrap(), FORMAT_1);
    }

    #[test]
    fn a_newer_format_and_what_is_no_memory_are_told() {
        let newer = FORMAT_1.replace("\"format\":1", "\"format\":2");
        let error = CaptureMemory::parse(newer.as_bytes()).unwrap_err();
        assert!(error.to_string().contains("format 2"), "{error}");
        for text in ["", "[]", "{\"format\":1}", "{\"format\":1,\"captures\":[{}]}"] {
            let error = CaptureMemory::parse(text.as_bytes()).unwrap_err();
            assert!(matches!(error, CaptureMemoryError::Shape(_)), "{error}");
        }
    }
}
