//! Targets of `plimsoll-runtime`, `plimsoll-heap` and `plimsoll-sim`: a JVM's counters, its class
//! histograms, what processes say while they are captured, and scenarios.

use std::sync::LazyLock;

use plimsoll_heap::{ClassHistogram, difference, dominant};
use plimsoll_runtime::capture::{DumpAnswer, heap_in_use};
use plimsoll_runtime::container::container_of;
use plimsoll_runtime::hsperfdata::{Counters, JvmReading, LiveSet};
use plimsoll_runtime::http::Head;
use plimsoll_runtime::v8::SnapshotMessage;
use plimsoll_sim::scenario::Scenario;
use plimsoll_wire::heap_capture::CaptureMemory;

use crate::seeds::HISTOGRAM;

pub(crate) fn hsperfdata(bytes: &[u8]) {
    let counters = Counters::parse(bytes);
    let reading = JvmReading::parse(bytes);
    assert_eq!(counters.is_ok(), reading.is_ok());
    let (Ok(counters), Ok(reading)) = (counters, reading) else { return };
    assert!(counters.len() <= bytes.len());
    assert!(reading.collection_seconds() >= 0.0, "{}", reading.collection_seconds());
    let mut live = LiveSet::new();
    live.feed(&reading);
    live.feed(&reading);
}

pub(crate) fn class_histogram(bytes: &[u8]) {
    static REAL: LazyLock<ClassHistogram> =
        LazyLock::new(|| ClassHistogram::parse(HISTOGRAM).expect("it is of a real JVM"));
    let text = String::from_utf8_lossy(bytes);
    let Ok(parsed) = ClassHistogram::parse(&text) else { return };
    assert!(parsed.rows.len() + parsed.rejected <= text.lines().count());
    let bytes = parsed.rows.iter().fold(0_u64, |sum, row| sum.saturating_add(row.bytes.0));
    assert_eq!(bytes, parsed.total.bytes.0);
    for growth in [difference(&REAL, &parsed), difference(&parsed, &REAL)] {
        let shares: f64 = growth.rows.iter().map(|row| row.share).sum();
        assert!((0.0..=1.000_001).contains(&shares), "shares sum to {shares}");
        if let Ok(found) = dominant(&growth) {
            assert!((0.0..=1.0).contains(&found.group_share));
        }
    }
}

pub(crate) fn http_head(bytes: &[u8]) {
    let Ok(Some(head)) = Head::parse(bytes) else { return };
    assert!(head.length <= bytes.len());
    assert!(bytes[..head.length].ends_with(b"\r\n\r\n"));
    assert!(head.status < 1000);
    let longer = [bytes, b"more"].concat();
    assert_eq!(Head::parse(&longer), Ok(Some(head)));
}

pub(crate) fn capture_words(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let DumpAnswer::Failed(message) = DumpAnswer::parse(&text) {
        assert!(!message.is_empty() && message.chars().count() <= 300);
        assert!(!message.chars().any(char::is_control));
    }
    heap_in_use(&text);
    if let Some(id) = container_of(&text) {
        assert!(id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit()));
    }
    if let SnapshotMessage::Chunk(chunk) = SnapshotMessage::parse(&text, 1) {
        assert!(chunk.len() <= text.len());
    }
    if let Ok(memory) = CaptureMemory::parse(bytes) {
        let again = serde_json::to_vec(&memory).expect("it came from JSON");
        assert_eq!(CaptureMemory::parse(&again).expect("it was just written"), memory);
    }
}

pub(crate) fn scenario(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Err(error) = Scenario::parse(text) {
        assert!(!error.to_string().is_empty());
    }
}
