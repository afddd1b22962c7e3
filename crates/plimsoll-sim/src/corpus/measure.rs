//! What a collector of telemetry makes of a service: scrapes that are missing, late, doubled or
//! dated by a clock that jumped.
//!
//! Not here: what there is to measure (`replica`).

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use plimsoll_model::{InstanceName, Metric, Reading, ServiceName, Span, Timestamp, Version};

use super::draw::Draw;
use super::exports::is_setting;
use super::frame::Frame;
use super::plan::Plan;
use super::replica::{Replica, Seen};

/// Scrapes between two rows of a metric that is a setting.
const SETTINGS_EVERY: u32 = 25;

/// How telemetry is spoilt.
#[derive(Clone, Debug)]
struct Defects {
    missing: f64,
    /// Whether a whole scrape goes missing, or single values of it.
    whole: bool,
    gaps: Vec<Range<f64>>,
    doubled: f64,
    late: f64,
    /// Since when the clock is off, and by how much.
    clock: Vec<(f64, Span)>,
    /// Scrapes are at odd milliseconds.
    odd: bool,
}

/// One collector, at work.
#[derive(Debug)]
pub(super) struct Collector {
    draw: Draw,
    exports: BTreeSet<Metric>,
    defects: Defects,
    frame: Frame,
    tells_version: bool,
    /// By replica: when within a step it is scraped, and scrapes until settings are read again.
    turns: BTreeMap<u32, (i64, u32)>,
    /// By life: the name and the start of the process that was last seen.
    last: BTreeMap<u32, (String, u64)>,
    /// With the moment of arrival.
    rows: Vec<(Timestamp, Reading)>,
}

impl Defects {
    fn new(draw: &mut Draw, hours: f64, bad: bool) -> Self {
        let missing = match draw.whole(0..=9) {
            0..=4 => draw.between(0.0, 0.01),
            5..=7 => draw.between(0.01, 0.1),
            _ => draw.between(0.1, 0.3),
        };
        let mut defects = Self {
            missing,
            whole: draw.chance(0.7),
            gaps: Vec::new(),
            doubled: if draw.chance(0.2) { 0.005 } else { 0.0 },
            late: if draw.chance(0.2) { 0.005 } else { 0.0 },
            clock: Vec::new(),
            odd: draw.chance(0.2),
        };
        let gaps = if bad { draw.whole(3..=6) } else { draw.whole(0..=8).saturating_sub(6) };
        for _ in 0..gaps {
            let start = hours * draw.between(0.05, 0.9);
            let lasts = hours * draw.between(0.01, if bad { 0.1 } else { 0.06 });
            defects.gaps.push(start..start + lasts);
        }
        if bad {
            let (from, to) = (hours * draw.between(0.2, 0.4), hours * draw.between(0.5, 0.8));
            let secs = draw.scaled(20.0, 3000.0).min(hours * 60.0);
            let off = Span::from_secs(if draw.chance(0.5) { secs as i64 } else { -secs as i64 });
            defects.clock = vec![(from, off), (to, Span::ZERO)];
        }
        defects
    }

    fn in_gap(&self, wall: f64) -> bool {
        self.gaps.iter().any(|gap| gap.contains(&wall))
    }

    fn off(&self, wall: f64) -> Span {
        let holds = self.clock.iter().rev().find(|(from, _)| *from <= wall);
        holds.map_or(Span::ZERO, |(_, off)| *off)
    }
}

impl Collector {
    pub(super) fn new(
        mut draw: Draw,
        exports: BTreeSet<Metric>,
        plan: &Plan,
        frame: Frame,
    ) -> Self {
        let defects = Defects::new(&mut draw, plan.hours, plan.bad_collector);
        let tells_version = draw.chance(0.8);
        Self {
            draw,
            exports,
            defects,
            frame,
            tells_version,
            turns: BTreeMap::new(),
            last: BTreeMap::new(),
            rows: Vec::new(),
        }
    }

    /// One look at one replica.
    pub(super) fn scrape(
        &mut self,
        plan: &Plan,
        service: &ServiceName,
        replica: &Replica,
        (wall, seen): (f64, &Seen),
    ) {
        let settings = self.wants_settings(replica);
        if self.defects.in_gap(wall) || (self.defects.whole && self.misses()) {
            return;
        }
        let (offset, _) = self.turns.get(&replica.index).copied().unwrap_or_default();
        let odd = if self.defects.odd { i64::from(self.draw.whole(0..=240)) } else { 0 };
        let arrives = self.frame.at(wall) + Span::from_millis(offset + odd);
        let Ok(instance) = InstanceName::new(&replica.name) else { return };
        let version = plan.versions.get(replica.version).filter(|_| self.tells_version);
        let reading = Reading {
            at: arrives + self.defects.off(wall),
            service: service.clone(),
            version: version.and_then(|version| Version::new(version).ok()),
            instance,
            metric: Metric::ProcessStartTime,
            value: 0.0,
        };
        let late = if self.draw.chance(self.defects.late) {
            let steps = self.frame.step_secs * self.draw.between(1.0, 6.0);
            Span::from_secs_f64(steps)
        } else {
            Span::ZERO
        };
        let doubled = self.draw.chance(self.defects.doubled);
        for (metric, value) in replica.values(plan, seen, wall) {
            let wanted = self.exports.contains(&metric) && (settings || !is_setting(metric));
            if !wanted || (!self.defects.whole && !is_setting(metric) && self.misses()) {
                continue;
            }
            let row = Reading { metric, value: self.noisy(plan, metric, value), ..reading.clone() };
            if doubled {
                self.rows.push((arrives + late, row.clone()));
            }
            self.rows.push((arrives + late, row));
        }
    }

    /// All rows in the order in which they arrived.
    pub(super) fn readings(mut self) -> Vec<Reading> {
        self.rows.sort_by_key(|(arrived, _)| *arrived);
        self.rows.into_iter().map(|(_, row)| row).collect()
    }

    fn misses(&mut self) -> bool {
        self.draw.chance(self.defects.missing)
    }

    /// Settings are read at the beginning of each life, and then now and again.
    fn wants_settings(&mut self, replica: &Replica) -> bool {
        let (draw, step) = (&mut self.draw, self.frame.step_secs as u32);
        let turns = self.turns.entry(replica.index);
        let (_, turn) = turns.or_insert_with(|| (i64::from(draw.whole(0..=step - 1)) * 1000, 0));
        let life = (replica.name.clone(), replica.born.to_bits());
        if self.last.get(&replica.index) != Some(&life) {
            self.last.insert(replica.index, life);
            *turn = 0;
        }
        *turn += 1;
        // Twice at first: one of them may go missing.
        *turn <= 2 || *turn % SETTINGS_EVERY == 0
    }

    fn noisy(&mut self, plan: &Plan, metric: Metric, value: f64) -> f64 {
        if metric != Metric::ServiceRequestsRate {
            return value;
        }
        let noise = 1.0 + plan.load.noise * self.draw.normal();
        (value * noise.max(0.0) * 100.0).round() / 100.0
    }
}
