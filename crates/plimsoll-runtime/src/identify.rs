//! Which language runtime a process is, and how that is known.
//!
//! Not here: asking the runtime anything. Reads three files in `/proc`, once for each process.

use std::fmt;
use std::path::Path;

use crate::cpython;
use crate::process::ProcessFiles;

/// How much of a program's file is searched for the mark of Go. It is in the first page of
/// programs that Go links itself, and within the first pages of those that the system's linker
/// links.
const PROGRAM_BYTES_SEARCHED: u64 = 64 << 10;

/// A language runtime.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RuntimeKind {
    Jvm,
    Node,
    CPython,
    Go,
    /// None of the others.
    Native,
    /// The process could not be looked at.
    Unknown,
}

impl fmt::Display for RuntimeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Jvm => "JVM",
            Self::Node => "Node.js",
            Self::CPython => "CPython",
            Self::Go => "Go",
            Self::Native => "native",
            Self::Unknown => "unknown",
        })
    }
}

/// A runtime, and what it was recognised by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    pub kind: RuntimeKind,
    pub reason: String,
}

/// Looks at the program and the libraries of a process. A process that loads two runtimes is the
/// one whose heap is managed: a Python inside a JVM is a JVM.
pub fn identify(proc_root: &Path, pid: u32) -> Identity {
    let process = ProcessFiles::new(proc_root, pid);
    let program = match process.program() {
        Ok(program) => program,
        Err(error) => {
            let reason = format!("the program of process {pid} cannot be read ({error})");
            return Identity { kind: RuntimeKind::Unknown, reason };
        }
    };
    let maps = process.text("maps").unwrap_or_default();
    if let Some(identity) = by_name_and_maps(&program, &maps) {
        return identity;
    }
    match process.head("exe", PROGRAM_BYTES_SEARCHED) {
        Ok(head) if has_go_note(&head) => {
            known(RuntimeKind::Go, format!("program `{program}` has the build note of Go"))
        }
        Ok(_) => known(RuntimeKind::Native, format!("program `{program}` maps no known runtime")),
        Err(error) => {
            known(RuntimeKind::Unknown, format!("program `{program}` cannot be read ({error})"))
        }
    }
}

fn known(kind: RuntimeKind, reason: String) -> Identity {
    Identity { kind, reason }
}

fn by_name_and_maps(program: &str, maps: &str) -> Option<Identity> {
    let maps_file = |file: &str| maps.lines().any(|line| line.contains(file));
    if maps_file("/libjvm.so") || maps_file("/hsperfdata_") {
        return Some(known(RuntimeKind::Jvm, format!("program `{program}` maps HotSpot")));
    }
    if maps_file("/libj9vm") {
        let reason = format!("program `{program}` maps OpenJ9, which cannot be asked");
        return Some(known(RuntimeKind::Jvm, reason));
    }
    if maps_file("/libnode.so") {
        return Some(known(RuntimeKind::Node, format!("program `{program}` maps libnode")));
    }
    if let Some(python) = cpython::detect(program, maps) {
        return Some(known(RuntimeKind::CPython, format!("program `{program}` is {python}")));
    }
    let named = match program {
        "node" | "nodejs" => RuntimeKind::Node,
        "java" => RuntimeKind::Jvm,
        _ => return None,
    };
    Some(known(named, format!("the program is called `{program}`")))
}

/// The ELF note that every Go linker writes: name `Go`, type 4, its build id.
fn has_go_note(head: &[u8]) -> bool {
    const NAME_SIZE: [u8; 4] = [4, 0, 0, 0];
    const TYPE_AND_NAME: &[u8] = b"\x04\0\0\0Go\0\0";
    head.windows(16).any(|note| note[..4] == NAME_SIZE && note[8..] == *TYPE_AND_NAME)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runtimes_are_known_by_what_they_map_before_what_they_are_called() {
        let check = |program: &str, maps: &str, want: Option<RuntimeKind>| {
            let found = by_name_and_maps(program, maps);
            assert_eq!(found.map(|identity| identity.kind), want, "{program}");
        };
        let hotspot = "7f r-xp 00 fe:00 3 /usr/lib/jvm/lib/server/libjvm.so\n";
        check("java", hotspot, Some(RuntimeKind::Jvm));
        check("orders-launcher", hotspot, Some(RuntimeKind::Jvm));
        check("java", "", Some(RuntimeKind::Jvm));
        check("node", "", Some(RuntimeKind::Node));
        check("electron", "7f 00 /opt/libnode.so.108\n", Some(RuntimeKind::Node));
        check("python3.11", "", Some(RuntimeKind::CPython));
        check("node_exporter", "", None);
        check("javac-wrapper", "", None);
    }

    #[test]
    fn the_note_of_go_is_found_wherever_it_lies() {
        let mut program = vec![0x7f; 3000];
        assert!(!has_go_note(&program));
        program.extend(b"\x04\0\0\0\x53\0\0\0\x04\0\0\0Go\0\0abc");
        assert!(has_go_note(&program));
        assert!(!has_go_note(b"\x04\0\0\0\x53\0\0\0\x05\0\0\0Go\0\0"));
        assert!(!has_go_note(b""));
    }

    #[test]
    fn this_test_is_native_and_a_process_that_is_not_there_is_unknown() {
        let own = identify(Path::new("/proc"), std::process::id());
        assert_eq!(own.kind, RuntimeKind::Native, "{}", own.reason);
        let none = identify(Path::new("/proc"), u32::MAX);
        assert_eq!(none.kind, RuntimeKind::Unknown);
        assert!(none.reason.contains("cannot be read"), "{}", none.reason);
    }
}
