//! The one place of the agent that reads clocks: wall time for readings, monotonic time and
//! processor time for what a round cost. Everything else is handed a [`Timestamp`].

#![expect(clippy::disallowed_methods, reason = "this is the clock module of the crate")]

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use nix::sys::resource::{UsageWho, getrusage};
use plimsoll_model::Timestamp;

/// The wall clock. A clock set before 1970 reads as 1970.
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// What a piece of work on this thread took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    pub wall: Duration,
    /// User and system time of this thread.
    pub cpu: Duration,
}

/// Measures from its creation to [`Stopwatch::cost`], on one thread.
#[derive(Debug)]
pub(crate) struct Stopwatch {
    wall: Instant,
    cpu: Duration,
}

impl Stopwatch {
    pub(crate) fn start() -> Self {
        Self { wall: Instant::now(), cpu: cpu_of(UsageWho::RUSAGE_THREAD) }
    }

    pub(crate) fn cost(&self) -> Cost {
        let cpu = cpu_of(UsageWho::RUSAGE_THREAD).saturating_sub(self.cpu);
        Cost { wall: self.wall.elapsed(), cpu }
    }
}

fn cpu_of(who: UsageWho) -> Duration {
    let Ok(usage) = getrusage(who) else { return Duration::ZERO };
    [usage.user_time(), usage.system_time()]
        .iter()
        .map(|time| {
            let secs = u64::try_from(time.tv_sec()).unwrap_or(0);
            Duration::from_secs(secs)
                + Duration::from_micros(u64::try_from(time.tv_usec()).unwrap_or(0))
        })
        .sum()
}
