//! Which processes a container has, by the control groups that they are in.
//!
//! Container runtimes write the id of a container into the names of its groups, each in a way of
//! its own; asking the runtime instead would need its socket, which is as much as root. Not here:
//! what the processes are (`identify`). Used by `capture`.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use thiserror::Error;

use crate::process::ProcessFiles;

/// Digits of an id in full: a SHA-256.
const ID_DIGITS: usize = 64;

/// Fewest digits that may stand for one: `docker ps` prints 12, and fewer than 6 are more likely
/// a mistake.
const SHORT_DIGITS_MIN: usize = 6;

/// Most processes that are looked at. Machines have some thousand.
const PROCESSES_MAX: usize = 100_000;

/// Most container ids that an error names.
const NAMED_MAX: usize = 4;

/// What stands before an id in the name of a group that systemd made. `crio-conmon-` and
/// `libpod-conmon-` are missing on purpose: that is the monitor of a container, outside of it.
const PREFIXES: [&str; 5] = ["docker-", "cri-containerd-", "crio-", "libpod-", "nerdctl-"];

/// The id of a container, or the start of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerId(String);

/// Why there is no container to look at.
#[derive(Debug, Error)]
pub enum ContainerError {
    #[error(
        "`{text}` is no container id, which has {SHORT_DIGITS_MIN} to {ID_DIGITS} digits from 0 \
         to f; name a process id or what `docker ps` or `crictl ps` prints"
    )]
    NotAnId { text: String },
    #[error("could not list the processes of this machine")]
    Processes(#[source] io::Error),
    #[error(
        "no process is in a control group of container {id}; is it running on this machine, and \
         does this program see the processes of the machine?"
    )]
    NotFound { id: String },
    #[error("`{id}` is the start of several ids ({candidates}); write more of it")]
    Ambiguous { id: String, candidates: String },
}

impl ContainerId {
    /// # Errors
    /// When it has other characters than hexadecimal digits, or too few of them.
    pub fn new(text: &str) -> Result<Self, ContainerError> {
        let is_id = (SHORT_DIGITS_MIN..=ID_DIGITS).contains(&text.len()) && is_hex(text);
        let not_an_id =
            || ContainerError::NotAnId { text: text.chars().take(ID_DIGITS + 10).collect() };
        is_id.then(|| Self(text.to_ascii_lowercase())).ok_or_else(not_an_id)
    }
}

/// The processes of a container, lowest id first, which is most often the one started first.
///
/// # Errors
/// When no container, or more than one, has an id that starts so.
pub fn processes_of(proc_root: &Path, id: &ContainerId) -> Result<Vec<u32>, ContainerError> {
    let mut found: BTreeMap<String, Vec<u32>> = BTreeMap::new();
    for pid in processes(proc_root).map_err(ContainerError::Processes)? {
        // Processes end while they are listed.
        let Ok(membership) = ProcessFiles::new(proc_root, pid).text("cgroup") else { continue };
        if let Some(container) = container_of(&membership).filter(|full| full.starts_with(&id.0)) {
            found.entry(container.to_owned()).or_default().push(pid);
        }
    }
    let id = id.0.clone();
    if found.len() > 1 {
        let named: Vec<&str> = found.keys().take(NAMED_MAX).map(|full| &full[..12]).collect();
        return Err(ContainerError::Ambiguous { id, candidates: named.join(", ") });
    }
    let mut pids = found.into_values().next().ok_or(ContainerError::NotFound { id })?;
    pids.sort_unstable();
    Ok(pids)
}

fn processes(proc_root: &Path) -> io::Result<Vec<u32>> {
    let entries = std::fs::read_dir(proc_root)?.take(PROCESSES_MAX).flatten();
    Ok(entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect())
}

/// The container that a `/proc/<pid>/cgroup` tells of: the innermost, where one runs in another.
pub fn container_of(membership: &str) -> Option<&str> {
    let groups = membership.lines().filter_map(|line| line.splitn(3, ':').nth(2));
    // A process is in one group of each hierarchy; one outside of the container's says less.
    groups.filter_map(innermost).max_by_key(|(depth, _)| *depth).map(|(_, id)| id)
}

fn innermost(group: &str) -> Option<(usize, &str)> {
    group.split('/').enumerate().filter_map(|(depth, part)| Some((depth, id_in(part)?))).last()
}

/// `<id>`, `docker-<id>.scope`, and `kubepods-pod<uid>.slice:cri-containerd:<id>`.
fn id_in(part: &str) -> Option<&str> {
    let part = part.strip_suffix(".scope").unwrap_or(part);
    let part = part.rsplit_once(':').map_or(part, |(_, last)| last);
    let id = PREFIXES.iter().find_map(|prefix| part.strip_prefix(prefix)).unwrap_or(part);
    (id.len() == ID_DIGITS && is_hex(id)).then_some(id)
}

fn is_hex(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "0af1c2d3e4f5061728394a5b6c7d8e9f0af1c2d3e4f5061728394a5b6c7d8e9f";
    const B: &str = "0af1c2ffffffffffffffffffffffffffffffffffffffffffffffffffffffffff";

    #[test]
    fn the_id_is_found_in_the_group_of_every_container_runtime() {
        let check = |form: &str| {
            let text = form.replace("ID", A);
            assert_eq!(container_of(&text), Some(A), "{form}");
        };
        check("12:memory:/docker/ID\n1:name=systemd:/docker/ID\n0::/\n");
        check("0::/system.slice/docker-ID.scope\n");
        check("4:memory:/kubepods/burstable/pod6c8e1f3a-0000-4000-8000-aabbccddeeff/ID\n");
        check("0::/kubepods.slice/kubepods-pod6c8e.slice/cri-containerd-ID.scope\n");
        check("0::/kubepods.slice/kubepods-besteffort.slice/crio-ID.scope/container\n");
        check("0::/machine.slice/libpod-ID.scope/container\n");
        check("0::/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-ID.scope\n");
        check("5:memory:/system.slice/containerd.service/kubepods-pod1.slice:cri-containerd:ID\n");
        check("0::/default/ID\n");
        check("0::/system.slice/nerdctl-ID.scope\n");
        check("3:memory:/docker/ID\n0::/system.slice/containerd.service\n");
        check(&format!("0::/docker/{B}/docker/ID\n"));
    }

    #[test]
    fn what_watches_a_container_from_outside_is_not_in_it() {
        for form in [
            "0::/machine.slice/libpod-conmon-ID.scope\n",
            "0::/kubepods.slice/crio-conmon-ID.scope\n",
            "0::/user.slice/session-1.scope\n",
            "0::/docker/IDff\n",
            "garbage\n::\n",
            "",
        ] {
            assert_eq!(container_of(&form.replace("ID", A)), None, "{form}");
        }
    }

    #[test]
    fn an_id_is_hexadecimal_and_not_too_short() {
        for text in ["", "abc", "0af1c", "orders-0", "../../etc", &"a".repeat(65)] {
            assert!(ContainerId::new(text).is_err(), "{text}");
        }
        assert_eq!(ContainerId::new("0AF1C2").unwrap(), ContainerId("0af1c2".to_owned()));
    }

    #[test]
    fn the_start_of_an_id_is_enough_until_it_fits_two_containers() {
        let root = tempfile::tempdir().unwrap();
        for (pid, id) in [(70, A), (9, A), (80, B), (81, "x")] {
            let folder = root.path().join(pid.to_string());
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(folder.join("cgroup"), format!("0::/docker/{id}\n")).unwrap();
        }
        let of = |text: &str| processes_of(root.path(), &ContainerId::new(text).unwrap());
        assert_eq!(of(&A[..12]).unwrap(), [9, 70]);
        assert_eq!(of(B).unwrap(), [80]);
        let error = of("0af1c2").unwrap_err();
        assert!(matches!(&error, ContainerError::Ambiguous { candidates, .. }
            if candidates.contains(&A[..12]) && candidates.contains(&B[..12])));
        assert!(matches!(of("123456").unwrap_err(), ContainerError::NotFound { .. }));
    }
}
