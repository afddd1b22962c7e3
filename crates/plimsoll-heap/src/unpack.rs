//! Undoes gzip, within a bound: profiles and logs are kept packed, and a file of one megabyte can
//! unpack to a thousand.
//!
//! Not here: formats, and zstd, whose decoder is a C library: it is named, and left to its owner's
//! tools. Used by every reader of this crate that takes a whole file.

use std::borrow::Cow;
use std::io::Read;

use flate2::bufread::MultiGzDecoder;
use thiserror::Error;

/// The start of a gzip member (RFC 1952) with its only method, deflate.
const GZIP: &[u8] = &[0x1f, 0x8b, 0x08];
/// The start of a zstd frame (RFC 8878).
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];

/// Bytes taken at once while unpacking. Memory grows with what comes out, never with what a header
/// promises.
const STEP_BYTES: usize = 64 << 10;

/// The bytes of a file, unpacked where they were packed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unpacked<'a> {
    pub bytes: Cow<'a, [u8]>,
    /// Whether the pack ended as its format says. When not, `bytes` is what could be unpacked.
    pub complete: bool,
}

/// Why a file cannot be unpacked.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum UnpackError {
    #[error(
        "the file unpacks to more than {max} bytes, the most that is taken; give more memory, or \
         unpack a part of it"
    )]
    TooLarge { max: usize },
    #[error("the file is packed with zstd, which is not read here; unpack it first: zstd -d FILE")]
    Zstd,
    #[error("the file begins as gzip and nothing can be unpacked of it: it is cut or damaged")]
    Damaged,
}

/// Unpacks gzip of one or many members; other bytes are handed back as they are.
///
/// # Errors
/// When more than `bytes_max` come out, when the file is packed in another way, or when nothing of
/// it can be unpacked.
pub fn unpack(bytes: &[u8], bytes_max: usize) -> Result<Unpacked<'_>, UnpackError> {
    if bytes.starts_with(ZSTD) {
        return Err(UnpackError::Zstd);
    }
    if !bytes.starts_with(GZIP) {
        if bytes.len() > bytes_max {
            return Err(UnpackError::TooLarge { max: bytes_max });
        }
        return Ok(Unpacked { bytes: Cow::Borrowed(bytes), complete: true });
    }
    let (unpacked, complete) = inflate(bytes, bytes_max);
    if unpacked.len() > bytes_max {
        return Err(UnpackError::TooLarge { max: bytes_max });
    }
    if unpacked.is_empty() && !complete {
        return Err(UnpackError::Damaged);
    }
    Ok(Unpacked { bytes: Cow::Owned(unpacked), complete })
}

/// The first bytes of what is packed, for those who only want to know what it is.
pub(crate) fn peek(bytes: &[u8], bytes_max: usize) -> Cow<'_, [u8]> {
    if !bytes.starts_with(GZIP) {
        return Cow::Borrowed(bytes.get(..bytes_max).unwrap_or(bytes));
    }
    let (mut unpacked, _) = inflate(bytes, bytes_max);
    unpacked.truncate(bytes_max);
    Cow::Owned(unpacked)
}

pub(crate) fn is_zstd(bytes: &[u8]) -> bool {
    bytes.starts_with(ZSTD)
}

/// At most one step more than `bytes_max`, and whether the end was reached without damage.
fn inflate(bytes: &[u8], bytes_max: usize) -> (Vec<u8>, bool) {
    let mut decoder = MultiGzDecoder::new(bytes);
    let mut unpacked = Vec::new();
    let mut step = vec![0; STEP_BYTES];
    while unpacked.len() <= bytes_max {
        match decoder.read(&mut step) {
            Ok(0) => return (unpacked, true),
            Ok(count) => unpacked.extend_from_slice(&step[..count]),
            // Memory is no device: an error is damage, or the end of what is there.
            Err(_) => return (unpacked, false),
        }
    }
    (unpacked, false)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn packed_and_plain_bytes_come_out_alike() {
        for bytes in [gzip(b"heap profile"), b"heap profile".to_vec()] {
            let unpacked = unpack(&bytes, 100).unwrap();
            assert_eq!((&*unpacked.bytes, unpacked.complete), (&b"heap profile"[..], true));
        }
        let two = [gzip(b"heap "), gzip(b"profile")].concat();
        assert_eq!(&*unpack(&two, 100).unwrap().bytes, b"heap profile");
    }

    #[test]
    fn a_bomb_is_refused_before_it_is_unpacked() {
        let bomb = gzip(&vec![0; 64 << 20]);
        assert!(bomb.len() < 1 << 20, "{}", bomb.len());
        assert_eq!(unpack(&bomb, 1 << 20), Err(UnpackError::TooLarge { max: 1 << 20 }));
        assert_eq!(unpack(&[0; 9], 8), Err(UnpackError::TooLarge { max: 8 }));
    }

    #[test]
    fn a_pack_that_was_cut_gives_what_is_there_and_says_so() {
        let text: Vec<u8> = (0..200_000_u32).flat_map(u32::to_le_bytes).collect();
        let packed = gzip(&text);
        let unpacked = unpack(&packed[..packed.len() / 2], 1 << 20).unwrap();
        assert!(!unpacked.complete);
        assert!(unpacked.bytes.len() > 1000 && text.starts_with(&unpacked.bytes));
        assert_eq!(unpack(&packed[..12], 1 << 20), Err(UnpackError::Damaged));
    }

    #[test]
    fn zstd_is_named_with_what_to_do() {
        let error = unpack(&[0x28, 0xb5, 0x2f, 0xfd, 0, 0], 100).unwrap_err();
        assert!(error.to_string().contains("zstd -d"), "{error}");
    }
}
