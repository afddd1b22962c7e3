//! One detector on one case: what it told, when, how rightly, and how often for nothing.
//!
//! Not here: sums over cases (`summary`), or how likely a claim of some confidence is right
//! (`calibration`).

use plimsoll_model::{
    Assessment, Cause, Change, Exhaustion, Half, Label, Life, Span, Timestamp, Verdict,
};

use crate::case::Case;
use crate::detector::Said;

/// After a leak has ended, this share of the case may pass before it must have been noticed: no
/// detector can know at once.
const NOTICED_WITHIN: f64 = 0.1;

/// Looks, as shares of the case, at which a stated confidence is held against the truth. Neighbouring
/// looks say almost the same; four of them do not.
const CLAIMED_AT: [f64; 4] = [0.25, 0.5, 0.75, 1.0];

const HOURS_PER_DAY: f64 = 24.0;

/// One detector on one case.
#[derive(Clone, Debug)]
pub struct Score {
    pub service: String,
    pub family: String,
    pub half: Half,
    pub label: Label,
    /// What leaks is held, not memory: nothing that a rule about memory could see.
    pub held: bool,
    /// Whether it leaks at the last look, and whether that is what was said there.
    pub leaks: bool,
    pub said: bool,
    /// Whether the leak was told at any look while it went on.
    pub told: bool,
    /// Hours from the onset to the first such look; none where it never was, or where nobody knows
    /// the onset.
    pub delay: Option<f64>,
    /// Hours from the onset to the end of the runway; none where no limit is known.
    pub runway: Option<f64>,
    /// Times it began to say "leak" while nothing leaked.
    pub alarms: u32,
    /// Times it would have woken somebody while nothing leaked.
    pub pages: u32,
    /// Days of single containers during which nothing leaked, and an alarm would have been false.
    pub quiet_days: f64,
    /// Hours from one look to the next: an alarm between two looks is not seen.
    pub hours_between_looks: f64,
    pub forecast: Option<Forecast>,
    /// What it is and what it was called, where a name was given.
    pub cause: Option<(Cause, Cause)>,
    pub blamed: Blamed,
    /// Confidence of a definite verdict, and whether that verdict was right.
    pub claims: Vec<(f64, bool)>,
}

/// A forecast made when half of the runway was used.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Forecast {
    /// The error as a share of the true time that was left; infinite where the leak had been told
    /// and no forecast was made.
    pub error: f64,
    /// The truth lay between p10 and p90.
    pub covered: bool,
}

/// Which change was held responsible for a leak that was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blamed {
    /// The right one.
    Rightly,
    /// A change that did not do it.
    Wrongly,
    /// None, where one did.
    Nobody,
    /// None, and none did.
    NobodyRightly,
    /// There was no telling: nothing was told, or nothing could be blamed.
    NotAsked,
}

/// Scores what was said, look by look.
pub fn score(case: &Case, said: &[Said]) -> Score {
    let truth = &case.truth;
    let last = said.last();
    let told = said.iter().find(|look| look.leaking && truth.leaks_at(look.at));
    let hours = |to: Timestamp| truth.onset.map(|onset| to.since(onset).as_hours_f64());
    let speaks = told_last(case, said);
    Score {
        service: case.history.service.to_string(),
        family: truth.family.clone(),
        half: truth.half,
        label: truth.label,
        held: matches!(truth.cause, Some(Cause::Handles | Cause::Threads)),
        leaks: last.is_some_and(|look| truth.leaks_at(look.at)),
        said: last.is_some_and(|look| look.leaking),
        told: told.is_some(),
        delay: told.and_then(|look| hours(look.at)),
        runway: truth.exhausted_at.and_then(hours).filter(|hours| *hours > 0.0),
        alarms: alarms(case, said, |look| look.leaking),
        pages: alarms(case, said, |look| look.pages),
        quiet_days: quiet_days(case),
        hours_between_looks: said
            .first()
            .zip(last)
            .filter(|_| said.len() > 1)
            .map_or(0.0, |(a, b)| b.at.since(a.at).as_hours_f64() / (said.len() - 1) as f64),
        forecast: forecast(case, said),
        cause: truth.cause.and_then(|cause| Some((cause, speaks?.cause))),
        blamed: blamed(case, speaks),
        claims: claims(case, said),
    }
}

/// What was said last while the case was what its label says: of a leak that was cured, before.
fn told_last<'a>(case: &Case, said: &'a [Said]) -> Option<&'a Assessment> {
    let leaks = case.truth.label == Label::Leaking;
    let as_labelled = |look: &&Said| case.truth.leaks_at(look.at) == leaks;
    said.iter().rev().find(as_labelled).and_then(|look| look.assessment.as_ref())
}

/// Beginnings of what `rings` while nothing leaked.
fn alarms(case: &Case, said: &[Said], rings: fn(&Said) -> bool) -> u32 {
    let begins = |before: bool, look: &Said| {
        rings(look) && !before && !case.truth.leaks_at(look.at) && !just_ended(case, look.at)
    };
    let mut before = false;
    let mut count = 0;
    for look in said {
        count += u32::from(begins(before, look));
        // An alarm that outlives its leak is false from where it should have been taken back.
        before = rings(look) && !just_ended(case, look.at) && !case.truth.leaks_at(look.at);
    }
    count
}

fn just_ended(case: &Case, at: Timestamp) -> bool {
    let Some((end, (from, to))) = case.truth.ends.zip(case.span()) else { return false };
    let grace = NOTICED_WITHIN * to.since(from).as_hours_f64();
    at >= end && at.since(end).as_hours_f64() <= grace
}

fn quiet_days(case: &Case) -> f64 {
    let Some((from, to)) = case.span() else { return 0.0 };
    // An alarm could be false before the onset, and again some time after the end.
    let quiet: Vec<(Timestamp, Timestamp)> = match case.truth.label {
        Label::Benign | Label::Unlabelled => vec![(from, to)],
        Label::Leaking => {
            let before = case.truth.onset.map(|onset| (from, onset));
            let grace = Span::from_secs_f64(NOTICED_WITHIN * to.since(from).as_secs_f64());
            before.into_iter().chain(case.truth.ends.map(|end| (end + grace, to))).collect()
        }
    };
    let lived = |life: &Life| {
        let samples = life.series.values().filter_map(|series| series.samples().first());
        let begin = samples.map(|sample| sample.at).min().unwrap_or(life.started_at);
        let within = |(from, to): &(Timestamp, Timestamp)| {
            life.last_seen().min(*to).since(begin.max(*from)).as_hours_f64().max(0.0)
        };
        quiet.iter().map(within).sum::<f64>()
    };
    case.history.lives.iter().map(lived).sum::<f64>() / HOURS_PER_DAY
}

fn forecast(case: &Case, said: &[Said]) -> Option<Forecast> {
    let (onset, end) = case.truth.onset.zip(case.truth.exhausted_at)?;
    let half = onset + Span::from_millis(end.since(onset).as_millis() / 2);
    let index = said.iter().position(|look| look.at >= half && look.at < end)?;
    let look = said.get(index)?;
    let assessment = look.assessment.as_ref()?;
    let Some(Exhaustion { p10, p50, p90 }) = assessment.exhaustion else {
        let told = said.iter().take(index + 1).any(|look| look.leaking);
        return told.then_some(Forecast { error: f64::INFINITY, covered: false });
    };
    let left = end.since(look.at).as_hours_f64();
    let error = p50.since(end).as_hours_f64().abs() / left.max(f64::MIN_POSITIVE);
    Some(Forecast { error, covered: (p10..=p90).contains(&end) })
}

fn blamed(case: &Case, speaks: Option<&Assessment>) -> Blamed {
    let told = speaks.filter(|found| found.verdict == Verdict::Leaking);
    let Some(found) = told.filter(|_| case.truth.label == Label::Leaking) else {
        return Blamed::NotAsked;
    };
    match (&case.truth.change, &found.suspected_change) {
        (None, None) => Blamed::NobodyRightly,
        (Some(_), None) => Blamed::Nobody,
        (Some(right), Some(said)) if same(right, said) => Blamed::Rightly,
        (_, Some(_)) => Blamed::Wrongly,
    }
}

/// The same deploy may be announced for every instance; its kind and version say which it was.
fn same(right: &Change, said: &Change) -> bool {
    right.kind == said.kind && right.version == said.version && right.at == said.at
}

fn claims(case: &Case, said: &[Said]) -> Vec<(f64, bool)> {
    if case.truth.label == Label::Unlabelled {
        return Vec::new();
    }
    let claim = |share: &f64| {
        let place = (said.len() as f64 * share).ceil() as usize;
        let look = said.get(place.checked_sub(1)?)?;
        if just_ended(case, look.at) {
            return None;
        }
        let found = look.assessment.as_ref()?;
        let leaks = case.truth.leaks_at(look.at);
        match found.verdict {
            Verdict::Leaking => Some((found.confidence, leaks)),
            Verdict::Steady => Some((found.confidence, !leaks)),
            Verdict::Suspect | Verdict::Undecided => None,
        }
    };
    CLAIMED_AT.iter().filter_map(claim).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::Truth;
    use crate::detector::looks;
    use plimsoll_model::{InstanceName, Metric, Reading, SeriesLimit, ServiceHistory, ServiceName};

    /// Ten hours of one instance, leaking between two of them.
    fn case(leak: Option<(i64, Option<i64>)>) -> Case {
        let service = ServiceName::new("orders").unwrap();
        let mut history = ServiceHistory::new(service.clone());
        for hour in 0..=10 {
            let reading = Reading {
                at: hour_at(hour),
                service: service.clone(),
                version: None,
                instance: InstanceName::new("a").unwrap(),
                metric: Metric::ProcessMemoryRss,
                value: 1.0,
            };
            history.record(&reading, SeriesLimit::NONE);
        }
        let truth = Truth {
            family: "f".into(),
            half: Half::Report,
            label: if leak.is_some() { Label::Leaking } else { Label::Benign },
            cause: None,
            onset: leak.map(|(onset, _)| hour_at(onset)),
            ends: leak.and_then(|(_, end)| end).map(hour_at),
            instances: Vec::new(),
            change: None,
            exhausted_at: leak.map(|(onset, _)| hour_at(onset + 8)),
            growth_per_hour: None,
        };
        Case { history, truth }
    }

    fn hour_at(hour: i64) -> Timestamp {
        Timestamp::from_secs(hour * 3600)
    }

    fn check(leak: Option<(i64, Option<i64>)>, leaking_at: &[i64]) -> Score {
        let case = case(leak);
        let said = |at| Said {
            at,
            leaking: leaking_at.iter().any(|hour| hour_at(*hour) == at),
            pages: false,
            assessment: None,
        };
        let said: Vec<_> =
            looks(case.span().unwrap(), (10, Span::from_hours(24))).into_iter().map(said).collect();
        score(&case, &said)
    }

    #[test]
    fn alarms_are_counted_by_their_beginnings() {
        let score = check(None, &[2, 3, 6, 10]);
        assert_eq!((score.alarms, score.leaks, score.said), (3, false, true));
        assert!((score.quiet_days - 10.0 / 24.0).abs() < 1e-9);
    }

    #[test]
    fn a_leak_is_told_from_its_onset_on_and_before_that_it_is_an_alarm() {
        let score = check(Some((4, None)), &[2, 7, 8, 9, 10]);
        assert_eq!((score.alarms, score.leaks, score.said), (1, true, true));
        assert_eq!((score.told, score.delay, score.runway), (true, Some(3.0), Some(8.0)));
    }

    #[test]
    fn a_leak_that_has_ended_may_be_told_for_a_while_and_no_longer() {
        let cured = Some((2, Some(6)));
        assert_eq!(check(cured, &[4, 5, 6, 7]).alarms, 0);
        let score = check(cured, &[4, 5, 6, 7, 8, 9, 10]);
        assert_eq!((score.alarms, score.leaks, score.said), (1, false, true));
    }
}
