//! What is remembered of each process between rounds, so that a round only reads what changes:
//! who it is, its limit of descriptors, and when its slow measures are due.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use plimsoll_model::{Metric, Span, Timestamp};

use crate::collect::Counts;
use crate::collect::select::Member;
use crate::files::ReadFailure;
use crate::identity::{self, Identity};
use crate::proc::{Pid, ProcFs, ProgramName, Stat};

/// Most processes that are looked at in a round: half of the kernel's default `pid_max`, at 20 us
/// each a third of a second. What lies beyond is counted.
const PROCESSES_MAX: usize = 16_384;

/// A process younger than this is asked again who it is: between fork and exec it still carries
/// the environment of its parent, and start scripts take their time. One of any age is asked at
/// least twice, because within exec it has its new name before its new environment.
const SETTLED_AGE: Span = Span::from_secs(30);

/// Sockets and limits are read in every twelfth round, once a minute at five seconds: counting
/// sockets costs a `readlink` for each descriptor, and limits hardly ever change.
const SLOW_ROUNDS: u64 = 12;

#[derive(Debug)]
struct Known {
    start_ticks: u64,
    program: ProgramName,
    /// `None` where it cannot be told.
    identity: Option<Arc<Identity>>,
    settled: bool,
    seen_in: u64,
    slow_due: u64,
    /// The outer `Option` says whether it was read yet; the inner `None` is unlimited.
    fds_limit: Option<Option<u64>>,
}

/// The processes of the last round. Bounded by [`PROCESSES_MAX`].
#[derive(Debug)]
pub(crate) struct KnownProcesses {
    /// Nobody is looked at closer who does not descend from this process.
    ancestor: Option<Pid>,
    by_pid: HashMap<Pid, Known>,
}

/// What a process holds open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) fds: u64,
    /// `None` is unlimited.
    pub(crate) fds_limit: Option<u64>,
    /// `Some` in the rounds in which the slow measures are due; inside, `None` is too many.
    pub(crate) slow: Option<Option<u64>>,
}

impl KnownProcesses {
    pub(crate) fn new(ancestor: Option<Pid>) -> Self {
        Self { ancestor, by_pid: HashMap::new() }
    }

    /// Every live process of this moment that can be told who it is, without kernel threads.
    pub(crate) fn members(
        &mut self,
        proc: &mut ProcFs,
        round: u64,
        now: Timestamp,
        counts: &mut Counts,
    ) -> Vec<Member> {
        let (pids, over) = match proc.pids(PROCESSES_MAX) {
            Ok(pids) => pids,
            Err(failure) => {
                counts.failure(failure);
                return Vec::new();
            }
        };
        counts.over_bound += over as u64;
        let mut live = Vec::with_capacity(pids.len());
        for pid in pids {
            match proc.stat(pid) {
                Ok(stat) if stat.kernel_thread || stat.ended => {}
                Ok(stat) => live.push((pid, stat)),
                Err(failure) => counts.failure(failure),
            }
        }
        if let Some(ancestor) = self.ancestor {
            keep_descendants(&mut live, ancestor);
        }
        counts.processes += live.len() as u64;
        let mut members = Vec::with_capacity(live.len());
        for (pid, stat) in live {
            self.refresh(proc, pid, &stat, now, counts);
            members.extend(self.seen(proc, pid, &stat, round));
        }
        members
    }

    fn refresh(
        &mut self,
        proc: &mut ProcFs,
        pid: Pid,
        stat: &Stat,
        now: Timestamp,
        counts: &mut Counts,
    ) {
        let same =
            |known: &Known| known.start_ticks == stat.start_ticks && known.program == stat.program;
        let old = self.by_pid.get(&pid);
        if old.is_some_and(|known| known.settled && same(known)) {
            return;
        }
        let identity = match identity::identify(proc, pid, stat) {
            Ok(identity) => {
                counts.denied += u64::from(identity.labels_hidden);
                Some(Arc::new(identity))
            }
            Err(failure) => {
                counts.failure(failure);
                None
            }
        };
        let kept = old.filter(|known| same(known));
        let is_old = now.since(proc.started_at(stat.start_ticks)) >= SETTLED_AGE;
        let known = Known {
            start_ticks: stat.start_ticks,
            program: stat.program,
            identity,
            settled: kept.is_some() && is_old,
            seen_in: 0,
            slow_due: kept.map_or(0, |known| known.slow_due),
            fds_limit: kept.and_then(|known| known.fds_limit),
        };
        self.by_pid.insert(pid, known);
    }

    fn seen(&mut self, proc: &ProcFs, pid: Pid, stat: &Stat, round: u64) -> Option<Member> {
        let known = self.by_pid.get_mut(&pid)?;
        known.seen_in = round;
        Some(Member {
            pid,
            parent: stat.parent,
            start_ticks: stat.start_ticks,
            program: stat.program,
            threads: stat.threads,
            resident: proc.resident_bytes(stat),
            identity: Arc::clone(known.identity.as_ref()?),
        })
    }

    /// Whether the slow measures of the instance that this process leads are due: at first sight,
    /// then spread over the rounds, so that no round pays for all.
    pub(crate) fn slow_is_due(&mut self, pid: Pid, round: u64) -> bool {
        let Some(known) = self.by_pid.get_mut(&pid).filter(|known| known.slow_due <= round) else {
            return false;
        };
        let spread = if known.slow_due == 0 { u64::from(pid) % SLOW_ROUNDS } else { 0 };
        known.slow_due = round + SLOW_ROUNDS - spread;
        true
    }

    /// Counts what a process holds open, with the slow measures if asked for.
    pub(crate) fn held(
        &mut self,
        proc: &mut ProcFs,
        pid: Pid,
        slow: bool,
    ) -> Result<Held, ReadFailure> {
        let fds = proc.fds(pid)?;
        let Some(known) = self.by_pid.get_mut(&pid) else { return Err(ReadFailure::Gone) };
        let fds_limit = match known.fds_limit {
            Some(limit) if !slow => limit,
            Some(_) | None => proc.fds_limit(pid)?,
        };
        known.fds_limit = Some(fds_limit);
        let sockets = if slow { Some(proc.sockets(pid)?) } else { None };
        Ok(Held { fds, fds_limit, slow: sockets })
    }

    pub(crate) fn forget_unseen(&mut self, round: u64) {
        self.by_pid.retain(|_, known| known.seen_in == round);
    }
}

/// Before anything of a process is opened that is its own: an environment that nobody asked about
/// is not read.
fn keep_descendants(live: &mut Vec<(Pid, Stat)>, ancestor: Pid) {
    // Parents start before their children, so a parent is known when its child comes.
    live.sort_by_key(|(pid, stat)| (stat.start_ticks, *pid));
    let mut kept = HashSet::from([ancestor]);
    live.retain(|(pid, stat)| kept.contains(&stat.parent) && kept.insert(*pid));
}

/// The measures of an instance from what its processes hold. A limit binds each process alone, so
/// descriptors are those of the process that is nearest to its own; sockets are added up.
pub(crate) fn held_figures(held: &[Held], figures: &mut Vec<(Metric, f64)>) {
    let fullness = |held: &Held| held.fds as f64 / held.fds_limit.map_or(f64::MAX, |l| l as f64);
    let fullest = held.iter().max_by(|a, b| fullness(a).total_cmp(&fullness(b)));
    let Some(fullest) = fullest else { return };
    figures.push((Metric::ProcessFds, fullest.fds as f64));
    if held.iter().any(|process| process.slow.is_some())
        && let Some(limit) = fullest.fds_limit
    {
        figures.push((Metric::ProcessFdsLimit, limit as f64));
    }
    // A sum over some of the processes would be a number that means nothing.
    let sockets: Option<u64> = held.iter().map(|process| process.slow.flatten()).sum();
    if let Some(sockets) = sockets {
        figures.push((Metric::ProcessSockets, sockets as f64));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(fds: u64, fds_limit: Option<u64>, slow: Option<Option<u64>>) -> Held {
        Held { fds, fds_limit, slow }
    }

    fn check(held: &[Held], want: &[(Metric, f64)]) {
        let mut figures = Vec::new();
        held_figures(held, &mut figures);
        assert_eq!(figures, want);
    }

    #[test]
    fn the_descendants_of_a_process_are_kept_without_itself() {
        let process = |pid, parent, start_ticks| {
            let program = ProgramName::default();
            let (kernel_thread, ended, threads, resident_pages) = (false, false, 1, 1);
            let stat = Stat {
                program,
                parent,
                kernel_thread,
                ended,
                threads,
                start_ticks,
                resident_pages,
            };
            (pid, stat)
        };
        // The numbers of processes began again after 12: 3 is a child of 12, and 4 its child.
        let mut live = vec![
            process(1, 0, 0),
            process(3, 12, 90),
            process(4, 3, 91),
            process(10, 1, 50),
            process(11, 1, 51),
            process(12, 10, 52),
            process(13, 11, 53),
        ];
        keep_descendants(&mut live, 10);
        let pids: Vec<Pid> = live.iter().map(|(pid, _)| *pid).collect();
        assert_eq!(pids, [12, 3, 4]);
        keep_descendants(&mut live, 99);
        assert_eq!(live, []);
    }

    #[test]
    fn the_process_nearest_to_its_limit_speaks_for_the_instance() {
        let fds = Metric::ProcessFds;
        let limit = Metric::ProcessFdsLimit;
        let sockets = Metric::ProcessSockets;
        check(&[], &[]);
        check(&[held(9, Some(100), None)], &[(fds, 9.0)]);
        let two = [held(90, Some(1000), Some(Some(2))), held(50, Some(100), Some(Some(3)))];
        check(&two, &[(fds, 50.0), (limit, 100.0), (sockets, 5.0)]);
        let unlimited = [held(90, None, Some(None)), held(8, None, None)];
        check(&unlimited, &[(fds, 90.0)]);
    }
}
