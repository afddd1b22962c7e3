//! The records of the file itself: names, classes that were loaded, stacks, and where the segments
//! with the objects are.
//!
//! Source: the comment at the head of the JDK's `heapDumper.cpp`. Not here: what is inside of a
//! segment (`record`).

use std::collections::HashMap;

use super::record::{self, ClassDump, Kind, Root, Visitor};
use super::window::{Buffer, Stop, Window, id};
use super::{End, HprofError};
use crate::source::Source;

/// Bytes of all names at most. A JVM writes all its symbols: 5 to 30 MB in large services.
const NAMES_BYTES_MAX: usize = 512 << 20;

/// Bytes of a class's name that are kept. Each class keeps its own, and a hostile dump could give
/// one name of 64 KB to each of its classes, which take 70 bytes; compilers stay below 300, because
/// names become names of files.
const CLASS_NAME_BYTES_MAX: usize = 1024;

/// Segments are cut where they are longer, in bytes, so that several hands have work: old JVMs and
/// `hprof` agents write the whole heap as one.
const PART: u64 = 8 << 20;

const MAGIC: &[u8] = b"JAVA PROFILE 1.0.";

/// Names by id, in one piece of memory.
#[derive(Debug, Default)]
pub(super) struct Names {
    places: HashMap<u64, (u32, u32)>,
    bytes: Vec<u8>,
}

impl Names {
    fn add(&mut self, id: u64, name: &[u8]) {
        if self.bytes.len() + name.len() <= NAMES_BYTES_MAX {
            self.places.insert(id, (self.bytes.len() as u32, name.len() as u32));
            self.bytes.extend_from_slice(name);
        }
    }

    pub(super) fn get(&self, id: u64) -> Option<std::borrow::Cow<'_, str>> {
        self.bytes(id).map(String::from_utf8_lossy)
    }

    fn bytes(&self, id: u64) -> Option<&[u8]> {
        let (at, length) = *self.places.get(&id)?;
        self.bytes.get(at as usize..(at + length) as usize)
    }
}

/// A frame of a stack.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame {
    pub method: u64,
    pub file: u64,
    pub class_serial: u32,
    pub line: i32,
}

/// Everything of the file but the objects.
#[derive(Debug, Default)]
pub(super) struct Top {
    pub id_size: u32,
    pub names: Names,
    /// By id of a class: the id of its name.
    pub class_names: HashMap<u64, u64>,
    pub class_serials: HashMap<u32, u64>,
    pub frames: HashMap<u64, Frame>,
    /// By serial number: the thread that it belongs to, and its frames from the innermost.
    pub stacks: HashMap<u32, Vec<u64>>,
    /// Where objects are, from and to.
    pub parts: Vec<(u64, u64)>,
    /// Dumps in the file: agents of old JVMs write one behind the other. The last whole one is
    /// read, because a leak is largest there; all together would count each object twice.
    pub dumps: u32,
    /// What the dump that is open has, until the next one begins.
    open: Open,
    /// Where the file ends before it should.
    pub cut: Option<End>,
}

/// How far the dump is that was begun last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Open {
    /// None, or one that ended.
    #[default]
    Nothing,
    /// One that is a single record.
    Whole,
    /// Segments, which a record of its own ends.
    Segments,
}

impl Top {
    pub(super) fn read(source: &dyn Source) -> Result<Self, HprofError> {
        let mut buffer = Buffer::default();
        let mut top = Self::default();
        let mut window = Window::new(source, &mut buffer, 0, source.size());
        top.header(&mut window)?;
        loop {
            match top.record(source, &mut window) {
                Ok(true) => {}
                Ok(false) => {
                    if top.open == Open::Segments {
                        top.cut = Some(End { at: source.size() });
                    }
                    break;
                }
                Err(Stop::Unreadable(error)) => return Err(HprofError::Unreadable(error)),
                Err(Stop::Cut { at } | Stop::Damaged { at, .. }) => {
                    top.cut = Some(End { at });
                    break;
                }
            }
        }
        Ok(top)
    }

    fn header(&mut self, window: &mut Window<'_>) -> Result<(), HprofError> {
        let no_dump = |_| HprofError::NoHprof;
        let magic = window.take(MAGIC.len()).map_err(no_dump)?;
        if magic != MAGIC {
            return Err(HprofError::NoHprof);
        }
        let version = window.array::<2>().map_err(no_dump)?;
        if !matches!(version, [b'1'..=b'3', 0]) {
            return Err(HprofError::Version(char::from(version[0])));
        }
        self.id_size = window.u32().map_err(no_dump)?;
        if !matches!(self.id_size, 4 | 8) {
            return Err(HprofError::IdSize(self.id_size));
        }
        window.skip(8).map_err(no_dump)
    }

    /// Takes a record; false at the end of the file.
    fn record(&mut self, source: &dyn Source, window: &mut Window<'_>) -> Result<bool, Stop> {
        if window.left() == 0 {
            return Ok(false);
        }
        window.begin_record();
        let tag = window.u8()?;
        window.skip(4)?;
        let mut length = u64::from(window.u32()?);
        let begin = window.at();
        if matches!(tag, 0x0c | 0x1c) && length == 0 && is_unfinished(window)? {
            length = u64::MAX;
        }
        let is_cut = length > window.left();
        match tag {
            0x0c | 0x1c => {
                let end = begin + length.min(window.left());
                if self.is_read(tag, is_cut) {
                    self.segment(source, begin, end)?;
                }
                if is_cut {
                    self.cut = Some(End { at: end });
                }
                window.skip(end - begin)?;
                return Ok(true);
            }
            0x2c => self.open = Open::Nothing,
            _ => {}
        }
        match (self.id_size, is_cut) {
            (_, true) => return Err(Stop::Cut { at: window.at() }),
            (4, false) => self.told::<4>(window, tag, length)?,
            (_, false) => self.told::<8>(window, tag, length)?,
        }
        let taken = window.at() - begin;
        window.skip(length.saturating_sub(taken))?;
        Ok(true)
    }

    fn told<const W: usize>(
        &mut self,
        window: &mut Window<'_>,
        tag: u8,
        length: u64,
    ) -> Result<(), Stop> {
        let is_whole = |least: usize| length >= least as u64;
        match tag {
            0x01 if is_whole(W) => {
                let id = window.id::<W>()?;
                let length = length as usize - W;
                // Longer texts are no names: the class file format ends them at 65 535 bytes.
                if length <= usize::from(u16::MAX) {
                    self.names.add(id, window.take(length)?);
                }
            }
            0x02 if is_whole(8 + 2 * W) => {
                let serial = window.u32()?;
                let class = window.id::<W>()?;
                window.skip(4)?;
                let name = window.id::<W>()?;
                self.class_names.insert(class, name);
                self.class_serials.insert(serial, class);
            }
            0x04 if is_whole(8 + 4 * W) => {
                let frame = window.id::<W>()?;
                let method = window.id::<W>()?;
                window.skip(W as u64)?;
                let file = window.id::<W>()?;
                let class_serial = window.u32()?;
                let line = i32::from_be_bytes(window.array()?);
                self.frames.insert(frame, Frame { method, file, class_serial, line });
            }
            0x05 if is_whole(12) => self.stack::<W>(window, length)?,
            _ => {}
        }
        Ok(())
    }

    fn stack<const W: usize>(&mut self, window: &mut Window<'_>, length: u64) -> Result<(), Stop> {
        let serial = window.u32()?;
        window.skip(4)?;
        let frames = u64::from(window.u32()?).min((length - 12) / W as u64);
        let mut stack = Vec::new();
        for _ in 0..frames {
            stack.push(id::<W>(window.take(W)?));
        }
        self.stacks.insert(serial, stack);
        Ok(())
    }

    /// Whether a segment is of the dump to read; forgets the parts of one before.
    fn is_read(&mut self, tag: u8, is_cut: bool) -> bool {
        let is_same = tag == 0x1c && self.open == Open::Segments;
        self.open = if tag == 0x1c { Open::Segments } else { Open::Whole };
        if is_same {
            return true;
        }
        self.dumps += 1;
        if is_cut && !self.parts.is_empty() {
            return false;
        }
        self.parts.clear();
        true
    }

    /// Notes a segment, in parts that begin with a record each.
    fn segment(&mut self, source: &dyn Source, begin: u64, end: u64) -> Result<(), Stop> {
        if end - begin <= 2 * PART {
            self.parts.push((begin, end));
            return Ok(());
        }
        let mut buffer = Buffer::default();
        let mut window = Window::new(source, &mut buffer, begin, end);
        let mut last = begin;
        while window.left() > 0 {
            let stopped = match self.id_size {
                4 => record::step::<4>(&mut window, &mut Nobody),
                _ => record::step::<8>(&mut window, &mut Nobody),
            };
            match stopped {
                Ok(()) if window.at() - last >= PART => {
                    self.parts.push((last, window.at()));
                    last = window.at();
                }
                Ok(()) => {}
                Err(Stop::Unreadable(error)) => return Err(Stop::Unreadable(error)),
                // Whoever reads the part comes to the same place, and says what is wrong there.
                Err(Stop::Cut { .. } | Stop::Damaged { .. }) => break,
            }
        }
        self.parts.push((last, end));
        Ok(())
    }

    /// What it means that reading a part stopped: only what ends with the file can be cut off.
    pub(super) fn stopped(&self, stop: Stop, part_end: u64) -> Stop {
        let ends_early = self.cut.is_some_and(|cut| cut.at <= part_end);
        match stop {
            Stop::Cut { at } if !ends_early => {
                Stop::Damaged { at, what: "a record that is longer than its segment" }
            }
            other => other,
        }
    }

    /// How a class is named; None of one that was never loaded.
    pub(super) fn class_name(&self, class: u64) -> Option<String> {
        let name = self.names.bytes(*self.class_names.get(&class)?)?;
        let kept = String::from_utf8_lossy(&name[..name.len().min(CLASS_NAME_BYTES_MAX)]);
        let mut kept = crate::class_name::readable(&kept.replace('/', "."));
        if name.len() > CLASS_NAME_BYTES_MAX {
            kept.push_str("...");
        }
        Some(kept)
    }
}

/// Whether what follows a segment of no length is its first record. JDK 8 writes the length when the
/// dump is done, so that of a JVM that was killed while it wrote has none.
fn is_unfinished(window: &mut Window<'_>) -> Result<bool, Stop> {
    Ok(window.left() > 0 && matches!(window.peek()?, 0x20..=0x23))
}

/// Wants to know where records end, and nothing else.
struct Nobody;

impl Visitor for Nobody {
    fn instance(&mut self, _: u64, _: u64, _: &[u8]) {}
    fn array_begins(&mut self, _: u64, _: u64, _: u32) {}
    fn array_part(&mut self, _: &[u8]) {}
    fn array_ends(&mut self) {}
    fn primitives(&mut self, _: u64, _: Kind, _: u32) {}
    fn class(&mut self, _: ClassDump) {}
    fn root(&mut self, _: Root) {}
}
