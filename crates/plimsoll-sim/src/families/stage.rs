//! The stage that families play on: time steps, load, noise, and where readings are put.
//!
//! Not here: any family.

use std::collections::BTreeMap;

use fastrand::Rng;
use plimsoll_model::{
    Cause, Change, ChangeKind, InstanceName, Metric, Reading, ServiceName, Span, Timestamp,
    Verdict, Version,
};

use super::{Case, Scale, Truth};

/// Sizes of memory in the families are in MiB; readings are in bytes.
pub(super) const MIB: f64 = 1_048_576.0;

/// 2026-06-01T00:00:00Z: a Monday, so that a day curve starts at midnight.
const BEGIN: Timestamp = Timestamp::from_secs(1_780_272_000);

/// Where one case is drawn.
pub(super) struct Stage {
    family: &'static str,
    seed: u64,
    scale: Scale,
    pub(super) rng: Rng,
    readings: Vec<Reading>,
    changes: Vec<Change>,
    /// Probability that a reading is kept.
    pub(super) kept: f64,
    walk: f64,
}

/// Who is measured.
#[derive(Clone, Copy, Debug)]
pub(super) struct Who {
    pub(super) instance: u32,
    pub(super) version: &'static str,
}

impl Stage {
    pub(super) fn new(family: &'static str, seed: u64, scale: Scale) -> Self {
        let salt = family.bytes().fold(seed, |hash, byte| {
            hash.wrapping_mul(0x0100_0000_01b3).wrapping_add(u64::from(byte))
        });
        Self {
            family,
            seed,
            scale,
            rng: Rng::with_seed(salt ^ scale.step.as_millis().unsigned_abs()),
            readings: Vec::new(),
            changes: Vec::new(),
            kept: 1.0,
            walk: 0.0,
        }
    }

    pub(super) fn steps(&self) -> usize {
        self.scale.steps()
    }

    pub(super) fn hours(&self) -> f64 {
        self.scale.length.as_hours_f64()
    }

    /// The moment at this share of the whole length.
    pub(super) fn at(&self, share: f64) -> Timestamp {
        BEGIN + Span::from_millis((self.scale.length.as_millis() as f64 * share) as i64)
    }

    /// The step's moment as a share of the whole length.
    pub(super) fn share(&self, step: usize) -> f64 {
        step as f64 / self.steps() as f64
    }

    /// How often load rises and falls: once a day, or three times where a day does not fit.
    pub(super) fn cycles(&self) -> f64 {
        let days = self.hours() / 24.0;
        if days >= 1.5 { days } else { 3.0 }
    }

    /// Load around 1 at this share of the length, with a swing of `amplitude`.
    pub(super) fn load(&self, share: f64, amplitude: f64) -> f64 {
        1.0 - amplitude * (std::f64::consts::TAU * self.cycles() * share).cos()
    }

    /// Requests that were served up to this share, when one unit of load is served over the length.
    pub(super) fn served(&self, share: f64, amplitude: f64) -> f64 {
        let angle = std::f64::consts::TAU * self.cycles();
        share - amplitude * (angle * share).sin() / angle
    }

    /// One draw of a normal distribution around 0 (Irwin-Hall of 12, which has light tails).
    pub(super) fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.rng.f64()).sum::<f64>() - 6.0
    }

    /// The next value of noise that remembers: unit variance, correlation `memory` per step.
    pub(super) fn remembering(&mut self, memory: f64) -> f64 {
        self.walk = memory * self.walk + (1.0 - memory * memory).sqrt() * self.normal();
        self.walk
    }

    pub(super) fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.rng.f64()
    }

    /// A reading in the metric's own unit.
    pub(super) fn put(&mut self, step: usize, who: Who, metric: Metric, value: f64) {
        if self.kept < 1.0 && self.rng.f64() > self.kept {
            return;
        }
        self.readings.push(Reading {
            at: BEGIN + Span::from_millis(self.scale.step.as_millis() * step as i64),
            service: service(),
            version: Version::new(who.version).ok(),
            instance: instance(who.instance),
            metric,
            value: value.max(0.0),
        });
    }

    /// A reading of memory, in MiB.
    pub(super) fn put_mib(&mut self, step: usize, who: Who, metric: Metric, mib: f64) {
        self.put(step, who, metric, (mib * MIB).round());
    }

    pub(super) fn start_time(&mut self, step: usize, who: Who, share: f64) {
        let secs = self.at(share).as_secs_f64();
        self.put(step, who, Metric::ProcessStartTime, secs);
    }

    pub(super) fn change(&mut self, share: f64, kind: ChangeKind, version: &str) -> Change {
        self.change_of(share, kind, version, None)
    }

    pub(super) fn restart(&mut self, share: f64, who: u32) {
        self.change_of(share, ChangeKind::Restart, "", Some(who));
    }

    fn change_of(
        &mut self,
        share: f64,
        kind: ChangeKind,
        version: &str,
        who: Option<u32>,
    ) -> Change {
        let change = Change {
            at: self.at(share),
            kind,
            service: service(),
            instance: who.map(instance),
            version: Version::new(version).ok(),
            attributes: BTreeMap::new(),
        };
        self.changes.push(change.clone());
        change
    }

    /// Leaves out everything measured between two shares.
    pub(super) fn gap(&mut self, from: f64, to: f64) {
        let (from, to) = (self.at(from), self.at(to));
        self.readings.retain(|reading| reading.at < from || reading.at >= to);
    }

    pub(super) fn case(self, truth: Truth) -> Case {
        let newest = self.readings.iter().map(|reading| reading.at).max();
        Case {
            name: format!("{} at {} seed {}", self.family, self.scale.step, self.seed),
            family: self.family,
            readings: self.readings,
            changes: self.changes,
            assessed_at: newest.unwrap_or(BEGIN),
            truth,
        }
    }

    /// A case in which nothing leaks.
    pub(super) fn benign(self, cause: Cause) -> Case {
        self.case(Truth {
            verdict: Verdict::Steady,
            cause,
            instances: Vec::new(),
            change: None,
            growth_per_hour: None,
        })
    }
}

pub(super) fn instance(number: u32) -> InstanceName {
    InstanceName::new(&format!("subject-{number}")).expect("a short name is a name")
}

fn service() -> ServiceName {
    ServiceName::new("subject").expect("a short name is a name")
}
