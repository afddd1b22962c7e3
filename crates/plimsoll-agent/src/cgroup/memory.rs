//! The memory figures of one control group, of version 2 and of version 1, as canonical readings.
//!
//! Not here: whether the figures may be given to an instance at all; `cgroup` and `collect` see to
//! that. Absent files and keys give no reading: they differ between kernels.

use std::path::Path;

use plimsoll_model::Metric;

use crate::cgroup::Hierarchy;
use crate::files::{FileReader, keyed_number, leading_number};
use crate::pressure::parse_stalls;

/// A limit at or above this is how version 1 says that there is none: the highest page-aligned
/// number, which differs with the page size. Nobody owns 4 EiB of memory.
const V1_UNLIMITED_BYTES: u64 = 1 << 62;

/// How many groups above one are asked for a lower limit. Kubernetes nests five deep.
const ANCESTORS_MAX: usize = 16;

/// What was read of a group, as metric and value.
pub(crate) type Figures = Vec<(Metric, f64)>;

/// All figures of the group in `folder`, which lies below the mount of `hierarchy`.
pub(crate) fn figures(hierarchy: &Hierarchy, folder: &Path) -> Figures {
    let mut files = FileReader::new(folder);
    let mut figures = Figures::new();
    match hierarchy {
        Hierarchy::V2(mount) => {
            usage_v2(&mut files, &mut figures);
            events_v2(&mut files, &mut figures);
            let limit = lowest_limit(folder, mount, "memory.max");
            put(&mut figures, Metric::ContainerMemoryLimit, limit);
            let high = lowest_limit(folder, mount, "memory.high");
            put(&mut figures, Metric::ContainerMemoryHigh, high);
        }
        Hierarchy::V1(_) => figures_v1(&mut files, &mut figures),
        Hierarchy::None => {}
    }
    figures
}

fn put(figures: &mut Figures, metric: Metric, value: Option<u64>) {
    figures.extend(value.map(|value| (metric, value as f64)));
}

fn number(files: &mut FileReader, name: &str) -> Option<u64> {
    leading_number(files.read(format_args!("{name}")).ok()?)
}

fn usage_v2(files: &mut FileReader, figures: &mut Figures) {
    let usage = number(files, "memory.current");
    put(figures, Metric::ContainerMemoryUsage, usage);
    let Ok(stat) = files.read(format_args!("memory.stat")) else { return };
    let of = |key| keyed_number(stat, key);
    let working_set = usage.zip(of("inactive_file")).map(|(all, idle)| all.saturating_sub(idle));
    put(figures, Metric::ContainerMemoryWorkingSet, working_set);
    put(figures, Metric::ContainerMemoryAnon, of("anon"));
    put(figures, Metric::ContainerMemoryFile, of("file"));
    // `kernel` is there since Linux 5.18.
    let parts = || sum(of("slab_unreclaimable"), of("kernel_stack"));
    put(figures, Metric::ContainerMemoryKernel, of("kernel").or_else(parts));
    let refaults = sum(of("workingset_refault_anon"), of("workingset_refault_file"));
    put(figures, Metric::ContainerMemoryRefaults, refaults);
}

fn events_v2(files: &mut FileReader, figures: &mut Figures) {
    if let Ok(events) = files.read(format_args!("memory.events")) {
        put(figures, Metric::ContainerMemoryEventsHigh, keyed_number(events, "high"));
        put(figures, Metric::ContainerMemoryEventsMax, keyed_number(events, "max"));
        put(figures, Metric::ContainerMemoryEventsOom, keyed_number(events, "oom"));
        put(figures, Metric::ContainerMemoryEventsOomKill, keyed_number(events, "oom_kill"));
    }
    if let Some(stalls) = files.read(format_args!("memory.pressure")).ok().and_then(parse_stalls) {
        figures.push((Metric::ContainerMemoryPressureSome, stalls.some_secs));
        figures.push((Metric::ContainerMemoryPressureFull, stalls.full_secs));
    }
}

/// A group is bound by its own limit and by that of every group above it; `max` is no limit.
fn lowest_limit(folder: &Path, mount: &Path, name: &str) -> Option<u64> {
    folder
        .ancestors()
        .take_while(|group| group.starts_with(mount) && *group != mount)
        .take(ANCESTORS_MAX)
        .filter_map(|group| leading_number(&std::fs::read(group.join(name)).ok()?))
        .min()
}

fn figures_v1(files: &mut FileReader, figures: &mut Figures) {
    let usage = number(files, "memory.usage_in_bytes");
    put(figures, Metric::ContainerMemoryUsage, usage);
    let own = number(files, "memory.limit_in_bytes");
    let mut inherited = None;
    if let Ok(stat) = files.read(format_args!("memory.stat")) {
        let of = |key| keyed_number(stat, key);
        let idle = of("total_inactive_file");
        let working_set = usage.zip(idle).map(|(all, idle)| all.saturating_sub(idle));
        put(figures, Metric::ContainerMemoryWorkingSet, working_set);
        put(figures, Metric::ContainerMemoryAnon, of("total_rss"));
        put(figures, Metric::ContainerMemoryFile, of("total_cache"));
        let refaults =
            sum(of("total_workingset_refault_anon"), of("total_workingset_refault_file"));
        put(figures, Metric::ContainerMemoryRefaults, refaults);
        inherited = of("hierarchical_memory_limit");
    }
    let limits = [own, inherited].into_iter().flatten();
    let limit = limits.filter(|bytes| *bytes < V1_UNLIMITED_BYTES).min();
    put(figures, Metric::ContainerMemoryLimit, limit);
    let kernel = number(files, "memory.kmem.usage_in_bytes");
    put(figures, Metric::ContainerMemoryKernel, kernel);
    put(figures, Metric::ContainerMemoryEventsMax, number(files, "memory.failcnt"));
    if let Ok(control) = files.read(format_args!("memory.oom_control")) {
        put(figures, Metric::ContainerMemoryEventsOomKill, keyed_number(control, "oom_kill"));
    }
}

/// The sum of what is known; `None` only where nothing is.
fn sum(one: Option<u64>, other: Option<u64>) -> Option<u64> {
    match (one, other) {
        (None, None) => None,
        (one, other) => Some(one.unwrap_or(0).saturating_add(other.unwrap_or(0))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(hierarchy: &Hierarchy, group: &Path, want: &[(Metric, f64)]) {
        let mut got = figures(hierarchy, group);
        got.sort_by_key(|(metric, _)| *metric);
        assert_eq!(got, want);
    }

    #[test]
    fn the_figures_of_a_version_2_group_are_read() {
        let mount = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/cgroup/v2");
        let want = [
            (Metric::ContainerMemoryUsage, 734_003_200.0),
            (Metric::ContainerMemoryWorkingSet, 713_031_680.0),
            (Metric::ContainerMemoryAnon, 629_145_600.0),
            (Metric::ContainerMemoryFile, 83_886_080.0),
            (Metric::ContainerMemoryKernel, 9_437_184.0),
            (Metric::ContainerMemoryLimit, 1_073_741_824.0),
            (Metric::ContainerMemoryHigh, 966_367_641.0),
            (Metric::ContainerMemoryPressureSome, 2.5),
            (Metric::ContainerMemoryPressureFull, 0.25),
            (Metric::ContainerMemoryEventsHigh, 7.0),
            (Metric::ContainerMemoryEventsMax, 3.0),
            (Metric::ContainerMemoryEventsOom, 1.0),
            (Metric::ContainerMemoryEventsOomKill, 1.0),
            (Metric::ContainerMemoryRefaults, 42.0),
        ];
        check(&Hierarchy::V2(mount.clone()), &mount.join("shop.slice/orders"), &want);
    }

    #[test]
    fn the_figures_of_a_version_1_group_are_read() {
        let mount = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/cgroup/v1");
        let want = [
            (Metric::ContainerMemoryUsage, 507_510_784.0),
            (Metric::ContainerMemoryWorkingSet, 323_346_432.0),
            (Metric::ContainerMemoryAnon, 162_144_256.0),
            (Metric::ContainerMemoryFile, 345_366_528.0),
            (Metric::ContainerMemoryKernel, 4_194_304.0),
            (Metric::ContainerMemoryEventsMax, 5.0),
            (Metric::ContainerMemoryEventsOomKill, 2.0),
            (Metric::ContainerMemoryRefaults, 249_370.0),
        ];
        check(&Hierarchy::V1(mount.clone()), &mount.join("orders"), &want);
    }

    #[test]
    fn a_group_that_vanished_has_no_figures() {
        let gone = Path::new("/nowhere/at/all");
        check(&Hierarchy::V2("/nowhere".into()), gone, &[]);
        check(&Hierarchy::V1("/nowhere".into()), gone, &[]);
    }
}
