//! What every service has, whatever else is true of it: a base, a warm-up, some noise, some files,
//! some handles. A family puts its own behaviour on top.

use plimsoll_model::Metric;

use super::body::Runtime;
use super::curve::Curve;
use super::part::{Part, Place};
use super::plan::Plan;

impl Plan {
    /// All of it, in ordinary sizes.
    pub(super) fn ordinary(&mut self) {
        self.base();
        self.warms_up();
        self.follows_load();
        self.noise();
        self.files();
        self.held();
        if self.draw.chance(0.3) {
            let size = self.body.footprint() * self.draw.between(0.02, 0.08);
            let per_hour = self.draw.scaled(0.05, 1.0);
            let lasts = self.draw.scaled(0.01, 0.1);
            self.add(Part::new(Curve::Spikes { per_hour, lasts }, size, Place::Native));
        }
    }

    /// Only what is there from the start and stays.
    pub(super) fn base(&mut self) {
        let (live, native, nonheap) = (self.body.live, self.body.native, self.body.nonheap);
        self.add(Part::new(Curve::Steady, live, Place::Heap));
        self.add(Part::new(Curve::Steady, native, Place::Native));
        self.add(Part::new(Curve::Steady, nonheap * 0.6, Place::Nonheap));
    }

    fn warms_up(&mut self) {
        let heap = self.body.live * self.draw.between(0.03, 0.15);
        let hours = self.draw.scaled(0.02, 0.3);
        self.add(Part::new(Curve::Saturate { hours, delay: 0.0 }, heap, Place::Heap));
        let code = self.body.nonheap * self.draw.between(0.2, 0.4);
        let hours = self.draw.scaled(0.05, 0.5);
        self.add(Part::new(Curve::Saturate { hours, delay: 0.0 }, code, Place::Nonheap));
    }

    fn follows_load(&mut self) {
        let heap = self.body.live * self.draw.between(0.01, 0.08);
        let lag = self.draw.scaled(0.005, 0.2);
        self.add(Part::new(Curve::Follow { lag }, heap, Place::Heap));
        let native = self.body.native * self.draw.between(0.02, 0.2);
        self.add(Part::new(Curve::Follow { lag }, native, Place::Native));
    }

    /// Noise with a short or a long memory, on and off the heap.
    pub(super) fn noise(&mut self) {
        let memories = [0.002, 0.02, 0.2, 1.0, 6.0];
        let hours = self.draw.pick(&memories);
        let heap = self.body.live * self.draw.scaled(0.002, 0.02);
        self.add(Part::new(Curve::Wander { hours }, heap, Place::Heap));
        let hours = self.draw.pick(&memories);
        let native = self.body.footprint() * self.draw.scaled(0.001, 0.008);
        self.add(Part::new(Curve::Wander { hours }, native, Place::Native));
    }

    fn files(&mut self) {
        // Beside memory that somebody needs; where files are the point, a family says so.
        let footprint = self.body.footprint();
        let active = footprint * self.draw.scaled(0.01, 0.08);
        self.add(Part::new(Curve::Steady, active, Place::FileActive));
        let logs = footprint * self.draw.scaled(0.01, 0.2);
        let hours = self.draw.scaled(1.0, 24.0);
        self.add(Part::new(Curve::Saw { hours }, logs, Place::FileInactive));
    }

    /// Handles, threads and the like, as many as such a service has.
    fn held(&mut self) {
        let sockets = self.draw.scaled(5.0, 80.0);
        self.add(Part::new(Curve::Steady, sockets * 0.5, Place::Sockets).also(Place::Fds, 1.0));
        let lag = self.draw.scaled(0.003, 0.05);
        let follows = Part::new(Curve::Follow { lag }, sockets * 0.5, Place::Sockets);
        self.add(follows.also(Place::Fds, 1.0));
        let wanders = Part::new(Curve::Wander { hours: 0.01 }, sockets * 0.05, Place::Sockets);
        self.add(wanders.also(Place::Fds, 1.0));
        let fds = self.draw.scaled(20.0, 250.0);
        self.add(Part::new(Curve::Steady, fds, Place::Fds));
        let threads = match self.body.runtime {
            Runtime::Jvm | Runtime::Dotnet => self.draw.scaled(30.0, 200.0),
            Runtime::Go | Runtime::Node => self.draw.scaled(8.0, 24.0),
            Runtime::Python | Runtime::Native => self.draw.scaled(2.0, 60.0),
        };
        self.add(Part::new(Curve::Steady, threads, Place::Threads));
        let goroutines = self.draw.scaled(20.0, 800.0);
        self.add(Part::new(Curve::Steady, goroutines * 0.6, Place::Goroutines));
        self.add(Part::new(Curve::Follow { lag }, goroutines * 0.4, Place::Goroutines));
        let classes = self.draw.between(6000.0, 22_000.0);
        let loaded = Curve::Saturate { hours: 0.1, delay: 0.0 };
        self.add(Part::new(Curve::Steady, classes * 0.8, Place::Classes));
        self.add(Part::new(loaded, classes * 0.2, Place::Classes));
        let pool = self.bounds.connections * self.draw.between(0.08, 0.25);
        self.add(Part::new(Curve::Follow { lag }, pool, Place::Connections));
    }

    /// Load with a day in it, in working weeks or not; `measured` or not where that is drawn.
    pub(super) fn daily(&mut self, swing: (f64, f64)) {
        self.load.day_swing = self.draw.between(swing.0, swing.1);
        if self.draw.chance(0.5) {
            self.load.weekend = self.draw.between(0.35, 0.85);
        }
    }

    /// A day, bursts or nothing, as it comes.
    pub(super) fn any_load(&mut self) {
        match self.draw.whole(0..=3) {
            0 => {}
            1 | 2 => self.daily((0.1, 0.5)),
            _ => {
                self.load.burst = self.draw.between(0.3, 2.0);
                self.load.burst_hours = self.draw.scaled(0.2, 3.0);
            }
        }
    }

    pub(super) fn measured(&mut self) {
        self.exports.require(&[Metric::ServiceRequestsRate]);
    }

    pub(super) fn unmeasured(&mut self) {
        self.exports.hide(&[Metric::ServiceRequestsRate]);
    }
}
