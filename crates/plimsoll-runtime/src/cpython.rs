//! What can be told of a CPython process from outside: that it is one, and its version.
//!
//! Not here, because it cannot be had without code inside the process: object counts, the sizes of
//! its heap, and the cycles that its collector cannot free. 3.14 and later take code from outside
//! (`sys.remote_exec`, PEP 768); before, the service has to load a module itself. Until then the
//! figures of the process (`plimsoll-agent`) are all there is.

use std::fmt;

/// What nobody can see of a CPython process from outside, to be said wherever it is diagnosed.
pub const UNSEEN: &str = "counts and sizes of Python objects, the live set, uncollectable cycles, \
                          and which code allocates; only the memory of the whole process is seen";

/// The first version that takes code from outside.
const REMOTE_EXEC_SINCE: (u16, u16) = (3, 14);

/// A CPython process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CPython {
    /// Major and minor; `None` when neither program nor libraries name it.
    pub version: Option<(u16, u16)>,
}

impl CPython {
    /// Whether this version can take code from outside. It may still be switched off.
    pub fn has_remote_exec(&self) -> bool {
        self.version.is_some_and(|version| version >= REMOTE_EXEC_SINCE)
    }
}

impl fmt::Display for CPython {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.version {
            Some((major, minor)) => write!(f, "CPython {major}.{minor}"),
            None => f.write_str("CPython of unknown version"),
        }
    }
}

/// Looks at the name of the program, and at the files that it has mapped. PyPy, which has neither
/// the name nor the library, is not CPython.
pub fn detect(program: &str, maps: &str) -> Option<CPython> {
    let library = maps.lines().find_map(library_version);
    let by_name = program.strip_prefix("python").filter(|rest| is_version_or_empty(rest));
    match (library, by_name) {
        (Some(version), _) => Some(CPython { version: Some(version) }),
        (None, Some(rest)) => {
            let version = version(rest).or_else(|| maps.lines().find_map(standard_library));
            Some(CPython { version })
        }
        (None, None) => None,
    }
}

fn is_version_or_empty(rest: &str) -> bool {
    rest.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
}

/// `3.11` from `3.11`, `3.11.so.1.0` or `3.13/lib-dynload`.
fn version(text: &str) -> Option<(u16, u16)> {
    let (major, rest) = text.split_once('.')?;
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    Some((major.parse().ok()?, rest[..digits].parse().ok()?))
}

/// A mapping of `libpython3.11.so.1.0`.
fn library_version(line: &str) -> Option<(u16, u16)> {
    let (_, name) = line.rsplit_once("/libpython")?;
    version(name)
}

/// A mapping of an extension module, below `/lib/python3.11/`.
fn standard_library(line: &str) -> Option<(u16, u16)> {
    let (_, rest) = line.split_once("/lib/python")?;
    version(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_comes_from_the_name_or_from_what_is_mapped() {
        let check = |program: &str, maps: &str, want: Option<Option<(u16, u16)>>| {
            assert_eq!(detect(program, maps).map(|found| found.version), want, "{program}");
        };
        check("python3.11", "", Some(Some((3, 11))));
        check("python3", "7f r-xp 0 /usr/lib/libpython3.13.so.1.0\n", Some(Some((3, 13))));
        check("uwsgi", "7f r-xp 0 /usr/lib/libpython3.9.so.1.0\n", Some(Some((3, 9))));
        check("python", "7f /opt/lib/python3.12/lib-dynload/_json.so\n", Some(Some((3, 12))));
        check("python3", "", Some(None));
        check("python-build", "", None);
        check("pypy3.10", "7f /usr/lib/libpypy3.10-c.so\n", None);
        check("cat", "7f /usr/share/lib/python3.12/x.so\n", None);
    }

    #[test]
    fn code_from_outside_is_known_from_3_14() {
        let at = |version| CPython { version }.has_remote_exec();
        assert!(at(Some((3, 14))) && !at(Some((3, 13))) && !at(None));
    }
}
