//! A set of numbers of strings, in pages: what it takes is bounded, however large the numbers that a
//! hostile file names. Used by redaction.

/// Numbers of a page.
const PAGE: u64 = 4096;

/// Numbers from here on are of no string: a heap has fewer. All pages together take 128 MiB.
const NUMBERS_MAX: u64 = 1 << 30;

type Page = Box<[u64; PAGE as usize / 64]>;

#[derive(Debug, Default)]
pub(super) struct Indices {
    pages: Vec<Option<Page>>,
}

impl Indices {
    pub(super) fn add(&mut self, number: u64) {
        if number >= NUMBERS_MAX {
            return;
        }
        let at = (number / PAGE) as usize;
        if at >= self.pages.len() {
            self.pages.resize(at + 1, None);
        }
        let page = self.pages[at].get_or_insert_with(|| Box::new([0; PAGE as usize / 64]));
        page[(number % PAGE / 64) as usize] |= 1 << (number % 64);
    }

    pub(super) fn has(&self, number: u64) -> bool {
        let page = usize::try_from(number / PAGE).ok().and_then(|at| self.pages.get(at)?.as_ref());
        page.is_some_and(|page| page[(number % PAGE / 64) as usize] >> (number % 64) & 1 == 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_added_is_there_and_nothing_else() {
        let mut set = Indices::default();
        let numbers = [0, 63, 64, 4095, 4096, 1 << 29, NUMBERS_MAX - 1];
        numbers.iter().for_each(|number| set.add(*number));
        [NUMBERS_MAX, u64::MAX].iter().for_each(|number| set.add(*number));
        assert!(numbers.iter().all(|number| set.has(*number)));
        assert!([1, 62, 65, 4097, 8192, NUMBERS_MAX, u64::MAX].iter().all(|n| !set.has(*n)));
    }
}
