//! A survey, its offers and its counters as the JSON that is printed and written.

use std::path::Path;
use std::time::Duration;

use plimsoll_model::Bytes;
use plimsoll_runtime::capture::{Counters, Offer, Survey, Taken};
use plimsoll_runtime::hsperfdata::JvmReading;
use plimsoll_runtime::pause::PredictedPause;
use plimsoll_runtime::v8::MemoryUsage;
use plimsoll_wire::format_time;
use plimsoll_wire::heap_capture::{
    COUNTERS_FORMAT, CaptureAnswer, CapturedProcess, CountersFile, JvmCounters, PauseShape,
    RungShape, SpaceShape, TakenShape, V8Counters,
};

use crate::clock;

pub(super) fn answer(looked: &Survey) -> CaptureAnswer {
    let process = CapturedProcess {
        pid: looked.order.pid,
        runtime: looked.identity.kind.to_string(),
        recognised_by: looked.identity.reason.clone(),
        program: looked.program.clone(),
        heap_used_bytes: size(looked.heap_used),
    };
    CaptureAnswer { process, rungs: looked.offers.iter().map(rung).collect(), taken: None }
}

fn rung(offer: &Offer) -> RungShape {
    RungShape {
        rung: offer.rung.to_string(),
        predicted_pause: offer.cost.pause.as_ref().map(pause),
        predicted_file_bytes: offer.cost.file.expected.0,
        predicted_file_at_most_bytes: offer.cost.file.at_most.0,
        predicted_memory_bytes: offer.cost.memory.0,
        objection: offer.objection.as_ref().map(ToString::to_string),
    }
}

fn pause(predicted: &PredictedPause) -> PauseShape {
    PauseShape {
        expected_ms: millis(predicted.expected),
        at_most_ms: millis(predicted.at_most),
        basis: predicted.basis.clone(),
    }
}

pub(super) fn taken(offer: &Offer, path: &Path, taken: &Taken, without_values: bool) -> TakenShape {
    TakenShape {
        rung: offer.rung.to_string(),
        path: path.display().to_string(),
        file_bytes: taken.size.0,
        pause_ms: taken.pause.map(millis),
        without_values,
    }
}

/// What a file of counters holds.
pub(in crate::heap) fn counters_file(counters: &Counters) -> Vec<u8> {
    let process = CapturedProcess {
        pid: counters.pid,
        runtime: counters.identity.kind.to_string(),
        recognised_by: counters.identity.reason.clone(),
        program: counters.program.clone(),
        heap_used_bytes: counters
            .v8
            .map(|v8| v8.heap_used.0)
            .or_else(|| size(counters.jvm.as_ref()?.heap_used)),
    };
    let file = CountersFile {
        format: COUNTERS_FORMAT,
        at: format_time(clock::now()),
        process,
        rss_bytes: size(counters.rss),
        rss_anon_bytes: size(counters.rss_anon),
        rss_file_bytes: size(counters.rss_file),
        swap_bytes: size(counters.swap),
        threads: counters.threads,
        descriptors: counters.descriptors,
        headroom_bytes: size(counters.headroom),
        jvm: counters.jvm.as_ref().map(jvm),
        v8: counters.v8.map(v8),
    };
    let mut text = serde_json::to_vec_pretty(&file).expect("figures and texts are JSON");
    text.push(b'\n');
    text
}

fn jvm(reading: &JvmReading) -> JvmCounters {
    let spaces = reading.spaces.iter().map(|space| SpaceShape {
        name: space.name.clone(),
        used_bytes: space.used.0,
        capacity_bytes: space.capacity.0,
    });
    JvmCounters {
        java_version: reading.java_version.clone(),
        heap_used_bytes: size(reading.heap_used),
        heap_committed_bytes: size(reading.heap_committed),
        heap_max_bytes: size(reading.heap_max),
        old_used_bytes: size(reading.old_used),
        metaspace_used_bytes: size(reading.metaspace_used),
        classes_loaded: reading.classes_loaded,
        threads_live: reading.threads_live,
        collections: reading.collection_count(),
        collection_seconds: reading.collection_seconds(),
        spaces: spaces.collect(),
    }
}

fn v8(usage: MemoryUsage) -> V8Counters {
    V8Counters {
        heap_used_bytes: usage.heap_used.0,
        heap_committed_bytes: usage.heap_committed.0,
        external_bytes: usage.external.0,
        array_buffers_bytes: usage.array_buffers.0,
    }
}

fn size(bytes: Option<Bytes>) -> Option<u64> {
    bytes.map(|bytes| bytes.0)
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
