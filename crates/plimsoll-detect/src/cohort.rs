//! What stands beside a growth: replicas of the same version, and what ran before.
//!
//! The previous version at equal uptime is the best control there is: it excludes warm-up, load
//! and the machine at once. Recency is never evidence. Not here: which change is to blame.

use crate::course::{Began, Course, Study, study};
use crate::envelope::{Block, coarser, floor};
use crate::ladder::Rung;
use crate::scene::{Run, Scene};
use crate::thresholds as limits;
use crate::trend::{Point, Shape, Trend, pace_of, trend};

/// What the comparison says.
#[derive(Clone, Debug)]
pub(crate) enum Control {
    /// There is nothing to compare with.
    Nothing,
    /// Something else was flat, though not at equal uptime.
    Beside(String),
    /// What ran before did not grow at equal uptime, or before the change. The study is the one of
    /// the difference, where there is one.
    Equal(String, Option<Box<Study>>),
    /// What ran before did the same at equal uptime, and then came to rest.
    SameAndRested(String),
    /// What ran before did the same and never came to rest.
    SameEverSince(String),
}

pub(crate) fn control(scene: &Scene<'_>, run: &Run<'_>, found: &Study) -> Control {
    control_within(scene, run, found, GENERATIONS)
}

/// How far back a control is asked for its own control.
const GENERATIONS: usize = 3;

fn control_within(scene: &Scene<'_>, run: &Run<'_>, found: &Study, left: usize) -> Control {
    if matches!(found.began, Began::AtChange(_)) {
        let claim = format!("{} was flat in the same process before", found.rung.metric);
        return Control::Equal(claim, None);
    }
    let Some(grown) = found.trend.filter(|trend| trend.per_hour > 0.0) else {
        return Control::Nothing;
    };
    match predecessor(scene, run, &found.rung) {
        Some(before) => against(scene, run, (&before, &grown), (found, left)),
        None => peers(scene, run, found, &grown),
    }
}

/// What ran before: the same instance, else an ended or older instance of another version.
fn predecessor<'a>(scene: &Scene<'a>, run: &Run<'a>, rung: &Rung) -> Option<Run<'a>> {
    let measured = |other: &&Run<'a>| other.samples(rung.metric) >= COMPARED_MIN;
    let own = scene.earlier(run).find(measured);
    let other_version = |other: &&Run<'a>| {
        other.life.version != run.life.version
            && other.from < run.from
            && other.life.instance != run.life.instance
    };
    own.or_else(|| scene.runs.iter().rev().filter(other_version).find(measured)).copied()
}

/// Fewer samples of a control show nothing.
const COMPARED_MIN: u64 = 15;

fn against(
    scene: &Scene<'_>,
    run: &Run<'_>,
    (before, grown): (&Run<'_>, &Trend),
    (found, left): (&Study, usize),
) -> Control {
    let rung = &found.rung;
    let name = describe(run, before);
    let control = scene.blocks(before, rung);
    let Some(difference) = difference(scene, (run, before), &scene.blocks(run, rung), &control)
    else {
        let pace = pace_of(&later(&control, 0.5));
        if pace <= limits::CONTROL_SHARE.default * grown.per_hour {
            return Control::Beside(format!("{name} did not grow"));
        }
        return grew_before(scene, (before, &name), rung, left);
    };
    let mut apart = study(scene, run, rung, &difference);
    apart.level = found.level;
    apart.limit = found.limit;
    apart.material = found.material;
    if matches!(apart.course, Course::CannotTell(_)) {
        // What ran before carried the load too, and stayed flat under it.
        apart.decide_alone(scene, run);
    }
    let rise = apart.trend.map_or(0.0, |trend| trend.rise);
    if rise <= 2.0 * limits::CONTROL_SHARE.default * grown.rise {
        return grew_before(scene, (before, &name), rung, left);
    }
    let claim = format!("{name} did not grow at equal uptime");
    Control::Equal(claim, Some(Box::new(apart)))
}

fn describe(run: &Run<'_>, before: &Run<'_>) -> String {
    match (&before.life.version, &run.life.version) {
        (Some(was), Some(is)) if was != is => format!("version {was}"),
        (_, _) => format!("the run of {} before", before.life.instance),
    }
}

/// The control did the same: because it leaked too, or because both only started up?
fn grew_before(
    scene: &Scene<'_>,
    (before, name): (&Run<'_>, &str),
    rung: &Rung,
    left: usize,
) -> Control {
    let found = study(scene, before, rung, &scene.blocks(before, rung));
    let ever_since = || Control::SameEverSince(format!("{name} grew the same way"));
    let leaked = || match control_within(scene, before, &found, left - 1) {
        Control::Equal(_, Some(apart)) => apart.course == Course::Growing,
        Control::SameEverSince(_) => true,
        Control::Equal(_, None)
        | Control::Nothing
        | Control::Beside(_)
        | Control::SameAndRested(_) => false,
    };
    match found.course {
        Course::Growing | Course::Wanders | Course::CannotTell(_) => ever_since(),
        Course::TooFew
        | Course::Flat
        | Course::Levelled
        | Course::Slowing
        | Course::GivesBack
        | Course::Follows(_) => {
            if left > 1 && leaked() {
                return ever_since();
            }
            let slowing = found.course == Course::Slowing;
            let short = slowing && (found.samples as f64) < limits::SAMPLES_ALONE.default;
            if short || found.course == Course::TooFew {
                return Control::Nothing;
            }
            Control::SameAndRested(format!("{name} rose the same way and came to rest"))
        }
    }
}

/// The run minus its control at equal uptime. None when either start is unknown, or when the
/// control was not seen at most of these ages.
fn difference(
    scene: &Scene<'_>,
    (run, before): (&Run<'_>, &Run<'_>),
    blocks: &[Block],
    control: &[Block],
) -> Option<Vec<Block>> {
    if !(run.life.start_known && before.life.start_known) {
        return None;
    }
    let (born, control_born) =
        (scene.hours(run.life.started_at), scene.hours(before.life.started_at));
    let age = |at: f64| at - born;
    let (young, old) = (age(blocks.first()?.at), age(blocks.last()?.at));
    let ages = (control.first()?.at - control_born, control.last()?.at - control_born);
    let slack = 0.2 * (old - young);
    if ages.0 > young + slack || ages.1 < young + 0.5 * (old - young) {
        return None;
    }
    let smooth = coarser(control, 96);
    let first = control_at(&smooth, young + control_born);
    let part = |block: &Block| {
        let then = control_at(&smooth, age(block.at) + control_born);
        Block { value: block.value - (then - first), ..*block }
    };
    Some(blocks.iter().map(part).collect())
}

/// The control's level at a moment, between its blocks; its last one afterwards.
fn control_at(control: &[Block], at: f64) -> f64 {
    let index = control.partition_point(|block| block.at < at);
    let after = control.get(index).or_else(|| control.last());
    let before = index.checked_sub(1).and_then(|index| control.get(index)).or(after);
    let (Some(before), Some(after)) = (before, after) else { return 0.0 };
    let gap = after.at - before.at;
    let share = if gap > 0.0 { ((at - before.at) / gap).clamp(0.0, 1.0) } else { 0.0 };
    before.value + share * (after.value - before.value)
}

/// Replicas of the same version that run beside and do not grow.
fn peers(scene: &Scene<'_>, run: &Run<'_>, found: &Study, grown: &Trend) -> Control {
    let running = scene.running();
    let peers = running.iter().filter(|peer| {
        peer.life.instance != run.life.instance && peer.life.version == run.life.version
    });
    let flat = peers.filter(|peer| {
        let blocks = scene.blocks(peer, &found.rung);
        let meanwhile: Vec<_> =
            blocks.into_iter().filter(|b| b.at >= grown.from && b.at <= grown.to).collect();
        meanwhile.len() >= 8
            && pace_of(&later(&meanwhile, 0.0)) <= limits::CONTROL_SHARE.default * grown.per_hour
    });
    match flat.count() {
        0 => Control::Nothing,
        1 => Control::Beside("a replica of the same version does not grow".into()),
        count => Control::Beside(format!("{count} replicas of the same version do not grow")),
    }
}

/// The floor of the part of a run after a share of it.
pub(crate) fn later(blocks: &[Block], share: f64) -> Vec<Point> {
    let skip = (blocks.len() as f64 * share) as usize;
    let rest = blocks.get(skip..).unwrap_or(blocks);
    let point = |block: Block| Point {
        at: block.at,
        work: block.at,
        value: block.value,
        samples: block.samples,
    };
    floor(rest).into_iter().map(point).collect()
}

/// Growth that every restart interrupts and none ends: the same slope in every run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Repeated {
    pub(crate) runs: usize,
    /// The longest of them, at the pace of the median.
    pub(crate) longest: Trend,
}

/// A first part of each run is its warm-up and says nothing.
const WARM_SHARE: f64 = 0.25;

/// Two runs that climb alike may be two warm-ups.
pub(crate) const RUNS_MIN: usize = 3;

pub(crate) fn repeated(scene: &Scene<'_>, run: &Run<'_>, rung: &Rung) -> Option<Repeated> {
    let same = scene.earlier(run).filter(|other| other.life.version == run.life.version);
    let runs: Vec<Run<'_>> = std::iter::once(run).chain(same).copied().collect();
    let mut trends: Vec<Trend> = Vec::new();
    let mut samples = 0;
    for run in &runs {
        let blocks = scene.blocks(run, rung);
        let Some(trend) = trend(&later(&blocks, WARM_SHARE)) else { continue };
        samples += blocks.iter().map(|block| block.samples).sum::<usize>();
        trends.push(trend);
    }
    let mut paces: Vec<f64> = trends.iter().map(|trend| trend.per_hour).collect();
    paces.sort_by(f64::total_cmp);
    let middle = *paces.get(paces.len() / 2)?;
    let alike = |trend: &Trend| trend.per_hour > 0.5 * middle && trend.per_hour < 2.0 * middle;
    let climbs = |trend: &Trend| {
        alike(trend) && trend.shape == Shape::Line && trend.pace >= limits::PACE_REPEATED.default
    };
    let climbing = trends.iter().filter(|trend| climbs(trend)).count();
    let enough = samples as f64 >= limits::SAMPLES_ALONE.default;
    if trends.len() < RUNS_MIN || climbing * 4 < trends.len() * 3 || !enough || middle <= 0.0 {
        return None;
    }
    let longest = trends.iter().copied().max_by_key(|trend| trend.samples)?;
    let longest = Trend { per_hour: middle, recent_per_hour: middle, ..longest };
    Some(Repeated { runs: trends.len(), longest })
}
