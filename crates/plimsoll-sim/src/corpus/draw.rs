//! Random numbers with the distributions that services need, all from one seed.
//!
//! Not here: what is drawn.

use std::ops::RangeInclusive;

use fastrand::Rng;

/// A source of draws. Two with the same origin draw the same.
#[derive(Clone, Debug)]
pub(super) struct Draw(Rng);

impl Draw {
    /// For one case: another family draws other numbers from the same seed.
    pub(super) fn new(family: &str, seed: u64) -> Self {
        // FNV-1a; the generator mixes the rest.
        let hash = family.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        Self(Rng::with_seed(hash ^ seed.wrapping_mul(0x9e37_79b9_7f4a_7c15)))
    }

    /// A source of its own, so that one replica's noise does not depend on another's.
    pub(super) fn split(&mut self) -> Self {
        Self(self.0.fork())
    }

    pub(super) fn unit(&mut self) -> f64 {
        self.0.f64()
    }

    pub(super) fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.0.f64()
    }

    /// As likely between 1 and 10 as between 10 and 100: for sizes and times.
    pub(super) fn scaled(&mut self, low: f64, high: f64) -> f64 {
        low * (high / low).powf(self.0.f64())
    }

    pub(super) fn chance(&mut self, probability: f64) -> bool {
        self.0.f64() < probability
    }

    pub(super) fn whole(&mut self, range: RangeInclusive<u32>) -> u32 {
        self.0.u32(range)
    }

    /// One of several; `choices` is never empty.
    pub(super) fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.0.usize(0..choices.len())]
    }

    /// Mean 0, variance 1 (Irwin-Hall of 12: tails end at 6, so no draw is absurd).
    pub(super) fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.0.f64()).sum::<f64>() - 6.0
    }

    /// Mean 1: the wait for something that happens at any time alike.
    pub(super) fn wait(&mut self) -> f64 {
        -(1.0 - self.0.f64()).ln()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_keep_to_their_range_and_mean() {
        let mut draw = Draw::new("any", 3);
        let count = 4000;
        let mean = |draw: &mut Draw, of: fn(&mut Draw) -> f64| {
            (0..count).map(|_| of(draw)).sum::<f64>() / f64::from(count)
        };
        assert!((mean(&mut draw, Draw::wait) - 1.0).abs() < 0.1);
        assert!(mean(&mut draw, Draw::normal).abs() < 0.1);
        let below = (0..count).filter(|_| draw.scaled(1.0, 100.0) < 10.0).count();
        assert!((1700..2300).contains(&below), "half of the draws lie in each decade: {below}");
    }

    #[test]
    fn another_family_draws_other_numbers_from_the_same_seed() {
        let first = |family| Draw::new(family, 5).unit().to_bits();
        assert_eq!(first("one"), first("one"));
        assert_ne!(first("one"), first("two"));
    }
}
