//! How much room a capture has: free bytes of a file system, and memory up to the limit that would
//! kill the service.
//!
//! Not here: how much it needs (`experience`, `capture`). What cannot be known is `None`, and no
//! objection. Used by `capture`.

use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use plimsoll_model::Bytes;
use rustix::fs::{fstatfs, fstatvfs};

use crate::process::ProcessFiles;

/// What is left free for the others on a file system: a twentieth, as file systems do for root;
/// kubelets evict at a tenth, and a full disk is an outage of the node.
const RESERVE_PART: u64 = 20;

/// The reserve of a large disk: nobody needs half a terabyte of it.
const RESERVE_MAX: Bytes = Bytes::from_mib(10 << 10);

/// `TMPFS_MAGIC` and `RAMFS_MAGIC`: what is written there is memory.
const IN_MEMORY: [u64; 2] = [0x0102_1994, 0x8584_58f6];

/// A limit at or above this is how version 1 of control groups says that there is none.
const V1_UNLIMITED_BYTES: u64 = 1 << 62;

/// How many groups above one are asked for their limit. Kubernetes nests five deep.
const ANCESTORS_MAX: usize = 16;

/// A file system, at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiskRoom {
    pub free: Bytes,
    pub total: Bytes,
    pub reserve: Bytes,
    /// The device that the kernel names.
    pub id: u64,
    /// Whether files there count as memory.
    pub in_memory: bool,
}

impl DiskRoom {
    /// Of the file system that an open file or folder is on.
    pub(crate) fn at(place: impl AsFd) -> io::Result<Self> {
        let found = fstatvfs(&place)?;
        let unit = found.f_frsize.max(1);
        let reserve = (found.f_blocks.saturating_mul(unit) / RESERVE_PART).min(RESERVE_MAX.0);
        let kind = fstatfs(&place)?.f_type as u64;
        Ok(Self {
            free: Bytes(found.f_bavail.saturating_mul(unit)),
            total: Bytes(found.f_blocks.saturating_mul(unit)),
            reserve: Bytes(reserve),
            id: rustix::fs::fstat(&place)?.st_dev,
            in_memory: IN_MEMORY.contains(&kind),
        })
    }

    /// Whether what is written to the one is missing to the other. The overlay of a container has a
    /// device of its own, and the size of the disk that it lies on.
    pub fn shares_with(&self, other: &Self) -> bool {
        self.id == other.id || self.total == other.total
    }

    /// What may be written.
    pub fn usable(&self) -> Bytes {
        Bytes(self.free.0.saturating_sub(self.reserve.0))
    }
}

/// Memory that a process may still take before its control group, or the machine, has none left.
/// What the kernel can give back (page cache) counts as free.
pub fn memory_headroom(process: &ProcessFiles) -> Option<Bytes> {
    let machine = machine_headroom(process.root());
    let membership = process.text("cgroup").ok();
    let group = membership.and_then(|text| group_headroom(process.root(), &text));
    [machine, group].into_iter().flatten().min().map(Bytes)
}

fn machine_headroom(proc_root: &Path) -> Option<u64> {
    let text = std::fs::read_to_string(proc_root.join("meminfo")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.split_whitespace().next()?.parse::<u64>().ok()?.checked_mul(1024)
}

/// The least of a group and of those above it: each binds.
fn group_headroom(proc_root: &Path, membership: &str) -> Option<u64> {
    let mounts = std::fs::read_to_string(proc_root.join("self/mounts")).ok()?;
    let (mount, group, files) = memory_group(&mounts, membership)?;
    let folder = mount.join(group.trim_start_matches('/'));
    let groups = folder.ancestors().take_while(|group| group.starts_with(&mount));
    groups.take(ANCESTORS_MAX).filter_map(|group| headroom_of(group, files)).min()
}

/// The names of the files of one version.
#[derive(Clone, Copy, Debug)]
struct GroupFiles {
    limit: &'static str,
    usage: &'static str,
    given_back: &'static str,
}

const V1: GroupFiles = GroupFiles {
    limit: "memory.limit_in_bytes",
    usage: "memory.usage_in_bytes",
    given_back: "total_inactive_file",
};

const V2: GroupFiles =
    GroupFiles { limit: "memory.max", usage: "memory.current", given_back: "inactive_file" };

/// Where memory is accounted: the mount, the group below it, and its files. A machine that mounts
/// both versions accounts memory in version 1.
fn memory_group<'a>(mounts: &str, membership: &'a str) -> Option<(PathBuf, &'a str, GroupFiles)> {
    let mount_of = |wanted: &dyn Fn(&str, &str) -> bool| {
        mounts.lines().find_map(|line| {
            let mut words = line.split(' ').skip(1);
            let (place, kind, options) = (words.next()?, words.next()?, words.next()?);
            wanted(kind, options).then(|| PathBuf::from(place))
        })
    };
    let has_memory = |list: &str| list.split(',').any(|word| word == "memory");
    let group_of = |wanted: &dyn Fn(&str) -> bool| {
        membership.lines().find_map(|line| {
            let (controllers, group) = line.split_once(':')?.1.split_once(':')?;
            let is_outside = group.split('/').any(|part| part == "..");
            (wanted(controllers) && !is_outside).then_some(group)
        })
    };
    let v1 = mount_of(&|kind, options| kind == "cgroup" && has_memory(options));
    if let Some(mount) = v1 {
        return Some((mount, group_of(&has_memory)?, V1));
    }
    let v2 = mount_of(&|kind, _| kind == "cgroup2")?;
    Some((v2, group_of(&str::is_empty)?, V2))
}

fn headroom_of(group: &Path, files: GroupFiles) -> Option<u64> {
    let number = |name: &str| {
        let text = std::fs::read_to_string(group.join(name)).ok()?;
        text.trim().parse::<u64>().ok()
    };
    let limit = number(files.limit).filter(|bytes| *bytes < V1_UNLIMITED_BYTES)?;
    let stat = std::fs::read_to_string(group.join("memory.stat")).unwrap_or_default();
    let given_back = stat.lines().find_map(|line| {
        line.strip_prefix(files.given_back)?.strip_prefix(' ')?.trim().parse::<u64>().ok()
    });
    let needed = number(files.usage)?.saturating_sub(given_back.unwrap_or(0));
    Some(limit.saturating_sub(needed))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    fn machine(mounts: &str) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(root.path().join("self")).unwrap();
        std::fs::create_dir_all(root.path().join("7")).unwrap();
        let groups = root.path().join("groups");
        let text = mounts.replace("MOUNT", groups.to_str().unwrap());
        std::fs::write(root.path().join("self/mounts"), text).unwrap();
        std::fs::write(root.path().join("meminfo"), "MemTotal: 9 kB\nMemAvailable: 8388608 kB\n")
            .unwrap();
        root
    }

    fn write(root: &Path, file: &str, text: &str) {
        let path = root.join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn headroom(root: &Path) -> Option<u64> {
        memory_headroom(&ProcessFiles::new(root, 7)).map(|bytes| bytes.0 / MIB)
    }

    #[test]
    fn the_headroom_of_version_2_is_that_of_the_tightest_group_above() {
        let root = machine("cgroup2 MOUNT cgroup2 rw 0 0\n");
        let path = root.path();
        assert_eq!(headroom(path), Some(8192), "without a group it is the machine's");
        write(path, "7/cgroup", "0::/shop.slice/orders\n");
        write(path, "groups/shop.slice/orders/memory.max", "max\n");
        write(path, "groups/shop.slice/orders/memory.current", "1\n");
        write(path, "groups/shop.slice/memory.max", &format!("{}\n", 1024 * MIB));
        write(path, "groups/shop.slice/memory.current", &format!("{}\n", 900 * MIB));
        write(path, "groups/shop.slice/memory.stat", &format!("inactive_file {}\n", 100 * MIB));
        assert_eq!(headroom(path), Some(224));
    }

    #[test]
    fn version_1_keeps_account_where_both_are_mounted() {
        let root = machine("cgroup2 /nowhere cgroup2 rw 0 0\ncg MOUNT cgroup rw,memory 0 0\n");
        let path = root.path();
        write(path, "7/cgroup", "5:cpu:/x\n4:memory:/orders\n0::/y\n");
        write(path, "groups/orders/memory.limit_in_bytes", &format!("{}\n", 300 * MIB));
        write(path, "groups/orders/memory.usage_in_bytes", &format!("{}\n", 260 * MIB));
        write(path, "groups/orders/memory.stat", &format!("total_inactive_file {}\n", 10 * MIB));
        assert_eq!(headroom(path), Some(50));
        write(path, "groups/orders/memory.limit_in_bytes", "9223372036854771712\n");
        assert_eq!(headroom(path), Some(8192));
        write(path, "7/cgroup", "4:memory:/../../etc\n");
        assert_eq!(headroom(path), Some(8192));
    }

    #[test]
    fn a_part_of_every_disk_is_left_to_others() {
        let folder = tempfile::tempdir().unwrap();
        let room = DiskRoom::at(std::fs::File::open(folder.path()).unwrap()).unwrap();
        assert!(room.reserve.0 > 0 && room.reserve <= RESERVE_MAX);
        assert!(room.usable() < room.free);
        let memory = std::fs::File::open("/dev/shm").unwrap();
        assert!(DiskRoom::at(memory).unwrap().in_memory);
    }
}
