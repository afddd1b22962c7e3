//! Which strings of an HPROF dump are names, and what stands in the place of those that may not be
//! kept.
//!
//! A JVM writes its whole symbol table, literals of the source included; only what names a class, a
//! field, a method or a file is needed to read the dump. Used by redaction.

use std::collections::HashMap;

use super::Level;

/// Strings that name something, at most: each takes some 16 bytes here.
pub(super) const NAMES_MAX: usize = 1 << 23;

/// Packages of the platform, in the form of class files. Their names are the same in every program,
/// and readers need them: for weak references, threads and strings.
const PLATFORM: [&[u8]; 12] = [
    b"java/",
    b"javax/",
    b"jdk/",
    b"sun/",
    b"com/sun/",
    b"java.",
    b"javax.",
    b"jdk.",
    b"sun.",
    b"com.sun.",
    b"android.",
    b"dalvik.",
];

/// What is known of the strings by their ids.
#[derive(Debug, Default)]
pub(super) struct Names {
    used: HashMap<u64, Use>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Use {
    /// Names something of the program or the platform.
    named: bool,
    /// Names something of the platform.
    platform: bool,
    /// The text is the name of a class of the platform.
    platform_text: bool,
}

impl Names {
    /// A string names something; says whether there was room to remember it.
    pub(super) fn is_name(&mut self, id: u64, of_platform: bool) -> bool {
        let has_room = self.used.len() < NAMES_MAX;
        if has_room {
            let found = self.used.entry(id).or_default();
            found.named = true;
            found.platform |= of_platform;
        }
        has_room
    }

    /// A string was met whose text is that of a class of the platform.
    pub(super) fn meet(&mut self, id: u64, text: &[u8]) {
        if is_platform(text) && self.used.len() < NAMES_MAX {
            self.used.entry(id).or_default().platform_text = true;
        }
    }

    pub(super) fn is_platform_text(&self, id: u64) -> bool {
        self.used.get(&id).is_some_and(|found| found.platform_text)
    }

    /// Whether a string is known to be kept.
    pub(super) fn keeps(&self, id: u64, level: Level) -> bool {
        self.used.get(&id).is_some_and(|found| match level {
            Level::Values => found.named,
            Level::ValuesAndNames => found.platform,
        })
    }

    /// Makes of a text what may stand there, of the same length.
    pub(super) fn replace(&self, id: u64, text: &mut [u8]) -> Replaced {
        match self.used.get(&id) {
            Some(found) if found.named => {
                hide(id, text);
                Replaced::Name
            }
            Some(_) | None => {
                text.fill(0);
                Replaced::Value
            }
        }
    }
}

/// What a text was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Replaced {
    Name,
    Value,
}

/// A class of the platform, or an array of it or of primitives.
fn is_platform(name: &[u8]) -> bool {
    let dimensions = name.iter().take_while(|byte| **byte == b'[').count();
    let element = &name[dimensions..];
    let is_primitive_array = dimensions > 0 && element.len() == 1;
    let element =
        if dimensions > 0 { element.strip_prefix(b"L").unwrap_or(element) } else { element };
    is_primitive_array || PLATFORM.iter().any(|package| element.starts_with(package))
}

/// Writes a name over another that tells apart what was apart, as far as its length allows: an array
/// stays one, so that readers do not stumble.
fn hide(id: u64, text: &mut [u8]) {
    let brackets = text.iter().take_while(|byte| **byte == b'[').count();
    let is_object = brackets > 0 && text.get(brackets) == Some(&b'L') && text.ends_with(b";");
    let (begin, end) =
        if is_object { (brackets + 1, text.len() - 1) } else { (brackets, text.len()) };
    let Some(name) = text.get_mut(begin..end) else { return };
    let mut rest = id;
    for (place, byte) in name.iter_mut().rev().enumerate() {
        let digit = (rest % 16) as u8;
        rest /= 16;
        // Ids are addresses, of which 12 digits tell.
        *byte = if place < 12 { b'a' + digit } else { b'_' };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_the_platform_are_told_by_their_package() {
        for name in ["java/lang/String", "[Ljava/util/Map;", "[[I", "sun.misc.Unsafe"] {
            assert!(is_platform(name.as_bytes()), "{name}");
        }
        for name in ["com/shop/Store", "[Lcom/shop/Store;", "I", "", "[", "javalin/App", "[Shop"] {
            assert!(!is_platform(name.as_bytes()), "{name}");
        }
    }

    #[test]
    fn a_hidden_name_has_its_length_and_is_told_from_another() {
        let hidden = |id, text: &str| {
            let mut text = text.as_bytes().to_vec();
            hide(id, &mut text);
            String::from_utf8(text).unwrap()
        };
        assert_eq!(hidden(0x1234, "com/shop/Store"), "__aaaaaaaabcde");
        assert_ne!(hidden(0x1234, "com/shop/Store"), hidden(0x1235, "com/shop/Store"));
        assert_eq!(hidden(0x12, "[Lcom/Shop;"), "[Laaaaaabc;");
        assert_eq!(hidden(1, ""), "");
        assert_eq!(hidden(1, "[L;"), "[L;");
    }
}
