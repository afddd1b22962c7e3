//! Sizes as logs write them, and the transition from one to another: `24M->11M(256M)`,
//! `14.0M(256.0M)->6024.0K(256.0M)`, `106M(10%)->44M(4%)`.

use plimsoll_model::Bytes;

/// The heap around a collection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Occupancy {
    pub before: Bytes,
    pub after: Bytes,
    /// What the heap had from the system afterwards.
    pub committed: Option<Bytes>,
}

/// The last transition in a text.
pub(super) fn last_transition(text: &str) -> Option<Occupancy> {
    text.rmatch_indices("->")
        .find_map(|(at, arrow)| transition(&text[..at], &text[at + arrow.len()..]))
}

/// `46468K(83008K)`, where nothing was collected: the last such in a text.
pub(super) fn last_level(text: &str) -> Option<Occupancy> {
    text.rmatch_indices('(').find_map(|(at, _)| {
        let level = last_size(&text[..at])?;
        let (committed, _) = in_parentheses(&text[at..])?;
        Some(Occupancy { before: level, after: level, committed: Some(size(committed)?) })
    })
}

fn transition(left: &str, right: &str) -> Option<Occupancy> {
    let left = left.trim_end();
    // The capacity before, where there is one.
    let left = match left.strip_suffix(')').and_then(|left| left.rsplit_once('(')) {
        Some((left, _)) => left.trim_end(),
        None => left,
    };
    let right = right.trim_start();
    let end = right.find(|c: char| !is_of_size(c)).unwrap_or(right.len());
    let (after, rest) = right.split_at(end);
    let committed = in_parentheses(rest).and_then(|(committed, _)| size(committed));
    Some(Occupancy { before: last_size(left)?, after: size(after)?, committed })
}

fn in_parentheses(text: &str) -> Option<(&str, &str)> {
    text.trim_start().strip_prefix('(')?.split_once(')')
}

fn last_size(text: &str) -> Option<Bytes> {
    size(&text[text.trim_end_matches(is_of_size).len()..])
}

fn is_of_size(c: char) -> bool {
    c.is_ascii_digit() || matches!(c, '.' | 'B' | 'K' | 'M' | 'G' | 'T')
}

/// `17024K`, `14.0M`, `0.0B`; without a unit it is no size, but a count.
pub(super) fn size(text: &str) -> Option<Bytes> {
    let text = text.trim();
    let unit = text.bytes().last()?;
    let scale = match unit {
        b'B' => 1.0,
        b'K' => 1024.0,
        b'M' => 1_048_576.0,
        b'G' => 1_073_741_824.0,
        b'T' => 1_099_511_627_776.0,
        _ => return None,
    };
    let number: f64 = text[..text.len() - 1].parse().ok()?;
    // Saturates; a log that claims more than 16 EiB is wrong anyhow.
    number.is_finite().then_some(Bytes((number * scale) as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transitions_of_every_form_are_read() {
        const M: u64 = 1 << 20;
        let check = |text: &str, before: u64, after: u64, committed: Option<u64>| {
            let (before, after) = (Bytes(before), Bytes(after));
            let want = Occupancy { before, after, committed: committed.map(Bytes) };
            assert_eq!(last_transition(text), Some(want), "{text}");
        };
        check("Pause Young (x) 24M->11M(256M) 7.9ms", 24 * M, 11 * M, Some(256 * M));
        check("Heap: 14.0M(256.0M)->6024.0K(255.0M)]", 14 * M, 6024 << 10, Some(255 * M));
        check("Garbage Collection (Warmup) 106M(10%)->44M(4%)", 106 * M, 44 * M, None);
        check("a 1K->2K(3K) and 0.0B->7K(9K), 0.1 secs", 0, 7 << 10, Some(9 << 10));
        check("5K->4K", 5 << 10, 4 << 10, None);
        for text in ["5->4", "a->b(c)", "->", "5K->", "->5K", "\u{e9}->\u{e9}K"] {
            assert_eq!(last_transition(text), None, "{text}");
        }
    }

    #[test]
    fn a_level_is_the_heap_where_nothing_was_collected() {
        let want = Bytes(46468 << 10);
        let committed = Some(Bytes(83008 << 10));
        let want = Occupancy { before: want, after: want, committed };
        assert_eq!(last_level("GC 46468K(83008K), 0.0039333 secs"), Some(want));
        assert_eq!(last_level("GC (Allocation Failure)"), None);
    }
}
