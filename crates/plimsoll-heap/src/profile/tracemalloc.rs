//! A snapshot of CPython's `tracemalloc`, as `Snapshot.dump` writes it: a pickle.
//!
//! Not here: the pickle itself (`pickle`). Every traced block is a sample, and nothing is sampled,
//! so numbers are exact; frames are lines of files, because that is all that tracemalloc keeps.

use std::collections::HashMap;

use thiserror::Error;

use super::build::{Builder, Full};
use super::pickle::{Id, Pickle, PickleError, Value};
use super::{Column, FrameKey, Measure, Profile, Sampling, Source};

/// Why bytes are not a snapshot that can be read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TracemallocError {
    #[error("the snapshot's pickle cannot be read")]
    Pickle(#[from] PickleError),
    #[error("the pickle holds something else than a tracemalloc.Snapshot with its traces")]
    NoSnapshot,
    #[error("trace {index} of the snapshot is not (domain, bytes, ((file, line), ..))")]
    Trace { index: usize },
    #[error("the snapshot is too large")]
    Full(#[from] Full),
}

/// Whether the first bytes are those of a pickle of protocol 2 to 5 that names the module. Python
/// writes the class before anything else.
pub(crate) fn begins(bytes: &[u8]) -> bool {
    const NAMED_WITHIN: usize = 64;
    let first = bytes.get(..NAMED_WITHIN).unwrap_or(bytes);
    let named = first.windows(b"tracemalloc".len()).any(|word| word == b"tracemalloc");
    matches!(bytes, [0x80, 2..=5, ..]) && named
}

/// The only classes that a snapshot may name.
fn class(module: &str, name: &str) -> Option<&'static str> {
    match (module, name) {
        ("tracemalloc", "Snapshot") => Some("Snapshot"),
        ("tracemalloc", "_Traces") => Some("_Traces"),
        _ => None,
    }
}

pub(super) fn read(bytes: &[u8]) -> Result<Profile, TracemallocError> {
    let pickle = Pickle::read(bytes, class)?;
    let instance =
        |id: Id, want| matches!(pickle.value(id), Value::Instance { class, .. } if *class == want);
    let snapshot = Some(pickle.root()).filter(|id| instance(*id, "Snapshot"));
    let traces = snapshot.and_then(|id| pickle.attribute(id, "traces"));
    let list = traces.filter(|id| instance(*id, "_Traces"));
    let list = list.and_then(|id| pickle.attribute(id, "_traces"));
    // Filtered snapshots hold a list; those as taken, too.
    let traces = match list.map(|id| pickle.value(id)) {
        Some(Value::List(traces)) => &traces[..],
        Some(Value::Tuple(traces)) => &traces[..],
        Some(_) | None => return Err(TracemallocError::NoSnapshot),
    };
    let columns = [Measure::InuseObjects, Measure::InuseSpace].map(Column::of).into();
    let builder = Builder::new(Source::Tracemalloc, columns, Sampling::Exact);
    let mut reader = Reader { pickle: &pickle, builder, stacks: HashMap::new() };
    for (index, trace) in traces.iter().enumerate() {
        reader.trace(*trace)?.ok_or(TracemallocError::Trace { index })?;
    }
    Ok(reader.builder.finish())
}

struct Reader<'p, 'a> {
    pickle: &'p Pickle<'a>,
    builder: Builder,
    /// Python keeps a traceback once, however many blocks have it.
    stacks: HashMap<Id, Option<u32>>,
}

impl Reader<'_, '_> {
    /// `(domain, bytes, frames)`, and from 3.9 on how many frames there really were. `None` where
    /// it is anything else.
    fn trace(&mut self, trace: Id) -> Result<Option<()>, Full> {
        let Value::Tuple(parts) = self.pickle.value(trace) else { return Ok(None) };
        let [_, size, frames, ..] = **parts else { return Ok(None) };
        let Value::Int(size @ 0..) = *self.pickle.value(size) else { return Ok(None) };
        let stack = match self.stacks.get(&frames) {
            Some(stack) => *stack,
            None => {
                let Some(stack) = self.stack(frames)? else { return Ok(None) };
                self.stacks.insert(frames, stack);
                stack
            }
        };
        self.builder.sample(stack, &[1, size])?;
        Ok(Some(()))
    }

    /// `((file, line), ..)`, innermost first.
    fn stack(&mut self, frames: Id) -> Result<Option<Option<u32>>, Full> {
        let Value::Tuple(frames) = self.pickle.value(frames) else { return Ok(None) };
        let mut stack = None;
        for frame in frames.iter().rev() {
            let Value::Tuple(parts) = self.pickle.value(*frame) else { return Ok(None) };
            let [file, line] = **parts else { return Ok(None) };
            let (file, line) = (self.pickle.value(file), self.pickle.value(line));
            let (Value::Text(file), Value::Int(line)) = (file, line) else { return Ok(None) };
            let file = self.builder.name(file)?;
            let line = u32::try_from(*line).unwrap_or(0);
            let frame = self.builder.frame(FrameKey { file, line, ..FrameKey::default() })?;
            stack = Some(self.builder.node(stack, frame)?);
        }
        Ok(Some(stack))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `Snapshot.dump` of 3.11 writes, with these bytes as the traces.
    fn snapshot(traces: &[u8]) -> Vec<u8> {
        let mut bytes =
            b"\x80\x05\x8c\x0btracemalloc\x94\x8c\x08Snapshot\x94\x93\x94)\x81\x94}\x94(\
            \x8c\x06traces\x94h\0\x8c\x07_Traces\x94\x93\x94)\x81\x94}\x94\x8c\x07_traces\x94"
                .to_vec();
        bytes.extend(traces);
        bytes.extend(b"sb\x8c\x0ftraceback_limit\x94K\x05ub.");
        bytes
    }

    #[test]
    fn blocks_are_samples_of_one_object() {
        let traces =
            b"](\x28K\0M\xe8\x03\x8c\x04a.pyK\x05\x86\x94\x8c\x04b.pyK\x07\x86\x86\x94K\x02t\
                       \x28K\0K\x38h\x0cK\x02te";
        let bytes = snapshot(traces);
        assert!(begins(&bytes));
        let profile = read(&bytes).unwrap();
        assert_eq!(profile.values(0), [1, 1000]);
        assert_eq!(profile.total(Measure::InuseSpace), Some(1056));
        let lines: Vec<_> =
            profile.stack(1).map(|frame| (frame.file.unwrap(), frame.line)).collect();
        assert_eq!(lines, [("a.py", 5), ("b.py", 7)]);
    }

    #[test]
    fn what_is_no_snapshot_is_refused() {
        let check = |bytes: &[u8], want| assert_eq!(read(bytes).unwrap_err(), want);
        check(b"\x80\x04K\x01.", TracemallocError::NoSnapshot);
        check(&snapshot(b"K\x01"), TracemallocError::NoSnapshot);
        check(&snapshot(b"](K\x01e"), TracemallocError::Trace { index: 0 });
        check(&snapshot(b"](K\0J\xff\xff\xff\xff)\x87e"), TracemallocError::Trace { index: 0 });
        let global = b"\x80\x04\x8c\x0btracemalloc\x8c\x05start\x93.";
        let error = read(global).unwrap_err();
        assert!(matches!(error, TracemallocError::Pickle(PickleError::Global { .. })), "{error}");
    }
}
