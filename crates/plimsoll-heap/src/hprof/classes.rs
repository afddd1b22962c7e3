//! The classes of a dump: what their instances refer to, and what these take.
//!
//! Sizes are reckoned from fields as Eclipse MAT does, so that both tools say the same of one dump:
//! a header, then the fields of each class rounded up to a reference, then the whole to 8 bytes.
//! (The size that a dump states is not used: agents and Android write their own idea of it.)

use super::HprofError;
use super::record::{ClassDump, Kind};
use super::top::Top;
use crate::by_id::ById;

/// Objects begin at multiples of this, in bytes.
const ALIGNMENT: u64 = 8;

/// Classes above one another at most: real ones stay below 30.
const DEPTH_MAX: usize = 256;

/// Steps that laying out all classes may take: each goes over its own fields and those of all above
/// it. A hundred thousand real classes take some 10 million; a hostile dump of a megabyte could ask
/// for a billion, and 4 bytes of memory for each.
const LAYOUT_STEPS_MAX: usize = 1 << 24;

/// What a pointer and a reference take, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Widths {
    pub pointer: u64,
    pub reference: u64,
}

impl Widths {
    const fn header(self) -> u64 {
        self.pointer + self.reference
    }

    pub(super) const fn references(self, length: u32) -> u64 {
        let length = length as u64 * self.reference;
        (self.header() + 4 + length).next_multiple_of(ALIGNMENT)
    }

    pub(super) const fn primitives(self, kind: Kind, length: u32) -> u64 {
        let begin = (self.header() + 4).next_multiple_of(self.reference);
        (begin + length as u64 * kind.width(0)).next_multiple_of(ALIGNMENT)
    }
}

#[derive(Clone, Debug, Default)]
pub(super) struct Class {
    pub dump: ClassDump,
    pub name: String,
    /// Where its instances have references, in bytes from their first field.
    pub references: Vec<u32>,
    /// Where a reference object has the reference that does not keep its target alive.
    pub referent: Option<u32>,
    pub instance_size: u64,
}

#[derive(Debug)]
pub(super) struct Classes {
    pub all: Vec<Class>,
    by_id: ById<u32>,
    /// By kind of their elements: classes of arrays of primitives.
    primitives: [u32; 8],
    /// What objects have whose class is not in the dump.
    pub unknown: u32,
    /// `java.lang.Class`, if there.
    pub class: Option<u32>,
    pub widths: Widths,
}

impl Classes {
    /// Of all that a dump tells of classes.
    pub(super) fn new(
        dumps: Vec<ClassDump>,
        top: &Top,
        widths: Widths,
    ) -> Result<Self, HprofError> {
        let mut all: Vec<Class> = Vec::with_capacity(dumps.len());
        let mut by_id = ById::default();
        for dump in dumps {
            by_id.entry(dump.id).or_insert_with(|| {
                let name = top.class_name(dump.id);
                let name = name.unwrap_or_else(|| format!("class 0x{:x}", dump.id));
                all.push(Class { dump, name, ..Class::default() });
                all.len() as u32 - 1
            });
        }
        let mut classes = Self { all, by_id, primitives: [0; 8], unknown: 0, class: None, widths };
        classes.class = classes.named("java.lang.Class");
        classes.primitives = Kind::PRIMITIVE.map(|kind| {
            let name = crate::class_name::readable(kind.array_name());
            classes.named(&name).unwrap_or_else(|| classes.add(name))
        });
        classes.unknown = classes.add("(class not in the dump)".into());
        let mut steps = LAYOUT_STEPS_MAX;
        for at in 0..classes.all.len() {
            let taken = classes.lay_out(at, top, steps);
            steps = steps.checked_sub(taken).ok_or(HprofError::TooManyFields)?;
        }
        Ok(classes)
    }

    fn add(&mut self, name: String) -> u32 {
        self.all.push(Class { name, ..Class::default() });
        self.all.len() as u32 - 1
    }

    /// The first of a name, by a loader that came with the JVM if there is such.
    pub(super) fn named(&self, name: &str) -> Option<u32> {
        let found = (0..).zip(&self.all).filter(|(_, class)| class.name == name);
        found.min_by_key(|(_, class)| class.dump.loader != 0).map(|(at, _)| at)
    }

    pub(super) fn find(&self, id: u64) -> Option<u32> {
        self.by_id.get(&id).copied()
    }

    pub(super) fn of(&self, number: u32) -> &Class {
        &self.all[number as usize]
    }

    pub(super) fn of_primitives(&self, kind: Kind) -> u32 {
        let at = Kind::PRIMITIVE.iter().position(|one| *one == kind);
        at.map_or(self.unknown, |at| self.primitives[at])
    }

    /// The class and all above it.
    pub(super) fn line(&self, number: u32) -> impl Iterator<Item = &Class> {
        let first = self.all.get(number as usize);
        let above = |class: &&Class| self.find(class.dump.above).map(|at| self.of(at));
        std::iter::successors(first, above).take(DEPTH_MAX)
    }

    /// Says how many steps it took; gives up beyond `steps`.
    fn lay_out(&mut self, number: usize, top: &Top, steps: usize) -> usize {
        let mut taken = 0;
        let wide = u64::from(top.id_size);
        let (mut at, mut references, mut referent) = (0_u64, Vec::new(), None);
        let mut depths = Vec::new();
        for class in self.line(number as u32) {
            taken += 1 + class.dump.fields.len();
            if taken > steps {
                break;
            }
            let mut own = 0;
            for (name, kind) in &class.dump.fields {
                if *kind == Kind::Reference {
                    let place = u32::try_from(at).unwrap_or(u32::MAX);
                    if class.name == "java.lang.ref.Reference"
                        && top.names.get(*name).is_some_and(|name| name == "referent")
                    {
                        referent = Some(place);
                    }
                    references.push(place);
                }
                at += kind.width(wide);
                own += kind.width(self.widths.reference);
            }
            depths.push(own);
        }
        // The topmost class is `Object`, which has a header and no fields.
        let rest = depths.iter().rev().skip(1);
        let size = rest.fold(self.widths.header(), |size, own| {
            (size + own).next_multiple_of(self.widths.reference)
        });
        let class = &mut self.all[number];
        class.references = references;
        class.referent = referent;
        class.instance_size = size.next_multiple_of(ALIGNMENT);
        taken
    }

    /// What a class takes as an object: its static fields, and what each of `java.lang.Class` does.
    pub(super) fn size_of_class(&self, number: u32) -> u64 {
        let dump = &self.of(number).dump;
        // Signers and protection domain are always there, the two reserved ones if set.
        let reserved = dump.others[2..].iter().filter(|other| **other != 0).count() as u64;
        let references = dump.held_references + 2 + reserved;
        let statics = references * self.widths.reference + dump.held_bytes;
        let instance = self.class.map_or(0, |class| self.of(class).instance_size);
        statics.next_multiple_of(ALIGNMENT) + instance
    }
}
