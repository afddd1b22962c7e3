//! One assessment out of all findings on a service: who speaks, and what is said to a person.
//!
//! Not here: any judgement of a series.

use plimsoll_model::{Assessment, Cause, Growth, InstanceName, Unit, Verdict};

use crate::evidence::probability;
use crate::forecast::exhaustion;
use crate::judge::{Finding, Why};
use crate::rivals::Story;
use crate::scene::Scene;
use crate::thresholds::{SAMPLES_BESIDE, STEADY_LEAST, STEADY_MOST};

pub(crate) fn report(scene: &Scene<'_>, findings: &[Finding<'_>]) -> Assessment {
    let Some(speaker) = speaker(findings) else { return nothing_to_see(scene) };
    let same = |other: &&Finding<'_>| {
        other.verdict == speaker.verdict && other.study.rung.metric == speaker.study.rung.metric
    };
    let mut instances: Vec<InstanceName> =
        findings.iter().filter(same).map(|found| found.run.life.instance.clone()).collect();
    instances.sort();
    instances.dedup();
    let running = scene.running().len();
    let tells = matches!(speaker.verdict, Verdict::Leaking | Verdict::Suspect);
    let change = speaker.onset.as_ref().and_then(|onset| onset.change.clone());
    // Dose: a change that reached everybody and left most of them unmoved did not do it. Who has
    // just started has not had the time to move.
    let unmoved = findings.iter().filter(|other| {
        other.verdict == Verdict::Steady
            && other.study.samples as f64 >= SAMPLES_BESIDE.default
            && other.study.rung.metric == speaker.study.rung.metric
            && other.run.life.version == speaker.run.life.version
    });
    let spared = unmoved.count() > instances.len();
    let sure = speaker.verdict == Verdict::Leaking;
    let change = change.filter(|change| sure && (change.instance.is_some() || !spared));
    let onset = speaker.onset.as_ref().map(|onset| onset.at);
    let trend = speaker.repeated.map(|again| again.longest).or(speaker.study.trend);
    let shown = trend.filter(|_| tells);
    let unit = speaker.study.rung.metric.unit();
    Assessment {
        at: scene.now,
        service: scene.history.service.clone(),
        verdict: speaker.verdict,
        cause: speaker.cause,
        confidence: confidence(speaker),
        metric: Some(speaker.study.rung.metric),
        onset,
        growth: shown.map(|trend| Growth { per_hour: trend.per_hour, unit }),
        exhaustion: shown
            .and_then(|trend| exhaustion(scene, &trend, speaker.study.level, speaker.study.limit)),
        reason: reason(scene, speaker, &instances, running),
        instances,
        suspected_change: change,
        evidence: speaker.evidence.clone(),
    }
}

/// The gravest finding; of several, what is held before memory (a handle names its culprit, memory
/// does not), then the surest.
pub(crate) fn speaker<'a, 'b>(findings: &'b [Finding<'a>]) -> Option<&'b Finding<'a>> {
    let steady = findings.iter().filter(|found| found.verdict == Verdict::Steady).count();
    let rank = |found: &Finding<'_>| match found.verdict {
        Verdict::Leaking => 4,
        Verdict::Suspect => 3,
        // One replica that has just started does not make a steady service undecided.
        Verdict::Undecided if steady > findings.len() / 2 => 0,
        Verdict::Undecided => 2,
        Verdict::Steady => 1,
    };
    let specific = |found: &Finding<'_>| match found.study.rung.cause {
        Cause::Handles | Cause::Threads => found.verdict == Verdict::Leaking,
        Cause::Heap
        | Cause::Native
        | Cause::Fragmentation
        | Cause::Cache
        | Cause::PageCache
        | Cause::WarmUp
        | Cause::Load
        | Cause::Backlog
        | Cause::Batch
        | Cause::Capacity
        | Cause::None => false,
    };
    let told = |found: &Finding<'_>| found.cause != Cause::None;
    findings.iter().max_by(|a, b| {
        let key = |f: &Finding<'_>| (rank(f), specific(f), told(f));
        key(a).cmp(&key(b)).then(confidence(a).total_cmp(&confidence(b)))
    })
}

/// How likely the verdict is right. For a steady one that is the odds against a leak.
fn confidence(found: &Finding<'_>) -> f64 {
    let leak = probability(&found.evidence);
    match found.verdict {
        Verdict::Leaking => leak,
        Verdict::Suspect => leak.clamp(0.5, 0.9),
        Verdict::Steady => steady(1.0 - leak),
        Verdict::Undecided => 0.5,
    }
}

/// Of steady verdicts, the back-test says, the surest are right in 93 of 100 and the least sure in 70:
/// a leak too young to be seen looks steady, however flat it is.
fn steady(against_leak: f64) -> f64 {
    let (least, most) = (STEADY_LEAST.default, STEADY_MOST.default);
    least + (most - least) * ((against_leak - DOUBTED) / (1.0 - DOUBTED)).clamp(0.0, 1.0)
}

/// Evidence that leaves a leak this unlikely and no more is the most that a steady verdict has
/// against it.
const DOUBTED: f64 = 0.6;

fn nothing_to_see(scene: &Scene<'_>) -> Assessment {
    let reason = match scene.history.last_seen() {
        None => "nothing was ever measured of this service; connect a source".into(),
        Some(at) if at >= scene.origin && scene.running().is_empty() => {
            let silent = scene.now.since(at);
            format!("no instance has reported for {silent}; look whether it still runs")
        }
        Some(_) => "no memory metric and nothing countable is measured; see the catalogue of \
                    metrics for what to export"
            .into(),
    };
    Assessment {
        at: scene.now,
        service: scene.history.service.clone(),
        verdict: Verdict::Undecided,
        cause: Cause::None,
        confidence: 0.5,
        metric: None,
        onset: None,
        growth: None,
        exhaustion: None,
        instances: Vec::new(),
        suspected_change: None,
        reason,
        evidence: Vec::new(),
    }
}

pub(crate) fn reason(
    scene: &Scene<'_>,
    found: &Finding<'_>,
    instances: &[InstanceName],
    running: usize,
) -> String {
    let metric = found.study.rung.metric;
    match &found.why {
        Why::Grows | Why::GrowsAfterEveryRestart | Why::GrowsOn | Why::Restarted => {
            leak_reason(scene, found, instances, running)
        }
        Why::TooFewSamples { ready_at } | Why::TooShort { ready_at } => {
            let when = ready_at.map_or_else(
                || "more samples are needed".to_owned(),
                |at| format!("enough will have been seen in {}", at.since(scene.now)),
            );
            let samples = found.study.samples;
            format!("{samples} samples of {metric} are too few to tell a leak from a start; {when}")
        }
        Why::NothingMoved => format!("{metric} stays where it is"),
        Why::NeedsMore { than } => {
            let was = quantity(metric.unit(), *than);
            format!(
                "{metric} stepped up from {was} and stays there; check the headroom, not for a leak"
            )
        }
        Why::CameToRest => format!("{metric} rose and came to rest: a warm-up or a filled cache"),
        Why::StillSlowing => format!("{metric} still rises, ever more slowly"),
        Why::AsItsControl(claim) => format!("{metric} rises after its start; {claim}"),
        Why::GivesBack => format!("{metric} rises and gives back what it took, again and again"),
        Why::BatchRuns => {
            format!("{metric} rises since a batch began; judge it when the batch ends")
        }
        Why::Follows(story) => format!("{metric} follows {} and does nothing else", told(*story)),
        Why::StillFilling => {
            format!("{metric} follows a cache that is still filling; see whether it is bounded")
        }
        Why::CannotTell(story) => {
            format!("{metric} rises together with {}; wait for a trough to tell", told(*story))
        }
        Why::Wanders => format!("{metric} wanders; its rise is no clearer than chance"),
        Why::Steps => {
            format!("{metric} rose in a few steps; whether more will follow is not known")
        }
        Why::OutOfSight => format!("{metric} grows so slowly that its limit is out of sight"),
        Why::Blind(what) => format!("{metric} grows, but {what}"),
        Why::TimeToWait => {
            format!("{metric} grows; its limit is so far away that there is time to be sure first")
        }
        Why::JustBegan => format!("{metric} looks like a leak, and did not a little earlier"),
        Why::DayNotSeen => format!(
            "{metric} grows, load is not measured, and less than a day was seen: it may be the day"
        ),
        Why::NoCollectionSeen => {
            format!("{metric} grows, but no full collection has shown yet what lives")
        }
        Why::PageCacheOnly => {
            format!("only page cache moves, which the kernel takes back; {metric} does not grow")
        }
    }
}

pub(crate) fn told(story: Story) -> &'static str {
    match story {
        Story::Load => "load",
        Story::Backlog => "a backlog of work",
        Story::Cache => "a cache",
    }
}

pub(crate) fn quantity(unit: Unit, value: f64) -> String {
    match unit {
        Unit::Bytes => plimsoll_model::Bytes(value.max(0.0) as u64).to_string(),
        Unit::Count | Unit::Seconds | Unit::PerSecond => format!("{value:.0}"),
    }
}

fn leak_reason(
    scene: &Scene<'_>,
    found: &Finding<'_>,
    instances: &[InstanceName],
    running: usize,
) -> String {
    let metric = found.study.rung.metric;
    let trend = found.repeated.map(|again| again.longest).or(found.study.trend);
    let growth = trend.map_or_else(String::new, |trend| {
        let growth = Growth { per_hour: trend.per_hour, unit: metric.unit() };
        format!(" by {growth}")
    });
    let who = match instances {
        [one] if running > 1 => format!(" in {one} alone of {running} instances"),
        _ => String::new(),
    };
    let since = match found.onset.as_ref().and_then(|onset| onset.change.as_ref()) {
        Some(change) => {
            let version = change.version.as_ref().map(|v| format!(" of {v}")).unwrap_or_default();
            format!(" since the {}{version}", change.kind.name().replace('_', " "))
        }
        None => String::new(),
    };
    let restarts = if found.repeated.is_some() { " after every restart" } else { "" };
    let end = trend
        .and_then(|trend| exhaustion(scene, &trend, found.study.level, found.study.limit))
        .map(|end| format!("; the limit is reached in about {}", end.p50.since(scene.now)));
    format!("{metric} grows{growth}{who}{restarts}{since}{}", end.unwrap_or_default())
}
