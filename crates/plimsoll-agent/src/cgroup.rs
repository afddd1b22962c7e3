//! Control groups: where their hierarchies are mounted, and which one a process sits in.
//!
//! Not here: what a group's memory figures are (`cgroup::memory`), and the writing of limits, which
//! only `plimsoll-act` does. Used by `collect` and `identity`.

pub(crate) mod memory;

use std::path::{Path, PathBuf};

use crate::files::leading_number;
use crate::proc::Pid;

/// Most folders below one group that are searched for foreign processes. A group with more is
/// taken as shared: saying nothing of it is right, and cheap.
const DESCENDANTS_MAX: usize = 64;

/// Longest path of a group that is followed; the kernel's own bound for paths.
const GROUP_PATH_BYTES_MAX: usize = 4096;

/// Which hierarchy keeps account of memory on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Hierarchy {
    /// The unified one, at this mount point.
    V2(PathBuf),
    /// The `memory` controller of version 1. Hybrid machines, which mount both, are this.
    V1(PathBuf),
    /// No memory controller is mounted, or none can be seen from here.
    None,
}

impl Hierarchy {
    /// Reads the text of `/proc/mounts`. `root` stands before every mount point: `/` on a machine.
    pub(crate) fn from_mounts(mounts: &[u8], root: &Path) -> Self {
        let text = String::from_utf8_lossy(mounts);
        let mut unified = None;
        for line in text.lines() {
            let mut fields = line.split(' ').skip(1);
            let (Some(place), Some(kind)) = (fields.next(), fields.next()) else { continue };
            let options = fields.next().unwrap_or_default();
            match kind {
                "cgroup" if options.split(',').any(|option| option == "memory") => {
                    return Self::V1(mount_point(root, place));
                }
                "cgroup2" if unified.is_none() => unified = Some(mount_point(root, place)),
                _ => {}
            }
        }
        unified.map_or(Self::None, Self::V2)
    }

    /// The folder of the group whose `/proc/<pid>/cgroup` this is; `None` for the root, for a
    /// group outside of what this mount shows, and without a hierarchy.
    pub(crate) fn folder(&self, membership: &[u8]) -> Option<PathBuf> {
        let (mount, group) = match self {
            Self::V2(mount) => (mount, unified_group(membership)?),
            Self::V1(mount) => (mount, controller_group(membership, "memory")?),
            Self::None => return None,
        };
        let below = group.trim_start_matches('/');
        let outside = below.split('/').any(|part| part == ".." || part == ".");
        (!below.is_empty() && !outside).then(|| mount.join(below))
    }
}

/// Mount points escape blanks and backslashes as three octal digits.
fn mount_point(root: &Path, escaped: &str) -> PathBuf {
    let plain = escaped.replace("\\040", " ").replace("\\011", "\t").replace("\\134", "\\");
    root.join(plain.trim_start_matches('/'))
}

fn unified_group(membership: &[u8]) -> Option<&str> {
    lines(membership).find_map(|line| line.strip_prefix("0::"))
}

fn controller_group<'a>(membership: &'a [u8], controller: &str) -> Option<&'a str> {
    lines(membership).find_map(|line| {
        let (controllers, group) = line.split_once(':')?.1.split_once(':')?;
        controllers.split(',').any(|name| name == controller).then_some(group)
    })
}

/// The group that names a process best: of systemd, of the unified hierarchy, or of the memory
/// controller, the first that is not the root.
pub(crate) fn naming_group(membership: &[u8]) -> Option<&str> {
    let of_systemd = controller_group(membership, "name=systemd");
    let of_memory = controller_group(membership, "memory");
    let groups = [of_systemd, unified_group(membership), of_memory];
    groups.into_iter().flatten().find(|group| !group.trim_matches('/').is_empty())
}

fn lines(membership: &[u8]) -> impl Iterator<Item = &str> {
    membership
        .split(|byte| *byte == b'\n')
        .filter(|line| line.len() <= GROUP_PATH_BYTES_MAX)
        .filter_map(|line| std::str::from_utf8(line).ok())
}

/// Whether every process of a group, and of the groups below it, satisfies `ours`, so that its
/// figures may be given to one instance. A group that cannot be read whole is not exclusive.
pub(crate) fn is_exclusive(folder: &Path, ours: impl Fn(Pid) -> bool) -> bool {
    let mut waiting = vec![folder.to_owned()];
    let mut visited = 0;
    while let Some(group) = waiting.pop() {
        visited += 1;
        let Ok(processes) = std::fs::read(group.join("cgroup.procs")) else { return false };
        let below = children(&group);
        if !all_ours(&processes, &ours) || visited + waiting.len() + below.len() > DESCENDANTS_MAX {
            return false;
        }
        waiting.extend(below);
    }
    true
}

fn all_ours(processes: &[u8], ours: impl Fn(Pid) -> bool) -> bool {
    // A process outside of our pid namespace is listed as 0, which is nobody of ours.
    let pid = |line| leading_number(line).and_then(|pid| Pid::try_from(pid).ok());
    let lines = processes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines.map(pid).all(|pid| pid.is_some_and(&ours))
}

fn children(group: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(group) else { return Vec::new() };
    entries
        .flatten()
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .take(DESCENDANTS_MAX + 1)
        .map(|entry| entry.path())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_hierarchy_with_the_memory_controller_is_found() {
        let check = |mounts: &str, want: Hierarchy| {
            assert_eq!(Hierarchy::from_mounts(mounts.as_bytes(), Path::new("/")), want);
        };
        let v2 = "cgroup2 /sys/fs/cgroup cgroup2 rw,nosuid 0 0\n";
        check(v2, Hierarchy::V2("/sys/fs/cgroup".into()));
        let hybrid = "cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\n\
                      cgroup /sys/fs/cgroup/cpu,cpuacct cgroup rw,cpu,cpuacct 0 0\n\
                      cgroup /sys/fs/cgroup/memory cgroup rw,relatime,memory 0 0\n";
        check(hybrid, Hierarchy::V1("/sys/fs/cgroup/memory".into()));
        check("cg /my\\040groups cgroup2 rw 0 0", Hierarchy::V2("/my groups".into()));
        check("proc /proc proc rw 0 0\nshort\n", Hierarchy::None);
    }

    #[test]
    fn the_root_and_what_lies_outside_are_nobodys_group() {
        let v2 = Hierarchy::V2("/cg".into());
        assert_eq!(v2.folder(b"0::/a.slice/b\n"), Some("/cg/a.slice/b".into()));
        assert_eq!(v2.folder(b"0::/\n"), None);
        assert_eq!(v2.folder(b"0::/../../other\n"), None);
        let v1 = Hierarchy::V1("/cg/memory".into());
        assert_eq!(v1.folder(b"3:cpu:/x\n4:memory:/orders\n"), Some("/cg/memory/orders".into()));
        assert_eq!(v1.folder(b"0::/orders\n"), None);
        assert_eq!(Hierarchy::None.folder(b"0::/a\n"), None);
    }

    #[test]
    fn a_group_with_a_foreign_process_anywhere_below_is_shared() {
        let group = tempfile::tempdir().unwrap();
        let inner = group.path().join("inner");
        std::fs::create_dir(&inner).unwrap();
        std::fs::write(group.path().join("cgroup.procs"), "10\n11\n").unwrap();
        assert!(!is_exclusive(group.path(), |_| true), "a group below cannot be read");
        std::fs::write(inner.join("cgroup.procs"), "").unwrap();
        assert!(is_exclusive(group.path(), |pid| pid <= 11));
        std::fs::write(inner.join("cgroup.procs"), "12\n").unwrap();
        assert!(!is_exclusive(group.path(), |pid| pid <= 11));
        std::fs::write(inner.join("cgroup.procs"), "0\n").unwrap();
        assert!(!is_exclusive(group.path(), |pid| [10, 11].contains(&pid)));
    }

    proptest! {
        #[test]
        fn no_text_stops_the_parsers(text in proptest::collection::vec(any::<u8>(), 0..300)) {
            Hierarchy::from_mounts(&text, Path::new("/"));
            let v1 = Hierarchy::V1("/cg".into());
            let folder = v1.folder(&text);
            prop_assert!(folder.is_none_or(|path| path.starts_with("/cg")));
            naming_group(&text);
        }
    }
}
