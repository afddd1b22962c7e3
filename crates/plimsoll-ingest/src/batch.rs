//! Samples as they come off a file: many at a time, each name once for all that share it.
//!
//! A row of telemetry is mostly names that the row before it had too. Where they are handed on row
//! by row, counting who holds a name costs more than everything that is measured. Used between the
//! readers of files and who gathers.

use plimsoll_model::{InstanceName, Metric, Reading, ServiceName, Timestamp, Version};

/// Who told samples: one version in one instance of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Teller {
    pub service: ServiceName,
    pub version: Option<Version>,
    pub instance: InstanceName,
}

/// One sample without its names.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Told {
    pub at: Timestamp,
    /// Finite, as in a [`Reading`].
    pub value: f64,
    /// Its place among the tellers of the batch.
    pub teller: u32,
    pub metric: Metric,
}

/// Samples with who told them. Each teller told at least one; it may stand there more than once.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Batch {
    pub(crate) tellers: Vec<Teller>,
    pub(crate) samples: Vec<Told>,
}

impl Batch {
    pub fn tellers(&self) -> &[Teller] {
        &self.tellers
    }

    pub fn samples(&self) -> &[Told] {
        &self.samples
    }

    /// Samples that one teller told one after the other, with the teller's place.
    pub fn runs(&self) -> impl Iterator<Item = (usize, &[Told])> {
        let runs = self.samples.chunk_by(|one, other| one.teller == other.teller);
        runs.filter_map(|run| Some((run.first()?.teller as usize, run)))
    }

    /// Every sample with all of its names.
    pub fn readings(&self) -> impl Iterator<Item = Reading> {
        self.samples.iter().filter_map(|told| {
            let Told { at, value, teller, metric } = *told;
            let Teller { service, version, instance } = self.tellers.get(teller as usize)?.clone();
            Some(Reading { at, service, version, instance, metric, value })
        })
    }

    pub fn add(&mut self, reading: Reading) {
        let Reading { at, service, version, instance, metric, value } = reading;
        let teller = Teller { service, version, instance };
        if self.tellers.last() != Some(&teller) {
            self.tellers.push(teller);
        }
        let teller = place(self.tellers.len().saturating_sub(1));
        self.samples.push(Told { at, value, teller, metric });
    }

    pub fn clear(&mut self) {
        self.tellers.clear();
        self.samples.clear();
    }
}

/// A batch is far smaller than what a place can number.
pub(crate) fn place(index: usize) -> u32 {
    u32::try_from(index).expect("a batch has some thousand rows")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readings_come_out_as_they_went_in() {
        let reading = |at: i64, instance: &str, version: Option<&str>| Reading {
            at: Timestamp::from_secs(at),
            service: ServiceName::new("orders").unwrap(),
            version: version.map(|version| Version::new(version).unwrap()),
            instance: InstanceName::new(instance).unwrap(),
            metric: Metric::ProcessFds,
            value: at as f64,
        };
        let readings = [
            reading(1, "a", None),
            reading(2, "a", None),
            reading(2, "a", Some("1")),
            reading(3, "b", Some("1")),
            reading(4, "a", None),
        ];
        let mut batch = Batch::default();
        readings.iter().for_each(|reading| batch.add(reading.clone()));
        assert_eq!(batch.readings().collect::<Vec<_>>(), readings);
        let runs: Vec<_> = batch.runs().map(|(teller, run)| (teller, run.len())).collect();
        assert_eq!(runs, [(0, 2), (1, 1), (2, 1), (3, 1)]);
        batch.clear();
        assert_eq!(batch.runs().count(), 0);
    }
}
