//! One curve of several that are told of one thing: one of them at a time, never two in turns.
//!
//! Several are there when a container was replaced under its name, when one thing is scraped twice,
//! and when the labels do not tell two live processes apart, as two ports of a pod. The last is
//! what this is careful about: of two processes woven into one curve neither level, floor nor trend
//! is left. Used by `gather`.

use std::cmp::Reverse;

use plimsoll_model::{Span, Timestamp};

/// How long a container that is gone may still be told of beside the one that took its place:
/// exporters forget it within minutes, and Prometheus looks back as long. Two that are there
/// together for longer are two that live.
const HANDOVER_MAX: Span = Span::from_mins(5);

/// Steps that the same may take: an answer is no finer than its step.
const HANDOVER_STEPS: i64 = 3;

/// Values over time; none where the source says that there is no such thing.
pub(super) type Values = Vec<(Timestamp, Option<f64>)>;

/// What several became.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Joined {
    pub(super) values: Vec<(Timestamp, f64)>,
    /// The name of the one at the end, where there was a choice.
    pub(super) last: Option<String>,
}

/// One of the several, with the values that are some.
struct Candidate {
    name: String,
    first: Timestamp,
    last: Timestamp,
    values: Vec<(Timestamp, f64)>,
}

/// The time for which one of them is told.
struct Stretch {
    from: Timestamp,
    candidate: Candidate,
}

/// Each with its name, and the name of the one that an earlier piece of time ended with. A later
/// one takes over where it replaces the one before, or when that has ended.
pub(super) fn join(all: Vec<(String, Values)>, before: Option<&str>, step: Span) -> Joined {
    let mut all: Vec<Candidate> = all.into_iter().filter_map(candidate).collect();
    if all.len() < 2 {
        let values = all.pop().map(|only| only.values).unwrap_or_default();
        return Joined { values, last: None };
    }
    all.sort_by(|one, other| {
        let rank = |c: &Candidate| (c.first, Reverse(c.last), Some(c.name.as_str()) != before);
        rank(one).cmp(&rank(other)).then_with(|| one.name.cmp(&other.name))
    });
    let steps = Span::from_millis(step.as_millis().saturating_mul(HANDOVER_STEPS));
    let handover = HANDOVER_MAX.max(steps);
    let mut stretches: Vec<Stretch> = Vec::new();
    for next in all {
        let Some(Stretch { from, candidate: current }) = stretches.last() else {
            stretches.push(Stretch { from: next.first, candidate: next });
            continue;
        };
        if next.last < current.last || next.first == current.first && next.last == current.last {
            continue;
        }
        let replaces = current.last <= next.first + handover && next.first > current.first;
        let outlasts = next.first <= current.first + handover && next.last > current.last;
        if replaces || outlasts {
            stretches.push(Stretch { from: next.first.max(*from), candidate: next });
        } else if next.last > current.last {
            let from = current.last + Span::from_millis(1);
            stretches.push(Stretch { from, candidate: next });
        }
    }
    let last = stretches.last().map(|stretch| stretch.candidate.name.clone());
    Joined { values: told(stretches), last }
}

fn candidate((name, values): (String, Values)) -> Option<Candidate> {
    let some = values.into_iter().filter_map(|(at, value)| Some((at, value?)));
    let values: Vec<_> = some.collect();
    let (first, last) = (values.first()?.0, values.last()?.0);
    Some(Candidate { name, first, last, values })
}

/// Each from its begin to that of the next.
fn told(stretches: Vec<Stretch>) -> Vec<(Timestamp, f64)> {
    let begins: Vec<_> = stretches.iter().skip(1).map(|stretch| Some(stretch.from)).collect();
    let mut told = Vec::new();
    for (Stretch { from, candidate }, until) in
        stretches.into_iter().zip(begins.into_iter().chain([None]))
    {
        let inside = |at: Timestamp| from <= at && until.is_none_or(|until| at < until);
        told.extend(candidate.values.into_iter().filter(|(at, _)| inside(*at)));
    }
    told
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const STEP: Span = Span::from_secs(60);

    /// Curves by first and last minute; each says its number as value. What is told is written as
    /// number and minutes.
    fn joined(curves: &[(i64, i64)], before: Option<&str>) -> String {
        let curve = |(number, (first, last)): (usize, &(i64, i64))| {
            let at = |minute| Timestamp::from_secs(minute * 60);
            let values = (*first..=*last).map(|minute| (at(minute), Some(number as f64)));
            (number.to_string(), values.collect())
        };
        let all = curves.iter().enumerate().map(curve).collect();
        let values = join(all, before, STEP).values;
        let stretches = values.chunk_by(|one, other| one.1.to_bits() == other.1.to_bits());
        let minute = |at: Timestamp| at.as_millis() / 60_000;
        let written = stretches
            .map(|s| format!("{}:{}-{}", s[0].1, minute(s[0].0), minute(s[s.len() - 1].0)));
        written.collect::<Vec<_>>().join(" ")
    }

    fn check(curves: &[(i64, i64)], want: &str) {
        assert_eq!(joined(curves, None), want, "{curves:?}");
    }

    #[test]
    fn two_that_live_at_once_are_not_woven() {
        check(&[(0, 100), (0, 100)], "0:0-100");
        check(&[(0, 100), (20, 100)], "0:0-100");
        check(&[(20, 100), (0, 60)], "1:0-60 0:61-100");
        check(&[(0, 100), (40, 50)], "0:0-100");
        check(&[(0, 50), (1, 100)], "0:0-0 1:1-100");
        check(&[(0, 50), (0, 100)], "1:0-100");
    }

    #[test]
    fn what_took_the_place_of_another_is_told_from_its_begin() {
        check(&[(0, 50), (48, 100)], "0:0-47 1:48-100");
        check(&[(0, 50), (48, 100), (97, 150)], "0:0-47 1:48-96 2:97-150");
        check(&[(0, 50), (70, 100)], "0:0-50 1:70-100");
        check(&[(0, 100), (98, 100)], "0:0-97 1:98-100");
    }

    #[test]
    fn holes_of_one_are_not_filled_by_the_other() {
        let at = |minute: i64| Timestamp::from_secs(minute * 60);
        let with_holes = (0..100).map(|n| (at(n), (n % 3 > 0).then_some(1.0))).collect();
        let other = (5..90).map(|n| (at(n), Some(9.0))).collect();
        let joined = join(vec![("a".into(), with_holes), ("b".into(), other)], None, STEP);
        assert!(joined.values.iter().all(|(_, value)| *value < 2.0), "{joined:?}");
        assert_eq!((joined.values.len(), joined.last.as_deref()), (66, Some("a")));
    }

    #[test]
    fn the_next_piece_of_time_goes_on_with_the_same() {
        assert_eq!(joined(&[(0, 100), (0, 100)], Some("1")), "1:0-100");
        assert_eq!(joined(&[(0, 100), (0, 100)], Some("0")), "0:0-100");
        assert_eq!(joined(&[(0, 100), (0, 2)], Some("1")), "0:0-100");
    }

    proptest! {
        /// One stretch of each at most, in order, and nothing told at a moment twice.
        #[test]
        fn each_is_told_for_one_stretch_at_most(
            curves in proptest::collection::vec((0..60_i64, 0..60_i64), 0..8),
        ) {
            let curves: Vec<_> = curves.into_iter().map(|(a, b)| (a.min(b), a.max(b))).collect();
            let text = joined(&curves, None);
            let numbers: Vec<_> = text.split(' ').filter_map(|s| s.split_once(':')).collect();
            let mut distinct: Vec<_> = numbers.iter().map(|(number, _)| *number).collect();
            distinct.sort_unstable();
            distinct.dedup();
            prop_assert_eq!(distinct.len(), numbers.len(), "{}", &text);
            let times = numbers.iter().flat_map(|(_, times)| times.split('-'));
            let times: Vec<i64> = times.map(|time| time.parse().unwrap()).collect();
            prop_assert!(times.is_sorted(), "{}", &text);
            prop_assert!(numbers.windows(2).count() == 0 || times[1] < times[2], "{}", &text);
        }
    }
}
