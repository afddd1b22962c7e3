//! The records within the heap of an HPROF dump: roots, classes, instances and arrays.
//!
//! Used by the redaction around it, whose state this goes on with.

use super::super::RedactError;
use super::super::be::{Ids, number};
use super::super::class::{ClassDump, NoClass};
use super::{Hprof, Pass, Step, WHOLE_MAX, Waiting};

impl Hprof {
    pub(super) fn heap_record(&mut self, ids: Ids) -> Result<Step, RedactError> {
        let id = ids.size();
        let Some(tag) = self.rest().first().copied() else { return Ok(Step::NeedsMore) };
        // A root of some kind: how many bytes follow its tag.
        let root = match tag {
            0xFF | 0x05 | 0x07 | 0x89..=0x8D | 0x90 => Some(id),
            0x01 => Some(2 * id),
            0x02 | 0x03 | 0x08 | 0x8E => Some(id + 8),
            0x04 | 0x06 => Some(id + 4),
            0xC3 => Some(id + 9),
            0xFE => Some(4 + id),
            _ => None,
        };
        match (tag, root) {
            (_, Some(length)) => self.keep(length, tag, ids),
            (0x20, None) => self.class(ids),
            (0x21, None) => self.instance(ids),
            (0x22 | 0x23, None) => self.array(tag, ids),
            (_, None) => Err(self.damaged("a record of the heap has an unknown tag")),
        }
    }

    /// Takes bytes of the heap record: the tag and so many more.
    fn spend(&mut self, bytes: u64) -> Result<(), RedactError> {
        let left = self.heap.checked_sub(bytes);
        self.heap = left.ok_or_else(|| self.damaged("a record goes beyond the one around it"))?;
        Ok(())
    }

    fn keep(&mut self, length: usize, tag: u8, ids: Ids) -> Result<Step, RedactError> {
        if self.rest().len() < 1 + length {
            return Ok(Step::NeedsMore);
        }
        self.spend(1 + length as u64)?;
        if let (0xFE, Some(name)) = (tag, ids.at(self.rest(), 5)) {
            // The name of a heap of Android: "app", "zygote".
            self.names.is_name(name, true);
        }
        self.at += 1 + length;
        Ok(Step::Done)
    }

    fn class(&mut self, ids: Ids) -> Result<Step, RedactError> {
        let rest = self.rest();
        // Another look at each byte that comes would take the square of the bytes.
        if rest.len() < self.wanted {
            return Ok(Step::NeedsMore);
        }
        let (dump, end) = ClassDump::read(&rest[1..], ids);
        match end {
            Ok(()) => {}
            Err(NoClass::Cut) if rest.len() as u64 > self.heap => {
                return Err(self.damaged("a class goes beyond the record around it"));
            }
            Err(NoClass::Cut) => {
                self.wanted = (rest.len() + rest.len() / 2).min(self.heap as usize);
                return Ok(Step::NeedsMore);
            }
            Err(NoClass::Type(at)) => {
                let at = self.offset() + 1 + at as u64;
                return Err(RedactError::Damaged { at, what: "a field has an unknown type" });
            }
        }
        self.wanted = 0;
        self.spend(1 + dump.size as u64)?;
        self.done.erased += dump.erase(&mut self.buffer[self.at + 1..]);
        let of_platform = self.platform.get(&dump.class).copied().unwrap_or(false);
        let has_room = dump.names.iter().all(|name| self.names.is_name(*name, of_platform));
        if !has_room {
            return Err(self.damaged("there are too many names"));
        }
        self.at += 1 + dump.size;
        self.done.classes += 1;
        if !self.classes.add(dump) {
            return Err(self.damaged("there are too many classes"));
        }
        Ok(Step::Done)
    }

    fn instance(&mut self, ids: Ids) -> Result<Step, RedactError> {
        let id = ids.size();
        let head = 1 + 2 * id + 8;
        let rest = self.rest();
        let (Some(class), Some(length)) = (ids.at(rest, 5 + id), number(rest, head - 4, 4)) else {
            return Ok(Step::NeedsMore);
        };
        let whole = head + length as usize;
        if length <= WHOLE_MAX && rest.len() < whole {
            return Ok(Step::NeedsMore);
        }
        self.spend(whole as u64)?;
        self.done.instances += 1;
        if length > WHOLE_MAX {
            self.done.blanked += 1;
            self.at += head;
            self.pass = Pass::Erase(length);
            return Ok(Step::Done);
        }
        let begin = self.at + head;
        self.at += whole;
        match self.classes.layout(class, ids) {
            Some(layout) => {
                layout.erase(&mut self.buffer[begin..begin + length as usize]);
                // Where classes come first, the first object says that all of them came.
                if !self.is_android && !self.instance_waits && !self.waiting.is_empty() {
                    self.settle();
                }
            }
            None => {
                let at = self.base + begin as u64;
                let (length, id) = (length as u32, class);
                self.waiting.push(Waiting { at, length, id, is_instance: true });
                self.instance_waits = true;
            }
        }
        Ok(Step::Done)
    }

    fn array(&mut self, tag: u8, ids: Ids) -> Result<Step, RedactError> {
        let id = ids.size();
        let rest = self.rest();
        let Some(count) = number(rest, 5 + id, 4) else { return Ok(Step::NeedsMore) };
        let head = 9 + id + if tag == 0x22 { id } else { 1 };
        if rest.len() < head {
            return Ok(Step::NeedsMore);
        }
        let element = if tag == 0x22 { Some(id) } else { ids.size_of(rest[head - 1]) };
        let element = element.ok_or_else(|| self.damaged("an array has an unknown type"))?;
        let length = count * element as u64;
        self.spend(head as u64 + length)?;
        self.at += head;
        self.done.arrays += 1;
        self.pass = if tag == 0x22 { Pass::Keep(length) } else { Pass::Erase(length) };
        Ok(Step::Done)
    }
}
