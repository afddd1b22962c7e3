//! One replica at work: its process with runtime and allocator, in a container that the kernel
//! counts and, at the limit, kills in.
//!
//! Not here: who starts and stops replicas (`world`), and what is made of their values
//! (`measure`). Sizes are MiB, times hours.

use plimsoll_model::Metric as M;

use super::curve::{Moment, State};
use super::draw::Draw;
use super::heap::{Heap, HeapState};
use super::part::{Amounts, MIB, Part, Place};
use super::plan::Plan;

/// Resident MiB of an idle thread's stack, of a goroutine, and the kernel's share of a handle.
const THREAD: f64 = 0.08;
const GOROUTINE: f64 = 0.006;
const HANDLE: f64 = 0.004;

/// One replica, in its current life.
#[derive(Clone, Debug)]
pub(super) struct Replica {
    pub(super) index: u32,
    pub(super) name: String,
    pub(super) version: usize,
    /// When the process began; may be before the case.
    pub(super) born: f64,
    /// Nothing runs, or is scraped, before this moment.
    pub(super) down_until: f64,
    pub(super) restarts: u32,
    pub(super) kills: u32,
    /// What its leaks kept since the beginning of the case, over all of its lives.
    pub(super) grown: f64,
    pub(super) draw: Draw,
    /// Its share of the load, around 1.
    share: f64,
    served: f64,
    states: Vec<State>,
    heap: Option<Heap>,
    resident: f64,
    peak: f64,
}

/// What there is to measure of a replica at one moment.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Seen {
    pub(super) amounts: Amounts,
    pub(super) heap: Option<HeapState>,
    pub(super) anon: f64,
    pub(super) kernel: f64,
    pub(super) file_active: f64,
    pub(super) file_inactive: f64,
    pub(super) rate: f64,
    /// One of its parts is leaking at the moment.
    pub(super) leaking: bool,
    pub(super) gave_way: Option<GaveWay>,
}

/// What ran out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum GaveWay {
    /// The container's limit: the kernel kills.
    Container,
    /// The runtime's own limit: the process gives up.
    Heap,
    /// Handles or connections: it goes on, and does not serve.
    Held,
}

impl Replica {
    pub(super) fn new(plan: &mut Plan, index: u32, name: String, born: f64) -> Self {
        let mut draw = plan.draw.split();
        let heap = plan.body.heap.as_ref().map(|shape| Heap::new(shape, &mut draw));
        let mut replica = Self {
            index,
            name,
            version: 0,
            born,
            down_until: born,
            restarts: 0,
            kills: 0,
            grown: 0.0,
            share: draw.between(0.93, 1.07),
            draw,
            served: (-born).max(0.0),
            states: vec![State::default(); plan.parts.len()],
            heap,
            resident: 0.0,
            peak: 0.0,
        };
        if born < 0.0 {
            replica.look_back(plan, -born);
        }
        replica
    }

    /// What a process that began before the case brings along.
    fn look_back(&mut self, plan: &Plan, uptime: f64) {
        for (part, state) in plan.parts.iter().zip(&mut self.states) {
            let open = part.gate.wall.start <= 0.0 && part.gate.versions.contains(&0);
            if part.leaks() && open && part.gate.concerns(self.index) {
                state.value = part.size * (uptime - part.gate.uptime).max(0.0);
            }
        }
        if let (Some(heap), Some(shape)) = (&mut self.heap, &plan.body.heap)
            && uptime > shape.full_hours
        {
            heap.settle(shape, plan.body.live, &mut self.draw);
        }
    }

    /// A new process in the place of the old one.
    pub(super) fn begin_again(&mut self, plan: &Plan, at: f64, down: f64) {
        (self.born, self.down_until) = (at + down, at + down);
        (self.served, self.resident, self.peak) = (0.0, 0.0, 0.0);
        for (part, state) in plan.parts.iter().zip(&mut self.states) {
            if !part.outlives_process() {
                *state = State::default();
            }
        }
        self.heap = plan.body.heap.as_ref().map(|shape| Heap::new(shape, &mut self.draw));
    }

    /// So many hours later. `calm` leaves out noise, for looking ahead.
    pub(super) fn advance(&mut self, plan: &Plan, wall: f64, passed: f64, calm: bool) -> Seen {
        let load = plan.load.relative(wall) * self.share;
        self.served += load * passed;
        let now = Moment {
            wall,
            calendar: plan.load.calendar(wall),
            working_hour: plan.load.is_working_hour(wall),
            uptime: wall - self.born,
            passed,
            load,
            served: self.served,
        };
        let mut seen = Seen { rate: load * plan.load.rate, ..Seen::default() };
        for (index, part) in plan.parts.iter().enumerate() {
            if part.gate.concerns(self.index) && !(calm && part.is_noise()) {
                self.take_part(part, index, &now, &mut seen);
            }
        }
        seen.amounts.floor();
        self.reside(plan, &now, &mut seen);
        seen.gave_way = gave_way(plan, wall, &seen);
        seen
    }

    fn take_part(&mut self, part: &Part, index: usize, now: &Moment, seen: &mut Seen) {
        let Some(state) = self.states.get_mut(index) else { return };
        let gate = &part.gate;
        let open = gate.wall.contains(&now.wall)
            && now.uptime >= gate.uptime
            && gate.versions.contains(&self.version);
        let before = state.value;
        if open {
            part.curve.advance(part.size, state, now, &mut self.draw);
        } else if !part.leaks() {
            state.value = 0.0;
        }
        if open && part.leaks() {
            seen.leaking = true;
            self.grown += state.value - before;
        }
        for (place, factor) in &part.places {
            let evicts = *place == Place::CacheEvictions;
            let amount = if evicts { state.spilled } else { state.value };
            seen.amounts.add(*place, amount * factor);
        }
    }

    /// What runtime, allocator and kernel make of the amounts.
    fn reside(&mut self, plan: &Plan, now: &Moment, seen: &mut Seen) {
        let body = &plan.body;
        let at = |place| seen.amounts.at(place);
        let mut demand = at(Place::Native) + at(Place::Buffers) + at(Place::Nonheap);
        demand += at(Place::Threads) * THREAD + at(Place::Goroutines) * GOROUTINE;
        let live = at(Place::Heap);
        match (&mut self.heap, &body.heap) {
            (Some(heap), Some(shape)) => {
                let time = (now.passed, now.load);
                seen.heap = Some(heap.advance(shape, (live, body.live), time, &mut self.draw));
            }
            (None, _) | (_, None) => demand += live,
        }
        self.peak = self.peak.max(demand);
        let goal = demand + body.keeps * (self.peak - demand);
        let slower = (-now.passed / body.returns).exp();
        self.resident = demand.max(goal + (self.resident - goal).max(0.0) * slower);
        let heap = seen.heap.map_or(0.0, |heap| heap.resident);
        let own = heap + self.resident + at(Place::Retained);
        let jitter = 1.0 + plan.jitter * self.draw.normal();
        seen.anon = (own / body.piece).ceil() * body.piece * jitter;
        seen.kernel = 2.0 + (at(Place::Fds) + at(Place::Sockets)) * HANDLE + own * 0.003;
        let room = plan
            .limit_at(now.wall)
            .map_or(f64::INFINITY, |limit| (limit - seen.anon - seen.kernel).max(0.5));
        seen.file_active = (at(Place::FileActive) + body.mapped).min(room);
        seen.file_inactive = at(Place::FileInactive).min(room - seen.file_active);
    }

    /// Everything that could be measured, memory in bytes.
    pub(super) fn values(&self, plan: &Plan, seen: &Seen, wall: f64) -> Vec<(M, f64)> {
        let mut values = vec![
            (M::ProcessStartTime, plan.begin.as_secs_f64() + (self.born * 3600.0).round()),
            (M::ContainerRestarts, self.restarts.into()),
            (M::ContainerMemoryEventsOomKill, self.kills.into()),
            (M::ServiceRequestsRate, (seen.rate * 100.0).round() / 100.0),
        ];
        let bytes = |mib: f64| (mib.max(0.0) * MIB / 4096.0).round() * 4096.0;
        let settled = bytes(seen.anon);
        let file = seen.file_active + seen.file_inactive;
        values.extend([
            (M::ContainerMemoryAnon, settled),
            (M::ProcessMemoryRss, settled + bytes(plan.body.mapped)),
            (M::ContainerMemoryFile, bytes(file)),
            (M::ContainerMemoryKernel, bytes(seen.kernel)),
            (M::ContainerMemoryWorkingSet, bytes(seen.anon + seen.kernel + seen.file_active)),
            (M::ContainerMemoryUsage, bytes(seen.anon + seen.kernel + file)),
            (M::NodeMemoryAllocatable, bytes(plan.node())),
        ]);
        values.extend(plan.limit_at(wall).map(|limit| (M::ContainerMemoryLimit, bytes(limit))));
        if let (Some(heap), Some(shape)) = (seen.heap, plan.body.heap) {
            values.extend(heap.live.map(|live| (M::RuntimeHeapLive, bytes(live))));
            values.extend(shape.max.map(|max| (M::RuntimeHeapLimit, bytes(max))));
            values.extend([
                (M::RuntimeHeapUsed, bytes(heap.used)),
                (M::RuntimeHeapCommitted, bytes(heap.committed)),
                (M::RuntimeHeapAllocated, bytes(heap.allocated)),
                (M::RuntimeGcCount, heap.collections),
            ]);
        }
        values.extend(outside_of_heaps(plan, &seen.amounts, bytes));
        values.extend(counted(plan, &seen.amounts));
        values
    }
}

fn outside_of_heaps(plan: &Plan, amounts: &Amounts, bytes: impl Fn(f64) -> f64) -> [(M, f64); 5] {
    let managed = plan.body.heap.is_some();
    let heap = if managed { 0.0 } else { amounts.at(Place::Heap) };
    let active = heap + amounts.at(Place::Native);
    let resident = active * 1.03 + amounts.at(Place::Retained) + 2.0;
    [
        (M::RuntimeNonheapUsed, bytes(amounts.at(Place::Nonheap))),
        (M::RuntimeBuffersUsed, bytes(amounts.at(Place::Buffers))),
        (M::RuntimeArenaActive, bytes(active)),
        (M::RuntimeArenaResident, bytes(resident)),
        (M::CacheBytes, bytes(amounts.at(Place::CacheBytes))),
    ]
}

fn counted(plan: &Plan, amounts: &Amounts) -> [(M, f64); 12] {
    let whole = |place| amounts.at(place).round();
    let fds = whole(Place::Fds).min(plan.bounds.fds);
    [
        (M::ProcessFds, fds),
        (M::ProcessFdsLimit, plan.bounds.fds),
        (M::ProcessSockets, whole(Place::Sockets).min(fds)),
        (M::ProcessThreads, whole(Place::Threads)),
        (M::RuntimeGoroutines, whole(Place::Goroutines)),
        (M::RuntimeClasses, whole(Place::Classes)),
        (M::PoolConnectionsUsed, whole(Place::Connections).min(plan.bounds.connections)),
        (M::PoolConnectionsMax, plan.bounds.connections),
        (M::QueueDepth, whole(Place::Queue)),
        (M::QueueCapacity, plan.bounds.queue),
        (M::CacheEntries, whole(Place::CacheEntries)),
        (M::CacheEvictions, whole(Place::CacheEvictions)),
    ]
}

fn gave_way(plan: &Plan, wall: f64, seen: &Seen) -> Option<GaveWay> {
    let heap_max = plan.body.heap.and_then(|shape| shape.max).unwrap_or(f64::INFINITY);
    if seen.amounts.at(Place::Heap) >= heap_max * 0.97 {
        return Some(GaveWay::Heap);
    }
    if plan.limit_at(wall).is_some_and(|limit| seen.anon + seen.kernel >= limit) {
        return Some(GaveWay::Container);
    }
    let fds = seen.amounts.at(Place::Fds) >= plan.bounds.fds;
    let connections = seen.amounts.at(Place::Connections) >= plan.bounds.connections;
    (fds || connections).then_some(GaveWay::Held)
}
