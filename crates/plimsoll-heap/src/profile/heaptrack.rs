//! heaptrack's data file: as its preload library writes it (raw), and as `heaptrack_interpret`
//! rewrites it, with names.
//!
//! Not here: unpacking (`unpack`). The file is a record of every allocation, so it is exact, and is
//! read twice: what each stack held at the peak can be told only when the peak is known.

mod costs;
mod stacks;

use thiserror::Error;

use super::Profile;
use super::build::Full;
use costs::Costs;
use stacks::Stacks;

/// The newest form of the file that is known (`v` line, second number): heaptrack 1.2 to 1.5.
const FILE_VERSION_MAX: u64 = 3;
/// Entries of one table: strings, addresses, stacks, kinds of allocation. heaptrack numbers a few
/// million stacks in a day of a large program; an entry takes 4 to 32 bytes.
const TABLE_MAX: usize = 8 << 20;

/// Why a file is not one of heaptrack that can be read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum HeaptrackError {
    #[error("line 1 is not heaptrack's `v VERSION FORMAT`, in hexadecimal digits: `{head}`")]
    Head { head: String },
    #[error(
        "the file has form {found} and the newest that is read is {FILE_VERSION_MAX}: it was \
         written by a newer heaptrack; print it with `heaptrack_print`"
    )]
    Version { found: u64 },
    #[error("line {line} is not what its first letter says: `{text}`")]
    Line { line: usize, text: String },
    #[error("line {line} names {what} {index}, which does not stand above it")]
    Missing { line: usize, what: &'static str, index: u64 },
    #[error("line {line} is one too many")]
    Full {
        line: usize,
        #[source]
        source: Full,
    },
}

/// Whether the first bytes are the head of such a file.
pub(crate) fn begins(bytes: &[u8]) -> bool {
    let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    std::str::from_utf8(line).is_ok_and(|line| version(line).is_some())
}

/// `v 10400 3`: heaptrack's own version, and that of the file.
fn version(line: &str) -> Option<u64> {
    let mut words = line.strip_prefix("v ")?.split(' ');
    words.next().and_then(hex)?;
    let version = words.next().map_or(Some(0), hex);
    version.filter(|_| words.next().is_none())
}

fn hex(word: &str) -> Option<u64> {
    u64::from_str_radix(word, 16).ok()
}

pub(super) fn read(text: &str) -> Result<Profile, HeaptrackError> {
    let first = text.lines().next().unwrap_or_default();
    let Some(version) = version(first) else {
        return Err(HeaptrackError::Head { head: first.chars().take(80).collect() });
    };
    if version > FILE_VERSION_MAX {
        return Err(HeaptrackError::Version { found: version });
    }
    // A line without its end was being written, and its numbers may lack digits.
    let whole = text.rfind('\n').map_or("", |end| &text[..=end]);
    let peak = Costs::read(whole, None)?.peak_bytes;
    let costs = Costs::read(whole, Some(peak))?;
    let mut profile = Stacks::read(whole, version, costs)?;
    profile.complete = whole.len() == text.len();
    Ok(profile)
}

fn unreadable(line: usize, text: &str) -> HeaptrackError {
    HeaptrackError::Line { line, text: text.chars().take(80).collect() }
}

fn numbers<const N: usize>(words: &str) -> Option<[u64; N]> {
    let mut found = [0; N];
    let mut words = words.split(' ');
    for number in &mut found {
        *number = hex(words.next()?)?;
    }
    words.next().is_none().then_some(found)
}

fn within<T>(
    table: &mut Vec<T>,
    entry: T,
    what: &'static str,
    line: usize,
) -> Result<(), HeaptrackError> {
    if table.len() >= TABLE_MAX {
        return Err(HeaptrackError::Full { line, source: Full { what, max: TABLE_MAX } });
    }
    table.push(entry);
    Ok(())
}

fn full(line: usize) -> impl Fn(Full) -> HeaptrackError {
    move |source| HeaptrackError::Full { line, source }
}

#[cfg(test)]
mod tests {
    use super::super::Measure;
    use super::*;

    const INTERPRETED: &str = "v 10400 3\nX ./leak\ns 6 a/leak\ns 4 main\ns 6 leak.c\ns 4 leak\n\
        i 55f5 1 2 3 6\nt 1 0\ni 55f6 1 4 3 3\nt 2 1\na 64 2\n+ 0\n+ 0\n- 0\na 10 1\n+ 1\nc 5\n";
    const RAW: &str = "v 10400 3\nx 6 a/leak\nm 1 -\nm 1 x 1000 0 100 200 100\nt 1050 0\n\
        t 1250 1\n+ 64 2 f0\n+ 64 2 f8\n- f0\n+ 10 1 f0\n- 77\n";

    fn columns(profile: &Profile) -> [i64; 4] {
        [Measure::InuseSpace, Measure::AllocSpace, Measure::PeakSpace, Measure::PeakObjects]
            .map(|measure| profile.total(measure).unwrap())
    }

    #[test]
    fn both_forms_tell_what_is_held_and_what_was_at_the_peak() {
        let named = read(INTERPRETED).unwrap();
        assert_eq!(columns(&named), [0x64 + 0x10, 0xc8 + 0x10, 0xc8, 2]);
        let names: Vec<_> =
            named.stack(0).map(|frame| (frame.function.unwrap(), frame.line)).collect();
        assert_eq!(names, [("leak", 3), ("main", 6)]);
        let raw = read(RAW).unwrap();
        assert_eq!(columns(&raw), columns(&named));
        let places: Vec<_> =
            raw.stack(1).map(|frame| (frame.module.unwrap(), frame.address)).collect();
        assert_eq!(places, [("a/leak", 0x24f), ("a/leak", 0x4f)]);
        assert_eq!((named.rejected, raw.rejected), (0, 1), "a free of what was never allocated");
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        let check = |text: &str, want: &str| assert_eq!(read(text).unwrap_err().to_string(), want);
        let head = "line 1 is not heaptrack's `v VERSION FORMAT`, in hexadecimal digits: `v x`";
        check("v x\n", head);
        check(
            "v 1 3\n+ 5\n",
            "line 2 names the kind of allocation 5, which does not stand above it",
        );
        check(
            "v 1 3\nt 1 0\n+ 0\n",
            "line 3 names the kind of allocation 0, which does not stand above it",
        );
        check("v 1 3\na 1 1\n+ zz\n", "line 3 is not what its first letter says: `+ zz`");
        check("v 1 3\na 1 9\n+ 0\n", "line 3 names stack 9, which does not stand above it");
        check(
            "v 1 3\nt 1 0\na 1 1\n+ 0\n",
            "line 2 names address 1, which does not stand above it",
        );
        assert!(matches!(read("v 1 4\n"), Err(HeaptrackError::Version { found: 4 })));
        check("v 1 3\n+ 1 ffff 2\n", "line 2 names the stack 65535, which does not stand above it");
    }

    #[test]
    fn a_file_whose_last_line_is_cut_says_so() {
        let cut = read(&format!("{INTERPRETED}+ ")).unwrap();
        assert!(!cut.complete);
        assert!(read(INTERPRETED).unwrap().complete);
    }
}
