//! A full disk: refused with a clear error, nothing half written, and on it goes when there is
//! space. Needs to mount a small file system, so it is skipped, and says so, where it may not.
#![expect(clippy::unwrap_used, reason = "a store that cannot be used fails its test")]

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::process::Command;

use plimsoll_model::*;
use plimsoll_store::{Journal, JournalError, Store, WriteError, verify};

/// A file system of 8 MiB, gone when it is dropped.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn mount() -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=8m", "tmpfs"]).arg(dir.path());
        let mounted = mount.output().is_ok_and(|output| output.status.success());
        mounted.then(|| Self(dir))
    }

    /// Takes all the space that is left.
    fn fill(&self) {
        let mut filler = File::create(self.0.path().join("filler")).unwrap();
        while filler.write_all(&[1; 4096]).is_ok() {}
        while filler.write_all(&[1]).is_ok() {}
    }

    fn make_space(&self) {
        std::fs::remove_file(self.0.path().join("filler")).unwrap();
    }

    fn dir(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("-l").arg(self.0.path()).output());
    }
}

fn batch(number: i64) -> Vec<Reading> {
    let reading = |index: i64| Reading {
        at: Timestamp::from_millis(number * 1000 + index),
        service: ServiceName::new("orders").unwrap(),
        version: None,
        instance: InstanceName::new("orders-0").unwrap(),
        metric: Metric::ProcessMemoryRss,
        value: number as f64,
    };
    (0..1000).map(reading).collect()
}

fn draft() -> JournalDraft {
    JournalDraft {
        kind: JournalKind::Receipt,
        who: "agent".into(),
        incident: None,
        plan: None,
        what: "memory.high was set".into(),
        why: "x".repeat(9000),
        facts: Vec::new(),
    }
}

async fn readings(store: &Store) -> i64 {
    let replayed = store.replay(Timestamp::from_millis(0), |_| ()).await.unwrap();
    replayed.readings as i64
}

fn append_until_full(journal: &mut Journal) -> u64 {
    for written in 0.. {
        match journal.append(draft(), Timestamp::from_secs(1)) {
            Ok(_) => {}
            Err(JournalError::DiskFull(_)) => return written,
            Err(error) => panic!("not said to be full: {error:?}"),
        }
    }
    0
}

#[tokio::test]
async fn a_full_disk_loses_nothing_that_was_acknowledged_and_the_store_goes_on() {
    let Some(disk) = SmallDisk::mount() else {
        println!("skipped: a small file system could not be mounted here, which needs root");
        return;
    };
    let store = Store::open(disk.dir()).await.unwrap();
    let mut journal = store.open_journal().unwrap().journal;
    let (mut kept, mut entries) = (0, 0);
    for round in 0..3 {
        disk.fill();
        let mut refused = 0;
        for _ in 0..5 {
            match store.append(&batch(kept)).await {
                Ok(_) => kept += 1,
                Err(WriteError::DiskFull(_)) => refused += 1,
                Err(error) => panic!("not said to be full: {error:?}"),
            }
        }
        assert!(refused > 0, "the disk of round {round} was not full");
        assert_eq!(readings(&store).await, kept * 1000, "a refused batch left something behind");
        entries += append_until_full(&mut journal);
        assert_eq!(verify(disk.dir()).unwrap().entries, entries, "a refused entry left something");
        disk.make_space();
        store.append(&batch(kept)).await.unwrap();
        kept += 1;
        journal.append(draft(), Timestamp::from_secs(2)).unwrap();
        entries += 1;
    }
    store.close().await;
    let store = Store::open(disk.dir()).await.unwrap();
    assert_eq!(readings(&store).await, kept * 1000);
    let checked = verify(disk.dir()).unwrap();
    assert_eq!((checked.verified, checked.entries), (true, entries), "{:?}", checked.fault);
}
