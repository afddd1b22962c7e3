//! Whether it is the services that grow, or what is looked at them with.
//!
//! Services leak on their own, at moments of their own. Where many begin at once, what they share is
//! the first suspect: the collector and its clock, the node, a library that all of them took. This
//! says so of a fleet; it changes no verdict on any service, and what follows is the caller's.

use plimsoll_model::{
    Assessment, ServiceHistory, ServiceName, SharedOnset, Span, Timestamp, Verdict,
};

use crate::scene::Scene;
use crate::thresholds as limits;

/// When a service began to grow that had been watched before, and by nothing that it did itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Beginning {
    pub service: ServiceName,
    pub at: Timestamp,
    /// For how long the service has been watched.
    pub watched: Span,
}

/// None where the service does not grow, where a change of its own began it, and where it grew from
/// the start: of the process, or of what is known of it. Those begin together whenever a node
/// starts, or a scan, and say nothing.
pub fn beginning(history: &ServiceHistory, assessment: &Assessment) -> Option<Beginning> {
    let grows = matches!(assessment.verdict, Verdict::Leaking | Verdict::Suspect);
    let at = assessment.onset.filter(|_| grows && assessment.suspected_change.is_none())?;
    let scene = Scene::of(history, assessment.at);
    let watched = assessment.at.since(scene.origin);
    let near = together(watched);
    let close = |start: Timestamp| at.since(start).as_millis().abs() <= near.as_millis();
    let speaks = |instance| assessment.instances.contains(instance);
    let runs = scene.runs.iter().filter(|run| speaks(&run.life.instance));
    let from_start = runs.flat_map(|run| [run.from, run.life.started_at]).any(close);
    let known = !from_start && !close(scene.origin);
    known.then(|| Beginning { service: assessment.service.clone(), at, watched })
}

/// The beginnings that lie together most improbably, if that is improbable enough.
///
/// Cost: of `n log n` where services were watched for about as long; the square of their number is
/// met only where the times watched differ so that no window can be passed over.
pub fn shared_onset(beginnings: &[Beginning], now: Timestamp) -> Option<SharedOnset> {
    let mut sorted: Vec<&Beginning> = beginnings.iter().collect();
    sorted.sort_by(|one, other| (one.at, &one.service).cmp(&(other.at, &other.service)));
    let draws = Draws::of(sorted.len());
    let rare = limits::SHARED_CHANCE.default.ln();
    let mut best: Option<(f64, Vec<&Beginning>)> = None;
    for (first, one) in sorted.iter().enumerate() {
        let window = together(one.watched);
        let end = sorted.partition_point(|other| other.at.since(one.at) <= window);
        let within = sorted.get(first..end).unwrap_or_default();
        if within.len() < limits::SHARED_SERVICES.default as usize {
            continue;
        }
        // What can be hoped for: that all of the window were watched for as long as the first.
        let most = best.as_ref().map_or(rare, |(chance, _)| *chance);
        if draws.ln_chance(within.len(), limits::SHARED_WINDOW.default) > most {
            continue;
        }
        let group = watched_long(within, window);
        let chance = draws.ln_chance(group.len(), share(&group, window));
        let enough = group.len() >= limits::SHARED_SERVICES.default as usize;
        if enough && chance <= most && best.as_ref().is_none_or(|(least, _)| chance < *least) {
            best = Some((chance, group));
        }
    }
    best.map(|(chance, group)| told(&group, chance.exp(), now))
}

/// How far apart beginnings may lie that are one moment.
fn together(watched: Span) -> Span {
    Span::from_secs_f64(watched.as_secs_f64() * limits::SHARED_WINDOW.default)
}

/// Those of a window to whom it is a small part of the time that they were watched: a young service
/// can have begun nowhere else.
fn watched_long<'a>(within: &[&'a Beginning], window: Span) -> Vec<&'a Beginning> {
    let least = window.as_secs_f64() * limits::SHARED_WATCHED.default;
    within.iter().copied().filter(|one| one.watched.as_secs_f64() >= least).collect()
}

/// The share that the window has of the shortest time watched.
fn share(group: &[&Beginning], window: Span) -> f64 {
    let shortest = group.iter().map(|one| one.watched.as_secs_f64()).fold(f64::INFINITY, f64::min);
    let share = window.as_secs_f64() / shortest;
    if share.is_finite() { share.clamp(0.0, 1.0) } else { 1.0 }
}

/// Independent beginnings, and how probably they lie together. In logarithms, because of some ten
/// thousand the chance that none falls into a window is no number above zero.
struct Draws {
    /// Of the factorials of 0, 1, and so on.
    ln_factorials: Vec<f64>,
}

impl Draws {
    fn of(all: usize) -> Self {
        let mut sum = 0.0;
        let next = |number: usize| {
            sum += (number.max(1) as f64).ln();
            sum
        };
        Self { ln_factorials: (0..=all).map(next).collect() }
    }

    /// The logarithm of the chance that so many lie in a window behind one of them, at most: each
    /// falls into it with this share, and any of them may be the first.
    fn ln_chance(&self, together: usize, share: f64) -> f64 {
        let all = self.ln_factorials.len() - 1;
        let (others, have) = (all.saturating_sub(1), together.saturating_sub(1));
        // Up to the mean it is no wonder; beyond it each further term is smaller than the last.
        if have as f64 <= others as f64 * share {
            return 0.0;
        }
        let ln_factorial = |number: usize| self.ln_factorials.get(number).copied().unwrap_or(0.0);
        let ln_ways = ln_factorial(others) - ln_factorial(have) - ln_factorial(others - have);
        let ln_term =
            ln_ways + have as f64 * share.ln() + (others - have) as f64 * (-share).ln_1p();
        let (mut sum, mut term) = (0.0, 1.0);
        for more in have..=others {
            sum += term;
            term *= (others - more) as f64 / (more + 1) as f64 * share / (1.0 - share);
            if term <= sum * f64::EPSILON {
                break;
            }
        }
        ((all as f64).ln() + ln_term + sum.ln()).min(0.0)
    }
}

fn told(group: &[&Beginning], chance: f64, now: Timestamp) -> SharedOnset {
    let moments = || group.iter().map(|one| one.at);
    let (from, to) = (moments().min().unwrap_or(now), moments().max().unwrap_or(now));
    let mut services: Vec<_> = group.iter().map(|one| one.service.clone()).collect();
    services.sort_unstable();
    let reason = format!(
        "{} services began to grow within {} of each other, {} ago, and nothing that they did \
         themselves explains it; suspect the measurement first (the collector, its clock, an \
         exporter that was updated), then what they share (a node, a library, a limit), before \
         any of them",
        services.len(),
        to.since(from),
        now.since(from),
    );
    SharedOnset { services, from, to, chance, reason }
}
