//! The plan of one case: everything that will happen to a service, before any of it happens.
//!
//! Families write plans with what is here and in `ordinary`; `world` plays them. Times are hours
//! of the case, sizes MiB.

use plimsoll_model::{Cause, ChangeKind, Metric, Timestamp};

use super::body::{Body, Runtime, rounded};
use super::curve::{Curve, Law};
use super::draw::Draw;
use super::exports::Exports;
use super::frame;
use super::load::Load;
use super::part::{Gate, Part, Place};

/// What a family admits, before anything is drawn.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sketch<'a> {
    pub(super) hours: (f64, f64),
    pub(super) runtimes: &'a [Runtime],
    /// The limit as a multiple of the ordinary footprint.
    pub(super) slack: (f64, f64),
    /// How often there is no limit at all.
    pub(super) unlimited: f64,
    pub(super) replicas: &'a [u32],
}

impl<'a> Sketch<'a> {
    /// A service of which nothing is special: mostly limited, with some room, few replicas.
    pub(super) fn of(hours: (f64, f64), runtimes: &'a [Runtime]) -> Self {
        Self { hours, runtimes, slack: (1.5, 2.3), unlimited: 0.12, replicas: &[1, 1, 2, 3] }
    }

    /// Always limited, with this much room.
    pub(super) fn limited(self, low: f64, high: f64) -> Self {
        Self { slack: (low, high), unlimited: 0.0, ..self }
    }

    pub(super) fn replicas(self, replicas: &'a [u32]) -> Self {
        Self { replicas, ..self }
    }
}

/// Something that will be done to replicas.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum What {
    Restart,
    /// The version that runs from then on.
    Rollout(usize),
    /// How many replicas there are from then on.
    Scale(u32),
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Happening {
    pub(super) at: f64,
    pub(super) what: What,
    /// All, one after the other, where none is named.
    pub(super) replica: Option<u32>,
}

/// Something that will be told.
#[derive(Clone, Debug)]
pub(super) struct Event {
    pub(super) at: f64,
    pub(super) kind: ChangeKind,
    pub(super) replica: Option<u32>,
    pub(super) version: Option<usize>,
    pub(super) attribute: Option<(&'static str, &'static str)>,
}

/// One case, ready to be played.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) draw: Draw,
    pub(super) begin: Timestamp,
    pub(super) hours: f64,
    pub(super) body: Body,
    /// From when on which limit holds; empty where there is none.
    pub(super) limits: Vec<(f64, f64)>,
    pub(super) replicas: u32,
    pub(super) load: Load,
    pub(super) parts: Vec<Part>,
    pub(super) happenings: Vec<Happening>,
    pub(super) events: Vec<Event>,
    pub(super) versions: Vec<String>,
    pub(super) exports: Exports,
    /// Hours that the first processes have been up for when the case begins.
    pub(super) uptime: f64,
    /// Whether a rollout gives replicas new names.
    pub(super) renames: bool,
    pub(super) bounds: Bounds,
    /// The collector of telemetry fails and its clock jumps more than elsewhere.
    pub(super) bad_collector: bool,
    /// Relative spread of each sample of memory.
    pub(super) jitter: f64,
    pub(super) cause: Option<Cause>,
    /// The event that began the leak.
    pub(super) blamed: Option<usize>,
}

/// The most of what is counted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) fds: f64,
    pub(super) connections: f64,
    pub(super) queue: f64,
}

impl Plan {
    /// A service without any parts yet.
    pub(super) fn new(mut draw: Draw, sketch: Sketch<'_>) -> Self {
        let begin = frame::begin(&mut draw);
        let hours = draw.scaled(sketch.hours.0, sketch.hours.1);
        let runtime = draw.pick(sketch.runtimes);
        let (low, high) = runtime.usual_live();
        let live = draw.scaled(low, high);
        let body = Body::new(&mut draw, runtime, live);
        let slack = draw.between(sketch.slack.0, sketch.slack.1);
        let limit = rounded(body.footprint() * slack + body.mapped);
        let limits = if draw.chance(sketch.unlimited) { vec![] } else { vec![(0.0, limit)] };
        let replicas = draw.pick(sketch.replicas);
        let load = Load::flat(&mut draw, frame::calendar_hours(begin));
        let major = draw.whole(1..=9);
        Self {
            begin,
            hours,
            body,
            limits,
            replicas,
            load,
            parts: Vec::new(),
            happenings: Vec::new(),
            events: Vec::new(),
            versions: vec![format!("{major}.{}.0", draw.whole(0..=40))],
            exports: Exports::default(),
            uptime: draw.pick(&[0.0, 0.3, 5.0, 40.0, 200.0]),
            renames: draw.chance(0.3),
            bounds: Bounds {
                fds: draw.pick(&[1024.0, 4096.0, 16_384.0, 65_536.0]),
                connections: draw.pick(&[20.0, 50.0, 100.0, 200.0]),
                queue: 10_000.0,
            },
            bad_collector: false,
            jitter: draw.scaled(0.0003, 0.004),
            cause: None,
            blamed: None,
            draw,
        }
    }

    pub(super) fn limit(&self) -> Option<f64> {
        self.limits.last().map(|(_, limit)| *limit)
    }

    /// The limit that holds at this hour.
    pub(super) fn limit_at(&self, wall: f64) -> Option<f64> {
        let holds = self.limits.iter().rev().find(|(from, _)| *from <= wall);
        holds.or_else(|| self.limits.first()).map(|(_, limit)| *limit)
    }

    /// Memory of the machine that all of its containers share.
    pub(super) fn node(&self) -> f64 {
        rounded((self.body.footprint() * 6.0).max(7600.0))
    }

    pub(super) fn add(&mut self, part: Part) {
        self.parts.push(part);
    }

    /// What can be kept at a place until something gives way; without a limit, about as much
    /// again as there is.
    pub(super) fn headroom(&self, place: Place) -> f64 {
        let unlimited = rounded(self.body.footprint() * 2.5 + self.body.mapped);
        self.body.headroom(place, self.limit().unwrap_or(unlimited))
    }

    /// Leaks memory, so that a share of the headroom is gone when the leak or the case ends, if
    /// nothing begins anew before.
    pub(super) fn leak(&mut self, law: Law, place: Place, share: (f64, f64), gate: Gate) {
        let share = self.draw.between(share.0, share.1);
        self.leak_amount(law, place, self.headroom(place) * share, gate);
    }

    /// The same by the amount at the end, in the unit of the place.
    pub(super) fn leak_amount(&mut self, law: Law, place: Place, amount: f64, gate: Gate) {
        let part = self.leaking(law, place, amount, gate);
        self.add(part);
    }

    /// What a leak of memory needs so that it can be seen, and the part itself.
    pub(super) fn leaking(&mut self, law: Law, place: Place, amount: f64, gate: Gate) -> Part {
        let from = self.begins(&gate);
        let before = if from > 0.0 {
            0.0
        } else {
            // What was kept before the case is part of the amount, and not the most of it.
            self.uptime = self.uptime.min(0.3 * self.hours);
            (self.uptime - gate.uptime).max(0.0)
        };
        let within = self.work(law, from.max(0.0), self.ends(&gate, from)).max(1e-6);
        // Chunks of chance sizes may add up to less than they should.
        let spare = if matches!(law, Law::Bursts { .. }) { 1.35 } else { 1.0 };
        let least = spare * self.least_that_matters(place) * (within + before) / within;
        if place == Place::Heap {
            self.collects_within(self.hours / 12.0);
            if self.body.runtime.fills_its_heap() {
                // From outside, such a heap is as large as it may be whatever lives in it.
                self.exports.require(&[Metric::RuntimeHeapUsed]);
            }
        }
        self.cause.get_or_insert(if place == Place::Heap { Cause::Heap } else { Cause::Native });
        let pace = amount.max(least) / (within + before);
        Part::new(Curve::Leak(law), pace, place).gated(gate)
    }

    /// The hour at which a gate opens for the processes that run then; negative for before.
    fn begins(&self, gate: &Gate) -> f64 {
        let first = What::Rollout(gate.versions.start);
        let rollout = self.happenings.iter().find(|happening| happening.what == first);
        let version = rollout.map_or(f64::NEG_INFINITY, |happening| happening.at);
        gate.wall.start.max(gate.uptime - self.uptime).max(version)
    }

    /// When another version closes the gate, or the case ends.
    fn ends(&self, gate: &Gate, from: f64) -> f64 {
        let closes = |happening: &&Happening| match happening.what {
            What::Rollout(version) => happening.at > from && !gate.versions.contains(&version),
            What::Restart | What::Scale(_) => false,
        };
        let closing = self.happenings.iter().filter(closes).map(|happening| happening.at);
        closing.fold(self.hours, f64::min)
    }

    /// Hours' worth of growth from one hour to another.
    fn work(&self, law: Law, from: f64, to: f64) -> f64 {
        const STEPS: u32 = 2000;
        let step = (to - from) / f64::from(STEPS);
        let at = |index: u32| from + (f64::from(index) + 0.5) * step;
        let share = |wall: f64| match law {
            Law::PerRequest => self.load.relative(wall),
            Law::WorkingHours if self.load.is_working_hour(wall) => self.load.relative(wall),
            Law::WorkingHours => 0.0,
            Law::Even | Law::Accelerating { .. } | Law::Bursts { .. } | Law::Nightly { .. } => 1.0,
        };
        (0..STEPS).map(|index| share(at(index)) * step).sum()
    }

    /// Nobody minds less memory than this: a share of what it runs out against, or of the level.
    fn least_that_matters(&self, place: Place) -> f64 {
        const OF_LIMIT: f64 = 0.09;
        const OF_LEVEL: f64 = 0.28;
        let own = self.body.heap.and_then(|heap| heap.max).filter(|_| place == Place::Heap);
        match (place.unit() > 1.0, own.or_else(|| self.limit())) {
            (false, _) => 0.0,
            (true, Some(limit)) => OF_LIMIT * limit,
            (true, None) if place == Place::Heap => OF_LEVEL * self.body.live,
            (true, None) => OF_LEVEL * self.body.footprint(),
        }
    }

    /// Full collections are no further apart than this.
    pub(super) fn collects_within(&mut self, hours: f64) {
        if let Some(heap) = &mut self.body.heap {
            heap.full_hours = heap.full_hours.min(hours);
        }
    }

    /// A pace that doubles a few times until the end, and grows by one an hour on average.
    pub(super) fn accelerating(&mut self) -> Law {
        let doublings = self.draw.between(2.0, 4.0);
        let first = doublings * std::f64::consts::LN_2 / (doublings.exp2() - 1.0);
        Law::Accelerating { doubling: self.hours / doublings, first }
    }

    /// A new version for all replicas, one after the other, or for one; its index.
    pub(super) fn rollout(&mut self, at: f64, replica: Option<u32>) -> usize {
        let first = self.versions.first().map_or("1.0.0", String::as_str);
        let (stem, _) = first.rsplit_once('.').unwrap_or((first, "0"));
        let version = self.versions.len();
        self.versions.push(format!("{stem}.{version}"));
        self.run(at, replica, version);
        version
    }

    /// A version that is known already: a rollback.
    pub(super) fn run(&mut self, at: f64, replica: Option<u32>, version: usize) {
        self.happenings.push(Happening { at, what: What::Rollout(version), replica });
        let kind = ChangeKind::Deploy;
        self.events.push(Event { at, kind, replica, version: Some(version), attribute: None });
    }

    pub(super) fn restart(&mut self, at: f64, replica: Option<u32>) {
        self.happenings.push(Happening { at, what: What::Restart, replica });
    }

    pub(super) fn scale(&mut self, at: f64, replicas: u32) {
        self.happenings.push(Happening { at, what: What::Scale(replicas), replica: None });
        self.tell(at, ChangeKind::Scale, None);
    }

    pub(super) fn tell(
        &mut self,
        at: f64,
        kind: ChangeKind,
        attribute: Option<(&'static str, &'static str)>,
    ) {
        self.events.push(Event { at, kind, replica: None, version: None, attribute });
    }

    /// The newest event is what began the leak.
    pub(super) fn blame_newest(&mut self) {
        self.blamed = self.events.len().checked_sub(1);
    }

    /// Whether a version or a moment is foreseen with which it stops.
    pub(super) fn leak_may_end(&self) -> bool {
        let mut leaks = self.parts.iter().filter(|part| part.leaks());
        leaks.any(|part| part.gate.versions.end < usize::MAX || part.gate.wall.end < f64::INFINITY)
    }

    /// Whether what leaks is bounded by anything that the plan knows of.
    pub(super) fn leads_to_a_limit(&self) -> bool {
        let leaks = self.parts.iter().filter(|part| part.leaks());
        let leaks_at = |wanted: &[Place]| {
            leaks.clone().flat_map(|part| &part.places).any(|(place, _)| wanted.contains(place))
        };
        let own_heap = self.body.heap.is_some_and(|heap| heap.max.is_some());
        self.limit().is_some()
            || leaks_at(&[Place::Fds, Place::Connections])
            || (own_heap && leaks_at(&[Place::Heap]))
    }

    /// The leaking place's unit in the unit of its metric.
    pub(super) fn unit_of_leak(&self) -> f64 {
        let leaking = self.parts.iter().find(|part| part.leaks());
        leaking.and_then(|part| part.places.first()).map_or(1.0, |(place, _)| place.unit())
    }

    /// Up to two changes of settings that do nothing to memory, away from any other event.
    pub(super) fn decoys(&mut self) {
        for _ in 0..self.draw.whole(0..=2) {
            let at = self.hours * self.draw.between(0.05, 0.95);
            let apart = (0.04 * self.hours).max(0.1);
            if self.events.iter().any(|event| (event.at - at).abs() < apart) {
                continue;
            }
            let (kind, value) = self.draw.pick(&[
                (ChangeKind::ConfigChange, "log.level"),
                (ChangeKind::ConfigChange, "timeout.upstream"),
                (ChangeKind::FlagChange, "new-footer"),
                (ChangeKind::FlagChange, "price-rounding"),
            ]);
            self.tell(at, kind, Some(("key", value)));
        }
    }
}
