//! The records inside of a heap dump's segments: objects, classes and roots.
//!
//! HPROF 1.0.1 and 1.0.2 as HotSpot writes them, and Android's 1.0.3. Sources: the JDK's
//! `heapDumper.cpp`, and ART's `hprof.cc`. Not here: the records around them (`top`), and what is
//! made of them (`index`, `link`).

use super::RootKind;
use super::window::{PIECE_MAX, Stop, Window};

/// What a field or an element is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Reference,
    Boolean,
    Char,
    Float,
    Double,
    Byte,
    Short,
    Int,
    Long,
}

impl Kind {
    pub(super) const PRIMITIVE: [Self; 8] = [
        Self::Boolean,
        Self::Char,
        Self::Float,
        Self::Double,
        Self::Byte,
        Self::Short,
        Self::Int,
        Self::Long,
    ];

    pub(super) fn of(tag: u8) -> Option<Self> {
        match tag {
            2 => Some(Self::Reference),
            4..=11 => Some(Self::PRIMITIVE[usize::from(tag - 4)]),
            _ => None,
        }
    }

    /// Bytes in memory, where a reference takes `reference`.
    pub(super) const fn width(self, reference: u64) -> u64 {
        match self {
            Self::Reference => reference,
            Self::Boolean | Self::Byte => 1,
            Self::Char | Self::Short => 2,
            Self::Float | Self::Int => 4,
            Self::Double | Self::Long => 8,
        }
    }

    /// As a class of arrays of it is named.
    pub(super) const fn array_name(self) -> &'static str {
        match self {
            Self::Reference => "[Ljava.lang.Object;",
            Self::Boolean => "[Z",
            Self::Char => "[C",
            Self::Float => "[F",
            Self::Double => "[D",
            Self::Byte => "[B",
            Self::Short => "[S",
            Self::Int => "[I",
            Self::Long => "[J",
        }
    }
}

/// A class, as far as it says something about references and sizes.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ClassDump {
    pub id: u64,
    pub above: u64,
    pub loader: u64,
    /// What the class refers to besides: signers, protection domain and two reserved ones.
    pub others: [u64; 4],
    /// Static fields of references: name and target.
    pub statics: Vec<(u64, u64)>,
    /// Constants that are references: index and target.
    pub constants: Vec<(u16, u64)>,
    /// Static fields and constants by number of references and bytes of the rest.
    pub held_references: u64,
    pub held_bytes: u64,
    /// Its own fields in the order of its instances: name and kind.
    pub fields: Vec<(u64, Kind)>,
}

/// Something that keeps an object alive from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Root {
    pub id: u64,
    pub kind: RootKind,
    /// The serial number of the thread that it belongs to.
    pub thread: Option<u32>,
    /// The place in the thread's stack; of a thread, the serial number of its stack.
    pub frame: u32,
}

/// Who is told what stands in a segment. Elements of an array of references come in parts, each a
/// whole number of ids.
pub(super) trait Visitor {
    fn instance(&mut self, id: u64, class: u64, fields: &[u8]);
    fn array_begins(&mut self, id: u64, class: u64, length: u32);
    fn array_part(&mut self, ids: &[u8]);
    fn array_ends(&mut self);
    fn primitives(&mut self, id: u64, kind: Kind, length: u32);
    /// Elements of the array just told, in parts; only if wanted.
    fn wants_primitives(&self) -> bool {
        false
    }
    fn primitives_part(&mut self, _values: &[u8]) {}
    fn class(&mut self, class: ClassDump);
    fn root(&mut self, root: Root);
}

/// Tells everything in a part of a dump, to its end.
pub(super) fn walk<const W: usize>(
    window: &mut Window<'_>,
    visitor: &mut impl Visitor,
) -> Result<(), Stop> {
    while window.left() > 0 {
        step::<W>(window, visitor)?;
    }
    Ok(())
}

/// Tells one record.
#[inline]
pub(super) fn step<const W: usize>(
    window: &mut Window<'_>,
    visitor: &mut impl Visitor,
) -> Result<(), Stop> {
    window.begin_record();
    match window.u8()? {
        0x21 => instance::<W>(window, visitor),
        0x22 => references::<W>(window, visitor),
        0x23 => primitives::<W>(window, visitor, true),
        // Android: an array whose elements were left out.
        0xc3 => primitives::<W>(window, visitor, false),
        0x20 => {
            let class = class::<W>(window)?;
            visitor.class(class);
            Ok(())
        }
        // Android: which heap the next records belong to, and its name.
        0xfe => window.skip(4 + W as u64),
        tag => root::<W>(window, visitor, tag),
    }
}

#[inline]
fn instance<const W: usize>(
    window: &mut Window<'_>,
    visitor: &mut impl Visitor,
) -> Result<(), Stop> {
    let id = window.id::<W>()?;
    window.skip(4)?;
    let class = window.id::<W>()?;
    let length = window.u32()? as usize;
    let fields = window.take(length)?;
    visitor.instance(id, class, fields);
    Ok(())
}

fn references<const W: usize>(
    window: &mut Window<'_>,
    visitor: &mut impl Visitor,
) -> Result<(), Stop> {
    let id = window.id::<W>()?;
    window.skip(4)?;
    let length = window.u32()?;
    let class = window.id::<W>()?;
    if u64::from(length) * W as u64 > window.left() {
        // Said before the first part, so that no half array is taken for a whole one.
        window.skip(u64::from(length) * W as u64)?;
    }
    visitor.array_begins(id, class, length);
    let mut left = length as usize * W;
    while left > 0 {
        let part = left.min(PIECE_MAX);
        visitor.array_part(window.take(part)?);
        left -= part;
    }
    visitor.array_ends();
    Ok(())
}

fn primitives<const W: usize>(
    window: &mut Window<'_>,
    visitor: &mut impl Visitor,
    has_elements: bool,
) -> Result<(), Stop> {
    let id = window.id::<W>()?;
    window.skip(4)?;
    let length = window.u32()?;
    let kind = Kind::of(window.u8()?).filter(|kind| *kind != Kind::Reference);
    let kind = kind.ok_or_else(|| window.damaged("an array of an unknown kind"))?;
    let mut left = if has_elements { u64::from(length) * kind.width(0) } else { 0 };
    if left > window.left() || !visitor.wants_primitives() {
        window.skip(left)?;
        visitor.primitives(id, kind, length);
        return Ok(());
    }
    visitor.primitives(id, kind, length);
    while left > 0 {
        let part = left.min(PIECE_MAX as u64);
        visitor.primitives_part(window.take(part as usize)?);
        left -= part;
    }
    Ok(())
}

fn class<const W: usize>(window: &mut Window<'_>) -> Result<ClassDump, Stop> {
    let id = window.id::<W>()?;
    window.skip(4)?;
    let mut class =
        ClassDump { id, above: window.id::<W>()?, loader: window.id::<W>()?, ..Default::default() };
    for other in &mut class.others {
        *other = window.id::<W>()?;
    }
    // What an instance takes is reckoned from its fields, as for dumps that do not tell.
    window.skip(4)?;
    for _ in 0..window.u16()? {
        let index = window.u16()?;
        if let Some(target) = held::<W>(window, &mut class)? {
            class.constants.push((index, target));
        }
    }
    for _ in 0..window.u16()? {
        let name = window.id::<W>()?;
        if let Some(target) = held::<W>(window, &mut class)? {
            class.statics.push((name, target));
        }
    }
    for _ in 0..window.u16()? {
        let name = window.id::<W>()?;
        let kind = kind(window)?;
        class.fields.push((name, kind));
    }
    Ok(class)
}

/// A value that a class holds; its target if it is a reference to something.
fn held<const W: usize>(
    window: &mut Window<'_>,
    class: &mut ClassDump,
) -> Result<Option<u64>, Stop> {
    let kind = kind(window)?;
    if kind == Kind::Reference {
        class.held_references += 1;
        let target = window.id::<W>()?;
        return Ok((target != 0).then_some(target));
    }
    class.held_bytes += kind.width(0);
    window.skip(kind.width(0))?;
    Ok(None)
}

fn kind(window: &mut Window<'_>) -> Result<Kind, Stop> {
    let tag = window.u8()?;
    Kind::of(tag).ok_or_else(|| window.damaged("a field of an unknown kind"))
}

fn root<const W: usize>(
    window: &mut Window<'_>,
    visitor: &mut impl Visitor,
    tag: u8,
) -> Result<(), Stop> {
    let (kind, has_thread, has_frame) = match tag {
        0xff => (RootKind::Unknown, false, false),
        0x01 => (RootKind::JniGlobal, false, false),
        0x02 => (RootKind::JniLocal, true, true),
        0x03 => (RootKind::Frame, true, true),
        0x04 => (RootKind::NativeStack, true, false),
        0x05 => (RootKind::SystemClass, false, false),
        0x06 => (RootKind::ThreadBlock, true, false),
        0x07 => (RootKind::Monitor, false, false),
        0x08 => (RootKind::Thread, true, true),
        0x89 => (RootKind::InternedString, false, false),
        0x8a => (RootKind::Finalizing, false, false),
        0x8b => (RootKind::Debugger, false, false),
        0x8c => (RootKind::ReferenceCleanup, false, false),
        0x8d => (RootKind::Runtime, false, false),
        0x8e => (RootKind::Monitor, true, true),
        // Android: not alive, and told for the record only.
        0x90 => return window.skip(W as u64),
        _ => return Err(window.damaged("a record of an unknown kind")),
    };
    let id = window.id::<W>()?;
    if tag == 0x01 {
        window.skip(W as u64)?;
    }
    let thread = if has_thread { Some(window.u32()?) } else { None };
    let frame = if has_frame { window.u32()? } else { 0 };
    visitor.root(Root { id, kind, thread, frame });
    Ok(())
}
