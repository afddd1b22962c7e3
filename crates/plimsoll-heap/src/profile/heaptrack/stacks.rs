//! The stacks of a heaptrack file, from its tables of strings, modules and addresses. Not here: what
//! was allocated below them (`costs`).

use super::super::build::{Builder, Full};
use super::super::{Column, FrameKey, Mapping, Measure, NameId, Profile, Sampling, Source};
use super::costs::{Cost, Costs};
use super::{HeaptrackError, full, hex, numbers, unreadable, within};

/// The tables that stacks are made of, all numbered from 1 but for inlined frames.
pub(super) struct Stacks {
    builder: Builder,
    version: u64,
    /// The program itself, which the raw form calls `x` where it is mapped.
    program: String,
    strings: Vec<Option<NameId>>,
    /// The frames of an address, innermost first.
    addresses: Vec<Vec<u32>>,
    traces: Vec<u32>,
    /// Of the raw form: mapped ranges, by start.
    ranges: Vec<(u64, u64, u64, Option<NameId>)>,
    sorted: bool,
}

impl Stacks {
    pub(super) fn read(text: &str, version: u64, costs: Costs) -> Result<Profile, HeaptrackError> {
        let measures = [
            Measure::InuseObjects,
            Measure::InuseSpace,
            Measure::AllocObjects,
            Measure::AllocSpace,
            Measure::PeakObjects,
            Measure::PeakSpace,
        ];
        let columns = measures.map(Column::of).into();
        let mut stacks = Self {
            builder: Builder::new(Source::Heaptrack, columns, Sampling::Exact),
            version,
            program: String::from("x"),
            strings: Vec::new(),
            addresses: Vec::new(),
            traces: Vec::new(),
            ranges: Vec::new(),
            sorted: true,
        };
        let mut last = 1;
        for (index, line) in text.lines().enumerate().skip(1) {
            last = index + 1;
            stacks.line(line, last, costs.raw)?;
        }
        stacks.finish(costs, last)
    }

    fn line(&mut self, line: &str, number: usize, raw: bool) -> Result<(), HeaptrackError> {
        let Some((letter, words)) = line.split_once(' ') else { return Ok(()) };
        let bad = || unreadable(number, line);
        match letter {
            "s" => {
                let text = self.sized(words).ok_or_else(bad)?;
                let name = self.builder.name(text).map_err(full(number))?;
                within(&mut self.strings, name, "strings", number)
            }
            "i" => {
                let words: Option<Vec<u64>> = words.split(' ').map(hex).collect();
                let frames = self.frames(&words.ok_or_else(bad)?, number)?;
                within(&mut self.addresses, frames, "addresses", number)
            }
            "t" => {
                let [address, caller] = numbers(words).ok_or_else(bad)?;
                self.trace(address, caller, number, raw)
            }
            "x" => {
                self.program = self.sized(words).ok_or_else(bad)?.to_owned();
                Ok(())
            }
            "m" => self.module(words, number).ok_or_else(bad)?,
            // Commands, timestamps, memory of the process, costs, and what a later version adds.
            _ => Ok(()),
        }
    }

    /// A text, behind its length from form 3 on.
    fn sized<'t>(&self, words: &'t str) -> Option<&'t str> {
        if self.version < 3 {
            return Some(words);
        }
        let (length, text) = words.split_once(' ')?;
        text.get(..usize::try_from(hex(length)?).ok()?)
    }

    /// `i ADDRESS MODULE [FUNCTION FILE LINE]..`: the innermost first, where calls were inlined. A
    /// file may be left out behind the last function.
    fn frames(&mut self, words: &[u64], line: usize) -> Result<Vec<u32>, HeaptrackError> {
        let (&address, rest) = words.split_first().unwrap_or((&0, &[]));
        let (&module, rest) = rest.split_first().unwrap_or((&0, &[]));
        let module = self.string(module, line)?;
        let mut frames = Vec::new();
        for part in rest.chunks(3) {
            let function = self.string(part[0], line)?;
            let file = self.string(part.get(1).copied().unwrap_or(0), line)?;
            let number = part.get(2).copied().unwrap_or(0);
            let key = FrameKey {
                function,
                file,
                line: u32::try_from(number).unwrap_or(0),
                module,
                // A function that is named is one place, wherever it was loaded.
                address: if function.is_some() { 0 } else { address },
            };
            frames.push(self.builder.frame(key).map_err(full(line))?);
        }
        if frames.is_empty() {
            let key = FrameKey { module, address, ..FrameKey::default() };
            frames.push(self.builder.frame(key).map_err(full(line))?);
        }
        Ok(frames)
    }

    fn string(&self, index: u64, line: usize) -> Result<Option<NameId>, HeaptrackError> {
        let Some(index_in) = index.checked_sub(1) else { return Ok(None) };
        let found = usize::try_from(index_in).ok().and_then(|index| self.strings.get(index));
        found.copied().ok_or(HeaptrackError::Missing { line, what: "string", index })
    }

    fn trace(
        &mut self,
        address: u64,
        caller: u64,
        line: usize,
        raw: bool,
    ) -> Result<(), HeaptrackError> {
        let missing = |what, index| HeaptrackError::Missing { line, what, index };
        let at = |index: u64| usize::try_from(index - 1).ok();
        let mut stack = match caller {
            0 => None,
            _ => {
                let found = at(caller).and_then(|index| self.traces.get(index));
                Some(*found.ok_or_else(|| missing("the calling stack", caller))?)
            }
        };
        if raw {
            let key = self.place(address);
            let frame = self.builder.frame(key).map_err(full(line))?;
            stack = Some(self.builder.node(stack, frame).map_err(full(line))?);
        } else {
            let index = if address == 0 { None } else { at(address) };
            let frames = index.and_then(|index| self.addresses.get(index));
            for frame in frames.ok_or_else(|| missing("address", address))?.iter().rev() {
                stack = Some(self.builder.node(stack, *frame).map_err(full(line))?);
            }
        }
        let stack = stack.expect("a frame was just put on it");
        within(&mut self.traces, stack, "stacks", line)
    }

    /// `m LENGTH FILE START (ADDRESS SIZE)..`, or `m 1 -` where all of them are told anew.
    fn module(&mut self, words: &str, line: usize) -> Option<Result<(), HeaptrackError>> {
        let (file, words) = if self.version < 3 {
            words.split_once(' ').unwrap_or((words, ""))
        } else {
            let file = self.sized(words)?;
            let (length, rest) = words.split_once(' ')?;
            (file, rest.get(usize::try_from(hex(length)?).ok()?..)?)
        };
        if file == "-" {
            self.ranges.clear();
            return Some(Ok(()));
        }
        let numbers: Vec<u64> = words.split_whitespace().map(hex).collect::<Option<_>>()?;
        let (start, parts) = numbers.split_first()?;
        Some(self.parts(file, *start, parts).map_err(full(line)))
    }

    fn parts(&mut self, file: &str, base: u64, parts: &[u64]) -> Result<(), Full> {
        let file = if file == "x" { self.program.clone() } else { file.to_owned() };
        let name = self.builder.name(&file)?;
        for [offset, size] in parts.as_chunks::<2>().0 {
            let start = base.wrapping_add(*offset);
            let end = start.saturating_add(*size);
            let mapping = Mapping { start, end, offset: *offset, file: file.clone() };
            self.builder.mapping(mapping)?;
            self.ranges.push((start, end, base, name));
            self.sorted = false;
        }
        Ok(())
    }

    fn place(&mut self, address: u64) -> FrameKey {
        if !self.sorted {
            self.ranges.sort_unstable();
            self.sorted = true;
        }
        // It is where the call returns to; one less lies within the call.
        let address = address.saturating_sub(1);
        let above = self.ranges.partition_point(|(start, ..)| *start <= address);
        match above.checked_sub(1).and_then(|index| self.ranges.get(index)) {
            Some((_, end, base, module)) if address < *end => {
                let address = address.wrapping_sub(*base);
                FrameKey { module: *module, address, ..FrameKey::default() }
            }
            Some(_) | None => FrameKey { address, ..FrameKey::default() },
        }
    }

    fn finish(mut self, costs: Costs, last: usize) -> Result<Profile, HeaptrackError> {
        (0..costs.unknown).for_each(|_| self.builder.reject());
        for (entry, cost) in costs.costs.iter().enumerate() {
            let trace = if costs.raw { entry as u64 } else { costs.kinds[entry].1 };
            if cost.all.0 == 0 {
                continue;
            }
            let stack = match usize::try_from(trace).ok().and_then(|trace| trace.checked_sub(1)) {
                None => None,
                Some(index) => {
                    let missing =
                        || HeaptrackError::Missing { line: last, what: "stack", index: trace };
                    Some(*self.traces.get(index).ok_or_else(missing)?)
                }
            };
            let Cost { held, all, peak } = *cost;
            let values = [held.0, held.1, all.0, all.1, peak.0, peak.1];
            self.builder.sample(stack, &values).map_err(full(last))?;
        }
        Ok(self.builder.finish())
    }
}
