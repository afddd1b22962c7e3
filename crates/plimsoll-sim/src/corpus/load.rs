//! What users ask of a service over time. Relative: 1 is an ordinary moment.
//!
//! Not here: what a request costs (`curve`).

use std::f64::consts::TAU;

use super::draw::Draw;

/// How load moves. Every part is off until a family turns it on.
#[derive(Clone, Debug)]
pub(super) struct Load {
    /// Requests per second and replica at an ordinary moment.
    pub(super) rate: f64,
    /// Share by which load rises at the busiest hour and falls at the quietest.
    pub(super) day_swing: f64,
    pub(super) busiest_hour: f64,
    /// What is left of load at weekends.
    pub(super) weekend: f64,
    /// Relative growth per week.
    pub(super) growth: f64,
    /// A launch: from almost nothing to all users in so many hours after the beginning.
    pub(super) launch_hours: f64,
    /// Bursts: how high, and how many hours apart.
    pub(super) burst: f64,
    pub(super) burst_hours: f64,
    /// Relative noise of the measured rate.
    pub(super) noise: f64,
    /// The calendar's hour at the beginning of the case.
    calendar: f64,
    salt: u64,
}

impl Load {
    /// The same all the time.
    pub(super) fn flat(draw: &mut Draw, calendar: f64) -> Self {
        Self {
            rate: draw.scaled(2.0, 600.0),
            day_swing: 0.0,
            busiest_hour: draw.between(9.0, 21.0),
            weekend: 1.0,
            growth: 0.0,
            launch_hours: 0.0,
            burst: 0.0,
            burst_hours: 1.0,
            noise: draw.between(0.005, 0.06),
            calendar,
            salt: u64::from(draw.whole(0..=u32::MAX)),
        }
    }

    /// Whether it is between eight and six on a working day.
    pub(super) fn is_working_hour(&self, wall: f64) -> bool {
        (8.0..18.0).contains(&self.hour(wall)) && self.weekday(wall) < 5
    }

    /// Hours since a Monday at midnight.
    pub(super) fn calendar(&self, wall: f64) -> f64 {
        self.calendar + wall
    }

    pub(super) fn hour(&self, wall: f64) -> f64 {
        (self.calendar + wall).rem_euclid(24.0)
    }

    /// Days since the Monday of the calendar's week, 0 to 6.
    pub(super) fn weekday(&self, wall: f64) -> u32 {
        ((self.calendar + wall).rem_euclid(168.0) / 24.0) as u32
    }

    pub(super) fn relative(&self, wall: f64) -> f64 {
        let angle = TAU * (self.hour(wall) - self.busiest_hour) / 24.0;
        // A second harmonic: real days have a long noon and a short night.
        let day = 1.0 + self.day_swing * (angle.cos() + 0.2 * (2.0 * angle).cos()) / 1.2;
        let week = if self.weekday(wall) >= 5 { self.weekend } else { 1.0 };
        let growth = (1.0 + self.growth * wall / 168.0).max(0.1);
        let launch = if self.launch_hours > 0.0 {
            (0.15 + 0.85 * wall / self.launch_hours).clamp(0.15, 1.0)
        } else {
            1.0
        };
        (day * week * growth * launch * (1.0 + self.bursting(wall))).max(0.02)
    }

    /// A burst takes the first tenth of its slot in two thirds of all slots.
    fn bursting(&self, wall: f64) -> f64 {
        if self.burst <= 0.0 {
            return 0.0;
        }
        let slot = (wall / self.burst_hours).floor();
        let within = wall / self.burst_hours - slot;
        let lot = chance_of(self.salt, slot as i64);
        if within < 0.1 && lot < 0.66 { self.burst * (0.5 + lot) } else { 0.0 }
    }
}

/// A number from 0 to 1 that belongs to a slot of time, whoever asks and however often.
pub(super) fn chance_of(salt: u64, slot: i64) -> f64 {
    let mixed = (salt ^ slot.unsigned_abs()).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ (mixed >> 31)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (mixed >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_has_its_peak_at_the_busiest_hour_and_weekends_are_quieter() {
        let mut load = Load::flat(&mut Draw::new("load", 1), 0.0);
        (load.day_swing, load.busiest_hour, load.weekend) = (0.6, 14.0, 0.3);
        assert!(load.relative(14.0) > 1.5 && load.relative(2.0) < 0.61);
        assert!(load.relative(14.0 + 5.0 * 24.0) < 0.4 * load.relative(14.0));
        assert!(load.is_working_hour(9.0) && !load.is_working_hour(9.0 + 6.0 * 24.0));
    }

    #[test]
    fn bursts_come_and_go() {
        let mut load = Load::flat(&mut Draw::new("load", 1), 0.0);
        (load.burst, load.burst_hours) = (2.0, 1.0);
        let busy = (0..1000).filter(|step| load.relative(f64::from(*step) * 0.05) > 1.5).count();
        assert!((20..200).contains(&busy), "{busy}");
    }
}
