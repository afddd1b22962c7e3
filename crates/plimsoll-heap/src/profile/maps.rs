//! The mapped files behind a text profile, and the frames that its addresses are in them.
//!
//! Both forms: lines of `/proc/PID/maps`, and gperftools' short ones (`start-end: file`, with
//! `name=value` lines above that stand for `$name`). Not here: symbols; an address becomes a file
//! and a place in it, which is the same in every run of the program.

use std::collections::HashMap;

use super::build::{Builder, Full};
use super::{FrameKey, Mapping, NameId};

/// `name=value` lines that are kept; gperftools writes one.
const ATTRIBUTES_MAX: usize = 16;

/// Whether mappings follow this line.
pub(super) fn begins(line: &str) -> bool {
    let line = line.trim();
    line.starts_with("--- Memory map: ---") || line == "MAPPED_LIBRARIES:"
}

/// Executable mappings, by address.
#[derive(Debug, Default)]
pub(super) struct Maps {
    modules: Vec<(Mapping, Option<NameId>)>,
}

impl Maps {
    /// Reads what stands below the line that [`begins`] the mappings, wherever that is in the text.
    pub(super) fn read(text: &str, builder: &mut Builder) -> Result<Self, Full> {
        let mut maps = Self::default();
        let mut attributes = Vec::new();
        for line in text.lines().skip_while(|line| !begins(line)).skip(1) {
            if let Some((mut mapping, executable)) = mapping(line) {
                mapping.file = expanded(&mapping.file, &attributes);
                builder.mapping(mapping.clone())?;
                if executable {
                    let name = builder.name(&mapping.file)?;
                    maps.modules.push((mapping, name));
                }
            } else if let Some(attribute) = line.trim().split_once('=')
                && attributes.len() < ATTRIBUTES_MAX
            {
                attributes.push(attribute);
            }
        }
        maps.modules.sort_by_key(|(mapping, _)| mapping.start);
        Ok(maps)
    }

    fn place(&self, address: u64) -> FrameKey {
        let above = self.modules.partition_point(|(mapping, _)| mapping.start <= address);
        let module = above.checked_sub(1).and_then(|index| self.modules.get(index));
        match module {
            Some((mapping, module)) if address < mapping.end => FrameKey {
                module: *module,
                address: address.wrapping_sub(mapping.start).wrapping_add(mapping.offset),
                ..FrameKey::default()
            },
            Some(_) | None => FrameKey { address, ..FrameKey::default() },
        }
    }
}

/// Addresses as they stand in a line, innermost first, and the frames they become.
#[derive(Debug)]
pub(super) struct Places {
    maps: Maps,
    frames: HashMap<u64, u32>,
}

impl Places {
    pub(super) fn new(maps: Maps) -> Self {
        Self { maps, frames: HashMap::new() }
    }

    /// The stack of `0x4f 0x5a ..`; `None` where one of the words is no address.
    pub(super) fn stack(
        &mut self,
        addresses: &str,
        builder: &mut Builder,
    ) -> Result<Option<Option<u32>>, Full> {
        let mut stack = None;
        for word in addresses.split_whitespace().rev() {
            let digits = word.strip_prefix("0x").unwrap_or(word);
            let Ok(address) = u64::from_str_radix(digits, 16) else { return Ok(None) };
            // It is where the call returns to; one less lies within the call.
            let frame = self.frame(address.saturating_sub(1), builder)?;
            stack = Some(builder.node(stack, frame)?);
        }
        Ok(Some(stack))
    }

    fn frame(&mut self, address: u64, builder: &mut Builder) -> Result<u32, Full> {
        if let Some(frame) = self.frames.get(&address) {
            return Ok(*frame);
        }
        let frame = builder.frame(self.maps.place(address))?;
        self.frames.insert(address, frame);
        Ok(frame)
    }
}

/// A mapping, and whether code can run there.
fn mapping(line: &str) -> Option<(Mapping, bool)> {
    let (range, rest) = line.trim().split_once(char::is_whitespace)?;
    let (range, brief) = range.strip_suffix(':').map_or((range, false), |range| (range, true));
    let (start, end) = range.split_once('-')?;
    let hex = |digits: &str| u64::from_str_radix(digits, 16).ok();
    let (start, end) = (hex(start)?, hex(end)?);
    if brief {
        let file = rest.trim().to_owned();
        return Some((Mapping { start, end, offset: 0, file }, true));
    }
    // Permissions, offset, device and inode, then a name that may hold spaces.
    let (permissions, rest) = word(rest)?;
    let (offset, rest) = word(rest)?;
    let (_, rest) = word(rest)?;
    let (_, file) = word(rest)?;
    let file = file.trim().to_owned();
    Some((Mapping { start, end, offset: hex(offset)?, file }, permissions.contains('x')))
}

fn word(text: &str) -> Option<(&str, &str)> {
    let text = text.trim_start();
    let end = text.find(char::is_whitespace).unwrap_or(text.len());
    (end > 0).then(|| text.split_at(end))
}

fn expanded(file: &str, attributes: &[(&str, &str)]) -> String {
    let Some(rest) = file.strip_prefix('$') else { return file.to_owned() };
    let known = attributes.iter().find_map(|(name, value)| {
        let rest = rest.strip_prefix(name)?;
        (!rest.starts_with(|c: char| c.is_ascii_alphanumeric())).then(|| format!("{value}{rest}"))
    });
    known.unwrap_or_else(|| file.to_owned())
}

#[cfg(test)]
mod tests {
    use super::super::{Profile, Sampling, Source};
    use super::*;

    fn place(text: &str, addresses: &str) -> Profile {
        let mut builder = Builder::new(Source::HeapText, Vec::new(), Sampling::Exact);
        let mut places = Places::new(Maps::read(text, &mut builder).unwrap());
        let stack = places.stack(addresses, &mut builder).unwrap().unwrap();
        builder.sample(stack, &[]).unwrap();
        builder.finish()
    }

    #[test]
    fn an_address_is_a_place_in_the_file_that_is_mapped_there() {
        let check = |text: &str, address: &str, want: (Option<&str>, u64)| {
            let profile = place(text, address);
            let frame = profile.stack(0).next().unwrap();
            assert_eq!((frame.module, frame.address), want, "{text}");
        };
        let proc = "MAPPED_LIBRARIES:\n55df3b8cd000-55df3b8ce000 r-xp 00001000 fe:00 107  /a b/sites\n\
                    55df3b8ce000-55df3b8cf000 rw-p 00002000 fe:00 107  /a b/sites\n";
        check(proc, "0x55df3b8cd168", (Some("/a b/sites"), 0x1167));
        check(proc, "0x55df3b8ce168", (None, 0x55df_3b8c_e167));
        check(proc, "0x1", (None, 0));
        let brief = "--- Memory map: ---\n source=/srv\n  00400000-00fcb000: $source/main\n";
        check(brief, "0x400011", (Some("/srv/main"), 0x10));
        check("", "7f", (None, 0x7e));
    }

    #[test]
    fn what_is_no_address_is_no_stack() {
        let mut builder = Builder::new(Source::HeapText, Vec::new(), Sampling::Exact);
        let mut places = Places::new(Maps::default());
        assert_eq!(places.stack("0x1 zz", &mut builder), Ok(None));
        assert_eq!(places.stack("", &mut builder), Ok(Some(None)));
    }
}
