//! The simulated fleet and its agent: what is measured, and what happens when it is acted upon.

use std::collections::{BTreeMap, BTreeSet};

use plimsoll_model::{
    Ability, Action, Bytes, Change, ChangeKind, Command, CommandId, InstanceName, Measured, Metric,
    PredictedPause, Reach, Reading, Receipt, ReceiptResult, Restored, Role, ServiceName, Span,
    Timestamp, TypeCount, Version,
};

use super::{Curve, Scenario, ServiceModel};

/// A stall that every capture of the simulated runtime costs.
const PAUSE: Span = Span::from_millis(40);

/// Bytes of the class that leaks, and what one object of it brings along.
const LEAKED_OBJECT_BYTES: f64 = 48.0;
const LEAKED_CONTENT_BYTES: f64 = 16_384.0;

/// What a runtime takes beside its heap.
const RUNTIME_BYTES: f64 = 80.0 * 1_048_576.0;

#[derive(Clone, Debug)]
struct Process {
    version: Version,
    started_at: Timestamp,
}

#[derive(Clone, Debug)]
struct Lease {
    command: Command,
    ends_at: Timestamp,
}

/// One scenario's fleet at one moment.
#[derive(Debug)]
pub struct World {
    services: Vec<ServiceModel>,
    processes: BTreeMap<InstanceName, Process>,
    /// When a key of a service's configuration was set.
    configured: Vec<(ServiceName, String, Timestamp)>,
    silent_until: BTreeMap<ServiceName, Timestamp>,
    broken: BTreeSet<ServiceName>,
    leases: Vec<Lease>,
    performed: BTreeMap<CommandId, Receipt>,
    start: Timestamp,
    random: fastrand::Rng,
}

impl World {
    pub fn new(scenario: &Scenario, start: Timestamp, seed: u64) -> Self {
        let mut processes = BTreeMap::new();
        for service in &scenario.services {
            for name in &service.replicas {
                let version = service.first_version.clone();
                processes.insert(name.clone(), Process { version, started_at: start });
            }
        }
        Self {
            services: scenario.services.clone(),
            processes,
            configured: Vec::new(),
            silent_until: BTreeMap::new(),
            broken: BTreeSet::new(),
            leases: Vec::new(),
            performed: BTreeMap::new(),
            start,
            random: fastrand::Rng::with_seed(seed),
        }
    }

    /// One round of readings of everything that is not silent.
    pub fn readings(&mut self, now: Timestamp) -> Vec<Reading> {
        let mut readings = Vec::new();
        for service in self.services.clone() {
            if self.silent_until.get(&service.service).is_some_and(|until| now < *until) {
                continue;
            }
            for name in &service.replicas {
                readings.extend(self.measure(&service, name, now));
            }
        }
        readings
    }

    fn measure(
        &mut self,
        service: &ServiceModel,
        name: &InstanceName,
        now: Timestamp,
    ) -> Vec<Reading> {
        let noise = self.unit_noise();
        let Some(process) = self.processes.get(name) else { return Vec::new() };
        let level = self.level(service, name, process, now, noise);
        let started_at = process.started_at.as_secs_f64();
        let reading = |metric, value| Reading {
            at: now,
            service: service.service.clone(),
            version: Some(process.version.clone()),
            instance: name.clone(),
            metric,
            value,
        };
        let mut readings = Vec::new();
        if service.tells_start {
            readings.push(reading(Metric::ProcessStartTime, started_at));
        }
        if let Some(limited_by) = service.metric.limited_by() {
            readings.push(reading(limited_by, service.limit));
        }
        readings.push(reading(service.metric, level));
        if service.metric.role() == Role::LiveSet {
            readings.push(reading(Metric::ContainerMemoryUsage, level + RUNTIME_BYTES));
        }
        readings
    }

    fn level(
        &self,
        service: &ServiceModel,
        name: &InstanceName,
        process: &Process,
        now: Timestamp,
        noise: f64,
    ) -> f64 {
        let Some(curve) = curve_of(service, name, process) else { return 0.0 };
        let uptime = now.since(process.started_at).as_secs_f64();
        let clock = now.since(self.start).as_secs_f64();
        let added = self.configured.iter().filter(|(of, _, _)| *of == service.service);
        let added: f64 = added
            .filter_map(|(_, key, at)| {
                let curve = service.configured.get(key)?;
                let since = now.since((*at).max(process.started_at)).as_secs_f64();
                Some(curve.at(since, clock, 0.0))
            })
            .sum();
        curve.at(uptime, clock, noise) + added
    }

    /// Mean 0, deviation 1: the sum of twelve draws from 0 to 1, less 6.
    fn unit_noise(&mut self) -> f64 {
        (0..12).map(|_| self.random.f64()).sum::<f64>() - 6.0
    }

    pub fn deploy(&mut self, service: &ServiceName, version: &Version, now: Timestamp) -> Change {
        for name in self.replicas(service) {
            self.processes.insert(name, Process { version: version.clone(), started_at: now });
        }
        change(now, ChangeKind::Deploy, service, Some(version.clone()))
    }

    pub fn configure(&mut self, service: &ServiceName, key: &str, now: Timestamp) -> Change {
        self.configured.push((service.clone(), key.to_owned(), now));
        let mut change = change(now, ChangeKind::ConfigChange, service, None);
        change.attributes.insert("key".into(), key.to_owned());
        change
    }

    /// Restarts one replica as it is; `None` when there is no such replica.
    pub fn restart(&mut self, name: &InstanceName, now: Timestamp) -> Option<Change> {
        let service = self.service_of(name)?.service.clone();
        self.processes.get_mut(name)?.started_at = now;
        let mut change = change(now, ChangeKind::Restart, &service, None);
        change.instance = Some(name.clone());
        Some(change)
    }

    pub fn silence(&mut self, service: &ServiceName, until: Timestamp) {
        self.silent_until.insert(service.clone(), until);
    }

    pub fn break_replacement(&mut self, service: &ServiceName) {
        self.broken.insert(service.clone());
    }

    pub fn version_of(&self, name: &InstanceName) -> Option<&Version> {
        self.processes.get(name).map(|process| &process.version)
    }

    /// What the agent says that it can do.
    pub fn reach(&self) -> Vec<Reach> {
        let of = |service: &ServiceModel| {
            let reach = |name: &InstanceName| Reach {
                service: service.service.clone(),
                instance: name.clone(),
                version: self.version_of(name).cloned(),
                abilities: service.abilities.clone(),
                missing: missing(service),
                versions: service.curves.keys().cloned().collect(),
                predicted_pause: Some(PredictedPause { pause: PAUSE, basis: "simulated".into() }),
            };
            service.replicas.iter().map(reach).collect::<Vec<_>>()
        };
        self.services.iter().flat_map(of).collect()
    }

    /// Performs a command once; the same one again gives the same receipt.
    pub fn perform(&mut self, command: &Command, now: Timestamp) -> Receipt {
        if let Some(receipt) = self.performed.get(&command.id) {
            return receipt.clone();
        }
        let result = match self.refusal(command, now) {
            Some(why) => ReceiptResult::Refused(why),
            None => self.act(command, now),
        };
        let receipt = receipt(command, now, result);
        self.performed.insert(command.id.clone(), receipt.clone());
        receipt
    }

    /// Leases that have ended by `now`, undone.
    pub fn undo_leases(&mut self, now: Timestamp) -> Vec<Receipt> {
        let (ended, running) = self.leases.drain(..).partition(|lease| lease.ends_at <= now);
        self.leases = running;
        let ended: Vec<Lease> = ended;
        let undone = |lease: &Lease| {
            let restored = Restored {
                what: format!("soft limit of {}", lease.command.instance),
                now: "unlimited".into(),
                verified: true,
            };
            receipt(&lease.command, now, ReceiptResult::Undone(restored))
        };
        ended.iter().map(undone).collect()
    }

    fn refusal(&self, command: &Command, now: Timestamp) -> Option<String> {
        if now > command.not_after {
            return Some("it was to be begun before now".into());
        }
        let runs = self.version_of(&command.instance);
        (runs != command.version.as_ref()).then(|| {
            let runs = runs.map_or_else(String::new, ToString::to_string);
            format!("{} runs {runs}, the command is for another version", command.instance)
        })
    }

    fn act(&mut self, command: &Command, now: Timestamp) -> ReceiptResult {
        let Some(service) = self.service_of(&command.instance).cloned() else {
            return ReceiptResult::Failed(format!("{} is not here", command.instance));
        };
        match &command.action {
            Action::CollectGarbage => {
                let used = Bytes(self.noiseless(&service, &command.instance, now) as u64);
                let (used_before, used_after, pause) = (used, used, PAUSE);
                ReceiptResult::Done(Measured::Collected { used_before, used_after, pause })
            }
            Action::CaptureHistogram => ReceiptResult::Done(Measured::Counted {
                predicted: PredictedPause { pause: PAUSE, basis: "simulated".into() },
                pause: PAUSE,
                types: self.types(&service, &command.instance, now),
            }),
            Action::SetMemoryHigh(bytes) | Action::SetSoftLimit(bytes) => {
                self.limit(command, *bytes, now)
            }
            Action::Restart | Action::RunVersion(_) if self.broken.contains(&service.service) => {
                ReceiptResult::Failed("it did not become ready; the old one runs again".into())
            }
            Action::Restart => self.replace(&command.instance, None, now),
            Action::RunVersion(version) => {
                self.replace(&command.instance, Some(version.clone()), now)
            }
        }
    }

    fn limit(&mut self, command: &Command, bytes: Bytes, now: Timestamp) -> ReceiptResult {
        let until = now + command.lease.unwrap_or(Span::ZERO);
        self.leases.push(Lease { command: command.clone(), ends_at: until });
        ReceiptResult::Done(Measured::Limited {
            what: format!("soft limit of {}", command.instance),
            before: "unlimited".into(),
            after: bytes.to_string(),
            until,
        })
    }

    fn replace(
        &mut self,
        name: &InstanceName,
        version: Option<Version>,
        now: Timestamp,
    ) -> ReceiptResult {
        let Some(process) = self.processes.get_mut(name) else {
            return ReceiptResult::Failed(format!("{name} is not here"));
        };
        process.started_at = now;
        if let Some(version) = &version {
            process.version = version.clone();
        }
        ReceiptResult::Done(Measured::Replaced { version, ready_after: Span::from_secs(3) })
    }

    /// One class that grows with what is held, its content, and a constant rest.
    fn types(&self, service: &ServiceModel, name: &InstanceName, now: Timestamp) -> Vec<TypeCount> {
        let process = self.processes.get(name);
        let held = process.and_then(|process| {
            let curve = curve_of(service, name, process)?;
            Some(curve.held(now.since(process.started_at).as_secs_f64()))
        });
        let objects = held.unwrap_or(0.0) / (LEAKED_OBJECT_BYTES + LEAKED_CONTENT_BYTES);
        let count = |name: &str, instances: f64, each: f64| TypeCount {
            name: name.into(),
            instances: instances as u64,
            bytes: Bytes((instances * each) as u64),
        };
        vec![
            count("byte[]", 900.0 + objects, LEAKED_CONTENT_BYTES),
            count("shop.Held", objects, LEAKED_OBJECT_BYTES),
            count("java.lang.String", 5000.0, 24.0),
        ]
    }

    fn noiseless(&self, service: &ServiceModel, name: &InstanceName, now: Timestamp) -> f64 {
        let process = self.processes.get(name);
        process.map_or(0.0, |process| self.level(service, name, process, now, 0.0))
    }

    fn service_of(&self, name: &InstanceName) -> Option<&ServiceModel> {
        self.services.iter().find(|service| service.replicas.contains(name))
    }

    fn replicas(&self, service: &ServiceName) -> Vec<InstanceName> {
        let found = self.services.iter().find(|model| model.service == *service);
        found.map_or_else(Vec::new, |model| model.replicas.clone())
    }
}

fn curve_of<'a>(
    service: &'a ServiceModel,
    name: &InstanceName,
    process: &Process,
) -> Option<&'a Curve> {
    service.exceptions.get(name).or_else(|| service.curves.get(&process.version))
}

fn missing(service: &ServiceModel) -> Vec<(Ability, String)> {
    let absent = Ability::ALL.into_iter().filter(|ability| !service.abilities.contains(ability));
    absent.map(|ability| (ability, "the scenario does not offer it".into())).collect()
}

fn change(
    at: Timestamp,
    kind: ChangeKind,
    service: &ServiceName,
    version: Option<Version>,
) -> Change {
    let attributes = BTreeMap::new();
    Change { at, kind, service: service.clone(), instance: None, version, attributes }
}

fn receipt(command: &Command, now: Timestamp, result: ReceiptResult) -> Receipt {
    Receipt {
        command: command.id.clone(),
        service: command.service.clone(),
        instance: command.instance.clone(),
        action: command.action.clone(),
        started_at: now,
        ended_at: now,
        result,
    }
}
