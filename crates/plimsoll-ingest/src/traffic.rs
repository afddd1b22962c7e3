//! How much each instance is asked, from its server spans: rate, errors, latency and work in
//! flight, once an interval. The server feeds it what [`crate::otlp::decode_traces`] gives, and
//! asks it regularly to settle.
//!
//! Work in flight is Little's law read backwards: the time that requests spent inside an interval,
//! divided by the interval. Not here: edges between services; client spans are only counted, since
//! the same request would be counted twice otherwise.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;

use plimsoll_model::{InstanceName, Metric, Reading, ServiceName, Span, Timestamp};

use crate::moment;
use crate::otlp::{SpanKind, SpanSeen};
use crate::rejection::{Reason, Rejection};

/// How long requests are counted together unless the user says otherwise. Short enough to see a
/// peak of load beside memory that is sampled every 5 s, long enough for a percentile.
pub const INTERVAL: Span = Span::from_secs(5);

/// How long spans are waited for after their interval. The SDKs flush every 5 s by default, and a
/// collector in between adds some seconds.
pub const LATENESS: Span = Span::from_secs(10);

/// Instances whose traffic is counted at once. One takes a few kilobytes.
pub const INSTANCES_MAX: NonZeroUsize = NonZeroUsize::new(4096).expect("it is not zero");

/// An instance without a request reports zeros for so long, then nothing, and is forgotten. Zero
/// load is a fact about a quiet instance and a lie about one that is gone; two minutes bound the
/// lie.
const QUIET_MAX: Span = Span::from_mins(2);

/// Intervals that are settled after a pause, at most. A laptop that slept for a night has no
/// traffic to catch up on.
const CATCH_UP_MAX: u64 = 120;

/// Intervals that the clock may go back without another count of what was settled: a clock that is
/// disciplined slews by less.
const STEP_BACK_MAX: u64 = 12;

/// The shortest interval: below a second, percentiles of an interval mean nothing.
const INTERVAL_MILLIS_MIN: i64 = 1000;

const NANOS_PER_MILLI: u64 = 1_000_000;

/// How traffic is counted.
#[derive(Clone, Copy, Debug)]
pub struct TrafficLimits {
    /// At least a second.
    pub interval: Span,
    pub lateness: Span,
    pub instances: NonZeroUsize,
}

impl Default for TrafficLimits {
    fn default() -> Self {
        Self { interval: INTERVAL, lateness: LATENESS, instances: INSTANCES_MAX }
    }
}

/// What is known of the intervals that are still open. Bounded by instances and by lateness.
#[derive(Debug)]
pub struct Traffic {
    interval_nanos: u64,
    lateness: Span,
    instances_max: NonZeroUsize,
    /// Intervals are numbered since the epoch; those before this one are settled.
    open_from: Option<u64>,
    flows: BTreeMap<(ServiceName, InstanceName), Flow>,
    client_spans: u64,
}

#[derive(Debug)]
struct Flow {
    first_interval: u64,
    last_end_nanos: u64,
    open: BTreeMap<u64, Bucket>,
}

/// One instance in one interval.
#[derive(Debug, Default)]
struct Bucket {
    ended: u64,
    errors: u64,
    /// Sum over all requests of the time they spent inside the interval.
    busy_nanos: u64,
    durations: Durations,
}

impl Traffic {
    pub fn new(limits: TrafficLimits) -> Self {
        let millis = limits.interval.as_millis().max(INTERVAL_MILLIS_MIN).unsigned_abs();
        Self {
            interval_nanos: millis.saturating_mul(NANOS_PER_MILLI),
            lateness: limits.lateness,
            instances_max: limits.instances,
            open_from: None,
            flows: BTreeMap::new(),
            client_spans: 0,
        }
    }

    /// Instances that are followed now.
    pub fn instances(&self) -> usize {
        self.flows.len()
    }

    /// Client spans that were seen; they are kept out of the traffic of servers.
    pub fn client_spans(&self) -> u64 {
        self.client_spans
    }

    /// Counts one span. A request counts where it ends; its time counts in each interval that is
    /// still open, so a request that outlasts the lateness is in flight for less than it was.
    pub fn record(&mut self, span: &SpanSeen, now: Timestamp) -> Result<(), Rejection> {
        match span.kind {
            SpanKind::Client => {
                self.client_spans += 1;
                return Ok(());
            }
            SpanKind::Server => {}
        }
        let refuse = |reason| Err(Rejection::new(reason, span.instance.as_str()));
        let (start, end) = (span.start_nanos, span.end_nanos);
        if start > end {
            return refuse(Reason::ImpossibleSpan);
        }
        let Some(ended_at) = moment::from_unix_nanos(end) else {
            return refuse(Reason::TimeMissing);
        };
        moment::not_in_future(ended_at, now)?;
        let oldest = self.oldest_open(now);
        let last = end / self.interval_nanos;
        if last < oldest {
            return refuse(Reason::SpanTooLate);
        }
        let interval_nanos = self.interval_nanos;
        let Some(flow) = self.flow(span, last) else {
            return refuse(Reason::TooManyInstances);
        };
        flow.last_end_nanos = flow.last_end_nanos.max(end);
        flow.drop_before(oldest);
        for interval in oldest.max(start / interval_nanos)..=last {
            let from = interval.saturating_mul(interval_nanos);
            let to = from.saturating_add(interval_nanos);
            let inside = end.min(to).saturating_sub(start.max(from));
            let bucket = flow.open.entry(interval).or_default();
            bucket.busy_nanos = bucket.busy_nanos.saturating_add(inside);
        }
        let bucket = flow.open.entry(last).or_default();
        bucket.ended += 1;
        bucket.errors += u64::from(span.error);
        bucket.durations.add(end - start);
        Ok(())
    }

    /// The readings of every interval that no span can reach any more, in order of time; each is
    /// given once. They carry no version: they come seconds late, when the instance may already
    /// run another one.
    pub fn settle(&mut self, now: Timestamp) -> Vec<Reading> {
        let oldest = self.oldest_open(now);
        let due = self.due(now);
        let mut readings = Vec::new();
        for interval in oldest..due {
            for (name, flow) in &self.flows {
                if flow.first_interval <= interval {
                    let bucket = flow.open.get(&interval);
                    self.report(name, interval, bucket, &mut readings);
                }
            }
        }
        self.open_from = Some(oldest.max(due));
        self.forget(now, due);
        readings
    }

    fn flow(&mut self, span: &SpanSeen, interval: u64) -> Option<&mut Flow> {
        let key = (span.service.clone(), span.instance.clone());
        if self.flows.len() >= self.instances_max.get() && !self.flows.contains_key(&key) {
            return None;
        }
        let begin = || Flow { first_interval: interval, last_end_nanos: 0, open: BTreeMap::new() };
        let flow = self.flows.entry(key).or_insert_with(begin);
        flow.first_interval = flow.first_interval.min(interval);
        Some(flow)
    }

    fn oldest_open(&mut self, now: Timestamp) -> u64 {
        let due = self.due(now);
        let open_from = self.open_from.get_or_insert(due);
        if *open_from > due + STEP_BACK_MAX {
            // The clock was set back: what was settled in its future would refuse all spans until
            // then.
            *open_from = due;
        }
        (*open_from).max(due.saturating_sub(CATCH_UP_MAX))
    }

    /// The first interval that spans may still reach at `now`.
    fn due(&self, now: Timestamp) -> u64 {
        nanos(now - self.lateness) / self.interval_nanos
    }

    fn report(
        &self,
        (service, instance): &(ServiceName, InstanceName),
        interval: u64,
        bucket: Option<&Bucket>,
        readings: &mut Vec<Reading>,
    ) {
        let end = (interval + 1).saturating_mul(self.interval_nanos);
        let Some(at) = moment::from_unix_nanos(end) else { return };
        let nothing = Bucket::default();
        let bucket = bucket.unwrap_or(&nothing);
        let mut push = |metric, value| {
            let (service, instance) = (service.clone(), instance.clone());
            readings.push(Reading { at, service, version: None, instance, metric, value });
        };
        let secs = self.interval_nanos as f64 / 1e9;
        push(Metric::ServiceRequestsRate, bucket.ended as f64 / secs);
        push(Metric::ServiceRequestsErrors, bucket.errors as f64 / secs);
        let in_flight = bucket.busy_nanos as f64 / self.interval_nanos as f64;
        push(Metric::ServiceRequestsInFlight, in_flight);
        if let Some(latency) = bucket.durations.quantile_secs(0.5) {
            push(Metric::ServiceLatencyP50, latency);
        }
        if let Some(latency) = bucket.durations.quantile_secs(0.99) {
            push(Metric::ServiceLatencyP99, latency);
        }
    }

    fn forget(&mut self, now: Timestamp, due: u64) {
        let quiet_from = nanos(now - self.lateness - QUIET_MAX);
        self.flows.retain(|_, flow| flow.last_end_nanos >= quiet_from);
        self.flows.values_mut().for_each(|flow| flow.drop_before(due));
    }
}

impl Flow {
    /// Also called while recording: what nobody settles must not pile up.
    fn drop_before(&mut self, interval: u64) {
        while let Some(oldest) = self.open.first_entry()
            && *oldest.key() < interval
        {
            oldest.remove();
        }
    }
}

/// Durations in buckets whose bounds grow by 4 %, so that a quantile is right within 2 % and the
/// memory is bounded whatever comes: some 800 buckets from a microsecond to a day.
#[derive(Debug, Default)]
struct Durations {
    counts: BTreeMap<u16, u64>,
    total: u64,
}

/// Growth from one bound to the next.
const BUCKET_GROWTH: f64 = 1.04;

/// Durations below a microsecond are noise of the clock, and share the first bucket.
const BUCKET_FIRST_NANOS: f64 = 1000.0;

impl Durations {
    fn add(&mut self, nanos: u64) {
        let ratio = (nanos as f64 / BUCKET_FIRST_NANOS).max(1.0);
        // The logarithm of 2^64 to this base is below 1200, so it fits.
        let bucket = (ratio.ln() / BUCKET_GROWTH.ln()).ceil() as u16;
        *self.counts.entry(bucket).or_default() += 1;
        self.total += 1;
    }

    /// The nearest-rank quantile; none without durations.
    fn quantile_secs(&self, quantile: f64) -> Option<f64> {
        let rank = (quantile * self.total as f64).ceil().max(1.0) as u64;
        let mut below = 0;
        let bucket = self.counts.iter().find(|(_, count)| {
            below += **count;
            below >= rank
        });
        let (bucket, _) = bucket?;
        let upper = BUCKET_FIRST_NANOS * BUCKET_GROWTH.powi(i32::from(*bucket));
        // The point that is at most 2 % away from both ends of the bucket.
        Some(upper * 2.0 / (1.0 + BUCKET_GROWTH) / 1e9)
    }
}

fn nanos(at: Timestamp) -> u64 {
    u64::try_from(at.as_millis()).unwrap_or(0).saturating_mul(NANOS_PER_MILLI)
}

#[cfg(test)]
mod tests;
