//! The outlines of one service as they are stored, so that a server that was killed goes on with
//! the pictures that it had: packed, because text would be three times as much, and one form for
//! one value.
//!
//! Version 1 is: the version; then for each life its instance, version, start, and whether the start
//! is known; then for each of its series the metric, the newest sample, and the outline. A metric
//! that this version does not know is passed over. Not here: the samples, and the changes.

use std::collections::BTreeMap;

use plimsoll_model::{
    Drawn, IdError, InstanceName, Life, Metric, Outline, OutlineCell, OutlineParts, Sample, Series,
    ServiceHistory, ServiceName, Timestamp, Version,
};

pub use crate::packed::Damaged;
use crate::packed::{Packer, Unpacker};

/// The version that is written, and the newest one that is read.
pub const OUTLINES_FORMAT: u8 = 1;

/// Why stored outlines cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OutlinesError {
    #[error(
        "the outlines have format {found}, and this version of plimsoll reads up to \
         {OUTLINES_FORMAT}"
    )]
    Newer { found: u8 },
    #[error(transparent)]
    Damaged(#[from] Damaged),
    #[error("the outlines hold a name that is not one")]
    Name(#[from] IdError),
}

/// The outlines of a service, written down.
pub fn pack(history: &ServiceHistory) -> Vec<u8> {
    let mut packer = Packer::default();
    packer.bytes.push(OUTLINES_FORMAT);
    packer.count(history.lives.len());
    for life in &history.lives {
        packer.text(life.instance.as_str());
        packer.text(life.version.as_ref().map_or("", Version::as_str));
        packer.signed(life.started_at.as_millis());
        packer.bytes.push(u8::from(life.start_known));
        packer.count(life.series.len());
        for (metric, series) in &life.series {
            packer.text(metric.name());
            let mut block = Packer::default();
            pack_series(&mut block, series);
            packer.block(&block.bytes);
        }
    }
    packer.bytes
}

/// The history of a service whose outlines were written down, without its changes.
pub fn unpack(service: ServiceName, bytes: &[u8]) -> Result<ServiceHistory, OutlinesError> {
    let mut unpacker = Unpacker::new(bytes);
    let found = unpacker.byte()?;
    if found > OUTLINES_FORMAT {
        return Err(OutlinesError::Newer { found });
    }
    if found == 0 {
        return Err(unpacker.damaged().into());
    }
    let mut history = ServiceHistory::new(service);
    for _ in 0..unpacker.count()? {
        history.lives.push(unpack_life(&mut unpacker)?);
    }
    unpacker.end()?;
    Ok(history)
}

fn unpack_life(unpacker: &mut Unpacker<'_>) -> Result<Life, OutlinesError> {
    let instance = InstanceName::new(unpacker.text()?)?;
    let version = match unpacker.text()? {
        "" => None,
        version => Some(Version::new(version)?),
    };
    let started_at = Timestamp::from_millis(unpacker.signed()?);
    let start_known = match unpacker.byte()? {
        0 => false,
        1 => true,
        _ => return Err(unpacker.damaged().into()),
    };
    let mut series = BTreeMap::new();
    for _ in 0..unpacker.count()? {
        let metric = unpacker.text()?.parse::<Metric>();
        let block = unpacker.block()?;
        if let Ok(metric) = metric {
            // The place in the block is lost: where the block ends is near enough to look.
            let unpacked = unpack_series(block).map_err(|_| unpacker.damaged())?;
            series.insert(metric, unpacked);
        }
    }
    Ok(Life { instance, version, started_at, start_known, series })
}

fn pack_series(packer: &mut Packer, series: &Series) {
    let OutlineParts { drawn, waiting } = series.outline().to_parts();
    let newest = series.last().unwrap_or_default();
    pack_sample(packer, newest, Timestamp::default());
    packer.count(waiting.len());
    waiting.iter().for_each(|sample| pack_sample(packer, *sample, newest.at));
    let Some(drawn) = drawn else { return packer.count(0) };
    packer.count(drawn.cells.len());
    pack_sample(packer, drawn.first, newest.at);
    pack_sample(packer, drawn.last, newest.at);
    packer.whole(drawn.samples);
    packer.whole(u64::from(drawn.full));
    packer.whole(u64::from(drawn.open));
    packer.single(drawn.deepest_fall);
    packer.single(drawn.before);
    let mut before = 0;
    for cell in &drawn.cells {
        // Wrapping, so that what is out of order is refused where it is read, and by one place.
        packer.whole(u64::from(cell.from.wrapping_sub(before)));
        packer.single(cell.lowest);
        packer.single(cell.mean);
        before = cell.from;
    }
}

fn unpack_series(block: &[u8]) -> Result<Series, Damaged> {
    let mut unpacker = Unpacker::new(block);
    let newest = unpack_sample(&mut unpacker, Timestamp::default())?;
    let sample = |unpacker: &mut Unpacker<'_>| unpack_sample(unpacker, newest.at);
    let count = unpacker.count()?;
    let waiting = (0..count).map(|_| sample(&mut unpacker)).collect::<Result<_, _>>()?;
    let cells = unpacker.count()?;
    let drawn = if cells == 0 { None } else { Some(unpack_drawn(&mut unpacker, cells, newest)?) };
    unpacker.end()?;
    let outline = Outline::from_parts(OutlineParts { drawn, waiting });
    let outline = outline.ok_or_else(|| unpacker.damaged())?;
    Ok(Series::restored(outline, Some(newest)))
}

fn unpack_drawn(
    unpacker: &mut Unpacker<'_>,
    cells: usize,
    newest: Sample,
) -> Result<Drawn, Damaged> {
    let (first, last) = (unpack_sample(unpacker, newest.at)?, unpack_sample(unpacker, newest.at)?);
    let samples = unpacker.whole()?;
    let (full, open) = (unpacker.small()?, unpacker.small()?);
    let (deepest_fall, before) = (unpacker.single()?, unpacker.single()?);
    let mut from = 0_u32;
    let mut cell = || {
        from = from.wrapping_add(unpacker.small()?);
        Ok(OutlineCell { from, lowest: unpacker.single()?, mean: unpacker.single()? })
    };
    let cells = (0..cells).map(|_| cell()).collect::<Result<_, _>>()?;
    Ok(Drawn { cells, first, last, samples, full, open, deepest_fall, before })
}

/// Times are far from zero and near each other.
fn pack_sample(packer: &mut Packer, sample: Sample, near: Timestamp) {
    packer.signed(sample.at.as_millis().wrapping_sub(near.as_millis()));
    packer.double(sample.value);
}

fn unpack_sample(unpacker: &mut Unpacker<'_>, near: Timestamp) -> Result<Sample, Damaged> {
    let at = Timestamp::from_millis(unpacker.signed()?.wrapping_add(near.as_millis()));
    let value = unpacker.double()?;
    if value.is_finite() { Ok(Sample { at, value }) } else { Err(unpacker.damaged()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use plimsoll_model::{Reading, SeriesLimit};
    use proptest::prelude::*;

    /// Version 1, as it was first written: what is stored in it must be read for ever.
    const VERSION_1: &str = include_str!("../tests/fixtures/outlines-format-1.hex");

    fn service() -> ServiceName {
        ServiceName::new("orders").unwrap()
    }

    fn history(count: i64) -> ServiceHistory {
        let mut history = ServiceHistory::new(service());
        for index in 0..count {
            for (metric, value) in [
                (Metric::ProcessStartTime, 1_780_000_000.0),
                (Metric::ProcessMemoryRss, 1e8 + (index * 7919 % 1009) as f64 * 1e5),
                (Metric::RuntimeHeapUsed, if index % 97 == 5 { 0.0 } else { 3e7 + index as f64 }),
            ] {
                let reading = Reading {
                    at: Timestamp::from_millis(1_780_000_001_500 + index * 15_250),
                    service: service(),
                    version: Version::new(if index < 20 { "1.0" } else { "1.1" }).ok(),
                    instance: InstanceName::new(&format!("orders-{}", index % 2)).unwrap(),
                    metric,
                    value,
                };
                history.record(&reading, SeriesLimit::OUTLINES);
            }
        }
        history
    }

    fn hex(bytes: &[u8]) -> String {
        let line = |line: &[u8]| line.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        bytes.chunks(48).map(|chunk| line(chunk) + "\n").collect()
    }

    fn unhex(text: &str) -> Vec<u8> {
        let digits: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
        let pair =
            |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
        digits.chunks(2).map(pair).collect()
    }

    #[test]
    fn version_1_is_read_and_still_written() {
        assert_eq!(unpack(service(), &unhex(VERSION_1)).unwrap(), history(64));
        assert_eq!(hex(&pack(&history(64))), VERSION_1);
    }

    #[test]
    fn outlines_of_any_length_come_back_equal() {
        for count in [0, 1, 3, 17, 1000, 5000] {
            let written = history(count);
            assert!(unpack(service(), &pack(&written)).unwrap() == written, "{count}");
        }
    }

    #[test]
    fn a_long_series_takes_less_than_four_kilobytes() {
        let long = history(20_000);
        let series: usize = long.lives.iter().map(|life| life.series.len()).sum();
        let bytes = pack(&long).len() / series;
        assert!((500..4096).contains(&bytes), "{bytes} a series");
    }

    #[test]
    fn a_newer_version_is_refused_by_name_and_a_metric_of_one_is_passed_over() {
        let mut bytes = pack(&history(5));
        bytes[0] = 2;
        let error = unpack(service(), &bytes).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the outlines have format 2, and this version of plimsoll reads up to 1"
        );
        bytes[0] = 1;
        let name = Metric::ProcessMemoryRss.name().as_bytes();
        let place = bytes.windows(name.len()).position(|text| text == name).unwrap();
        bytes[place] = b'x';
        let read = unpack(service(), &bytes).unwrap();
        assert_eq!(read.lives[0].series.len(), 2);
        assert_eq!(read.lives[1].series.len(), 3);
    }

    #[test]
    fn every_torn_end_is_an_error() {
        let bytes = pack(&history(40));
        for end in 0..bytes.len() {
            assert!(unpack(service(), &bytes[..end]).is_err(), "{end} of {}", bytes.len());
        }
    }

    proptest! {
        #[test]
        fn no_damage_is_a_panic_and_what_is_read_is_written_the_same(
            places in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        ) {
            let mut bytes = pack(&history(60));
            for (place, byte) in places {
                *place.get_mut(&mut bytes) = byte;
            }
            if let Ok(read) = unpack(service(), &bytes) {
                let again = pack(&read);
                prop_assert_eq!(unpack(service(), &again).unwrap(), read);
            }
        }
    }
}
