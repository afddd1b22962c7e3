//! jemalloc's heap profile: text that begins with `heap_v2/PERIOD`.
//!
//! Not here: mappings (`maps`), and the scaling, which is that of pprof and jeprof (`unsample`):
//! jemalloc 5.3 writes counts that come out right under it. Lines of single threads are passed
//! over, because `t*:` is their sum.

use std::num::NonZeroU64;

use super::build::{Builder, Full};
use super::heap_text::{HeapTextError, counts_of};
use super::maps::{self, Maps, Places};
use super::unsample::scaled;
use super::{Column, Measure, Profile, Sampling, ScaledBy, Source};

const HEAD: &str = "heap_v2/";

/// Whether the first bytes are the head of such a text.
pub(crate) fn begins(bytes: &[u8]) -> bool {
    bytes.starts_with(HEAD.as_bytes())
}

pub(super) fn read(text: &str) -> Result<Profile, HeapTextError> {
    let first = text.lines().next().unwrap_or_default();
    let period = first.strip_prefix(HEAD).and_then(|period| period.trim().parse().ok());
    let Some(period) = period.and_then(NonZeroU64::new) else {
        return Err(HeapTextError::Head { head: first.chars().take(80).collect() });
    };
    let columns = columns(text).map(Column::of);
    let sampling = match period.get() {
        1 => Sampling::Exact,
        _ => Sampling::EveryBytes { period, scaled_by: ScaledBy::Reader },
    };
    let mut builder = Builder::new(Source::Jemalloc, columns.collect(), sampling);
    let full = |line| move |source| HeapTextError::Full { line, source };
    let maps = Maps::read(text, &mut builder).map_err(full(1))?;
    let places = Places::new(maps);
    let mut reader = Reader { period: period.get(), places, stack: None, rejected: None };
    let mut samples = 0;
    for (index, line) in text.lines().enumerate().skip(1) {
        if maps::begins(line) {
            return reader.finish(builder, samples);
        }
        samples +=
            usize::from(reader.line(line, index + 1, &mut builder).map_err(full(index + 1))?);
    }
    // A whole dump ends with what is mapped.
    builder.cut();
    reader.finish(builder, samples)
}

/// Allocations are counted only with `prof_accum`; without it the second pair is all zero.
fn columns(text: &str) -> impl Iterator<Item = Measure> {
    let first = text.lines().find_map(|line| all_threads(line.trim()));
    let accumulated = first.is_some_and(|[_, _, objects, bytes]| objects != 0 || bytes != 0);
    let held = [Measure::InuseObjects, Measure::InuseSpace];
    let all = [Measure::AllocObjects, Measure::AllocSpace];
    held.into_iter().chain(all.into_iter().filter(move |_| accumulated))
}

fn all_threads(line: &str) -> Option<[i64; 4]> {
    counts_of(line.strip_prefix("t*:")?)
}

#[derive(Debug)]
struct Reader {
    period: u64,
    places: Places,
    /// The stack of the last line of addresses. Without one, counts are those of all stacks.
    stack: Option<Option<u32>>,
    rejected: Option<(usize, usize)>,
}

impl Reader {
    /// Whether the line is a sample.
    fn line(&mut self, line: &str, number: usize, builder: &mut Builder) -> Result<bool, Full> {
        let line = line.trim();
        if let Some(addresses) = line.strip_prefix('@') {
            self.stack = self.places.stack(addresses, builder)?;
            if self.stack.is_none() {
                self.reject(number, builder);
            }
        } else if let Some([objects, bytes, all_objects, all_bytes]) = all_threads(line) {
            let Some(stack) = self.stack.take() else { return Ok(false) };
            let held = scaled(objects, bytes, self.period);
            let all = scaled(all_objects, all_bytes, self.period);
            builder.sample(stack, &[held.0, held.1, all.0, all.1])?;
            return Ok(true);
        } else if !line.is_empty() && !is_one_thread(line) {
            self.reject(number, builder);
        }
        Ok(false)
    }

    fn reject(&mut self, number: usize, builder: &mut Builder) {
        let (first, count) = self.rejected.unwrap_or((number, 0));
        self.rejected = Some((first, count + 1));
        builder.reject();
    }

    fn finish(self, builder: Builder, samples: usize) -> Result<Profile, HeapTextError> {
        match self.rejected {
            Some((line, rejected)) if samples == 0 => {
                Err(HeapTextError::NoSample { rejected, line })
            }
            Some(_) | None => Ok(builder.finish()),
        }
    }
}

/// `t3: 352: 16777344 [0: 0]`.
fn is_one_thread(line: &str) -> bool {
    let counts = line.strip_prefix('t').and_then(|line| line.split_once(':'));
    counts.is_some_and(|(thread, counts)| {
        thread.bytes().all(|byte| byte.is_ascii_digit()) && counts_of(counts).is_some()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HELD: &str = "heap_v2/524288\n  t*: 2: 9360 [0: 0]\n  t0: 2: 9360 [0: 0]\n\
                        @ 0xc635c9 0x42ecc4\n  t*: 1: 9216 [0: 0]\n  t0: 1: 9216 [0: 0]\n\
                        @ 0xc635c9\n  t*: 1: 144 [0: 0]\n  t0: 1: 144 [0: 0]\n\nMAPPED_LIBRARIES:\n";

    #[test]
    fn stacks_are_scaled_and_the_sum_above_them_is_none_of_them() {
        let profile = read(HELD).unwrap();
        assert_eq!(profile.sample_count(), 2);
        assert_eq!(
            (profile.values(0), profile.values(1)),
            (&[57, 528_909][..], &[3641, 524_360][..])
        );
        assert_eq!(profile.columns.len(), 2);
        assert!(profile.complete);
        assert_eq!(profile.rejected, 0);
    }

    #[test]
    fn allocations_are_a_column_where_they_were_counted() {
        let profile = read(&HELD.replace("[0: 0]", "[4: 36864]")).unwrap();
        assert_eq!(profile.columns.len(), 4);
        let all = profile.total(Measure::AllocSpace).unwrap();
        assert!(all > 2 * 4 * 524_288, "{all}");
    }

    #[test]
    fn a_text_without_its_end_was_cut() {
        let cut = read(HELD.trim_end_matches("MAPPED_LIBRARIES:\n")).unwrap();
        assert!(!cut.complete && cut.sample_count() == 2);
    }

    #[test]
    fn another_text_is_refused_by_line() {
        assert!(matches!(read("heap_v2/x\n"), Err(HeapTextError::Head { .. })));
        assert!(matches!(read("heap_v2/0\n"), Err(HeapTextError::Head { .. })));
        let none = HeapTextError::NoSample { rejected: 2, line: 2 };
        assert_eq!(read("heap_v2/1\nnothing\n@ zz\n"), Err(none));
    }
}
