//! Where memory cgroups can be made, and where a process's own one is: read from
//! `/proc/PID/cgroup` and `/proc/self/mountinfo`, never guessed from usual paths.

use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

/// Which of the two kernel interfaces a group has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupVersion {
    V1,
    V2,
}

/// One existing memory cgroup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemoryGroup {
    pub version: GroupVersion,
    pub folder: PathBuf,
}

/// A folder of a memory hierarchy that may take groups of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) folder: PathBuf,
    pub(super) version: GroupVersion,
}

/// A mounted hierarchy that can hold memory groups.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Hierarchy {
    version: GroupVersion,
    /// The path inside the hierarchy that is mounted; `/` outside containers.
    root: PathBuf,
    mounted_at: PathBuf,
}

impl GroupVersion {
    pub const fn hard_limit_file(self) -> &'static str {
        match self {
            Self::V1 => "memory.limit_in_bytes",
            Self::V2 => "memory.max",
        }
    }

    /// What can be set under a lease: the kernel reclaims above it.
    pub const fn soft_limit_file(self) -> &'static str {
        match self {
            Self::V1 => "memory.soft_limit_in_bytes",
            Self::V2 => "memory.high",
        }
    }
}

impl MemoryGroup {
    pub(crate) fn procs_file(&self) -> PathBuf {
        self.folder.join("cgroup.procs")
    }

    pub fn soft_limit_file(&self) -> PathBuf {
        self.folder.join(self.version.soft_limit_file())
    }
}

impl Place {
    /// Version 2 hands controllers down one level at a time; version 1 has them everywhere.
    /// It is refused for a group that has processes itself, unless it is the root.
    pub(super) fn offer_memory_to_children(&self) -> io::Result<()> {
        match self.version {
            GroupVersion::V1 => Ok(()),
            GroupVersion::V2 => offer_v2(&self.folder),
        }
    }
}

fn offer_v2(folder: &Path) -> io::Result<()> {
    let controllers = fs::read_to_string(folder.join("cgroup.controllers"))?;
    let controllers = controllers.trim_end();
    if !controllers.split(' ').any(|name| name == "memory") {
        let found = if controllers.is_empty() { "none" } else { controllers };
        let text = format!("cgroup v2 without the memory controller (controllers: {found})");
        return Err(io::Error::other(text));
    }
    let offered = fs::read_to_string(folder.join("cgroup.subtree_control"))?;
    if offered.split_whitespace().any(|name| name == "memory") {
        return Ok(());
    }
    fs::write(folder.join("cgroup.subtree_control"), "+memory")
}

/// Own group first, then the root of the hierarchy; version 2 before version 1.
pub(super) fn places() -> io::Result<Vec<Place>> {
    let groups = fs::read_to_string("/proc/self/cgroup")?;
    let mut places = Vec::new();
    for hierarchy in hierarchies(&fs::read_to_string("/proc/self/mountinfo")?) {
        let version = hierarchy.version;
        let own = own_path(&groups, version).and_then(|path| hierarchy.folder(&path));
        for folder in own.into_iter().chain([hierarchy.mounted_at]) {
            let place = Place { folder, version };
            if !places.contains(&place) {
                places.push(place);
            }
        }
    }
    Ok(places)
}

/// The memory cgroup that a process is in; version 2 only when that group has a memory
/// controller. Blocking. The reason for None is in words, for a person.
pub fn memory_group_of(pid: u32) -> Result<MemoryGroup, String> {
    let read = |path: &str| fs::read_to_string(path).map_err(|error| format!("{path}: {error}"));
    let groups = read(&format!("/proc/{pid}/cgroup"))?;
    let mounts = read("/proc/self/mountinfo")?;
    for hierarchy in hierarchies(&mounts) {
        let version = hierarchy.version;
        let path = own_path(&groups, version);
        let Some(folder) = path.and_then(|path| hierarchy.folder(&path)) else { continue };
        if folder.join(version.soft_limit_file()).exists() {
            return Ok(MemoryGroup { version, folder });
        }
    }
    Err("its cgroup has no memory limits that can be set (it is in the root group, or no memory \
         controller is mounted)"
        .to_owned())
}

/// What stands where version 2's memory controller would be, for a person who expects it.
pub fn v2_found() -> String {
    let Ok(mounts) = fs::read_to_string("/proc/self/mountinfo") else {
        return "/proc/self/mountinfo cannot be read".to_owned();
    };
    let found = hierarchies(&mounts).into_iter().find(|at| at.version == GroupVersion::V2);
    let Some(hierarchy) = found else { return "no cgroup v2 hierarchy is mounted".to_owned() };
    let file = hierarchy.mounted_at.join("cgroup.controllers");
    match fs::read_to_string(&file).as_deref().map(str::trim_end) {
        Ok("") => format!("{} names no controller", file.display()),
        Ok(controllers) => format!("{} names only `{controllers}`", file.display()),
        Err(error) => format!("{}: {error}", file.display()),
    }
}

impl Hierarchy {
    /// Where a group's path stands in the file system; None when it lies outside what is mounted.
    fn folder(&self, group: &Path) -> Option<PathBuf> {
        let inside = group.strip_prefix(&self.root).ok()?;
        if inside.components().any(|part| part == Component::ParentDir) {
            return None;
        }
        let folder = self.mounted_at.join(inside);
        folder.is_dir().then_some(folder)
    }
}

/// The group's path of `version` in the text of `/proc/PID/cgroup`.
fn own_path(groups: &str, version: GroupVersion) -> Option<PathBuf> {
    groups.lines().find_map(|line| {
        let mut fields = line.splitn(3, ':');
        let (_number, controllers, path) = (fields.next()?, fields.next()?, fields.next()?);
        let found = match version {
            GroupVersion::V1 => controllers.split(',').any(|name| name == "memory"),
            GroupVersion::V2 => controllers.is_empty(),
        };
        found.then(|| PathBuf::from(path))
    })
}

/// Version 2 first.
fn hierarchies(mounts: &str) -> Vec<Hierarchy> {
    let all = mounts.lines().filter_map(hierarchy);
    let (mut found, v1): (Vec<_>, Vec<_>) = all.partition(|at| at.version == GroupVersion::V2);
    found.extend(v1);
    found
}

fn hierarchy(mount: &str) -> Option<Hierarchy> {
    let (place, kind) = mount.split_once(" - ")?;
    let mut place = place.split(' ').skip(3);
    let (root, mounted_at) = (unescape(place.next()?), unescape(place.next()?));
    let mut kind = kind.split(' ');
    let (filesystem, options) = (kind.next()?, kind.nth(1)?);
    let version = match filesystem {
        "cgroup2" => GroupVersion::V2,
        "cgroup" if options.split(',').any(|name| name == "memory") => GroupVersion::V1,
        _ => return None,
    };
    Some(Hierarchy { version, root, mounted_at })
}

/// The mount table writes blanks and backslashes as three octal digits.
fn unescape(path: &str) -> PathBuf {
    path.replace("\\040", " ").replace("\\011", "\t").replace("\\134", "\\").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = "\
25 1 0:5 / /dev rw - devtmpfs dev rw
35 31 0:32 /pod7 /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime shared:4 - cgroup cgroup rw,cpu
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
";

    #[test]
    fn hierarchies_come_from_the_mount_table_version_2_first() {
        let found: Vec<_> = hierarchies(MOUNTS)
            .into_iter()
            .map(|at| (at.version, at.root, at.mounted_at))
            .collect();
        let want = [
            (GroupVersion::V2, "/".into(), "/sys/fs/cgroup/unified".into()),
            (GroupVersion::V1, "/pod7".into(), "/sys/fs/cgroup/memory".into()),
        ];
        assert_eq!(found, want);
    }

    #[test]
    fn the_own_group_is_found_by_controller() {
        let groups = "5:devices:/\n4:cpu,memory:/a:b/c\n0::/user.slice\n";
        let check = |version, want: &str| {
            assert_eq!(own_path(groups, version), Some(PathBuf::from(want)));
        };
        check(GroupVersion::V1, "/a:b/c");
        check(GroupVersion::V2, "/user.slice");
        assert_eq!(own_path("5:devices:/\n", GroupVersion::V1), None);
    }

    #[test]
    fn version_2_hands_the_memory_controller_down_where_it_has_it() {
        let folder = tempfile::tempdir().unwrap();
        let place = Place { folder: folder.path().to_owned(), version: GroupVersion::V2 };
        let control = folder.path().join("cgroup.subtree_control");
        let check = |controllers: &str, offered: &str, want: Result<&str, &str>| {
            fs::write(folder.path().join("cgroup.controllers"), controllers).unwrap();
            fs::write(&control, offered).unwrap();
            let done = place.offer_memory_to_children().map_err(|error| error.to_string());
            match want {
                Ok(text) => assert_eq!(fs::read_to_string(&control).unwrap(), text),
                Err(why) => assert!(done.unwrap_err().contains(why)),
            }
        };
        check("cpu memory pids\n", "", Ok("+memory"));
        check("cpu memory pids\n", "memory\n", Ok("memory\n"));
        check("hugetlb\n", "", Err("without the memory controller (controllers: hugetlb)"));
        check("\n", "", Err("controllers: none"));
    }

    #[test]
    fn a_group_outside_of_what_is_mounted_has_no_folder() {
        let mounted = tempfile::tempdir().unwrap();
        fs::create_dir(mounted.path().join("a")).unwrap();
        let hierarchy = Hierarchy {
            version: GroupVersion::V2,
            root: "/pod7".into(),
            mounted_at: mounted.path().to_owned(),
        };
        let folder = |group: &str| hierarchy.folder(Path::new(group));
        assert_eq!(folder("/pod7/a"), Some(mounted.path().join("a")));
        assert_eq!(folder("/pod7/b"), None);
        assert_eq!(folder("/pod8/a"), None);
        assert_eq!(folder("/pod7/../a"), None);
    }
}
