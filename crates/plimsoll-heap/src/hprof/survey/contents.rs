//! Which arrays of primitives have the same content: by a hash of 64 bits, in bounded memory. The
//! content itself is never kept.
//!
//! Where there are more contents than may be kept, only those whose hash ends in so many zeros are
//! followed from then on, and stand for the others; contents that were met often before stay.

use super::super::classes::Widths;
use super::super::record::Kind;
use super::{Duplicate, Duplicates};
use crate::by_id::ById;

/// Contents that are kept, about 10 MiB.
const KEPT_MAX: usize = 1 << 18;
/// Met this often, a content stays whatever its hash.
const OFTEN: u64 = 64;
/// Groups that are told one by one.
const TOLD_MAX: usize = 20;

#[derive(Clone, Copy, Debug)]
struct Content {
    kind: Kind,
    length: u32,
    count: u64,
}

/// The contents that were come across.
#[derive(Debug, Default)]
pub(super) struct Contents {
    by_hash: ById<Content>,
    /// Zeros at the end of the hashes that are followed.
    level: u32,
    /// Arrays of zeros, which are buffers that nobody filled yet, and no duplicates.
    blank: (u64, u64),
    open: Option<Open>,
}

/// The array that is being told.
#[derive(Clone, Copy, Debug)]
struct Open {
    kind: Kind,
    length: u32,
    left: u64,
    hash: u64,
    is_blank: bool,
}

impl Contents {
    /// An array begins; its elements follow in parts.
    pub(super) fn begin(&mut self, kind: Kind, length: u32, widths: Widths) {
        let left = u64::from(length) * kind.width(0);
        let hash = mix(u64::from(length), kind.width(0));
        self.open = Some(Open { kind, length, left, hash, is_blank: true });
        if left == 0 {
            self.end(widths);
        }
    }

    pub(super) fn part(&mut self, values: &[u8], widths: Widths) {
        let Some(open) = &mut self.open else { return };
        let mut words = values.chunks_exact(8);
        let mut any = 0;
        for word in &mut words {
            let word = u64::from_le_bytes(word.try_into().expect("eight bytes"));
            any |= word;
            open.hash = mix(open.hash, word);
        }
        let mut rest = [0; 8];
        rest[..words.remainder().len()].copy_from_slice(words.remainder());
        let rest = u64::from_le_bytes(rest);
        open.hash = mix(open.hash, rest);
        open.is_blank &= any | rest == 0;
        open.left = open.left.saturating_sub(values.len() as u64);
        if open.left == 0 {
            self.end(widths);
        }
    }

    fn end(&mut self, widths: Widths) {
        let Some(open) = self.open.take() else { return };
        if open.is_blank {
            self.blank.0 += 1;
            self.blank.1 += widths.primitives(open.kind, open.length);
            return;
        }
        let content = Content { kind: open.kind, length: open.length, count: 1 };
        self.add(open.hash, content);
    }

    fn is_followed(&self, hash: u64) -> bool {
        hash.trailing_zeros() >= self.level
    }

    fn add(&mut self, hash: u64, content: Content) {
        if let Some(known) = self.by_hash.get_mut(&hash) {
            known.count += content.count;
        } else if self.is_followed(hash) || content.count >= OFTEN {
            self.by_hash.insert(hash, content);
        }
        while self.by_hash.len() > KEPT_MAX && self.level < u64::BITS {
            self.level += 1;
            self.forget();
        }
    }

    fn forget(&mut self) {
        let level = self.level;
        self.by_hash
            .retain(|hash, content| hash.trailing_zeros() >= level || content.count >= OFTEN);
    }

    pub(super) fn result(self, widths: Widths) -> Duplicates {
        let (level, blank) = (self.level, self.blank);
        let mut found = Duplicates {
            is_estimate: level > 0,
            blank_arrays: blank.0,
            blank_bytes: blank.1,
            ..Duplicates::default()
        };
        for content in self.by_hash.into_values().filter(|content| content.count > 1) {
            let size = widths.primitives(content.kind, content.length);
            let waste = size.saturating_mul(content.count - 1);
            let stands_for = if content.count >= OFTEN { 1 } else { 1_u64 << level.min(32) };
            found.groups += stands_for;
            found.arrays += content.count * stands_for;
            found.waste = found.waste.saturating_add(waste.saturating_mul(stands_for));
            let class = crate::class_name::readable(content.kind.array_name());
            let Content { length, count, .. } = content;
            found.largest.push(Duplicate { class, length, count, waste });
        }
        found.largest.sort_by(|a, b| {
            let order = |one: &Duplicate| (one.waste, one.count, one.length);
            order(b).cmp(&order(a)).then_with(|| a.class.cmp(&b.class))
        });
        found.largest.truncate(TOLD_MAX);
        found
    }
}

/// Folds a word into a hash: two multiplications' worth of mixing, and nothing secret, because a
/// dump made to collide only spoils its own table.
fn mix(hash: u64, word: u64) -> u64 {
    let product =
        u128::from(hash ^ 0x9e37_79b9_7f4a_7c15) * u128::from(word ^ 0xa076_1d64_78bd_642f);
    (product as u64) ^ (product >> 64) as u64 ^ word.rotate_left(32)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WIDTHS: Widths = Widths { pointer: 8, reference: 4 };

    fn array(contents: &mut Contents, values: &[u8]) {
        contents.begin(Kind::Byte, values.len() as u32, WIDTHS);
        if !values.is_empty() {
            contents.part(values, WIDTHS);
        }
    }

    #[test]
    fn all_but_one_of_the_same_content_are_waste_and_empty_buffers_are_not() {
        let mut contents = Contents::default();
        for text in ["once", "often", "often", "often", "", "also twice", "also twice"] {
            array(&mut contents, text.as_bytes());
        }
        array(&mut contents, &[0; 100]);
        array(&mut contents, &[0; 101]);
        let found = contents.result(WIDTHS);
        assert_eq!((found.groups, found.arrays, found.is_estimate), (2, 5, false));
        assert_eq!((found.blank_arrays, found.blank_bytes), (3, 16 + 120 + 120));
        let told: Vec<_> =
            found.largest.iter().map(|one| (one.length, one.count, one.waste)).collect();
        assert_eq!(told, [(5, 3, 48), (10, 2, 32)]);
        assert_eq!(found.waste, 80);
    }

    #[test]
    fn more_contents_than_may_be_kept_are_reckoned_from_some_of_them() {
        let mut contents = Contents::default();
        let count = 3 * KEPT_MAX as u64;
        for round in 0..2 {
            for number in 0..count {
                array(&mut contents, &(number + 1).to_le_bytes());
                if round == 0 && number % 1000 == 0 {
                    array(&mut contents, b"everywhere");
                }
            }
        }
        assert!(contents.by_hash.len() <= KEPT_MAX && contents.level > 0);
        let found = contents.result(WIDTHS);
        assert!(found.is_estimate);
        let truth = (count * 24) as f64;
        let ratio = found.waste as f64 / truth;
        assert!((0.9..1.1).contains(&ratio), "{ratio}");
        assert_eq!((found.largest[0].length, found.largest[0].count), (10, count.div_ceil(1000)));
    }
}
