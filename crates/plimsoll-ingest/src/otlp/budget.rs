//! What a request costs before it is decoded. Two bytes on the wire become a struct of up to 300
//! in memory, so a bound on bytes alone lets 8 MB become a gigabyte: the messages are counted
//! first, without building them.
//!
//! Rejected: decoding by hand (a second OTLP decoder to keep), and a lower bound on bytes (honest
//! batches are that large).

use prost::encoding::{WireType, decode_key, decode_varint};

use super::OtlpError;

/// Nested messages of one request: the points of a full batch with ten attributes each. At most
/// some 75 MB when decoded.
pub(super) const MESSAGES_MAX: u64 = 250_000;

/// Nesting that is followed, as `prost` itself does.
const DEPTH_MAX: u32 = 100;

/// Which fields of a message hold messages.
pub(super) struct Shape(&'static [(u32, &'static Self)]);

pub(super) static METRICS: Shape = Shape(&[(1, &RESOURCE_METRICS)]);
pub(super) static TRACES: Shape = Shape(&[(1, &RESOURCE_SPANS)]);

static LEAF: Shape = Shape(&[]);
static RESOURCE: Shape = Shape(&[(1, &KEY_VALUE), (3, &ENTITY)]);
static ENTITY: Shape = Shape(&[(3, &LEAF), (4, &LEAF)]);
static SCOPE: Shape = Shape(&[(3, &KEY_VALUE)]);
static KEY_VALUE: Shape = Shape(&[(2, &ANY_VALUE)]);
static ANY_VALUE: Shape = Shape(&[(5, &ARRAY), (6, &KEY_VALUES)]);
static ARRAY: Shape = Shape(&[(1, &ANY_VALUE)]);
static KEY_VALUES: Shape = Shape(&[(1, &KEY_VALUE)]);

static RESOURCE_METRICS: Shape = Shape(&[(1, &RESOURCE), (2, &SCOPE_METRICS)]);
static SCOPE_METRICS: Shape = Shape(&[(1, &SCOPE), (2, &METRIC)]);
static METRIC: Shape = Shape(&[
    (5, &NUMBERS),
    (7, &NUMBERS),
    (9, &HISTOGRAMS),
    (10, &EXPONENTIALS),
    (11, &SUMMARIES),
    (12, &KEY_VALUE),
]);
static NUMBERS: Shape = Shape(&[(1, &NUMBER)]);
static NUMBER: Shape = Shape(&[(5, &EXEMPLAR), (7, &KEY_VALUE)]);
static HISTOGRAMS: Shape = Shape(&[(1, &HISTOGRAM)]);
static HISTOGRAM: Shape = Shape(&[(8, &EXEMPLAR), (9, &KEY_VALUE)]);
static EXPONENTIALS: Shape = Shape(&[(1, &EXPONENTIAL)]);
static EXPONENTIAL: Shape = Shape(&[(1, &KEY_VALUE), (11, &EXEMPLAR)]);
static SUMMARIES: Shape = Shape(&[(1, &SUMMARY)]);
static SUMMARY: Shape = Shape(&[(6, &LEAF), (7, &KEY_VALUE)]);
static EXEMPLAR: Shape = Shape(&[(7, &KEY_VALUE)]);

static RESOURCE_SPANS: Shape = Shape(&[(1, &RESOURCE), (2, &SCOPE_SPANS)]);
static SCOPE_SPANS: Shape = Shape(&[(1, &SCOPE), (2, &SPAN)]);
static SPAN: Shape = Shape(&[(9, &KEY_VALUE), (11, &EVENT), (13, &LINK)]);
static EVENT: Shape = Shape(&[(3, &KEY_VALUE)]);
static LINK: Shape = Shape(&[(4, &KEY_VALUE)]);

pub(super) fn check_protobuf(bytes: &[u8], shape: &Shape) -> Result<(), OtlpError> {
    count(bytes, shape, 0, &mut 0)
}

/// Every message is an object in JSON. Braces inside texts are counted too: nobody honest sends a
/// quarter of a million of them.
pub(super) fn check_json(bytes: &[u8]) -> Result<(), OtlpError> {
    let objects = bytes.iter().filter(|byte| **byte == b'{').count() as u64;
    if objects > MESSAGES_MAX { Err(OtlpError::TooManyMessages) } else { Ok(()) }
}

fn count(mut bytes: &[u8], shape: &Shape, depth: u32, seen: &mut u64) -> Result<(), OtlpError> {
    if depth > DEPTH_MAX {
        return Err(OtlpError::NotProtobuf(None));
    }
    while !bytes.is_empty() {
        let broken = |error| OtlpError::NotProtobuf(Some(error));
        let (field, wire_type) = decode_key(&mut bytes).map_err(broken)?;
        let length = match wire_type {
            WireType::Varint => decode_varint(&mut bytes).map(|_| 0).map_err(broken)?,
            WireType::SixtyFourBit => 8,
            WireType::ThirtyTwoBit => 4,
            WireType::LengthDelimited => decode_varint(&mut bytes).map_err(broken)?,
            // OTLP has no groups, and skipping one would hide what follows it.
            WireType::StartGroup | WireType::EndGroup => return Err(OtlpError::NotProtobuf(None)),
        };
        let length = usize::try_from(length).map_err(|_| OtlpError::NotProtobuf(None))?;
        let (content, rest) = bytes.split_at_checked(length).ok_or(OtlpError::NotProtobuf(None))?;
        bytes = rest;
        let nested = shape.0.iter().find(|(number, _)| *number == field);
        if let (WireType::LengthDelimited, Some((_, inner))) = (wire_type, nested) {
            *seen += 1;
            if *seen > MESSAGES_MAX {
                return Err(OtlpError::TooManyMessages);
            }
            count(content, inner, depth + 1, seen)?;
        }
    }
    Ok(())
}
