//! From a study and its control to a verdict on one series of one run, with its reasons.
//!
//! Not here: words for people (`report`), or the choice between several series of a service.

use plimsoll_model::{Cause, ChangeKind, Evidence, Metric, Span, Timestamp, Unit, Verdict};

use crate::attribution::{Onset, onset};
use crate::cohort::{Control, Repeated, control, repeated};
use crate::course::{Began, Course, Study, study};
use crate::envelope::{blocks, span};
use crate::forecast::is_in_sight;
use crate::ladder::{Ladder, Rung, ladder};
use crate::rivals::Story;
use crate::scene::{Run, Scene, median_step};
use crate::thresholds::{self as limits, Threshold};

/// What is concluded from one series of one run.
#[derive(Clone, Debug)]
pub(crate) struct Finding<'a> {
    pub(crate) run: Run<'a>,
    pub(crate) study: Study,
    pub(crate) verdict: Verdict,
    pub(crate) cause: Cause,
    pub(crate) why: Why,
    pub(crate) onset: Option<Onset>,
    pub(crate) repeated: Option<Repeated>,
    pub(crate) evidence: Vec<Evidence>,
}

/// The one thing that decided.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Why {
    TooFewSamples { ready_at: Option<Timestamp> },
    NothingMoved,
    NeedsMore { than: f64 },
    CameToRest,
    StillSlowing,
    AsItsControl(String),
    GivesBack,
    BatchRuns,
    Follows(Story),
    StillFilling,
    CannotTell(Story),
    Wanders,
    OutOfSight,
    Blind(&'static str),
    NoCollectionSeen,
    TooShort { ready_at: Option<Timestamp> },
    Grows,
    GrowsAfterEveryRestart,
    PageCacheOnly,
}

/// Everything that is concluded, for every run that reports.
pub(crate) fn findings<'a>(scene: &Scene<'a>) -> Vec<Finding<'a>> {
    scene.running().iter().flat_map(|run| of_run(scene, run)).collect()
}

fn of_run<'a>(scene: &Scene<'a>, run: &Run<'a>) -> Vec<Finding<'a>> {
    let Ladder { live, footprint, held } = ladder(run.life, scene.silent_before(run));
    let mut findings: Vec<_> = live.iter().map(|rung| finding(scene, run, rung)).collect();
    let heap_rests = findings.iter().all(|found| found.verdict == Verdict::Steady);
    match (live, footprint) {
        (None, Some(rung)) => findings.push(finding(scene, run, &rung)),
        (Some(_), Some(rung)) if heap_rests => findings.extend(beside_the_heap(scene, run, &rung)),
        (_, _) => {}
    }
    let memory = !findings.is_empty();
    for rung in held {
        let found = finding(scene, run, &rung);
        // What is held speaks up when it moves, or when nothing else can speak.
        let moves = matches!(found.study.course, Course::Growing | Course::Follows(_));
        if !memory || moves || found.verdict == Verdict::Leaking {
            findings.push(found);
        }
    }
    findings
}

/// Native memory: what the footprint does beyond the heap. A heap is touched bit by bit up to what
/// was committed, so that part of the footprint is no leak whatever it does.
fn beside_the_heap<'a>(scene: &Scene<'a>, run: &Run<'a>, rung: &Rung) -> Option<Finding<'a>> {
    let unseen = "how much of the heap was touched is not measured";
    let blind_to = if run.heap_touched().is_empty() { Some(unseen) } else { rung.blind_to };
    let rung = Rung { beyond_heap: true, blind_to, ..*rung };
    let found = finding(scene, run, &rung);
    let tells = matches!(found.verdict, Verdict::Leaking | Verdict::Suspect);
    (tells && found.study.course == Course::Growing).then_some(found)
}

fn finding<'a>(scene: &Scene<'a>, run: &Run<'a>, rung: &Rung) -> Finding<'a> {
    let raw = study(scene, run, rung, &scene.blocks(run, rung));
    let again = repeated(scene, run, rung);
    let moves = raw.trend.is_some_and(|trend| trend.rise >= raw.material);
    let beside = if moves { control(scene, run, &raw) } else { Control::Nothing };
    let study = match &beside {
        Control::Equal(_, Some(apart)) if apart.course == Course::Growing => (**apart).clone(),
        _ => raw,
    };
    let (mut verdict, mut why) = weigh(scene, run, &study, &beside);
    let repeated = again
        .filter(|_| verdict != Verdict::Leaking && !matches!(study.course, Course::Follows(_)));
    if repeated.is_some() {
        (verdict, why) = (Verdict::Leaking, Why::GrowsAfterEveryRestart);
    }
    let evidence = evidence(run, &study, &beside, repeated.as_ref());
    if verdict == Verdict::Leaking && probability(&evidence) < limits::CONFIDENCE_LEAKING.default {
        verdict = Verdict::Suspect;
    }
    let tells = matches!(verdict, Verdict::Leaking | Verdict::Suspect);
    let same = matches!(beside, Control::SameEverSince(_));
    let mut found = Finding {
        cause: Cause::None,
        onset: tells.then(|| onset(scene, run, &study, same)),
        run: *run,
        study,
        verdict,
        why,
        repeated,
        evidence,
    };
    found.cause = cause(scene, &mut found);
    found
}

/// The gates, in order: each may only lower what the one before allowed.
fn weigh(scene: &Scene<'_>, run: &Run<'_>, study: &Study, beside: &Control) -> (Verdict, Why) {
    let ready = |need: &Threshold| ready_at(scene, run, study, need);
    let rises = matches!(study.course, Course::Growing | Course::Slowing | Course::Wanders);
    if rises && began_with_a_batch(scene, run, study) {
        return (Verdict::Steady, Why::BatchRuns);
    }
    match study.course {
        Course::TooFew => {
            let ready_at = ready(&limits::SAMPLES_MIN);
            (Verdict::Undecided, Why::TooFewSamples { ready_at })
        }
        Course::Flat if (study.samples as f64) < limits::SAMPLES_MIN.default => {
            let ready_at = ready(&limits::SAMPLES_MIN);
            (Verdict::Undecided, Why::TooFewSamples { ready_at })
        }
        Course::Flat => (Verdict::Steady, Why::NothingMoved),
        Course::Levelled => (Verdict::Steady, Why::CameToRest),
        Course::GivesBack => (Verdict::Steady, Why::GivesBack),
        Course::Follows(Story::Cache) if still_rising(study) => {
            (Verdict::Suspect, Why::StillFilling)
        }
        Course::Follows(story) => (Verdict::Steady, Why::Follows(story)),
        Course::Slowing => slowing(scene, run, study, beside),
        Course::Wanders => wandering(study),
        Course::CannotTell(story) => {
            let short = (study.samples as f64) < limits::SAMPLES_ALONE.default;
            let verdict = if short { Verdict::Undecided } else { Verdict::Suspect };
            (verdict, Why::CannotTell(story))
        }
        Course::Growing => growing(scene, run, study, beside),
    }
}

/// A batch was announced when the rise began: it has the right to hold memory until it ends.
fn began_with_a_batch(scene: &Scene<'_>, run: &Run<'_>, study: &Study) -> bool {
    let Some(trend) = study.trend else { return false };
    let near = ONSET_SHARE * (trend.to - trend.from);
    scene.history.changes.iter().any(|change| {
        change.kind == ChangeKind::Batch
            && change.instance.as_ref().is_none_or(|name| *name == run.life.instance)
            && (scene.hours(change.at) - trend.from).abs() <= near
    })
}

/// An onset is known to about this share of the rise.
const ONSET_SHARE: f64 = 0.2;

fn still_rising(study: &Study) -> bool {
    study.trend.is_some_and(|trend| trend.late > limits::LATE_MIN.default)
}

fn slowing(scene: &Scene<'_>, run: &Run<'_>, study: &Study, beside: &Control) -> (Verdict, Why) {
    if let Control::SameAndRested(claim) = beside {
        return (Verdict::Steady, Why::AsItsControl(claim.clone()));
    }
    if (study.samples as f64) < limits::SAMPLES_ALONE.default {
        let ready_at = ready_at(scene, run, study, &limits::SAMPLES_ALONE);
        return (Verdict::Undecided, Why::TooShort { ready_at });
    }
    let Some(trend) = study.trend else { return (Verdict::Steady, Why::CameToRest) };
    // If it went on as it does now for as long again, would it use up half of what is left?
    let ahead = trend.late * trend.rise;
    let room = study.limit.map_or(trend.rise, |limit| 0.5 * (limit - study.level));
    let rests = ahead < room && trend.pace < limits::PACE_MIN.default;
    if rests { (Verdict::Steady, Why::StillSlowing) } else { (Verdict::Suspect, Why::StillSlowing) }
}

fn wandering(study: &Study) -> (Verdict, Why) {
    let surprise = study.trend.map_or(0.0, |trend| trend.surprise);
    let verdict = if surprise < 2.0 { Verdict::Steady } else { Verdict::Suspect };
    (verdict, Why::Wanders)
}

fn growing(scene: &Scene<'_>, run: &Run<'_>, study: &Study, beside: &Control) -> (Verdict, Why) {
    let Some(trend) = study.trend else { return (Verdict::Steady, Why::NothingMoved) };
    if !is_in_sight(&trend, study.level, study.limit) {
        return (Verdict::Steady, Why::OutOfSight);
    }
    let (need, surprise) = match beside {
        Control::SameAndRested(claim) => {
            return (Verdict::Steady, Why::AsItsControl(claim.clone()));
        }
        Control::Equal(_, _) => (limits::SAMPLES_CONTROLLED, limits::SURPRISE_CONTROLLED),
        Control::Beside(_) => (limits::SAMPLES_BESIDE, limits::SURPRISE_MIN),
        // Two runs that climb alike are one growth, interrupted.
        Control::SameEverSince(_) => (limits::SAMPLES_CONTROLLED, limits::SURPRISE_MIN),
        Control::Nothing => (limits::SAMPLES_ALONE, limits::SURPRISE_MIN),
    };
    if (trend.samples as f64) < need.default {
        return (
            Verdict::Undecided,
            Why::TooShort { ready_at: ready_at(scene, run, study, &need) },
        );
    }
    if trend.surprise < surprise.default {
        return (Verdict::Suspect, Why::Wanders);
    }
    if let Some(what) = study.rung.blind_to {
        return (Verdict::Suspect, Why::Blind(what));
    }
    if study.rung.metric == Metric::RuntimeHeapUsed && !collected(run, study) {
        return (Verdict::Suspect, Why::NoCollectionSeen);
    }
    (Verdict::Leaking, Why::Grows)
}

/// Whether garbage was given back at least once: before that, used heap says nothing of what lives.
fn collected(run: &Run<'_>, study: &Study) -> bool {
    let counted = run.samples(Metric::RuntimeGcCount);
    let count = match (counted.first(), counted.last()) {
        (Some(first), Some(last)) => last.value - first.value,
        (None, _) | (_, None) => 0.0,
    };
    count >= 2.0 || study.swing >= 0.1 * study.trend.map_or(f64::INFINITY, |trend| trend.rise)
}

/// When a need for samples will be met at the present rate.
fn ready_at(
    scene: &Scene<'_>,
    run: &Run<'_>,
    study: &Study,
    need: &Threshold,
) -> Option<Timestamp> {
    let step = median_step(run.samples(study.rung.metric));
    let have = match study.began {
        Began::WithRun => study.samples,
        Began::Within | Began::AtChange(_) => study.trend.map_or(0, |trend| trend.samples),
    };
    let missing = (need.default - have as f64).max(1.0);
    (step > 0.0).then(|| scene.now + Span::from_secs_f64(missing * step * 3600.0))
}

fn cause(scene: &Scene<'_>, found: &mut Finding<'_>) -> Cause {
    let study = &found.study;
    match found.verdict {
        Verdict::Leaking => leak_cause(found),
        Verdict::Undecided => Cause::None,
        Verdict::Suspect => match found.why {
            Why::StillFilling => Cause::Cache,
            Why::CannotTell(story) => story_cause(story),
            _ if study.course == Course::Growing => leak_cause(found),
            _ => Cause::None,
        },
        Verdict::Steady => match study.course {
            Course::Follows(story) => story_cause(story),
            _ if found.why == Why::BatchRuns => Cause::Batch,
            Course::Levelled | Course::Slowing | Course::Growing => rest_cause(scene, found),
            Course::GivesBack => give_back_cause(study),
            Course::Flat | Course::Wanders | Course::TooFew | Course::CannotTell(_) => {
                flat_cause(scene, found)
            }
        },
    }
}

fn story_cause(story: Story) -> Cause {
    match story {
        Story::Load => Cause::Load,
        Story::Backlog => Cause::Backlog,
        Story::Cache => Cause::Cache,
    }
}

/// Native memory that an allocator holds and the program does not is fragmentation.
fn leak_cause(found: &Finding<'_>) -> Cause {
    let rise = found.study.trend.map_or(0.0, |trend| trend.rise);
    let gained = |metric| {
        let samples = found.run.samples(metric);
        Some(samples.last()?.value - samples.first()?.value)
    };
    let resident = gained(Metric::RuntimeArenaResident);
    let active = gained(Metric::RuntimeArenaActive);
    match (found.study.rung.cause, resident, active) {
        (Cause::Native, Some(resident), Some(active)) if resident - active > 0.6 * rise => {
            Cause::Fragmentation
        }
        (cause, _, _) => cause,
    }
}

fn rest_cause(scene: &Scene<'_>, found: &mut Finding<'_>) -> Cause {
    let cache = [Metric::CacheBytes, Metric::CacheEntries].into_iter().any(|metric| {
        let samples = found.run.samples(metric);
        let ends = samples.first().zip(samples.last());
        ends.is_some_and(|(first, last)| last.value > 1.5 * first.value)
    });
    match (cache, step(&found.study)) {
        (true, _) => Cause::Cache,
        (false, Some(at))
            if at * found.study.samples as f64 > limits::SAMPLES_MIN.default * 2.0 =>
        {
            found.why = Why::NeedsMore { than: found.study.level - rise_of(scene, found) };
            Cause::Capacity
        }
        (false, Some(_) | None) => Cause::WarmUp,
    }
}

fn rise_of(_scene: &Scene<'_>, found: &Finding<'_>) -> f64 {
    found.study.trend.map_or(0.0, |trend| trend.rise)
}

/// Where a few jumps make most of the whole span: the place of the first, as a share of the time.
fn step(study: &Study) -> Option<f64> {
    let values = || study.points.iter().map(|point| point.value);
    let (low, high) = (values().fold(f64::INFINITY, f64::min), values().fold(0.0, f64::max));
    let (first, last) = (study.points.first()?.at, study.points.last()?.at);
    let (mut jumped, mut begin, mut next) = (0.0, None, 0);
    for (index, three) in study.points.windows(3).enumerate() {
        let jump = three[2].value - three[0].value;
        if index >= next && jump >= 0.2 * (high - low) {
            jumped += jump;
            begin = begin.or(Some((three[1].at - first) / (last - first)));
            next = index + 2;
        }
    }
    begin.filter(|_| jumped >= 0.6 * (high - low))
}

fn give_back_cause(study: &Study) -> Cause {
    match study.rung.cause {
        Cause::Heap => Cause::None,
        _ if matches!(study.moved_by, Some((_, Story::Load))) => Cause::Load,
        // Work that comes and goes stands at its floor for most of the time; people do not.
        _ if (study.seasonal || study.repeats) && study.mostly_low => Cause::Batch,
        _ if study.seasonal || study.repeats => Cause::Load,
        _ => Cause::None,
    }
}

fn flat_cause(scene: &Scene<'_>, found: &mut Finding<'_>) -> Cause {
    let study = &found.study;
    if let Some((_, story)) = study.moved_by {
        return story_cause(story);
    }
    let given_back = give_back_cause(study);
    if given_back != Cause::None {
        found.why = Why::GivesBack;
        return given_back;
    }
    if page_cache_moves(scene, found) {
        found.why = Why::PageCacheOnly;
        return Cause::PageCache;
    }
    let before = scene.earlier(&found.run).find(|run| run.life.version != found.run.life.version);
    let was = before.and_then(|run| {
        let samples = run.samples(study.rung.metric);
        samples.get(samples.len() / 2).map(|sample| sample.value)
    });
    if warmed_up(study) {
        found.why = Why::CameToRest;
        return rest_cause(scene, found);
    }
    match was {
        Some(was) if study.level - was > 4.0 * study.material => {
            found.why = Why::NeedsMore { than: was };
            Cause::Capacity
        }
        Some(_) | None => Cause::None,
    }
}

/// It began materially lower than where it has been since.
fn warmed_up(study: &Study) -> bool {
    let mut later: Vec<f64> =
        study.points.iter().skip(study.points.len() / 2).map(|point| point.value).collect();
    later.sort_by(f64::total_cmp);
    let (Some(first), Some(middle)) = (study.points.first(), later.get(later.len() / 2)) else {
        return false;
    };
    middle - first.value > 2.0 * study.material
}

fn page_cache_moves(scene: &Scene<'_>, found: &Finding<'_>) -> bool {
    let wider = [
        Metric::ContainerMemoryUsage,
        Metric::ContainerMemoryWorkingSet,
        Metric::ContainerMemoryFile,
    ];
    wider.into_iter().filter(|metric| *metric != found.study.rung.metric).any(|metric| {
        let samples = found.run.samples(metric);
        span(&blocks(samples, scene.origin)) > 2.0 * found.study.material
    })
}

/// What speaks for a leak and what speaks against, in log-odds.
fn evidence(
    run: &Run<'_>,
    study: &Study,
    beside: &Control,
    repeated: Option<&Repeated>,
) -> Vec<Evidence> {
    let mut all = vec![fact(-2.0, "most services do not leak".into(), "prior")];
    let metric = study.rung.metric.name();
    if let Some(trend) = study.trend.filter(|_| study.course != Course::TooFew) {
        let weight = (1.5 + 1.5 * (trend.surprise.max(0.1) / 4.0).ln()).clamp(-3.0, 3.5);
        let claim = format!("its floor rises evenly (t of the increments {:.1})", trend.surprise);
        all.push(fact(weight, claim, metric));
        let kept = (1.0 - 2.0 * trend.given_back).clamp(-1.0, 1.0);
        let claim = format!("it gave back at most {:.0} % of its rise", 100.0 * trend.given_back);
        all.push(fact(kept, claim, metric));
        let going = (2.0 * trend.late.min(trend.pace) - 1.0).clamp(-2.0, 1.0);
        let claim = format!("the last quarter grows at {:.0} % of the pace", 100.0 * trend.late);
        all.push(fact(going, claim, metric));
        let size = trend.rise / study.material.max(f64::MIN_POSITIVE);
        let weight = (0.5 * size.max(0.05).ln()).clamp(-1.5, 1.5);
        all.push(fact(weight, format!("its rise is {size:.1} times what matters"), metric));
        let length = (trend.samples as f64 / limits::SAMPLES_ALONE.default).ln().clamp(-1.5, 1.0);
        all.push(fact(length, format!("{} samples show it", trend.samples), metric));
    }
    all.extend(about_load(run, study));
    all.extend(about_control(beside));
    if let Some(again) = repeated {
        let claim = format!("{} runs climbed at the same pace, restarts only hid it", again.runs);
        all.push(fact(4.0, claim, metric));
    }
    if study.limit.is_none() && study.rung.metric.unit() == Unit::Bytes {
        all.push(fact(-0.3, "no limit is known to measure it by".into(), "limit"));
    }
    all
}

fn about_load(run: &Run<'_>, study: &Study) -> Option<Evidence> {
    let load = !run.samples(Metric::ServiceRequestsRate).is_empty();
    match (study.course, load) {
        (Course::Follows(_), _) => {
            let (metric, _) = study.moved_by?;
            Some(fact(-4.0, format!("it follows {metric} and does nothing else"), metric.name()))
        }
        (_, true) => {
            let claim = "load does not explain it".to_owned();
            Some(fact(0.8, claim, Metric::ServiceRequestsRate.name()))
        }
        (_, false) => Some(fact(-0.2, "load is not measured".into(), "traffic")),
    }
}

fn about_control(beside: &Control) -> Option<Evidence> {
    match beside {
        Control::Nothing => None,
        Control::Beside(claim) => Some(fact(1.0, claim.clone(), "cohort")),
        Control::Equal(claim, _) => Some(fact(2.5, claim.clone(), "cohort")),
        Control::SameAndRested(claim) => Some(fact(-4.0, claim.clone(), "cohort")),
        Control::SameEverSince(claim) => Some(fact(0.5, claim.clone(), "cohort")),
    }
}

fn fact(weight: f64, claim: String, source: &str) -> Evidence {
    Evidence { claim, weight, source: source.into() }
}

/// The probability of a leak that the evidence adds up to.
pub(crate) fn probability(evidence: &[Evidence]) -> f64 {
    let odds: f64 = evidence.iter().map(|fact| fact.weight).sum();
    1.0 / (1.0 + (-odds).exp())
}
