//! Text profiles that begin with `heap profile:` (gperftools, tcmalloc, and Go with `debug=1`) or
//! `goroutine profile:` (Go).
//!
//! Not here: jemalloc's text (`jemalloc`), mappings (`maps`). Sampled counts are scaled as pprof
//! does. A line that is no sample is counted and passed over.

use std::num::NonZeroU64;

use thiserror::Error;

use super::build::{Builder, Full};
use super::maps::{self, Maps, Places};
use super::unsample::scaled;
use super::{Column, FrameKey, Measure, Profile, Sampling, ScaledBy, Source};

/// Why a text is not a heap profile.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum HeapTextError {
    #[error("line 1 is not the head of a heap profile that is known: `{head}`")]
    Head { head: String },
    #[error("line {line} is one too many")]
    Full {
        line: usize,
        #[source]
        source: Full,
    },
    #[error(
        "none of the {rejected} lines below the head is a sample; line {line} is the first of them"
    )]
    NoSample { rejected: usize, line: usize },
}

/// What the first line says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Head {
    kind: HeadKind,
    /// Sampled objects and bytes that are held, and that were ever allocated.
    totals: [i64; 4],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum HeadKind {
    /// 0 where the period is not known.
    Sampled {
        period: u64,
    },
    Exact,
    Goroutines,
}

impl Head {
    /// `heap profile:  144: 8498176 [ 144: 8498176] @ heapz_v2/524288`
    fn parse(line: &str) -> Option<Self> {
        if let Some(count) = line.strip_prefix("goroutine profile: total ") {
            let count = count.trim().parse().ok()?;
            return Some(Self { kind: HeadKind::Goroutines, totals: [count, 0, 0, 0] });
        }
        let (counts, form) = line.strip_prefix("heap profile:")?.split_once('@')?;
        let form = form.trim();
        let (form, period) = form.split_once('/').unwrap_or((form, "0"));
        let period: u64 = period.parse().ok()?;
        let kind = match form {
            "heap_v2" | "heapz_v2" => HeadKind::Sampled { period },
            // Go, and old gperftools, write twice the period.
            "heap" => HeadKind::Sampled { period: period / 2 },
            "heapprofile" | "growth" | "growthz" | "fragmentation" | "fragmentationz" => {
                HeadKind::Exact
            }
            _ => return None,
        };
        Some(Self { kind, totals: counts_of(counts)? })
    }

    /// Whether allocations are listed besides what is held of them.
    fn has_allocations(self) -> bool {
        let [objects, bytes, all_objects, all_bytes] = self.totals;
        (all_objects != objects && all_objects != 0) || (all_bytes != bytes && all_bytes != 0)
    }

    fn columns(self) -> Vec<Column> {
        let held = [Measure::InuseObjects, Measure::InuseSpace];
        let both = [Measure::AllocObjects, Measure::AllocSpace, held[0], held[1]];
        match self.kind {
            HeadKind::Goroutines => vec![Column::of(Measure::Goroutines)],
            HeadKind::Sampled { .. } | HeadKind::Exact if self.has_allocations() => {
                both.map(Column::of).into()
            }
            HeadKind::Sampled { .. } | HeadKind::Exact => held.map(Column::of).into(),
        }
    }

    fn sampling(self) -> Sampling {
        match self.kind {
            HeadKind::Exact | HeadKind::Goroutines | HeadKind::Sampled { period: 1 } => {
                Sampling::Exact
            }
            HeadKind::Sampled { period } => {
                NonZeroU64::new(period).map_or(Sampling::Unknown, |period| Sampling::EveryBytes {
                    period,
                    scaled_by: ScaledBy::Reader,
                })
            }
        }
    }
}

/// `1: 9216 [1: 9216]`, with spaces anywhere.
pub(super) fn counts_of(text: &str) -> Option<[i64; 4]> {
    let (held, all) = text.trim().strip_suffix(']')?.split_once('[')?;
    let pair = |text: &str| {
        let (count, bytes) = text.split_once(':')?;
        Some((count.trim().parse().ok()?, bytes.trim().parse().ok()?))
    };
    let ((objects, bytes), (all_objects, all_bytes)) = (pair(held)?, pair(all)?);
    // Bytes of no object: not a count of this kind.
    let whole = (objects != 0 || bytes == 0) && (all_objects != 0 || all_bytes == 0);
    whole.then_some([objects, bytes, all_objects, all_bytes])
}

/// Whether the first bytes are the head of such a text.
pub(crate) fn begins(bytes: &[u8]) -> bool {
    bytes.starts_with(b"heap profile:") || bytes.starts_with(b"goroutine profile: total ")
}

pub(super) fn read(text: &str) -> Result<Profile, HeapTextError> {
    let first = text.lines().next().unwrap_or_default();
    let Some(head) = Head::parse(first) else {
        return Err(HeapTextError::Head { head: first.chars().take(80).collect() });
    };
    let mut builder = Builder::new(Source::HeapText, head.columns(), head.sampling());
    let full = |line| move |source| HeapTextError::Full { line, source };
    let maps = Maps::read(text, &mut builder).map_err(full(1))?;
    let mut reader = Reader { head, places: Places::new(maps), ..Reader::new(head) };
    let mut number = 1;
    for line in text.lines().skip(1).take_while(|line| !maps::begins(line)) {
        number += 1;
        reader.line(line, number, &mut builder).map_err(full(number))?;
    }
    reader.flush(&mut builder).map_err(full(number))?;
    reader.finish(builder)
}

/// A sample whose frames may still follow, as comments.
#[derive(Debug)]
struct Open {
    counts: [i64; 4],
    by_address: Option<u32>,
    /// Innermost first.
    frames: Vec<u32>,
}

#[derive(Debug)]
struct Reader {
    head: Head,
    places: Places,
    open: Option<Open>,
    sums: [i64; 4],
    samples: usize,
    rejected: usize,
    first_rejected: usize,
}

impl Reader {
    fn new(head: Head) -> Self {
        let places = Places::new(Maps::default());
        let (sums, samples) = ([0; 4], 0);
        Self { head, places, open: None, sums, samples, rejected: 0, first_rejected: 0 }
    }

    fn line(&mut self, line: &str, number: usize, builder: &mut Builder) -> Result<(), Full> {
        if let Some(frame) = line.strip_prefix("#\t") {
            return self.comment(frame, builder);
        }
        self.flush(builder)?;
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            return Ok(());
        }
        let counts = line.split_once('@').and_then(|(counts, addresses)| {
            let counts = match self.head.kind {
                HeadKind::Goroutines => [counts.trim().parse().ok()?, 0, 0, 0],
                HeadKind::Sampled { .. } | HeadKind::Exact => counts_of(counts)?,
            };
            Some((counts, addresses))
        });
        if let Some((counts, addresses)) = counts
            && let Some(by_address) = self.places.stack(addresses, builder)?
        {
            self.open = Some(Open { counts, by_address, frames: Vec::new() });
        } else {
            self.rejected += 1;
            self.first_rejected = if self.rejected == 1 { number } else { self.first_rejected };
            builder.reject();
        }
        Ok(())
    }

    /// `0x4d96e8  main.leak+0x28  /tmp/main.go:12`, as Go writes below a sample.
    fn comment(&mut self, text: &str, builder: &mut Builder) -> Result<(), Full> {
        let Some(open) = &mut self.open else { return Ok(()) };
        let mut words = text.split('\t').map(str::trim).filter(|word| !word.is_empty());
        let (Some(_), Some(function)) = (words.next(), words.next()) else { return Ok(()) };
        let function = function.rsplit_once("+0x").map_or(function, |(name, _)| name);
        let (file, line) =
            words.next().and_then(|place| place.rsplit_once(':')).unwrap_or_default();
        let (function, file) = (builder.name(function)?, builder.name(file)?);
        let line = line.parse().unwrap_or(0);
        let key = FrameKey { function, file, line, ..FrameKey::default() };
        open.frames.push(builder.frame(key)?);
        Ok(())
    }

    fn flush(&mut self, builder: &mut Builder) -> Result<(), Full> {
        let Some(open) = self.open.take() else { return Ok(()) };
        let stack = match open.frames.as_slice() {
            [] => open.by_address,
            frames => builder.stack(frames.iter().rev().copied())?,
        };
        for (sum, count) in self.sums.iter_mut().zip(open.counts) {
            *sum = sum.saturating_add(count);
        }
        self.samples += 1;
        let [objects, bytes, all_objects, all_bytes] = open.counts;
        let scaled = |count, bytes| match self.head.kind {
            HeadKind::Sampled { period } => scaled(count, bytes, period),
            HeadKind::Exact | HeadKind::Goroutines => (count, bytes),
        };
        let (held, all) = (scaled(objects, bytes), scaled(all_objects, all_bytes));
        if self.head.kind != HeadKind::Goroutines && self.head.has_allocations() {
            return builder.sample(stack, &[all.0, all.1, held.0, held.1]);
        }
        builder.sample(stack, &[held.0, held.1])
    }

    fn finish(self, mut builder: Builder) -> Result<Profile, HeapTextError> {
        if self.samples == 0 && self.rejected > 0 {
            let (rejected, line) = (self.rejected, self.first_rejected);
            return Err(HeapTextError::NoSample { rejected, line });
        }
        // The head counts all samples, so a text that was cut does not add up.
        if self.sums[..2] != self.head.totals[..2] {
            builder.cut();
        }
        Ok(builder.finish())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLED: &str = "heap profile: 2: 9360 [2: 9360] @ heap_v2/524288\n\
                           1: 9216 [1: 9216] @ 0xc635c9 0x42ecc4\n1: 144 [1: 144] @ 0xc635c9\n";

    #[test]
    fn samples_are_scaled_by_the_period_in_the_head() {
        let profile = read(SAMPLED).unwrap();
        assert_eq!(
            (profile.values(0), profile.values(1)),
            (&[57, 528_909][..], &[3641, 524_360][..])
        );
        assert!(profile.complete && profile.sample_count() == 2);
        let addresses: Vec<_> = profile.stack(0).map(|frame| frame.address).collect();
        assert_eq!(addresses, [0xc6_35c8, 0x42_ecc3]);
    }

    #[test]
    fn go_writes_twice_the_period_and_the_frames_below() {
        let text = "heap profile: 35: 143360 [74: 590464] @ heap/1048576\n\
            35: 143360 [35: 143360] @ 0x47c36c 0x47f289\n\
            #\t0x4d96e8\tmain.leak+0x28\t\t/tmp/a b/main.go:12\n\
            #\t0x4d9864\tmain.main+0x24\t/tmp/main.go:23\n\n\n# runtime.MemStats\n# Alloc = 5\n";
        let profile = read(text).unwrap();
        let frame = profile.stack(0).next().unwrap();
        assert_eq!((frame.function, frame.line), (Some("main.leak"), 12));
        assert_eq!(frame.file, Some("/tmp/a b/main.go"));
        assert_eq!(profile.columns[0].measure, Measure::AllocObjects);
        let period = NonZeroU64::new(524_288).unwrap();
        let want = Sampling::EveryBytes { period, scaled_by: ScaledBy::Reader };
        assert_eq!((profile.sampling, profile.rejected), (want, 0));
    }

    #[test]
    fn goroutines_are_counted_by_stack() {
        let text = "goroutine profile: total 4\n3 @ 0x47dc0e\n#\t0x4d9b0e\tmain.wait+0xe\t/m.go:27\n\
                    \n1 @ 0x442bd1\n";
        let profile = read(text).unwrap();
        assert_eq!(profile.total(Measure::Goroutines), Some(4));
        assert_eq!(profile.stack(0).next().unwrap().function, Some("main.wait"));
        assert!(profile.complete);
    }

    #[test]
    fn a_text_that_was_cut_does_not_add_up_and_says_so() {
        let cut = &SAMPLED[..SAMPLED.len() - 20];
        let profile = read(cut).unwrap();
        assert!(!profile.complete, "{profile:?}");
    }

    #[test]
    fn what_is_no_sample_is_counted_or_refused_by_line() {
        let check = |text: &str, want: &str| {
            assert_eq!(read(text).unwrap_err().to_string(), want);
        };
        let head = "line 1 is not the head of a heap profile that is known: `heap profile: 1`";
        check("heap profile: 1\n", head);
        let none = "none of the 2 lines below the head is a sample; line 3 is the first of them";
        check("heap profile: 1: 1 [1: 1] @ growth\n\nx\n0: 5 [0: 0] @ 0x1\n", none);
        let profile = read(&format!("{SAMPLED}1: 2 [1: 2] @ 0xzz\n")).unwrap();
        assert_eq!((profile.rejected, profile.sample_count()), (1, 2));
    }
}
