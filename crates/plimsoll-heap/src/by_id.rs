//! Maps whose keys are numbers that differ already: addresses, and hashes.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// Ids of a dump are addresses, and spread well by one multiplication. A dump made to collide costs
/// its reader time in proportion to its classes, no more: maps by id hold classes and ways only.
#[derive(Debug, Default)]
pub(crate) struct IdHasher(u64);

impl Hasher for IdHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u64(u64::from(*byte)));
    }

    fn write_u64(&mut self, id: u64) {
        self.0 = (self.0.rotate_left(5) ^ id).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 ^= self.0 >> 32;
    }
}

pub(crate) type ById<T> = HashMap<u64, T, BuildHasherDefault<IdHasher>>;
