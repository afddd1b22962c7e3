//! How packed shapes are written: whole numbers in as few bytes as they need (LEB128, signed ones
//! zigzag), fractions in little endian, texts behind their length. Not a shape itself.

/// A packed shape ended early, or holds what nobody writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is damaged at byte {at}")]
pub struct Damaged {
    pub at: usize,
}

/// Puts a packed shape together.
#[derive(Debug, Default)]
pub(crate) struct Packer {
    pub(crate) bytes: Vec<u8>,
}

impl Packer {
    pub(crate) fn whole(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.bytes.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.bytes.push(number as u8);
    }

    pub(crate) fn count(&mut self, count: usize) {
        self.whole(count as u64);
    }

    pub(crate) fn signed(&mut self, number: i64) {
        self.whole((number.wrapping_shl(1) ^ (number >> 63)).cast_unsigned());
    }

    pub(crate) fn single(&mut self, number: f32) {
        self.bytes.extend(number.to_le_bytes());
    }

    pub(crate) fn double(&mut self, number: f64) {
        self.bytes.extend(number.to_le_bytes());
    }

    pub(crate) fn text(&mut self, text: &str) {
        self.block(text.as_bytes());
    }

    pub(crate) fn block(&mut self, bytes: &[u8]) {
        self.count(bytes.len());
        self.bytes.extend(bytes);
    }
}

/// Takes a packed shape apart. Never reads, and never reserves, more than is there.
#[derive(Debug)]
pub(crate) struct Unpacker<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Unpacker<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    pub(crate) const fn damaged(&self) -> Damaged {
        Damaged { at: self.at }
    }

    pub(crate) const fn is_at_end(&self) -> bool {
        self.at >= self.bytes.len()
    }

    pub(crate) fn end(&self) -> Result<(), Damaged> {
        if self.is_at_end() { Ok(()) } else { Err(self.damaged()) }
    }

    pub(crate) fn byte(&mut self) -> Result<u8, Damaged> {
        let [byte] = self.take()?;
        Ok(byte)
    }

    pub(crate) fn whole(&mut self) -> Result<u64, Damaged> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let part = u64::from(byte & 0x7f);
            // One text for one value: nothing that does not fit, and no digits that say nothing.
            if (shift == 63 && part > 1) || (byte == 0 && shift > 0) {
                return Err(self.damaged());
            }
            number |= part << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(self.damaged())
    }

    pub(crate) fn small(&mut self) -> Result<u32, Damaged> {
        let number = self.whole()?;
        u32::try_from(number).map_err(|_| self.damaged())
    }

    /// A number of things of which each takes a byte at least.
    pub(crate) fn count(&mut self) -> Result<usize, Damaged> {
        let number = usize::try_from(self.whole()?).map_err(|_| self.damaged())?;
        let left = self.bytes.len() - self.at;
        if number > left { Err(self.damaged()) } else { Ok(number) }
    }

    pub(crate) fn signed(&mut self) -> Result<i64, Damaged> {
        let number = self.whole()?;
        Ok((number >> 1).cast_signed() ^ -(number & 1).cast_signed())
    }

    pub(crate) fn single(&mut self) -> Result<f32, Damaged> {
        self.take().map(f32::from_le_bytes)
    }

    pub(crate) fn double(&mut self) -> Result<f64, Damaged> {
        self.take().map(f64::from_le_bytes)
    }

    pub(crate) fn text(&mut self) -> Result<&'a str, Damaged> {
        let block = self.block()?;
        std::str::from_utf8(block).map_err(|_| self.damaged())
    }

    pub(crate) fn block(&mut self) -> Result<&'a [u8], Damaged> {
        let count = self.count()?;
        let block = self.bytes.get(self.at..self.at + count).ok_or_else(|| self.damaged())?;
        self.at += count;
        Ok(block)
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], Damaged> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let bytes = *rest.first_chunk().ok_or_else(|| self.damaged())?;
        self.at += N;
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_was_packed_is_unpacked(
            whole in any::<u64>(), signed in any::<i64>(), double in any::<f64>(), text in ".*",
        ) {
            let mut packer = Packer::default();
            packer.whole(whole);
            packer.signed(signed);
            packer.double(double);
            packer.text(&text);
            let mut unpacker = Unpacker::new(&packer.bytes);
            prop_assert_eq!(unpacker.whole(), Ok(whole));
            prop_assert_eq!(unpacker.signed(), Ok(signed));
            prop_assert_eq!(unpacker.double().unwrap().to_bits(), double.to_bits());
            prop_assert_eq!(unpacker.text(), Ok(text.as_str()));
            prop_assert_eq!(unpacker.end(), Ok(()));
        }
    }

    #[test]
    fn a_number_has_one_form_only() {
        let check = |bytes: &[u8]| Unpacker::new(bytes).whole();
        assert_eq!(check(&[0x80, 0x01]), Ok(128));
        assert_eq!(check(&[0x80, 0x00]), Err(Damaged { at: 2 }));
        assert_eq!(check(&[0xff; 11]), Err(Damaged { at: 10 }));
        assert_eq!(check(&[0x80]), Err(Damaged { at: 1 }));
    }
}
