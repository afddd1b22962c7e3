//! Puts a profile together: every name, frame and stack kept once, all of them within bounds.
//!
//! Not here: what a bound means for a file; its reader says that. Used by every format.

use std::collections::HashMap;
use std::hash::Hash;

use thiserror::Error;

use super::{Column, FrameKey, Mapping, NameId, Node, Profile, Sampling, Source};

/// Bytes of all distinct names. Profiles of the largest Go and C++ programs, templates included,
/// hold about 20 MB of them.
const NAME_BYTES_MAX: usize = 64 << 20;
/// Longest name that is kept whole, in bytes; what is longer is cut. Demangled C++ reaches 10 000.
const NAME_LENGTH_MAX: usize = 16 << 10;
/// Distinct frames: twice the functions of the largest binaries that are known. 40 bytes each.
const FRAMES_MAX: usize = 1 << 20;
/// Distinct stacks and their callers. heaptrack writes most, about a million in an hour. 12 bytes
/// each, and 24 while they are built.
const NODES_MAX: usize = 4 << 20;
/// Samples. A snapshot of tracemalloc has one for every live block of memory. 8 bytes each, and 8
/// for each value.
const SAMPLES_MAX: usize = 8 << 20;
/// Frames that are walked while stacks are put in. Stacks of a profile overlap, so a small file can
/// name long ones many times over; this is a few seconds of work.
const FRAMES_WALKED_MAX: usize = 256 << 20;
/// Mapped files. The kernel ends a process's mappings at 65 530.
const MAPPINGS_MAX: usize = 1 << 16;

/// A profile holds more than is taken into memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("it holds more than {max} {what}, the most that is kept of one profile")]
pub struct Full {
    pub what: &'static str,
    pub max: usize,
}

/// A profile that is being read.
#[derive(Debug)]
pub(super) struct Builder {
    profile: Profile,
    name_bytes: usize,
    frames_walked: usize,
    name_ids: HashMap<Box<str>, u32>,
    frame_ids: HashMap<FrameKey, u32>,
    node_ids: HashMap<Node, u32>,
}

impl Builder {
    pub(super) fn new(source: Source, columns: Vec<Column>, sampling: Sampling) -> Self {
        let profile = Profile {
            source,
            columns,
            sampling,
            mappings: Vec::new(),
            rejected: 0,
            complete: true,
            names: Vec::new(),
            frames: Vec::new(),
            nodes: Vec::new(),
            stacks: Vec::new(),
            values: Vec::new(),
        };
        Self {
            profile,
            name_bytes: 0,
            frames_walked: 0,
            name_ids: HashMap::new(),
            frame_ids: HashMap::new(),
            node_ids: HashMap::new(),
        }
    }

    pub(super) fn finish(self) -> Profile {
        self.profile
    }

    pub(super) fn reject(&mut self) {
        self.profile.rejected += 1;
    }

    pub(super) fn cut(&mut self) {
        self.profile.complete = false;
    }

    /// The name as it is kept: on one line, without control characters; `None` for an empty one.
    pub(super) fn name(&mut self, name: &str) -> Result<Option<NameId>, Full> {
        let name = shortened(name);
        if name.is_empty() {
            return Ok(None);
        }
        if let Some(id) = self.name_ids.get(name) {
            return Ok(Some(NameId(*id)));
        }
        self.name_bytes += name.len();
        if self.name_bytes > NAME_BYTES_MAX {
            return Err(Full { what: "bytes of names", max: NAME_BYTES_MAX });
        }
        let id = NameId(self.profile.names.len() as u32);
        let kept = name.replace(|c: char| c.is_control(), " ");
        self.profile.names.push(kept.into_boxed_str());
        self.name_ids.insert(name.into(), id.0);
        Ok(Some(id))
    }

    pub(super) fn frame(&mut self, key: FrameKey) -> Result<u32, Full> {
        let full = Full { what: "distinct frames", max: FRAMES_MAX };
        interned(&mut self.frame_ids, &mut self.profile.frames, key, full)
    }

    /// The stack that a frame makes below its caller.
    pub(super) fn node(&mut self, caller: Option<u32>, frame: u32) -> Result<u32, Full> {
        self.frames_walked += 1;
        if self.frames_walked > FRAMES_WALKED_MAX {
            return Err(Full { what: "frames in stacks", max: FRAMES_WALKED_MAX });
        }
        let full = Full { what: "distinct stacks", max: NODES_MAX };
        interned(&mut self.node_ids, &mut self.profile.nodes, Node { caller, frame }, full)
    }

    /// The stack of these frames, outermost first.
    pub(super) fn stack(
        &mut self,
        frames: impl IntoIterator<Item = u32>,
    ) -> Result<Option<u32>, Full> {
        let mut caller = None;
        for frame in frames {
            caller = Some(self.node(caller, frame)?);
        }
        Ok(caller)
    }

    /// Adds a sample; values that miss are 0, those beyond the columns are left out.
    pub(super) fn sample(&mut self, stack: Option<u32>, values: &[i64]) -> Result<(), Full> {
        if self.profile.stacks.len() >= SAMPLES_MAX {
            return Err(Full { what: "samples", max: SAMPLES_MAX });
        }
        let width = self.profile.columns.len();
        self.profile.stacks.push(stack);
        self.profile.values.extend(values.iter().copied().chain(std::iter::repeat(0)).take(width));
        Ok(())
    }

    pub(super) fn mapping(&mut self, mapping: Mapping) -> Result<(), Full> {
        if self.profile.mappings.len() >= MAPPINGS_MAX {
            return Err(Full { what: "mappings", max: MAPPINGS_MAX });
        }
        self.profile.mappings.push(mapping);
        Ok(())
    }
}

fn interned<Key: Copy + Eq + Hash>(
    ids: &mut HashMap<Key, u32>,
    kept: &mut Vec<Key>,
    key: Key,
    full: Full,
) -> Result<u32, Full> {
    if let Some(id) = ids.get(&key) {
        return Ok(*id);
    }
    if kept.len() >= full.max {
        return Err(full);
    }
    let id = kept.len() as u32;
    kept.push(key);
    ids.insert(key, id);
    Ok(id)
}

fn shortened(name: &str) -> &str {
    let mut end = name.len().min(NAME_LENGTH_MAX);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    name[..end].trim()
}

#[cfg(test)]
mod tests {
    use super::super::Measure;
    use super::*;

    #[test]
    fn what_comes_twice_is_kept_once() {
        let columns = vec![Column::of(Measure::InuseSpace)];
        let mut builder = Builder::new(Source::Pprof, columns, Sampling::Exact);
        let mut put = |names: [&str; 2], value| {
            let frames = names.map(|name| {
                let function = builder.name(name).unwrap();
                builder.frame(FrameKey { function, ..FrameKey::default() }).unwrap()
            });
            let stack = builder.stack(frames).unwrap();
            builder.sample(stack, &[value]).unwrap();
        };
        put(["main", "leak"], 1);
        put(["main", "leak"], 2);
        put(["main", "churn"], 4);
        let profile = builder.finish();
        let sizes = (profile.names.len(), profile.frames.len(), profile.nodes.len());
        assert_eq!(sizes, (3, 3, 3));
        assert_eq!(profile.total(Measure::InuseSpace), Some(7));
        let names: Vec<_> = profile.stack(1).map(|frame| frame.function.unwrap()).collect();
        assert_eq!(names, ["leak", "main"]);
    }

    #[test]
    fn a_name_is_cut_between_characters_and_holds_no_control_character() {
        let long = "\u{e9}".repeat(NAME_LENGTH_MAX);
        let mut builder = Builder::new(Source::Pprof, Vec::new(), Sampling::Exact);
        builder.name(&long).unwrap();
        builder.name("a\u{1b}[31m").unwrap();
        let profile = builder.finish();
        assert_eq!(profile.names[0].len(), NAME_LENGTH_MAX);
        assert_eq!(&*profile.names[1], "a [31m");
    }

    #[test]
    fn a_bound_names_what_there_was_too_much_of() {
        let mut ids = HashMap::new();
        let mut kept = Vec::new();
        let full = Full { what: "distinct frames", max: 2 };
        for key in [7, 8, 7] {
            interned(&mut ids, &mut kept, key, full).unwrap();
        }
        let error = interned(&mut ids, &mut kept, 9, full).unwrap_err();
        assert!(error.to_string().contains("more than 2 distinct frames"), "{error}");
    }
}
