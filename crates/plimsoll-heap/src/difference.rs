//! What grew between two or more looks at one program's heap, by owner and field.
//!
//! Rows are collections, or objects that hang somewhere for themselves, whose content grew; what
//! hangs below something that grew is counted there and nowhere else, so rows add up to the growth of
//! the heap. Work that a running method holds is told apart, and never blamed.

use std::collections::{BTreeMap, HashMap};
use std::io;

use crate::shape::{Label, Role, Shape};
use crate::signatures::{Key, Signature, Signatures, TOP};

/// Growth in one place.
#[derive(Clone, Debug, PartialEq)]
pub struct Growth {
    /// The class that has the field, or what the place hangs below.
    pub owner: Option<String>,
    pub field: Option<String>,
    pub is_static: bool,
    /// The type of the collection, or of the objects themselves.
    pub collection: String,
    /// What there is more of, by type; the largest first.
    pub elements: Vec<Grown>,
    /// What the last look has more than the first, in bytes.
    pub bytes: i64,
    /// Whether it grew from each look to the next.
    pub is_steady: bool,
    /// Whether it is held by work that was going on.
    pub is_in_flight: bool,
    /// Whether the owner, or what there is more of, is of the program itself.
    pub is_own: bool,
    /// A node of the last heap: the collection, or one of the objects.
    pub example: u32,
}

/// More of one type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grown {
    pub kind: String,
    pub count: i64,
}

/// What a whole comparison says.
#[derive(Clone, Debug, PartialEq)]
pub struct HeapDifference {
    pub rows: Vec<Growth>,
    /// What is alive more in the last look than in the first, in bytes.
    pub bytes: i64,
}

#[derive(Default)]
struct Row {
    elements: BTreeMap<String, i64>,
    bytes: i64,
    steps: Vec<i64>,
    is_own: bool,
    is_in_flight: bool,
}

struct Comparison<'a> {
    looks: &'a [Signatures],
    last: &'a Signatures,
    rows: HashMap<Key, Row>,
}

/// Compares looks in the order of time; `shape` is the heap of the last one.
///
/// # Errors
/// When names cannot be read from the last dump.
pub fn heap_difference(looks: &[Signatures], shape: &dyn Shape) -> io::Result<HeapDifference> {
    let Some(last) = looks.last() else {
        return Ok(HeapDifference { rows: Vec::new(), bytes: 0 });
    };
    let mut comparison = Comparison { looks, last, rows: HashMap::new() };
    let mut keys: Vec<Key> = looks.iter().flat_map(|look| look.all.keys().copied()).collect();
    keys.sort_unstable();
    keys.dedup();
    for key in keys {
        comparison.add(key);
    }
    let rows = comparison.rows(shape)?;
    let bytes = last.alive.cast_signed() - looks[0].alive.cast_signed();
    Ok(HeapDifference { rows, bytes })
}

impl Comparison<'_> {
    fn first(&self) -> &Signatures {
        &self.looks[0]
    }

    fn count(&self, key: Key) -> i64 {
        let of = |look: &Signatures| look.get(key).map_or(0, |found| found.count.cast_signed());
        of(self.last) - of(self.first())
    }

    fn any(&self, key: Key) -> Option<&Signature> {
        self.looks.iter().rev().find_map(|look| look.get(key))
    }

    /// The place that a way belongs to: where its growth begins, and from there up to the collection
    /// that this is in.
    fn place(&self, key: Key) -> Key {
        let mut begins = key;
        let mut at = key;
        // Ways have a bounded depth, and lead to the top.
        while let Some(found) = self.any(at).filter(|found| found.above != TOP) {
            if self.count(found.above) > 0 {
                begins = found.above;
            }
            at = found.above;
        }
        let mut place = begins;
        while let Some(above) = self.any(place).map(|found| found.above)
            && self.any(above).is_some_and(|above| above.role == Role::Plumbing)
        {
            place = above;
        }
        place
    }

    /// Whether there is more of something that owns this.
    fn hangs_below_growth(&self, key: Key) -> bool {
        let above = |key: &Key| self.any(*key).map(|found| found.above);
        let mut all = std::iter::successors(above(&key), above);
        all.any(|above| {
            self.count(above) > 0
                && self.any(above).is_some_and(|above| above.role != Role::Plumbing)
        })
    }

    fn add(&mut self, key: Key) {
        let bytes = |look: &Signatures| look.get(key).map_or(0, |found| found.bytes.cast_signed());
        let of_looks: Vec<i64> = self.looks.iter().map(bytes).collect();
        let changed = of_looks.last().copied().unwrap_or(0) - of_looks[0];
        let count = self.count(key);
        let Some(found) = self.any(key) else { return };
        if changed == 0 && count == 0 {
            return;
        }
        let (name, is_own) = (found.name.clone(), found.is_own);
        let is_element = found.role != Role::Plumbing && !self.hangs_below_growth(key);
        let is_in_flight = found.is_in_flight;
        let place = self.place(key);
        let row = self.rows.entry(place).or_default();
        row.bytes += changed;
        row.steps.resize(of_looks.len(), 0);
        row.steps.iter_mut().zip(&of_looks).for_each(|(all, one)| *all += one);
        row.is_in_flight |= is_in_flight;
        row.is_own |= is_own;
        if is_element && count != 0 {
            *row.elements.entry(name).or_default() += count;
        }
    }

    fn rows(mut self, shape: &dyn Shape) -> io::Result<Vec<Growth>> {
        let rows = std::mem::take(&mut self.rows);
        let mut grown: Vec<Growth> = Vec::new();
        let mut asked = Vec::new();
        for (place, row) in rows {
            if row.bytes <= 0 && row.elements.values().all(|count| *count <= 0) {
                continue;
            }
            let Some(found) = self.last.get(place) else { continue };
            let owner = self.last.get(found.above);
            let mut elements: Vec<Grown> = row
                .elements
                .into_iter()
                .map(|(kind, count)| Grown { kind, count })
                .filter(|grown| grown.count > 0)
                .collect();
            elements.sort_by(|one, other| (other.count, &one.kind).cmp(&(one.count, &other.kind)));
            if found.field.is_none()
                && let Some(owner) = owner.filter(|owner| owner.role != Role::Plumbing)
            {
                asked.push((grown.len(), (owner.example, found.example)));
            }
            grown.push(Growth {
                owner: owner.map(|owner| owner.name.clone()),
                field: found.field.clone(),
                is_static: found.field.is_some(),
                collection: found.name.clone(),
                elements,
                bytes: row.bytes,
                is_steady: row.steps.windows(2).all(|pair| pair[1] > pair[0]),
                is_in_flight: row.is_in_flight,
                is_own: !found.is_program
                    && (row.is_own || owner.is_some_and(|owner| owner.is_own)),
                example: found.example,
            });
        }
        name_fields(&mut grown, &asked, shape)?;
        grown.sort_by(|one, other| {
            rank(other).cmp(&rank(one)).then_with(|| {
                (&one.owner, &one.field, one.example).cmp(&(
                    &other.owner,
                    &other.field,
                    other.example,
                ))
            })
        });
        Ok(grown)
    }
}

/// What is blamed first: the program's own, that grew from look to look, by bytes.
fn rank(growth: &Growth) -> (bool, bool, bool, i64) {
    (!growth.is_in_flight, growth.is_own, growth.is_steady, growth.bytes)
}

/// Names fields of objects, for which the dump is read again.
fn name_fields(
    grown: &mut [Growth],
    asked: &[(usize, (u32, u32))],
    shape: &dyn Shape,
) -> io::Result<()> {
    let references: Vec<(u32, u32)> = asked.iter().map(|(_, reference)| *reference).collect();
    for ((at, _), label) in asked.iter().zip(shape.labels(&references)?) {
        let growth = &mut grown[*at];
        growth.field = label.as_ref().and_then(Label::name).map(str::to_owned);
        if let Some(Label::Field { class, .. }) = label {
            growth.owner = Some(class);
        }
    }
    Ok(())
}
