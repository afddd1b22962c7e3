//! What happened to a fleet, read off its curves: deploys and OOM kills.
//!
//! Restarts are not here: the counter of restarts is a metric of its own, and cuts lives itself.

use std::collections::{BTreeMap, HashMap};

use plimsoll_model::{Change, ChangeKind, InstanceName, ServiceName, Span, Timestamp, Version};

use super::fleet::{Fleet, Member};
use super::versions::{VersionRun, deploys};

/// A version that is not seen for so long has ended: longer than a rolling replica needs.
const VERSION_GAP_MIN: Span = Span::from_mins(5);

/// Steps that a count of restarts and the reason of the last one may lie apart.
const REASON_STEPS: i64 = 3;

/// What curves have shown of each member.
#[derive(Debug, Default)]
pub(super) struct Happenings {
    /// First and last sample of each version of a member, by its place among them.
    runs: HashMap<(usize, usize), (Version, Timestamp, Timestamp)>,
    /// Moments at which the count of restarts rose.
    restarts: BTreeMap<usize, Vec<Timestamp>>,
    /// When the last end was an OOM kill: from, to.
    killed: BTreeMap<usize, Vec<(Timestamp, Timestamp)>>,
}

impl Happenings {
    pub(super) fn ran(&mut self, member: usize, place: usize, version: &Version, at: Timestamp) {
        let fresh = || (version.clone(), at, at);
        let (_, first, last) = self.runs.entry((member, place)).or_insert_with(fresh);
        (*first, *last) = ((*first).min(at), (*last).max(at));
    }

    pub(super) fn restarted(&mut self, member: usize, counts: &[(Timestamp, f64)]) {
        let rose = counts.windows(2).filter(|pair| pair[1].1 > pair[0].1).map(|pair| pair[1].0);
        self.restarts.entry(member).or_default().extend(rose);
    }

    /// A curve that is 1 while the last end was an OOM kill.
    pub(super) fn was_killed(&mut self, member: usize, points: &[(Timestamp, f64)], step: Span) {
        let stretches = self.killed.entry(member).or_default();
        let gap = step.as_millis().saturating_mul(REASON_STEPS);
        for (at, _) in points.iter().filter(|(_, value)| *value >= 1.0) {
            match stretches.last_mut() {
                Some((_, to)) if at.since(*to).as_millis() <= gap => *to = (*to).max(*at),
                Some(_) | None => stretches.push((*at, *at)),
            }
        }
    }

    /// Everything that happened after `from`, in order of time.
    pub(super) fn changes(self, fleet: &Fleet, from: Timestamp, step: Span) -> Vec<Change> {
        let near = Span::from_millis(step.as_millis().saturating_mul(REASON_STEPS));
        let mut changes = self.deploys(fleet, VERSION_GAP_MIN.max(near));
        for (member, stretches) in &self.killed {
            let Some(Member { service, instance, .. }) = fleet.members.get(*member) else {
                continue;
            };
            let restarts = self.restarts.get(member).map_or(&[][..], Vec::as_slice);
            for at in kills(stretches, restarts, from, near) {
                changes.push(change(at, ChangeKind::OomKill, service, Some(instance), None));
            }
        }
        changes.sort_by_key(|change| change.at);
        changes
    }

    fn deploys(&self, fleet: &Fleet, gap: Span) -> Vec<Change> {
        let mut by_service: BTreeMap<&ServiceName, Vec<VersionRun>> = BTreeMap::new();
        for ((member, _), (version, first, last)) in &self.runs {
            let Some(member) = fleet.members.get(*member) else { continue };
            let run = VersionRun { version: version.clone(), first: *first, last: *last };
            by_service.entry(&member.service).or_default().push(run);
        }
        let of = |(service, runs): (&ServiceName, Vec<VersionRun>)| {
            let found = deploys(&runs, gap).into_iter();
            let told = found
                .map(|(at, version)| change(at, ChangeKind::Deploy, service, None, Some(version)));
            told.collect::<Vec<_>>()
        };
        by_service.into_iter().flat_map(of).collect()
    }
}

/// A kill is where the reason appears, and at each restart while it stands. What stood there from
/// the beginning happened before.
fn kills(
    stretches: &[(Timestamp, Timestamp)],
    restarts: &[Timestamp],
    from: Timestamp,
    near: Span,
) -> Vec<Timestamp> {
    let stands = |at: Timestamp| stretches.iter().any(|(a, b)| *a <= at + near && at <= *b);
    let appeared = stretches.iter().map(|(first, _)| *first).filter(|at| *at > from + near);
    let mut all: Vec<_> =
        restarts.iter().copied().filter(|at| stands(*at)).chain(appeared).collect();
    all.sort_unstable();
    all.dedup_by(|later, earlier| later.since(*earlier) <= near);
    all
}

fn change(
    at: Timestamp,
    kind: ChangeKind,
    service: &ServiceName,
    instance: Option<&InstanceName>,
    version: Option<Version>,
) -> Change {
    let (service, instance) = (service.clone(), instance.cloned());
    Change { at, kind, service, instance, version, attributes: BTreeMap::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_oom_kill_is_told_once_and_an_old_one_not_at_all() {
        let at = Timestamp::from_secs;
        let check = |stretches: &[(i64, i64)], restarts: &[i64], want: &[i64]| {
            let stretches: Vec<_> = stretches.iter().map(|(a, b)| (at(*a), at(*b))).collect();
            let restarts: Vec<_> = restarts.iter().map(|secs| at(*secs)).collect();
            let got = kills(&stretches, &restarts, at(0), Span::from_secs(30));
            assert_eq!(got, want.iter().map(|secs| at(*secs)).collect::<Vec<_>>());
        };
        check(&[(0, 1000)], &[], &[]);
        check(&[(0, 1000)], &[500], &[500]);
        check(&[(510, 1000)], &[500], &[500]);
        check(&[(500, 1000)], &[500, 800], &[500, 800]);
        check(&[(500, 600)], &[900], &[500]);
        check(&[], &[900], &[]);
    }
}
