//! What a class of an HPROF dump says about its instances: where their primitive fields stand.
//!
//! Used by redaction only; the reader of dumps has a model of its own, because it needs names.

use std::collections::HashMap;

use super::be::{Ids, number};

/// Classes of a dump at most. The largest services load 200 000.
pub(super) const CLASSES_MAX: usize = 1 << 21;

/// Classes above a class at most: longer chains are circles, or made to take time.
const SUPERS_MAX: usize = 128;

/// Fields that layouts are made of at most, with those of the classes above, which count for each
/// class below again. A service with 200 000 classes has some 2 million; without a bound, a small
/// file of classes below one large one takes all memory.
const FIELDS_MAX: u64 = 1 << 26;

/// A `CLASS_DUMP` sub-record, behind its tag.
#[derive(Debug, Default)]
pub(super) struct ClassDump {
    pub class: u64,
    pub superclass: u64,
    /// Names of static and instance fields.
    pub names: Vec<u64>,
    /// Where primitive values stand in the record, as begin and length.
    values: Vec<(usize, usize)>,
    /// Types of the instance fields, as in the file.
    pub fields: Vec<u8>,
    /// Bytes of the record, without the tag.
    pub size: usize,
}

/// Why a class cannot be read yet, or ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoClass {
    /// More bytes are needed.
    Cut,
    /// A type that the format does not have, at this place of the record.
    Type(usize),
}

impl ClassDump {
    /// What the bytes have of a class, and why that is not all of it.
    pub(super) fn read(bytes: &[u8], ids: Ids) -> (Self, Result<(), NoClass>) {
        let mut dump = Self::default();
        let end = dump.fill(bytes, ids);
        (dump, end)
    }

    fn fill(&mut self, bytes: &[u8], ids: Ids) -> Result<(), NoClass> {
        self.class = ids.at(bytes, 0).ok_or(NoClass::Cut)?;
        let mut at = ids.size() + 4;
        self.superclass = ids.at(bytes, at).ok_or(NoClass::Cut)?;
        at += ids.size() * 6 + 4;
        for _ in 0..count(bytes, &mut at)? {
            at += 2;
            self.value(bytes, &mut at, ids)?;
        }
        for _ in 0..count(bytes, &mut at)? {
            self.name(bytes, &mut at, ids)?;
            self.value(bytes, &mut at, ids)?;
        }
        for _ in 0..count(bytes, &mut at)? {
            self.name(bytes, &mut at, ids)?;
            let kind = *bytes.get(at).ok_or(NoClass::Cut)?;
            ids.size_of(kind).ok_or(NoClass::Type(at))?;
            self.fields.push(kind);
            at += 1;
        }
        self.size = at;
        if at <= bytes.len() { Ok(()) } else { Err(NoClass::Cut) }
    }

    fn name(&mut self, bytes: &[u8], at: &mut usize, ids: Ids) -> Result<(), NoClass> {
        self.names.push(ids.at(bytes, *at).ok_or(NoClass::Cut)?);
        *at += ids.size();
        Ok(())
    }

    /// Sets the primitive values to zero, as far as they are there; says how many bytes they have.
    pub(super) fn erase(&self, record: &mut [u8]) -> u64 {
        let mut erased = 0;
        for (begin, length) in &self.values {
            let end = (begin + length).min(record.len());
            let begin = (*begin).min(end);
            record[begin..end].fill(0);
            erased += (end - begin) as u64;
        }
        erased
    }

    fn value(&mut self, bytes: &[u8], at: &mut usize, ids: Ids) -> Result<(), NoClass> {
        let kind = *bytes.get(*at).ok_or(NoClass::Cut)?;
        let size = ids.size_of(kind).ok_or(NoClass::Type(*at))?;
        *at += 1;
        if !Ids::is_reference(kind) {
            self.values.push((*at, size));
        }
        *at += size;
        Ok(())
    }
}

fn count(bytes: &[u8], at: &mut usize) -> Result<u64, NoClass> {
    let found = number(bytes, *at, 2).ok_or(NoClass::Cut)?;
    *at += 2;
    Ok(found)
}

/// Where the primitive fields of an instance stand, as begin and length; neighbours are one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Primitives {
    pub runs: Vec<(u32, u32)>,
    /// Bytes of an instance.
    pub size: u32,
}

/// The classes that were met.
#[derive(Debug, Default)]
pub(super) struct Classes {
    /// The class above, and the types of the fields.
    known: HashMap<u64, (u64, Vec<u8>)>,
    /// Finished layouts, and their numbers by class.
    layouts: Vec<Primitives>,
    number_of: HashMap<u64, u32>,
    /// Fields that layouts were made of.
    fields: u64,
    /// The classes that were asked for last, by a few bits of their ids.
    recent: Vec<(u64, u32)>,
}

/// Numbers of classes that are remembered beside the map: dumps are runs of few classes.
const RECENT: usize = 256;

impl Classes {
    /// Adds a class; says whether there was room.
    pub(super) fn add(&mut self, dump: ClassDump) -> bool {
        let has_room = self.known.len() < CLASSES_MAX;
        if has_room {
            self.known.insert(dump.class, (dump.superclass, dump.fields));
        }
        has_room
    }

    /// The layout of a class, once it and all those above it are known.
    pub(super) fn layout(&mut self, class: u64, ids: Ids) -> Option<&Primitives> {
        if self.recent.is_empty() {
            self.recent = vec![(0, u32::MAX); RECENT];
        }
        let slot = (class >> 3 ^ class >> 11) as usize % RECENT;
        let (cached, number) = self.recent[slot];
        if cached == class && number != u32::MAX {
            return self.layouts.get(number as usize);
        }
        let number = match self.number_of.get(&class) {
            Some(number) => *number,
            None => self.finish(class, ids)?,
        };
        self.recent[slot] = (class, number);
        self.layouts.get(number as usize)
    }

    fn finish(&mut self, class: u64, ids: Ids) -> Option<u32> {
        let mut chain = Vec::new();
        let mut next = class;
        while next != 0 {
            let (superclass, fields) = self.known.get(&next)?;
            chain.push(fields);
            next = *superclass;
            if chain.len() > SUPERS_MAX {
                return None;
            }
        }
        self.fields += chain.iter().map(|fields| fields.len() as u64).sum::<u64>();
        if self.fields > FIELDS_MAX {
            return None;
        }
        let mut layout = Primitives::default();
        for kind in chain.into_iter().flatten() {
            layout.push(ids.size_of(*kind)? as u32, Ids::is_reference(*kind))?;
        }
        let number = self.layouts.len() as u32;
        self.layouts.push(layout);
        self.number_of.insert(class, number);
        Some(number)
    }
}

impl Primitives {
    fn push(&mut self, size: u32, is_reference: bool) -> Option<()> {
        let begin = self.size;
        self.size = begin.checked_add(size)?;
        if !is_reference {
            match self.runs.last_mut() {
                Some((at, length)) if *at + *length == begin => *length += size,
                Some(_) | None => self.runs.push((begin, size)),
            }
        }
        Some(())
    }

    /// Sets the primitive fields of an instance, or of its beginning, to zero.
    pub(super) fn erase(&self, instance: &mut [u8]) {
        for (begin, length) in &self.runs {
            let begin = (*begin as usize).min(instance.len());
            let end = (begin + *length as usize).min(instance.len());
            instance[begin..end].fill(0);
        }
    }
}
