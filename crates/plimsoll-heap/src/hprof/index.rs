//! The first reading of a dump's objects: which there are, their classes, and what holds them from
//! outside.

use super::addresses::{Addresses, Marks};
use super::classes::{Classes, Widths};
use super::record::{ClassDump, Kind, Root, Visitor, walk};
use super::top::Top;
use super::window::{Buffer, Stop, Window};
use super::{Damage, End, HprofError};
use crate::graph::NODES_MAX;
use crate::source::{Hands, Progress, Source, share};

/// What is known of the objects after they were read once.
#[derive(Debug)]
pub(super) struct Index {
    pub addresses: Addresses,
    pub classes: Classes,
    pub roots: Vec<Root>,
    pub flaws: Flaws,
}

/// Places that could not be read.
#[derive(Clone, Debug, Default)]
pub(super) struct Flaws {
    pub damage: Vec<Damage>,
    pub damaged_parts: usize,
    pub cut: Option<End>,
}

impl Flaws {
    /// Damage that is told one by one; the rest is counted.
    const TOLD_MAX: usize = 20;

    /// Notes why a part ended early; gives back what ends everything.
    pub(super) fn note(&mut self, stopped: Result<(), Stop>) -> Result<(), HprofError> {
        match stopped {
            Ok(()) => {}
            Err(Stop::Unreadable(error)) => return Err(HprofError::Unreadable(error)),
            Err(Stop::Cut { at }) => {
                self.cut = Some(self.cut.map_or(End { at }, |cut| End { at: cut.at.min(at) }));
            }
            Err(Stop::Damaged { at, what }) => {
                self.damaged_parts += 1;
                if self.damage.len() < Self::TOLD_MAX {
                    self.damage.push(Damage { at, what });
                }
            }
        }
        Ok(())
    }

    fn merge(&mut self, other: Self) {
        self.damage.extend(other.damage);
        self.damage.sort_by_key(|damage| damage.at);
        self.damage.truncate(Self::TOLD_MAX);
        self.damaged_parts += other.damaged_parts;
        let cuts = self.cut.into_iter().chain(other.cut);
        self.cut = cuts.min_by_key(|cut| cut.at);
    }
}

#[derive(Debug, Default)]
struct Found {
    marks: Marks,
    classes: Vec<ClassDump>,
    roots: Vec<Root>,
    narrow: Narrow,
}

impl Visitor for Found {
    #[inline]
    fn instance(&mut self, id: u64, _: u64, _: &[u8]) {
        self.marks.add(id);
    }

    fn array_begins(&mut self, id: u64, _: u64, length: u32) {
        self.marks.add(id);
        self.narrow.array(id, length);
    }

    fn array_part(&mut self, _: &[u8]) {}

    fn array_ends(&mut self) {}

    #[inline]
    fn primitives(&mut self, id: u64, _: Kind, _: u32) {
        self.marks.add(id);
    }

    fn class(&mut self, class: ClassDump) {
        self.marks.add(class.id);
        self.classes.push(class);
    }

    fn root(&mut self, root: Root) {
        self.roots.push(root);
    }
}

/// Tells whether references take 4 bytes where ids have 8, which no dump says: an array of
/// references that begins where the one before would not have ended yet.
#[derive(Debug, Default)]
pub(super) struct Narrow {
    before: Option<(u64, u64)>,
    pub(super) is_seen: bool,
}

impl Narrow {
    #[inline]
    pub(super) fn array(&mut self, id: u64, length: u32) {
        if let Some((begin, end)) = self.before {
            self.is_seen |= begin < id && id < end;
        }
        self.before = Some((id, id.saturating_add(16 + u64::from(length) * 8)));
    }

    /// A part begins: what was read before may lie anywhere.
    pub(super) fn begin_part(&mut self) {
        self.before = None;
    }
}

pub(super) fn widths(id_size: u32, is_narrow: bool) -> Widths {
    let pointer = u64::from(id_size);
    Widths { pointer, reference: if pointer == 8 && is_narrow { 4 } else { pointer } }
}

/// Reads parts of a dump with all hands; gives the visitors that the hands had.
pub(super) fn read<V: Visitor + Send>(
    source: &dyn Source,
    top: &Top,
    hands: &dyn Hands,
    told: (&dyn Progress, &'static str),
    begin: impl Fn(usize) -> V + Sync,
    begin_part: impl Fn(&mut V) + Sync,
) -> Result<(Vec<V>, Flaws), HprofError> {
    let (progress, stage) = told;
    let states = share(
        hands,
        top.parts.len(),
        |hand| (begin(hand), Buffer::default(), Flaws::default()),
        |(visitor, buffer, flaws), job| {
            let (from, to) = top.parts[job];
            progress.tell(stage, from, source.size());
            begin_part(visitor);
            let mut window = Window::new(source, buffer, from, to);
            let stopped = match top.id_size {
                4 => walk::<4>(&mut window, visitor),
                _ => walk::<8>(&mut window, visitor),
            };
            flaws.note(stopped.map_err(|stop| top.stopped(stop, to)))
        },
    )?;
    let mut all = Flaws { cut: top.cut, ..Flaws::default() };
    let mut visitors = Vec::new();
    for (visitor, _, flaws) in states {
        all.merge(flaws);
        visitors.push(visitor);
    }
    Ok((visitors, all))
}

impl Index {
    pub(super) fn read(
        source: &dyn Source,
        top: &Top,
        hands: &dyn Hands,
        progress: &dyn Progress,
    ) -> Result<Self, HprofError> {
        let begin_part = |found: &mut Found| found.narrow.begin_part();
        let told = (progress, "finding objects");
        let (found, flaws) = read(source, top, hands, told, |_| Found::default(), begin_part)?;
        let is_narrow = found.iter().any(|found| found.narrow.is_seen);
        let (mut marks, mut dumps, mut roots) = (Vec::new(), Vec::new(), Vec::new());
        for found in found {
            marks.push(found.marks);
            dumps.extend(found.classes);
            roots.extend(found.roots);
        }
        // Which hand came across what is chance, and must not show.
        dumps.sort_unstable();
        roots.sort_unstable();
        let addresses = Addresses::of(marks, NODES_MAX).ok_or(HprofError::TooManyObjects)?;
        let classes = Classes::new(dumps, top, widths(top.id_size, is_narrow))?;
        Ok(Self { addresses, classes, roots, flaws })
    }
}
