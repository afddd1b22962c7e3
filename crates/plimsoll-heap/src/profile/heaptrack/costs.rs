//! What each stack of a heaptrack file allocated, holds, and held at the peak: one pass over its
//! allocations and frees. Not here: what the stacks are (`stacks`).

use std::collections::HashMap;

use super::super::build::Full;
use super::{HeaptrackError, TABLE_MAX, numbers, unreadable, within};

/// Allocations of a raw file that are held at one time. 32 bytes each.
const HELD_MAX: usize = 16 << 20;

/// What one kind of allocation (interpreted) or one stack (raw) costs.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Cost {
    /// Allocations, and their bytes.
    pub(super) held: (i64, i64),
    pub(super) all: (i64, i64),
    pub(super) peak: (i64, i64),
}

impl Cost {
    fn add(&mut self, count: i64, bytes: u64) {
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX).saturating_mul(count);
        self.held = (self.held.0 + count, self.held.1.saturating_add(bytes));
        if count > 0 {
            self.all = (self.all.0 + count, self.all.1.saturating_add(bytes));
        }
    }
}

/// One reading of all allocations and frees.
#[derive(Debug, Default)]
pub(super) struct Costs {
    /// Whether allocations are written out (`+ SIZE TRACE POINTER`) or named (`+ KIND`).
    pub(super) raw: bool,
    /// Size and stack of each kind of allocation, where they are named.
    pub(super) kinds: Vec<(u64, u64)>,
    /// Stacks that were named so far, in a raw file.
    traces: u64,
    /// By kind; by stack where the file is raw. Entry 0 is of allocations without a stack.
    pub(super) costs: Vec<Cost>,
    held: HashMap<u64, (u64, u64)>,
    held_bytes: i64,
    pub(super) peak_bytes: i64,
    /// The peak of an earlier reading, until it is reached.
    awaited: Option<i64>,
    /// Frees of what was never allocated: before heaptrack was attached.
    pub(super) unknown: usize,
}

impl Costs {
    pub(super) fn read(text: &str, awaited: Option<i64>) -> Result<Self, HeaptrackError> {
        let mut costs = Self { awaited, raw: is_raw(text), ..Self::default() };
        for (index, line) in text.lines().enumerate().skip(1) {
            let line_number = index + 1;
            let bad = || unreadable(line_number, line);
            match line.as_bytes() {
                [b'a', b' ', ..] => {
                    let [size, trace] = numbers(&line[2..]).ok_or_else(bad)?;
                    within(&mut costs.kinds, (size, trace), "kinds of allocation", line_number)?;
                }
                [b't', b' ', ..] => costs.traces += 1,
                [b'+', b' ', ..] => costs.allocated(&line[2..], line_number).ok_or_else(bad)??,
                [b'-', b' ', ..] => {
                    let [id] = numbers(&line[2..]).ok_or_else(bad)?;
                    costs.freed(id);
                }
                _ => {}
            }
        }
        Ok(costs)
    }

    fn allocated(&mut self, words: &str, line: usize) -> Option<Result<(), HeaptrackError>> {
        if self.raw {
            let [size, trace, pointer] = numbers(words)?;
            if self.held.len() >= HELD_MAX {
                let source = Full { what: "allocations held at one time", max: HELD_MAX };
                return Some(Err(HeaptrackError::Full { line, source }));
            }
            if trace > self.traces {
                let what = "the stack";
                return Some(Err(HeaptrackError::Missing { line, what, index: trace }));
            }
            self.held.insert(pointer, (size, trace));
            return Some(self.count(trace, 1, size, line));
        }
        let [kind] = numbers(words)?;
        let Some((size, _)) = usize::try_from(kind).ok().and_then(|kind| self.kinds.get(kind))
        else {
            let what = "the kind of allocation";
            return Some(Err(HeaptrackError::Missing { line, what, index: kind }));
        };
        Some(self.count(kind, 1, *size, line))
    }

    fn freed(&mut self, id: u64) {
        let known = if self.raw {
            self.held.remove(&id).map(|(size, trace)| (trace, size))
        } else {
            let kind = usize::try_from(id).ok().and_then(|kind| self.kinds.get(kind));
            kind.map(|(size, _)| (id, *size))
        };
        match known {
            // Of what was counted before, so the entry is there.
            Some((entry, size)) => drop(self.count(entry, -1, size, 0)),
            None => self.unknown += 1,
        }
    }

    fn count(&mut self, entry: u64, by: i64, size: u64, line: usize) -> Result<(), HeaptrackError> {
        let entry = usize::try_from(entry).ok().filter(|entry| *entry < TABLE_MAX);
        let Some(entry) = entry else {
            let source = Full { what: "stacks", max: TABLE_MAX };
            return Err(HeaptrackError::Full { line, source });
        };
        if self.costs.len() <= entry {
            // Kinds and stacks stand above their first use, so this is no longer than the file.
            self.costs.resize(entry + 1, Cost::default());
        }
        self.costs[entry].add(by, size);
        let bytes = i64::try_from(size).unwrap_or(i64::MAX).saturating_mul(by);
        self.held_bytes = self.held_bytes.saturating_add(bytes);
        self.peak_bytes = self.peak_bytes.max(self.held_bytes);
        if self.awaited == Some(self.held_bytes) && self.held_bytes > 0 {
            self.awaited = None;
            self.costs.iter_mut().for_each(|cost| cost.peak = cost.held);
        }
        Ok(())
    }
}

/// The raw form writes a size, a stack and a pointer; the other one names a kind.
fn is_raw(text: &str) -> bool {
    text.lines().find(|line| line.starts_with("+ ")).is_some_and(|line| line[2..].contains(' '))
}
