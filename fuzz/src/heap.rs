//! Targets of `plimsoll-heap` without an object graph: allocation profiles of every format, and
//! logs of garbage collections.

use plimsoll_heap::gc_log::GcLog;
use plimsoll_heap::profile::{
    Granularity, Listings, Measure, Profile, ProfileReport, Source, difference,
};
use plimsoll_heap::{Kind, unpack};
use plimsoll_model::Timestamp;

/// Most that an input may unpack to.
const BYTES_MAX: usize = 4 << 20;

const MEASURES: [Measure; 5] = [
    Measure::InuseSpace,
    Measure::AllocSpace,
    Measure::PeakSpace,
    Measure::InuseObjects,
    Measure::Goroutines,
];

pub(crate) fn pprof(bytes: &[u8]) {
    profile(bytes);
}

pub(crate) fn heap_text(bytes: &[u8]) {
    profile(bytes);
}

pub(crate) fn heaptrack(bytes: &[u8]) {
    let Some(profile) = profile(bytes).filter(|profile| profile.source == Source::Heaptrack) else {
        return;
    };
    let total = |measure| profile.total(measure).expect("heaptrack tells all of them");
    assert!(total(Measure::AllocObjects) >= total(Measure::InuseObjects));
    assert!(total(Measure::AllocObjects) >= total(Measure::PeakObjects));
}

pub(crate) fn tracemalloc(bytes: &[u8]) {
    let Some(profile) = profile(bytes).filter(|profile| profile.source == Source::Tracemalloc)
    else {
        return;
    };
    let objects = profile.total(Measure::InuseObjects).expect("a block is an object");
    assert_eq!(usize::try_from(objects), Ok(profile.sample_count()));
}

/// What holds of a profile of any format.
fn profile(bytes: &[u8]) -> Option<Profile> {
    let kind = Kind::of(bytes);
    let read = Profile::read_within(bytes, BYTES_MAX);
    let profile = match read {
        Ok(profile) => profile,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return None;
        }
    };
    assert!(kind.is_ok_and(Kind::is_profile));
    for sample in 0..profile.sample_count().min(1000) {
        assert_eq!(profile.values(sample).len(), profile.columns.len());
        assert!(profile.stack(sample).take(1000).all(|frame| frame.function != Some("")));
    }
    if let Ok(report) = ProfileReport::of(&profile, &Listings::new()) {
        assert!(report.places.iter().all(|place| !place.owner.is_empty() && place.share >= 0.0));
    }
    let nothing = Profile::read(b"heap profile: 0: 0 [1: 1] @ heap_v2/524288\n");
    let nothing = nothing.expect("a profile without a sample is one");
    for measure in MEASURES.into_iter().filter(|measure| profile.column(*measure).is_some()) {
        for granularity in [Granularity::Function, Granularity::Line] {
            let same = difference(&profile, &profile, measure, granularity);
            assert!(same.is_ok_and(|same| same.rows.is_empty() && same.grown == 0));
            let Ok(growth) = difference(&nothing, &profile, measure, granularity) else { continue };
            let shares: f64 = growth.rows.iter().map(|row| row.share).sum();
            assert!((0.0..=1.000_001).contains(&shares), "shares sum to {shares}");
        }
    }
    Some(profile)
}

pub(crate) fn gc_log(bytes: &[u8]) {
    let Ok(unpacked) = unpack(bytes, BYTES_MAX) else { return };
    let text = String::from_utf8_lossy(&unpacked.bytes);
    let Ok(log) = GcLog::parse(&text) else { return };
    // A record takes two brackets at least, or a line.
    assert!(log.events.len() + log.rejected <= log.lines + text.len() / 2);
    for event in &log.events {
        assert!(event.line <= log.lines);
        assert!(event.pause_secs.is_none_or(|secs| secs.is_finite() && secs >= 0.0));
        assert!(event.uptime.is_none_or(|secs| secs.is_finite() && secs >= 0.0));
    }
    for life in log.heap_series(Timestamp::from_secs(1_780_000_000)) {
        for samples in [&life.live, &life.used, &life.committed] {
            assert!(samples.is_sorted_by(|a, b| a.at < b.at));
            assert!(samples.iter().all(|sample| sample.value.is_finite()));
        }
        assert!(life.live.len() <= life.used.len());
    }
}

macro_rules! fixture {
    ($name:literal) => {
        include_bytes!(concat!("../../crates/plimsoll-heap/tests/fixtures/", $name)).to_vec()
    };
}

pub(crate) fn pprof_seeds() -> Vec<Vec<u8>> {
    let packed = fixture!("go-heap.pb.gz");
    let plain = unpack(&packed, BYTES_MAX).expect("Go packs what it writes").bytes.into_owned();
    vec![plain, packed]
}

pub(crate) fn heap_text_seeds() -> Vec<Vec<u8>> {
    vec![
        fixture!("go-heap.txt"),
        fixture!("go-goroutine.txt"),
        fixture!("tcmalloc.heap"),
        fixture!("jemalloc.heap"),
        b"heap profile: 1: 9216 [1: 9216] @ heapz_v2/524288\n 1: 9216 [ 1: 9216] @ 0xc635c8 0x42ec\n\
          --- Memory map: ---\n source=/srv\n  00400000-00fcb000: $source/main\n"
            .to_vec(),
        b"heap profile: 1: 9 [1: 9] @ growth\n1: 9 [1: 9] @ 0x1\n".to_vec(),
    ]
}

pub(crate) fn heaptrack_seeds() -> Vec<Vec<u8>> {
    vec![fixture!("heaptrack.txt"), fixture!("heaptrack-raw.txt")]
}

pub(crate) fn tracemalloc_seeds() -> Vec<Vec<u8>> {
    vec![fixture!("python-3.11.tracemalloc")]
}

pub(crate) fn gc_log_seeds() -> Vec<Vec<u8>> {
    let seeds = [
        "[0.1s][info][gc] GC(0) Pause Young (Normal) (G1 Evacuation Pause) 24M->11M(256M) 7.965ms\n\
         [2022-11-10T03:37:32.125-0800][2698ms][info][gc,heap] GC(1) ParOldGen: 0K->130K(43712K)\n\
         [2022-11-10T03:37:32.125-0800][2698ms][gc] GC(1) Pause Full (System.gc()) 9M->3M(9M) 5ms\n",
        "GC(0) Pause Mark Start 0.005ms\nGC(0) Garbage Collection (Warmup) 106M(10%)->44M(4%)\n\
         GC(1) Concurrent cleanup 40M->30M(256M) 0.050ms\nGC(2) Concurrent Sweep 1.0ms\n\
         GC(3) Pause Young (Allocation Failure) 17M->3M(61M) 2.9ms\n",
        "2014-11-29T06:23:55.892+0000: 126.838: [GC 126.838: [ParNew: 5033216K->74618K(5662336K), \
         0.1352100 secs] 5033216K->74618K(16148096K), 0.1353170 secs] [Times: user=0.36 sys=0.03]\n\
         1.1: [GC[YG occupancy: 13 K (18 K)]1.1: [GC 1.1: [ParNew: 13K->2K(18K), 0.1 secs] \
         13K->8K(20K), 0.1 secs] [Times: user=0.2]\n1.2: [Rescan, 0.1 secs][1 CMS-remark: 6K(9K)] \
         8K(20K), 0.2 secs]\n1.3: [CMS-concurrent-sweep: 0.1/0.2 secs]\n2.0: [GC 9K->5K(20K), 0.1 secs]\n",
        "0.279: [GC pause (G1 Evacuation Pause) (young), 0.0112920 secs]\n   [Parallel Time: 10.4 ms, \
         GC Workers: 8]\n      [GC Worker Start (ms): Min: 279.2]\n   [Eden: 14.0M(14.0M)->0.0B(18.0M) \
         Heap: 14.0M(256.0M)->6024.0K(256.0M)]\n0.5: [Full GC [PSYoungGen: 64K->0K(4K)] [PSOldGen: \
         18K->17K(43K)] 82K->17K(47K) [PSPermGen: 2K->2K(3K)], 0.05 secs]\n",
    ];
    seeds.map(|seed| seed.as_bytes().to_vec()).into()
}
