//! Which process is meant: by its id, or as the one of a container.

use std::path::Path;

use plimsoll_runtime::container::{ContainerId, processes_of};
use plimsoll_runtime::{RuntimeKind, identify};

use crate::exit::Failure;

/// Most digits of a process id: the kernel's limit is 4 194 304. Longer digits are a container's.
const PID_DIGITS_MAX: usize = 7;

/// Most processes that an error names.
const NAMED_MAX: usize = 8;

#[derive(Debug, thiserror::Error)]
#[error("container {id} runs several programs ({named}); name the process instead")]
struct SeveralPrograms {
    id: String,
    named: String,
}

pub(crate) fn find(proc_root: &Path, text: &str) -> Result<u32, Failure> {
    let is_pid = text.len() <= PID_DIGITS_MAX && text.bytes().all(|byte| byte.is_ascii_digit());
    if let Some(pid) = text.parse().ok().filter(|_| is_pid) {
        return Ok(pid);
    }
    let id = ContainerId::new(text).map_err(Failure::bad_input)?;
    let processes = processes_of(proc_root, &id).map_err(Failure::bad_input)?;
    let kinds: Vec<(u32, RuntimeKind)> =
        processes.into_iter().map(|pid| (pid, identify(proc_root, pid).kind)).collect();
    choose(&kinds)
        .map_err(|named| Failure::bad_input(SeveralPrograms { id: text.to_owned(), named }))
}

/// The only process with a managed heap, whatever shells and proxies stand beside it; else the
/// only process.
fn choose(processes: &[(u32, RuntimeKind)]) -> Result<u32, String> {
    let is_managed = |kind: RuntimeKind| match kind {
        RuntimeKind::Jvm | RuntimeKind::Node | RuntimeKind::CPython | RuntimeKind::Go => true,
        RuntimeKind::Native | RuntimeKind::Unknown => false,
    };
    let managed: Vec<_> = processes.iter().filter(|(_, kind)| is_managed(*kind)).collect();
    match (managed.as_slice(), processes) {
        ([(pid, _)], _) | ([], [(pid, _)]) => Ok(*pid),
        (several, all) => {
            let several: Vec<_> = if several.is_empty() { all.iter().collect() } else { managed };
            let named = several.iter().take(NAMED_MAX);
            let named: Vec<String> = named.map(|(pid, kind)| format!("{pid}: {kind}")).collect();
            Err(named.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_of_a_container_is_told_from_what_stands_beside_it() {
        let check = |processes: &[(u32, RuntimeKind)], want: Result<u32, &str>| {
            assert_eq!(choose(processes), want.map_err(str::to_owned));
        };
        check(&[(7, RuntimeKind::Native), (9, RuntimeKind::Jvm)], Ok(9));
        check(&[(7, RuntimeKind::Native)], Ok(7));
        check(&[(7, RuntimeKind::Go), (9, RuntimeKind::Jvm)], Err("7: Go, 9: JVM"));
        check(&[(7, RuntimeKind::Native), (8, RuntimeKind::Native)], Err("7: native, 8: native"));
    }

    #[test]
    fn digits_are_a_process_until_they_are_too_long_for_one() {
        assert_eq!(find(Path::new("/nowhere"), "4242").unwrap(), 4242);
        assert!(find(Path::new("/nowhere"), "424242424242").is_err());
        let error = find(Path::new("/proc"), "orders-0").unwrap_err();
        assert!(error.to_string().contains("is no container id"), "{error}");
    }
}
