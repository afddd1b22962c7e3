//! pprof's `profile.proto`: what Go serves, and tcmalloc, jemalloc and others write.
//!
//! Not here: the wire (`protobuf`), and gzip around it (`unpack`). The file is read twice: tables
//! may stand before or behind the samples that refer to them. Labels are passed over, because they
//! may hold values of the program.

mod tables;

use std::collections::HashMap;

use thiserror::Error;

use super::build::{Builder, Full};
use super::protobuf::{Field, Reader, WireError};
use super::{FrameKey, Mapping, NameId, Profile, Source};
use tables::{Tables, number, numbers};

/// Why bytes are not a profile that can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum PprofError {
    #[error("the bytes are not a pprof profile")]
    Wire(#[from] WireError),
    #[error("the profile is too large")]
    Full(#[from] Full),
    #[error("the profile names no kind of value: it is cut, or another protobuf message")]
    NoColumns,
    #[error("the sample at byte {at} has {found} values, and the profile {want} kinds of them")]
    Values { at: usize, found: usize, want: usize },
    #[error("the {what} {id}, named at byte {at}, is not in the profile: it is cut or damaged")]
    Missing { what: &'static str, id: u64, at: usize },
}

/// Whether the first bytes of a file are fields of a profile. A few bytes of text pass as protobuf;
/// all of the first kilobyte does not.
pub(crate) fn begins_profile(bytes: &[u8]) -> bool {
    let mut reader = Reader::new(bytes);
    let mut known = 0;
    loop {
        match reader.field() {
            Ok(Some(field)) if is_of_profile(&field) => known += 1,
            Ok(Some(_)) | Err(WireError::Long { .. } | WireError::Foreign { .. }) => return false,
            // The end of the file, or of the part of it that was handed in.
            Ok(None) | Err(WireError::Cut { .. }) => return known > 0,
        }
    }
}

fn is_of_profile(field: &Field<'_>) -> bool {
    match field.number {
        // Messages and strings.
        1..=6 | 11 => field.message().is_some(),
        // drop_frames, keep_frames, time, duration, period, default_sample_type, doc_url.
        7..=10 | 12 | 14 | 15 => field.number().is_some(),
        // Comments, alone or in a row.
        13 => true,
        _ => false,
    }
}

pub(super) fn read(bytes: &[u8]) -> Result<Profile, PprofError> {
    let tables = Tables::read(bytes)?;
    let columns = tables.columns()?;
    let mut builder = Builder::new(Source::Pprof, columns, tables.sampling()?);
    let mut frames = Frames::new(&tables, &mut builder)?;
    let mut reader = Reader::new(bytes);
    while let Some(field) = reader.field()? {
        if let (number::SAMPLE, Some(sample)) = (field.number, field.message()) {
            frames.sample(sample, &mut builder)?;
        }
    }
    Ok(builder.finish())
}

/// Where a mapped file begins, and its name.
#[derive(Clone, Copy)]
struct Module {
    start: u64,
    offset: u64,
    name: Option<NameId>,
}

/// Turns locations into frames, each of them once.
struct Frames<'t, 'a> {
    tables: &'t Tables<'a>,
    modules: HashMap<u64, Module>,
    /// Frames of a location, innermost first: inlined calls share an address.
    of_location: HashMap<u64, Vec<u32>>,
    locations: Vec<u64>,
    values: Vec<i64>,
}

impl<'t, 'a> Frames<'t, 'a> {
    /// A `Mapping`: 1 is its id, 2 to 4 start, limit and offset, 5 the file.
    fn new(tables: &'t Tables<'a>, builder: &mut Builder) -> Result<Self, PprofError> {
        let mut modules = HashMap::new();
        for mapping in &tables.mappings {
            let [id, start, end, offset, file] = numbers(*mapping, [1, 2, 3, 4, 5])?;
            let file = tables.string(file, mapping.at())?;
            modules.insert(id, Module { start, offset, name: builder.name(&file)? });
            builder.mapping(Mapping { start, end, offset, file: file.into_owned() })?;
        }
        let of_location = HashMap::new();
        Ok(Self { tables, modules, of_location, locations: Vec::new(), values: Vec::new() })
    }

    /// A `Sample`: 1 are locations, innermost first, 2 are values.
    fn sample(&mut self, mut sample: Reader<'a>, builder: &mut Builder) -> Result<(), PprofError> {
        let at = sample.at();
        let (locations, values) = (&mut self.locations, &mut self.values);
        locations.clear();
        values.clear();
        while let Some(field) = sample.field()? {
            match field.number {
                1 => field.each_number(|id| locations.push(id))?,
                2 => field.each_number(|value| values.push(value as i64))?,
                _ => {}
            }
        }
        let (found, want) = (self.values.len(), self.tables.types.len());
        if found != want {
            return Err(PprofError::Values { at, found, want });
        }
        let locations = std::mem::take(&mut self.locations);
        let mut stack = None;
        for id in locations.iter().rev() {
            self.resolve(*id, at, builder)?;
            for frame in self.of_location[id].iter().rev() {
                stack = Some(builder.node(stack, *frame)?);
            }
        }
        self.locations = locations;
        builder.sample(stack, &self.values)?;
        Ok(())
    }

    /// A `Location`: 2 is its mapping, 3 the address, 4 its lines, innermost first.
    fn resolve(&mut self, id: u64, at: usize, builder: &mut Builder) -> Result<(), PprofError> {
        if self.of_location.contains_key(&id) {
            return Ok(());
        }
        let missing = PprofError::Missing { what: "location", id, at };
        let mut message = *self.tables.locations.get(&id).ok_or(missing)?;
        let [mapping, address] = numbers(message, [2, 3])?;
        let module = self.modules.get(&mapping);
        let place = FrameKey {
            module: module.and_then(|module| module.name),
            address: module.map_or(address, |module| {
                address.wrapping_sub(module.start).wrapping_add(module.offset)
            }),
            ..FrameKey::default()
        };
        let mut frames = Vec::new();
        while let Some(field) = message.field()? {
            if let (4, Some(line)) = (field.number, field.message()) {
                frames.push(self.line(line, place, builder)?);
            }
        }
        if frames.is_empty() {
            frames.push(builder.frame(place)?);
        }
        self.of_location.insert(id, frames);
        Ok(())
    }

    /// A `Line`: 1 is its function, 2 the line. A `Function`: 2 is its name, 4 its file.
    fn line(
        &self,
        line: Reader<'a>,
        place: FrameKey,
        builder: &mut Builder,
    ) -> Result<u32, PprofError> {
        let [id, number] = numbers(line, [1, 2])?;
        let at = line.at();
        let missing = PprofError::Missing { what: "function", id, at };
        let function = *self.tables.functions.get(&id).ok_or(missing)?;
        let [name, file] = numbers(function, [2, 4])?;
        let function = builder.name(&self.tables.string(name, function.at())?)?;
        let file = builder.name(&self.tables.string(file, at)?)?;
        // One function at one line is one frame, wherever the compiler put it.
        let place = if function.is_some() { FrameKey { address: 0, ..place } } else { place };
        let line = u32::try_from(number).unwrap_or(0);
        Ok(builder.frame(FrameKey { function, file, line, ..place })?)
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU64;

    use super::super::{Column, Measure, Sampling, ScaledBy};
    use super::*;

    /// The strings are `""`, `inuse_space`, `bytes`, `leak`; one sample of 5 bytes.
    fn profile() -> Vec<u8> {
        let mut bytes = vec![0x0a, 4, 0x08, 1, 0x10, 2]; // sample_type
        bytes.extend([0x12, 6, 0x0a, 1, 9, 0x12, 1, 5]); // sample at 6, location 9
        bytes.extend([0x22, 8, 0x08, 9, 0x22, 4, 0x08, 7, 0x10, 42]); // location 9, function 7
        bytes.extend([0x2a, 4, 0x08, 7, 0x10, 3]); // function 7
        for string in ["", "inuse_space", "bytes", "leak"] {
            bytes.extend([0x32, string.len() as u8]);
            bytes.extend(string.as_bytes());
        }
        bytes.extend([0x5a, 4, 0x08, 1, 0x10, 2, 0x60, 0x80, 0x80, 0x20]); // period of 524288
        bytes
    }

    #[test]
    fn a_profile_is_read_with_its_period() {
        let read = read(&profile()).unwrap();
        assert_eq!(read.columns, [Column::of(Measure::InuseSpace)]);
        let period = NonZeroU64::new(524_288).unwrap();
        assert_eq!(read.sampling, Sampling::EveryBytes { period, scaled_by: ScaledBy::Producer });
        assert_eq!(read.values(0), [5]);
        let frame = read.stack(0).next().unwrap();
        assert_eq!((frame.function, frame.line), (Some("leak"), 42));
        assert!(begins_profile(&profile()));
        assert!(!begins_profile(b"heap profile: 1: 2 [1: 2] @ growth"));
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        let check = |at: usize, byte: u8, want: &str| {
            let mut bytes = profile();
            bytes[at] = byte;
            let error = read(&bytes).unwrap_err().to_string();
            assert_eq!(error, want);
        };
        check(
            10,
            8,
            "the location 8, named at byte 8, is not in the profile: it is cut or damaged",
        );
        check(
            21,
            8,
            "the function 8, named at byte 20, is not in the profile: it is cut or damaged",
        );
        check(3, 9, "the string 9, named at byte 2, is not in the profile: it is cut or damaged");
        check(11, 0x1a, "the sample at byte 8 has 0 values, and the profile 1 kinds of them");
        let cut = read(&profile()[..28]).unwrap_err();
        assert_eq!(cut, PprofError::Wire(WireError::Cut { at: 24 }), "{cut}");
        assert_eq!(read(b""), Err(PprofError::NoColumns));
    }
}
