//! The published labelled corpus: families of leaks and of their look-alikes, in absolute time.
//!
//! A family is a behaviour of a service, not a curve: each case draws its runtime, sizes, limit,
//! load, replicas, noise, metrics and the defects of its telemetry from a seed. Families are split
//! into two halves, one to choose thresholds by and one to report on. Leaks are shaped so that they
//! can be seen at all (`plan`): they matter by the end, and a leaking heap is collected in full now
//! and then. Not here: how a leak is recognised, and the files (the `corpora` program writes them).

mod benign;
mod body;
mod busy;
mod changed;
mod curve;
mod draw;
mod exports;
mod families;
mod frame;
mod heap;
mod held;
mod leaking;
mod load;
mod measure;
mod operated;
mod ordinary;
mod part;
mod plan;
mod replica;
#[cfg(test)]
mod tests;
mod world;

use plimsoll_model::{Cause, Change, Half, InstanceName, Label, Reading, ServiceName, Timestamp};

pub use body::Runtime;
pub use families::families;

use draw::Draw;
use plan::Plan;
use world::Leak;

/// A kind of behaviour.
#[derive(Clone, Copy, Debug)]
pub struct Family {
    pub name: &'static str,
    pub half: Half,
    pub label: Label,
    plan: fn(Draw) -> Plan,
}

/// What is true of a case, known because it was made.
#[derive(Clone, Debug, PartialEq)]
pub struct Truth {
    /// None where any cause will do.
    pub cause: Option<Cause>,
    /// When it began to leak: the beginning of the case for what leaked before.
    pub onset: Option<Timestamp>,
    /// When the last replica stopped leaking; none while it goes on.
    pub ends: Option<Timestamp>,
    /// The replicas that leak.
    pub instances: Vec<InstanceName>,
    /// The change that began it.
    pub change: Option<Change>,
    /// When the limit was first reached, or would be; none where nothing is known to give way.
    pub exhausted_at: Option<Timestamp>,
    /// In the unit of what leaks, a replica's mean from the onset on.
    pub growth_per_hour: Option<f64>,
}

/// One service's telemetry with its truth.
#[derive(Clone, Debug)]
pub struct CorpusCase {
    /// The family and the seed: enough to draw it again.
    pub service: ServiceName,
    pub family: &'static str,
    pub half: Half,
    pub label: Label,
    pub runtime: Runtime,
    /// In the order in which they arrived: late ones, and those of a clock that was set back, come
    /// after later ones. Of one scrape, `process.start_time` comes first.
    pub readings: Vec<Reading>,
    /// In order of time.
    pub changes: Vec<Change>,
    pub truth: Truth,
}

/// Draws one case of a family.
pub fn draw(family: &Family, seed: u64) -> CorpusCase {
    let name = format!("{}-{seed}", family.name);
    let service = ServiceName::new(&name).expect("a family's name is short and printable");
    let plan = (family.plan)(Draw::new(family.name, seed));
    let runtime = plan.body.runtime;
    let per_unit = plan.unit_of_leak();
    let played = world::play(plan, service.clone());
    let at = |hours: f64| played.frame.at(hours);
    let growth = |leak: &Leak| {
        let ends = leak.ends.unwrap_or(played.frame.hours);
        per_unit * leak.grown / (ends - leak.onset).max(played.frame.step_hours())
    };
    let leak = played.leak.as_ref();
    let names = leak.map(|leak| leak.instances.iter()).into_iter().flatten();
    CorpusCase {
        service,
        family: family.name,
        half: family.half,
        label: family.label,
        runtime,
        changes: played.changes,
        truth: Truth {
            cause: played.cause,
            onset: leak.map(|leak| at(leak.onset)),
            ends: leak.and_then(|leak| leak.ends).map(at),
            instances: names.filter_map(|name| InstanceName::new(name).ok()).collect(),
            change: played.blamed,
            exhausted_at: leak.and_then(|leak| leak.exhausted).map(at),
            growth_per_hour: leak.map(growth),
        },
        readings: played.readings,
    }
}
