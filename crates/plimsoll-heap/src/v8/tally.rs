//! A snapshot's nodes counted by type, without references: one reading, and memory for the types
//! only, so it can be had of any snapshot.

use std::collections::{BTreeMap, HashMap};

use plimsoll_model::Bytes;

use super::columns::{kind_of, rows};
use super::kind::NodeKind;
use super::meta::{Layout, members};
use super::scan::{NO_NUMBER, Scanner};
use super::{SnapshotError, TypeName, missing};
use crate::histogram::{ClassRow, HistogramTotal};
use crate::hprof::{End, Tally};
use crate::source::{Progress, Source};

/// Types that are told apart, at most; the others are counted together. A program has thousands.
const TYPES_MAX: usize = 1 << 20;

#[derive(Default)]
struct Counter {
    /// Objects and bytes by type.
    found: HashMap<Option<TypeName>, (u64, u64)>,
    /// Names of classes by their number.
    names: HashMap<u32, String>,
    has_edges: bool,
    has_strings: bool,
}

impl Tally {
    /// Counts the nodes of a V8 heap snapshot, with what each takes by itself.
    ///
    /// # Errors
    /// When the bytes are something else, or end within the nodes.
    pub fn of_snapshot(
        source: &dyn Source,
        progress: &dyn Progress,
    ) -> Result<Self, SnapshotError> {
        let mut scanner = Scanner::new(source, progress);
        let mut layout = None;
        let mut counter = Counter::default();
        let read = members(&mut scanner, |scanner, key| {
            match key {
                b"snapshot" => {
                    scanner.part = "header";
                    layout = Some(Layout::read(scanner)?);
                }
                b"nodes" => {
                    scanner.part = "nodes";
                    let layout = layout.as_ref().ok_or_else(|| missing(scanner, "header"))?;
                    counter.nodes(scanner, layout)?;
                    scanner.part = "parts behind the nodes";
                }
                b"edges" => {
                    scanner.part = "edges";
                    scanner.skip_value()?;
                    counter.has_edges = true;
                }
                b"strings" => {
                    scanner.part = "strings";
                    counter.strings(scanner)?;
                    counter.has_strings = true;
                }
                _ => scanner.skip_value()?,
            }
            Ok(())
        });
        let cut = match read {
            Ok(()) if !counter.found.is_empty() => None,
            Ok(()) => return Err(missing(&scanner, "nodes")),
            Err(SnapshotError::Cut { at, part }) if part != "nodes" && part != "header" => {
                Some(End { at })
            }
            Err(error) => return Err(error),
        };
        Ok(counter.tally(cut))
    }
}

impl Counter {
    fn nodes(&mut self, scanner: &mut Scanner<'_>, layout: &Layout) -> Result<(), SnapshotError> {
        rows(scanner, layout.node_row, |_, row| {
            let kind = NodeKind::of_packed(kind_of(layout, row));
            let type_name = match kind {
                NodeKind::Object | NodeKind::Native => {
                    let name = u32::try_from(row[layout.name]).unwrap_or(u32::MAX);
                    TypeName::Class(name)
                }
                kind => TypeName::Kind(kind),
            };
            let is_known = self.found.len() < TYPES_MAX;
            let key =
                Some(type_name).filter(|key| is_known || self.found.contains_key(&Some(*key)));
            let (count, bytes) = self.found.entry(key).or_default();
            *count += 1;
            let size = row[layout.self_size];
            *bytes = bytes.saturating_add(if size == NO_NUMBER { 0 } else { size });
            Ok(())
        })
    }

    /// Only names of classes are kept; whatever else stands there is a value.
    fn strings(&mut self, scanner: &mut Scanner<'_>) -> Result<(), SnapshotError> {
        scanner.take(b'[', "an array of strings")?;
        if scanner.takes(b']')? {
            return Ok(());
        }
        let mut string = Vec::new();
        for number in 0.. {
            string.clear();
            scanner.string(&mut string)?;
            if self.found.contains_key(&Some(TypeName::Class(number))) {
                self.names.insert(number, String::from_utf8_lossy(&string).into_owned());
            }
            if !scanner.goes_on(b']')? {
                break;
            }
        }
        Ok(())
    }

    fn tally(self, cut: Option<End>) -> Tally {
        let mut by_name: BTreeMap<String, (u64, u64)> = BTreeMap::new();
        let mut total = HistogramTotal { instances: 0, bytes: Bytes(0) };
        for (type_name, (count, bytes)) in self.found {
            let name = match type_name {
                Some(TypeName::Class(number)) => {
                    self.names.get(&number).cloned().unwrap_or_else(|| "(name cut off)".into())
                }
                Some(TypeName::Kind(kind)) => super::word(kind).into_owned(),
                None => "(others)".into(),
            };
            let all = by_name.entry(name).or_default();
            all.0 += count;
            all.1 = all.1.saturating_add(bytes);
            total.instances += count;
            total.bytes = Bytes(total.bytes.0.saturating_add(bytes));
        }
        let row = |(class, (instances, bytes))| ClassRow { class, instances, bytes: Bytes(bytes) };
        let mut rows: Vec<ClassRow> = by_name.into_iter().map(row).collect();
        rows.sort_by(|one, other| (other.bytes, &one.class).cmp(&(one.bytes, &other.class)));
        Tally { rows, total, cut, damaged_parts: 0 }
    }
}
