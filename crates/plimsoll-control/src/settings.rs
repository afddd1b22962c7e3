//! How attentive and how patient the loop is. Each default carries its reason.

use std::num::NonZeroUsize;

use plimsoll_decide::Policy;
use plimsoll_model::{SeriesLimit, Span};

#[derive(Clone, Debug)]
pub struct Settings {
    pub policy: Policy,
    /// Time between two assessments of a service. Default 5 s: far below any runway worth a plan,
    /// and a fleet of a thousand services still fits one core.
    pub assess_every: Span,
    /// Assessments in a row that must say `leaking` before an incident opens. Default 2: one may
    /// stand on a single late collection.
    pub open_after: u32,
    /// Confidence that such an assessment needs. Default 0.8; a plan needs more.
    pub open_confidence: f64,
    /// What one series and one service may hold in memory.
    pub series: SeriesLimit,
    /// Services that are followed; readings of further ones are refused and counted. Default 4096.
    pub services_max: usize,
    /// Incidents kept in memory; the oldest closed ones leave first. Default 256.
    pub incidents_max: usize,
    /// An agent that was not heard of for so long is lost. Default 30 s: three long polls.
    pub agent_lost_after: Span,
}

/// Samples of one series in memory. At one a second this is half an hour at full resolution, and
/// days once thinned; a hundred series of it cost 6 MiB.
const SERIES_SAMPLES: NonZeroUsize = NonZeroUsize::new(2048).expect("2048 is not zero");

/// Lives of one service in memory: two hundred replicas, or ten of them through two dozen restarts.
const SERVICE_LIVES: NonZeroUsize = NonZeroUsize::new(256).expect("256 is not zero");

impl Default for Settings {
    fn default() -> Self {
        Self {
            policy: Policy::default(),
            assess_every: Span::from_secs(5),
            open_after: 2,
            open_confidence: 0.8,
            series: SeriesLimit { samples: SERIES_SAMPLES, lives: SERVICE_LIVES },
            services_max: 4096,
            incidents_max: 256,
            agent_lost_after: Span::from_secs(30),
        }
    }
}
