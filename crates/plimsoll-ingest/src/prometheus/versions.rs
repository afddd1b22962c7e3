//! Which version an instance ran when, and the deploys that follow from it.

use std::collections::HashMap;

use plimsoll_model::{Span, Timestamp, Version};

/// Versions of one instance over time: each from its moment on, the first also before it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Timeline(Vec<(Timestamp, Version)>);

/// One version in one instance, from its first sample to its last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct VersionRun {
    pub(super) version: Version,
    pub(super) first: Timestamp,
    pub(super) last: Timestamp,
}

impl Timeline {
    pub(super) fn constant(version: Version) -> Self {
        Self(vec![(Timestamp::from_millis(i64::MIN), version)])
    }

    /// From stretches of time in any order: of two that overlap the one that began later is right,
    /// because the other is a series that has not been found stale yet.
    pub(super) fn of(mut starts: Vec<(Timestamp, Version)>) -> Self {
        starts.sort();
        starts.dedup_by(|later, earlier| later.1 == earlier.1);
        Self(starts)
    }

    /// The version then, and its place in the order of this instance's versions.
    pub(super) fn at(&self, at: Timestamp) -> Option<(usize, &Version)> {
        let place = self.0.partition_point(|(start, _)| *start <= at).saturating_sub(1);
        self.0.get(place).map(|(_, version)| (place, version))
    }
}

/// The times at which a version came to a service that ran another one, oldest first. A version
/// that runs in another replica already, or ran last before a gap, is no news: that is a replica
/// that was moved, or a restart. One walk: a fleet of short jobs has a run for each of them.
pub(super) fn deploys(runs: &[VersionRun], gap: Span) -> Vec<(Timestamp, Version)> {
    let mut runs: Vec<&VersionRun> = runs.iter().collect();
    runs.sort_by_key(|run| run.first);
    let mut deploys: Vec<(Timestamp, Version)> = Vec::new();
    // Until when each version was seen in the runs that began before.
    let mut seen: HashMap<&Version, Timestamp> = HashMap::new();
    let mut seen_any: Option<Timestamp> = None;
    for together in runs.chunk_by(|one, other| one.first == other.first) {
        for VersionRun { version, first, .. } in together {
            let Some(latest) = seen_any.map(|last| last.min(*first)) else { continue };
            let ran_last = seen.get(version).is_some_and(|last| *last >= latest - gap);
            let told = deploys
                .last()
                .is_some_and(|(at, known)| known == version && first.since(*at) <= gap);
            if !told && !ran_last {
                deploys.push((*first, version.clone()));
            }
        }
        for VersionRun { version, last, .. } in together {
            let until = seen.entry(version).or_insert(*last);
            *until = (*until).max(*last);
            seen_any = seen_any.max(Some(*last));
        }
    }
    deploys
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(runs: &[(&str, i64, i64)], want: &[(i64, &str)]) {
        let version = |text: &str| Version::new(text).unwrap();
        let run = |(text, first, last): &(&str, i64, i64)| VersionRun {
            version: version(text),
            first: Timestamp::from_secs(*first),
            last: Timestamp::from_secs(*last),
        };
        let runs: Vec<_> = runs.iter().map(run).collect();
        let got = deploys(&runs, Span::from_secs(5));
        let want: Vec<_> =
            want.iter().map(|(at, text)| (Timestamp::from_secs(*at), version(text))).collect();
        assert_eq!(got, want, "{runs:?}");
    }

    #[test]
    fn a_rollout_is_one_deploy_and_a_rollback_another() {
        let rollout = [("1", 0, 50), ("1", 0, 60), ("2", 50, 90), ("2", 60, 95)];
        check(&rollout, &[(50, "2")]);
        check(&[&rollout[..], &[("1", 96, 200)]].concat(), &[(50, "2"), (96, "1")]);
    }

    #[test]
    fn the_first_version_a_restart_and_a_moved_replica_are_no_deploy() {
        check(&[("1", 0, 50), ("1", 2, 50)], &[]);
        check(&[("1", 0, 50), ("1", 300, 500)], &[]);
        check(&[("1", 0, 100), ("1", 0, 60), ("2", 50, 100), ("1", 70, 100)], &[(50, "2")]);
        check(&[("1", 0, 100), ("2", 50, 100), ("2", 50, 100)], &[(50, "2")]);
    }

    #[test]
    fn the_runs_of_a_large_fleet_are_walked_once() {
        let count = 300_000;
        let text = |number: i64| (number / 1000).to_string();
        let run = |number: i64| VersionRun {
            version: Version::new(&text(number)).unwrap(),
            first: Timestamp::from_secs(number),
            last: Timestamp::from_secs(number + 10),
        };
        let runs: Vec<_> = (0..count).map(run).collect();
        let got = deploys(&runs, Span::from_secs(5));
        assert_eq!(got.len(), 299, "each but the first");
        assert!(got.iter().all(|(at, version)| text(at.as_millis() / 1000) == version.as_str()));
    }

    /// What is meant, without regard to time: every run against every earlier one.
    fn meant(runs: &[VersionRun], gap: Span) -> Vec<(Timestamp, Version)> {
        let mut runs = runs.to_vec();
        runs.sort_by_key(|run| run.first);
        let mut deploys: Vec<(Timestamp, Version)> = Vec::new();
        for run in &runs {
            let before = || runs.iter().filter(|other| other.first < run.first);
            let until = |other: &VersionRun| other.last.min(run.first);
            let Some(latest) = before().map(until).max() else { continue };
            let known = before().any(|o| until(o) >= latest - gap && o.version == run.version);
            let told = deploys
                .last()
                .is_some_and(|(at, told)| *told == run.version && run.first.since(*at) <= gap);
            if !told && !known {
                deploys.push((run.first, run.version.clone()));
            }
        }
        deploys
    }

    proptest! {
        #[test]
        fn one_walk_finds_what_is_meant(
            runs in proptest::collection::vec((0..4_u8, 0..60_i64, 0..30_i64), 0..25),
        ) {
            let run = |(version, first, length): &(u8, i64, i64)| VersionRun {
                version: Version::new(&version.to_string()).unwrap(),
                first: Timestamp::from_secs(*first),
                last: Timestamp::from_secs(first + length),
            };
            let runs: Vec<_> = runs.iter().map(run).collect();
            let gap = Span::from_secs(5);
            prop_assert_eq!(deploys(&runs, gap), meant(&runs, gap));
        }
    }

    #[test]
    fn of_two_versions_at_once_the_later_one_runs() {
        let version = |text: &str| Version::new(text).unwrap();
        let at = Timestamp::from_secs;
        let starts = vec![(at(50), version("2")), (at(0), version("1")), (at(20), version("1"))];
        let timeline = Timeline::of(starts);
        assert_eq!(timeline.at(at(-5)), Some((0, &version("1"))));
        assert_eq!(timeline.at(at(49)), Some((0, &version("1"))));
        assert_eq!(timeline.at(at(50)), Some((1, &version("2"))));
        assert_eq!(Timeline::default().at(at(0)), None);
        assert_eq!(Timeline::constant(version("1")).at(at(7)), Some((0, &version("1"))));
    }
}
