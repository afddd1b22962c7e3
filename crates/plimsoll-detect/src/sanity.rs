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
/// Cost: the square of the number of beginnings at most.
pub fn shared_onset(beginnings: &[Beginning], now: Timestamp) -> Option<SharedOnset> {
    let mut sorted: Vec<&Beginning> = beginnings.iter().collect();
    sorted.sort_by(|one, other| (one.at, &one.service).cmp(&(other.at, &other.service)));
    let groups = (0..sorted.len()).map(|first| {
        let window = together(sorted[first].watched);
        let of_window = |one: &&&Beginning| one.at.since(sorted[first].at) <= window;
        let group = &sorted[first..][..sorted[first..].iter().take_while(of_window).count()];
        (chance(group, window, sorted.len()), group)
    });
    let enough = groups.filter(|(_, group)| group.len() >= count(&limits::SHARED_SERVICES));
    let (chance, group) = enough.min_by(|one, other| one.0.total_cmp(&other.0))?;
    (chance <= limits::SHARED_CHANCE.default).then(|| told(group, chance, now))
}

/// How far apart beginnings may lie that are one moment.
fn together(watched: Span) -> Span {
    Span::from_secs_f64(watched.as_secs_f64() * limits::SHARED_WINDOW.default)
}

fn count(threshold: &limits::Threshold) -> usize {
    threshold.default as usize
}

/// The chance that so many of `all` independent beginnings lie in a window behind one of them, at
/// most: each falls into it with the share that the window has of the shortest time watched, and
/// any of them may be the first.
fn chance(group: &[&Beginning], window: Span, all: usize) -> f64 {
    let shortest = group.iter().map(|one| one.watched.as_secs_f64()).fold(f64::INFINITY, f64::min);
    let share = (window.as_secs_f64() / shortest).clamp(0.0, 1.0);
    let others = all - 1;
    // The terms of the binomial distribution from none on, each from the one before.
    let mut term = (1.0 - share).powi(i32::try_from(others).unwrap_or(i32::MAX));
    let mut fewer = 0.0;
    for have in 0..group.len() - 1 {
        fewer += term;
        term *= (others - have) as f64 / (have + 1) as f64 * share / (1.0 - share);
    }
    if fewer.is_finite() { (all as f64 * (1.0 - fewer)).clamp(0.0, 1.0) } else { 1.0 }
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
