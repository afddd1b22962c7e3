//! A dump's objects counted by class, without the graph: one reading, and memory for the classes
//! only, so it can be had of any dump.

use super::classes::Classes;
use super::index::{self, Flaws, Narrow, widths};
use super::record::{ClassDump, Kind, Root, Visitor};
use super::top::Top;
use super::{End, HprofError};
use crate::by_id::ById;
use crate::histogram::{ClassRow, HistogramTotal};
use crate::source::{Hands, Progress, Source};
use plimsoll_model::Bytes;

/// What a dump holds, by class, largest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub rows: Vec<ClassRow>,
    pub total: HistogramTotal,
    /// Where the dump ends before it should.
    pub cut: Option<End>,
    /// Segments whose rest is missing because of damage.
    pub damaged_parts: usize,
}

#[derive(Clone, Copy, Debug, Default)]
struct Counted {
    objects: u64,
    /// Arrays only: what they take, with references of 4 bytes and of 8.
    bytes: [u64; 2],
}

#[derive(Debug)]
struct Counter {
    id_size: u32,
    instances: ById<u64>,
    arrays: ById<Counted>,
    primitives: [Counted; 8],
    last: (u64, u64),
    classes: Vec<ClassDump>,
    narrow: Narrow,
}

impl Counter {
    fn new(id_size: u32) -> Self {
        Self {
            id_size,
            instances: ById::default(),
            arrays: ById::default(),
            primitives: [Counted::default(); 8],
            last: (0, 0),
            classes: Vec::new(),
            narrow: Narrow::default(),
        }
    }

    /// Objects of one class come in runs: counted beside the map, and added when the run ends.
    #[inline]
    fn count(&mut self, class: u64) {
        if self.last.0 != class {
            self.end_run();
            self.last.0 = class;
        }
        self.last.1 += 1;
    }

    fn end_run(&mut self) {
        let (class, count) = std::mem::take(&mut self.last);
        if count > 0 {
            *self.instances.entry(class).or_default() += count;
        }
    }

    fn is_empty(&self) -> bool {
        let primitives = self.primitives.iter().all(|counted| counted.objects == 0);
        primitives && self.instances.is_empty() && self.arrays.is_empty() && self.classes.is_empty()
    }

    fn merge(&mut self, mut other: Self) {
        self.end_run();
        other.end_run();
        for (class, count) in other.instances {
            *self.instances.entry(class).or_default() += count;
        }
        for (class, counted) in other.arrays {
            self.arrays.entry(class).or_default().add(counted);
        }
        for (all, one) in self.primitives.iter_mut().zip(other.primitives) {
            all.add(one);
        }
        self.classes.extend(other.classes);
        self.narrow.is_seen |= other.narrow.is_seen;
    }
}

impl Counted {
    fn add(&mut self, other: Self) {
        self.objects += other.objects;
        self.bytes.iter_mut().zip(other.bytes).for_each(|(all, one)| *all += one);
    }
}

impl Visitor for Counter {
    #[inline]
    fn instance(&mut self, _: u64, class: u64, _: &[u8]) {
        self.count(class);
    }

    fn array_begins(&mut self, id: u64, class: u64, length: u32) {
        self.narrow.array(id, length);
        let bytes = [true, false].map(|narrow| widths(self.id_size, narrow).references(length));
        self.arrays.entry(class).or_default().add(Counted { objects: 1, bytes });
    }

    fn array_part(&mut self, _: &[u8]) {}

    fn array_ends(&mut self) {}

    #[inline]
    fn primitives(&mut self, _: u64, kind: Kind, length: u32) {
        let bytes =
            [true, false].map(|narrow| widths(self.id_size, narrow).primitives(kind, length));
        if let Some(at) = Kind::PRIMITIVE.iter().position(|one| *one == kind) {
            self.primitives[at].add(Counted { objects: 1, bytes });
        }
    }

    fn class(&mut self, class: ClassDump) {
        self.classes.push(class);
    }

    fn root(&mut self, _: Root) {}
}

impl Tally {
    /// Counts the objects of a dump.
    ///
    /// # Errors
    /// When it is no dump, or cannot be read.
    pub fn read(
        source: &dyn Source,
        hands: &dyn Hands,
        progress: &dyn Progress,
    ) -> Result<Self, HprofError> {
        let top = Top::read(source)?;
        let begin_part = |counter: &mut Counter| counter.narrow.begin_part();
        let told = (progress, "counting objects");
        let begin = |_| Counter::new(top.id_size);
        let (counters, flaws) = index::read(source, &top, hands, told, begin, begin_part)?;
        let mut all = Counter::new(top.id_size);
        counters.into_iter().for_each(|counter| all.merge(counter));
        if all.is_empty() {
            return Err(HprofError::Empty);
        }
        Self::of(all, &top, flaws)
    }

    fn of(mut all: Counter, top: &Top, flaws: Flaws) -> Result<Self, HprofError> {
        all.classes.sort_unstable();
        let is_narrow = all.narrow.is_seen;
        let dumps = std::mem::take(&mut all.classes);
        let classes = Classes::new(dumps, top, widths(top.id_size, is_narrow))?;
        let bytes = |counted: &Counted| counted.bytes[usize::from(!is_narrow)];
        let mut found = vec![HistogramTotal::default(); classes.all.len()];
        let mut add = |class: u32, objects: u64, bytes: u64| {
            let row = &mut found[class as usize];
            row.instances += objects;
            row.bytes.0 = row.bytes.0.saturating_add(bytes);
        };
        let number = |id: &u64| classes.find(*id).unwrap_or(classes.unknown);
        for (id, objects) in &all.instances {
            let class = number(id);
            let size = classes.of(class).instance_size;
            add(class, *objects, objects.saturating_mul(size));
        }
        for (id, counted) in &all.arrays {
            add(number(id), counted.objects, bytes(counted));
        }
        for (kind, counted) in Kind::PRIMITIVE.iter().zip(&all.primitives) {
            add(classes.of_primitives(*kind), counted.objects, bytes(counted));
        }
        for (at, class) in (0_u32..).zip(&classes.all) {
            if let Some(of_class) = classes.class.filter(|_| class.dump.id != 0) {
                add(of_class, 1, classes.size_of_class(at));
            }
        }
        let rows = classes.all.iter().zip(found).filter(|(_, found)| found.instances > 0);
        let rows = rows.map(|(class, found)| ClassRow {
            class: class.name.clone(),
            instances: found.instances,
            bytes: found.bytes,
        });
        let mut rows: Vec<ClassRow> = rows.collect();
        rows.sort_by(|a, b| b.bytes.cmp(&a.bytes).then_with(|| a.class.cmp(&b.class)));
        let total = HistogramTotal {
            instances: rows.iter().map(|row| row.instances).sum(),
            bytes: Bytes(rows.iter().fold(0, |sum, row| sum.saturating_add(row.bytes.0))),
        };
        Ok(Self { rows, total, cut: flaws.cut, damaged_parts: flaws.damaged_parts })
    }
}
