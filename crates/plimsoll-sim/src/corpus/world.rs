//! Plays a plan: replicas come, work, are killed, restarted, replaced, and scraped.
//!
//! Not here: what a replica does between two moments (`replica`), and what a collector makes of it
//! (`measure`). Times are hours.

use std::collections::{BTreeMap, BTreeSet};

use plimsoll_model::{
    Cause, Change, ChangeKind, InstanceName, Metric, Reading, SIGNATURE_ATTRIBUTE, ServiceName,
    Signature, Version,
};

use super::body::Runtime;
use super::exports::Setting;
use super::frame::Frame;
use super::measure::Collector;
use super::plan::{Happening, Plan, What};
use super::replica::{GaveWay, Replica, Seen};

/// Looking for the moment of exhaustion ends here: what takes longer is nobody's next outage.
const LOOK_AHEAD_HOURS: f64 = 90.0 * 24.0;
const LOOK_AHEAD_STEP: f64 = 0.25;

/// Names between those of one rollout and the next, for replicas that come by scaling.
const ROLLOUT_GENERATIONS: u32 = 100;

/// What came of a plan.
#[derive(Debug)]
pub(super) struct Played {
    pub(super) readings: Vec<Reading>,
    pub(super) changes: Vec<Change>,
    /// The event that began the leak, as it was told.
    pub(super) blamed: Option<Change>,
    pub(super) frame: Frame,
    pub(super) leak: Option<Leak>,
    pub(super) cause: Option<Cause>,
}

/// What leaked, from the model's own books.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Leak {
    pub(super) onset: f64,
    pub(super) ends: Option<f64>,
    pub(super) exhausted: Option<f64>,
    pub(super) instances: BTreeSet<String>,
    /// In the unit of the leaking place, a replica's mean.
    pub(super) grown: f64,
}

#[derive(Debug)]
struct World {
    plan: Plan,
    service: ServiceName,
    frame: Frame,
    replicas: Vec<Replica>,
    /// What is still to be done, the next one last.
    due: Vec<(f64, u32, What)>,
    changes: Vec<Change>,
    /// Names are given anew with each generation.
    generation: u32,
    tells_restarts: bool,
    onset: Option<f64>,
    last_leak: f64,
    exhausted: Option<f64>,
    /// By replica: its newest name, and what all of its lives kept.
    grown: BTreeMap<u32, (String, f64)>,
}

/// Plays a plan to its end.
pub(super) fn play(mut plan: Plan, service: ServiceName) -> Played {
    let samples = plan.hours * 12.0 * f64::from(plan.replicas);
    let setting = Setting {
        runtime: plan.body.runtime,
        limited: plan.limit().is_some(),
        lean: samples > 1800.0 || plan.replicas > 2,
    };
    let mut draw = plan.draw.split();
    let exports = plan.exports.choose(&mut draw, setting);
    let cause = visible_cause(&plan, &exports);
    let series = exports.len() * plan.replicas as usize;
    let frame = Frame::new(&mut draw, plan.begin, plan.hours, series);
    let mut collector = Collector::new(draw, exports, &plan, frame);
    let mut world = World::new(plan, service, frame);
    for step in 0..frame.steps() {
        let wall = step as f64 * frame.step_hours();
        world.take_step(wall, frame.step_hours(), Some(&mut collector));
    }
    let blamed = world.plan.blamed.and_then(|index| world.told(index));
    let leak = world.leak();
    let mut changes = world.changes;
    changes.sort_by_key(|change| change.at);
    Played { readings: collector.readings(), changes, blamed, frame, leak, cause }
}

/// Nobody can tell a heap from other memory who sees no heap.
fn visible_cause(plan: &Plan, exports: &BTreeSet<Metric>) -> Option<Cause> {
    let heap_seen = [Metric::RuntimeHeapUsed, Metric::RuntimeHeapLive]
        .iter()
        .any(|metric| exports.contains(metric));
    match (plan.cause, plan.body.runtime) {
        (Some(Cause::Heap), Runtime::Native) => Some(Cause::Native),
        (Some(Cause::Heap), _) if !heap_seen => None,
        (cause, _) => cause,
    }
}

impl World {
    fn new(mut plan: Plan, service: ServiceName, frame: Frame) -> Self {
        let tells_restarts = plan.draw.chance(0.6);
        let born = -plan.uptime;
        let due = schedule(&mut plan);
        let mut world = Self {
            plan,
            service,
            frame,
            replicas: Vec::new(),
            due,
            changes: Vec::new(),
            generation: 0,
            tells_restarts,
            onset: None,
            last_leak: 0.0,
            exhausted: None,
            grown: BTreeMap::new(),
        };
        for index in 0..world.plan.replicas {
            // Replicas of one deploy begin a few minutes apart.
            let apart = if born < 0.0 { f64::from(index) * 0.03 } else { 0.0 };
            world.join(index, (born - apart).min(0.0));
        }
        let told = 0..world.plan.events.len();
        world.changes = told.filter_map(|index| world.told(index)).collect();
        world
    }

    fn join(&mut self, index: u32, born: f64) {
        let name = self.name(index, self.generation);
        let replica = Replica::new(&mut self.plan, index, name, born);
        self.replicas.push(replica);
    }

    fn name(&self, index: u32, generation: u32) -> String {
        if self.plan.renames {
            format!("{}-g{generation}-{index}", self.service)
        } else {
            format!("{}-{index}", self.service)
        }
    }

    fn take_step(&mut self, wall: f64, passed: f64, mut collector: Option<&mut Collector>) {
        while let Some((at, replica, what)) = self.due.last().copied()
            && at <= wall
        {
            self.due.pop();
            self.happen(at, replica, what);
        }
        let mut replicas = std::mem::take(&mut self.replicas);
        for replica in &mut replicas {
            if wall < replica.down_until {
                continue;
            }
            let seen = replica.advance(&self.plan, wall, passed, collector.is_none());
            if let Some(collector) = &mut collector {
                collector.scrape(&self.plan, &self.service, replica, (wall, &seen));
            }
            self.keep_books(replica, wall, &seen);
            self.give_way(replica, wall, seen.gave_way);
        }
        self.replicas = replicas;
    }

    fn keep_books(&mut self, replica: &Replica, wall: f64, seen: &Seen) {
        if !seen.leaking {
            return;
        }
        let onset = *self.onset.get_or_insert(wall);
        self.last_leak = wall;
        if seen.gave_way.is_some() && wall > onset {
            self.exhausted.get_or_insert(wall);
        }
        if wall <= self.plan.hours {
            self.grown.insert(replica.index, (replica.name.clone(), replica.grown));
        }
    }

    fn give_way(&mut self, replica: &mut Replica, wall: f64, gave_way: Option<GaveWay>) {
        let (kind, message) = match gave_way {
            None | Some(GaveWay::Held) => return,
            Some(GaveWay::Container) => (ChangeKind::OomKill, None),
            Some(GaveWay::Heap) => (ChangeKind::Log, out_of_heap(self.plan.body.runtime)),
        };
        let down = replica.draw.between(4.0, 90.0) / 3600.0;
        replica.restarts += 1;
        replica.kills += u32::from(gave_way == Some(GaveWay::Container));
        let attribute = message.map(|name| (SIGNATURE_ATTRIBUTE, name));
        self.tell(wall, kind, Some(&replica.name), attribute);
        if self.tells_restarts {
            self.tell(wall + down, ChangeKind::Restart, Some(&replica.name), None);
        }
        replica.begin_again(&self.plan, wall, down);
    }

    fn happen(&mut self, at: f64, index: u32, what: What) {
        match what {
            What::Scale(count) => self.rescale(at, count),
            What::Restart | What::Rollout(_) => self.renew(at, index, what),
        }
    }

    fn rescale(&mut self, at: f64, count: u32) {
        self.replicas.retain(|replica| replica.index < count);
        self.generation += 1;
        for index in self.replicas.len() as u32..count {
            let begins = at + self.plan.draw.between(5.0, 60.0) / 3600.0;
            self.join(index, begins);
        }
    }

    /// One replica gets a new process, and with another version perhaps a new name.
    fn renew(&mut self, at: f64, index: u32, what: What) {
        let Some(place) = self.replicas.iter().position(|replica| replica.index == index) else {
            return;
        };
        let down = self.plan.draw.between(3.0, 60.0) / 3600.0;
        let mut replica = self.replicas.swap_remove(place);
        match what {
            What::Rollout(version) => {
                if self.plan.renames {
                    self.generation = ROLLOUT_GENERATIONS * version as u32;
                    replica.name = self.name(index, self.generation);
                    (replica.restarts, replica.kills) = (0, 0);
                }
                replica.version = version;
            }
            What::Restart | What::Scale(_) => {
                replica.restarts += 1;
                if self.tells_restarts {
                    self.tell(at + down, ChangeKind::Restart, Some(&replica.name), None);
                }
            }
        }
        replica.begin_again(&self.plan, at, down);
        self.replicas.push(replica);
        self.replicas.sort_by_key(|replica| replica.index);
    }

    fn tell(
        &mut self,
        at: f64,
        kind: ChangeKind,
        instance: Option<&str>,
        attribute: Option<(&str, &str)>,
    ) {
        if at > self.plan.hours {
            return;
        }
        let attributes = attribute.map(|(key, value)| (key.to_owned(), value.to_owned()));
        self.changes.push(Change {
            at: self.frame.at(at),
            kind,
            service: self.service.clone(),
            instance: instance.and_then(|name| InstanceName::new(name).ok()),
            version: None,
            attributes: attributes.into_iter().collect(),
        });
    }

    /// An event of the plan, as a pipeline tells it.
    fn told(&self, index: usize) -> Option<Change> {
        let event = self.plan.events.get(index)?;
        let version = event.version.and_then(|version| self.plan.versions.get(version));
        let attribute = event.attribute.map(|(key, value)| (key.to_owned(), value.to_owned()));
        let generation = event.version.map_or(0, |version| version as u32 * ROLLOUT_GENERATIONS);
        let instance = event.replica.map(|index| self.name(index, generation));
        Some(Change {
            at: self.frame.at(event.at),
            kind: event.kind,
            service: self.service.clone(),
            instance: instance.and_then(|name| InstanceName::new(&name).ok()),
            version: version.and_then(|version| Version::new(version).ok()),
            attributes: attribute.into_iter().collect(),
        })
    }

    /// Closes the books; looks ahead for what did not happen within the case.
    fn leak(&mut self) -> Option<Leak> {
        let onset = self.onset?;
        let over = self.plan.leak_may_end() && self.last_leak < self.plan.hours;
        let ends = over.then_some(self.last_leak);
        let planned = self.plan.happenings.iter().any(|happening| happening.what == What::Restart);
        if self.exhausted.is_none() && !over && !planned && self.plan.leads_to_a_limit() {
            self.look_ahead();
        }
        let leaked: Vec<_> = self.grown.values().filter(|(_, grown)| *grown > 0.0).collect();
        Some(Leak {
            onset,
            ends,
            exhausted: self.exhausted,
            instances: leaked.iter().map(|(name, _)| name.clone()).collect(),
            grown: leaked.iter().map(|(_, grown)| grown).sum::<f64>() / leaked.len().max(1) as f64,
        })
    }

    fn look_ahead(&mut self) {
        let mut wall = self.plan.hours;
        while self.exhausted.is_none() && wall < self.plan.hours + LOOK_AHEAD_HOURS {
            wall += LOOK_AHEAD_STEP;
            self.take_step(wall, LOOK_AHEAD_STEP, None);
        }
    }
}

/// What is to be done to which replica, latest first.
fn schedule(plan: &mut Plan) -> Vec<(f64, u32, What)> {
    let apart = plan.draw.between(20.0, 240.0) / 3600.0;
    let most = plan.happenings.iter().filter_map(|happening| match happening.what {
        What::Scale(count) => Some(count),
        What::Restart | What::Rollout(_) => None,
    });
    let most = most.max().unwrap_or(0).max(plan.replicas);
    let mut due = Vec::new();
    for Happening { at, what, replica } in plan.happenings.iter().copied() {
        match (what, replica) {
            (What::Scale(_), _) => due.push((at, 0, what)),
            (_, Some(index)) => due.push((at, index, what)),
            (_, None) => {
                due.extend((0..most).map(|index| (at + f64::from(index) * apart, index, what)));
            }
        }
    }
    due.sort_by(|one, other| other.0.total_cmp(&one.0));
    due
}

fn out_of_heap(runtime: Runtime) -> Option<&'static str> {
    match runtime {
        Runtime::Jvm | Runtime::Dotnet | Runtime::Node => Some(Signature::HeapFull.name()),
        Runtime::Go | Runtime::Python | Runtime::Native => None,
    }
}
