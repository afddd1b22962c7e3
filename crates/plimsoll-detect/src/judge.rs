//! From a series of one run to a finding: study it, compare it, weigh it, name it.
//!
//! Not here: the gates (`gates`), the weights (`evidence`), the names (`cause`), or the choice
//! between several series of a service (`report`).

use plimsoll_model::{Cause, Evidence, Timestamp, Verdict};

use crate::attribution::{Onset, onset};
use crate::cause::cause;
use crate::cohort::{Control, Repeated, control, repeated};
use crate::course::{Course, Study, study};
use crate::evidence::{evidence, probability};
use crate::forecast::is_in_sight;
use crate::gates::weigh;
use crate::ladder::{Ladder, Rung, ladder};
use crate::rivals::Story;
use crate::scene::{Run, Scene};
use crate::thresholds as limits;

/// What is concluded from one series of one run.
#[derive(Clone, Debug)]
pub(crate) struct Finding<'a> {
    pub(crate) run: Run<'a>,
    pub(crate) study: Study,
    pub(crate) verdict: Verdict,
    pub(crate) cause: Cause,
    pub(crate) why: Why,
    pub(crate) onset: Option<Onset>,
    pub(crate) beside: Control,
    pub(crate) repeated: Option<Repeated>,
    pub(crate) evidence: Vec<Evidence>,
}

/// The one thing that decided.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Why {
    TooFewSamples {
        ready_at: Option<Timestamp>,
    },
    NothingMoved,
    NeedsMore {
        than: f64,
    },
    CameToRest,
    StillSlowing,
    AsItsControl(String),
    GivesBack,
    BatchRuns,
    Follows(Story),
    StillFilling,
    CannotTell(Story),
    Wanders,
    Steps,
    OutOfSight,
    Blind(&'static str),
    NoCollectionSeen,
    TooShort {
        ready_at: Option<Timestamp>,
    },
    DayNotSeen,
    TimeToWait,
    JustBegan,
    Grows,
    GrowsAfterEveryRestart,
    /// It told before, grows more slowly now, and has not come to rest.
    GrowsOn,
    /// It leaked until its restart, which cures nothing, and has run for too short a time since.
    Restarted,
    PageCacheOnly,
}

/// Everything that is concluded, for every run that reports.
pub(crate) fn findings<'a>(scene: &Scene<'a>) -> Vec<Finding<'a>> {
    scene.running().iter().flat_map(|run| of_run(scene, run)).collect()
}

fn of_run<'a>(scene: &Scene<'a>, run: &Run<'a>) -> Vec<Finding<'a>> {
    let Ladder { live, footprint, held } = ladder(run.life, scene.silent_before(run));
    let mut findings: Vec<_> = live.iter().map(|rung| told(scene, run, rung)).collect();
    let heap_rests = findings.iter().all(|found| found.verdict == Verdict::Steady);
    match (live, footprint) {
        (None, Some(rung)) => findings.push(told(scene, run, &rung)),
        (Some(_), Some(rung)) if heap_rests => findings.extend(beside_the_heap(scene, run, &rung)),
        (_, _) => {}
    }
    let memory = !findings.is_empty();
    for rung in held {
        let found = told(scene, run, &rung);
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
    let blind_to = if run.heap_touched().is_none() { Some(unseen) } else { rung.blind_to };
    let rung = Rung { beyond_heap: true, blind_to, ..*rung };
    let found = finding(scene, run, &rung);
    let tells = matches!(found.verdict, Verdict::Leaking | Verdict::Suspect);
    (tells && found.study.course == Course::Growing).then_some(found)
}

/// What is concluded of a run, or, while it has run for too short a time, of the one before it: a
/// restart by itself cures nothing.
fn told<'a>(scene: &Scene<'a>, run: &Run<'a>, rung: &Rung) -> Finding<'a> {
    let found = finding(scene, run, rung);
    if !matches!(found.why, Why::TooFewSamples { .. } | Why::TooShort { .. }) {
        return found;
    }
    let changed = |since: Timestamp| {
        scene.changes().iter().any(|change| change.at > since && change.kind.is_deliberate())
    };
    let before = scene
        .earlier(run)
        .next()
        .filter(|before| before.life.version == run.life.version && !changed(before.to));
    let leaked = before.map(|before| finding(scene, before, rung));
    match leaked.filter(|before| before.verdict == Verdict::Leaking) {
        Some(before) => {
            let study = Study { level: found.study.level, ..before.study };
            Finding { run: *run, study, why: Why::Restarted, ..before }
        }
        None => found,
    }
}

/// Whether it looked like a leak a little earlier as well. Against a control at equal uptime there is
/// nothing that chance could have drawn.
fn is_confirmed(scene: &Scene<'_>, run: &Run<'_>, study: &Study, beside: &Control) -> bool {
    let Some(trend) = study.trend.filter(|_| !matches!(beside, Control::Equal(_, _))) else {
        return true;
    };
    let until = trend.to - limits::CONFIRMED_SINCE.default * (trend.to - trend.from);
    let then = as_of(scene, run, study, until);
    then.course == Course::Growing
}

/// The same series when it had been seen until a moment.
fn as_of(scene: &Scene<'_>, run: &Run<'_>, study: &Study, until: f64) -> Study {
    let blocks = scene.blocks(run, &study.rung);
    let seen = blocks.get(..blocks.partition_point(|block| block.at < until)).unwrap_or(&[]);
    let mut then = self::study(scene, run, &study.rung, seen);
    then.level = seen.last().map_or(then.level, |block| block.mean);
    then
}

/// Whether it was a leak when a part of it had been seen, and goes on at a good part of that pace: a
/// verdict is not taken back for a slower hour, only for a rest.
fn grows_on(scene: &Scene<'_>, run: &Run<'_>, study: &Study, beside: &Control) -> bool {
    let slower = matches!(study.course, Course::Slowing | Course::Wanders);
    let ends = study.points.first().zip(study.points.last());
    let Some((first, last)) = ends.filter(|_| slower) else { return false };
    let then = as_of(scene, run, study, last.at - limits::LOOK_BACK.default * (last.at - first.at));
    let told = weigh(scene, run, &then, beside).0 == Verdict::Leaking;
    let Some(trend) = then.trend.filter(|_| told) else { return false };
    last.value - trend.level >= limits::GROWS_ON.default * trend.per_hour * (last.at - trend.to)
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
    // The median of several runs knows the pace better than one that has only begun.
    let young = study.trend.is_none_or(|t| (t.samples as f64) < limits::SAMPLES_ALONE.default);
    let tells_more = young || verdict != Verdict::Leaking;
    let matters = |again: &Repeated| {
        again.longest.rise >= study.material && is_in_sight(&again.longest, &study)
    };
    let repeated = again.filter(|again| {
        tells_more && matters(again) && !matches!(study.course, Course::Follows(_))
    });
    if why == Why::Grows && !is_confirmed(scene, run, &study, &beside) {
        (verdict, why) = (Verdict::Suspect, Why::JustBegan);
    }
    if repeated.is_some() {
        (verdict, why) = (Verdict::Leaking, Why::GrowsAfterEveryRestart);
    } else if (verdict == Verdict::Suspect || why == Why::Wanders)
        && grows_on(scene, run, &study, &beside)
    {
        (verdict, why) = (Verdict::Leaking, Why::GrowsOn);
    }
    let evidence = evidence(scene, run, &study, &beside, repeated.as_ref());
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
        beside,
        repeated,
        evidence,
    };
    found.cause = cause(scene, &mut found);
    found
}
