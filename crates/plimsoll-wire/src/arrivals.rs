//! What came in since the outlines were written, in the order in which it was taken in: a batch of
//! samples, packed. A sample names its series by the number that the store gave it.
//!
//! Version 1 is: the version; then for each sample the series, as the step from the one before, its
//! time in milliseconds, the same way, and its value.

use plimsoll_model::{Sample, Timestamp};

pub use crate::packed::Damaged;
use crate::packed::{Packer, Unpacker};

/// The version that is written, and the only one that is read.
const FORMAT: u8 = 1;

/// A batch, written down: about 11 bytes a sample.
pub fn pack(samples: &[(i64, Sample)]) -> Vec<u8> {
    let mut packer = Packer { bytes: Vec::with_capacity(1 + samples.len() * 12) };
    packer.bytes.push(FORMAT);
    let mut before = (0, 0);
    for (series, sample) in samples {
        let at = sample.at.as_millis();
        packer.signed(series.wrapping_sub(before.0));
        packer.signed(at.wrapping_sub(before.1));
        packer.double(sample.value);
        before = (*series, at);
    }
    packer.bytes
}

/// The samples of a batch with their series.
pub fn unpack(bytes: &[u8]) -> Result<Vec<(i64, Sample)>, Damaged> {
    let mut unpacker = Unpacker::new(bytes);
    if unpacker.byte()? != FORMAT {
        return Err(unpacker.damaged());
    }
    let mut before = (0_i64, 0_i64);
    let mut samples = Vec::new();
    while !unpacker.is_at_end() {
        before.0 = before.0.wrapping_add(unpacker.signed()?);
        before.1 = before.1.wrapping_add(unpacker.signed()?);
        let value = unpacker.double()?;
        if !value.is_finite() {
            return Err(unpacker.damaged());
        }
        samples.push((before.0, Sample { at: Timestamp::from_millis(before.1), value }));
    }
    Ok(samples)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples() -> Vec<(i64, Sample)> {
        let sample = |at, value| Sample { at: Timestamp::from_millis(at), value };
        vec![
            (7, sample(1_780_000_000_123, 1.5)),
            (8, sample(1_780_000_000_123, -2.0)),
            (3, sample(1_779_999_999_000, 1e300)),
            (i64::MIN, sample(i64::MAX, 0.0)),
        ]
    }

    #[test]
    fn version_1_is_read_and_still_written() {
        let version_1 = "010ef6a1a484ce67000000000000f83f020000000000000000c009c5119c7500883ce4\
                         377efaffffffffffffffff01ceefdbfbb198ffffff010000000000000000";
        let packed: String = pack(&samples()).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(packed, version_1);
        assert_eq!(unpack(&pack(&samples())).unwrap(), samples());
    }

    #[test]
    fn a_batch_of_an_agent_takes_eleven_bytes_a_sample() {
        let sample = |index| Sample { at: Timestamp::from_millis(1_780_000_000_000), value: index };
        let batch: Vec<_> = (0..4000).map(|index| (index, sample(index as f64))).collect();
        assert!(pack(&batch).len() <= 11 * batch.len(), "{}", pack(&batch).len());
    }

    #[test]
    fn a_torn_or_newer_batch_is_an_error() {
        let packed = pack(&samples());
        for end in 0..packed.len() {
            if let Ok(read) = unpack(&packed[..end]) {
                assert!(read.len() < 4 && samples().starts_with(&read), "{end}");
            }
        }
        assert!(unpack(&[2]).is_err());
        assert!(unpack(&[]).is_err());
    }
}
