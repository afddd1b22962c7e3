//! Which signature a line of a log has, by the texts of `signatures.toml`.
//!
//! Not here: when and where the line was said (`logs`), kills by the kernel (`kernel`), and what a
//! signature weighs.

use plimsoll_model::Signature;
use serde::Deserialize;

const BUILT_IN: &str = include_str!("../signatures.toml");

/// The form of the file that is read.
const VERSION: u32 = 1;

/// A shorter text would stand in ordinary sentences.
const TEXT_BYTES_MIN: usize = 6;

/// Why a file of signatures cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SignaturesError {
    #[error("the signatures are not in their form")]
    Unreadable(#[source] Box<toml::de::Error>),
    #[error("the signatures are of version {0}, and this program reads {VERSION}")]
    Version(u32),
    #[error("`{0}` is not a signature; see docs/formats/logs.md for those that are")]
    Unknown(String),
    #[error("the text `{0}` has less than {TEXT_BYTES_MIN} bytes, and would be found everywhere")]
    TooShort(String),
}

/// The texts, in the order in which they are looked for.
#[derive(Clone, Debug)]
pub struct Signatures {
    texts: Vec<(String, Signature)>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: u32,
    signature: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    texts: Vec<String>,
}

impl Signatures {
    /// Those that Plimsoll knows by itself.
    pub fn built_in() -> Self {
        Self::parse(BUILT_IN).expect("the built-in signatures are valid: a test reads them")
    }

    fn parse(text: &str) -> Result<Self, SignaturesError> {
        let unreadable = |error| SignaturesError::Unreadable(Box::new(error));
        let File { version, signature } = toml::from_str(text).map_err(unreadable)?;
        if version != VERSION {
            return Err(SignaturesError::Version(version));
        }
        let mut all = Vec::new();
        for Entry { name, texts } in signature {
            let known: Signature =
                name.parse().map_err(|_| SignaturesError::Unknown(name.clone()))?;
            for text in texts {
                if text.len() < TEXT_BYTES_MIN {
                    return Err(SignaturesError::TooShort(text));
                }
                all.push((text, known));
            }
        }
        Ok(Self { texts: all })
    }

    /// Cost: one search of the line for each text.
    pub fn of(&self, line: &str) -> Option<Signature> {
        self.texts.iter().find(|(text, _)| line.contains(text.as_str())).map(|(_, known)| *known)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_programs_say_is_known_and_what_speaks_of_it_is_not() {
        let signatures = Signatures::built_in();
        let check = |line: &str, want: Option<Signature>| {
            assert_eq!(signatures.of(line), want, "{line}");
        };
        let heap = Some(Signature::HeapFull);
        check("Exception in thread \"a\" java.lang.OutOfMemoryError: Java heap space", heap);
        check("java.lang.OutOfMemoryError: GC overhead limit exceeded", heap);
        check(
            "FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory",
            heap,
        );
        check("Caused by: java.lang.OutOfMemoryError: Metaspace", Some(Signature::ClassSpaceFull));
        check(
            "java.lang.OutOfMemoryError: unable to create native thread: possibly out of memory",
            Some(Signature::NoMoreThreads),
        );
        check(
            "i.n.u.ResourceLeakDetector: LEAK: ByteBuf.release() was not called before it's \
             garbage-collected.",
            Some(Signature::BufferLeak),
        );
        check(
            "HikariPool-1 - Apparent connection leak detected, for connection org.postgresql.x",
            Some(Signature::PoolLeak),
        );
        check(
            "a.py:3: ResourceWarning: unclosed file <_io.TextIOWrapper name='x'>",
            Some(Signature::ResourceUnclosed),
        );
        check(
            "(node:1) MaxListenersExceededWarning: Possible EventEmitter memory leak detected.",
            Some(Signature::ListenersExceeded),
        );
        check("open /x: too many open files", Some(Signature::TooManyFiles));
        check("accept: Too many open files (os error 24)", Some(Signature::TooManyFiles));
        check("-XX:+ExitOnOutOfMemoryError was given", None);
        check("no leak was found, memory is fine", None);
    }

    #[test]
    fn a_file_of_another_version_or_with_another_name_is_refused() {
        let check = |text: &str| Signatures::parse(text).unwrap_err().to_string();
        assert!(check("version = 2\nsignature = []").contains("version 2"));
        let entry = |name: &str, text: &str| {
            format!("version = 1\n[[signature]]\nname = \"{name}\"\ntexts = [\"{text}\"]")
        };
        assert!(check(&entry("party", "something")).contains("`party`"));
        assert!(check(&entry("heap_full", "oom")).contains("`oom`"));
        assert!(check("nonsense").contains("form"));
    }
}
