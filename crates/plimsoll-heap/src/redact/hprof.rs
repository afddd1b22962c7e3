//! Redaction of HPROF dumps of every version: ids, counts and sizes pass, values become zeros.
//!
//! One pass in the order of the file. Bytes whose meaning is not known yet are held back: strings
//! until classes have said which of them are names, which in the dumps of HotSpot is before the first
//! object, and instances until their class came, which in those of Android may be later. What is held
//! has a bound; beyond it, what is not known is erased, and counted. Used by `redact`.

mod heap;

use std::collections::HashMap;

use super::be::{Ids, number};
use super::class::{ClassDump, Classes};
use super::names::{Names, Replaced};
use super::{Level, RedactError, Redacted};

/// Bytes held back at most. The names and classes of a service with 60 000 classes take 40 MB.
const HELD_MAX: usize = 64 << 20;

/// An instance or a string that is longer is erased as it passes, instead of looked at as a whole:
/// the format allows a class 65 535 fields, and a name 65 535 bytes.
const WHOLE_MAX: u64 = 1 << 20;

/// The version that Android writes. All of its strings are names, and classes stand among objects.
const ANDROID: &[u8] = b"JAVA PROFILE 1.0.3\0";

/// Longest name of a version, with its zero.
const VERSION_MAX: usize = 64;

#[derive(Debug)]
pub(super) struct Hprof {
    level: Level,
    ids: Option<Ids>,
    is_android: bool,
    /// Bytes that were not given out yet; those before `at` are done, but for `waiting`.
    buffer: Vec<u8>,
    at: usize,
    /// Bytes at the beginning of the buffer that were given out by the last call.
    given: usize,
    /// Where in the dump the buffer begins.
    base: u64,
    pass: Pass,
    /// Bytes that the present heap record has still.
    heap: u64,
    /// A class is not read again before there are so many bytes of it.
    wanted: usize,
    classes: Classes,
    /// Of loaded classes, whether they are of the platform.
    platform: HashMap<u64, bool>,
    names: Names,
    waiting: Vec<Waiting>,
    /// Whether an instance is among them.
    instance_waits: bool,
    done: Redacted,
}

/// What to do with the next bytes, whatever they are.
#[derive(Clone, Copy, Debug)]
enum Pass {
    Keep(u64),
    Erase(u64),
}

/// Bytes that wait until they are known.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    at: u64,
    length: u32,
    id: u64,
    is_instance: bool,
}

/// Whether something was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Done,
    NeedsMore,
}

impl Hprof {
    pub(super) fn new(level: Level) -> Self {
        Self {
            level,
            ids: None,
            is_android: false,
            buffer: Vec::new(),
            at: 0,
            given: 0,
            base: 0,
            pass: Pass::Keep(0),
            heap: 0,
            wanted: 0,
            classes: Classes::default(),
            platform: HashMap::new(),
            names: Names::default(),
            waiting: Vec::new(),
            instance_waits: false,
            done: Redacted::default(),
        }
    }

    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<&[u8], RedactError> {
        self.forget_given();
        self.buffer.extend_from_slice(bytes);
        while self.step()? == Step::Done {}
        if self.at > HELD_MAX {
            self.settle();
        }
        Ok(self.give(self.at))
    }

    /// What is left when the dump ends, wherever that is.
    pub(super) fn finish(&mut self) -> Result<&[u8], RedactError> {
        self.forget_given();
        // A class may be whole that waited for more bytes than it has, with objects behind it.
        self.wanted = 0;
        while self.step()? == Step::Done {}
        self.settle();
        let is_within = !matches!(self.pass, Pass::Keep(0) | Pass::Erase(0));
        if is_within || self.heap > 0 || self.at < self.buffer.len() || self.ids.is_none() {
            self.done.cut_at = Some(self.base + self.buffer.len() as u64);
            self.last();
        }
        self.at = self.buffer.len();
        self.given = self.at;
        Ok(&self.buffer)
    }

    /// Erases the values of a record that is not whole.
    fn last(&mut self) {
        let Some(ids) = self.ids else { return };
        let id = ids.size();
        let rest = &mut self.buffer[self.at..];
        let Some(tag) = rest.first().copied() else { return };
        let head = match (self.heap > 0, tag) {
            (true, 0x20) => {
                let record = &mut rest[1..];
                self.done.erased += ClassDump::read(record, ids).0.erase(record);
                return;
            }
            (true, 0x21) => 1 + 2 * id + 8,
            (false, 1) => 9 + id,
            _ => return,
        };
        let (head, values) = rest.split_at_mut(head.min(rest.len()));
        let class = ids.at(head, 5 + id).filter(|_| self.heap > 0);
        self.done.erased += values.len() as u64;
        match class.and_then(|class| self.classes.layout(class, ids)) {
            Some(layout) => layout.erase(values),
            None => values.fill(0),
        }
    }

    pub(super) fn done(&self) -> Redacted {
        self.done
    }

    fn forget_given(&mut self) {
        self.buffer.drain(..self.given);
        self.base += self.given as u64;
        self.at -= self.given;
        self.given = 0;
    }

    /// Gives out what is done, up to what waits.
    fn give(&mut self, done: usize) -> &[u8] {
        let waits = self.waiting.first().map(|first| (first.at - self.base) as usize);
        self.given = waits.unwrap_or(done);
        &self.buffer[..self.given]
    }

    fn offset(&self) -> u64 {
        self.base + self.at as u64
    }

    fn damaged(&self, what: &'static str) -> RedactError {
        RedactError::Damaged { at: self.offset(), what }
    }

    fn rest(&self) -> &[u8] {
        &self.buffer[self.at..]
    }

    fn step(&mut self) -> Result<Step, RedactError> {
        match self.pass {
            Pass::Keep(0) | Pass::Erase(0) => {}
            Pass::Keep(left) => {
                let length = self.passed(left);
                self.pass = Pass::Keep(left - length as u64);
                self.at += length;
                return Ok(self.more());
            }
            Pass::Erase(left) => {
                let length = self.passed(left);
                self.pass = Pass::Erase(left - length as u64);
                self.buffer[self.at..self.at + length].fill(0);
                self.done.erased += length as u64;
                self.at += length;
                return Ok(self.more());
            }
        }
        match self.ids {
            None => self.header(),
            Some(ids) if self.heap > 0 => self.heap_record(ids),
            Some(ids) => self.record(ids),
        }
    }

    fn passed(&self, left: u64) -> usize {
        usize::try_from(left).unwrap_or(usize::MAX).min(self.buffer.len() - self.at)
    }

    fn more(&self) -> Step {
        if self.at < self.buffer.len() { Step::Done } else { Step::NeedsMore }
    }

    fn header(&mut self) -> Result<Step, RedactError> {
        let rest = self.rest();
        let Some(name) = rest.iter().take(VERSION_MAX).position(|byte| *byte == 0) else {
            if rest.len() >= VERSION_MAX {
                return Err(self.damaged("the name of the format has no end"));
            }
            return Ok(Step::NeedsMore);
        };
        let Some(size) = number(rest, name + 1, 4) else { return Ok(Step::NeedsMore) };
        self.is_android = rest.starts_with(ANDROID);
        let ids = Ids::new(size).ok_or_else(|| self.damaged("ids have neither 4 nor 8 bytes"))?;
        self.ids = Some(ids);
        // The time of the dump is kept: it orders dumps.
        self.at += name + 1 + 4;
        self.pass = Pass::Keep(8);
        Ok(Step::Done)
    }

    fn record(&mut self, ids: Ids) -> Result<Step, RedactError> {
        let rest = self.rest();
        let (Some(tag), Some(length)) = (rest.first().copied(), number(rest, 5, 4)) else {
            return Ok(Step::NeedsMore);
        };
        let whole = 9 + length as usize;
        let id = ids.size();
        match tag {
            1 if length < id as u64 => return Err(self.damaged("a string is shorter than its id")),
            1 if length <= WHOLE_MAX => {
                if rest.len() < whole {
                    return Ok(Step::NeedsMore);
                }
                self.string(ids, whole);
            }
            1 if rest.len() < 9 + id => return Ok(Step::NeedsMore),
            1 => {
                self.at += 9 + id;
                self.pass = Pass::Erase(length - id as u64);
            }
            2 | 4 => {
                if rest.len() < whole {
                    return Ok(Step::NeedsMore);
                }
                self.names_of(tag, ids, whole)?;
                self.at += whole;
            }
            0x0C | 0x1C => {
                self.heap = length;
                self.at += 9;
            }
            3 | 5 | 6 | 7 | 0x0A | 0x0B | 0x0D | 0x0E | 0x2C => {
                self.at += 9;
                self.pass = Pass::Keep(length);
            }
            _ => {
                self.at += 9;
                self.pass = Pass::Erase(length);
                self.done.unknown_records += 1;
            }
        }
        Ok(Step::Done)
    }

    fn string(&mut self, ids: Ids, whole: usize) {
        let begin = self.at + 9 + ids.size();
        let end = self.at + whole;
        let Some(id) = ids.at(&self.buffer, self.at + 9) else { return };
        self.names.meet(id, &self.buffer[begin..end]);
        if self.is_android {
            self.names.is_name(id, false);
        }
        let is_known = self.is_android && self.level == Level::Values;
        if !is_known && !self.names.keeps(id, self.level) && begin < end {
            let at = self.base + begin as u64;
            let length = (end - begin) as u32;
            self.waiting.push(Waiting { at, length, id, is_instance: false });
        }
        self.at = end;
    }

    /// `LOAD_CLASS` names a class, `STACK_FRAME` a method, its signature and its file.
    fn names_of(&mut self, tag: u8, ids: Ids, whole: usize) -> Result<(), RedactError> {
        let id = ids.size();
        let record = &self.buffer[self.at + 9..self.at + whole];
        let mut has_room = true;
        if tag == 2 {
            let (class, name) = (ids.at(record, 4), ids.at(record, 8 + id));
            let (Some(class), Some(name)) = (class, name) else {
                return Err(self.damaged("a loaded class is too short"));
            };
            let of_platform = self.names.is_platform_text(name);
            has_room &= self.names.is_name(name, of_platform);
            if self.platform.len() < super::class::CLASSES_MAX {
                self.platform.insert(class, of_platform);
            }
        } else {
            for place in 1..4 {
                let Some(name) = ids.at(record, place * id) else {
                    return Err(self.damaged("a stack frame is too short"));
                };
                has_room &= self.names.is_name(name, false);
            }
        }
        if has_room { Ok(()) } else { Err(self.damaged("there are too many names")) }
    }

    /// Decides on everything that waits, by what is known now.
    fn settle(&mut self) {
        let Some(ids) = self.ids else { return };
        self.instance_waits = false;
        for waiting in std::mem::take(&mut self.waiting) {
            let begin = (waiting.at - self.base) as usize;
            let bytes = &mut self.buffer[begin..begin + waiting.length as usize];
            if waiting.is_instance {
                match self.classes.layout(waiting.id, ids) {
                    Some(layout) => layout.erase(bytes),
                    None => {
                        bytes.fill(0);
                        self.done.blanked += 1;
                    }
                }
            } else if !self.names.keeps(waiting.id, self.level) {
                match self.names.replace(waiting.id, bytes) {
                    Replaced::Name => self.done.names += 1,
                    Replaced::Value => self.done.strings += 1,
                }
            }
        }
    }
}
