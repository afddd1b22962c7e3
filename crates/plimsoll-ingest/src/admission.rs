//! Who may add what: the bound on distinct series, one source for each series, and the clock rule
//! for pushed readings. The server asks it before it stores what came over the network.
//!
//! Not here: storing, and the limits of a single request (the decoders have those).

use std::collections::HashMap;
use std::num::NonZeroUsize;

use plimsoll_model::{InstanceName, Metric, Reading, ServiceName, Span, Timestamp};

use crate::moment;
use crate::rejection::{Reason, Rejection};

/// Distinct series that are admitted unless the user says otherwise: 2,000 instances with 50
/// metrics each, and some 20 MB of names here.
pub const SERIES_MAX: NonZeroUsize = NonZeroUsize::new(100_000).expect("it is not zero");

/// A series without a reading for so long makes room for another when the bound is reached.
/// Longer than any scrape interval or short outage, shorter than a day of rollouts.
const IDLE_MAX: Span = Span::from_hours(1);

/// A source holds a series for so long after its last reading. Two sources that both say
/// `process.threads` may count differently, and woven together they look like a saw.
const SOURCE_HELD: Span = Span::from_mins(2);

/// Making room looks at every series, so under attack it is tried at most this often.
const SWEEP_EVERY: Span = Span::from_mins(1);

/// Where a reading comes from; the later one is trusted more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// Sent to us by whoever.
    Pushed,
    /// Read by our own agent, from the kernel or the runtime.
    Agent,
}

/// The gate. Cost of one question: a hash of three names.
#[derive(Debug)]
pub struct Admission {
    series: HashMap<Key, Held>,
    series_max: NonZeroUsize,
    swept_at: Option<Timestamp>,
}

type Key = (ServiceName, InstanceName, Metric);

#[derive(Clone, Copy, Debug)]
struct Held {
    seen_at: Timestamp,
    origin: Origin,
    origin_at: Timestamp,
}

impl Admission {
    pub fn new(series_max: NonZeroUsize) -> Self {
        Self { series: HashMap::new(), series_max, swept_at: None }
    }

    /// Distinct series that are known now.
    pub fn series(&self) -> usize {
        self.series.len()
    }

    /// Whether the reading may be stored.
    pub fn admit(
        &mut self,
        reading: &Reading,
        origin: Origin,
        now: Timestamp,
    ) -> Result<(), Rejection> {
        moment::believable(reading.at, now)?;
        let key = (reading.service.clone(), reading.instance.clone(), reading.metric);
        if let Some(held) = self.series.get_mut(&key) {
            return held.take(reading, origin, now);
        }
        if self.series.len() >= self.series_max.get() && !self.make_room(now) {
            let detail = format!("{} of {}", reading.metric, reading.instance);
            return Err(Rejection::new(Reason::TooManySeries, &detail));
        }
        self.series.insert(key, Held { seen_at: now, origin, origin_at: now });
        Ok(())
    }

    fn make_room(&mut self, now: Timestamp) -> bool {
        if self.swept_at.is_some_and(|at| now.since(at) < SWEEP_EVERY && now >= at) {
            return false;
        }
        self.swept_at = Some(now);
        self.series.retain(|_, held| now.since(held.seen_at) < IDLE_MAX);
        self.series.len() < self.series_max.get()
    }
}

impl Held {
    fn take(&mut self, reading: &Reading, origin: Origin, now: Timestamp) -> Result<(), Rejection> {
        self.seen_at = now;
        if origin < self.origin && now.since(self.origin_at) < SOURCE_HELD {
            let detail = format!("{} of {}", reading.metric, reading.instance);
            return Err(Rejection::new(Reason::OtherSource, &detail));
        }
        self.origin = origin;
        self.origin_at = now;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_780_000_000);

    fn reading(instance: &str, at: Timestamp) -> Reading {
        Reading {
            at,
            service: ServiceName::new("orders").unwrap(),
            version: None,
            instance: InstanceName::new(instance).unwrap(),
            metric: Metric::ProcessThreads,
            value: 1.0,
        }
    }

    fn ask(admission: &mut Admission, instance: &str, now: Timestamp) -> Option<Reason> {
        let refusal = admission.admit(&reading(instance, now), Origin::Pushed, now).err();
        refusal.map(|rejection| rejection.reason)
    }

    #[test]
    fn a_new_series_over_the_bound_is_refused_and_a_known_one_is_not() {
        let mut admission = Admission::new(NonZeroUsize::new(2).unwrap());
        assert_eq!(ask(&mut admission, "a", NOW), None);
        assert_eq!(ask(&mut admission, "b", NOW), None);
        assert_eq!(ask(&mut admission, "c", NOW), Some(Reason::TooManySeries));
        assert_eq!(ask(&mut admission, "a", NOW), None);
        assert_eq!(admission.series(), 2);
    }

    #[test]
    fn an_idle_series_makes_room() {
        let mut admission = Admission::new(NonZeroUsize::new(2).unwrap());
        assert_eq!(ask(&mut admission, "a", NOW), None);
        assert_eq!(ask(&mut admission, "b", NOW + Span::from_mins(30)), None);
        assert_eq!(ask(&mut admission, "c", NOW + Span::from_mins(61)), None);
        assert_eq!(admission.series(), 2);
    }

    #[test]
    fn endless_new_series_do_not_grow_it() {
        let mut admission = Admission::new(NonZeroUsize::new(100).unwrap());
        for index in 0..10_000 {
            let _ = ask(&mut admission, &format!("i{index}"), NOW + Span::from_secs(index));
        }
        assert!(admission.series() <= 100);
    }

    #[test]
    fn our_own_agent_takes_a_series_over_and_gives_it_back_when_it_falls_silent() {
        let mut admission = Admission::new(SERIES_MAX);
        assert_eq!(ask(&mut admission, "a", NOW), None);
        assert_eq!(admission.admit(&reading("a", NOW), Origin::Agent, NOW), Ok(()));
        let soon = NOW + Span::from_secs(119);
        assert_eq!(ask(&mut admission, "a", soon), Some(Reason::OtherSource));
        assert_eq!(ask(&mut admission, "a", NOW + Span::from_secs(120)), None);
    }

    #[test]
    fn a_time_that_is_not_believable_is_refused() {
        let mut admission = Admission::new(SERIES_MAX);
        let ahead = reading("a", NOW + Span::from_mins(6));
        let refusal = admission.admit(&ahead, Origin::Agent, NOW).unwrap_err();
        assert_eq!(refusal.reason, Reason::TimeInFuture);
        assert_eq!(admission.series(), 0);
    }
}
