//! How the amount of one part moves over time.
//!
//! All but leaks are bounded by construction: by their size, or by the load that they follow.

use std::collections::VecDeque;

use super::draw::Draw;
use super::load::chance_of;

/// The moment that amounts are asked for. Times are hours.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    /// Since the beginning of the case.
    pub(super) wall: f64,
    /// The calendar's hour, for what happens at a time of day.
    pub(super) calendar: f64,
    pub(super) working_hour: bool,
    /// Since the process began.
    pub(super) uptime: f64,
    /// Since the last moment.
    pub(super) passed: f64,
    /// Relative load.
    pub(super) load: f64,
    /// Load times hours since the process began.
    pub(super) served: f64,
}

/// What is kept for ever, by when it is kept.
#[derive(Clone, Copy, Debug)]
pub(super) enum Law {
    Even,
    PerRequest,
    /// The pace doubles in so many hours.
    Accelerating {
        doubling: f64,
        first: f64,
    },
    /// By chunks, about so many an hour.
    Bursts {
        per_hour: f64,
    },
    /// By one chunk a day, in the hour after this one of the calendar.
    Nightly {
        hour: f64,
    },
    /// With requests, and only while people work.
    WorkingHours,
}

/// How an amount moves.
#[derive(Clone, Copy, Debug)]
pub(super) enum Curve {
    Steady,
    Leak(Law),
    /// Ever slower towards its size; begins after a delay.
    Saturate {
        hours: f64,
        delay: f64,
    },
    /// The same by requests served: caches of random keys.
    Learn {
        hours: f64,
    },
    /// At an even pace of requests until it is full, and what comes then pushes out.
    Fill {
        hours: f64,
    },
    /// With the load, some time behind it.
    Follow {
        lag: f64,
    },
    /// What was asked for within the last hours: sessions that expire.
    Expire {
        ttl: f64,
    },
    /// Climbs while a job runs and is given back; every so many hours, at this hour.
    Batch {
        every: f64,
        hour: f64,
        lasts: f64,
        climb: f64,
        salt: u64,
    },
    /// Climbs to its size, is tidied up, and climbs again.
    Saw {
        hours: f64,
    },
    /// Between nothing and its size, staying for about so many hours.
    Toggle {
        hours: f64,
    },
    /// In ever rarer jumps towards its size: each new record of concurrency.
    Records {
        hours: f64,
    },
    /// Up and down around nothing, with a memory of so many hours; the size is one deviation.
    Wander {
        hours: f64,
    },
    Spikes {
        per_hour: f64,
        lasts: f64,
    },
    /// More comes in than is worked off from a moment on, then less.
    Backlog {
        starts: f64,
        grows: f64,
        drains: f64,
    },
    /// From nothing to its size, once, over so many hours.
    Rise {
        at: f64,
        over: f64,
    },
}

/// What a curve remembers, in one replica and one life.
#[derive(Clone, Debug, Default)]
pub(super) struct State {
    pub(super) value: f64,
    /// What a full cache pushed out so far.
    pub(super) spilled: f64,
    phase: f64,
    until: f64,
    pace: f64,
    window: VecDeque<(f64, f64)>,
}

impl Curve {
    /// The amount now; it is kept in the state as well.
    pub(super) fn advance(
        &self,
        size: f64,
        state: &mut State,
        now: &Moment,
        draw: &mut Draw,
    ) -> f64 {
        state.value = match *self {
            Self::Steady => size,
            Self::Leak(law) => state.value + size * law.passed(state, now, draw),
            Self::Saturate { hours, delay } => {
                size * (1.0 - (-(now.uptime - delay).max(0.0) / hours).exp())
            }
            Self::Learn { hours } => size * (1.0 - (-now.served / hours).exp()),
            Self::Fill { hours } => {
                state.spilled = (now.served / hours - 1.0).max(0.0) * size;
                size * (now.served / hours).min(1.0)
            }
            Self::Follow { lag } => follow(size * now.load, lag, state, now),
            Self::Expire { ttl } => size * state.within(ttl, now) / ttl,
            Self::Batch { every, hour, lasts, climb, salt } => {
                let slot = ((now.calendar - hour) / every).floor();
                let late = 0.04 * every * chance_of(salt, slot as i64);
                let since = now.calendar - hour - slot * every - late;
                let runs = (0.0..lasts).contains(&since);
                if runs { size * (since / (climb * lasts)).min(1.0) } else { 0.0 }
            }
            Self::Saw { hours } => size * state.tooth(hours, now, draw),
            Self::Toggle { hours } => toggle(size, hours, state, now, draw),
            Self::Records { hours } => records(size, hours, state, now, draw),
            Self::Wander { hours } => {
                let memory = (-now.passed / hours).exp();
                let news = (1.0 - memory * memory).sqrt() * draw.normal() * size;
                (state.value * memory + news).clamp(-3.0 * size, 3.0 * size)
            }
            Self::Spikes { per_hour, lasts } => spike(size, per_hour, lasts, state, now, draw),
            Self::Backlog { starts, grows, drains } => {
                let (up, down) = (now.wall - starts, now.wall - starts - grows);
                size * (up / grows).min(1.0 - down / drains).clamp(0.0, 1.0)
            }
            Self::Rise { at, over } => size * ((now.wall - at) / over).clamp(0.0, 1.0),
        };
        state.value
    }
}

impl Law {
    /// Hours' worth of growth since the last moment; one an hour at an ordinary load.
    fn passed(self, state: &mut State, now: &Moment, draw: &mut Draw) -> f64 {
        match self {
            Self::Even => now.passed,
            Self::PerRequest => now.passed * now.load,
            Self::Accelerating { doubling, first } => {
                state.phase += now.passed;
                now.passed * first * (state.phase / doubling).exp2()
            }
            Self::Bursts { per_hour } => {
                let mut kept = 0.0;
                state.phase += now.passed * per_hour;
                while state.phase >= state.until {
                    kept += if state.until > 0.0 { draw.between(0.4, 1.6) / per_hour } else { 0.0 };
                    state.until += draw.between(0.3, 1.7);
                }
                kept
            }
            Self::Nightly { hour } => {
                let within = (now.calendar - hour).rem_euclid(24.0);
                if within < 1.0 { 24.0 * now.passed.min(1.0) } else { 0.0 }
            }
            Self::WorkingHours if now.working_hour => now.passed * now.load,
            Self::WorkingHours => 0.0,
        }
    }
}

impl State {
    /// Load times hours within the last `ttl` hours.
    fn within(&mut self, ttl: f64, now: &Moment) -> f64 {
        self.window.push_back((now.uptime, now.load * now.passed));
        self.phase += now.load * now.passed;
        while let Some((at, amount)) = self.window.front().copied()
            && at < now.uptime - ttl
        {
            self.window.pop_front();
            self.phase -= amount;
        }
        self.phase
    }

    /// From 0 to 1 and again; no two teeth are of the same length.
    fn tooth(&mut self, hours: f64, now: &Moment, draw: &mut Draw) -> f64 {
        if self.pace <= 0.0 {
            (self.pace, self.phase) = (draw.between(0.85, 1.15), draw.unit());
        }
        self.phase += now.passed / hours * self.pace;
        if self.phase >= 1.0 {
            self.phase = self.phase.fract() + draw.between(0.0, 0.08);
            self.pace = draw.between(0.85, 1.15);
        }
        self.phase
    }
}

fn follow(goal: f64, lag: f64, state: &mut State, now: &Moment) -> f64 {
    if state.phase <= 0.0 {
        state.phase = 1.0;
        return goal;
    }
    goal + (state.value - goal) * (-now.passed / lag).exp()
}

fn toggle(size: f64, hours: f64, state: &mut State, now: &Moment, draw: &mut Draw) -> f64 {
    /// Hours in which the change of a setting reaches everything.
    const SETTLES: f64 = 0.05;
    if now.wall >= state.until {
        state.phase = if state.until > 0.0 { 1.0 - state.phase } else { draw.whole(0..=1).into() };
        state.until = now.wall.max(0.0) + hours * draw.between(0.5, 1.5);
    }
    let goal = size * state.phase;
    goal + (state.value - goal) * (-now.passed / SETTLES).exp()
}

fn records(size: f64, hours: f64, state: &mut State, now: &Moment, draw: &mut Draw) -> f64 {
    state.phase += now.passed / hours;
    if state.phase < state.until {
        return state.value;
    }
    // Each record is harder to beat than the one before.
    state.pace += 1.0;
    state.until = state.phase + draw.wait() * state.pace * 0.5;
    state.value + (size - state.value) * draw.between(0.15, 0.45)
}

fn spike(
    size: f64,
    per_hour: f64,
    lasts: f64,
    state: &mut State,
    now: &Moment,
    draw: &mut Draw,
) -> f64 {
    if now.wall < state.until {
        return state.value;
    }
    if !draw.chance(1.0 - (-per_hour * now.passed).exp()) {
        return 0.0;
    }
    state.until = now.wall + lasts * draw.between(0.3, 1.5);
    size * draw.between(0.2, 1.0)
}
