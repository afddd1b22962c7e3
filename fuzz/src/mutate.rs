//! Small damage to good input, from a seed: what the tests do where no libFuzzer runs. Knows
//! nothing of any format.

use fastrand::Rng;

/// Changes at most this many places of one input.
const EDITS_MAX: usize = 8;

/// What parsers are known to stumble over.
const TOKENS: [&[u8]; 16] = [
    b"0",
    b"-1",
    b"1e308",
    b"1e999",
    b"NaN",
    b"-inf",
    b"18446744073709551615",
    b"9223372036854775808",
    b"\"",
    b"\\u0000",
    b"[[[[",
    b"{}",
    b"null",
    b"\0",
    b"\r\n",
    b"\xff\xfe",
];

/// One of the seeds with a few places changed, cut, repeated, or spliced from another.
pub(crate) fn mutated(seeds: &[Vec<u8>], random: &mut Rng) -> Vec<u8> {
    let mut bytes = random.choice(seeds).cloned().unwrap_or_default();
    for _ in 0..random.usize(1..=EDITS_MAX) {
        edit(&mut bytes, seeds, random);
    }
    bytes
}

fn edit(bytes: &mut Vec<u8>, seeds: &[Vec<u8>], random: &mut Rng) {
    let at = random.usize(0..=bytes.len());
    let end = (at + random.usize(0..=16)).min(bytes.len());
    match random.u8(0..7) {
        0 => bytes.truncate(at.max(bytes.len() / 2)),
        1 => drop(bytes.drain(at..end)),
        2 => {
            let again = bytes[at..end].to_vec();
            bytes.splice(at..at, again);
        }
        3 => {
            let other = random.choice(seeds).map_or(&[][..], Vec::as_slice);
            let from = random.usize(0..=other.len());
            let to = (from + random.usize(0..=64)).min(other.len());
            bytes.splice(at..end, other[from..to].iter().copied());
        }
        4 => {
            let token = random.choice(TOKENS).unwrap_or_default();
            bytes.splice(at..end, token.iter().copied());
        }
        5 => bytes.get_mut(at).into_iter().for_each(|byte| *byte ^= 1 << random.u8(0..8)),
        _ => bytes.get_mut(at).into_iter().for_each(|byte| *byte = random.u8(..)),
    }
}
