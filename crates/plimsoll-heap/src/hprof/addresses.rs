//! Addresses of objects and their numbers: an object's number is its rank among all addresses.
//!
//! Objects lie at multiples of 8 bytes, close together, so a bit for each such place says which are
//! objects, and a count before each word of bits says how many: about a byte an object, one look in
//! memory a question, and nothing to sort. Dumps whose addresses are scattered or odd (they exist,
//! and a hostile one could make the bits cost a thousand times its own size) are sorted instead.

use std::collections::HashMap;

/// Bytes of address space that a block has bits for: 256 KiB, 4 KiB of bits.
const BLOCK_SHIFT: u32 = 18;
const PLACE_SHIFT: u32 = 3;
const WORDS: usize = 1 << (BLOCK_SHIFT - PLACE_SHIFT - 6);

/// Blocks that any dump may have, whatever they hold: 32 MiB of bits.
const BLOCKS_FREE: usize = 1 << 13;
/// Objects a block at least, beyond that: at fewer, sorted addresses take less.
const OBJECTS_A_BLOCK_MIN: usize = 256;

/// Blocks between the first and the last that a plain table may span: 4 TiB of addresses, 64 MiB of
/// table.
const SPAN_MAX: u64 = 1 << 24;

/// Addresses that one hand came across.
#[derive(Debug, Default)]
pub(super) struct Marks {
    blocks: HashMap<u64, usize>,
    bits: Vec<[u64; WORDS]>,
    last: Option<(u64, usize)>,
    marked: usize,
    /// Set when bits do not pay; the rest of the addresses is here.
    scattered: Option<Vec<u64>>,
}

impl Marks {
    #[inline]
    pub(super) fn add(&mut self, address: u64) {
        if self.scattered.is_some() || address & ((1 << PLACE_SHIFT) - 1) != 0 {
            self.scattered.get_or_insert_default().push(address);
            return;
        }
        let number = address >> BLOCK_SHIFT;
        let block = match self.last {
            Some((last, block)) if last == number => block,
            _ => self.find(number),
        };
        let place = (address >> PLACE_SHIFT) as usize & (WORDS * 64 - 1);
        self.bits[block][place >> 6] |= 1 << (place & 63);
        self.marked += 1;
    }

    #[cold]
    fn find(&mut self, number: u64) -> usize {
        let next = self.bits.len();
        let block = *self.blocks.entry(number).or_insert(next);
        if block == next {
            self.bits.push([0; WORDS]);
            if next > BLOCKS_FREE && next * OBJECTS_A_BLOCK_MIN > self.marked {
                self.scattered = Some(Vec::new());
            }
        }
        self.last = Some((number, block));
        block
    }

    fn addresses(&self) -> impl Iterator<Item = u64> + '_ {
        let marked = self.blocks.iter().flat_map(|(number, block)| {
            let words = (0_u64..).zip(&self.bits[*block]);
            words.flat_map(move |(word, bits)| {
                ones(*bits)
                    .map(move |bit| (number << BLOCK_SHIFT) + ((word * 64 + bit) << PLACE_SHIFT))
            })
        });
        marked.chain(self.scattered.iter().flatten().copied())
    }
}

fn ones(mut bits: u64) -> impl Iterator<Item = u64> {
    std::iter::from_fn(move || {
        let bit = u64::from(bits.trailing_zeros());
        (bits != 0).then(|| {
            bits &= bits - 1;
            bit
        })
    })
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Word {
    bits: u64,
    before: u32,
}

/// All addresses, in order.
#[derive(Debug)]
pub(super) enum Addresses {
    Dense {
        /// Numbers of blocks, in order.
        blocks: Vec<u64>,
        /// By block above the first: where it is in `blocks`, counted from 1.
        table: Vec<u32>,
        words: Vec<Word>,
        count: u32,
    },
    Sorted(Vec<u64>),
}

impl Addresses {
    /// None when there are more than can be numbered.
    pub(super) fn of(marks: Vec<Marks>, count_max: usize) -> Option<Self> {
        let mut numbers: Vec<u64> =
            marks.iter().flat_map(|marks| marks.blocks.keys().copied()).collect();
        numbers.sort_unstable();
        numbers.dedup();
        let span = numbers.last().zip(numbers.first()).map_or(0, |(last, first)| last - first);
        if span > SPAN_MAX || marks.iter().any(|marks| marks.scattered.is_some()) {
            let mut addresses: Vec<u64> = marks.iter().flat_map(Marks::addresses).collect();
            addresses.sort_unstable();
            addresses.dedup();
            return (addresses.len() <= count_max).then_some(Self::Sorted(addresses));
        }
        Self::dense(numbers, marks, count_max)
    }

    fn dense(blocks: Vec<u64>, mut marks: Vec<Marks>, count_max: usize) -> Option<Self> {
        let first = blocks.first().copied().unwrap_or(0);
        let span = blocks.last().map_or(0, |last| last - first + 1);
        let mut table = vec![0_u32; usize::try_from(span).ok()?];
        let mut words = Vec::with_capacity(blocks.len() * WORDS);
        let mut count = 0_usize;
        for (at, number) in (1_u32..).zip(&blocks) {
            table[(number - first) as usize] = at;
            let mut bits = [0; WORDS];
            for marks in &mut marks {
                if let Some(block) = marks.blocks.get(number) {
                    bits.iter_mut().zip(&marks.bits[*block]).for_each(|(all, one)| *all |= one);
                }
            }
            for bits in bits {
                words.push(Word { bits, before: u32::try_from(count).ok()? });
                count += bits.count_ones() as usize;
            }
        }
        let count = u32::try_from(count).ok().filter(|_| count <= count_max)?;
        Some(Self::Dense { blocks, table, words, count })
    }

    pub(super) fn count(&self) -> usize {
        match self {
            Self::Dense { count, .. } => *count as usize,
            Self::Sorted(addresses) => addresses.len(),
        }
    }

    /// The number of an object; None of what is none.
    #[inline]
    pub(super) fn number(&self, address: u64) -> Option<u32> {
        match self {
            Self::Dense { blocks, table, words, .. } => {
                let block = (address >> BLOCK_SHIFT).checked_sub(*blocks.first()?)?;
                let block = (*table.get(usize::try_from(block).ok()?)?).checked_sub(1)? as usize;
                let place = (address >> PLACE_SHIFT) as usize & (WORDS * 64 - 1);
                let word = words[block * WORDS + (place >> 6)];
                let bit = 1_u64 << (place & 63);
                if word.bits & bit == 0 || address & ((1 << PLACE_SHIFT) - 1) != 0 {
                    return None;
                }
                Some(word.before + (word.bits & (bit - 1)).count_ones())
            }
            Self::Sorted(addresses) => {
                addresses.binary_search(&address).ok().map(|number| number as u32)
            }
        }
    }

    /// The address of an object, by its number.
    pub(super) fn address(&self, number: u32) -> Option<u64> {
        match self {
            Self::Dense { blocks, words, count, .. } => {
                if number >= *count {
                    return None;
                }
                let at = words.partition_point(|word| word.before <= number) - 1;
                // Words without objects have the same count before them as the next.
                let word = words[at];
                let bit = ones(word.bits).nth((number - word.before) as usize)?;
                let place = (at % WORDS) as u64 * 64 + bit;
                Some((blocks[at / WORDS] << BLOCK_SHIFT) + (place << PLACE_SHIFT))
            }
            Self::Sorted(addresses) => addresses.get(number as usize).copied(),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(parts: &[Vec<u64>], is_dense: bool) {
        let marks = parts.iter().map(|part| {
            let mut marks = Marks::default();
            part.iter().for_each(|address| marks.add(*address));
            marks
        });
        let found = Addresses::of(marks.collect(), 1 << 30).unwrap();
        assert_eq!(matches!(found, Addresses::Dense { .. }), is_dense);
        let mut all = parts.concat();
        all.sort_unstable();
        all.dedup();
        assert_eq!(found.count(), all.len());
        for (number, address) in (0_u32..).zip(&all) {
            assert_eq!(found.number(*address), Some(number));
            assert_eq!(found.address(number), Some(*address));
            for beside in [address.wrapping_add(8), address.wrapping_sub(8), address ^ 1] {
                assert_eq!(found.number(beside).is_some(), all.contains(&beside));
            }
        }
        assert_eq!(found.address(all.len() as u32), None);
    }

    #[test]
    fn odd_and_far_addresses_are_found_as_well() {
        check(&[], true);
        check(&[vec![0xe000_0008, 0xe000_0010], vec![0xe004_0000]], true);
        check(&[vec![0xe000_0008, 0xe000_0011], vec![0xe000_0008]], false);
        check(&[vec![8, 1 << 62], vec![!7]], false);
        let scattered: Vec<u64> = (0..20_000).map(|at| at << BLOCK_SHIFT).collect();
        check(&[scattered], false);
    }

    proptest! {
        #[test]
        fn a_number_is_the_rank_of_an_address(
            one in prop::collection::vec(0_u64..1 << 22, 0..300),
            other in prop::collection::vec(0_u64..1 << 22, 0..300),
        ) {
            let whole = |part: Vec<u64>| part.into_iter().map(|at| 0x7f00_0000_0000 + at * 8);
            check(&[whole(one).collect(), whole(other).collect()], true);
        }
    }
}
