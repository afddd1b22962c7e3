//! Target of `plimsoll-agent`: rounds of a collector over a machine that is only files, of which
//! the input replaces some. Also what `plimsoll-runtime` reads below `/proc`.
//!
//! An input is pieces with a byte 0xfe between; the first byte of a piece chooses the file.

use std::fs;
use std::path::Path;

use plimsoll_agent::collect::{CollectOptions, Collector, Watch};
use plimsoll_model::{InstanceName, Span, Timestamp};
use plimsoll_runtime::{ProcessFiles, identify};

const NOW: Timestamp = Timestamp::from_secs(2_000_000_000);
const BETWEEN: u8 = 0xfe;
const PID: u32 = 10;

/// Every file, with what it holds unless the input says otherwise.
const FILES: [(&str, &str); 22] = [
    ("proc/stat", "cpu 1 2 3\nbtime 1000000000\n"),
    ("proc/mounts", "cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n"),
    ("proc/meminfo", "MemTotal: 16384 kB\nMemAvailable:  8192 kB\n"),
    (
        "proc/pressure/memory",
        "some avg10=0.00 avg60=0.10 avg300=0.00 total=1500000\n\
         full avg10=0.00 avg60=0.10 avg300=0.00 total=500000\n",
    ),
    ("proc/10/stat", "10 (app) S 1 1 1 0 -1 4194304 0 0 0 0 0 0 0 0 20 0 3 0 100 9 300 0\n"),
    ("proc/10/statm", "900 300 100 1 0 50 0\n"),
    (
        "proc/10/environ",
        "OTEL_SERVICE_NAME=orders\0OTEL_RESOURCE_ATTRIBUTES=service.instance.id=a\0",
    ),
    ("proc/10/cgroup", "0::/own\n"),
    ("proc/10/limits", "Limit  Soft Limit  Hard Limit  Units\nMax open files  1024  4096  files\n"),
    ("proc/10/status", "Name:\tapp\nState:\tS (sleeping)\nSigCgt:\t0000000000000004\n"),
    ("proc/10/maps", "7f00-7f10 r-xp 00000000 08:01 1 /usr/lib/jvm/lib/server/libjvm.so\n"),
    ("proc/10/cmdline", "/usr/bin/java\0-Xmx64m\0Shop\0"),
    ("proc/10/comm", "app\n"),
    ("proc/11/stat", "11 (a) b) S 10 1 1 0 -1 4 0 0 0 0 0 0 0 0 20 0 3 0 100 9 300 0\n"),
    ("proc/11/statm", "900 300 100 1 0 50 0\n"),
    ("proc/11/environ", "OTEL_SERVICE_NAME=orders\0"),
    ("sys/fs/cgroup/own/cgroup.procs", "10\n11\n"),
    ("sys/fs/cgroup/own/memory.current", "5000\n"),
    ("sys/fs/cgroup/own/memory.max", "max\n"),
    ("sys/fs/cgroup/own/memory.stat", "anon 10\nfile 20\nslab_reclaimable 5\nshmem 1\n"),
    ("sys/fs/cgroup/own/memory.events", "low 0\nhigh 1\nmax 2\noom 0\noom_kill 0\n"),
    ("sys/fs/cgroup/own/memory.pressure", "some total=15\nfull total=5\n"),
];

pub(crate) fn machine(bytes: &[u8]) {
    thread_local! {
        static FOLDER: tempfile::TempDir = made();
    }
    FOLDER.with(|folder| {
        lay_out(folder.path(), bytes);
        observe(folder.path());
    });
}

/// One that holds nothing that changes.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let piece = |index: usize, text: &str| [&[index as u8][..], text.as_bytes()].concat();
    let all: Vec<_> =
        FILES.iter().enumerate().map(|(index, (_, text))| piece(index, text)).collect();
    let first_version = [
        piece(1, "cgroup /sys/fs/cgroup/memory cgroup rw,memory 0 0\n"),
        piece(7, "4:memory:/own\n1:name=systemd:/\n"),
    ];
    let mut seeds = vec![all.join(&BETWEEN), first_version.join(&BETWEEN)];
    seeds.extend(all);
    seeds
}

fn made() -> tempfile::TempDir {
    // Memory where there is some: each input writes every file.
    let memory = Path::new("/dev/shm");
    let place = if memory.is_dir() { memory.to_path_buf() } else { std::env::temp_dir() };
    let folder = tempfile::tempdir_in(place).expect("a temporary folder can be made");
    for (path, _) in FILES {
        let parent = folder.path().join(path);
        let parent = parent.parent().expect("every file is in a folder");
        fs::create_dir_all(parent).expect("the folder is ours");
    }
    for pid in [10, 11] {
        fs::create_dir_all(folder.path().join(format!("proc/{pid}/fd/0"))).expect("it is ours");
    }
    folder
}

fn lay_out(folder: &Path, bytes: &[u8]) {
    let mut contents = FILES.map(|(_, text)| text.as_bytes());
    for piece in bytes.split(|byte| *byte == BETWEEN) {
        if let Some((index, content)) = piece.split_first()
            && let Some(place) = contents.get_mut(usize::from(*index))
        {
            *place = content;
        }
    }
    for ((path, _), content) in FILES.iter().zip(contents) {
        fs::write(folder.join(path), content).expect("the folder is ours");
    }
}

fn observe(folder: &Path) {
    let node = InstanceName::new("here").expect("it is a name");
    let options = CollectOptions {
        proc_root: folder.join("proc"),
        root: folder.to_path_buf(),
        ..CollectOptions::this_machine(Watch::MACHINE, node)
    };
    if let Ok(mut collector) = Collector::new(options) {
        for secs in [0, 5] {
            let round = collector.round(NOW + Span::from_secs(secs));
            for reading in &round.readings {
                assert!(reading.value.is_finite(), "{reading:?}");
            }
            assert!(round.found.len() <= FILES.len());
        }
    }
    let proc_root = folder.join("proc");
    assert!(!identify(&proc_root, PID).reason.is_empty());
    drop(ProcessFiles::new(&proc_root, PID).status());
}
