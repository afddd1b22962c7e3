//! What kind of thing explains the curve.
//!
//! Not here: whether it is a leak. A cause is named after the verdict and never changes it.

use plimsoll_model::{Cause, Metric, Verdict};

use crate::course::{Course, Study};
use crate::envelope::{blocks, span};
use crate::judge::{Finding, Why};
use crate::rivals::Story;
use crate::scene::Scene;
use crate::signs::named_cause;
use crate::thresholds as limits;

/// Names the cause, and says what was needed where the name depends on it.
pub(crate) fn cause(scene: &Scene<'_>, found: &mut Finding<'_>) -> Cause {
    let study = &found.study;
    match found.verdict {
        Verdict::Leaking => leak_cause(scene, found),
        Verdict::Undecided => Cause::None,
        Verdict::Suspect => match found.why {
            Why::StillFilling => Cause::Cache,
            Why::CannotTell(story) => story_cause(story),
            _ if study.course == Course::Growing => leak_cause(scene, found),
            _ => Cause::None,
        },
        Verdict::Steady => match study.course {
            Course::Follows(story) => story_cause(story),
            _ if found.why == Why::BatchRuns => Cause::Batch,
            Course::Levelled | Course::Slowing | Course::Growing => rest_cause(found),
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

/// Native memory that an allocator holds and the program does not is fragmentation; where only a
/// footprint is measured, what a runtime said of itself may name the culprit.
fn leak_cause(scene: &Scene<'_>, found: &Finding<'_>) -> Cause {
    let rise = found.study.trend.map_or(0.0, |trend| trend.rise);
    let gained = |metric| {
        let outline = found.run.outline(metric)?;
        Some(outline.last()?.value - outline.first()?.value)
    };
    let resident = gained(Metric::RuntimeArenaResident);
    let active = gained(Metric::RuntimeArenaActive);
    match (found.study.rung.cause, resident, active) {
        (Cause::Native, Some(resident), Some(active)) if resident - active > 0.6 * rise => {
            Cause::Fragmentation
        }
        (cause, _, _) => named_cause(scene, &found.run, &found.study.rung).unwrap_or(cause),
    }
}

fn rest_cause(found: &mut Finding<'_>) -> Cause {
    let cache = [Metric::CacheBytes, Metric::CacheEntries].into_iter().any(|metric| {
        let outline = found.run.outline(metric);
        let ends = outline.and_then(|outline| outline.first().zip(outline.last()));
        ends.is_some_and(|(first, last)| last.value > 1.5 * first.value)
    });
    match (cache, found.study.stepped) {
        (true, _) => Cause::Cache,
        (false, Some(at))
            if at * found.study.samples as f64 > limits::SAMPLES_MIN.default * 2.0 =>
        {
            let rise = found.study.trend.map_or(0.0, |trend| trend.rise);
            found.why = Why::NeedsMore { than: found.study.level - rise };
            Cause::Capacity
        }
        (false, Some(_) | None) => Cause::WarmUp,
    }
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
        let mut stretches = run.outline(study.rung.metric)?.stretches();
        stretches.nth(stretches.len() / 2).map(|stretch| stretch.mean)
    });
    if warmed_up(study) {
        found.why = Why::CameToRest;
        return rest_cause(found);
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
        let blocks = found.run.outline(metric).map(|outline| blocks(outline, scene.origin));
        blocks.is_some_and(|blocks| span(&blocks) > 2.0 * found.study.material)
    })
}
