//! What is measured of a service, and by whom: no two shops see the same metrics.
//!
//! Not here: the values (`replica`).

use std::collections::BTreeSet;

use plimsoll_model::Metric as M;

use super::body::Runtime;
use super::draw::Draw;

/// What a family insists on; the rest is drawn.
#[derive(Clone, Debug, Default)]
pub(super) struct Exports {
    required: Vec<M>,
    hidden: Vec<M>,
}

/// What else decides which metrics there are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Setting {
    pub(super) runtime: Runtime,
    pub(super) limited: bool,
    /// A long case or one of many replicas: optional metrics are rarer.
    pub(super) lean: bool,
}

/// Who measures the container, and what they show.
const COLLECTORS: [&[M]; 4] = [
    &[M::ContainerMemoryAnon, M::ContainerMemoryFile, M::ContainerMemoryWorkingSet],
    &[M::ContainerMemoryWorkingSet, M::ContainerMemoryUsage, M::ContainerMemoryAnon],
    &[M::ProcessMemoryRss],
    &[M::ContainerMemoryWorkingSet],
];

/// Metrics of a runtime that is instrumented, and how often they are kept.
const INSTRUMENTED: [(M, f64); 5] = [
    (M::RuntimeHeapLive, 0.5),
    (M::RuntimeHeapCommitted, 0.4),
    (M::RuntimeNonheapUsed, 0.3),
    (M::RuntimeGcCount, 0.3),
    (M::RuntimeHeapAllocated, 0.15),
];

/// Anything may be there or not.
const ANYWHERE: [(M, f64); 6] = [
    (M::ProcessStartTime, 0.5),
    (M::ContainerRestarts, 0.4),
    (M::ServiceRequestsRate, 0.4),
    (M::ProcessFds, 0.35),
    (M::ProcessThreads, 0.25),
    (M::ContainerMemoryEventsOomKill, 0.25),
];

impl Exports {
    pub(super) fn require(&mut self, metrics: &[M]) {
        self.required.extend_from_slice(metrics);
    }

    pub(super) fn hide(&mut self, metrics: &[M]) {
        self.hidden.extend_from_slice(metrics);
    }

    /// The metrics of one case.
    pub(super) fn choose(&self, draw: &mut Draw, setting: Setting) -> BTreeSet<M> {
        let mut chosen: BTreeSet<M> = draw.pick(&COLLECTORS).iter().copied().collect();
        let rarer = if setting.lean { 0.35 } else { 1.0 };
        let mut perhaps = |metric: M, often: f64| {
            if draw.chance(often * rarer) {
                chosen.insert(metric);
            }
        };
        ANYWHERE.iter().for_each(|(metric, often)| perhaps(*metric, *often));
        match setting.runtime {
            Runtime::Go => perhaps(M::RuntimeGoroutines, 0.5),
            Runtime::Jvm => perhaps(M::RuntimeClasses, 0.3),
            Runtime::Node | Runtime::Python | Runtime::Dotnet | Runtime::Native => {}
        }
        if !setting.lean && Runtime::MANAGED.contains(&setting.runtime) && draw.chance(0.65) {
            chosen.insert(M::RuntimeHeapUsed);
            let kept = INSTRUMENTED.iter().filter(|(_, often)| draw.chance(*often));
            chosen.extend(kept.map(|(metric, _)| *metric));
        }
        // A limit costs next to nothing to collect, so most know it.
        if setting.limited && draw.chance(0.92) {
            chosen.insert(M::ContainerMemoryLimit);
        } else if !setting.limited && draw.chance(0.5) {
            chosen.insert(M::NodeMemoryAllocatable);
        }
        chosen.retain(|metric| !self.hidden.contains(metric));
        chosen.extend(&self.required);
        self.complete(&mut chosen, setting);
        chosen
    }

    /// What never comes alone.
    fn complete(&self, chosen: &mut BTreeSet<M>, setting: Setting) {
        let bounded = matches!(setting.runtime, Runtime::Jvm | Runtime::Dotnet | Runtime::Node);
        let heap = chosen.contains(&M::RuntimeHeapUsed) || chosen.contains(&M::RuntimeHeapLive);
        if heap && bounded {
            chosen.insert(M::RuntimeHeapLimit);
        }
        if chosen.contains(&M::PoolConnectionsUsed) {
            chosen.insert(M::PoolConnectionsMax);
        }
        if chosen.contains(&M::ProcessFds) && !self.hidden.contains(&M::ProcessFdsLimit) {
            chosen.insert(M::ProcessFdsLimit);
        }
    }
}

/// Metrics that hardly ever change are not worth a row at every sample.
pub(super) fn is_setting(metric: M) -> bool {
    matches!(
        metric,
        M::ContainerMemoryLimit
            | M::RuntimeHeapLimit
            | M::ProcessFdsLimit
            | M::NodeMemoryAllocatable
            | M::PoolConnectionsMax
            | M::QueueCapacity
            | M::ProcessStartTime
            | M::ContainerRestarts
            | M::ContainerMemoryEventsOomKill
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_required_is_there_and_what_is_hidden_is_not() {
        let mut exports = Exports::default();
        exports.require(&[M::ProcessFds]);
        exports.hide(&[M::ServiceRequestsRate]);
        let mut draw = Draw::new("exports", 1);
        for runtime in Runtime::ALL {
            let setting = Setting { runtime, limited: true, lean: false };
            let chosen = exports.choose(&mut draw, setting);
            assert!(chosen.contains(&M::ProcessFds) && chosen.contains(&M::ProcessFdsLimit));
            assert!(!chosen.contains(&M::ServiceRequestsRate));
        }
    }
}
