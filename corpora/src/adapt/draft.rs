//! One case that is being put together: its readings, its restarts, and what is true of it.

use std::collections::BTreeMap;

use plimsoll_model::{
    Change, ChangeKind, Half, InstanceName, Label, Metric, Reading, ServiceName, Timestamp, Version,
};
use plimsoll_wire::corpus::TruthShape;
use plimsoll_wire::words::CauseWord;

use super::AdaptError;

/// A case of one set.
#[derive(Debug)]
pub(super) struct Draft {
    service: ServiceName,
    label: Label,
    cause: Option<CauseWord>,
    runtime: &'static str,
    version: Option<Version>,
    leaking: Vec<InstanceName>,
    readings: Vec<Reading>,
    changes: Vec<Change>,
    limits: BTreeMap<(InstanceName, Metric), f64>,
}

impl Draft {
    /// `service` names a file too, so what a path or a CSV field cannot hold becomes a dash.
    pub(super) fn new(service: &str, label: Label) -> Result<Self, AdaptError> {
        let service = plain(service);
        let name = ServiceName::new(&service);
        Ok(Self {
            service: name.map_err(|source| AdaptError::Name(service, source))?,
            label,
            cause: None,
            runtime: "unknown",
            version: None,
            leaking: Vec::new(),
            readings: Vec::new(),
            changes: Vec::new(),
            limits: BTreeMap::new(),
        })
    }

    pub(super) fn runtime(mut self, runtime: &'static str) -> Self {
        self.runtime = runtime;
        self
    }

    pub(super) fn cause(mut self, cause: CauseWord) -> Self {
        self.cause = Some(cause);
        self
    }

    /// What every reading that is added from now on says it runs.
    pub(super) fn version(mut self, version: &str) -> Result<Self, AdaptError> {
        let name = Version::new(&plain(version));
        self.version = Some(name.map_err(|source| AdaptError::Name(version.into(), source))?);
        Ok(self)
    }

    pub(super) fn leaks(&mut self, instance: &InstanceName) {
        self.leaking.push(instance.clone());
    }

    pub(super) fn push(
        &mut self,
        at: Timestamp,
        instance: &InstanceName,
        metric: Metric,
        value: f64,
    ) {
        let (service, version) = (self.service.clone(), self.version.clone());
        let instance = instance.clone();
        self.readings.push(Reading { at, service, version, instance, metric, value });
    }

    /// A limit is written when it is first seen and when it changes: repeating it with every sample
    /// would double the corpus and say nothing.
    pub(super) fn limit(
        &mut self,
        at: Timestamp,
        instance: &InstanceName,
        metric: Metric,
        value: f64,
    ) {
        let was = self.limits.insert((instance.clone(), metric), value);
        if was.map(f64::to_bits) != Some(value.to_bits()) {
            self.push(at, instance, metric, value);
        }
    }

    pub(super) fn restarted(&mut self, at: Timestamp, instance: &InstanceName) {
        self.changes.push(Change {
            at,
            kind: ChangeKind::Restart,
            service: self.service.clone(),
            instance: Some(instance.clone()),
            version: None,
            attributes: BTreeMap::new(),
        });
    }

    pub(super) fn readings(&self) -> &[Reading] {
        &self.readings
    }

    pub(super) const fn label(&self) -> Label {
        self.label
    }

    /// Days between the first and the last reading of each instance, added up.
    pub(super) fn container_days(&self) -> f64 {
        let mut spans = BTreeMap::<&InstanceName, (Timestamp, Timestamp)>::new();
        for reading in &self.readings {
            let span = spans.entry(&reading.instance).or_insert((reading.at, reading.at));
            *span = (span.0.min(reading.at), span.1.max(reading.at));
        }
        spans.values().map(|(from, to)| to.since(*from).as_hours_f64() / 24.0).sum()
    }

    pub(super) fn finish(self, family: &str) -> (TruthShape, Vec<Reading>, Vec<Change>) {
        let truth = TruthShape {
            service: self.service.to_string(),
            family: family.into(),
            // Nothing was fitted to any of these sets.
            half: Half::Report.into(),
            label: self.label.into(),
            cause: self.cause,
            onset: None,
            ends: None,
            instances: self.leaking.iter().map(ToString::to_string).collect(),
            change: None,
            exhausted_at: None,
            growth_per_hour: None,
            runtime: Some(self.runtime.into()),
        };
        (truth, self.readings, self.changes)
    }

    /// The case in words: what it is, then its readings, then its restarts.
    #[cfg(test)]
    pub(super) fn told(&self) -> Vec<String> {
        let head = format!("{} {:?}", self.service, self.label).to_lowercase();
        let reading = |reading: &Reading| {
            let Reading { at, instance, metric, value, .. } = reading;
            format!("{} {instance} {metric} {value}", at.as_secs_f64())
        };
        let change = |change: &Change| format!("{} {}", change.at.as_secs_f64(), change.kind);
        let readings = self.readings.iter().map(reading);
        std::iter::once(head).chain(readings).chain(self.changes.iter().map(change)).collect()
    }
}

/// An instance's name, without what a CSV field cannot hold.
pub(super) fn instance(text: &str) -> Result<InstanceName, AdaptError> {
    let text = plain(text);
    InstanceName::new(&text).map_err(|source| AdaptError::Name(text, source))
}

fn plain(text: &str) -> String {
    let kept = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    text.chars().map(|c| if kept(c) { c } else { '-' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_written_once_until_it_changes() {
        let mut draft = Draft::new("a/b,c", Label::Benign).unwrap();
        let vm = instance("vm 1").unwrap();
        for (at, limit) in [(0, 5.0), (60, 5.0), (86_400, 7.0)] {
            draft.limit(Timestamp::from_secs(at), &vm, Metric::NodeMemoryAllocatable, limit);
        }
        let told = [
            "a-b-c benign",
            "0 vm-1 node.memory.allocatable 5",
            "86400 vm-1 node.memory.allocatable 7",
        ];
        assert_eq!(draft.told(), told);
        assert!((draft.container_days() - 1.0).abs() < 1e-9);
    }

    #[test]
    fn a_name_that_is_empty_is_refused() {
        assert!(matches!(Draft::new("", Label::Benign), Err(AdaptError::Name(..))));
        assert!(matches!(instance(""), Err(AdaptError::Name(..))));
    }
}
