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
        let (at, length) = *self.places.get(&id)?;
        let bytes = self.bytes.get(at as usize..(at + length) as usize)?;
        Some(String::from_utf8_lossy(bytes))
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
    /// Where the file ends before it should.
    pub cut: Option<End>,
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
                Ok(false) => break,
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
        let length = u64::from(window.u32()?);
        let begin = window.at();
        let is_cut = length > window.left();
        if matches!(tag, 0x0c | 0x1c) {
            let end = begin + length.min(window.left());
            self.segment(source, begin, end)?;
            if is_cut {
                self.cut = Some(End { at: end });
            }
            window.skip(length.min(window.left()))?;
            return Ok(true);
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

    /// How a class is named; None of one that was never loaded.
    pub(super) fn class_name(&self, class: u64) -> Option<String> {
        let name = self.names.get(*self.class_names.get(&class)?)?;
        Some(crate::class_name::readable(&name.replace('/', ".")))
    }
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
